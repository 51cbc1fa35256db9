//! Holes of releases that are known and used.

use serde::Deserialize;

use super::release::OpenClawVersion;

/// A hole, and who has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flaw {
    /// Its number: CVE, or GitHub's where there is none.
    pub id: String,
    /// What it lets somebody do.
    pub what: String,
    /// The oldest release without it.
    pub fixed: OpenClawVersion,
}

/// Those that a release has, in one line; none where it has none.
pub fn of(flaws: &[Flaw], release: OpenClawVersion) -> Option<String> {
    let open: Vec<&Flaw> = flaws.iter().filter(|flaw| release < flaw.fixed).collect();
    let last = open.iter().max_by_key(|flaw| flaw.fixed)?;
    let list: Vec<String> = open.iter().map(|flaw| format!("{} ({})", flaw.id, flaw.what)).collect();
    Some(format!("{}; {} is the oldest release without them", list.join(", "), last.fixed))
}

#[cfg(test)]
mod tests {
    use super::{Flaw, of};

    #[test]
    fn a_release_has_what_was_closed_after_it() {
        let flaw = |id: &str, fixed: &str| Flaw {
            id: id.to_owned(),
            what: "it leaks".to_owned(),
            fixed: fixed.parse().unwrap(),
        };
        let flaws = [flaw("A", "2026.1.2"), flaw("B", "2026.4.8"), flaw("C", "2026.4.15")];
        let open = |version: &str| of(&flaws, version.parse().unwrap());
        assert_eq!(open("2026.4.15"), None);
        assert_eq!(open("2026.4.8").unwrap(), "C (it leaks); 2026.4.15 is the oldest release without them");
        assert!(open("2026.1.1").unwrap().starts_with("A (it leaks), B (it leaks), C (it leaks); 2026.4.15"));
    }
}
