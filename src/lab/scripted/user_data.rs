//! User data as cloud-init takes it, and what a host reads in it.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use ssh_key::PrivateKey;

/// The most that user data unpacks to: Hetzner takes 32 KiB, and gzip makes text about a tenth.
const MOST: u64 = 1 << 20;

/// The first line of a cloud-config.
const CLOUD_CONFIG: &str = "#cloud-config";

/// The user data as text: base64 and gzip taken off, as cloud-init does.
///
/// # Errors
/// What is no gzip below base64, or no text.
pub(super) fn text(given: &str) -> Result<String> {
    let bytes = match BASE64_STANDARD.decode(given.split_whitespace().collect::<String>()) {
        Ok(bytes) => bytes,
        Err(_) => given.as_bytes().to_vec(),
    };
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return String::from_utf8(bytes).context("the user data is no text");
    }
    let mut text = String::new();
    let read = MultiGzDecoder::new(bytes.as_slice()).take(MOST).read_to_string(&mut text);
    read.context("the user data is no gzip of a text")?;
    Ok(text)
}

/// The host key that a cloud-config brings; `None` where it brings none, or is none: then the host makes one.
///
/// # Errors
/// YAML that cannot be read, a key that is none.
pub(super) fn host_key(text: &str) -> Result<Option<PrivateKey>> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        ssh_keys: Keys,
    }
    #[derive(Default, Deserialize)]
    struct Keys {
        ed25519_private: Option<String>,
    }
    if !text.starts_with(CLOUD_CONFIG) {
        return Ok(None);
    }
    let config: Config = serde_saphyr::from_str(text).context("the cloud-config is no YAML")?;
    let key = config.ssh_keys.ed25519_private;
    key.map(|key| PrivateKey::from_openssh(key).context("ed25519_private is no OpenSSH key")).transpose()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ssh_key::{Algorithm, LineEnding};

    use super::*;

    #[test]
    fn base64_and_gzip_are_taken_off() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(b"#cloud-config\n").unwrap();
        let gzip = BASE64_STANDARD.encode(gzip.finish().unwrap());
        for given in ["#cloud-config\n", "I2Nsb3VkLWNvbmZpZwo=", "I2Nsb3VkLW\nNvbmZpZwo=\n", &gzip] {
            assert_eq!(text(given).unwrap(), "#cloud-config\n", "{given}");
        }
        assert!(text(&BASE64_STANDARD.encode([0x1f, 0x8b, 0])).is_err());
    }

    #[test]
    fn the_host_key_is_the_one_that_was_injected() {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let pem = key.to_openssh(LineEnding::LF).unwrap();
        let pem: String = pem.lines().map(|line| format!("    {line}\n")).collect();
        let config =
            format!("#cloud-config\nssh_keys:\n  ed25519_private: |\n{pem}  ed25519_public: x\nusers: []\n");
        let found = host_key(&config).unwrap().unwrap();
        assert_eq!(found.public_key().key_data(), key.public_key().key_data());
        assert!(host_key("#cloud-config\npackages: [a]\n").unwrap().is_none());
        assert!(host_key("#!/bin/sh\nssh_keys: [\n").unwrap().is_none());
        assert!(host_key("#cloud-config\nssh_keys: [\n").is_err());
        assert!(host_key("#cloud-config\nssh_keys: {ed25519_private: x}\n").is_err());
    }
}
