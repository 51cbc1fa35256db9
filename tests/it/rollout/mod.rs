//! `update` and `rollback` over many scripted hosts, with the real program: what real machines are too few and too slow for.

mod broken;
mod choice;
mod control;
mod fleet;
mod killed;
mod policy;
