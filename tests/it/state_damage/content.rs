//! A state with some past, and everything that can be asked of one.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use clawberth::model::fleet::{FleetId, OpId};
use clawberth::model::instance::{Instance, Outcome, Server, Stage};
use clawberth::model::name::InstanceName;
use clawberth::model::place::Place;
use clawberth::store::{Document, Entry, FLEET, InterruptedCreate, Session, Store, StoreError};

use super::Laid;

const NOW: &str = "2026-11-22T12:00:00Z";
/// Longest time to say what is wrong, on a busy computer.
const PATIENCE: Duration = Duration::from_secs(10);
const NAMES: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];

/// A state as it is on disk: before the last session and after it, and the journal between the two.
pub(super) struct State {
    pub(super) file_before: Vec<u8>,
    pub(super) journal: Vec<u8>,
    pub(super) file: Vec<u8>,
    /// What it held at each moment of the last session.
    pub(super) contents: Vec<Content>,
}

impl State {
    pub(super) fn last(&self) -> &[Content] {
        &self.contents[self.contents.len() - 1..]
    }
}

/// All that the state knows, by every way there is to ask for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    document: Document,
    histories: Vec<Vec<Entry>>,
    interrupted: Vec<InterruptedCreate>,
    host_keys: Vec<Option<String>>,
}

/// What a look at a damaged state gives.
pub(super) enum Reading {
    Content(Box<Content>),
    Refused(String),
    /// Something that must not be.
    Wrong(String),
}

/// Makes it, as a few commands would.
pub(super) fn make() -> State {
    on_a_thread(async {
        let laid = Laid { dir: tempfile::tempdir().unwrap() };
        let path = laid.path();
        let store = open(&path).await.unwrap();
        for (number, name) in NAMES.iter().enumerate().take(4) {
            deploy(&store, number, name, &mut Vec::new()).await;
        }
        store.close().await.unwrap();
        let file_before = std::fs::read(&path).unwrap();

        let store = open(&path).await.unwrap();
        let mut contents = vec![ask(&store).await.unwrap()];
        for (number, name) in NAMES.iter().enumerate().skip(4) {
            deploy(&store, number, name, &mut contents).await;
        }
        destroy(&store, "bob", &mut contents).await;
        interrupt(&store, "alice", &mut contents).await;
        let journal = std::fs::read(beside(&path, "-wal")).unwrap();
        store.close().await.unwrap();
        let file = std::fs::read(&path).unwrap();
        State { file_before, journal, file, contents }
    })
}

async fn deploy(store: &Store, number: usize, name: &str, contents: &mut Vec<Content>) {
    let lease = store.lease(name, NOW, |_| {}).await.unwrap();
    contents.push(ask(store).await.unwrap());
    let mut instance = planned(name);
    lease.put(&instance).await.unwrap();
    contents.push(ask(store).await.unwrap());
    let op = op(number);
    let host_key = format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{name}");
    lease.put_creation(&op, &host_key, NOW).await.unwrap();
    contents.push(ask(store).await.unwrap());
    let ipv4 = Ipv4Addr::new(198, 51, 100, u8::try_from(number).unwrap());
    let id = 101 + u64::try_from(number).unwrap();
    let server = Server {
        id,
        ipv4,
        ipv6: None,
        location: "fsn1".into(),
        host_key,
        next_host_key: None,
        own_host_key: true,
        birth_key: None,
        admitted: None,
        standby: None,
    };
    let outcomes = [Outcome::Created(server), Outcome::Reached, Outcome::Trusted, Outcome::Installed];
    for (outcome, step) in outcomes.into_iter().zip(["create", "reach", "trust", "set-up"]) {
        let intent = lease.begin(step, NOW).await.unwrap();
        contents.push(ask(store).await.unwrap());
        instance.stage = instance.stage.after(outcome).unwrap();
        lease.advance(intent, &instance, NOW).await.unwrap();
        contents.push(ask(store).await.unwrap());
    }
    lease.release().await.unwrap();
    let fleet = store.lease(FLEET, NOW, |_| {}).await.unwrap();
    let intent = fleet.begin("create-firewall", NOW).await.unwrap();
    contents.push(ask(store).await.unwrap());
    fleet.end(intent, "done", NOW).await.unwrap();
    contents.push(ask(store).await.unwrap());
    fleet.release().await.unwrap();
}

async fn destroy(store: &Store, name: &str, contents: &mut Vec<Content>) {
    let lease = store.lease(name, NOW, |_| {}).await.unwrap();
    let instances = store.instances().await.unwrap();
    let mut instance = instances.into_iter().find(|instance| instance.name.as_str() == name).unwrap();
    for (outcome, step) in [(Outcome::Condemned, "condemn"), (Outcome::Deleted, "delete")] {
        let intent = lease.begin(step, NOW).await.unwrap();
        contents.push(ask(store).await.unwrap());
        instance.stage = instance.stage.after(outcome).unwrap();
        lease.advance(intent, &instance, NOW).await.unwrap();
        contents.push(ask(store).await.unwrap());
    }
    lease.release().await.unwrap();
}

/// A create without outcome, of an instance that has no server.
async fn interrupt(store: &Store, name: &str, contents: &mut Vec<Content>) {
    let lease = store.lease(name, NOW, |_| {}).await.unwrap();
    lease.put(&planned(name)).await.unwrap();
    contents.push(ask(store).await.unwrap());
    let _open = lease.begin("create", NOW).await.unwrap();
    contents.push(ask(store).await.unwrap());
    lease.release().await.unwrap();
}

/// Opens a state to look at it, asks it everything, and opens it to write: that must be the same fleet's.
pub(super) fn read(laid: &Laid) -> Reading {
    let path = laid.path();
    let begun = Instant::now();
    let looked = std::panic::catch_unwind(|| on_a_thread(look(&path)));
    let looked = match looked {
        Err(_) => return Reading::Wrong("a panic".to_owned()),
        Ok(looked) => looked,
    };
    let opened = std::panic::catch_unwind(|| on_a_thread(fleet_of(&path)));
    match (looked, opened) {
        _ if begun.elapsed() > PATIENCE => Reading::Wrong(format!("takes {:?}", begun.elapsed())),
        (_, Err(_)) => Reading::Wrong("a panic when it is opened to write".to_owned()),
        (_, Ok(Ok(false))) => Reading::Wrong("another fleet begins in it".to_owned()),
        (Ok(None), Ok(_)) => Reading::Wrong("taken for no state".to_owned()),
        (Ok(Some(content)), Ok(_)) => Reading::Content(Box::new(content)),
        (Err(error), Ok(_)) => Reading::Refused(kind(&error)),
    }
}

async fn look(path: &Path) -> Result<Option<Content>, StoreError> {
    let Some(store) = Store::open_existing(&Place::File(path.to_owned())).await? else { return Ok(None) };
    let content = ask(&store).await;
    let _ = store.close().await;
    content.map(Some)
}

async fn fleet_of(path: &Path) -> Result<bool, StoreError> {
    let session = Session::here("b", "clawberth deploy b", NOW);
    let store = Store::open(&Place::File(path.to_owned()), &FleetId::from_bytes([9; 8]), session).await?;
    let same = *store.fleet() == FleetId::from_bytes([1; 8]);
    let _ = store.close().await;
    Ok(same)
}

async fn ask(store: &Store) -> Result<Content, StoreError> {
    let document = store.document().await?;
    let (mut histories, mut host_keys) = (Vec::new(), Vec::new());
    for (number, name) in NAMES.iter().enumerate() {
        let name: InstanceName = name.parse().unwrap();
        histories.push(store.history(Some(name.as_str())).await?);
        host_keys.push(store.host_key_of(&op(number), &name).await?);
    }
    histories.push(store.history(Some(FLEET)).await?);
    let interrupted = store.interrupted_creates(&document.instances).await?;
    Ok(Content { document, histories, interrupted, host_keys })
}

impl Content {
    /// In which parts another one differs.
    pub(super) fn difference(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (&self.document, &other.document);
        let parts = [
            ("another fleet", ours.fleet != theirs.fleet),
            ("other instances", ours.instances != theirs.instances),
            ("other host keys", ours.creations != theirs.creations),
            ("other sessions", ours.sessions != theirs.sessions),
            ("another history", ours.history != theirs.history),
            ("an instance's other history", self.histories != other.histories),
            ("other interrupted creates", self.interrupted != other.interrupted),
            ("another host key of a create", self.host_keys != other.host_keys),
        ];
        parts.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
    }
}

async fn open(path: &Path) -> Result<Store, StoreError> {
    let session = Session::here("a", "clawberth deploy a", NOW);
    Store::open(&Place::File(path.to_owned()), &FleetId::from_bytes([1; 8]), session).await
}

fn planned(name: &str) -> Instance {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let spec = serde_json::json!({
        "server_type": "cx23", "locations": ["fsn1", "nbg1"], "image": "debian-13", "domain": null,
        "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
    });
    let spec = serde_json::from_value(spec).unwrap();
    Instance { name: name.parse().unwrap(), spec, stage: Stage::Planned, created: NOW.into() }
}

fn op(number: usize) -> OpId {
    OpId::from_bytes([u8::try_from(number).unwrap(); 8])
}

fn beside(path: &Path, ending: &str) -> std::path::PathBuf {
    std::path::PathBuf::from(format!("{}{ending}", path.display()))
}

/// The variant's name: what kind of refusal it is.
fn kind(error: &StoreError) -> String {
    let text = format!("{error:?}");
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

fn on_a_thread<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}
