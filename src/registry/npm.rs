//! OpenClaw in the npm registry that the operator's npm is configured for.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::catalogue::near;
use super::{Offered, ReleaseError, Wanted};
use crate::model::release::{Engines, Integrity, Invalid, OpenClawVersion};

/// npm itself takes about half a second to say it.
const NPM_CONFIG: Duration = Duration::from_secs(15);
/// The list of all versions has some megabytes.
const PACKAGE: Duration = Duration::from_secs(60);

/// The registry's URL, without a slash at the end: from `npm_config_registry`, else from npm, else from `.npmrc`
/// where npm is not installed.
pub(super) async fn registry(env: &BTreeMap<String, String>) -> Result<String, ReleaseError> {
    let url = match from_env(env) {
        Some(url) => Some(url),
        None => match from_npm(env).await {
            Some(url) => Some(url),
            None => from_npmrc(env).await,
        },
    };
    let url = url.filter(|url| url.starts_with("http")).ok_or(ReleaseError::NoRegistry)?;
    Ok(url.trim_end_matches('/').to_owned())
}

/// npm reads its variables in any case.
fn from_env(env: &BTreeMap<String, String>) -> Option<String> {
    let found =
        env.iter().find(|(key, value)| key.eq_ignore_ascii_case("npm_config_registry") && !value.is_empty());
    found.map(|(_, value)| value.clone())
}

async fn from_npm(env: &BTreeMap<String, String>) -> Option<String> {
    let mut npm = Command::new("npm");
    npm.args(["config", "get", "registry"]).env_clear().envs(env).kill_on_drop(true);
    let output = tokio::time::timeout(NPM_CONFIG, npm.output()).await.ok()?.ok()?;
    let url = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| url.trim().to_owned())
}

/// The project's file goes before the user's.
async fn from_npmrc(env: &BTreeMap<String, String>) -> Option<String> {
    let home = env.get("HOME").map(|home| Path::new(home).join(".npmrc"));
    for path in [Some(".npmrc".into()), home].into_iter().flatten() {
        let text = tokio::fs::read_to_string(path).await.unwrap_or_default();
        if let Some(url) = registry_line(&text) {
            return Some(url);
        }
    }
    None
}

fn registry_line(npmrc: &str) -> Option<String> {
    npmrc.lines().rev().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "registry").then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    })
}

/// What the registry knows of OpenClaw.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    #[serde(rename = "dist-tags")]
    tags: BTreeMap<String, String>,
    versions: BTreeMap<String, Manifest>,
    /// When each version was published; only in the long form.
    #[serde(default)]
    time: BTreeMap<String, String>,
}

/// How much is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// Versions, engines and hashes, where a registry has a form for that.
    Short,
    /// Also when they were published.
    Long,
}

impl Form {
    fn accept(self) -> &'static str {
        match self {
            Self::Short => "application/vnd.npm.install-v1+json, application/json;q=0.8",
            Self::Long => "application/json",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    engines: BTreeMap<String, String>,
    dist: Dist,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Dist {
    integrity: String,
}

impl Package {
    pub(super) async fn fetch(
        registry: &str,
        form: Form,
        http: &reqwest::Client,
    ) -> Result<Self, ReleaseError> {
        let fetch = async {
            let request =
                http.get(format!("{registry}/openclaw")).header("accept", form.accept()).timeout(PACKAGE);
            request.send().await?.error_for_status()?.json().await
        };
        fetch.await.map_err(|source| ReleaseError::Unreachable { what: "npm registry", source })
    }

    /// The version that is meant, if the registry has it.
    pub(super) fn version(&self, wanted: Wanted) -> Result<OpenClawVersion, ReleaseError> {
        let wanted = match wanted {
            Wanted::Exact(version) => version.to_string(),
            Wanted::Tested | Wanted::Latest => {
                self.tags.get("latest").cloned().unwrap_or("latest".to_owned())
            }
        };
        match wanted.parse() {
            Ok(version) if self.versions.contains_key(&wanted) => Ok(version),
            _ => {
                let versions = self.versions.keys().filter_map(|version| version.parse().ok());
                Err(ReleaseError::Unknown { near: near(&wanted, versions), wanted })
            }
        }
    }

    /// Every version but trials, the newest first.
    pub(super) fn offered(&self) -> Vec<Offered> {
        let latest = self.tags.get("latest");
        let mut offered: Vec<Offered> = self
            .versions
            .keys()
            .filter_map(|text| {
                let openclaw = text.parse().ok().filter(|version: &OpenClawVersion| !version.is_beta())?;
                let engines = self.pins(openclaw).ok().map(|(engines, _)| engines)?;
                let published = self.time.get(text).and_then(|time| time.parse().ok());
                Some(Offered { openclaw, published, engines, is_latest: latest == Some(text) })
            })
            .collect();
        offered.sort_by_key(|one| std::cmp::Reverse(one.openclaw));
        offered
    }

    /// What a version needs to run and must hash to.
    pub(super) fn pins(&self, openclaw: OpenClawVersion) -> Result<(Engines, Integrity), ReleaseError> {
        let manifest = self.versions.get(&openclaw.to_string());
        let parse = || -> Result<_, Invalid> {
            let engines =
                manifest.and_then(|manifest| manifest.engines.get("node")).map_or("", String::as_str);
            let integrity = manifest.map_or("", |manifest| &manifest.dist.integrity);
            Ok((engines.parse()?, integrity.parse()?))
        };
        parse().map_err(|source| ReleaseError::Unusable { openclaw, source })
    }
}

#[cfg(test)]
mod tests {
    use super::{from_env, registry_line};

    #[test]
    fn the_variable_counts_in_any_case() {
        let env = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        assert_eq!(
            from_env(&env("NPM_CONFIG_REGISTRY", "https://npm.example")).unwrap(),
            "https://npm.example"
        );
        assert_eq!(from_env(&env("npm_config_registry", "")), None);
        assert_eq!(from_env(&env("npm_config_cache", "/x")), None);
    }

    #[test]
    fn the_last_line_of_npmrc_counts() {
        let text =
            "; comment\n@scope:registry=https://a.example\nregistry = \"https://b.example/\"\nfund=false\n";
        assert_eq!(registry_line(text).unwrap(), "https://b.example/");
        assert_eq!(registry_line("fund=false\n"), None);
    }
}
