//! A cloud with scripted hosts, and any number of operators side by side, each with a project, a home and a state of
//! their own, who run the real program. Shared by the tests and by `make torture`.

mod api;
mod cloud;
mod journal;
mod log;
mod operator;
mod pool;
mod running;
mod slate;

pub(crate) use api::Api;
pub(crate) use cloud::Cloud;
pub(crate) use journal::Step;
pub(crate) use log::Request;
pub(crate) use operator::Operator;
pub(crate) use pool::side_by_side;
pub(crate) use running::{Ended, Halt, Running};
