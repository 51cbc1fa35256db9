use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Invalid;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;
const WEEK: i64 = 7 * DAY;
/// The first of January 1970 was a Thursday.
const EPOCH: i64 = 3 * DAY;

/// When hosts may be started: `Tue 03:00-05:00`, `Mon-Fri,Sun 22:00-04:00 +02:00`, `daily 00:00-06:00 UTC`.
///
/// Without an offset it is UTC. The days are those on which it opens: past midnight it goes on into the next one. An
/// offset is a fixed one: it does not know of summer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    /// On which days it opens, Monday first.
    days: [bool; 7],
    /// Seconds after midnight.
    from: i64,
    /// Seconds after midnight; up to the whole day, and before `from` where it is on the next day.
    to: i64,
    /// Seconds east of UTC.
    offset: i64,
}

impl Window {
    /// Whether hosts may be started at this time.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let length = (self.to - self.from + DAY - 1).rem_euclid(DAY) + 1;
        let now = self.second_of_week(now);
        self.openings().any(|opening| (now - opening).rem_euclid(WEEK) < length)
    }

    /// When it opens next, after this time.
    pub fn opens_after(&self, now: Timestamp) -> Timestamp {
        let from = self.second_of_week(now);
        let wait =
            self.openings().map(|opening| (opening - from - 1).rem_euclid(WEEK) + 1).min().unwrap_or(0);
        let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
        second.checked_add(SignedDuration::from_secs(wait)).unwrap_or(Timestamp::MAX)
    }

    fn openings(&self) -> impl Iterator<Item = i64> {
        let open = (0..).zip(self.days).filter(|(_, open)| *open);
        open.map(|(day, _)| day * DAY + self.from)
    }

    fn second_of_week(&self, now: Timestamp) -> i64 {
        (now.as_second() + EPOCH + self.offset).rem_euclid(WEEK)
    }
}

impl FromStr for Window {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text).map_err(|why| {
            let example = "write it like \"Tue 03:00-05:00\" or \"Mon-Fri 22:00-04:00 +02:00\"";
            Invalid::new("window", text, format!("{why}; {example}"))
        })
    }
}

fn parse(text: &str) -> Result<Window, String> {
    let mut words = text.split_whitespace();
    let (Some(days), Some(times), offset, None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("it is not days, times and perhaps an offset".to_owned());
    };
    let (from, to) = times.split_once('-').ok_or_else(|| format!("{times:?} is no span of time"))?;
    let (from, to) = (time(from)?, time(to)?);
    if from == to || from == DAY {
        return Err(format!("{times:?} has no length (a whole day is 00:00-24:00)"));
    }
    Ok(Window { days: self::days(days)?, from, to, offset: offset.map_or(Ok(0), self::offset)? })
}

fn days(text: &str) -> Result<[bool; 7], String> {
    if text.eq_ignore_ascii_case("daily") {
        return Ok([true; 7]);
    }
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let length = (last + 7 - first) % 7;
        for (index, open) in days.iter_mut().enumerate() {
            *open |= (index + 7 - first) % 7 <= length;
        }
    }
    Ok(days)
}

fn day(text: &str) -> Result<usize, String> {
    let found = DAYS.iter().position(|day| day.eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("{text:?} is none of {}", DAYS.join(", ")))
}

/// Seconds after midnight.
fn time(text: &str) -> Result<i64, String> {
    let minutes = hours_and_minutes(text).filter(|minutes| minutes * MINUTE <= DAY);
    minutes.map(|minutes| minutes * MINUTE).ok_or_else(|| format!("{text:?} is no time"))
}

/// Seconds east of UTC.
fn offset(text: &str) -> Result<i64, String> {
    let refused = || format!("{text:?} is neither UTC nor an offset like +02:00");
    if ["UTC", "Z"].iter().any(|utc| utc.eq_ignore_ascii_case(text)) {
        return Ok(0);
    }
    let (sign, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(east), _) => (1, east),
        (_, Some(west)) => (-1, west),
        (None, None) => return Err(refused()),
    };
    let minutes = hours_and_minutes(digits).filter(|minutes| *minutes <= 14 * 60).ok_or_else(refused)?;
    Ok(sign * minutes * MINUTE)
}

fn hours_and_minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| two)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60).then_some(hours * 60 + minutes)
}

impl TryFrom<String> for Window {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = DAYS.iter().zip(self.days).filter(|(_, open)| *open).map(|(day, _)| *day);
        let days =
            if self.days == [true; 7] { "daily".to_owned() } else { open.collect::<Vec<_>>().join(",") };
        let clock = |seconds: i64| format!("{:02}:{:02}", seconds / 3600, seconds / MINUTE % 60);
        let zone = match self.offset {
            0 => "UTC".to_owned(),
            east @ 1.. => format!("+{}", clock(east)),
            west => format!("-{}", clock(-west)),
        };
        write!(f, "{days} {}-{} {zone}", clock(self.from), clock(self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn opens_and_closes_on_its_day() {
        // 2026-11-24 is a Tuesday
        let tuesday = window("Tue 03:00-05:00");
        let open = |text| tuesday.is_open(at(text));
        assert!(!open("2026-11-24T02:59:59Z"));
        assert!(open("2026-11-24T03:00:00Z"));
        assert!(open("2026-11-24T04:59:59.9Z"));
        assert!(!open("2026-11-24T05:00:00Z"));
        assert!(!open("2026-11-25T04:00:00Z"));
        assert!(open("2026-12-01T04:00:00Z"));
    }

    #[test]
    fn says_when_it_opens_next() {
        let next = |text, now| window(text).opens_after(at(now)).to_string();
        assert_eq!(next("Tue 03:00-05:00", "2026-11-24T02:00:00Z"), "2026-11-24T03:00:00Z");
        assert_eq!(next("Tue 03:00-05:00", "2026-11-24T03:00:00Z"), "2026-12-01T03:00:00Z");
        assert_eq!(next("Tue,Thu 03:00-05:00", "2026-11-24T06:00:00Z"), "2026-11-26T03:00:00Z");
        assert_eq!(next("Tue 03:00-05:00 +02:00", "2026-11-24T00:00:00.5Z"), "2026-11-24T01:00:00Z");
    }

    #[test]
    fn goes_on_past_midnight_also_from_sunday_to_monday() {
        let sunday = window("Sun 22:00-04:00");
        assert!(sunday.is_open(at("2026-11-22T23:00:00Z")));
        assert!(sunday.is_open(at("2026-11-23T03:59:00Z")));
        assert!(!sunday.is_open(at("2026-11-23T04:00:00Z")));
        assert!(!sunday.is_open(at("2026-11-22T03:00:00Z")));
    }

    #[test]
    fn an_offset_moves_it() {
        let berlin = window("Tue 00:30-01:30 +02:00");
        assert!(berlin.is_open(at("2026-11-23T22:30:00Z")));
        assert!(!berlin.is_open(at("2026-11-24T00:30:00Z")));
        let new_york = window("Mon 22:00-23:00 -05:00");
        assert!(new_york.is_open(at("2026-11-24T03:30:00Z")));
    }

    #[test]
    fn several_days_spans_of_days_and_every_day() {
        assert_eq!(window("mon-WED,sun 01:00-02:00").to_string(), "Mon,Tue,Wed,Sun 01:00-02:00 UTC");
        assert_eq!(window("Sat-Mon 01:00-02:00").to_string(), "Mon,Sat,Sun 01:00-02:00 UTC");
        assert_eq!(window("Mon-Sun 00:00-24:00 Z").to_string(), "daily 00:00-24:00 UTC");
        assert!(window("daily 00:00-24:00").is_open(at("2026-11-24T23:59:59Z")));
        let written = window("Fri 23:00-01:00 -03:30");
        assert_eq!(window(&written.to_string()), written);
    }

    #[test]
    fn says_why_it_is_refused() {
        let why = |text: &str| text.parse::<Window>().unwrap_err().to_string();
        assert!(why("Tue").contains("it is not days, times and perhaps an offset"));
        assert!(why("Tue 03:00-05:00 UTC please").contains("it is not days"));
        assert!(why("Tues 03:00-05:00").contains("\"Tues\" is none of Mon, Tue"));
        assert!(why("Tue 3-5").contains("\"3\" is no time"));
        assert!(why("Tue 03:00").contains("\"03:00\" is no span of time"));
        assert!(why("Tue 03:00-03:00").contains("has no length"));
        assert!(why("Tue 24:00-03:00").contains("has no length"));
        assert!(why("Tue 03:00-24:01").contains("\"24:01\" is no time"));
        assert!(why("Tue 03:60-04:00").contains("\"03:60\" is no time"));
        assert!(why("Tue 03:00-05:00 CET").contains("\"CET\" is neither UTC nor an offset like +02:00"));
        assert!(why("Tue 03:00-05:00 +15:00").contains("offset"));
        assert!(why("").ends_with("write it like \"Tue 03:00-05:00\" or \"Mon-Fri 22:00-04:00 +02:00\""));
    }
}
