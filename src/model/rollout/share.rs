use std::fmt;

/// A number of hosts, or a part of them; never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Hosts(u32),
    Percent(u8),
}

impl Share {
    /// Reads `2` or `5%`; the error says why not.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.strip_suffix('%') {
            Some(percent) if digits(percent) => match percent.parse() {
                Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
                Ok(0) => Err("it is no host"),
                _ => Err("it is more than 100%"),
            },
            None if digits(text) => match text.parse() {
                Ok(0) => Err("it is no host"),
                Ok(hosts) => Ok(Self::Hosts(hosts)),
                Err(_) => Err("it is too large"),
            },
            _ => Err("it is neither a number of hosts like 2 nor a part of them like 5%"),
        }
    }

    /// How many of so many hosts: a part is rounded down, but is one host at least.
    pub(super) fn of(self, hosts: usize) -> usize {
        match self {
            Self::Hosts(number) => usize::try_from(number).unwrap_or(usize::MAX),
            Self::Percent(percent) => (hosts.saturating_mul(usize::from(percent)) / 100).max(1),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts(hosts) => write!(f, "{hosts}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}
