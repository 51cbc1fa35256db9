//! The releases there are: the catalogue of tested ones, and the npm registry for the others.

pub mod catalogue;
mod error;
mod node;
mod npm;

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;

use crate::model::release::{Engines, Invalid, OpenClawVersion, Release};

pub use catalogue::Catalogue;
pub use error::ReleaseError;

/// Which release an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The newest of the catalogue: needs no network.
    Tested,
    /// What the registry calls `latest`.
    Latest,
    /// This one.
    Exact(OpenClawVersion),
}

impl FromStr for Wanted {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "latest" => Ok(Self::Latest),
            version => version.parse().map(Self::Exact),
        }
    }
}

/// Where releases are looked up.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The tested releases; asked first.
    pub catalogue: &'a Catalogue,
    /// Makes the requests.
    pub http: &'a reqwest::Client,
    /// The operator's environment: says which npm registry is theirs.
    pub env: &'a BTreeMap<String, String>,
    /// The URL of a Node distribution, without a slash at the end.
    pub node_mirror: &'a str,
}

/// Pins what was asked for: exact versions, with the hash that the tarball must have.
///
/// # Errors
/// See [`ReleaseError`]; nothing has been created yet.
pub async fn resolve(wanted: Wanted, sources: &Sources<'_>) -> Result<Release, ReleaseError> {
    let tested = match wanted {
        Wanted::Tested => Some(sources.catalogue.newest()),
        Wanted::Latest => None,
        Wanted::Exact(version) => sources.catalogue.find(version),
    };
    match tested {
        Some(release) => Ok(release.clone()),
        None => ask(wanted, sources).await,
    }
}

/// A version in the registry that can be deployed.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Which.
    pub openclaw: OpenClawVersion,
    /// When it was published, as the registry says.
    pub published: Option<Timestamp>,
    /// The Node versions that it runs on.
    pub engines: Engines,
    /// Whether it is what the registry calls `latest`.
    pub is_latest: bool,
}

/// What the registry has that can be deployed, the newest first; no trials.
///
/// # Errors
/// [`ReleaseError::NoRegistry`], [`ReleaseError::Unreachable`].
pub async fn offered(sources: &Sources<'_>) -> Result<Vec<Offered>, ReleaseError> {
    let registry = npm::registry(sources.env).await?;
    let package = npm::Package::fetch(&registry, npm::Form::Long, sources.http).await?;
    let mut offered = package.offered();
    let oldest = sources.catalogue.oldest().openclaw;
    offered.retain(|one| one.openclaw >= oldest);
    Ok(offered)
}

async fn ask(wanted: Wanted, sources: &Sources<'_>) -> Result<Release, ReleaseError> {
    let registry = npm::registry(sources.env).await?;
    let package = npm::Package::fetch(&registry, npm::Form::Short, sources.http).await?;
    let openclaw = package.version(wanted)?;
    let oldest = sources.catalogue.oldest().openclaw;
    if openclaw < oldest {
        return Err(ReleaseError::TooOld { openclaw, oldest });
    }
    if let Some(tested) = sources.catalogue.find(openclaw) {
        return Ok(tested.clone());
    }
    let (engines, integrity) = package.pins(openclaw)?;
    let index = node::Index::fetch(sources.node_mirror, sources.http).await?;
    let Some(node) = index.newest(&engines) else {
        let mirror = sources.node_mirror.to_owned();
        return Err(ReleaseError::Engines { openclaw, engines, mirror });
    };
    Ok(Release { openclaw, engines, integrity, node })
}
