//! What a host keeps, also while the lab does not run: one small file.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use ssh_key::Certificate;

use super::clock::{millis, now};
use super::fault::{Harm, Met};
use super::releases::Releases;
use super::script::{DOMAIN, Script, VERSION};
use super::set_up::SetUp;

/// The state of one host. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) address: Option<Ipv4Addr>,
    /// The OpenSSH private key that it shows.
    pub(super) host_key: String,
    /// The one that it has made for itself.
    #[serde(default)]
    pub(super) own_key: Option<String>,
    /// What the injected one says of that, in OpenSSH's format.
    #[serde(default)]
    pub(super) certificate: Option<String>,
    /// The one that it has made to take the place of its own.
    #[serde(default)]
    pub(super) next_key: Option<String>,
    /// The public keys that root may log in with.
    pub(super) authorized: Vec<String>,
    /// The facts of the user data, and what rules have set since.
    pub(super) values: BTreeMap<String, String>,
    /// Since when it is switched on.
    pub(super) on: Option<u64>,
    pub(super) set_up: SetUp,
    /// When the gateway was last restarted by a command or an update.
    pub(super) restarted: Option<u64>,
    /// By how much the gateway is later than the script says, in milliseconds.
    pub(super) late: u64,
    /// The faults it could have met, by their place in the script.
    pub(super) met: BTreeMap<usize, Met>,
    /// What updates left behind.
    #[serde(default)]
    pub(super) releases: Releases,
}

impl State {
    /// Reads it; `None` if there is none.
    pub(super) fn load(file: &Path) -> Result<Option<Self>> {
        match fs::read(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .with_context(|| format!("{} is no state of a scripted host", file.display())),
        }
    }

    /// Writes it: whole or not at all.
    pub(super) fn save(&self, file: &Path) -> Result<()> {
        let half = file.with_extension("half");
        let written = fs::write(&half, serde_json::to_vec(self)?).and_then(|()| fs::rename(&half, file));
        written.with_context(|| format!("cannot write {}", file.display()))
    }

    /// What a switch-off does.
    pub(super) fn power_off(&mut self) {
        if self.on.take().is_some() {
            self.set_up.cut(now());
            self.releases.cut();
        }
    }

    /// The certificate of its own key, where it has one.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        self.certificate.as_deref().and_then(|text| Certificate::from_openssh(text).ok())
    }

    /// A value, empty where it has none.
    pub(super) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Whether it has a gateway to set up.
    pub(super) fn has_gateway(&self) -> bool {
        !self.value(VERSION).is_empty()
    }

    /// The name that its certificate is for.
    pub(super) fn host(&self) -> String {
        match self.value(DOMAIN) {
            "" => self.address.map(|address| address.to_string()).unwrap_or_default(),
            domain => domain.to_owned(),
        }
    }

    /// From when on it is booted.
    pub(super) fn booted(&self, script: &Script) -> Option<u64> {
        self.on.map(|on| on.saturating_add(millis(script.boot)))
    }

    /// From when on 443 answers.
    pub(super) fn certified(&self, script: &Script) -> Option<u64> {
        let set_up = self.set_up.ends()?.saturating_add(millis(script.certificate));
        Some(set_up.max(self.booted(script)?))
    }

    /// From when on the gateway is ready.
    pub(super) fn ready(&self, script: &Script) -> Option<u64> {
        let set_up = self.set_up.ends()?;
        let begins = set_up.max(self.booted(script)?).max(self.restarted.unwrap_or_default());
        Some(begins.saturating_add(millis(script.ready)).saturating_add(self.late))
    }

    /// Whether the gateway is ready.
    pub(super) fn is_ready(&self, script: &Script, now: u64) -> bool {
        !self.releases.is_ill(now) && self.ready(script).is_some_and(|ready| ready <= now)
    }

    /// Starts the gateway anew.
    pub(super) fn restart(&mut self, script: &Script, now: u64) {
        self.restarted = Some(now);
        self.late = self.lateness(script);
    }

    /// By how much a gateway that starts now is late.
    pub(super) fn lateness(&mut self, script: &Script) -> u64 {
        let delay = |harm: &Harm| if let Harm::Unready(delay) = harm { millis(*delay) } else { 0 };
        self.harms(script, |harm| matches!(harm, Harm::Unready(_))).into_iter().map(delay).sum()
    }

    /// What of some kinds of harm this host meets now.
    pub(super) fn harms<'a>(&mut self, script: &'a Script, which: impl Fn(&Harm) -> bool) -> Vec<&'a Harm> {
        let faults = script.faults.iter().enumerate().filter(|(_, fault)| which(&fault.harm));
        let met =
            faults.filter(|(place, fault)| fault.befalls(&self.name, self.met.entry(*place).or_default()));
        met.map(|(_, fault)| &fault.harm).collect()
    }
}
