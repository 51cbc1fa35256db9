//! Typed contexts to text, by strict handlebars templates.

mod audit;
mod birth;
mod egress;
mod files;
mod policy;
mod sandbox;
mod templates;
mod update;

pub use audit::{AuditReport, audit};
pub use birth::{Birth, HostKey, Kind, MAX_USER_DATA, set_up, user_data};
pub use files::{RemoteFile, admin_networks, files};
pub use policy::{DASHBOARD_USERS, Laid, laid, policy};
pub use update::{Update, update};
