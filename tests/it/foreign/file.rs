//! The operator's file.

use clawberth::config::{Environment, FILE_NAME, Flags, Settings, template};
use clawberth::model::policy::Policy;
use clawberth::plan::policy::{broken, changes, patch};
use proptest::prelude::*;

use super::damage::{config, damaged};

/// A file that cannot be used is refused, and says where it lies.
#[test]
fn a_file_of_settings() {
    // what `init` writes, with every line in force
    let lines = template("\"203.0.113.7\"");
    let whole: String =
        lines.lines().map(|line| line.strip_prefix("#:").unwrap_or(line).to_owned() + "\n").collect();
    let samples: &'static [&'static str] = Box::leak(Box::new([&*whole.leak()]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let env = Environment::new([]);
    let load = || Settings::load(&Flags::default(), &env, folder.path());
    proptest!(config(), |(text in damaged(samples))| {
        std::fs::write(&path, &text).unwrap();
        if let Err(refusal) = load() {
            prop_assert!(!refusal.to_string().is_empty() && !refusal.hint().is_empty());
        }
    });
}

const POLICIES: [&str; 2] = [
    r#"
[policy]
owners = ["telegram:111"]
sessions = "per-peer"
model = "anthropic/claude-sonnet-4-5"
fallbacks = ["local/small"]
models = ["local/large"]
tools = "minimal"
deny_tools = ["web_fetch"]
skills = ["weather"]
senders = { "telegram:222" = "none", "*" = "read-only" }
providers.anthropic.key = "env:ANTHROPIC_API_KEY"
providers.local = { url = "http://127.0.0.1:11434/v1", api = "openai-completions" }

[policy.channels.telegram]
token = "file:bot.token"
allow = ["111", "222"]
groups = ["-100500"]
mention = false

[instance.bob.policy]
channels.telegram.deny = ["222"]
"#,
    "[policy]\nproviders.openai.key = \"sk-canary-0123456789\"\nmodel = \"openai/gpt\"\n",
];

/// What is read of policies can be brought, or is refused; and what may be a secret is not repeated.
#[test]
fn a_file_of_policies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let env = Environment::new([]);
    let load = || Settings::load(&Flags::default(), &env, folder.path());
    let nothing = Policy::default();
    proptest!(config(), |(text in damaged(&POLICIES))| {
        std::fs::write(&path, &text).unwrap();
        match load() {
            Ok(settings) => {
                let policies = settings.policies;
                for policy in policies.own.values().chain([&policies.fleet]) {
                    let there = patch(&nothing, policy);
                    prop_assert!(there.is_object() && patch(policy, &nothing).is_object());
                    prop_assert!(!changes(&nothing, policy).is_empty());
                    prop_assert_eq!(broken(policy, &there).len(), 0, "{}", there);
                }
            }
            Err(refusal) => {
                let why = std::error::Error::source(&refusal).map(ToString::to_string).unwrap_or_default();
                let said = format!("{refusal}; {}; {why}", refusal.hint());
                prop_assert!(!refusal.to_string().is_empty() && !refusal.hint().is_empty());
                prop_assert!(!said.contains("sk-canary-0123"), "{}", said);
            }
        }
    });
}
