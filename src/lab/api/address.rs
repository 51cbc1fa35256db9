//! The addresses that servers get.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::primary_ip::Family;

/// The addresses of a lab: number `N` is the IPv4 address `first + N` and the network `2001:db8:GROUP:N::/64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    first: Ipv4Addr,
    /// The numbers are 2 to this one: 0 and 1 look like a network and a gateway.
    last: u16,
    group: u16,
}

impl Block {
    /// Of a lab with real machines: 198.18.S.0/24, of the benchmark range, which software does not take for private.
    pub fn of_slot(slot: u8) -> Self {
        Self { first: Ipv4Addr::new(198, 18, slot, 0), last: 250, group: u16::from(slot) }
    }

    /// Of an API without machines: 198.18.64.0 to 198.18.255.255.
    pub fn of_api() -> Self {
        Self { first: Ipv4Addr::new(198, 18, 64, 0), last: 49_000, group: 0xff }
    }

    /// Of a lab with scripted hosts: 127.N.0.0/16, all of it this computer's own.
    pub fn of_loopback(n: u8) -> Self {
        Self { first: Ipv4Addr::new(127, n, 0, 0), last: 65_000, group: 0x7f00 + u16::from(n) }
    }

    /// The IPv4 address of a number.
    pub(crate) fn v4(self, number: u16) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.first).saturating_add(u32::from(number)))
    }

    /// The first address of the IPv6 /64 of a number.
    pub(crate) fn v6(self, number: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, self.group, number, 0, 0, 0, 0)
    }
}

/// Which numbers are taken, over all projects of a lab. Clones are the same pool.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) block: Block,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    v4: BTreeSet<u16>,
    v6: BTreeSet<u16>,
}

impl Taken {
    fn of(&mut self, family: Family) -> &mut BTreeSet<u16> {
        match family {
            Family::Ipv4 => &mut self.v4,
            Family::Ipv6 => &mut self.v6,
        }
    }
}

impl Pool {
    pub(crate) fn new(block: Block) -> Self {
        Self { block, taken: Arc::default() }
    }

    /// Takes the next free number from the wished one on, in a circle: whoever wishes for ever larger numbers gets
    /// the one freed longest ago, as a server's old address should not turn up at its successor.
    pub(crate) fn take(&self, family: Family, wished: u64) -> Option<u16> {
        let mut taken = self.taken();
        let taken = taken.of(family);
        let count = u64::from(self.block.last) - 1;
        let number = |i: u64| u16::try_from((wished + i) % count + 2).ok();
        let free = (0..count).filter_map(number).find(|number| !taken.contains(number))?;
        taken.insert(free);
        Some(free)
    }

    /// Marks a number that was taken before.
    pub(crate) fn mark(&self, family: Family, number: u16) {
        self.taken().of(family).insert(number);
    }

    /// Gives a number back.
    pub(crate) fn free(&self, family: Family, number: u16) {
        self.taken().of(family).remove(&number);
    }

    /// Whether a number is left.
    pub(crate) fn has(&self, family: Family) -> bool {
        self.taken().of(family).len() < usize::from(self.block.last) - 1
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round_and_none_is_given_twice() {
        let pool = Pool::new(Block::of_slot(3));
        assert_eq!(pool.take(Family::Ipv4, 0), Some(2));
        assert_eq!(pool.take(Family::Ipv4, 0), Some(3));
        assert_eq!(pool.take(Family::Ipv4, 248), Some(250));
        assert_eq!(pool.take(Family::Ipv4, 248), Some(4));
        assert_eq!((5..250).filter_map(|n| pool.take(Family::Ipv4, n - 2)).count(), 245);
        assert!(!pool.has(Family::Ipv4) && pool.has(Family::Ipv6));
        assert_eq!(pool.take(Family::Ipv4, 7), None);
        pool.free(Family::Ipv4, 9);
        assert_eq!(pool.take(Family::Ipv4, 100), Some(9));
    }

    #[test]
    fn a_number_is_an_address_of_each_family() {
        let block = Block::of_slot(3);
        assert_eq!(block.v4(26).to_string(), "198.18.3.26");
        assert_eq!(block.v6(26).to_string(), "2001:db8:3:1a::");
        assert_eq!(Block::of_api().v4(49_000).to_string(), "198.18.255.104");
        assert_eq!(Block::of_loopback(70).v4(258).to_string(), "127.70.1.2");
    }
}
