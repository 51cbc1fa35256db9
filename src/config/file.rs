//! `clawberth.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Environment;
use crate::model::refusal::{Refusal, near};

/// The file's name in the working directory.
pub const FILE_NAME: &str = "clawberth.toml";

const KEYS: [&str; 14] = [
    "admin_networks",
    "locations",
    "server_type",
    "image",
    "version",
    "domain",
    "ssh_key",
    "deletion_protection",
    "acme_directory",
    "acme_root",
    "node_mirror",
    "endpoint",
    "policy",
    "instance",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) admin_networks: Option<OneOrMany>,
    pub(super) locations: Option<Vec<String>>,
    pub(super) server_type: Option<String>,
    pub(super) image: Option<String>,
    pub(super) version: Option<String>,
    pub(super) domain: Option<String>,
    pub(super) ssh_key: Option<String>,
    pub(super) deletion_protection: Option<bool>,
    pub(super) acme_directory: Option<String>,
    pub(super) acme_root: Option<PathBuf>,
    pub(super) node_mirror: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) policy: toml::Table,
    pub(super) instance: BTreeMap<String, InstanceEntry>,
    /// The folder that the file is in.
    #[serde(skip)]
    pub(super) folder: Option<PathBuf>,
}

/// `[instance.NAME]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct InstanceEntry {
    pub(super) policy: toml::Table,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

impl File {
    /// The file that was named, else the one here, else the user's, else nothing.
    pub(super) fn load(named: Option<&Path>, env: &Environment, cwd: &Path) -> Result<Self, Refusal> {
        let named = named.map(Path::to_owned).or_else(|| env.get("CLAWBERTH_CONFIG").map(PathBuf::from));
        if let Some(path) = named {
            let path = cwd.join(path);
            let text = std::fs::read_to_string(&path).map_err(|why| unreadable(&path, why))?;
            return Self::parse(&path, &text);
        }
        let users = env.config_folder().ok().map(|folder| folder.join(FILE_NAME));
        for path in [Some(cwd.join(FILE_NAME)), users].into_iter().flatten() {
            match std::fs::read_to_string(&path) {
                Ok(text) => return Self::parse(&path, &text),
                Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
                Err(why) => return Err(unreadable(&path, why)),
            }
        }
        Ok(Self::default())
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Refusal> {
        let broken = |why: toml::de::Error| {
            let at = why.span().map_or(String::new(), |span| {
                let line = text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1;
                format!(" line {line}")
            });
            let what = format!("cannot read {}{at}", path.display());
            Refusal::new(what, "mend the file; `clawberth init` shows every key").because(why.message())
        };
        let table: toml::Table = toml::from_str(text).map_err(broken)?;
        if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let hint = match near(unknown, KEYS).first() {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("the keys are {}", KEYS.join(", ")),
            };
            return Err(Refusal::new(format!("unknown key `{unknown}` in {}", path.display()), hint));
        }
        let file: Self = toml::from_str(text).map_err(broken)?;
        Ok(Self { folder: path.parent().map(Path::to_owned), ..file })
    }
}

fn unreadable(path: &Path, why: std::io::Error) -> Refusal {
    Refusal::new(format!("cannot read {}", path.display()), "name another file with --config").because(why)
}

/// What `init` writes: every key, commented, with its default.
pub fn template(admin_networks: &str) -> String {
    include_str!("../../templates/clawberth.toml").replace("@ADMIN_NETWORKS@", admin_networks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_names_every_key_and_is_valid() {
        let text = template("\"203.0.113.7\"");
        for key in KEYS {
            let is_named = [format!("{key} = "), format!("[{key}]"), format!("[{key}.")];
            assert!(is_named.iter().any(|named| text.contains(named)), "{key}");
        }
        let uncommented: String = text
            .lines()
            .map(|line| line.strip_prefix("#:").unwrap_or(line))
            .fold(String::new(), |all, line| all + line + "\n");
        let file = File::parse(Path::new("x"), &uncommented).unwrap();
        assert!(file.endpoint.is_some() && file.admin_networks.is_some());
    }

    #[test]
    fn a_syntax_error_names_the_line() {
        let error = File::parse(Path::new("f.toml"), "image = \"a\"\nversion = \n").unwrap_err();
        assert!(error.to_string().starts_with("cannot read f.toml line 2"), "{error}");
    }
}
