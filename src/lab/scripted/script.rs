//! What a host does, as a file: how long it takes for what, what it answers to which command, and what goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, anyhow};
use regex::Regex;
use serde::Deserialize;
use toml::Spanned;

use super::fault::{Fault, FaultEntry, Harm};
use super::text::{BUILT_IN, TOKEN, Text};

/// Plays what clawberth does on a host.
const DEFAULT: &str = include_str!("host.toml");

/// The fact without which a server is a plain one: no set-up, no gateway.
pub(super) const VERSION: &str = "version";
/// The fact that the certificate is for, instead of the address.
pub(super) const DOMAIN: &str = "domain";
/// The fact that names the release's Node.
pub(super) const NODE: &str = "node";
/// The fact that is the release as it is written down on the server.
pub(super) const RELEASE: &str = "release";
/// The fact in an update that says how many seconds nobody has to confirm it.
pub(super) const REVERT_AFTER: &str = "revert_after";

/// A script, checked.
#[derive(Clone, Debug)]
pub struct Script {
    /// From power on until SSH answers.
    pub(super) boot: Duration,
    /// From there until the set-up begins.
    pub(super) packages: Duration,
    /// From the end of the set-up until 443 answers.
    pub(super) certificate: Duration,
    /// From the end of the set-up, a restart or a boot until the gateway is ready.
    pub(super) ready: Duration,
    pub(super) update: UpdateSettings,
    /// Values that are found in the user data, or in an update: the first group of each pattern.
    pub(super) facts: BTreeMap<String, Pattern>,
    pub(super) parts: Vec<Part>,
    /// The first one that applies answers.
    pub(super) rules: Vec<Rule>,
    pub(super) faults: Vec<Fault>,
}

/// How long the parts of an update take, and what is said before it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UpdateSettings {
    /// A release is put beside the one in use.
    pub(super) stage: Duration,
    /// It runs on a copy of the state.
    pub(super) rehearse: Duration,
    /// How long it is given to get ready after the switch.
    pub(super) patience: Duration,
    /// Size of the state.
    pub(super) state_kb: u64,
    pub(super) disk_free_kb: u64,
    pub(super) memory_free_kb: u64,
    /// What the gateway is at.
    pub(super) active: u64,
}

/// A part of the set-up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) name: String,
    #[serde(deserialize_with = "length::read")]
    pub(super) takes: Duration,
}

/// What is answered to a command.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Found anywhere in the command line.
    #[serde(rename = "match")]
    pub(super) command: Pattern,
    /// Applies only while the gateway is ready, or only while it is not.
    pub(super) ready: Option<bool>,
    /// Whether the command reads its input to the end before it answers.
    #[serde(default)]
    pub(super) input: bool,
    #[serde(default, deserialize_with = "length::read")]
    pub(super) delay: Duration,
    /// Values that the command changes; `$1` is the first group of `match`.
    #[serde(default)]
    pub(super) set: BTreeMap<String, String>,
    /// What else the command does.
    #[serde(rename = "do")]
    pub(super) deed: Option<Deed>,
    #[serde(default)]
    pub(super) stdout: Text,
    #[serde(default)]
    pub(super) stderr: Text,
    #[serde(default)]
    pub(super) status: u32,
}

/// What a command can do to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Deed {
    /// Run the set-up again, where it stopped.
    SetUp,
    /// Restart the gateway.
    Restart,
    /// Make a host key, unless it has, and do not show it yet.
    MakeHostKey,
    /// Make one to take the place of its own, unless it has.
    MakeNextHostKey,
    /// Show the host key that it has made and the command names, and no other.
    SwitchHostKey,
    /// Let the keys in that the command names, too.
    GiveKeys,
    /// Let the keys in no more that the command names, but for the first one, which stays.
    TakeKeys,
    /// Take an update: facts of the release that is next are found in the command line.
    Send,
    /// Start the host anew, a moment later.
    Reboot,
    /// Do the part of an update that the first group of `match` names, with the second as its argument.
    Update,
}

/// A regular expression.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pattern(pub(super) Regex);

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        Regex::new(&text).map(Self)
    }
}

/// A file; what it leaves out is as in the default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, deserialize_with = "length::optional")]
    boot: Option<Duration>,
    #[serde(default, deserialize_with = "length::optional")]
    packages: Option<Duration>,
    #[serde(default, deserialize_with = "length::optional")]
    certificate: Option<Duration>,
    #[serde(default, deserialize_with = "length::optional")]
    ready: Option<Duration>,
    #[serde(default)]
    update: UpdateEntry,
    #[serde(default)]
    facts: BTreeMap<String, Pattern>,
    #[serde(default)]
    part: Vec<Part>,
    #[serde(default)]
    rule: Vec<Spanned<Rule>>,
    #[serde(default)]
    fault: Vec<FaultEntry>,
}

/// `[update]`; what it leaves out is as in the default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateEntry {
    #[serde(default, deserialize_with = "length::optional")]
    stage: Option<Duration>,
    #[serde(default, deserialize_with = "length::optional")]
    rehearse: Option<Duration>,
    #[serde(default, deserialize_with = "length::optional")]
    patience: Option<Duration>,
    state_kb: Option<u64>,
    disk_free_kb: Option<u64>,
    memory_free_kb: Option<u64>,
    active: Option<u64>,
}

impl UpdateEntry {
    fn or(self, default: &Self) -> UpdateSettings {
        UpdateSettings {
            stage: self.stage.or(default.stage).unwrap_or_default(),
            rehearse: self.rehearse.or(default.rehearse).unwrap_or_default(),
            patience: self.patience.or(default.patience).unwrap_or_default(),
            state_kb: self.state_kb.or(default.state_kb).unwrap_or_default(),
            disk_free_kb: self.disk_free_kb.or(default.disk_free_kb).unwrap_or_default(),
            memory_free_kb: self.memory_free_kb.or(default.memory_free_kb).unwrap_or_default(),
            active: self.active.or(default.active).unwrap_or_default(),
        }
    }
}

impl Script {
    /// The default script, changed by a file's text: its settings and facts count, its parts replace all parts, its
    /// rules come first.
    ///
    /// # Errors
    /// What is wrong with the text, with line and column.
    pub fn read(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let default: File = toml::from_str(DEFAULT)?;
        let parts = if file.part.is_empty() { default.part } else { file.part };
        let mut facts = default.facts;
        facts.extend(file.facts);
        check_places(text, &file.rule, &default.rule, &facts)?;
        let rules = file.rule.into_iter().chain(default.rule).map(Spanned::into_inner).collect();
        let faults = file.fault.into_iter().map(|entry| checked(text, entry, &parts));
        Ok(Self {
            boot: file.boot.or(default.boot).unwrap_or_default(),
            packages: file.packages.or(default.packages).unwrap_or_default(),
            certificate: file.certificate.or(default.certificate).unwrap_or_default(),
            ready: file.ready.or(default.ready).unwrap_or_default(),
            update: file.update.or(&default.update),
            facts,
            faults: faults.collect::<Result<_>>()?,
            parts,
            rules,
        })
    }

    /// The facts that a text has.
    pub(super) fn facts_in(&self, text: &str) -> BTreeMap<String, String> {
        let fact = |(name, pattern): (&String, &Pattern)| {
            let found = pattern.0.captures(text)?.get(1)?;
            Some((name.clone(), found.as_str().to_owned()))
        };
        self.facts.iter().filter_map(fact).collect()
    }
}

/// No rule mentions a value that no host can have.
fn check_places(
    text: &str,
    rules: &[Spanned<Rule>],
    default: &[Spanned<Rule>],
    facts: &BTreeMap<String, Pattern>,
) -> Result<()> {
    let set = rules.iter().chain(default).flat_map(|rule| rule.get_ref().set.keys());
    let known: Vec<&str> =
        BUILT_IN.into_iter().chain([TOKEN]).chain(facts.keys().chain(set).map(String::as_str)).collect();
    for rule in rules {
        let Rule { stdout, stderr, .. } = rule.get_ref();
        if let Some(place) = stdout.places().chain(stderr.places()).find(|place| !known.contains(place)) {
            let what =
                format!("`{{{{{place}}}}}` is nothing that a host knows, which is {}", known.join(", "));
            return Err(at(text, rule.span().start, &what));
        }
    }
    Ok(())
}

fn checked(text: &str, entry: FaultEntry, parts: &[Part]) -> Result<Fault> {
    let start = entry.kind.span().start;
    let fault = entry.check().map_err(|what| at(text, start, &what))?;
    if let Harm::PartFailed { part, .. } = &fault.harm
        && !parts.iter().any(|known| known.name == *part)
    {
        let known: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let what = format!("the set-up has no part `{part}`, only {}", known.join(", "));
        return Err(at(text, start, &what));
    }
    Ok(fault)
}

/// An error at a byte of the text, in the words of the TOML parser.
fn at(text: &str, byte: usize, what: &str) -> anyhow::Error {
    let before = text.get(..byte).unwrap_or(text);
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    anyhow!("TOML parse error at line {}, column {column}\n{what}", before.matches('\n').count() + 1)
}

/// Lengths of time: `300ms`, `1.5s`, `2m`.
pub(super) mod length {
    use std::time::Duration;

    use jiff::SignedDuration;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer};

    pub(in crate::lab::scripted) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        let length: Option<SignedDuration> = text.parse().ok();
        length
            .and_then(|length| Duration::try_from(length).ok())
            .ok_or_else(|| D::Error::custom(format!("{text:?} is no length of time, like 300ms, 1.5s or 2m")))
    }

    pub(in crate::lab::scripted) fn optional<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        read(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Script::read(text).unwrap_err().to_string()
    }

    #[test]
    fn without_a_file_a_set_up_takes_about_three_seconds() {
        let script = Script::read("").unwrap();
        let all = script.parts.iter().map(|part| part.takes).sum::<Duration>();
        let all = all + script.boot + script.packages + script.certificate + script.ready;
        assert!((2..4).contains(&all.as_secs()), "{all:?}");
        Script::read(DEFAULT).unwrap();
    }

    #[test]
    fn a_file_comes_first() {
        let text = "boot = '2m'\n[[part]]\nname = 'all'\ntakes = '1.5s'\n[[rule]]\nmatch = '.'\nstatus = 3";
        let script = Script::read(text).unwrap();
        assert_eq!(script.boot, Duration::from_secs(120));
        assert_eq!(script.parts.len(), 1);
        assert_eq!(script.parts[0].takes, Duration::from_millis(1500));
        assert_eq!(script.rules[0].status, 3);
        assert!(script.rules.len() > 5 && script.facts.contains_key(VERSION));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_what_is_allowed() {
        for (text, place, said) in [
            ("boot = '1s'\nbot = '1s'", "line 2, column 1", "expected one of `boot`, `packages`"),
            ("boot = 'soon'", "line 1, column 8", "\"soon\" is no length of time, like 300ms"),
            ("boot = '-1s'", "line 1, column 8", "no length of time"),
            ("[[rule]]\nmatch = '('", "line 2, column 9", "unclosed group"),
            ("[[rule]]\nmatch = 'a'\nstdout = '{{'", "line 3, column 10", "a `{{` has no `}}`"),
            ("\n[[rule]]\nmatch = 'a'\nstdout = '{{it}}'", "line 2, column 1", "which is id, name, address"),
            (
                "[[rule]]\nmatch = 'a'\ndo = 'x'",
                "line 3, column 6",
                "expected one of `set-up`, `restart`, `make-host-key`",
            ),
            ("[[fault]]\nkind = 'x'", "line 2, column 8", "expected one of `ssh_refused`"),
            ("[[fault]]\nkind = 'slow'", "line 2, column 8", "slow needs a `delay`"),
            ("[[fault]]\nkind = 'hang'\nlog = ''", "line 2, column 8", "takes no `log`"),
            ("[[fault]]\nkind = 'broken'\npart = 'x'", "line 2, column 8", "rehearse, switch or gate"),
            (
                "[[fault]]\nkind = 'broken'\npart = 'switch'\nafter = '1s'",
                "line 2, column 8",
                "takes no `after`",
            ),
            ("[update]\nstages = '1s'", "line 2, column 1", "expected one of `stage`, `rehearse`"),
            ("[[fault]]\nkind = 'hang'\nprobability = 2.0", "line 3, column 15", "from 0 to 1"),
            (
                "[[fault]]\nkind = 'part_failed'\npart = 'x'",
                "line 2, column 8",
                "has no part `x`, only users,",
            ),
        ] {
            let error = error(text);
            assert!(error.contains(place) && error.contains(said), "{text}:\n{error}");
        }
    }
}
