//! One operator on one computer: a home, a clean environment with time and randomness pinned, the real program, and
//! a cloud of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clawberth::model::fleet::FleetId;
use clawberth::model::instance::{Instance, Stage};
use clawberth::model::place::Place;
use clawberth::store::{Session, Store};
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::front::Front;
use super::running::{Outcome, Running};

pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_clawberth");
/// Longest wait for something that takes milliseconds or, for deletes, some seconds.
pub(super) const SOON: Duration = Duration::from_secs(20);
/// Pause between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// A home, an environment, and perhaps a cloud.
pub(super) struct Environment {
    variables: BTreeMap<String, String>,
    /// What cannot be pinned, and what it is called in expected text.
    names: Mutex<Vec<(String, String)>>,
    lab: Option<Lab>,
    dir: tempfile::TempDir,
}

/// The cloud: Hetzner's API as the lab plays it, behind a front that can play tricks.
struct Lab {
    child: Child,
    front: Front,
}

impl Environment {
    /// Without a cloud: whoever asks for one gets no answer, as nothing listens on that port.
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["home", "bin", "here"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let mut environment = Self {
            variables: BTreeMap::new(),
            names: Mutex::new(vec![(dir.path().display().to_string(), "$DIR".to_owned())]),
            lab: None,
            dir,
        };
        let (home, bin) = (environment.path("home"), environment.path("bin"));
        environment.set("HOME", &home.display().to_string());
        environment.set("PATH", &bin.display().to_string());
        environment.set("CLAWBERTH_NOW", "2026-11-22T12:00:00Z");
        environment.set("CLAWBERTH_SEED", "1");
        environment.set("CLAWBERTH_ADMIN_NETWORKS", "203.0.113.7");
        environment.set("HCLOUD_ENDPOINT", "http://127.0.0.1:9/v1");
        environment.set("HCLOUD_TOKEN", "a-token");
        environment
    }

    /// With an empty cloud.
    pub(super) fn with_cloud() -> Self {
        let mut environment = Self::new();
        let dir = environment.path("lab");
        let mut child = environment
            .command(&["lab", "api", "--dir", dir.to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let story = BufReader::new(child.stdout.take().unwrap());
        let ready = story.lines().map_while(Result::ok).any(|line| line.starts_with("the lab is ready"));
        assert!(ready, "the lab ended before it was ready");
        let record: serde_json::Value =
            serde_json::from_slice(&fs::read(dir.join("lab.json")).unwrap()).unwrap();
        let front = Front::new(&format!("http://127.0.0.1:{}", record["port"]));
        environment.name(&format!("http://127.0.0.1:{}/v1", record["port"]), "$LAB");
        environment.name(&format!("http://127.0.0.1:{}/control", record["port"]), "$CONTROL");
        environment.name(&front.endpoint(), "$API");
        environment.set("HCLOUD_ENDPOINT", &front.endpoint());
        environment.set("HCLOUD_TOKEN", record["projects"][0]["token"].as_str().unwrap());
        environment.lab = Some(Lab { child, front });
        environment
    }

    /// The cloud, as a test talks to it and plays tricks with it.
    pub(super) fn cloud(&self) -> &Front {
        &self.lab.as_ref().expect("this environment has no cloud").front
    }

    /// The token of the cloud's project.
    pub(super) fn token(&self) -> &str {
        &self.variables["HCLOUD_TOKEN"]
    }

    /// Sets a variable for all commands that follow.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Takes a variable away.
    pub(super) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// A file or folder of this environment. Commands run in `here`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of this environment.
    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Makes a program of this name that is a shell script.
    pub(super) fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The default state file.
    pub(super) fn state(&self) -> PathBuf {
        self.path("home/.local/state/clawberth/state.sqlite")
    }

    /// Every file of the operator's with its content: what a refused command must leave as it was.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for folder in ["home", "here"] {
            collect(&self.path(folder), &mut files);
        }
        files
    }

    /// The command, ready to be run.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        self.program_at(PROGRAM, args)
    }

    /// Another program in the same environment.
    pub(super) fn program_at(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.path("here"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(super) fn run(&self, args: &[&str]) -> Outcome {
        self.start(args).end()
    }

    /// Runs a command that must change nothing, neither here nor in the cloud, and has no answer.
    #[track_caller]
    pub(super) fn changes_nothing(&self, args: &[&str], code: i32, stderr: &str) {
        let files = self.files();
        let changes = self.lab.as_ref().map(|lab| lab.front.changes().len());
        self.run(args).expect(code, "", stderr);
        assert!(self.files() == files, "{args:?} changed files");
        let now = self.lab.as_ref().map(|lab| lab.front.changes().len());
        assert_eq!(now, changes, "{args:?} changed the cloud");
    }

    /// Starts a command.
    pub(super) fn start(&self, args: &[&str]) -> Running<'_> {
        self.start_with(args, &[])
    }

    /// Starts a command with variables of its own.
    pub(super) fn start_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Running<'_> {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        self.started(command)
    }

    /// Starts what was made by [`Environment::program_at`].
    pub(super) fn started(&self, mut command: Command) -> Running<'_> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (out, err) = (self.path(&format!("out.{count}")), self.path(&format!("err.{count}")));
        let child =
            command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).spawn().unwrap();
        Running { environment: self, child, out, err }
    }

    /// Deploys alice until her server is there and about to be reached, and stops then.
    #[track_caller]
    pub(super) fn create_alice(&self) {
        let mut deploy = self.start(&["deploy", "alice", "--yes"]);
        deploy.until_says("server created");
        self.until_begun("reach");
        assert_eq!(deploy.interrupt().code, Some(130));
    }

    /// Changes the state as the steps would do that need a real machine.
    pub(super) fn record(&self, change: impl FnOnce(&mut Instance)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let session = Session::here("a test", "changes the state", "2026-11-22T12:00:00Z");
            let none = FleetId::from_bytes([0; 8]);
            let store = Store::open(&Place::File(self.state()), &none, session).await.unwrap();
            let mut instance = store.instances().await.unwrap().remove(0);
            change(&mut instance);
            let lease = store.lease(instance.name.as_str(), "2026-11-22T12:00:00Z", |_| {}).await.unwrap();
            lease.put(&instance).await.unwrap();
            store.close().await.unwrap();
        });
    }

    /// Writes down that servers were made and named, each for an instance that is gone by now.
    pub(super) fn named(&self, names: impl IntoIterator<Item = String>, when: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let session = Session::here("a test", "names servers", when);
            let none = FleetId::from_bytes([0; 8]);
            let store = Store::open(&Place::File(self.state()), &none, session).await.unwrap();
            for name in names {
                let lease = store.lease(&name, when, |_| {}).await.unwrap();
                for step in ["create", "name"] {
                    let intent = lease.begin(step, when).await.unwrap();
                    lease.end(intent, "created", when).await.unwrap();
                }
                lease.release().await.unwrap();
            }
            store.close().await.unwrap();
        });
    }

    /// Writes down that alice serves, which no command can see here.
    pub(super) fn serve(&self) {
        self.record(|alice| {
            let server = alice.stage.server().unwrap().clone();
            alice.stage = Stage::Serving(server);
        });
    }

    /// Changes the state file behind the program's back.
    pub(super) fn sql(&self, statement: &'static str) {
        self.on_state(async |state| {
            sqlx::query(statement).execute(state).await.unwrap();
        });
    }

    /// Waits until a step has begun, and not ended.
    #[track_caller]
    pub(super) fn until_begun(&self, step: &str) {
        let until = Instant::now() + SOON;
        let query = "SELECT count(*) FROM intent WHERE step = ? AND ended IS NULL";
        let begun =
            || self.on_state(async |state| sqlx::query_scalar(query).bind(step).fetch_one(state).await);
        // the command that is waited for may not have made it yet
        while !self.state().exists() || begun().unwrap_or(0_i64) == 0 {
            assert!(Instant::now() < until, "{step} did not begin");
            std::thread::sleep(LOOK);
        }
    }

    fn on_state<T>(&self, work: impl AsyncFnOnce(&mut SqliteConnection) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(self.state());
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            let result = work(&mut connection).await;
            connection.close().await.unwrap();
            result
        })
    }

    /// Waits until the first instance of the state is at a stage.
    #[track_caller]
    pub(super) fn until_stage(&self, stage: &str) {
        let until = Instant::now() + SOON;
        while !self.run(&["list"]).stdout.contains(&format!("  {stage}  ")) {
            assert!(Instant::now() < until, "nothing became {stage}");
            std::thread::sleep(LOOK);
        }
    }

    /// Asks the cloud itself.
    #[track_caller]
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.cloud().ask(self.token(), method, path, body)
    }

    /// Makes the zone example.org.
    pub(super) fn make_zone(&self) {
        self.ask("POST", "/zones", Some(&json!({ "name": "example.org", "mode": "primary" })));
    }

    /// The ids of all servers in the cloud.
    pub(super) fn servers(&self) -> Vec<u64> {
        let answer = self.ask("GET", "/servers", None);
        answer["servers"].as_array().unwrap().iter().map(|server| server["id"].as_u64().unwrap()).collect()
    }

    /// What was deleted, without what had to wait until the server was free.
    pub(super) fn deletes(&self) -> Vec<String> {
        let changed = self.cloud().changed();
        changed.into_iter().filter(|line| line.starts_with("DELETE ") && !line.ends_with(" 423")).collect()
    }

    /// Neither the cloud nor the state has anything any more.
    #[track_caller]
    pub(super) fn nothing_is_left(&self) {
        for kind in ["servers", "firewalls", "ssh_keys", "primary_ips"] {
            let left = self.ask("GET", &format!("/{kind}"), None);
            assert_eq!(left[kind], json!([]), "{kind}");
        }
        self.run(&["list", "--json"]).expect(0, "[]\n", "");
    }

    /// Gives what cannot be pinned a name in expected text.
    pub(super) fn name(&self, text: &str, name: &str) {
        self.names.lock().unwrap().push((text.to_owned(), name.to_owned()));
    }

    /// Text as it can be expected.
    pub(super) fn plain(&self, text: &str) -> String {
        self.names.lock().unwrap().iter().fold(text.to_owned(), |text, (is, name)| text.replace(is, name))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // `lab down` would first wait for what the cloud is doing; an API alone leaves nothing behind but its folder
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every file below a folder, but for what SQLite keeps for a moment.
pub(super) fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
            continue;
        }
        let content = fs::read(&path).unwrap();
        // what SQLite keeps beside a state that is only read
        let name = path.to_string_lossy();
        let passing = name.ends_with("-shm") || name.ends_with("-wal") && content.is_empty();
        if !passing {
            files.insert(path, content);
        }
    }
}
