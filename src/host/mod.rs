//! What is done on a server and seen of it. Commands are values, answers are parsed; `ssh` carries both.

pub mod admin;
pub mod audit;
pub mod born;
pub mod certificate;
pub mod gateway;
pub mod identity;
pub mod image;
pub mod install;
pub mod keys;
pub mod look;
pub mod outside;
pub mod policy;
pub mod renew;
pub mod revoke;
pub mod rotate;
pub mod scan;
pub mod system;
pub mod timing;
pub mod update;
pub mod world;
