//! What a gateway may do, and for whom: typed, checked as a whole, and without a secret in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use channel::{Channel, ChannelKind};
pub use dashboard::Dashboard;
pub use egress::{Destination, Egress};
pub use enacted::{Enacted, Enactment, Policies};
pub use provider::{ModelName, Provider};
pub use sender::{Rights, Sender, Whose};
pub use source::Source;

use crate::model::refusal::Refusal;

mod channel;
mod dashboard;
mod egress;
mod enacted;
mod provider;
mod sender;
mod source;

/// The place of the secret that only Caddy needs, and of which a server has no more than a hash.
pub const DASHBOARD_PASSWORD: &str = "/dashboard/password";

/// What programs run in, as OpenClaw and podman call it; the server makes it itself.
pub const SANDBOX_IMAGE: &str = "localhost/openclaw-sandbox:trixie";

/// `[policy]`. What it leaves out stays as it is at a gateway's birth, or as its user has set it there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Who may give the gateway's own commands in a chat.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Sender>,
    /// What the conversations of different people share: nothing, whatever is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
    /// The model that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// The models that answer where that one does not, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<ModelName>,
    /// More models that may be chosen; all others may not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelName>,
    /// Whether there is a sandbox on the server, without a network and without the gateway's state, in which programs run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
    /// Which tools there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Profile>,
    /// Tools that there are not, beside those that no gateway of ours has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny_tools: Vec<String>,
    /// The bundled skills that the model sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
    /// What the tools may do for whom. Where owners are named and nothing is said here: everything for them, reading for others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub senders: BTreeMap<Whose, Rights>,
    /// Where models are asked, by OpenClaw's name for it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<String, Provider>,
    /// Where people write.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<ChannelKind, Channel>,
    /// To whom its page opens.
    #[serde(skip_serializing_if = "Dashboard::is_empty")]
    pub dashboard: Dashboard,
    /// Where it may connect to; everywhere, unless this says no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<Egress>,
}

/// What the conversations of different people share. OpenClaw's own default, one conversation for all, is not among these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sessions {
    /// A conversation for each person.
    PerPeer,
    /// A conversation for each person on each channel.
    PerChannelPeer,
    /// The same, and for each account of ours there.
    PerAccountChannelPeer,
}

/// Which tools there are. OpenClaw's `full`, which is all that there are, is not among these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Hardly any.
    Minimal,
    /// What it takes to talk.
    Messaging,
    /// The same, files and programs: only in a sandbox.
    Coding,
}

impl Policy {
    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sees that it can be meant.
    ///
    /// # Errors
    /// [`Refusal`] that names what contradicts what.
    pub fn check(&self) -> Result<(), Refusal> {
        for (name, provider) in &self.providers {
            provider.check(name)?;
            if self.destinations().is_some() {
                provider.check_way(name)?;
            }
        }
        let unknown = self.all_models().find(|model| !self.providers.contains_key(model.provider()));
        if let Some(model) = unknown {
            let provider = model.provider();
            let hint = format!("add [policy.providers.{provider}], with its key");
            return Err(Refusal::new(
                format!("{model} is to be asked of {provider}, of which nothing is said"),
                hint,
            ));
        }
        for (kind, channel) in &self.channels {
            channel.check(*kind)?;
        }
        self.dashboard.check()?;
        if self.runs_programs() && !self.sandbox {
            return Err(Refusal::new(
                "the tools \"coding\" run programs, and there is no sandbox for them",
                "add `sandbox = true` to the policy, or leave `tools` at \"messaging\"",
            ));
        }
        let mut whom = self.senders.keys().filter_map(Whose::sender).chain(&self.owners);
        match whom.find(|sender| !self.channels.contains_key(&sender.channel)) {
            Some(sender) => {
                let hint = format!("add [policy.channels.{}]", sender.channel);
                Err(Refusal::new(format!("{sender} writes on a channel that is not there"), hint))
            }
            None => Ok(()),
        }
    }

    /// Whether programs run for who may use tools.
    pub fn runs_programs(&self) -> bool {
        self.tools == Some(Profile::Coding)
    }

    /// Every model that may answer, the first one first, each once.
    pub fn all_models(&self) -> impl Iterator<Item = &ModelName> {
        let all: Vec<&ModelName> = self.model.iter().chain(&self.fallbacks).chain(&self.models).collect();
        let first = |(place, model): &(usize, &ModelName)| {
            all.iter().position(|other| other == model) == Some(*place)
        };
        let once: Vec<&ModelName> =
            all.iter().copied().enumerate().filter(first).map(|(_, model)| model).collect();
        once.into_iter()
    }

    /// Every secret that it needs: its place in the server's file for the gateway, or [`DASHBOARD_PASSWORD`], and where it comes
    /// from.
    pub fn secrets(&self) -> impl Iterator<Item = (String, &Source)> {
        let models = self
            .providers
            .iter()
            .filter_map(|(name, provider)| Some((format!("/model/{name}"), provider.key.as_ref()?)));
        let channels =
            self.channels.iter().map(|(kind, channel)| (format!("/channel/{kind}"), &channel.token));
        let password = self.dashboard.password.iter().map(|source| (DASHBOARD_PASSWORD.to_owned(), source));
        models.chain(channels).chain(password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(toml: &str) -> Policy {
        toml::from_str(toml).unwrap()
    }

    fn refused(toml: &str) -> String {
        let refusal = policy(toml).check().unwrap_err();
        format!("{refusal}; {}", refusal.hint())
    }

    const WHOLE: &str = r#"
        owners = ["telegram:111"]
        sessions = "per-peer"
        model = "anthropic/claude-sonnet-4-5"
        fallbacks = ["local/small"]
        models = ["anthropic/claude-opus-4-6", "local/small"]
        sandbox = true
        tools = "coding"
        deny_tools = ["web_fetch"]
        skills = ["weather"]
        senders = { "telegram:222" = "none", "*" = "read-only" }
        providers.anthropic = { key = "env:ANTHROPIC_API_KEY" }
        providers.local = { url = "http://127.0.0.1:8080/v1", api = "openai-completions" }
        [channels.telegram]
        token = "file:telegram.token"
        allow = ["111", "222"]
        deny = ["222"]
        groups = ["-100500"]
        "#;

    #[test]
    fn a_policy_is_read_and_written_without_loss() {
        let whole = policy(WHOLE);
        whole.check().unwrap();
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), whole);
        assert_eq!(serde_json::to_string(&Policy::default()).unwrap(), "{}");
        let models: Vec<String> = whole.all_models().map(ToString::to_string).collect();
        assert_eq!(models, ["anthropic/claude-sonnet-4-5", "local/small", "anthropic/claude-opus-4-6"]);
        let secrets: Vec<String> =
            whole.secrets().map(|(place, source)| format!("{place} {source}")).collect();
        assert_eq!(
            secrets,
            ["/model/anthropic env:ANTHROPIC_API_KEY", "/channel/telegram file:telegram.token"]
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_what_would_help() {
        for (toml, said) in [
            (
                "model = 'anthropic/x'",
                "anthropic/x is to be asked of anthropic, of which nothing is said; add [policy.providers.anthropic], with its key",
            ),
            ("providers.anthropic = {}", "anthropic is not asked without a key; give"),
            ("providers.mine = {}", "nobody knows where mine is; give"),
            (
                "owners = ['telegram:1']",
                "telegram:1 writes on a channel that is not there; add [policy.channels.telegram]",
            ),
            (
                "channels.telegram = { token = 'env:T', allow = ['*'], deny = ['1'] }",
                "everybody may write on telegram, and some may not; ",
            ),
            (
                "channels.telegram = { token = 'env:T', allow = ['1', '*'] }",
                "everybody may write on telegram, and some are named; ",
            ),
            (
                "tools = 'coding'",
                "the tools \"coding\" run programs, and there is no sandbox for them; add `sandbox = true`",
            ),
        ] {
            let refusal = refused(toml);
            assert!(refusal.starts_with(said), "{toml}: {refusal}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_not_read() {
        for (toml, said) in [
            ("model = 'sonnet'", "PROVIDER/MODEL"),
            ("owners = ['111']", "CHANNEL:ID"),
            ("owners = ['irc:111']", "telegram"),
            ("sessions = 'main'", "unknown variant `main`"),
            ("tools = 'full'", "unknown variant `full`"),
            ("modle = 'a/b'", "unknown field `modle`"),
            ("channels.telegram = { allow = ['1'] }", "missing field `token`"),
        ] {
            let error = toml::from_str::<Policy>(toml).unwrap_err().to_string();
            assert!(error.contains(said), "{toml}: {error}");
        }
    }

    #[test]
    fn a_secret_itself_is_refused_and_not_repeated() {
        let error = toml::from_str::<Policy>("providers.anthropic = { key = 'sk-ant-123' }").unwrap_err();
        assert!(error.message().starts_with("a secret does not belong in this file"), "{error}");
        assert!(!error.message().contains("sk-ant"), "{error}");
    }
}
