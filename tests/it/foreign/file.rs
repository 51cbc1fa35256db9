//! The operator's file.

use clawberth::config::{Environment, FILE_NAME, Flags, Settings, template};
use proptest::prelude::*;

use super::damage::{config, damaged};

/// A file that cannot be used is refused, and says where it lies.
#[test]
fn a_file_of_settings() {
    // what `init` writes, with every line in force
    let lines = template("\"203.0.113.7\"");
    let whole: String =
        lines.lines().map(|line| line.strip_prefix("#:").unwrap_or(line).to_owned() + "\n").collect();
    let samples: &'static [&'static str] = Box::leak(Box::new([&*whole.leak()]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let env = Environment::new([]);
    let load = || Settings::load(&Flags::default(), &env, folder.path());
    proptest!(config(), |(text in damaged(samples))| {
        std::fs::write(&path, &text).unwrap();
        if let Err(refusal) = load() {
            prop_assert!(!refusal.to_string().is_empty() && !refusal.hint().is_empty());
        }
    });
}
