//! What `benches/state.py` measures through the library: `state fill PLACE COUNT`, `state transitions PLACE COUNT`,
//! `state open PLACE COUNT`. Each measured time is a line, in microseconds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may fail loudly")]

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use clawberth::model::fleet::FleetId;
use clawberth::model::instance::{Instance, Outcome, Server, Stage};
use clawberth::model::place::Place;
use clawberth::store::{Session, Store};

const NOW: &str = "2026-11-22T12:00:00Z";
/// How many transitions one command makes of an instance, more or less.
const STEPS: usize = 10;

fn main() {
    // whoever runs all benchmarks gives no command
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [command, place, count] = words.as_slice() else { return };
    let (place, count) = (Place::parse(place).unwrap(), count.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let times = match command.as_str() {
        "fill" => runtime.block_on(fill(&place, count)),
        "transitions" => runtime.block_on(transitions(&place, count)),
        "open" => runtime.block_on(open(&place, count)),
        other => panic!("{other}: fill, transitions or open"),
    };
    let mut out = std::io::stdout().lock();
    for time in times {
        writeln!(out, "{}", time.as_micros()).unwrap();
    }
}

async fn store(place: &Place) -> Store {
    let session = Session::here("bench", "state", NOW);
    Store::open(place, &FleetId::from_bytes([1; 8]), session).await.unwrap()
}

/// Makes so many instances that serve.
async fn fill(place: &Place, count: usize) -> Vec<Duration> {
    let store = store(place).await;
    let mut document = store.document().await.unwrap();
    document.instances = (0..count).map(instance).collect();
    store.replace(&document, NOW).await.unwrap();
    store.close().await.unwrap();
    Vec::new()
}

/// An intent and an outcome with its stage each, on instances from all over the fleet: how long the first commit took and how
/// long the second, in turn. The leases are not measured, of which a command takes one.
async fn transitions(place: &Place, count: usize) -> Vec<Duration> {
    let store = store(place).await;
    let mut instances = store.instances().await.unwrap();
    let mut times = Vec::new();
    for number in 0..count / STEPS {
        let at = number * 7_919 % instances.len();
        let Some(instance) = instances.get_mut(at) else { continue };
        let lease = store.lease(instance.name.as_str(), NOW, |_| {}).await.unwrap();
        for _ in 0..STEPS {
            let begun = Instant::now();
            let intent = lease.begin("serve", NOW).await.unwrap();
            times.push(begun.elapsed());
            instance.stage = instance.stage.clone().after(Outcome::Served).unwrap();
            let begun = Instant::now();
            lease.advance(intent, instance, NOW).await.unwrap();
            times.push(begun.elapsed());
        }
        lease.release().await.unwrap();
    }
    store.close().await.unwrap();
    times
}

async fn open(place: &Place, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        let store = Store::open_existing(place).await.unwrap().unwrap();
        times.push(begun.elapsed());
        store.close().await.unwrap();
    }
    times
}

fn instance(number: usize) -> Instance {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let spec = serde_json::json!({
        "server_type": "cx23", "locations": ["fsn1", "nbg1", "hel1"], "image": "debian-13", "domain": null,
        "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
    });
    let [.., high, low] = number.to_be_bytes();
    let id = u64::try_from(number).unwrap() + 101;
    let ipv4 = Ipv4Addr::new(198, 51, high, low);
    let host_key = format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}", "A".repeat(43));
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
    Instance {
        name: format!("user-{number:05}").parse().unwrap(),
        spec: serde_json::from_value(spec).unwrap(),
        stage: Stage::Serving(server),
        created: NOW.into(),
    }
}
