//! A machine's own control group on hosts where no systemd hands them out.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

const ROOT: &str = "/sys/fs/cgroup";
/// How long processes that were killed may take to leave their group.
const LEFT: Duration = Duration::from_secs(20);

/// Runs systemd-nspawn in the groups of `$0`, again and again while the machine reboots itself: without systemd's help
/// nspawn leaves that to others, and says so with exit code 133. With it there are no groups, and the shell becomes nspawn.
pub(super) const LAUNCH: &str = r#"
[ -n "$0" ] || exec "$@"
trap 'ending=1; [ -z "$nspawn" ] || kill "$nspawn"' TERM
code=133
while [ "$code" = 133 ] && [ -z "$ending" ]; do
    nspawn=
    (for group in $0; do echo 0 > "$group/cgroup.procs" || exit; done; exec "$@") & nspawn=$!
    # told to end between these two
    [ -z "$ending" ] || kill "$nspawn"
    while kill -0 "$nspawn" 2> /dev/null; do wait "$nspawn"; code=$?; done
done
exit "$code"
"#;

/// The groups of one machine, one per hierarchy that systemd-nspawn writes to. Without them two machines would
/// share one `payload` group, and their two systemds would end each other's services.
#[derive(Debug)]
pub(super) struct Groups(Vec<PathBuf>);

impl Groups {
    /// The groups of that machine; none where systemd is PID 1, which makes a scope for it.
    pub(super) fn of(machine: &str) -> Self {
        if systemd_rules() {
            return Self(Vec::new());
        }
        let unified = if Path::new(ROOT).join("cgroup.controllers").exists() { "." } else { "unified" };
        let hierarchies = [unified, "systemd"].map(|name| Path::new(ROOT).join(name));
        let usable = hierarchies.into_iter().filter(|dir| dir.join("cgroup.procs").exists());
        Self(usable.map(|dir| dir.join(machine)).collect())
    }

    /// Makes them and says where they are.
    pub(super) fn make(&self) -> Result<Vec<String>> {
        for path in &self.0 {
            fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(self.0.iter().map(|path| path.to_string_lossy().into_owned()).collect())
    }

    /// Removes them with the groups that the machine made inside. Its processes must have been ended: the last ones may still
    /// be on their way out, and are waited for.
    pub(super) async fn remove(&self) -> Result<()> {
        for path in &self.0 {
            let until = Instant::now() + LEFT;
            while let Err(error) = remove(path) {
                if error.kind() != ErrorKind::ResourceBusy || Instant::now() >= until {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }
}

/// Whether systemd manages this host.
pub(super) fn systemd_rules() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn remove(path: &Path) -> std::io::Result<()> {
    let Ok(entries) = fs::read_dir(path) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Launches a shell script in a group that is no more than a directory.
    fn launch(dir: &Path, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", LAUNCH]).arg(dir).args(["sh", "-c", script]).current_dir(dir);
        command
    }

    #[test]
    fn a_machine_that_reboots_itself_is_started_again_in_its_groups() {
        let dir = tempfile::tempdir().unwrap();
        let script = "cat cgroup.procs >>starts; [ $(wc -l <starts) = 3 ] && exit 7; exit 133";
        let status = launch(dir.path(), script).status().unwrap();
        assert_eq!(status.code(), Some(7));
        assert_eq!(fs::read_to_string(dir.path().join("starts")).unwrap(), "0\n0\n0\n");
    }

    #[test]
    fn a_machine_that_is_told_to_stop_has_time_to_and_is_not_started_again() {
        let dir = tempfile::tempdir().unwrap();
        let script =
            "trap 'kill $!; sleep 0.2; echo orderly >end; exit 133' TERM; sleep 10 & kill $PPID; wait";
        let status = launch(dir.path(), script).status().unwrap();
        assert_eq!(status.code(), Some(133));
        assert_eq!(fs::read_to_string(dir.path().join("end")).unwrap(), "orderly\n");
    }
}
