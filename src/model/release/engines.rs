use std::fmt;
use std::str::FromStr;

use semver::VersionReq;
use serde::{Deserialize, Serialize};

use super::{Invalid, NodeVersion};

/// The Node versions that a package accepts: `engines.node` of its manifest, in npm's grammar
/// (`>=24.16.0 <25 || >=26.1.0`). Hyphen ranges (`18 - 20`) are not understood: OpenClaw never had one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Engines {
    text: String,
    alternatives: Vec<VersionReq>,
}

impl Engines {
    /// Whether this Node is accepted.
    pub fn accept(&self, node: NodeVersion) -> bool {
        let version = node.semver();
        self.alternatives.iter().any(|range| range.matches(&version))
    }
}

impl FromStr for Engines {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let alternatives = text
            .split("||")
            .map(range)
            .collect::<Result<_, _>>()
            .map_err(|error| Invalid::new("engines", text, error.to_string()))?;
        let text = text.to_owned();
        Ok(Self { text, alternatives })
    }
}

/// One alternative of npm's grammar (comparators side by side) in the crate's (separated by commas).
fn range(text: &str) -> Result<VersionReq, semver::Error> {
    let mut comparators: Vec<String> = Vec::new();
    let mut operator = String::new();
    for word in text.split_whitespace() {
        operator.push_str(word);
        if word.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '*') {
            comparators.push(exact_if_bare(&operator));
            operator.clear();
        }
    }
    if !operator.is_empty() {
        comparators.push(operator);
    }
    match comparators.as_slice() {
        [] => Ok(VersionReq::STAR),
        some => VersionReq::parse(&some.join(", ")),
    }
}

/// A version without operator is exact to npm, but a caret range to the crate.
fn exact_if_bare(comparator: &str) -> String {
    match comparator.strip_prefix('v').unwrap_or(comparator) {
        bare if bare.starts_with(|c: char| c.is_ascii_digit()) => format!("={bare}"),
        other => other.to_owned(),
    }
}

impl fmt::Display for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl TryFrom<String> for Engines {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Engines> for String {
    fn from(engines: Engines) -> Self {
        engines.text
    }
}

#[cfg(test)]
mod tests {
    use super::Engines;

    fn accepts(engines: &str, node: &str) -> bool {
        engines.parse::<Engines>().unwrap().accept(node.parse().unwrap())
    }

    #[test]
    fn alternatives_and_bounds_hold_as_in_npm() {
        let engines = ">=24.16.0 <25 || >=26.1.0";
        for (node, accepted) in [
            ("24.15.9", false),
            ("24.16.0", true),
            ("24.21.0", true),
            ("25.0.0", false),
            ("25.9.0", false),
            ("26.0.0", false),
            ("26.1.0", true),
            ("27.0.0", true),
        ] {
            assert_eq!(accepts(engines, node), accepted, "{node}");
        }
    }

    #[test]
    fn other_spellings_of_npm_are_understood() {
        assert!(accepts(">= 22.12.0", "24.0.0") && !accepts(">= 22.12.0", "22.11.9"));
        assert!(accepts("22.x || ^24.1", "22.5.0") && !accepts("22.x || ^24.1", "24.0.9"));
        assert!(accepts("24.1.0", "24.1.0") && !accepts("24.1.0", "24.2.0"));
        assert!(accepts("24", "24.9.9") && !accepts("24", "25.0.0"));
        assert!(accepts("*", "1.2.3") && accepts("", "1.2.3"));
    }

    #[test]
    fn nonsense_is_refused_with_its_text() {
        for text in ["18 - 20", ">=", "node", "=> 24"] {
            let error = text.parse::<Engines>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("invalid engines {text:?}: ")), "{error}");
        }
    }
}
