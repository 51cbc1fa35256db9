//! What a detached lab tells in its log, told again by the process that started it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::supervisor::Say;

/// A log from a point on.
#[derive(Debug)]
pub(super) struct Story {
    log: PathBuf,
    /// Bytes told so far.
    told: u64,
}

impl Story {
    /// Of that log, what is written from now on.
    pub(super) fn after(log: PathBuf) -> Self {
        let told = std::fs::metadata(&log).map(|about| about.len()).unwrap_or_default();
        Self { log, told }
    }

    /// Tells the whole lines that came since. A log that cannot be read has no news.
    pub(super) fn tell(&mut self, say: Say<'_>) {
        let news = self.news().unwrap_or_default();
        for line in news.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            self.told += line.len() as u64 + 1;
            say(line);
        }
    }

    fn news(&self) -> std::io::Result<String> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.told))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_each_whole_line_once_and_nothing_old() {
        let temp = tempfile::tempdir().unwrap();
        let log = temp.path().join("log");
        std::fs::write(&log, "old\n").unwrap();
        let mut story = Story::after(log.clone());
        let mut lines = Vec::new();
        for text in ["old\none\ntw", "old\none\ntwo\n"] {
            std::fs::write(&log, text).unwrap();
            story.tell(&mut |line| lines.push(line.to_owned()));
        }
        assert_eq!(lines, ["one", "two"]);
    }
}
