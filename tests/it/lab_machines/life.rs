//! The lab's whole life, from its first `up` to a host on which nothing of it is left.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::bed::{Lab, root};

/// What the machine answers with on each port: the moment when it booted, so that a reboot shows.
const USER_DATA: &str = "#cloud-config
write_files:
- path: /etc/systemd/system/boot-time.service
  content: |
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=sh -c 'mkdir -p /run/answer && date +%%s.%%N >/run/answer/index.html'
- path: /etc/systemd/system/answer@.service
  content: |
    [Unit]
    Requires=boot-time.service
    After=boot-time.service
    [Service]
    ExecStart=python3 -m http.server --bind :: --directory /run/answer %i
    [Install]
    WantedBy=multi-user.target
runcmd:
- systemctl enable --now answer@80 answer@443 answer@18789
";

/// Creates a server behind a firewall and returns its addresses.
fn create(lab: &Lab) -> (String, String) {
    let admins: Vec<String> =
        lab.variable("CLAWBERTH_ADMIN_NETWORKS").split(',').map(str::to_owned).collect();
    let rule = |port: &str, sources: Value| json!({"direction": "in", "protocol": "tcp", "port": port, "source_ips": sources});
    let rules = json!([rule("443", json!(["0.0.0.0/0", "::/0"])), rule("22", json!(admins))]);
    let firewall = lab.post("/firewalls", &json!({"name": "gateway", "rules": rules}));
    let created = lab.post(
        "/servers",
        &json!({
            "name": "alice", "server_type": "cx23", "image": "debian-13", "location": "fsn1",
            "user_data": USER_DATA, "firewalls": [{"firewall": firewall["firewall"]["id"]}],
        }),
    );
    let net = &created["server"]["public_net"];
    let v4 = net["ipv4"]["ip"].as_str().unwrap().to_owned();
    let v6 = net["ipv6"]["ip"].as_str().unwrap();
    (v4, format!("{}1", v6.split('/').next().unwrap()))
}

#[test]
fn a_server_lives_through_down_up_and_a_killed_lab_and_nothing_is_left_of_it() {
    if !root() {
        return;
    }
    let lab = Lab::new();
    lab.ok(&["up", "--detach"], &[]);
    let (v4, v6) = create(&lab);
    let booted = lab.boot_time(&v4);
    lab.wait_for_listeners(&BTreeSet::from([22, 80, 443, 18789]));
    for address in [&v4, &v6] {
        assert_eq!(lab.open_ports("world", address), [443], "{address} from the world");
        assert_eq!(lab.open_ports("admin", address), [22, 443], "{address} from the operator");
    }
    assert!(lab.traces().len() > 10, "a lab that is up has traces: {:?}", lab.traces());

    let process = lab.machine_process();
    lab.kill();
    lab.ok(&["up", "--detach"], &[]);
    assert_eq!(
        (lab.boot_time(&v4), lab.machine_process()),
        (booted.clone(), process),
        "the machine was adopted"
    );
    assert_eq!(lab.open_ports("world", &v4), [443], "after the lab was killed");

    lab.ok(&["down"], &[]);
    assert_eq!(lab.traces(), BTreeSet::new(), "after down");
    lab.ok(&["up", "--detach"], &[]);
    assert_ne!(lab.boot_time(&v4), booted, "the machine booted again, with its disk");
    assert_eq!(lab.open_ports("world", &v4), [443], "after down and up");

    lab.kill();
    lab.ok(&["down"], &[]);
    assert_eq!(lab.traces(), BTreeSet::new(), "after a kill and down alone");
}

#[test]
fn a_second_up_says_that_the_lab_runs_and_exec_passes_the_exit_code_on() {
    if !root() {
        return;
    }
    let lab = Lab::new();
    assert!(!lab.run(&["env"], &[]).status.success(), "there is nothing to export before the first up");
    lab.ok(&["up", "--detach"], &[]);
    assert!(lab.ok(&["up", "--detach"], &[]).contains("runs already"));
    assert_eq!(lab.run(&["exec", "--from", "world"], &["--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    let resolver = lab.ok(&["exec", "--from", "admin"], &["--", "cat", "/etc/resolv.conf"]);
    assert!(resolver.starts_with("nameserver 198.19."), "{resolver}");
    assert!(Path::new(&lab.variable("CLAWBERTH_ACME_ROOT")).is_file());
    let mirror = lab.variable("CLAWBERTH_NODE_MIRROR");
    let check = "set -e; curl -sSf -O \"$0/SHASUMS256.txt\" -O \"$0/$1\" && sha256sum -c SHASUMS256.txt && tar -xzf \"$1\" \
                 && PATH=$PWD/${1%.tar.gz}/bin:$PATH && node --version && npm --version";
    let checked = Command::new("sh")
        .args(["-c", check, &format!("{mirror}/v24.21.0"), "node-v24.21.0-linux-x64.tar.gz"])
        .current_dir(lab.dir.parent().unwrap())
        .output()
        .unwrap();
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.contains("OK\nv24.21.0\n11."), "{checked}");
    lab.ok(&["down"], &[]);
    assert!(lab.ok(&["down"], &[]).contains("was down already"));
}
