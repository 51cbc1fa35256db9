//! The addresses that servers get: `198.18.S.N` and `2001:db8:S:N::/64`.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// The numbers `N` that are free in a lab's slot `S`; the one freed longest ago is given first, as a server's old
/// address should not turn up at its successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addresses {
    v4: VecDeque<u8>,
    v6: VecDeque<u8>,
}

impl Addresses {
    pub(crate) fn new() -> Self {
        Self { v4: (2..=250).collect(), v6: (2..=250).collect() }
    }

    /// The next number for an IPv4 address.
    pub(crate) fn take_v4(&mut self) -> Option<u8> {
        self.v4.pop_front()
    }

    /// A number for an IPv6 network, the wished one if it is free.
    pub(crate) fn take_v6(&mut self, wished: Option<u8>) -> Option<u8> {
        match self.v6.iter().position(|n| Some(*n) == wished) {
            Some(place) => self.v6.remove(place),
            None => self.v6.pop_front(),
        }
    }

    pub(crate) fn has_v4(&self) -> bool {
        !self.v4.is_empty()
    }

    pub(crate) fn has_v6(&self) -> bool {
        !self.v6.is_empty()
    }

    /// Gives a number of an IPv4 address back.
    pub(crate) fn free_v4(&mut self, number: u8) {
        self.v4.push_back(number);
    }

    /// Gives a number of an IPv6 network back.
    pub(crate) fn free_v6(&mut self, number: u8) {
        self.v6.push_back(number);
    }
}

/// The IPv4 address of a number in a slot.
pub(crate) fn v4(slot: u8, number: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, slot, number)
}

/// The first address of the IPv6 /64 of a number in a slot.
pub(crate) fn v6(slot: u8, number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, u16::from(slot), u16::from(number), 0, 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_address_comes_back_last() {
        let mut addresses = Addresses::new();
        assert_eq!(addresses.take_v4(), Some(2));
        addresses.free_v4(2);
        let rest: Vec<u8> = std::iter::from_fn(|| addresses.take_v4()).collect();
        assert_eq!(rest, (3..=250).chain([2]).collect::<Vec<u8>>());
        assert_eq!(addresses.take_v4(), None);
    }

    #[test]
    fn both_families_share_a_number_where_they_can() {
        let mut addresses = Addresses::new();
        assert_eq!(addresses.take_v6(Some(7)), Some(7));
        assert_eq!(addresses.take_v6(Some(7)), Some(2));
        assert_eq!(v4(3, 26).to_string(), "198.18.3.26");
        assert_eq!(v6(3, 26).to_string(), "2001:db8:3:1a::");
    }
}
