//! How a key in an ssh-agent is named.

use std::fmt;
use std::str::FromStr;

use super::refusal::Refusal;

/// `agent:SHA256:…`, or `agent:` and its comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyName {
    /// As OpenSSH shows it.
    Fingerprint(String),
    /// What the agent calls it.
    Comment(String),
}

impl KeyName {
    /// Whether this is the key's name.
    pub fn means(&self, fingerprint: &str, comment: &str) -> bool {
        match self {
            Self::Fingerprint(name) => name == fingerprint,
            Self::Comment(name) => name == comment,
        }
    }
}

impl FromStr for KeyName {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text.strip_prefix("agent:") {
            Some(print) if print.starts_with("SHA256:") => Ok(Self::Fingerprint(print.to_owned())),
            Some(comment) if !comment.is_empty() => Ok(Self::Comment(comment.to_owned())),
            Some(_) | None => {
                let hint =
                    "write \"agent:SHA256:…\" or \"agent:COMMENT\"; `ssh-add -l` shows both of each key";
                let why = "it names a key in an ssh-agent; a key in a file is the fleet's own without this";
                Err(Refusal::new(format!("ssh_key is not usable: {text:?}"), hint).because(why))
            }
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(name) | Self::Comment(name) => write!(f, "agent:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_fingerprint_or_its_comment() {
        let (print, comment): (KeyName, KeyName) =
            ("agent:SHA256:abc".parse().unwrap(), "agent:carol@desk".parse().unwrap());
        assert!(print.means("SHA256:abc", "") && !print.means("SHA256:abcd", "SHA256:abc"));
        assert!(comment.means("SHA256:abc", "carol@desk") && !comment.means("carol@desk", ""));
        assert_eq!(comment.to_string(), "agent:carol@desk");
        for wrong in ["", "agent:", "~/.ssh/id_ed25519", "SHA256:abc"] {
            assert!(wrong.parse::<KeyName>().is_err(), "{wrong}");
        }
    }
}
