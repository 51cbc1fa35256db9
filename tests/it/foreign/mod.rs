//! Bytes that others wrote, damaged in all ways: from the API, the npm registry, a server, a gateway, and in the operator's own files. Whatever
//! comes, it is taken or refused, at once; nothing panics, and what is taken can be written and read again.

mod api;
mod audit;
mod damage;
mod file;
mod gateway;
mod registry;
mod server;
mod words;
