//! The environment, as an argument.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::refusal::Refusal;

/// Every environment variable that is read, and what for.
pub const VARIABLES: &[(&str, &str)] = &[
    ("HCLOUD_TOKEN", "API token of the Hetzner project (never in a file)"),
    ("HCLOUD_ENDPOINT", "base URL of the API, if not Hetzner's own"),
    ("CLAWBERTH_CONFIG", "the configuration file, as --config"),
    ("CLAWBERTH_STATE", "the state file or database, as --state; the URL may have a password in it"),
    ("CLAWBERTH_ADMIN_NETWORKS", "admin_networks, separated by commas"),
    ("CLAWBERTH_LOCATIONS", "locations, separated by commas"),
    ("CLAWBERTH_SERVER_TYPE", "server_type"),
    ("CLAWBERTH_IMAGE", "image"),
    ("CLAWBERTH_VERSION", "version"),
    ("CLAWBERTH_DOMAIN", "domain"),
    ("CLAWBERTH_SSH_KEY", "ssh_key"),
    ("CLAWBERTH_ACME_DIRECTORY", "acme_directory"),
    ("CLAWBERTH_ACME_ROOT", "acme_root"),
    ("CLAWBERTH_NODE_MIRROR", "node_mirror"),
    (
        "CLAWBERTH_AGE_IDENTITY",
        "the file with the identity that opens what age:PATH names: age's own, or an SSH key",
    ),
    ("CLAWBERTH_LOG", "what to log to stderr, like debug or clawberth::hcloud=trace"),
    ("CLAWBERTH_NOW", "for tests: the time it is, RFC 3339; durations read 0 s"),
    ("CLAWBERTH_SEED", "for tests: a number that all ids and keys come from"),
    ("CLAWBERTH_STOP_AT", "for tests: STEP:POINT at which to stop (SIGSTOP), like create:after-act"),
    ("SSH_AUTH_SOCK", "the ssh-agent that has the key which ssh_key names"),
    ("PGPASSFILE", "a file with the password of the state's database, if not ~/.pgpass"),
    ("PGPASSWORD", "that password"),
    ("npm_config_registry", "the npm registry that --version asks, as npm has it"),
    ("NO_COLOR", "no colours"),
    ("XDG_STATE_HOME", "where the state lies, if not in ~/.local/state"),
    ("XDG_CONFIG_HOME", "where the configuration lies, if not in ~/.config"),
    ("XDG_CACHE_HOME", "where the lab keeps its base image, if not in ~/.cache"),
];

/// A copy of the environment.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// From pairs.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable with values separated by commas.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        self.get(name).map(|text| text.split(',').map(|part| part.trim().to_owned()).collect())
    }

    /// All variables.
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The user's home.
    ///
    /// # Errors
    /// [`Refusal`] where HOME is not set.
    pub fn home(&self) -> Result<PathBuf, Refusal> {
        let hint = "set HOME, or say where with --state and --config";
        self.get("HOME")
            .map(PathBuf::from)
            .ok_or_else(|| Refusal::new("no home directory", hint).because("HOME is not set"))
    }

    /// Where our state lies by default.
    ///
    /// # Errors
    /// [`Refusal`] where neither `XDG_STATE_HOME` nor HOME is set.
    pub fn state_folder(&self) -> Result<PathBuf, Refusal> {
        self.folder("XDG_STATE_HOME", ".local/state")
    }

    /// Where our configuration lies by default.
    ///
    /// # Errors
    /// [`Refusal`] where neither `XDG_CONFIG_HOME` nor HOME is set.
    pub fn config_folder(&self) -> Result<PathBuf, Refusal> {
        self.folder("XDG_CONFIG_HOME", ".config")
    }

    fn folder(&self, variable: &str, below_home: &str) -> Result<PathBuf, Refusal> {
        let base = match self.get(variable) {
            Some(path) => PathBuf::from(path),
            None => self.home()?.join(below_home),
        };
        Ok(base.join("clawberth"))
    }
}
