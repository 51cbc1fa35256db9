use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::share::Share;

/// How many hosts are updated together, wave by wave: `1,5,25%,100%`.
///
/// As Ansible's `serial`: each is the size of one wave, not a sum; a part is of all hosts, rounded down, one host
/// at least; the last one repeats until no host is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Waves(Vec<Share>);

impl Waves {
    /// One host, then all others.
    pub(super) fn of_a_small_fleet() -> Self {
        Self(vec![Share::Hosts(1), Share::Percent(100)])
    }

    /// `1,5,25%,100%`.
    pub(super) fn of_a_large_fleet() -> Self {
        Self(vec![Share::Hosts(1), Share::Hosts(5), Share::Percent(25), Share::Percent(100)])
    }

    /// The sizes of the waves of so many hosts; their sum is the number of hosts.
    pub fn sizes(&self, hosts: usize) -> Vec<usize> {
        let last = self.0.last().copied().unwrap_or(Share::Percent(100));
        let mut shares = self.0.iter().copied().chain(std::iter::repeat(last));
        let (mut sizes, mut left) = (Vec::new(), hosts);
        while left > 0 {
            let size = shares.next().unwrap_or(last).of(hosts).min(left);
            sizes.push(size);
            left -= size;
        }
        sizes
    }
}

impl FromStr for Waves {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wave = |part: &str| {
            Share::parse(part.trim()).map_err(|why| {
                let why = format!("of the wave {:?}: {why}; write them like 1,5,25%,100%", part.trim());
                Invalid::new("waves", text, why)
            })
        };
        Ok(Self(text.split(',').map(wave).collect::<Result<_, _>>()?))
    }
}

impl TryFrom<String> for Waves {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Waves> for String {
    fn from(waves: Waves) -> Self {
        waves.to_string()
    }
}

impl fmt::Display for Waves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(Share::to_string).collect();
        f.pad(&all.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(text: &str, hosts: usize) -> Vec<usize> {
        text.parse::<Waves>().unwrap().sizes(hosts)
    }

    #[test]
    fn each_is_the_size_of_one_wave_and_the_last_repeats() {
        assert_eq!(sizes("1,5,25%,100%", 40), [1, 5, 10, 24]);
        assert_eq!(sizes("1,2", 8), [1, 2, 2, 2, 1]);
        assert_eq!(sizes("30%", 10), [3, 3, 3, 1]);
        assert_eq!(sizes("100%", 3), [3]);
    }

    #[test]
    fn a_part_is_rounded_down_and_one_host_at_least() {
        assert_eq!(sizes("50%", 3), [1, 1, 1]);
        assert_eq!(sizes("1%,100%", 3), [1, 2]);
        assert_eq!(sizes("1,5", 0), [] as [usize; 0]);
    }

    #[test]
    fn what_is_no_list_of_waves_is_refused() {
        let why = |text: &str| text.parse::<Waves>().unwrap_err().to_string();
        let hint = "; write them like 1,5,25%,100%";
        assert_eq!(why("1,0"), format!("invalid waves \"1,0\": of the wave \"0\": it is no host{hint}"));
        assert!(why("").contains("it is neither a number of hosts like 2 nor a part of them like 5%"));
        assert!(why("1,,2").contains("of the wave \"\""));
        assert!(why("101%").contains("it is more than 100%"));
        assert!(why("+1").contains("neither"));
        assert!(why("99999999999").contains("too large"));
    }

    #[test]
    fn they_are_written_down_as_they_are_typed() {
        let waves: Waves = "1, 5,25%".parse().unwrap();
        assert_eq!(serde_json::to_string(&waves).unwrap(), "\"1,5,25%\"");
        assert_eq!(serde_json::from_str::<Waves>("\"1,5,25%\"").unwrap(), waves);
    }
}
