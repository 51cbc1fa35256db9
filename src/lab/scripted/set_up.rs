//! How far a host's set-up is: a function of when its runs began and of the time, so that it goes on while nobody looks.

use serde::{Deserialize, Serialize};

use super::clock::millis;
use super::script::Part;

/// The runs of a host's set-up, the last one last. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SetUp {
    runs: Vec<Run>,
}

/// One run, as it is to go; what it has done by a moment follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    notes: Vec<Note>,
    /// The end of its log, where it is to fail.
    fails: Option<String>,
    /// When the power went.
    cut: Option<u64>,
}

/// A line of the progress file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    time: u64,
    part: String,
    word: Word,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Started,
    Done,
    Failed,
}

/// What a run is about as a whole, beside its parts.
const ALL: &str = "setup";

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

impl Run {
    /// Plans a run. The first parts, which an earlier run has done, take no time.
    fn plan(parts: &[Part], done: usize, begins: u64, fails: Option<(String, String)>) -> Self {
        let note = |time, part: &str, word| Note { time, part: part.to_owned(), word };
        let mut time = begins;
        let mut notes = vec![note(time, ALL, Word::Started)];
        for (place, part) in parts.iter().enumerate() {
            notes.push(note(time, &part.name, Word::Started));
            if place >= done {
                time = time.saturating_add(millis(part.takes));
            }
            if let Some((_, log)) = fails.as_ref().filter(|(name, _)| *name == part.name) {
                notes.push(note(time, &part.name, Word::Failed));
                return Self { notes, fails: Some(log.clone()), cut: None };
            }
            notes.push(note(time, &part.name, Word::Done));
        }
        notes.push(note(time, ALL, Word::Done));
        Self { notes, fails: None, cut: None }
    }

    fn notes(&self, now: u64) -> impl Iterator<Item = &Note> {
        let end = self.cut.map_or(now, |cut| cut.min(now));
        self.notes.iter().filter(move |note| note.time <= end)
    }

    fn standing(&self, now: u64) -> Standing {
        match (self.notes(now).last(), &self.fails) {
            (Some(Note { part, word: Word::Done, time }), _) if part == ALL => Standing::Done(*time),
            (Some(Note { word: Word::Failed, .. }), Some(log)) => Standing::Failed(log.clone()),
            _ if self.cut.is_some() => Standing::Interrupted,
            (None, _) => Standing::Before,
            _ => Standing::Running,
        }
    }
}

impl SetUp {
    /// Whether a run is planned or under way.
    pub(super) fn is_under_way(&self, now: u64) -> bool {
        matches!(self.standing(now), Some(Standing::Before | Standing::Running))
    }

    /// Plans a run.
    pub(super) fn begin(&mut self, parts: &[Part], begins: u64, now: u64, fails: Option<(String, String)>) {
        let is_done = |note: &&Note| note.word == Word::Done && note.part != ALL;
        let done = self.runs.last().map_or(0, |run| run.notes(now).filter(is_done).count());
        self.runs.push(Run::plan(parts, done, begins, fails));
    }

    /// The power goes. What is done stays done.
    pub(super) fn cut(&mut self, now: u64) {
        if let Some(run) = self.runs.last_mut() {
            run.cut.get_or_insert(now);
        }
    }

    /// Where it stands; `None` on a host that has no set-up.
    pub(super) fn standing(&self, now: u64) -> Option<Standing> {
        self.runs.last().map(|run| run.standing(now))
    }

    /// When it ended well, or will if nothing comes in between.
    pub(super) fn ends(&self) -> Option<u64> {
        match self.standing(u64::MAX) {
            Some(Standing::Done(time)) => Some(time),
            _ => None,
        }
    }

    /// The lines of the progress file.
    pub(super) fn progress(&self, now: u64) -> String {
        let line = |Note { time, part, word }: &Note| {
            let word = match word {
                Word::Started => "started",
                Word::Done => "done",
                Word::Failed => "failed",
            };
            format!("{} {part} {word}", time / 1000)
        };
        self.runs.iter().flat_map(|run| run.notes(now)).map(line).collect::<Vec<_>>().join("\n")
    }

    /// What `cloud-init status` says, which began the first run and waits for its end.
    pub(super) fn cloud_init(&self, now: u64) -> &'static str {
        match self.runs.first().map(|run| run.standing(now)) {
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
        set_up.begin(&parts(), 10_000, 9_000, fails);
        set_up
    }

    #[test]
    fn it_goes_through_its_parts_as_time_goes() {
        let set_up = begun(None);
        let at = |now| set_up.standing(now).unwrap();
        assert_eq!(
            (at(9_999), at(10_000), at(13_999)),
            (Standing::Before, Standing::Running, Standing::Running)
        );
        assert_eq!((at(14_000), set_up.ends()), (Standing::Done(14_000), Some(14_000)));
        let progress = set_up.progress(12_500);
        assert_eq!(progress, "10 setup started\n10 node started\n12 node done\n12 package started");
        assert!(set_up.progress(14_000).ends_with("\n14 package done\n14 setup done"));
        assert_eq!((set_up.cloud_init(13_000), set_up.cloud_init(14_000)), ("running", "done"));
    }

    #[test]
    fn a_failed_part_ends_a_run_and_the_next_goes_on_there() {
        let (mut set_up, parts) = (begun(Some("package")), parts());
        assert!(set_up.is_under_way(13_000) && !set_up.is_under_way(14_000));
        assert_eq!(set_up.ends(), None);
        assert_eq!(set_up.standing(14_000), Some(Standing::Failed("no such host".to_owned())));
        assert_eq!(set_up.cloud_init(14_000), "error");
        set_up.begin(&parts, 20_000, 20_000, None);
        assert_eq!(set_up.ends(), Some(22_000));
        let progress = set_up.progress(20_000);
        assert!(
            progress.contains("14 package failed\n20 setup started\n20 node started\n20 node done"),
            "{progress}"
        );
        assert_eq!(set_up.cloud_init(22_000), "error", "it tells of the first run for ever");
    }

    #[test]
    fn a_power_cut_stops_it_for_good() {
        let (mut set_up, parts) = (begun(None), parts());
        set_up.cut(13_000);
        assert_eq!(set_up.standing(99_000), Some(Standing::Interrupted));
        set_up.begin(&parts, 99_000, 99_000, None);
        assert_eq!(set_up.ends(), Some(101_000));
        set_up.cut(102_000);
        assert_eq!(set_up.standing(103_000), Some(Standing::Done(101_000)), "what is done stays");
    }
}
