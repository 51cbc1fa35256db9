//! One damage at a time, the same in each run.

use super::Laid;

/// Numbers that depend on nothing but their seed: splitmix64 (<https://prng.di.unimi.it/splitmix64.c>).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One bit of any byte from `start` on; what was done, and the result.
    pub(super) fn flip(&mut self, bytes: &[u8], start: usize) -> (String, Vec<u8>) {
        let among = u64::try_from(bytes.len() - start).unwrap();
        let byte = start + usize::try_from(self.next() % among).unwrap();
        self.flip_in(bytes, byte)
    }

    /// One bit of this byte.
    pub(super) fn flip_in(&mut self, bytes: &[u8], byte: usize) -> (String, Vec<u8>) {
        let bit = self.next() % 8;
        let mut damaged = bytes.to_vec();
        damaged[byte] ^= 1 << bit;
        let what = format!("bit {bit} of byte {byte}, {:#04x} -> {:#04x}", bytes[byte], damaged[byte]);
        (what, damaged)
    }
}

/// The size of a database's pages, from its header.
pub(super) fn page_size(file: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([file[16], file[17]]))
}

/// These bytes as a state file, perhaps with its journal.
pub(super) fn laid(file: &[u8], journal: Option<&[u8]>) -> Laid {
    let laid = Laid { dir: tempfile::tempdir().unwrap() };
    laid.write("", file);
    if let Some(journal) = journal {
        laid.write("-wal", journal);
    }
    laid
}
