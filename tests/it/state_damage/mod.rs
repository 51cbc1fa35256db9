//! A damaged state is read as it was at some moment, or refused; never as something else. Each file is damaged in
//! one place, and everything that can be asked of it is compared.

mod content;
mod damage;
mod program;

use std::collections::BTreeMap;
use std::path::Path;

use content::{Content, Reading};

/// How often bits are flipped outside the first page, of which each byte is hit.
const FLIPS: u64 = 1_000;

/// What came of many damaged files.
#[derive(Default)]
struct Verdict {
    read: usize,
    refused: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Verdict {
    /// `known` are the contents that the state had, one after the other.
    fn add(&mut self, what: &str, reading: Reading, known: &[Content]) {
        match reading {
            Reading::Content(content) if known.contains(&content) => self.read += 1,
            Reading::Content(content) => {
                let nearest = known.iter().map(|known| known.difference(&content)).min_by_key(Vec::len);
                self.wrong.push(format!("{what}: is read with {}", nearest.unwrap_or_default().join(", ")));
            }
            Reading::Refused(why) => *self.refused.entry(why).or_default() += 1,
            Reading::Wrong(why) => self.wrong.push(format!("{what}: {why}")),
        }
    }

    #[track_caller]
    fn holds(&self, of: &str) {
        let refused: usize = self.refused.values().sum();
        eprintln!("{of}: {} read right, {refused} refused: {:#?}", self.read, self.refused);
        let wrong = self.wrong.iter().take(60).cloned().collect::<Vec<_>>().join("\n  ");
        assert!(self.wrong.is_empty(), "{of}: {} read wrong:\n  {wrong}", self.wrong.len());
    }
}

#[test]
fn cut_at_every_page() {
    let state = content::make();
    let page = damage::page_size(&state.file);
    let mut verdict = Verdict::default();
    // an empty file is where no state was ever made
    for pages in 1..state.file.len() / page {
        for off in [0, 1, page / 2] {
            let cut = &state.file[..pages * page + off];
            let what = format!("cut to {} bytes", cut.len());
            verdict.add(&what, content::read(&damage::laid(cut, None)), state.last());
        }
    }
    verdict.holds("the file, cut");
}

#[test]
fn a_journal_cut_at_every_frame() {
    let state = content::make();
    let frame = damage::page_size(&state.file_before) + 24;
    let mut verdict = Verdict::default();
    for frames in 0..=(state.journal.len() - 32) / frame {
        for off in [0, 7, frame / 2] {
            let cut = &state.journal[..(32 + frames * frame + off).min(state.journal.len())];
            let what = format!("journal cut to {} bytes", cut.len());
            verdict.add(&what, content::read(&damage::laid(&state.file_before, Some(cut))), &state.contents);
        }
    }
    for cut in [0, 1, 16, 31] {
        let what = format!("journal cut to {cut} bytes");
        let laid = damage::laid(&state.file_before, Some(&state.journal[..cut]));
        verdict.add(&what, content::read(&laid), &state.contents);
    }
    verdict.holds("the journal, cut");
}

#[test]
fn flipped_bits_in_the_journal() {
    let state = content::make();
    let mut verdict = Verdict::default();
    let mut chance = damage::Chance::of(1);
    for _ in 0..FLIPS / 3 {
        let (what, damaged) = chance.flip(&state.journal, 0);
        let laid = damage::laid(&state.file_before, Some(&damaged));
        verdict.add(&format!("journal, {what}"), content::read(&laid), &state.contents);
    }
    verdict.holds("the journal with a flipped bit");
}

#[test]
fn flipped_bits_in_the_first_page() {
    let state = content::make();
    let mut verdict = Verdict::default();
    let mut chance = damage::Chance::of(2);
    // all of SQLite's header, and one byte in seven of the schema behind it
    for byte in (0..100).chain((100..damage::page_size(&state.file)).step_by(7)) {
        let (what, damaged) = chance.flip_in(&state.file, byte);
        verdict.add(&what, content::read(&damage::laid(&damaged, None)), state.last());
    }
    verdict.holds("the first page with a flipped bit");
}

#[test]
fn flipped_bits_in_the_other_pages() {
    let state = content::make();
    let mut verdict = Verdict::default();
    let mut chance = damage::Chance::of(3);
    for _ in 0..FLIPS {
        let (what, damaged) = chance.flip(&state.file, damage::page_size(&state.file));
        verdict.add(&what, content::read(&damage::laid(&damaged, None)), state.last());
    }
    verdict.holds("another page with a flipped bit");
}

/// Bytes that were never written, as a disk without power gives them.
#[test]
fn pages_of_zeros_or_of_another_time() {
    let state = content::make();
    let page = damage::page_size(&state.file);
    let mut verdict = Verdict::default();
    for number in 0..state.file.len() / page {
        let here = number * page..(number + 1) * page;
        let mut zeros = state.file.clone();
        zeros[here.clone()].fill(0);
        let what = format!("page {} of zeros", number + 1);
        verdict.add(&what, content::read(&damage::laid(&zeros, None)), state.last());
        if let Some(before) = state.file_before.get(here.clone()) {
            let mut old = state.file.clone();
            old[here].copy_from_slice(before);
            let what = format!("page {} as it was before", number + 1);
            verdict.add(&what, content::read(&damage::laid(&old, None)), state.last());
        }
    }
    verdict.holds("a lost page");
}

/// A state in a directory of its own.
struct Laid {
    dir: tempfile::TempDir,
}

impl Laid {
    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("state.sqlite")
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn write(&self, ending: &str, bytes: &[u8]) {
        let name = format!("state.sqlite{ending}");
        std::fs::write(Path::new(self.dir.path()).join(name), bytes).unwrap();
    }
}
