use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// `YEAR.MONTH.PATCH`, then nothing, `-N` (a later correction) or `-beta.N` (an earlier trial).
///
/// This is not semver, where `-N` would be older: the order is `beta.N < final < -N`, as OpenClaw's `RELEASING.md`
/// has it. Versions of different [`Line`]s can be ordered, but the higher one need not be the newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OpenClawVersion {
    year: u16,
    month: u16,
    patch: u16,
    state: State,
}

/// In the order of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum State {
    Beta(u16),
    Final,
    Correction(u16),
}

/// Which stream of releases a version belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// One or two releases a week.
    Regular,
    /// A month's release that is kept alive by fixes: patch 33 and above.
    ExtendedStable,
}

impl OpenClawVersion {
    /// The stream of releases it belongs to.
    pub fn line(&self) -> Line {
        if self.patch >= 33 { Line::ExtendedStable } else { Line::Regular }
    }

    /// Whether it is a trial (`-beta.N`).
    pub fn is_beta(&self) -> bool {
        matches!(self.state, State::Beta(_))
    }
}

impl FromStr for OpenClawVersion {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text).ok_or_else(|| {
            let why = "it is not YEAR.MONTH.PATCH, with -N or -beta.N at most";
            Invalid::new("OpenClaw version", text, why)
        })
    }
}

fn parse(text: &str) -> Option<OpenClawVersion> {
    let (base, suffix) = match text.split_once('-') {
        Some((base, suffix)) => (base, Some(suffix)),
        None => (text, None),
    };
    let mut parts = base.split('.');
    let version = OpenClawVersion {
        year: number(parts.next()?)?,
        month: number(parts.next()?)?,
        patch: number(parts.next()?)?,
        state: match suffix {
            None => State::Final,
            Some(suffix) => match suffix.strip_prefix("beta.") {
                Some(n) => State::Beta(number(n)?),
                None => State::Correction(number(suffix)?),
            },
        },
    };
    let possible = version.year >= 2000 && (1..=12).contains(&version.month);
    (possible && parts.next().is_none()).then_some(version)
}

/// Decimal without sign and without leading zeros, so that a version has one spelling.
pub(super) fn number<N: FromStr>(text: &str) -> Option<N> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (digits && canonical).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for OpenClawVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, patch, state } = self;
        let text = match state {
            State::Beta(n) => format!("{year}.{month}.{patch}-beta.{n}"),
            State::Final => format!("{year}.{month}.{patch}"),
            State::Correction(n) => format!("{year}.{month}.{patch}-{n}"),
        };
        f.pad(&text)
    }
}

impl TryFrom<String> for OpenClawVersion {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<OpenClawVersion> for String {
    fn from(version: OpenClawVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, OpenClawVersion};

    fn version(text: &str) -> OpenClawVersion {
        text.parse().unwrap()
    }

    #[test]
    fn beta_comes_before_final_and_a_correction_after() {
        let ordered = [
            "2026.2.26",
            "2026.7.1-beta.2",
            "2026.7.1-beta.12",
            "2026.7.1",
            "2026.7.1-2",
            "2026.7.1-10",
            "2026.7.2",
            "2026.7.35",
            "2026.9.5",
            "2026.10.1",
            "2027.1.1",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn is_written_as_it_was_read() {
        for text in ["2026.9.6", "2026.7.1-2", "2026.5.0-beta.16"] {
            assert_eq!(version(text).to_string(), text);
            assert_eq!(serde_json::to_string(&version(text)).unwrap(), format!("\"{text}\""));
        }
    }

    #[test]
    fn patch_33_starts_the_other_line() {
        assert_eq!(version("2026.7.32").line(), Line::Regular);
        assert_eq!(version("2026.7.33").line(), Line::ExtendedStable);
        assert!(version("2026.7.1-beta.1").is_beta() && !version("2026.7.1-1").is_beta());
    }

    #[test]
    fn anything_else_is_refused() {
        let wrong = [
            "",
            "latest",
            "2026.9",
            "2026.9.6.1",
            "v2026.9.6",
            "2026.09.6",
            "2026.13.1",
            "2026.0.1",
            "2026.9.6-rc.1",
            "2026.9.6-beta",
            "2026.9.6-",
            "2026.9.+6",
            "2026.9.6 ",
            "20.1.1",
            "2026.9.99999",
        ];
        for text in wrong {
            assert!(text.parse::<OpenClawVersion>().is_err(), "{text}");
        }
        assert_eq!(
            "9.6".parse::<OpenClawVersion>().unwrap_err().to_string(),
            "invalid OpenClaw version \"9.6\": it is not YEAR.MONTH.PATCH, with -N or -beta.N at most"
        );
    }
}
