//! The lab with real machines.

mod bed;
mod disks;
mod life;
mod private;
