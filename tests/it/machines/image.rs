//! Images on real machines: nothing of a server is left in one, and what is born from one is the same as what was set up from
//! nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::bed::Bed;

/// Longest wait until a builder is set up, on a starved computer.
const LONG: Duration = Duration::from_secs(1800);

/// What is compared, a line for each: packages; which units there are, whether they start by themselves, what they say; files
/// below the folders that are ours to fill, with owner, mode and hash; the firewall; the set-up of the gateway. The server's own name and
/// address are put aside first.
const FACTS: &str = r#"
address=$(ip -4 -oneline address show scope global | awk '{ sub("/.*", "", $4); print $4; exit }')
own() { sed "s/$address/@ADDRESS@/g; s/$(hostname)/@NAME@/g"; }
dpkg-query -W -f 'package ${Package} ${Architecture} ${Version} ${Status}\n'
systemctl list-unit-files --no-legend --plain | awk '{ print "unit-file", $1, $2 }'
for unit in openclaw caddy nftables ssh unattended-upgrades apt-daily.timer apt-daily-upgrade.timer; do
	echo "unit $unit $(systemctl is-enabled "$unit") $(systemctl is-active "$unit") $(systemctl cat "$unit" | own | sha256sum)"
	systemctl show "$unit" -p User,Group,FragmentPath,DropInPaths,NoNewPrivileges,ProtectSystem,ReadWritePaths,IPAddressDeny,CapabilityBoundingSet,SystemCallFilter,Requires,After | own |
		while IFS='=' read -r key value; do echo "unit $unit $key $(echo "$value" | tr ' ' '\n' | sort | tr '\n' ' ')"; done
done
systemctl --failed --no-legend --plain | sed 's/^/failed /'
find /etc /usr/local /root /boot -xdev -printf '%p %y %m %u %g %l\n' | sed 's/^/entry /'
find /etc /usr/local /root -xdev -type f | sort | while read -r file; do echo "content $file $(own <"$file" | sha256sum)"; done
for tree in /opt/node /opt/openclaw; do
	find $tree -printf '%P %y %m %u %g %l\n' | sort | sha256sum | sed "s|^|tree $tree |"
	(cd $tree && find . -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum | sed "s|^|trees-content $tree |"
done
for file in /var/lib/openclaw /var/lib/openclaw/secrets.json /var/lib/openclaw/.openclaw /var/lib/openclaw/.openclaw/openclaw.json /var/lib/caddy /swapfile; do
	stat -c "entry %n %F %a %U %G" $file
done
stat -c 'swap %s' /swapfile
nft -s -t list ruleset | sed 's/^/nft /'
openclaw config get gateway | own | sed 's/^/gateway /'
openclaw config get tools | sed 's/^/tools /'
getent passwd | sed 's/^/account /'
getent group | sed 's/^/group /'
"#;

/// What differs between any two servers, and why.
const DIFFER: [(&str, &str); 13] = [
    ("/etc/machine-id", "each has its own"),
    ("/etc/hostname", "how the lab seeds a disk differs in nothing but the name"),
    ("/etc/ssh/clawberth_host_ed25519_key", "each has made its own"),
    ("/etc/ssh/clawberth_host_ed25519_key.pub", "each has made its own"),
    ("/etc/ssh/clawberth_host_ed25519_key-cert.pub", "each has one by its own injected key"),
    ("/etc/passwd-", "the file before the last change of accounts"),
    ("/etc/group-", "the file before the last change of accounts"),
    ("/etc/shadow-", "the file before the last change of accounts"),
    ("/etc/gshadow-", "the file before the last change of accounts"),
    ("/etc/subuid-", "the file before the last change of accounts"),
    ("/etc/subgid-", "the file before the last change of accounts"),
    ("/etc/shadow", "has the day on which an account was made"),
    ("/etc/.updated", "has a time"),
];

/// Where no word of a server may stand.
const PLACES: [&str; 6] = ["etc", "root", "home", "usr/local", "var/lib", "var/log"];

#[test]
#[ignore = "a quarter of an hour: `make test-image`"]
fn what_is_born_from_an_image_is_what_was_set_up_from_nothing() {
    let Some(bed) = Bed::up() else { return };
    // off, as the snapshot will have it
    let mut bake = stopped(&bed, "take-image:before-intent");
    let builder = builder(&bed);
    knows_nobody(&builder.disk.join("upper"), &builder);
    go_on(&bake);
    assert!(bake.wait().unwrap().success(), "the bake failed");
    assert_eq!(servers(&bed), 0, "the builder is gone");
    let images = bed.json(&["image", "list"]);
    assert_eq!(images.pointer("/0/use").unwrap(), "fits", "{images}");
    let layer = bed.lab_dir().join(format!("snapshots/{}/layer", images.pointer("/0/id").unwrap()));
    knows_nobody(&layer, &builder);

    let began = Instant::now();
    bed.ok(&["deploy", "baked", "--yes"]);
    eprintln!("baked: ready after {:.1} s", began.elapsed().as_secs_f64());
    eprintln!("{}", bed.ok(&["show", "baked", "--timing"]));
    bed.ok(&["image", "prune", "--all", "--yes"]);
    let began = Instant::now();
    bed.ok(&["deploy", "cold", "--yes"]);
    eprintln!("cold: ready after {:.1} s", began.elapsed().as_secs_f64());
    eprintln!("{}", bed.ok(&["show", "cold", "--timing"]));
    bed.on(
        "baked",
        "for n in $(seq 300); do systemctl is-active -q apt-daily apt-daily-upgrade || exit 0; sleep 1; done",
    );
    are_the_same(&bed);
    own_identities(&bed, &builder);
    bed.ok(&["audit", "baked"]);
    bed.ok(&["destroy", "--all", "--yes"]);
}

#[test]
#[ignore = "two minutes: `make test-image`"]
fn an_image_that_would_know_its_server_is_not_made() {
    let Some(bed) = Bed::up() else { return };
    let mut bake = stopped(&bed, "prove-builder:before-intent");
    let builder = builder(&bed);
    std::fs::write(builder.disk.join("root/etc/ssh/ssh_host_rsa_key"), "a key\n").unwrap();
    go_on(&bake);
    assert_eq!(bake.wait().unwrap().code(), Some(1));
    let story = std::fs::read_to_string(bed.scratch("bake.err")).unwrap();
    let said = "error: the image would know who its server was: etc/ssh/ssh_host_rsa_key is there\n";
    assert!(story.contains(said), "{story}");
    assert_eq!((servers(&bed), bed.json(&["image", "list"]).as_array().unwrap().len()), (0, 0));
}

/// The server that becomes an image, as this computer knows it.
struct Builder {
    name: String,
    address: String,
    disk: PathBuf,
}

fn all(bed: &Bed) -> Vec<Value> {
    let all: Value = serde_json::from_str(&bed.hcloud(&["server", "list", "-o", "json"])).unwrap();
    all.as_array().cloned().unwrap_or_default()
}

fn servers(bed: &Bed) -> usize {
    all(bed).len()
}

fn builder(bed: &Bed) -> Builder {
    let [server] = &all(bed)[..] else { panic!("there is not one server") };
    let text = |pointer: &str| server.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let disk = bed.lab_dir().join(format!("machines/{}", server.pointer("/id").unwrap()));
    Builder { name: text("/name"), address: text("/public_net/ipv4/ip"), disk }
}

/// Starts a bake, and gives it when it has stopped there.
fn stopped(bed: &Bed, at: &str) -> Child {
    let story = std::fs::File::create(bed.scratch("bake.err")).unwrap();
    let mut bake = bed.command(&["image", "bake", "--yes"]);
    let mut child = bake.env("CLAWBERTH_STOP_AT", at).stdout(Stdio::null()).stderr(story).spawn().unwrap();
    let end = Instant::now() + LONG;
    let status = format!("/proc/{}/stat", child.id());
    while !std::fs::read_to_string(&status).unwrap().contains(") T ") {
        let ended = child.try_wait().unwrap();
        let story = || std::fs::read_to_string(bed.scratch("bake.err")).unwrap();
        assert!(ended.is_none() && Instant::now() < end, "it does not come to {at}: {}", story());
        std::thread::sleep(Duration::from_millis(200));
    }
    child
}

fn go_on(child: &Child) {
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::CONT).unwrap();
}

/// Looks at a disk from outside, by another way than the program's own.
fn knows_nobody(disk: &Path, builder: &Builder) {
    let read = |name: &str| std::fs::read_to_string(disk.join(name)).unwrap_or_default();
    assert_eq!(read("etc/machine-id"), "");
    let names = |dir: &str| -> Vec<String> {
        let entries = std::fs::read_dir(disk.join(dir)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    };
    let keys: Vec<String> = names("etc/ssh").into_iter().filter(|name| name.contains("_key")).collect();
    assert_eq!(keys, Vec::<String>::new(), "host keys");
    for dir in [
        "root/.ssh",
        "var/lib/cloud",
        "var/lib/caddy",
        "var/lib/openclaw",
        "var/lib/clawberth",
        "var/log/journal",
    ] {
        assert_eq!(names(dir), Vec::<String>::new(), "{dir}");
    }
    assert!(!disk.join("etc/clawberth/host").exists());
    let node = disk.join("opt/node/current");
    assert!(std::fs::symlink_metadata(node).is_ok(), "it is the disk of a server that is set up");
    for word in [&builder.name, &builder.address, "PRIVATE KEY-----", "ssh-ed25519 AAAA"] {
        let mut grep = Command::new("grep");
        grep.args(["-rlaF", "--devices=skip", "-e", word]).current_dir(disk);
        let found = grep.args(PLACES.iter().filter(|place| disk.join(place).exists())).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{word}");
    }
}

fn are_the_same(bed: &Bed) {
    let facts = |name: &str| -> BTreeSet<String> { bed.on(name, FACTS).lines().map(str::to_owned).collect() };
    let (baked, cold) = (facts("baked"), facts("cold"));
    assert!(baked.len() > 1000, "{baked:?}");
    let is_named = |line: &&String| {
        let path = line.split(' ').nth(1).unwrap_or_default();
        DIFFER.iter().any(|(named, _)| *named == path)
    };
    let only = |of: &BTreeSet<String>, sign: &str, other: &BTreeSet<String>| -> Vec<String> {
        of.difference(other).filter(|line| !is_named(line)).map(|line| format!("{sign} {line}")).collect()
    };
    let all = [only(&baked, "baked:", &cold), only(&cold, "cold: ", &baked)].concat();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// Each has made its own, and of the builder's there is nothing.
fn own_identities(bed: &Bed, builder: &Builder) {
    for script in
        ["cat /etc/machine-id", "cat /etc/ssh/*_key.pub", "sha256sum </var/lib/openclaw/secrets.json"]
    {
        let (baked, cold) = (bed.on("baked", script), bed.on("cold", script));
        assert!(baked != cold && baked.len() > 20, "{script}: {baked}");
    }
    let known = format!("grep -rlaF -e {} /etc /root /var/lib /usr/local || true", builder.name);
    assert_eq!(bed.on("baked", &known), "");
}
