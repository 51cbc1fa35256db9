//! The cable of a server.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::bed::Bed;

/// A server's network link, pulled.
pub(super) struct Cable {
    /// The server's id.
    id: u64,
    /// The router's namespace.
    router: String,
    /// What it has to be told again when the link is back: words for `ip`, a line each.
    lost: String,
}

impl Cable {
    /// The link of the lab's only server goes down at the router, so that the server loses its carrier.
    pub(super) fn pull(bed: &Bed) -> Self {
        let (router, id) = end(bed);
        let mut lost = format!("address replace fe80::1/64 dev m{id} nodad\n");
        for family in ["-4", "-6"] {
            let known = ip(&format!("-n {router} {family} route show dev m{id}"));
            // the kernel's own come by themselves
            let known = known.lines().filter(|route| !route.contains("proto kernel"));
            lost.extend(known.map(|route| format!("{family} route replace {route} dev m{id}\n")));
        }
        ip(&format!("-n {router} link set m{id} down"));
        Self { id, router, lost }
    }

    /// Back as it was.
    pub(super) fn plug(self) {
        let Self { id, router, lost } = self;
        ip(&format!("-n {router} link set m{id} up"));
        for words in lost.lines() {
            ip(&format!("-n {router} {words}"));
        }
    }

    /// Waits until the server has a file; seen through its disk.
    pub(super) fn until_inside(&self, bed: &Bed, path: &str) {
        let file: PathBuf = bed.lab_dir().join(format!("machines/{}/root/{path}", self.id));
        let until = Instant::now() + Duration::from_secs(120);
        while !file.exists() {
            assert!(Instant::now() < until, "{path} does not come");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Where the link of the lab's only server ends: the router's namespace, and the server's id. Other labs have servers of the same id.
pub(super) fn end(bed: &Bed) -> (String, u64) {
    let status = bed.lab(&["status", "--json"], &[]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let id = status.pointer("/machines/0/id").unwrap().as_u64().unwrap();
    let address = status.pointer("/machines/0/ipv4").unwrap().as_str().unwrap();
    let namespaces = ip("netns list");
    let of_machine = format!("-m{id}");
    let all = namespaces.lines().map(|line| line.split(' ').next().unwrap());
    let mut own = all.filter(|name| name.ends_with(&of_machine)).filter(|name| {
        ip(&format!("-n {name} -4 -oneline address show dev eth0")).contains(&format!(" {address}/"))
    });
    let router = own.next().unwrap().strip_suffix(&of_machine).unwrap().to_owned();
    (router, id)
}

fn ip(words: &str) -> String {
    let output = Command::new("ip").args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
