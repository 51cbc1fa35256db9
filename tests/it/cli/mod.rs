//! Every command as a person or a script meets it: stdout, stderr and exit code, whole.

mod environment;
mod front;
mod mounts;
mod npm;
mod race;
mod running;
mod terminal;
mod unread;

mod api;
mod crash;
mod deploy;
mod destroy;
mod disk;
mod errors;
mod help;
mod init;
mod lab;
mod lease;
mod list;
mod lost;
mod old_state;
mod open;
mod reconcile;
mod releases;
mod rotate;
mod show;
mod ssh;
mod state;
mod state_commands;

/// How a plan of one instance looks that is not there yet.
const PLAN: &str = "\
plan:
  fleet  make the fleet's SSH key known
  fleet  create the firewall: 443/tcp from everywhere; 22/tcp from 203.0.113.7/32
  alice  create a cx23 server in fsn1, else nbg1, else hel1
  alice  wait for SSH with the pinned host key
  alice  log in and see that it is that server
  alice  let it make a host key of its own
  alice  let it show that key and no other
  alice  wait for the set-up: OpenClaw 2026.9.6 on Node 24.21.0
  alice  wait until it serves, seen from outside
cost: 5.99 EUR a month for the new servers, without VAT
";

/// The same, step by step.
const STEPS: [(&str, &str); 9] = [
    ("fleet", "make the fleet's SSH key known"),
    ("fleet", "create the firewall: 443/tcp from everywhere; 22/tcp from 203.0.113.7/32"),
    ("alice", "create a cx23 server in fsn1, else nbg1, else hel1"),
    ("alice", "wait for SSH with the pinned host key"),
    ("alice", "log in and see that it is that server"),
    ("alice", "let it make a host key of its own"),
    ("alice", "let it show that key and no other"),
    ("alice", "wait for the set-up: OpenClaw 2026.9.6 on Node 24.21.0"),
    ("alice", "wait until it serves, seen from outside"),
];
