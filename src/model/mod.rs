//! What the program talks about: pure types, parsed once at the edge.

pub mod admin;
pub mod audit;
pub mod authority;
pub mod caa;
pub mod drift;
pub mod endpoint;
pub mod event;
pub mod flaw;
pub mod fleet;
pub mod host_key;
pub mod image;
pub mod instance;
mod invalid;
pub mod key_name;
pub mod name;
pub mod observed;
pub mod operator_key;
pub mod place;
pub mod policy;
pub mod price;
pub mod refusal;
pub mod release;
pub mod rollout;
pub mod zone;
