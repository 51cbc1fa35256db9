//! When things happened, one below the other on one axis of time.

use std::time::Duration;

use super::table;
use crate::clock::human;

/// Characters for all of the time.
const WIDTH: f64 = 40.0;

/// Something that took time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it happened.
    pub place: String,
    /// What it was.
    pub what: String,
    /// How long after the first thing it began.
    pub begun: Duration,
    /// How long it took.
    pub took: Duration,
}

/// A line for each of them: when it began, what it was, how long it took, and a bar on the axis of all.
pub fn chart(spans: &[Span]) -> String {
    let end = spans.iter().map(|span| span.begun + span.took).max().unwrap_or_default();
    let column = |time: Duration| {
        let share = if end.is_zero() { 0.0 } else { time.as_secs_f64() / end.as_secs_f64() };
        (share * WIDTH).round() as usize
    };
    let mut rows = vec![["AFTER", "WHERE", "WHAT", "TOOK", ""].map(str::to_owned).to_vec()];
    rows.extend(spans.iter().map(|Span { place, what, begun, took }| {
        let from = column(*begun);
        // what took no second is seen, too
        let long = column(*begun + *took).saturating_sub(from).max(1);
        let bar = format!("{}{}", " ".repeat(from), "#".repeat(long));
        vec![human(*begun), place.clone(), what.clone(), human(*took), bar]
    }));
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_where_their_time_is() {
        let span = |what: &str, begun, took| Span {
            place: "server".into(),
            what: what.into(),
            begun: Duration::from_secs(begun),
            took: Duration::from_secs(took),
        };
        let text = chart(&[span("boot", 0, 10), span("node", 10, 30), span("forget", 40, 0)]);
        let expected = format!(
            "AFTER  WHERE   WHAT    TOOK\n0 s    server  boot    10 s  {}\n10 s   server  node    30 s  {}{}\n40 s   server  forget  0 s   {}#",
            "#".repeat(10),
            " ".repeat(10),
            "#".repeat(30),
            " ".repeat(40)
        );
        assert_eq!(text, expected);
        assert_eq!(chart(&[]), "AFTER  WHERE  WHAT  TOOK");
    }
}
