//! Settings: file, then environment, then flags; each value checked once, here.

mod environment;
mod file;
mod policy;

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

pub use environment::{Environment, VARIABLES};
pub use file::{FILE_NAME, template};

use crate::model::admin::AdminNetworks;
use crate::model::key_name::KeyName;
use crate::model::observed::EU_LOCATIONS;
use crate::model::place::Place;
use crate::model::policy::Policies;
use crate::model::refusal::Refusal;
use crate::secret::Secret;
use file::File;

/// Hetzner's own API.
const HETZNER: &str = "https://api.hetzner.cloud/v1";
/// Let's Encrypt's production directory.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// The official Node distribution.
const NODE: &str = "https://nodejs.org/dist";
/// For how long an instance is so new that it may be a trial, of which the Console or a script may get rid.
const NEW: SignedDuration = SignedDuration::from_hours(24);

/// What was said on the command line for every command.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--state`
    pub state: Option<String>,
    /// `--location`, in order
    pub locations: Vec<String>,
    /// `--type`
    pub server_type: Option<String>,
    /// `--version`
    pub version: Option<String>,
    /// `--domain`
    pub domain: Option<String>,
}

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Base URL of the Hetzner API, with `/v1`.
    pub endpoint: String,
    /// The project's token, from the environment only.
    pub token: Option<Secret>,
    /// From where SSH is allowed; there is no default.
    pub admin_networks: Option<AdminNetworks>,
    /// Locations to try, in order.
    pub locations: Vec<String>,
    /// Locations that the file or the environment names: outside the EU only these are allowed.
    pub named_locations: Vec<String>,
    /// The server type.
    pub server_type: String,
    /// The image.
    pub image: String,
    /// An exact version, `latest`, or none: the newest tested one.
    pub version: Option<String>,
    /// The zone under which instances have names.
    pub domain: Option<String>,
    /// The ACME directory that servers get certificates from.
    pub acme_directory: String,
    /// PEM file with the only roots that a gateway's chain may end in; none: this system's roots.
    pub acme_root: Option<PathBuf>,
    /// Where servers get Node from.
    pub node_mirror: String,
    /// Where the state lies.
    pub state: Place,
    /// Where files lie that belong to a state in a database.
    pub state_folder: Option<PathBuf>,
    /// The key in an agent that is the fleet's own; none: a key in a file is.
    pub ssh_key: Option<KeyName>,
    /// The one in an agent that is to follow what is the fleet's own: while `keys rotate` is at work, which goes by the state meanwhile.
    pub next_ssh_key: Option<KeyName>,
    /// The socket of the agent.
    pub agent: Option<PathBuf>,
    /// Whether servers are protected from deletion, from their second day on.
    pub deletion_protection: bool,
    /// What gateways may do, and for whom.
    pub policies: Policies,
    /// The folder of the file, from which the paths of secrets are seen; none: there is no file.
    pub folder: Option<PathBuf>,
}

impl Settings {
    /// Merges file, environment and flags.
    ///
    /// # Errors
    /// [`Refusal`], naming the file or variable and the value.
    pub fn load(flags: &Flags, env: &Environment, cwd: &Path) -> Result<Self, Refusal> {
        let mut file = File::load(flags.config.as_deref(), env, cwd)?;
        let policies =
            policy::policies(std::mem::take(&mut file.policy), std::mem::take(&mut file.instance))?;
        let folder = file.folder.take();
        let admin_networks = admin_networks(&file, env)?;
        let named_locations = env.list("CLAWBERTH_LOCATIONS").or(file.locations).unwrap_or_default();
        let locations = [&flags.locations, &named_locations]
            .into_iter()
            .find(|list| !list.is_empty())
            .cloned()
            .unwrap_or_else(|| EU_LOCATIONS.map(str::to_owned).to_vec());
        let pick = |flag: &Option<String>, variable: &str, value: Option<String>| {
            flag.clone().or_else(|| env.get(variable).map(str::to_owned)).or(value)
        };
        let endpoint = pick(&None, "HCLOUD_ENDPOINT", file.endpoint).unwrap_or_else(|| HETZNER.to_owned());
        let acme = pick(&None, "CLAWBERTH_ACME_DIRECTORY", file.acme_directory);
        let mirror = pick(&None, "CLAWBERTH_NODE_MIRROR", file.node_mirror);
        let domain = pick(&flags.domain, "CLAWBERTH_DOMAIN", file.domain);
        let ssh_key = pick(&None, "CLAWBERTH_SSH_KEY", file.ssh_key);
        Ok(Self {
            endpoint: url("HCLOUD_ENDPOINT", endpoint)?,
            token: env.get("HCLOUD_TOKEN").map(Secret::new),
            admin_networks,
            locations,
            named_locations,
            server_type: pick(&flags.server_type, "CLAWBERTH_SERVER_TYPE", file.server_type)
                .unwrap_or_else(|| "cx23".to_owned()),
            image: pick(&None, "CLAWBERTH_IMAGE", file.image).unwrap_or_else(|| "debian-13".to_owned()),
            version: pick(&flags.version, "CLAWBERTH_VERSION", file.version),
            domain: domain.map(domain_name).transpose()?,
            acme_directory: url("acme_directory", acme.unwrap_or_else(|| LETS_ENCRYPT.to_owned()))?,
            acme_root: env.get("CLAWBERTH_ACME_ROOT").map(PathBuf::from).or(file.acme_root),
            node_mirror: url("node_mirror", mirror.unwrap_or_else(|| NODE.to_owned()))?,
            state: state(flags, env)?,
            state_folder: env.state_folder().ok(),
            ssh_key: ssh_key.map(|name| name.parse()).transpose()?,
            next_ssh_key: None,
            agent: env.get("SSH_AUTH_SOCK").map(PathBuf::from),
            deletion_protection: file.deletion_protection.unwrap_or(true),
            policies,
            folder,
        })
    }

    /// The token.
    ///
    /// # Errors
    /// [`Refusal`] where none is set or it cannot be one.
    pub fn token(&self) -> Result<&Secret, Refusal> {
        let token = self.token.as_ref().ok_or_else(|| {
            Refusal::new(
                "no API token",
                "create one in the Hetzner Console (Security, API tokens, Read & Write) and run \
                 `export HCLOUD_TOKEN=…`; to try without an account: `clawberth lab up`",
            )
            .because("HCLOUD_TOKEN is not set")
        })?;
        if token.expose().chars().all(|c| c.is_ascii_graphic()) {
            Ok(token)
        } else {
            Err(Refusal::new(
                "the API token cannot be one",
                "set HCLOUD_TOKEN again, without spaces or line ends",
            )
            .because("HCLOUD_TOKEN has characters that no token has"))
        }
    }

    /// Whose servers are protected from deletion: instances that were first asked for before this time.
    pub fn protect_before(&self, now: Timestamp) -> Option<Timestamp> {
        now.checked_sub(NEW).ok().filter(|_| self.deletion_protection)
    }

    /// The admin networks.
    ///
    /// # Errors
    /// [`Refusal`] where none are set.
    pub fn admin_networks(&self) -> Result<&AdminNetworks, Refusal> {
        self.admin_networks.as_ref().ok_or_else(|| {
            Refusal::new(
                "no admin networks",
                "run `clawberth init`, or set CLAWBERTH_ADMIN_NETWORKS to the addresses you work from",
            )
            .because("nothing says from which addresses SSH is allowed")
        })
    }
}

fn admin_networks(file: &File, env: &Environment) -> Result<Option<AdminNetworks>, Refusal> {
    let (source, entries) = match (env.list("CLAWBERTH_ADMIN_NETWORKS"), &file.admin_networks) {
        (Some(entries), _) => ("CLAWBERTH_ADMIN_NETWORKS", entries),
        (None, Some(entries)) => ("admin_networks", entries.clone().into_list()),
        (None, None) => return Ok(None),
    };
    let hint = "give the addresses you work from, like \"203.0.113.7\"; for the whole internet write \"any\"";
    AdminNetworks::parse(entries.iter().map(String::as_str))
        .map(Some)
        .map_err(|why| Refusal::new(format!("{source} is not usable"), hint).because(why))
}

fn url(what: &str, text: String) -> Result<String, Refusal> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest)
            if !rest.is_empty()
                && text.chars().all(|c| c.is_ascii_graphic() && !"'\"<>\\^`{|}".contains(c)) =>
        {
            Ok(text.trim_end_matches('/').to_owned())
        }
        Some(_) | None => {
            Err(Refusal::new(format!("{what} is no URL: {text:?}"), "write it as https://host/path"))
        }
    }
}

/// A DNS zone: labels of letters, digits and hyphens, at least two.
fn domain_name(text: String) -> Result<String, Refusal> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if name.len() <= 200 && name.split('.').count() >= 2 && name.split('.').all(label) {
        Ok(name)
    } else {
        let hint = "give the name of a zone in your Hetzner project, like example.org";
        Err(Refusal::new(format!("{text:?} is no domain"), hint))
    }
}

/// A place that was named on the command line.
///
/// # Errors
/// [`Refusal`], also where a password is in it.
pub fn place(text: &str) -> Result<Place, Refusal> {
    let place = Place::parse(text)?;
    match &place {
        Place::Postgres(database) if database.has_password() => Err(Refusal::new(
            "the password of the state's database would be seen in the process list",
            "leave it out here, and put it into ~/.pgpass or PGPASSWORD, or the URL into CLAWBERTH_STATE",
        )),
        Place::Postgres(_) | Place::File(_) => Ok(place),
    }
}

fn state(flags: &Flags, env: &Environment) -> Result<Place, Refusal> {
    if let Some(flag) = &flags.state {
        return place(flag);
    }
    match env.get("CLAWBERTH_STATE") {
        Some(text) => Place::parse(text),
        None => Ok(Place::File(env.state_folder()?.join("state.sqlite"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        Environment::new(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())))
    }

    fn load(toml: &str, pairs: &[(&str, &str)], flags: Flags) -> Result<Settings, Refusal> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), toml).unwrap();
        let mut all = vec![("HOME", "/home/u")];
        all.extend_from_slice(pairs);
        Settings::load(&flags, &env(&all), dir.path())
    }

    #[test]
    fn flags_win_over_environment_over_file() {
        let toml = "domain = \"file.example\"\nserver_type = \"cx33\"\nlocations = [\"hel1\"]\n";
        let pairs = [("CLAWBERTH_DOMAIN", "env.example"), ("CLAWBERTH_SERVER_TYPE", "cx43")];
        let flags = Flags { domain: Some("flag.example".into()), ..Flags::default() };
        let settings = load(toml, &pairs, flags).unwrap();
        assert_eq!(settings.domain.as_deref(), Some("flag.example"));
        assert_eq!(settings.server_type, "cx43");
        assert_eq!(settings.locations, ["hel1"]);
        assert_eq!(settings.state.to_string(), "/home/u/.local/state/clawberth/state.sqlite");
    }

    #[test]
    fn defaults_are_the_eu_and_the_smallest_type() {
        let settings = load("", &[], Flags::default()).unwrap();
        assert_eq!(settings.locations, ["fsn1", "nbg1", "hel1"]);
        assert_eq!((settings.server_type.as_str(), settings.image.as_str()), ("cx23", "debian-13"));
        assert!(settings.admin_networks().is_err());
        assert!(settings.token().is_err());
    }

    #[test]
    fn an_unknown_key_is_refused_with_a_suggestion() {
        let error = load("admin_network = \"any\"\n", &[], Flags::default()).unwrap_err();
        assert_eq!(error.hint(), "did you mean `admin_networks`?");
    }

    #[test]
    fn everybody_is_not_an_admin_network() {
        let error = load("admin_networks = [\"0.0.0.0/0\"]\n", &[], Flags::default()).unwrap_err();
        assert_eq!(error.to_string(), "admin_networks is not usable");
        assert!(load("admin_networks = \"any\"\n", &[], Flags::default()).unwrap().admin_networks.is_some());
    }

    #[test]
    fn domains_and_urls_are_checked() {
        assert!(load("domain = \"nodots\"\n", &[], Flags::default()).is_err());
        assert!(load("", &[("HCLOUD_ENDPOINT", "api.example")], Flags::default()).is_err());
        let settings = load("domain = \"Example.org.\"\n", &[], Flags::default()).unwrap();
        assert_eq!(settings.domain.as_deref(), Some("example.org"));
    }
}
