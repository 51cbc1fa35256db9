//! A fleet whose own key is in an ssh-agent: OpenSSH's, with the real program and scripted hosts.

mod life;
mod rotate;
mod socket;
mod trouble;
