//! The block of loopback addresses that a lab with scripted hosts has to itself.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

/// Below are the addresses that programs give themselves (127.0.0.53, 127.0.1.1).
const FIRST: u8 = 64;
/// How many labs with scripted hosts fit on a computer.
const COUNT: u8 = 64;
/// Nobody else uses it, and nobody can but once.
const CLAIM: u16 = 18_022;

/// `127.N.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loopback(u8);

/// The proof that a running lab has a block; the kernel takes it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Claim {
    _listener: TcpListener,
}

impl Loopback {
    /// Takes a block that no running lab has for this process, the lab in that directory.
    pub(crate) fn claim_any(dir: &Path) -> Result<(Self, Claim)> {
        let mut hasher = DefaultHasher::new();
        dir.hash(&mut hasher);
        // below COUNT. Labs that are down hold no claim: they are kept apart by where they begin to look
        let wish = (hasher.finish() % u64::from(COUNT)) as u8;
        for step in 0..COUNT {
            let block = Self(FIRST + (wish + step) % COUNT);
            if let Some(claim) = block.listen()? {
                return Ok((block, claim));
            }
        }
        bail!("all {COUNT} address blocks of scripted labs are taken; take another lab down")
    }

    /// Takes the block for this process.
    ///
    /// # Errors
    /// Another lab runs in it.
    pub(crate) fn claim(self) -> Result<Claim> {
        let block = self.0;
        self.listen()?.with_context(|| {
            format!(
                "another lab runs in 127.{block}.0.0/16: take it down, or begin this one in another directory"
            )
        })
    }

    /// Whether hosts can listen in the block.
    ///
    /// # Errors
    /// Ports 22 or 443 cannot be had.
    pub(super) async fn check(self) -> Result<()> {
        super::door::check(self.last()).await.context("scripted hosts cannot run here")
    }

    /// N.
    pub(crate) fn number(self) -> u8 {
        self.0
    }

    /// The address that no server gets.
    fn last(self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0, 255, 254)
    }

    fn listen(self) -> Result<Option<Claim>> {
        match TcpListener::bind((self.last(), CLAIM)) {
            Ok(listener) => Ok(Some(Claim { _listener: listener })),
            Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot listen on {}:{CLAIM}", self.last())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_one_running_lab_s() {
        let dir = Path::new("/a/lab/of/this/test");
        let (block, claim) = Loopback::claim_any(dir).unwrap();
        let (other, _claim) = Loopback::claim_any(dir).unwrap();
        assert_ne!(block, other);
        let taken = block.claim().unwrap_err().to_string();
        assert!(taken.starts_with("another lab runs in 127."), "{taken}");
        drop(claim);
        block.claim().unwrap();
    }
}
