//! Samples, and what can happen to them.

use proptest::prelude::*;
use proptest::test_runner::Config;

/// How many damaged samples a test tries; more with `PROPTEST_CASES`.
const CASES: u32 = 256;

/// What parsers trip over.
const NASTY: [&str; 25] = [
    "",
    "\0",
    "\u{1b}[2J",
    "\r\n",
    "=",
    "==",
    "\"",
    "{",
    "}",
    "[]",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775808",
    "NaN",
    "\u{202e}",
    "ß",
    "💥",
    "..",
    "%s",
    "</p><script>",
];

/// One thing that happens to a sample; places are shares of its length, in 65,536ths.
#[derive(Clone, Debug)]
enum Damage {
    /// It ends here.
    Cut(u16),
    /// This much is missing here.
    Lose(u16, u8),
    /// This much is there twice.
    Repeat(u16, u8),
    /// This stands between.
    Insert(u16, Vec<u8>),
    /// This stands there instead of as much.
    Replace(u16, Vec<u8>),
}

/// A sample to which up to four things happened.
pub(super) fn damaged(samples: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let sample = proptest::sample::select(samples);
    (sample, proptest::collection::vec(damage(), 0..5)).prop_map(|(sample, damages)| {
        damages.into_iter().fold(sample.as_bytes().to_vec(), |bytes, damage| damage.done_to(bytes))
    })
}

/// As many tries as were asked for, and no file of failures: the smallest one is printed.
pub(super) fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    Config { cases, failure_persistence: None, ..Config::default() }
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop_oneof![
        proptest::sample::select(NASTY.as_slice()).prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    prop_oneof![
        any::<u16>().prop_map(Damage::Cut),
        (any::<u16>(), any::<u8>()).prop_map(|(at, length)| Damage::Lose(at, length)),
        (any::<u16>(), any::<u8>()).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (any::<u16>(), bytes.clone()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<u16>(), bytes).prop_map(|(at, bytes)| Damage::Replace(at, bytes)),
    ]
}

impl Damage {
    fn done_to(self, mut bytes: Vec<u8>) -> Vec<u8> {
        let place = |at: u16| bytes.len() * usize::from(at) / 65_536;
        let end = |start: usize, length: usize| bytes.len().min(start + length);
        match self {
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Lose(at, length) => {
                let (start, end) = (place(at), end(place(at), length.into()));
                bytes.drain(start..end);
            }
            Self::Repeat(at, length) => {
                let (start, end) = (place(at), end(place(at), length.into()));
                bytes.extend_from_within(start..end);
                bytes[start..].rotate_right(end - start);
            }
            Self::Insert(at, new) => {
                let start = place(at);
                bytes.splice(start..start, new);
            }
            Self::Replace(at, new) => {
                let (start, end) = (place(at), end(place(at), new.len()));
                bytes.splice(start..end, new);
            }
        }
        bytes
    }
}
