//! The versions of Node that a mirror of its distribution has.

use std::time::Duration;

use serde::Deserialize;

use super::ReleaseError;
use crate::model::release::{Engines, NodeVersion};

/// `index.json` of a Node distribution.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Index(Vec<Entry>);

#[derive(Debug, Deserialize)]
struct Entry {
    version: NodeVersion,
    lts: Lts,
}

/// `false`, or the name of the long-term support line.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Lts {
    No(bool),
    Name(String),
}

impl Entry {
    fn is_lts(&self) -> bool {
        match &self.lts {
            Lts::No(flag) => *flag,
            Lts::Name(name) => !name.is_empty(),
        }
    }
}

impl Index {
    pub(super) async fn fetch(mirror: &str, http: &reqwest::Client) -> Result<Self, ReleaseError> {
        let fetch = async {
            let request = http.get(format!("{mirror}/index.json")).timeout(Duration::from_secs(30));
            request.send().await?.error_for_status()?.json().await
        };
        fetch.await.map_err(|source| ReleaseError::Unreachable { what: "Node mirror", source })
    }

    /// The newest version that is accepted; one with long-term support before any other.
    pub(super) fn newest(&self, engines: &Engines) -> Option<NodeVersion> {
        let accepted = self.0.iter().filter(|entry| engines.accept(entry.version));
        accepted.max_by_key(|entry| (entry.is_lts(), entry.version)).map(|entry| entry.version)
    }
}

#[cfg(test)]
mod tests {
    use super::Index;

    #[test]
    fn prefers_long_term_support_to_a_higher_number() {
        let index: Index = serde_json::from_str(
            r#"[{"version":"v26.10.0","date":"2026-09-01","lts":false,"files":["linux-x64"]},
                {"version":"v24.21.0","lts":"Krypton"},{"version":"v24.9.0","lts":"Krypton"},
                {"version":"v22.22.3","lts":"Jod"}]"#,
        )
        .unwrap();
        let newest =
            |engines: &str| index.newest(&engines.parse().unwrap()).map(|version| version.to_string());
        assert_eq!(newest(">=24.16.0 <25 || >=26.1.0").unwrap(), "24.21.0");
        assert_eq!(newest(">=22.12.0 <23").unwrap(), "22.22.3");
        assert_eq!(newest(">=25").unwrap(), "26.10.0");
        assert_eq!(newest(">=27"), None);
    }
}
