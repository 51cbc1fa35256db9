//! A policy, as its server takes it: in parts, each an "ensure", which go on when the session breaks.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::model::fleet::OpId;
use crate::render;
use crate::secret::Secret;
use crate::ssh::Command;

/// Longest wait for packages, and for what is made of them: in seconds.
const LAY: u64 = 1800;

/// A part of bringing a policy to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The release is asked whether it knows all of it; then it holds, and the gateway is started anew.
    Enact,
    /// How the gateway does since then, seen from its own server.
    Look,
    /// It stays.
    Confirm,
    /// What was before comes back.
    Repeal,
}

impl Part {
    /// Runs the part to its end. What is to hold, [`asked`], is its standard input.
    ///
    /// # Errors
    /// Never in practice: the script has no context.
    pub fn command(self, id: &OpId) -> Result<Command> {
        Ok(Command::new("sh").args(["-c", &render::policy()?, "sh", self.name(), id.as_str()]))
    }

    /// Longest wait for its end. Another change of the server may have to be waited for first, for 900 s at most.
    pub fn limit(self) -> Duration {
        Duration::from_secs(match self {
            // what it takes of packages, the release's own check, the drain, the start; and the same once more, back
            Self::Enact => 900 + LAY + 2 * (345 + 300) + 120,
            Self::Repeal => 900 + LAY + 345 + 300,
            Self::Confirm => 960,
            Self::Look => 60,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Enact => "enact",
            Self::Look => "look",
            Self::Confirm => "confirm",
            Self::Repeal => "repeal",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Enact => "bringing the policy",
            Self::Look => "watching the gateway",
            Self::Confirm => "confirming the policy",
            Self::Repeal => "taking the policy back",
        })
    }
}

/// What [`Part::Enact`] reads: a patch of OpenClaw's configuration, the files that are laid beside it by their names, and every
/// secret of the gateway by its place, such as `/model/anthropic`.
pub fn asked<'a>(
    patch: &Value,
    laid: &BTreeMap<&str, String>,
    secrets: impl IntoIterator<Item = (&'a str, &'a Secret)>,
) -> Secret {
    let mut parts = Map::from_iter([("model".to_owned(), json!({})), ("channel".to_owned(), json!({}))]);
    for (place, secret) in secrets {
        if let Some((part, name)) = place.trim_start_matches('/').split_once('/')
            && let Some(part) = parts.get_mut(part).and_then(Value::as_object_mut)
        {
            part.insert(name.to_owned(), Value::String(secret.expose().to_owned()));
        }
    }
    Secret::new(json!({ "patch": patch, "laid": laid, "secrets": parts }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_one_command_that_a_server_can_take() {
        let command = Part::Enact.command(&OpId::from_bytes([0; 8])).unwrap().to_string();
        assert!(command.starts_with("sh -c '# Brings a policy"), "{command}");
        assert!(command.ends_with("' sh enact aaaaaaaa"), "{command}");
        // Linux takes 128 KiB in one argument, and sshd makes one of it
        assert!(command.len() < 64 << 10, "{} bytes", command.len());
    }

    #[test]
    fn secrets_lie_where_the_configuration_looks_for_them() {
        let (key, token) = (Secret::new("k"), Secret::new("t"));
        let laid = BTreeMap::from([("a.nft", "x".to_owned())]);
        let asked = asked(&json!({}), &laid, [("/model/openai", &key), ("/channel/telegram", &token)]);
        let said: Value = serde_json::from_str(asked.expose()).unwrap();
        let secrets = json!({ "model": { "openai": "k" }, "channel": { "telegram": "t" } });
        assert_eq!(said, json!({ "patch": {}, "laid": { "a.nft": "x" }, "secrets": secrets }));
    }
}
