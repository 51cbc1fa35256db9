//! Bytes that others wrote, damaged in all ways: from the API, the npm registry, a server, and in the operator's own file. Whatever
//! comes, it is taken or refused, at once; nothing panics, and what is taken can be written and read again.

mod api;
mod damage;
mod file;
mod registry;
mod server;
mod words;
