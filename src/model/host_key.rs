//! Host keys: where a server's own lies, and how they stand on a label: the 32 bytes of an Ed25519 public key in lower-case base32, 52 characters.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Where a server's own host key lies: not where cloud-init and Debian would put one, so that neither brings back another.
pub const PLACE: &str = "/etc/ssh/clawberth_host_ed25519_key";
/// Where the one lies that is to take its place.
pub const NEXT: &str = "/etc/ssh/clawberth_next_host_ed25519_key";

/// The type of the keys that are injected.
const TYPE: &str = "ssh-ed25519";
/// How an Ed25519 public key begins on the wire: its type and the key's length, each behind four bytes of length.
const HEAD: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";
/// RFC 4648's base32, which has no characters that a label could not have.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Bytes of a key.
const LENGTH: usize = 32;

/// An OpenSSH public key as a label's value; none for other types of key.
pub fn to_label(public: &str) -> Option<String> {
    let mut words = public.split_whitespace();
    let (kind, text) = (words.next()?, words.next()?);
    let wire = BASE64_STANDARD.decode(text).ok()?;
    let key = wire.strip_prefix(HEAD).filter(|key| kind == TYPE && key.len() == LENGTH)?;
    Some(encode(key))
}

/// The OpenSSH public key that a label names.
pub fn from_label(label: &str) -> Option<String> {
    let key = decode(label).filter(|key| key.len() == LENGTH)?;
    // bits that belong to no byte must not make a second spelling of the same key
    let whole = encode(&key) == label;
    whole.then(|| format!("{TYPE} {}", BASE64_STANDARD.encode([HEAD, &key].concat())))
}

fn encode(bytes: &[u8]) -> String {
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1));
    let bits: Vec<u8> = bits.collect();
    let letter = |five: &[u8]| {
        let number = (0..5).fold(0_usize, |number, i| number << 1 | usize::from(*five.get(i).unwrap_or(&0)));
        ALPHABET.get(number).map(|letter| char::from(*letter))
    };
    bits.chunks(5).filter_map(letter).collect()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bits = Vec::new();
    for letter in text.bytes() {
        let number = ALPHABET.iter().position(|known| *known == letter)?;
        bits.extend((0..5).rev().map(|place| u8::from(number >> place & 1 == 1)));
    }
    Some(bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn a_key_is_52_letters_and_comes_back() {
        let label = to_label(&format!("{KEY} a comment")).unwrap();
        assert_eq!(label, "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq");
        assert_eq!(from_label(&label).unwrap(), KEY);
    }

    #[test]
    fn what_is_no_key_is_none() {
        for text in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgM"] {
            assert_eq!(to_label(text), None, "{text:?}");
        }
        let label = to_label(KEY).unwrap();
        for text in
            ["", "a", &label.to_uppercase(), &label.replace("aaaq", "aaq"), &label.replace("pq", "pr")]
        {
            assert_eq!(from_label(text), None, "{text:?}");
        }
    }
}
