//! What the program talks about: pure types, parsed once at the edge.

pub mod endpoint;
pub mod name;
pub mod release;
