use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Bake, Budget, Invalid, Waves, Window};

/// Fewer hosts than this are a small fleet.
const SMALL: usize = 10;
/// As many hosts at once as one controller drives without noticing it.
const PARALLEL: u32 = 10;

/// How a rollout goes about its hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How many hosts each wave has.
    pub waves: Waves,
    /// How long a wave has to be good before the next one starts.
    pub bake: Bake,
    /// How many hosts are in flight at most. The budget bounds them, too.
    pub max_parallel: NonZeroU32,
    /// How many hosts may fail.
    pub budget: Budget,
    /// What becomes of the others when so many have failed.
    pub on_failure: OnFailure,
    /// When hosts may be started; none: at any time.
    pub window: Option<Window>,
}

/// What becomes of the hosts that are updated when the budget is used up. In any case no further host starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// They stay updated.
    Stop,
    /// Those of the wave go back.
    RevertWave,
    /// All go back.
    RevertAll,
}

impl Settings {
    /// What is done where nothing else is asked for. The first wave is one host in any case.
    pub fn of_a_fleet(hosts: usize) -> Self {
        let small = hosts < SMALL;
        Self {
            waves: if small { Waves::of_a_small_fleet() } else { Waves::of_a_large_fleet() },
            bake: Bake::usual(),
            max_parallel: NonZeroU32::new(PARALLEL).unwrap_or(NonZeroU32::MIN),
            budget: Budget::usual(),
            on_failure: OnFailure::Stop,
            window: None,
        }
    }
}

impl OnFailure {
    const ALL: [Self; 3] = [Self::Stop, Self::RevertWave, Self::RevertAll];

    /// As it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::RevertWave => "revert-wave",
            Self::RevertAll => "revert-all",
        }
    }
}

impl FromStr for OnFailure {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|choice| choice.word() == text);
        let why = "it is none of stop, revert-wave and revert-all";
        found.ok_or_else(|| Invalid::new("choice for a failure", text, why))
    }
}

impl fmt::Display for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wave_is_one_host_whatever_the_fleet() {
        for hosts in 1..2000 {
            assert_eq!(Settings::of_a_fleet(hosts).waves.sizes(hosts).first(), Some(&1), "{hosts}");
        }
    }

    #[test]
    fn one_host_of_a_small_fleet_may_fail_and_two_in_a_hundred_of_a_large_one() {
        let budget = |hosts| Settings::of_a_fleet(hosts).budget.of(hosts);
        assert_eq!([budget(1), budget(30), budget(99), budget(100), budget(1000)], [1, 1, 1, 2, 20]);
    }

    #[test]
    fn what_is_done_on_failure_is_one_of_three_words() {
        for choice in OnFailure::ALL {
            assert_eq!(choice.to_string().parse(), Ok(choice));
            assert_eq!(serde_json::to_value(choice).unwrap(), choice.word());
        }
        let error = "revert".parse::<OnFailure>().unwrap_err().to_string();
        let why = "it is none of stop, revert-wave and revert-all";
        assert_eq!(error, format!("invalid choice for a failure \"revert\": {why}"));
    }
}
