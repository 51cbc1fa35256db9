//! How far a host's set-up is: a function of when its runs began and of the time, so that it goes on while nobody looks.

use serde::{Deserialize, Serialize};

use super::clock::millis;
use super::script::Part;

/// The runs of a host's set-up, the last one last. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SetUp {
    runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    began: u64,
    /// How many parts an earlier run has done: they take no time.
    done: usize,
    /// The part that it fails at, and the end of its log.
    fails: Option<(String, String)>,
    /// When the power went.
    cut: Option<u64>,
}

/// Where a set-up stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not begun.
    Before,
    /// It runs.
    Running,
    /// A part failed; the end of the log.
    Failed(String),
    /// The power went, and nobody has started it again.
    Interrupted,
    /// It ended well then.
    Done(u64),
}

/// A line of the progress file.
struct Note<'a> {
    time: u64,
    part: &'a str,
    word: &'static str,
}

impl Run {
    /// All that this run will note, were the power never to go.
    fn notes<'a>(&self, parts: &'a [Part]) -> Vec<Note<'a>> {
        let mut time = self.began;
        let mut notes = vec![Note { time, part: "setup", word: "started" }];
        for (place, part) in parts.iter().enumerate() {
            notes.push(Note { time, part: &part.name, word: "started" });
            if place >= self.done {
                time = time.saturating_add(millis(part.takes));
            }
            let fails = self.fails.as_ref().is_some_and(|(name, _)| *name == part.name);
            let word = if fails { "failed" } else { "done" };
            notes.push(Note { time, part: &part.name, word });
            if fails {
                return notes;
            }
        }
        notes.push(Note { time, part: "setup", word: "done" });
        notes
    }

    fn notes_until<'a>(&self, parts: &'a [Part], now: u64) -> Vec<Note<'a>> {
        let end = self.cut.map_or(now, |cut| cut.min(now));
        let mut notes = self.notes(parts);
        notes.retain(|note| note.time <= end);
        notes
    }

    fn standing(&self, parts: &[Part], now: u64) -> Standing {
        let notes = self.notes_until(parts, now);
        match (notes.last(), &self.fails) {
            (Some(Note { part: "setup", word: "done", time }), _) => Standing::Done(*time),
            (Some(Note { word: "failed", .. }), Some((_, log))) => Standing::Failed(log.clone()),
            _ if self.cut.is_some() => Standing::Interrupted,
            (None, _) => Standing::Before,
            _ => Standing::Running,
        }
    }
}

impl SetUp {
    /// Begins a run, unless one is under way. False if so.
    pub(super) fn begin(
        &mut self,
        parts: &[Part],
        began: u64,
        now: u64,
        fails: Option<(String, String)>,
    ) -> bool {
        if matches!(self.standing(parts, now), Some(Standing::Before | Standing::Running)) {
            return false;
        }
        let last = self.runs.last().map(|run| run.notes_until(parts, now));
        let done = last.map_or(0, |notes| {
            notes.iter().filter(|note| note.word == "done" && note.part != "setup").count()
        });
        self.runs.push(Run { began, done, fails, cut: None });
        true
    }

    /// The power goes.
    pub(super) fn cut(&mut self, parts: &[Part], now: u64) {
        let standing = self.standing(parts, now);
        if let (Some(run), Some(Standing::Before | Standing::Running)) = (self.runs.last_mut(), standing) {
            run.cut = Some(now);
        }
    }

    /// Where it stands; `None` on a host that has no set-up.
    pub(super) fn standing(&self, parts: &[Part], now: u64) -> Option<Standing> {
        self.runs.last().map(|run| run.standing(parts, now))
    }

    /// When it ended well, or will if nothing comes in between.
    pub(super) fn ends(&self, parts: &[Part]) -> Option<u64> {
        match self.runs.last()?.standing(parts, u64::MAX) {
            Standing::Done(time) => Some(time),
            _ => None,
        }
    }

    /// The lines of the progress file.
    pub(super) fn progress(&self, parts: &[Part], now: u64) -> String {
        let line = |Note { time, part, word }: Note<'_>| format!("{} {part} {word}", time / 1000);
        let notes = self.runs.iter().flat_map(|run| run.notes_until(parts, now));
        notes.map(line).collect::<Vec<_>>().join("\n")
    }

    /// What `cloud-init status` says, which began the first run and waits for its end.
    pub(super) fn cloud_init(&self, parts: &[Part], now: u64) -> &'static str {
        match self.runs.first().map(|run| run.standing(parts, now)) {
            Some(Standing::Before | Standing::Running) => "running",
            Some(Standing::Failed(_)) => "error",
            Some(Standing::Interrupted | Standing::Done(_)) | None => "done",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parts() -> Vec<Part> {
        ["node", "package"].map(|name| Part { name: name.to_owned(), takes: Duration::from_secs(2) }).into()
    }

    fn begun(fails: Option<&str>) -> SetUp {
        let mut set_up = SetUp::default();
        let fails = fails.map(|part| (part.to_owned(), "no such host".to_owned()));
        assert!(set_up.begin(&parts(), 10_000, 9_000, fails));
        set_up
    }

    #[test]
    fn it_goes_through_its_parts_as_time_goes() {
        let (set_up, parts) = (begun(None), parts());
        let at = |now| set_up.standing(&parts, now).unwrap();
        assert_eq!(
            (at(9_999), at(10_000), at(13_999)),
            (Standing::Before, Standing::Running, Standing::Running)
        );
        assert_eq!((at(14_000), set_up.ends(&parts)), (Standing::Done(14_000), Some(14_000)));
        let progress = set_up.progress(&parts, 12_500);
        assert_eq!(progress, "10 setup started\n10 node started\n12 node done\n12 package started");
        assert!(set_up.progress(&parts, 14_000).ends_with("\n14 package done\n14 setup done"));
        assert_eq!(
            (set_up.cloud_init(&parts, 13_000), set_up.cloud_init(&parts, 14_000)),
            ("running", "done")
        );
    }

    #[test]
    fn a_failed_part_ends_a_run_and_the_next_goes_on_there() {
        let (mut set_up, parts) = (begun(Some("package")), parts());
        assert!(!set_up.begin(&parts, 13_000, 13_000, None), "one is under way");
        assert_eq!(set_up.ends(&parts), None);
        assert_eq!(set_up.standing(&parts, 14_000), Some(Standing::Failed("no such host".to_owned())));
        assert_eq!(set_up.cloud_init(&parts, 14_000), "error");
        assert!(set_up.begin(&parts, 20_000, 20_000, None));
        assert_eq!(set_up.ends(&parts), Some(22_000));
        let progress = set_up.progress(&parts, 20_000);
        assert!(
            progress.contains("14 package failed\n20 setup started\n20 node started\n20 node done"),
            "{progress}"
        );
        assert_eq!(set_up.cloud_init(&parts, 22_000), "error", "it tells of the first run for ever");
    }

    #[test]
    fn a_power_cut_stops_it_for_good() {
        let (mut set_up, parts) = (begun(None), parts());
        set_up.cut(&parts, 13_000);
        assert_eq!(set_up.standing(&parts, 99_000), Some(Standing::Interrupted));
        assert!(set_up.begin(&parts, 99_000, 99_000, None));
        assert_eq!(set_up.ends(&parts), Some(101_000));
        set_up.cut(&parts, 102_000);
        assert_eq!(set_up.standing(&parts, 103_000), Some(Standing::Done(101_000)), "what is done stays");
    }
}
