//! One host: what it does and answers at a moment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::distr::{Alphanumeric, SampleString as _};
use ssh_key::{Algorithm, Certificate, LineEnding, PrivateKey, PublicKey};
use tokio::sync::Notify;

use super::clock::{millis, now};
use super::fault::Harm;
use super::keys::{bare, make_key, named_keys, public, sign_key, signer, switch_key};
use super::releases::Releases;
use super::script::{Deed, Rule, Script};
use super::set_up::{SetUp, Standing};
use super::state::State;
use super::text::{REBOOT_REQUIRED, TOKEN};
use super::user_data;
use crate::lab::machine::MachineSpec;

/// How long an owner link is good for, in milliseconds: as at OpenClaw.
const LINK: u64 = 10 * 60 * 1000;

/// A host. What it knows is on disk before anybody is told.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) id: u64,
    pub(super) script: Arc<Script>,
    file: PathBuf,
    state: Mutex<State>,
    /// Its directory is somebody else's now; a command may still be on its way.
    gone: AtomicBool,
    /// Told when something may open later or sooner than it would have.
    pub(super) changed: Notify,
}

/// What a command leaves behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) status: u32,
}

/// What goes wrong with a command.
#[derive(Debug, Default)]
pub(super) struct Mishap {
    /// It is answered later.
    pub(super) delay: Duration,
    /// It is never answered.
    pub(super) hang: bool,
    /// The connection ends in the middle of its output.
    pub(super) cut: bool,
    /// It is not carried out, but answered so.
    pub(super) instead: Option<Output>,
}

impl Host {
    /// The host of that directory as it was left, or as a new server is born.
    ///
    /// # Errors
    /// User data that cannot be read, a directory that cannot be written.
    pub(super) fn ensure(dir: &Path, spec: &MachineSpec, script: &Arc<Script>) -> Result<Self> {
        let file = file(dir);
        let state = match State::load(&file)? {
            Some(known) => known,
            None => {
                std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
                let state = born(spec, script)?;
                state.save(&file)?;
                state
            }
        };
        let host = Self {
            id: spec.id,
            script: Arc::clone(script),
            file,
            state: Mutex::new(state),
            gone: AtomicBool::new(false),
            changed: Notify::new(),
        };
        host.move_to(spec);
        Ok(host)
    }

    /// Takes the address that it has now.
    pub(super) fn move_to(&self, spec: &MachineSpec) {
        self.change(|state| state.address = spec.ipv4);
    }

    /// A look at the state.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state, and writes it down if it is another one.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let before = state.clone();
        let outcome = change(&mut state);
        if *state != before {
            self.save(&state);
        }
        outcome
    }

    fn save(&self, state: &State) {
        if !self.gone.load(Ordering::Relaxed)
            && let Err(error) = state.save(&self.file)
        {
            tracing::error!("server {}: {error:#}", self.id);
        }
    }

    /// Writes nothing down any more.
    pub(super) fn forget(&self) {
        // under the lock, so that nobody is in the middle of writing
        let _state = self.lock();
        self.gone.store(true, Ordering::Relaxed);
    }

    /// The state as it is by now.
    fn lock(&self) -> MutexGuard<'_, State> {
        // each change is whole, whatever its caller did next
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.catch_up(&self.script, now()) {
            self.save(&state);
        }
        state
    }

    /// Switches it on, unless it is: a lab that was killed finds its hosts running. The first boot begins the set-up.
    pub(super) fn power_on(&self) {
        self.change(|state| {
            if state.on.is_some() {
                return;
            }
            let now = now();
            state.on = Some(now);
            state.boots(&self.script);
            if state.has_gateway() && state.set_up == SetUp::default() {
                let begins = now + millis(self.script.boot + self.script.packages);
                self.begin_set_up(state, begins, now);
            }
        });
        self.changed.notify_waiters();
    }

    /// Switches it off.
    pub(super) fn power_off(&self) {
        self.change(|state| state.power_off());
        self.changed.notify_waiters();
    }

    /// Starts it anew, unless that has happened since.
    pub(super) fn reboot(&self, since: Option<u64>) {
        self.change(|state| {
            if state.on.is_some() && state.on == since {
                state.power_off();
                state.values.remove(REBOOT_REQUIRED);
                state.on = Some(now());
                state.boots(&self.script);
            }
        });
        self.changed.notify_waiters();
    }

    /// When it was started last; none: it is off.
    pub(super) fn started(&self) -> Option<u64> {
        self.look(|state| state.on)
    }

    /// Begins a run of the set-up, unless one is under way.
    fn begin_set_up(&self, state: &mut State, begins: u64, now: u64) {
        if state.set_up.is_under_way(now) {
            return;
        }
        let fails = state.harms(&self.script, |harm| matches!(harm, Harm::PartFailed { .. }));
        let fails = fails.into_iter().find_map(|harm| match harm {
            Harm::PartFailed { part, log } => Some((part.clone(), log.clone())),
            _ => None,
        });
        state.set_up.begin(&self.script.parts, begins, now, fails);
        state.late = state.lateness(&self.script);
    }

    /// Whether a connection to port 22 is refused.
    pub(super) fn refuses(&self) -> bool {
        self.meets(|harm| matches!(harm, Harm::SshRefused))
    }

    /// Whether a connection to port 22 is shown the wrong host key.
    pub(super) fn shows_wrong_key(&self) -> bool {
        self.meets(|harm| matches!(harm, Harm::WrongHostKey))
    }

    fn meets(&self, which: impl Fn(&Harm) -> bool) -> bool {
        self.change(|state| !state.harms(&self.script, which).is_empty())
    }

    /// What goes wrong with a command.
    pub(super) fn mishap(&self, command: &str) -> Mishap {
        let mut mishap = Mishap::default();
        for harm in self.change(|state| state.harms(&self.script, |harm| harm.concerns(command))) {
            match harm {
                Harm::SshReset(_) => mishap.cut = true,
                Harm::Slow(_, delay) => mishap.delay += *delay,
                Harm::Hang(_) => mishap.hang = true,
                Harm::ExecFails { status, stderr, .. } => {
                    let stderr = stderr.clone();
                    mishap.instead = Some(Output { stdout: String::new(), stderr, status: *status });
                }
                Harm::SshRefused
                | Harm::WrongHostKey
                | Harm::PartFailed { .. }
                | Harm::Unready(_)
                | Harm::Broken { .. } => {}
            }
        }
        mishap
    }

    /// The rule for a command, as things are now.
    pub(super) fn rule(&self, command: &str) -> Option<&Rule> {
        let ready = self.is_ready();
        let fits = |rule: &&Rule| {
            rule.ready.is_none_or(|wanted| wanted == ready) && rule.command.0.is_match(command)
        };
        self.script.rules.iter().find(fits)
    }

    /// Carries a command out as its rule says.
    pub(super) fn run(&self, rule: &Rule, command: &str) -> Output {
        let output = self.change(|state| {
            if state.on.is_none() {
                // nobody is there to hear it
                return Output::default();
            }
            if let Some(groups) = rule.command.0.captures(command) {
                for (name, template) in &rule.set {
                    let mut value = String::new();
                    groups.expand(template, &mut value);
                    state.values.insert(name.clone(), value);
                }
            }
            self.act(state, rule.deed, command);
            let value = |place: &str| self.fill(state, place);
            Output { stdout: rule.stdout.fill(value), stderr: rule.stderr.fill(value), status: rule.status }
        });
        self.changed.notify_waiters();
        output
    }

    fn act(&self, state: &mut State, deed: Option<Deed>, command: &str) {
        let now = now();
        match deed {
            Some(Deed::SetUp) => self.begin_set_up(state, now, now),
            Some(Deed::Restart) => state.restart(&self.script, now),
            Some(Deed::MakeHostKey) => {
                make_key(&mut state.own_key);
                if let Err(error) = sign_key(state) {
                    tracing::error!("server {}: {error:#}", self.id);
                }
            }
            Some(Deed::MakeNextHostKey) => make_key(&mut state.next_key),
            Some(Deed::SwitchHostKey) => switch_key(state, command),
            Some(Deed::GiveKeys) => {
                for key in named_keys(command) {
                    if !state.authorized.iter().any(|known| bare(known) == key) {
                        state.authorized.push(key);
                    }
                }
            }
            Some(Deed::TakeKeys) => {
                let gone: Vec<String> = named_keys(command).into_iter().skip(1).collect();
                state.authorized.retain(|known| !gone.contains(&bare(known)));
            }
            Some(Deed::Send) => state.releases.take(&self.script.facts_in(command)),
            // they take their time: see `update` and `reboot`
            Some(Deed::Update | Deed::Reboot) | None => {}
        }
    }

    /// What stands in a place of a text.
    fn fill(&self, state: &State, place: &str) -> String {
        let now = now();
        let standing = state.set_up.standing(now);
        match place {
            "id" => self.id.to_string(),
            "name" => state.name.clone(),
            "address" => state.address.map(|address| address.to_string()).unwrap_or_default(),
            "host" => state.host(),
            "running" => if standing == Some(Standing::Running) { "yes" } else { "no" }.to_owned(),
            "now" => (now / 1000).to_string(),
            "expires" => (now + LINK).to_string(),
            "progress" => state.set_up.progress(now),
            "cloud_init" => state.set_up.cloud_init(now).to_owned(),
            "log" => match standing {
                Some(Standing::Failed(log)) => log,
                _ => String::new(),
            },
            "updates" => state.releases.journal(),
            "host_key" => public(&state.host_key),
            "own_host_key" => state.own_key.as_deref().map(public).unwrap_or_default(),
            "signer" => state.certificate().map(|certificate| signer(&certificate)).unwrap_or_default(),
            "next_host_key" => state.next_key.as_deref().map(public).unwrap_or_default(),
            "authorized" => state.authorized.join("\n"),
            "authorized_of_root" => {
                let lines = state.authorized.iter().map(|key| format!("authorized=root={key}"));
                lines.collect::<Vec<_>>().join("\n")
            }
            "boot_id" => format!("{:08x}-0000-4000-8000-{:012x}", self.id, state.on.unwrap_or_default()),
            "booted" => (state.on.unwrap_or_default() / 1000).to_string(),
            REBOOT_REQUIRED if state.value(REBOOT_REQUIRED).is_empty() => "no".to_owned(),
            TOKEN => Alphanumeric.sample_string(&mut rand::rng(), 43),
            name => state.value(name).to_owned(),
        }
    }

    /// Whether the gateway is ready.
    pub(super) fn is_ready(&self) -> bool {
        self.look(|state| state.is_ready(&self.script, now()))
    }

    /// Whether root may log in with this key.
    pub(super) fn admits(&self, key: &PublicKey) -> bool {
        let same = |text: &String| {
            PublicKey::from_openssh(text).is_ok_and(|known| known.key_data() == key.key_data())
        };
        self.look(|state| state.authorized.iter().any(same))
    }

    /// The host key that it shows, an OpenSSH private key.
    pub(super) fn key(&self) -> String {
        self.look(|state| state.host_key.clone())
    }

    /// What it shows with that key, where it has one for it.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        self.look(|state| state.certificate().filter(|_| state.own_key.as_ref() == Some(&state.host_key)))
    }
}

/// Where a host's state is, in its directory.
pub(super) fn file(dir: &Path) -> PathBuf {
    dir.join("host.json")
}

/// A server as it is created: off, with nothing set up.
fn born(spec: &MachineSpec, script: &Script) -> Result<State> {
    // what cloud-init cannot read it leaves out, and boots
    let left_out = |error: anyhow::Error| tracing::warn!("server {}: {error:#}", spec.id);
    let given = spec.user_data.as_deref().unwrap_or_default();
    let text = user_data::text(given).map_err(left_out).unwrap_or_default();
    let key = match user_data::host_key(&text).map_err(left_out) {
        Ok(Some(key)) => key,
        Ok(None) | Err(()) => {
            PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).context("cannot make a host key")?
        }
    };
    Ok(State {
        name: spec.name.clone(),
        address: spec.ipv4,
        host_key: key.to_openssh(LineEnding::LF).context("cannot write a host key")?.to_string(),
        own_key: None,
        certificate: None,
        next_key: None,
        authorized: spec.ssh_keys.clone(),
        values: script.facts_in(&text),
        on: None,
        set_up: SetUp::default(),
        restarted: None,
        late: 0,
        met: BTreeMap::new(),
        releases: Releases::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::scripted::fault::Met;

    const USER_DATA: &str = "#cloud-config\nwrite_files:\n- content: |\n    openclaw=2026.9.6\n";

    fn host(dir: &Path, script: &str, user_data: &str) -> Host {
        let spec = MachineSpec {
            id: 7,
            name: "web".to_owned(),
            ipv4: Some([127, 64, 0, 2].into()),
            user_data: Some(user_data.to_owned()),
            ..MachineSpec::default()
        };
        Host::ensure(dir, &spec, &Arc::new(Script::read(script).unwrap())).unwrap()
    }

    fn asked(host: &Host, command: &str) -> String {
        host.run(host.rule(command).unwrap(), command).stdout
    }

    #[test]
    fn what_a_host_knows_outlives_it() {
        let dir = tempfile::tempdir().unwrap();
        let script =
            "[[rule]]\nmatch = '^use (\\S+)$'\nset = { version = '$1' }\nstdout = '{{id}} {{version}}'";
        let first = host(dir.path(), script, USER_DATA);
        first.power_on();
        assert_eq!(asked(&first, "use 2026.9.7"), "7 2026.9.7");
        let known = first.look(State::clone);
        assert_eq!(host(dir.path(), script, "other").look(State::clone), known);
        first.forget();
        first.power_off();
        assert_eq!(host(dir.path(), script, "other").look(State::clone), known, "it writes no more");
    }

    #[test]
    fn a_count_is_not_used_up_by_what_does_not_happen() {
        let dir = tempfile::tempdir().unwrap();
        let script = "[[fault]]\nkind = 'part_failed'\npart = 'node'\ncount = 2";
        let host = host(dir.path(), script, USER_DATA);
        host.power_on();
        asked(&host, "systemd-run --collect /usr/local/lib/clawberth/setup");
        assert_eq!(host.look(|state| state.met[&0]), Met::of(1, 1), "one run is under way");
    }

    #[test]
    fn a_new_start_is_another_one_and_is_asked_for_once() {
        let dir = tempfile::tempdir().unwrap();
        let script = "[[rule]]\nmatch = '^upgrade$'\nset = { reboot_required = 'yes' }\n\
                      [[rule]]\nmatch = '^look$'\nstdout = '{{boot_id}} {{reboot_required}}'";
        let host = host(dir.path(), script, USER_DATA);
        host.power_on();
        let first = host.started();
        assert!(asked(&host, "look").ends_with(" no"));
        asked(&host, "upgrade");
        let before = asked(&host, "look");
        assert!(before.ends_with(" yes"), "{before}");
        // so that the clock has gone on
        while now() == first.unwrap() {}
        host.reboot(first);
        let after = asked(&host, "look");
        assert!(after.ends_with(" no"), "{after}");
        assert_ne!(after.split(' ').next(), before.split(' ').next());
        host.reboot(first);
        assert_eq!(asked(&host, "look"), after, "two orders are one start");
    }

    #[test]
    fn user_data_that_cannot_be_read_is_left_out() {
        for user_data in ["#cloud-config\nssh_keys: [\n", "H4sIAAAA", ""] {
            let dir = tempfile::tempdir().unwrap();
            let host = host(dir.path(), "", user_data);
            assert!(
                PrivateKey::from_openssh(host.key()).is_ok() && !host.look(State::has_gateway),
                "{user_data:?}"
            );
        }
    }
}
