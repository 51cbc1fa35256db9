//! Durations for people.

use std::time::Duration;

/// `0 s`, `59 s`, `1 min 05 s`, `1 h 02 min`.
pub fn human(duration: Duration) -> String {
    let seconds = (duration.as_millis() + 500) / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_watch() {
        let text = |ms| human(Duration::from_millis(ms));
        assert_eq!(
            [text(400), text(59_400), text(65_000), text(3_720_000)],
            ["0 s", "59 s", "1 min 05 s", "1 h 02 min"]
        );
    }
}
