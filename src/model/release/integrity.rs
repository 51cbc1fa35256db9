use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::Invalid;

/// The SHA-512 of a tarball, written as in npm's metadata: `sha512-` and 88 characters of base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Integrity([u8; 64]);

impl Integrity {
    /// The hash as `sha512sum` prints it.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromStr for Integrity {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let decode = |encoded: &str| <[u8; 64]>::try_from(BASE64_STANDARD.decode(encoded).ok()?).ok();
        text.strip_prefix("sha512-")
            .and_then(decode)
            .map(Self)
            .ok_or_else(|| Invalid::new("integrity", text, "it is not sha512- and the base64 of 64 bytes"))
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha512-{}", BASE64_STANDARD.encode(self.0))
    }
}

impl TryFrom<String> for Integrity {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Integrity> for String {
    fn from(integrity: Integrity) -> Self {
        integrity.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Integrity;

    /// SHA-512 of nothing, as npm and as `sha512sum` write it.
    const EMPTY: &str =
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";

    #[test]
    fn npm_and_sha512sum_mean_the_same_hash() {
        let integrity: Integrity = EMPTY.parse().unwrap();
        assert_eq!(integrity.to_string(), EMPTY);
        assert!(
            integrity.hex().starts_with("cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce")
        );
        assert_eq!(integrity.hex().len(), 128);
    }

    #[test]
    fn a_shorter_hash_is_refused() {
        for text in ["", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha512-AAAA", "sha512-%%"] {
            assert!(text.parse::<Integrity>().is_err(), "{text}");
        }
    }
}
