//! The releases that this version was tested with, and the holes that are known of older ones.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::model::flaw::Flaw;
use crate::model::release::{OpenClawVersion, Release};

/// The tested releases, the newest first; never empty.
#[derive(Clone, Debug)]
pub struct Catalogue {
    newest: Release,
    older: Vec<Release>,
    flaws: Vec<Flaw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    release: Vec<Release>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flaws {
    flaw: Vec<Flaw>,
}

impl Catalogue {
    /// The catalogue that was compiled in.
    ///
    /// # Errors
    /// A fault in `releases.toml` or `flaws.toml`; a test keeps them free of it.
    pub fn built_in() -> Result<Self> {
        let flaws: Flaws = toml::from_str(include_str!("flaws.toml")).context("the list of known holes")?;
        parse(include_str!("releases.toml"), flaws.flaw).context("the catalogue of releases")
    }

    /// What a deploy takes unless told otherwise.
    pub fn newest(&self) -> &Release {
        &self.newest
    }

    /// The oldest release that this version's gateway configuration is known to fit.
    pub fn oldest(&self) -> &Release {
        self.older.last().unwrap_or(&self.newest)
    }

    /// The holes that are known and used.
    pub fn flaws(&self) -> &[Flaw] {
        &self.flaws
    }

    /// All releases, the newest first.
    pub fn releases(&self) -> impl Iterator<Item = &Release> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    /// The release of this OpenClaw version.
    pub fn find(&self, version: OpenClawVersion) -> Option<&Release> {
        self.releases().find(|release| release.openclaw == version)
    }

    /// The versions that somebody who typed `text` may have meant, the likeliest first.
    pub fn near(&self, text: &str) -> Vec<OpenClawVersion> {
        near(text, self.releases().map(|release| release.openclaw))
    }
}

fn parse(text: &str, flaws: Vec<Flaw>) -> Result<Catalogue> {
    let File { release: releases } = toml::from_str(text)?;
    for release in &releases {
        let Release { openclaw, engines, node, .. } = release;
        ensure!(engines.accept(*node), "OpenClaw {openclaw} does not run on Node {node}, but on {engines}");
    }
    ensure!(releases.is_sorted_by(|newer, older| newer.openclaw > older.openclaw), "it is not sorted");
    let mut releases = releases.into_iter();
    let newest = releases.next().context("it is empty")?;
    Ok(Catalogue { newest, older: releases.collect(), flaws })
}

/// Up to three candidates that look like `text`, the most similar first, the newer first among equals.
pub(super) fn near(
    text: &str,
    candidates: impl IntoIterator<Item = OpenClawVersion>,
) -> Vec<OpenClawVersion> {
    /// Jaro-Winkler similarity below which a suggestion would rather confuse; versions share their year anyway.
    const SIMILAR: f64 = 0.85;
    let mut scored: Vec<_> = candidates
        .into_iter()
        .map(|version| (strsim::jaro_winkler(text, &version.to_string()), version))
        .filter(|(score, _)| *score >= SIMILAR)
        .collect();
    scored.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(y.cmp(x)));
    scored.into_iter().take(3).map(|(_, version)| version).collect()
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, parse};
    use crate::model::flaw;

    #[test]
    fn the_built_in_catalogue_is_sound_and_has_two_releases() {
        let catalogue = Catalogue::built_in().unwrap();
        assert!(catalogue.releases().count() >= 2, "an update needs two");
        assert_eq!(catalogue.find(catalogue.newest().openclaw), Some(catalogue.newest()));
        assert!(catalogue.oldest().openclaw < catalogue.newest().openclaw);
        assert!(catalogue.releases().all(|release| flaw::of(catalogue.flaws(), release.openclaw).is_none()));
    }

    #[test]
    fn suggests_what_was_probably_meant() {
        let near = |text: &str| {
            let found = Catalogue::built_in().unwrap().near(text);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(near("2026.9.66"), ["2026.9.6", "2026.9.5"]);
        assert_eq!(near("2026.9.5-1").first().unwrap(), "2026.9.5");
        assert!(near("banana").is_empty());
    }

    #[test]
    fn faults_are_named() {
        let fault = |text: &str| parse(text, Vec::new()).unwrap_err().to_string();
        assert_eq!(fault("release = []"), "it is empty");
        let entry = |version: &str, node: &str| {
            let integrity = Catalogue::built_in().unwrap().newest().integrity.clone();
            format!(
                "[[release]]\nopenclaw='{version}'\nengines='>=24'\nintegrity='{integrity}'\nnode='{node}'\n"
            )
        };
        assert_eq!(
            fault(&entry("2026.9.6", "22.1.0")),
            "OpenClaw 2026.9.6 does not run on Node 22.1.0, but on >=24"
        );
        assert_eq!(fault(&(entry("2026.9.5", "24.1.0") + &entry("2026.9.6", "24.1.0"))), "it is not sorted");
    }
}
