//! What goes wrong on a host, as its script says.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::script::{Pattern, length};

/// What a release says that was told to be broken, in the form of a gateway's log.
const BROKEN: &str = r#"{"level":"error","message":"broken, as it was told to be"}"#;

/// One `[[fault]]` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultEntry {
    pub(super) kind: Spanned<Kind>,
    hosts: Option<Hosts>,
    count: Option<u32>,
    probability: Option<Share>,
    #[serde(default)]
    seed: u64,
    #[serde(rename = "match")]
    command: Option<Pattern>,
    #[serde(default, deserialize_with = "length::optional")]
    delay: Option<Duration>,
    status: Option<u32>,
    stderr: Option<String>,
    pub(super) part: Option<String>,
    log: Option<String>,
    version: Option<String>,
    #[serde(default, deserialize_with = "length::optional")]
    after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    SshRefused,
    WrongHostKey,
    SshReset,
    Slow,
    Hang,
    ExecFails,
    PartFailed,
    Unready,
    Broken,
}

/// What a fault does.
#[derive(Clone, Debug)]
pub(super) enum Harm {
    /// A connection to port 22 is reset before a byte was sent.
    SshRefused,
    /// A connection to port 22 is shown a host key that is not this server's.
    WrongHostKey,
    /// The connection ends when half of a command's output is out; the command is carried out.
    SshReset(Option<Regex>),
    /// A command is answered later.
    Slow(Option<Regex>, Duration),
    /// A command is never answered, nor carried out.
    Hang(Option<Regex>),
    /// A command is not carried out.
    ExecFails {
        /// Which; none: any.
        command: Option<Regex>,
        /// Its exit status.
        status: u32,
        /// What it says.
        stderr: String,
    },
    /// A run of the set-up ends here.
    PartFailed {
        /// The part's name.
        part: String,
        /// The end of its log.
        log: String,
    },
    /// The gateway needs longer to be ready, after the set-up or a restart.
    Unready(Duration),
    /// A release that is sent is no good.
    Broken {
        /// Where that shows.
        at: Stand,
        /// Which release; none: any.
        version: Option<String>,
        /// What its gateway says about it.
        log: String,
    },
}

/// Where in its update a release turns out to be no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// It ends on a copy of the state.
    Rehearse,
    /// It ends instead of getting ready.
    Switch,
    /// It gets ready, and is so no more after a while.
    Gate(Duration),
}

/// A fault, and whom it befalls.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) harm: Harm,
    /// None: all.
    hosts: Option<Regex>,
    count: Option<u32>,
    probability: f64,
    seed: u64,
}

/// How often a host could have met a fault, and how often it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Met {
    chances: u32,
    hits: u32,
}

impl Harm {
    /// Whether it is about commands, and about this one.
    pub(super) fn concerns(&self, command: &str) -> bool {
        match self {
            Self::SshReset(which)
            | Self::Slow(which, _)
            | Self::Hang(which)
            | Self::ExecFails { command: which, .. } => {
                which.as_ref().is_none_or(|which| which.is_match(command))
            }
            Self::SshRefused
            | Self::WrongHostKey
            | Self::PartFailed { .. }
            | Self::Unready(_)
            | Self::Broken { .. } => false,
        }
    }
}

impl FaultEntry {
    /// The fault, if all that its kind needs is there, and nothing else is.
    pub(super) fn check(self) -> Result<Fault, String> {
        let Self { hosts, count, probability, seed, mut delay, mut status, mut stderr, .. } = self;
        let (mut part, mut log, mut version, mut after) = (self.part, self.log, self.version, self.after);
        let mut command = self.command.map(|pattern| pattern.0);
        let kind = self.kind.into_inner();
        let harm = match kind {
            Kind::SshRefused => Harm::SshRefused,
            Kind::WrongHostKey => Harm::WrongHostKey,
            Kind::SshReset => Harm::SshReset(command.take()),
            Kind::Slow => Harm::Slow(command.take(), delay.take().ok_or("slow needs a `delay`")?),
            Kind::Hang => Harm::Hang(command.take()),
            Kind::ExecFails => Harm::ExecFails {
                command: command.take(),
                status: status.take().unwrap_or(1),
                stderr: stderr.take().unwrap_or_default(),
            },
            Kind::PartFailed => {
                let part = part.take().ok_or("part_failed needs a `part`")?;
                let log = log.take().unwrap_or_else(|| format!("setup: {part} failed, as it was told to"));
                Harm::PartFailed { part, log }
            }
            Kind::Unready => Harm::Unready(delay.take().ok_or("unready needs a `delay`")?),
            Kind::Broken => Harm::Broken {
                at: match part.take().as_deref() {
                    Some("rehearse") => Stand::Rehearse,
                    Some("switch") => Stand::Switch,
                    Some("gate") => Stand::Gate(after.take().unwrap_or_default()),
                    _ => return Err("broken needs a `part`: rehearse, switch or gate".to_owned()),
                },
                version: version.take(),
                log: log.take().unwrap_or_else(|| BROKEN.to_owned()),
            },
        };
        let left = [
            ("match", command.is_some()),
            ("delay", delay.is_some()),
            ("status", status.is_some()),
            ("stderr", stderr.is_some()),
            ("part", part.is_some()),
            ("log", log.is_some()),
            ("version", version.is_some()),
            ("after", after.is_some()),
        ];
        match left.into_iter().find(|(_, there)| *there) {
            Some((field, _)) => Err(format!("a fault of this kind takes no `{field}`")),
            None => {
                let probability = probability.map_or(1.0, |share| share.0);
                Ok(Fault { harm, hosts: hosts.map(|hosts| hosts.0), count, probability, seed })
            }
        }
    }
}

#[cfg(test)]
impl Met {
    pub(super) fn of(chances: u32, hits: u32) -> Self {
        Self { chances, hits }
    }
}

impl Fault {
    /// Whether this host meets the fault now; notes the occasion. The same host meets it at the same occasions
    /// whenever all is done again.
    pub(super) fn befalls(&self, name: &str, met: &mut Met) -> bool {
        let spared = self.hosts.as_ref().is_some_and(|hosts| !hosts.is_match(name));
        if spared || self.count.is_some_and(|count| met.hits >= count) {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        (self.seed, name, met.chances).hash(&mut hasher);
        // 53 bits are what a double holds
        let hit = ((hasher.finish() >> 11) as f64) < self.probability * (1_u64 << 53) as f64;
        met.chances = met.chances.saturating_add(1);
        met.hits = met.hits.saturating_add(u32::from(hit));
        hit
    }
}

/// A name with `*` for anything.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Hosts(Regex);

impl TryFrom<String> for Hosts {
    type Error = regex::Error;

    fn try_from(glob: String) -> Result<Self, regex::Error> {
        let pattern = regex::escape(&glob).replace(r"\*", ".*");
        Regex::new(&format!("^{pattern}$")).map(Self)
    }
}

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "f64")]
struct Share(f64);

impl TryFrom<f64> for Share {
    type Error = &'static str;

    fn try_from(number: f64) -> Result<Self, &'static str> {
        if (0.0..=1.0).contains(&number) { Ok(Self(number)) } else { Err("a probability is from 0 to 1") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        toml::from_str::<FaultEntry>(text).unwrap().check().unwrap()
    }

    fn hits(fault: &Fault, name: &str, occasions: u32) -> Vec<bool> {
        let mut met = Met::default();
        (0..occasions).map(|_| fault.befalls(name, &mut met)).collect()
    }

    #[test]
    fn a_count_is_for_each_host_that_the_pattern_names() {
        let fault = fault("kind = \"ssh_refused\"\nhosts = \"cb-*-alice\"\ncount = 2");
        assert_eq!(hits(&fault, "cb-x-alice", 3), [true, true, false]);
        assert_eq!(hits(&fault, "cb-x-alicea", 1), [false]);
    }

    #[test]
    fn a_probability_is_the_same_for_the_same_seed() {
        let of = |seed: u32| fault(&format!("kind = \"hang\"\nprobability = 0.3\nseed = {seed}"));
        let first = hits(&of(1), "a", 1000);
        assert_eq!(first, hits(&of(1), "a", 1000));
        assert_ne!(first, hits(&of(2), "a", 1000));
        assert_ne!(first, hits(&of(1), "b", 1000));
        let share = first.iter().filter(|hit| **hit).count();
        assert!((250..350).contains(&share), "{share}");
    }
}
