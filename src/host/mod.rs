//! What is done on a server and seen of it.
