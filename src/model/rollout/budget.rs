use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::share::Share;

/// How many hosts may fail: `2`, or `5%` of all hosts of the rollout, rounded down; one at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Budget(Share);

impl Budget {
    /// `2%`: one host of up to 99.
    pub(super) fn usual() -> Self {
        Self(Share::Percent(2))
    }

    /// How many of so many hosts may fail.
    pub fn of(self, hosts: usize) -> usize {
        self.0.of(hosts)
    }
}

impl FromStr for Budget {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Share::parse(text).map(Self).map_err(|why| {
            let hint = "one host at least has to be allowed to fail, or none could be touched";
            let why = if why == "it is no host" { format!("{why}; {hint}") } else { why.to_owned() };
            Invalid::new("budget", text, why)
        })
    }
}

impl TryFrom<String> for Budget {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Budget> for String {
    fn from(budget: Budget) -> Self {
        budget.to_string()
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn a_number_or_a_part_and_one_at_least() {
        let of = |text: &str, hosts| text.parse::<Budget>().unwrap().of(hosts);
        assert_eq!([of("2", 1000), of("5%", 1000), of("5%", 39), of("5%", 1)], [2, 50, 1, 1]);
    }

    #[test]
    fn says_why_it_is_refused() {
        let why = |text: &str| text.parse::<Budget>().unwrap_err().to_string();
        let none = "it is no host; one host at least has to be allowed to fail, or none could be touched";
        assert_eq!(why("0"), format!("invalid budget \"0\": {none}"));
        assert_eq!(why("0%"), format!("invalid budget \"0%\": {none}"));
        assert!(why("two").ends_with("neither a number of hosts like 2 nor a part of them like 5%"));
        assert!(why("-1").contains("neither"));
    }
}
