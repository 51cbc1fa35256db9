use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// The longest one: a week.
const LONGEST: u64 = 7 * 24 * 3600;

/// How long a wave has to be good before the next one starts: `60s`, `5m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bake {
    seconds: u64,
}

impl Bake {
    /// A minute.
    pub(super) fn usual() -> Self {
        Self { seconds: 60 }
    }

    /// The same as a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

impl FromStr for Bake {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = |why: &str| Invalid::new("bake time", text, why);
        let unit = |(ending, seconds)| text.strip_suffix(ending).map(|number| (number, seconds));
        let found = [("s", 1), ("m", 60), ("h", 3600)].into_iter().find_map(unit);
        let number = |(number, seconds): (&str, u64)| {
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            number.parse::<u64>().ok().filter(|_| digits)?.checked_mul(seconds)
        };
        match found.and_then(number) {
            Some(seconds) if seconds <= LONGEST => Ok(Self { seconds }),
            Some(_) => Err(refused("it is more than a week")),
            None => Err(refused("it is not a number with a unit, like 60s, 5m or 1h")),
        }
    }
}

impl TryFrom<String> for Bake {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Bake> for String {
    fn from(bake: Bake) -> Self {
        bake.to_string()
    }
}

impl fmt::Display for Bake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            seconds if seconds > 0 && seconds % 3600 == 0 => write!(f, "{}h", seconds / 3600),
            seconds if seconds > 0 && seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bake;

    #[test]
    fn reads_seconds_minutes_and_hours() {
        let read = |text: &str| text.parse::<Bake>().unwrap();
        let seconds = |text| read(text).duration().as_secs();
        assert_eq!([seconds("0s"), seconds("90s"), seconds("5m"), seconds("1h")], [0, 90, 300, 3600]);
        assert_eq!(
            ["0s", "60s", "90s", "7200s"].map(|text| read(text).to_string()),
            ["0s", "1m", "90s", "2h"]
        );
    }

    #[test]
    fn says_why_it_is_refused() {
        for text in ["", "60", "s", "1d", "-1s", "+1s", "1.5m", "99999999999999999999s"] {
            let error = text.parse::<Bake>().unwrap_err().to_string();
            assert!(error.ends_with("it is not a number with a unit, like 60s, 5m or 1h"), "{error}");
        }
        let error = "169h".parse::<Bake>().unwrap_err().to_string();
        assert_eq!(error, "invalid bake time \"169h\": it is more than a week");
    }
}
