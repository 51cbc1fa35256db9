//! How long nobody answered, seen from outside.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::bed::Bed;
use super::parts::NAME;

/// Looks ten times a second from outside, until there is a file that says to stop.
pub(super) struct Probe {
    looks: Child,
    seen: PathBuf,
    stop: PathBuf,
}

impl Probe {
    pub(super) fn start(bed: &Bed, name: &str) -> Self {
        let (seen, stop) = (bed.scratch(name), bed.scratch(&format!("{name}.stop")));
        let url = format!("https://{}/readyz", bed.address(NAME, "ipv4"));
        let root = bed.variable("CLAWBERTH_ACME_ROOT");
        // of a probe of the same name
        let _ = std::fs::remove_file(&stop);
        let script = format!(
            "until [ -e {} ]; do echo $(date +%s%3N) $(curl -s --max-time 1 --cacert {root} {url}); sleep 0.07; done >{}",
            stop.display(),
            seen.display()
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawberth"));
        command.args(["lab", "exec", "--from", "world", "--dir"]).arg(bed.lab_dir());
        command.args(["--", "timeout", "600", "bash", "-c", &script]).stdin(Stdio::null());
        Self { looks: command.spawn().unwrap(), seen, stop }
    }

    /// The longest time without readiness, from the last good answer before it to the first one after it.
    pub(super) fn end(mut self) -> (Duration, usize) {
        std::fs::write(&self.stop, "").unwrap();
        self.looks.wait().unwrap();
        let text = std::fs::read_to_string(&self.seen).unwrap();
        let good = text.lines().filter(|line| line.contains("\"ready\":true"));
        let good: Vec<u64> = good.map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
        let longest = good.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        (Duration::from_millis(longest), text.lines().count())
    }
}
