use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Destination, Source};
use crate::model::invalid::Invalid;
use crate::model::refusal::Refusal;

/// Providers that OpenClaw knows, and that want a key.
const KEYED: [&str; 4] = ["anthropic", "google", "openai", "openrouter"];
/// Where OpenClaw asks each of them.
const HOSTS: [&str; 4] =
    ["api.anthropic.com", "generativelanguage.googleapis.com", "api.openai.com", "openrouter.ai"];

/// Where models are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    /// The key; one's own server may do without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Source>,
    /// Where it is, unless OpenClaw knows that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How it is spoken to, unless OpenClaw knows that: `openai-completions`, `anthropic-messages`, `ollama`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
}

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// Anthropic's messages.
    AnthropicMessages,
    /// Ollama's own.
    Ollama,
    /// OpenAI's completions, which most servers speak.
    OpenaiCompletions,
}

/// A model of a provider: `anthropic/claude-sonnet-4-5`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName {
    provider: String,
    id: String,
}

impl Provider {
    pub(super) fn check(&self, name: &str) -> Result<(), Refusal> {
        let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        if name.is_empty() || !is_plain(name) {
            return Err(Refusal::new(
                format!("{name:?} is no provider's name"),
                "name it with letters, digits and -, as OpenClaw does: anthropic",
            ));
        }
        let known = KEYED.contains(&name);
        if known && self.key.is_none() && self.url.is_none() {
            return Err(Refusal::new(
                format!("{name} is not asked without a key"),
                format!(
                    "give `key` in [policy.providers.{name}], like \"env:{}_API_KEY\"",
                    name.to_ascii_uppercase()
                ),
            ));
        }
        if !known && (self.url.is_none() || self.api.is_none()) {
            return Err(Refusal::new(
                format!("nobody knows where {name} is"),
                format!(
                    "give `url` and `api` in [policy.providers.{name}]; OpenClaw itself knows {}",
                    KEYED.join(", ")
                ),
            ));
        }
        match self.url.as_deref().filter(|url| !is_url(url)) {
            Some(url) => Err(Refusal::new(
                format!("{url:?} is not where a provider can be"),
                "write it as https://host/path; http:// only on the server itself, like http://127.0.0.1:11434",
            )),
            None => Ok(()),
        }
    }

    /// Sees that it is reached where only some names may be, and they at one port.
    pub(super) fn check_way(&self, name: &str) -> Result<(), Refusal> {
        let Some(url) = &self.url else { return Ok(()) };
        match authority(url) {
            Some((host, _)) if is_own(host) => Ok(()),
            Some((_, port)) if port != 443 => Err(Refusal::new(
                format!("{name} is asked at port {port}, and only 443 is open on the way out"),
                "let it listen on 443, or leave `egress` out",
            )),
            Some((host, _)) if host.parse::<Destination>().is_ok() => Ok(()),
            Some(_) | None => Err(Refusal::new(
                format!("{name} is not asked by a name, and only names are let through on the way out"),
                "give it a name, or leave `egress` out",
            )),
        }
    }

    /// The name at which it is asked; none: on the server itself.
    pub(super) fn destination(&self, name: &str) -> Option<Destination> {
        let known = || KEYED.iter().zip(HOSTS).find(|(known, _)| **known == name).map(|(_, host)| host);
        let host = match &self.url {
            Some(url) => authority(url).map(|(host, _)| host).filter(|host| !is_own(host)),
            None => known(),
        };
        host?.parse().ok()
    }
}

/// Host and port of a URL that [`is_url`].
fn authority(url: &str) -> Option<(&str, u16)> {
    let (rest, usual) = match url.strip_prefix("https://") {
        Some(rest) => (rest, 443),
        None => (url.strip_prefix("http://")?, 80),
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => Some((host, port.parse().ok()?)),
        None => Some((authority, usual)),
    }
}

fn is_own(host: &str) -> bool {
    host == "127.0.0.1" || host == "localhost"
}

/// Encrypted, or on the server itself: a key and what people say would pass in the clear.
fn is_url(text: &str) -> bool {
    let host = |rest: &str| {
        let host: String = rest.chars().take_while(|c| !"/:?#".contains(*c)).collect();
        (!host.is_empty() && text.chars().all(|c| c.is_ascii_graphic())).then_some(host)
    };
    match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => host(rest).is_some(),
        (None, Some(rest)) => host(rest).is_some_and(|host| is_own(&host)),
        (None, None) => false,
    }
}

impl Api {
    /// As OpenClaw calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic-messages",
            Self::Ollama => "ollama",
            Self::OpenaiCompletions => "openai-completions",
        }
    }
}

impl ModelName {
    /// Who is asked.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// For what, in the provider's own words.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl FromStr for ModelName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let whole = |(provider, id): &(&str, &str)| {
            !provider.is_empty()
                && !id.is_empty()
                && text.chars().all(|c| c.is_ascii_graphic() && !"\"'\\*".contains(c))
        };
        match text.split_once('/').filter(whole) {
            Some((provider, id)) => Ok(Self { provider: provider.to_owned(), id: id.to_owned() }),
            None => {
                Err(Invalid::new("model", text, "it is PROVIDER/MODEL, like anthropic/claude-sonnet-4-5"))
            }
        }
    }
}

impl TryFrom<String> for ModelName {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::is_url;

    #[test]
    fn what_is_said_passes_in_the_clear_only_on_the_server_itself() {
        for good in ["https://llm.example/v1", "http://127.0.0.1:11434", "http://localhost/v1"] {
            assert!(is_url(good), "{good}");
        }
        for bad in ["http://llm.example/v1", "llm.example", "https://", "http://127.0.0.1.example", "ftp://x"]
        {
            assert!(!is_url(bad), "{bad}");
        }
    }
}
