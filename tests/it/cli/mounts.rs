//! A file system of a test's own, which nobody else on this computer sees, and users without rights on it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::environment::{Environment, PROGRAM};
use super::running::{Outcome, Running};

/// A user that is in no group and owns nothing.
const NOBODY: u32 = 65_534;

/// A mount namespace, in which the environment's folder `here/disk` may be another file system.
pub(super) struct Mounts<'a> {
    environment: &'a Environment,
    /// A shell that holds the namespace, until its stdin ends: also when the test is killed.
    holder: Child,
}

impl<'a> Mounts<'a> {
    /// The folder is what these shell commands make of it (they run in `here`). None without root, and then this
    /// says so; in CI there must be root.
    pub(super) fn new(environment: &'a Environment, mount: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "tests of file systems need root");
            let _ = writeln!(std::io::stderr(), "skipped: tests of file systems need root");
            return None;
        }
        std::fs::create_dir(environment.path("here/disk")).unwrap();
        let script = format!("{mount}\necho ready; read end || umount --lazy disk");
        let mut holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-euc", &script])
            .current_dir(environment.path("here"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "cannot mount: {mount}");
        Some(Self { environment, holder })
    }

    /// An empty disk of this size, in memory.
    pub(super) fn of_size(environment: &'a Environment, size: &str) -> Option<Self> {
        Self::new(environment, &format!("mount -t tmpfs -o size={size},mode=755 none disk"))
    }

    /// A file as it is on that file system; commands call it `disk/NAME`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        let disk = self.environment.path("here/disk");
        root.join(disk.strip_prefix("/").unwrap()).join(name)
    }

    /// Runs a command there to its end.
    pub(super) fn run(&self, args: &[&str]) -> Outcome {
        self.start(args).end()
    }

    /// Starts a command there.
    pub(super) fn start(&self, args: &[&str]) -> Running<'a> {
        self.environment.started(self.entered(&["/proc/self/fd/9"], args))
    }

    /// Runs a command there as a user who has no rights but everybody's.
    pub(super) fn run_as_nobody(&self, args: &[&str]) -> Outcome {
        let id = NOBODY.to_string();
        let become_nobody =
            ["/usr/bin/setpriv", "--reuid", &id, "--regid", &id, "--clear-groups", "/proc/self/fd/9"];
        self.environment.started(self.entered(&become_nobody, args)).end()
    }

    /// Shell commands there, in `here`, as root; `nobody` is that user's id.
    #[track_caller]
    pub(super) fn sh(&self, script: &str) {
        let mut command = self.entered(&["/bin/sh", "-euc", &format!("nobody={NOBODY}\n{script}")], &[]);
        let output = command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Leaves no byte of room.
    pub(super) fn fill(&self) {
        self.sh("head -c 1G /dev/zero >disk/ballast 2>&1 || true");
    }

    /// Makes that room again.
    pub(super) fn make_room(&self) {
        self.sh("rm disk/ballast");
    }

    /// The program is handed over as an open file: below root's home nobody else would find it.
    fn entered(&self, words: &[&str], args: &[&str]) -> Command {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.holder.id());
        let here = self.environment.path("here").display().to_string();
        let script = "cd \"$1\" && exec 9<\"$2\" && shift 2 && exec \"$@\"";
        let enter = [namespace.as_str(), "/bin/sh", "-c", script, "sh", &here, PROGRAM];
        self.environment.program_at("/usr/bin/nsenter", &[&enter, words, args].concat())
    }
}

impl Drop for Mounts<'_> {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
