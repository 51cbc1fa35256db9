//! A PostgreSQL server for tests, and a database for each. It uses nothing but the standard library and `tempfile`,
//! so that the unit tests of the store can have it too.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// A server that `scripts/postgres` runs.
pub(crate) struct Server {
    dir: PathBuf,
    port: u16,
    /// A server of one test's own, which ends with it.
    own: Option<Own>,
}

struct Own {
    tls: bool,
    _dir: tempfile::TempDir,
}

/// A database of one test's own. It goes when the value goes.
pub(crate) struct Database {
    name: String,
    url: String,
    dir: PathBuf,
    port: u16,
}

impl Server {
    /// The one that `scripts/setup --tests` has started, or none, and then this says so. In CI it must be there.
    pub(crate) fn shared() -> Option<Self> {
        static SWEPT: Once = Once::new();
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        let dir = cache.join("clawberth/postgres");
        let Ok(url) = std::fs::read_to_string(dir.join("url")) else {
            return skipped("`scripts/setup --tests` starts the PostgreSQL server of the tests");
        };
        let server = Self { dir, port: port_of(&url), own: None };
        if psql(&server.dir, server.port, "postgres", "SELECT 1").is_err() {
            return skipped("the PostgreSQL server of the tests is down; `scripts/setup --tests` starts it");
        }
        SWEPT.call_once(|| server.sweep());
        Some(server)
    }

    /// One that the test may stop, start and kill.
    pub(crate) fn own() -> Option<Self> {
        Self::own_with(false)
    }

    /// The same, which takes nothing but TLS.
    pub(crate) fn own_with_tls() -> Option<Self> {
        Self::own_with(true)
    }

    fn own_with(tls: bool) -> Option<Self> {
        if !installed() {
            return skipped("PostgreSQL is not installed; `scripts/setup --tests` installs it");
        }
        // the address of a socket is short, and the directory of a build may be deep
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let server =
            Self { dir: dir.path().join("pg"), port: free_port(), own: Some(Own { tls, _dir: dir }) };
        server.start();
        Some(server)
    }

    /// Starts it, also after a kill; on the port that it had.
    pub(crate) fn start(&self) {
        let own = self.own.as_ref().expect("the shared server is not this test's to start");
        let port = self.port.to_string();
        let tls: &[&str] = if own.tls { &["--tls"] } else { &[] };
        script(&self.dir, "start", &[&[port.as_str()], tls].concat());
    }

    /// Stops it: it ends every session at once, and in order.
    pub(crate) fn stop(&self) {
        assert!(self.own.is_some(), "the shared server is not this test's to stop");
        script(&self.dir, "stop", &[]);
    }

    /// Kills it with -9, as when a computer loses power. The sessions end a moment later.
    pub(crate) fn kill(&self) {
        assert!(self.own.is_some(), "the shared server is not this test's to kill");
        let file = std::fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap();
        let pid = file.lines().next().unwrap();
        assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
    }

    /// With TLS: the certificate of the authority that the server's own ends in.
    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// A new, empty database.
    pub(crate) fn database(&self) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("it_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        psql(&self.dir, self.port, "postgres", &format!("CREATE DATABASE {name} OWNER clawberth")).unwrap();
        let url = std::fs::read_to_string(self.dir.join("url")).unwrap();
        let (server, _) = url.rsplit_once('/').unwrap();
        Database { url: format!("{server}/{name}"), name, dir: self.dir.clone(), port: self.port }
    }

    /// Takes away what tests left that were killed.
    fn sweep(&self) {
        let names = "SELECT datname FROM pg_database WHERE datname LIKE 'it\\_%'";
        for name in psql(&self.dir, self.port, "postgres", names).unwrap().lines() {
            let process = name.split('_').nth(1).unwrap_or_default();
            if !Path::new("/proc").join(process).exists() {
                // another run may do the same at this moment
                let _ = psql(&self.dir, self.port, "postgres", &drop_of(name));
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.own.is_some() {
            script(&self.dir, "stop", &[]);
        }
    }
}

impl Database {
    /// How the program gets there: user, password, address and database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The password in that URL.
    pub(crate) fn password(&self) -> &str {
        self.url.split(['@', ':']).nth(2).unwrap()
    }

    /// The URL without its password.
    pub(crate) fn url_without_password(&self) -> String {
        self.url.replace(&format!(":{}@", self.password()), "@")
    }

    /// Asks or changes the database behind the program's back; a line a row, `|` between columns.
    #[track_caller]
    pub(crate) fn sql(&self, statement: &str) -> String {
        psql(&self.dir, self.port, &self.name, statement).unwrap()
    }

    /// Makes it as it was when it was new.
    pub(crate) fn empty(&self) -> Result<(), String> {
        let again = "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner";
        psql(&self.dir, self.port, &self.name, again).map(drop)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // the server may be gone already, and its databases with it
        let _ = psql(&self.dir, self.port, "postgres", &drop_of(&self.name));
    }
}

fn drop_of(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
}

/// In CI nothing may be left out.
fn skipped<T>(why: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    None
}

fn installed() -> bool {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return false };
    versions.flatten().any(|version| version.path().join("bin/initdb").exists())
}

/// A port that nobody has now. Somebody may have it a moment later; then the start fails and says so.
fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn port_of(url: &str) -> u16 {
    url.rsplit([':', '/']).nth(1).unwrap().parse().unwrap()
}

#[track_caller]
fn script(dir: &Path, command: &str, rest: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres");
    let output = Command::new(script).arg(command).arg(dir).args(rest).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Over the socket, as the superuser; what the server answers, or why it does not.
fn psql(dir: &Path, port: u16, database: &str, statement: &str) -> Result<String, String> {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
        .arg("--host")
        .arg(dir)
        .args(["--port", &port.to_string(), "--username", "postgres", "--command", statement, database])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
