use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Policy;
use crate::model::invalid::Invalid;

/// Where the gateway may connect to, beyond its own server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Said", into = "Said")]
pub enum Egress {
    /// `"all"`: everywhere.
    All,
    /// `"models-only"`: where the policy's models are asked and its people write.
    ModelsOnly,
    /// The same, and these.
    And(Vec<Destination>),
}

/// A name to which connections may be made: `api.example.org`, or all names below one: `*.example.org`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination(String);

/// As it is written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "egress is \"all\", \"models-only\" or a list of names, like [\"api.example.org\"]"
)]
enum Said {
    Word(String),
    List(Vec<String>),
}

impl Policy {
    /// The only names to which the gateway may connect, in order; none: it may connect to all.
    pub fn destinations(&self) -> Option<Vec<Destination>> {
        let more = match self.egress.as_ref()? {
            Egress::All => return None,
            Egress::ModelsOnly => &[],
            Egress::And(more) => more.as_slice(),
        };
        let providers = self.providers.iter().filter_map(|(name, provider)| provider.destination(name));
        let channels = self.channels.keys().map(|kind| Destination(kind.host().to_owned()));
        let mut all: Vec<Destination> = providers.chain(channels).chain(more.iter().cloned()).collect();
        all.sort();
        all.dedup();
        Some(all)
    }
}

impl FromStr for Destination {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let lower = text.to_ascii_lowercase();
        let labels: Vec<&str> = lower.strip_prefix("*.").unwrap_or(&lower).split('.').collect();
        let is_label = |label: &&str| {
            !label.is_empty()
                && label.len() < 64
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        // the last label of a name is no number: that is an address
        let is_name = labels.last().is_some_and(|last| last.chars().any(|c| c.is_ascii_alphabetic()));
        match labels.len() > 1 && lower.len() < 254 && is_name && labels.iter().all(is_label) {
            true => Ok(Self(lower)),
            false => Err(Invalid::new(
                "destination",
                text,
                "it is a name alone, like api.example.org, or *.example.org for all below it; its port is 443",
            )),
        }
    }
}

impl TryFrom<Said> for Egress {
    type Error = Invalid;

    fn try_from(said: Said) -> Result<Self, Invalid> {
        match said {
            Said::Word(word) if word == "all" => Ok(Self::All),
            Said::Word(word) if word == "models-only" => Ok(Self::ModelsOnly),
            Said::Word(word) => {
                Err(Invalid::new("egress", &word, "it is \"all\", \"models-only\" or a list of names"))
            }
            Said::List(list) => list.iter().map(|name| name.parse()).collect::<Result<_, _>>().map(Self::And),
        }
    }
}

impl From<Egress> for Said {
    fn from(egress: Egress) -> Self {
        match egress {
            Egress::All => Self::Word("all".to_owned()),
            Egress::ModelsOnly => Self::Word("models-only".to_owned()),
            Egress::And(list) => Self::List(list.into_iter().map(String::from).collect()),
        }
    }
}

impl TryFrom<String> for Destination {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.0
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(toml: &str) -> Option<Vec<String>> {
        let policy: Policy = toml::from_str(toml).unwrap();
        policy.check().unwrap();
        Some(policy.destinations()?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nothing_is_closed_unless_it_is_said() {
        assert_eq!(allowed(""), None);
        assert_eq!(allowed("egress = 'all'"), None);
        assert_eq!(allowed("egress = 'models-only'"), Some(vec![]));
    }

    #[test]
    fn models_and_people_are_reached_whatever_is_closed() {
        let with = "
            providers.anthropic.key = 'env:A'
            providers.openai = { key = 'env:O', url = 'https://LLM.example:443/v1' }
            providers.local = { url = 'http://127.0.0.1:11434', api = 'ollama' }
            channels.telegram.token = 'env:T'
            ";
        let theirs = ["api.anthropic.com", "api.telegram.org", "llm.example"];
        assert_eq!(allowed(&format!("egress = 'models-only'\n{with}")).unwrap(), theirs);
        let more = allowed(&format!("egress = ['*.Example.org', 'api.telegram.org']\n{with}")).unwrap();
        assert_eq!(more, ["*.example.org", "api.anthropic.com", "api.telegram.org", "llm.example"]);
        assert_eq!(allowed("egress = ['a.example']").unwrap(), ["a.example"]);
    }

    #[test]
    fn a_destination_is_a_name_and_nothing_else() {
        for bad in [
            "",
            "*",
            "*.",
            "*.*.example",
            "a.*.example",
            "example",
            "https://a.example",
            "a.example:443",
            "a.example/x",
            "a b.example",
            "198.51.100.7",
            "[2001:db8::1]",
            "a..example",
            "-a.example",
            "a.example\n*.org",
            "a.ex?mple",
            "a.[e]xample",
            "a.example.",
        ] {
            assert!(bad.parse::<Destination>().is_err(), "{bad:?}");
        }
        let error = toml::from_str::<Policy>("egress = 'none'").unwrap_err().to_string();
        assert!(error.contains("models-only"), "{error}");
        let error = toml::from_str::<Policy>("egress = ['10.0.0.1']").unwrap_err().to_string();
        assert!(error.contains("\"10.0.0.1\": it is a name alone"), "{error}");
        let error = toml::from_str::<Policy>("egress = 1").unwrap_err().to_string();
        assert!(error.contains("egress is \"all\", \"models-only\" or a list"), "{error}");
    }

    #[test]
    fn who_is_asked_at_another_port_is_not_reached_and_so_refused() {
        let refused = |url: &str| {
            let toml =
                format!("egress = 'models-only'\nproviders.mine = {{ url = '{url}', api = 'ollama' }}");
            toml::from_str::<Policy>(&toml).unwrap().check().map_err(|refusal| refusal.to_string())
        };
        assert_eq!(refused("https://llm.example/v1"), Ok(()));
        assert_eq!(refused("http://127.0.0.1:11434"), Ok(()));
        assert_eq!(refused("https://localhost:8443"), Ok(()));
        let error = refused("https://llm.example:8443/v1").unwrap_err();
        assert_eq!(error, "mine is asked at port 8443, and only 443 is open on the way out");
        let error = refused("https://[2001:db8::1]/v1").unwrap_err();
        assert_eq!(error, "mine is not asked by a name, and only names are let through on the way out");
    }
}
