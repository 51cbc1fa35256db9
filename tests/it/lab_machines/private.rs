//! Volumes and private networks, at machines that run.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::bed::{Lab, root};

/// A connection to an SSH daemon.
fn reaches(lab: &Lab, from: u64, address: &str) -> bool {
    lab.is_so(from, &format!("timeout 2 bash -c ': </dev/tcp/{address}/22'"))
}

fn network(lab: &Lab, name: &str) -> u64 {
    let subnet = json!({"type": "cloud", "ip_range": "10.0.1.0/24", "network_zone": "eu-central"});
    let wish = json!({"name": name, "ip_range": "10.0.0.0/16", "subnets": [subnet]});
    lab.post("/networks", &wish)["network"]["id"].as_u64().unwrap()
}

fn act(lab: &Lab, server: u64, action: &str, body: &Value) {
    lab.post(&format!("/servers/{server}/actions/{action}"), body);
}

fn join(lab: &Lab, server: u64, network: u64, ip: &str) {
    act(lab, server, "attach_to_network", &json!({"network": network, "ip": ip}));
}

/// The namespaces of private networks.
fn networks(lab: &Lab) -> usize {
    lab.traces().iter().filter(|trace| trace.starts_with(&format!("cb{}-n", lab.slot()))).count()
}

fn has_volume(lab: &Lab, server: u64, volume: u64) -> bool {
    lab.is_so(server, &format!("mountpoint -q /mnt/HC_Volume_{volume}"))
}

#[test]
fn volumes_and_private_networks_come_and_go_while_machines_run() {
    if !root() {
        return;
    }
    let lab = Lab::new();
    lab.ok(&["up", "--detach"], &[]);
    // nothing may come in: private networks do not ask the firewall
    let firewall = lab.post("/firewalls", &json!({"name": "closed", "rules": []}))["firewall"]["id"].clone();
    let closed = json!({"firewalls": [{"firewall": firewall}]});
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| lab.server(name, &closed));

    let [ours, other] = ["ours", "other"].map(|name| network(&lab, name));
    join(&lab, alice, ours, "10.0.1.2");
    join(&lab, bob, ours, "10.0.1.3");
    join(&lab, carol, other, "10.0.1.3");
    assert!(reaches(&lab, alice, "10.0.1.3") && reaches(&lab, bob, "10.0.1.2"), "members reach each other");
    assert!(!reaches(&lab, carol, "10.0.1.2"), "the same address of another network");
    nobody_else_meets(&lab, alice, bob);
    routes_lead_to_their_members(&lab, alice, bob, ours);
    bob_knows_his_network(&lab, bob, ours);

    let volume = json!({"name": "data", "size": 10, "server": alice, "format": "ext4", "automount": true});
    let volume = lab.post("/volumes", &volume)["volume"]["id"].as_u64().unwrap();
    let file = format!("/mnt/HC_Volume_{volume}/file");
    assert!(has_volume(&lab, alice, volume));
    lab.inside(alice, &format!("echo data >{file}"));

    let before = lab.init(alice);
    lab.kill();
    lab.ok(&["up", "--detach"], &[]);
    assert_eq!(lab.init(alice), before, "adopted");
    assert!(has_volume(&lab, alice, volume) && reaches(&lab, alice, "10.0.1.3"), "as it was");
    act(&lab, alice, "rebuild", &json!({"image": "debian-13"}));
    assert_eq!(lab.inside(alice, &format!("cat {file}")), "data", "the volume is not on the disk");
    lab.set_up(alice);
    assert!(reaches(&lab, bob, "10.0.1.2"), "a rebuilt server is still a member");

    lab.inside(alice, &format!("cd /mnt/HC_Volume_{volume} && (exec sleep 600 <file >/dev/null 2>&1 &)"));
    lab.post(&format!("/volumes/{volume}/actions/detach"), &json!({}));
    assert!(!has_volume(&lab, alice, volume), "pulled while in use");
    lab.post(&format!("/volumes/{volume}/actions/attach"), &json!({"server": bob, "automount": true}));
    assert_eq!(lab.inside(bob, &format!("cat {file}")), "data", "at another server");

    lab.ok(&["down"], &[]);
    assert_eq!(lab.traces(), BTreeSet::new(), "after down");
    lab.ok(&["up", "--detach"], &[]);
    lab.set_up(bob);
    assert_eq!(lab.inside(bob, &format!("cat {file}")), "data", "after down and up");
    lab.set_up(alice);
    assert!(reaches(&lab, bob, "10.0.1.2") && reaches(&lab, alice, "10.0.1.3"), "after down and up");

    act(&lab, alice, "detach_from_network", &json!({"network": ours}));
    assert!(!reaches(&lab, bob, "10.0.1.2") && !lab.is_so(alice, "ip link show dev ens10"), "left");
    assert_eq!(networks(&lab), 2);
    lab.delete(&format!("/servers/{bob}"));
    assert_eq!(networks(&lab), 1, "a network without members is nothing");
    lab.post(&format!("/volumes/{volume}/actions/attach"), &json!({"server": alice, "automount": true}));
    assert_eq!(lab.inside(alice, &format!("cat {file}")), "data", "it outlives its server");
    lab.kill();
    lab.ok(&["down"], &[]);
    assert_eq!(lab.traces(), BTreeSet::new(), "after a kill and down");
}

/// Somebody may well answer at such an address in the network that this computer is in: but not with this host key.
fn nobody_else_meets(lab: &Lab, alice: u64, bob: u64) {
    let scan = "ssh-keyscan -T 2 -t ed25519 10.0.1.2 2>/dev/null || true";
    let key = lab.inside(alice, "cut -d ' ' -f 2 /etc/ssh/ssh_host_ed25519_key.pub");
    assert!(lab.inside(bob, scan).contains(&key), "a member does");
    for from in ["world", "admin"] {
        let met = lab.ok(&["exec", "--from", from], &["--", "sh", "-c", scan]);
        assert!(!met.contains(&key), "from {from}: {met}");
    }
}

/// Alias addresses and routes lead to a member; what it does with the packets is its own business.
fn routes_lead_to_their_members(lab: &Lab, alice: u64, bob: u64, network: u64) {
    let change = json!({"network": network, "alias_ips": ["10.0.1.20"]});
    act(lab, alice, "change_alias_ips", &change);
    lab.inside(alice, "ip addr add 10.0.1.20/32 dev ens10 && ip addr add 192.168.7.1/32 dev lo");
    assert!(reaches(lab, bob, "10.0.1.20"), "alias");
    let route = json!({"destination": "192.168.7.0/24", "gateway": "10.0.1.2"});
    lab.post(&format!("/networks/{network}/actions/add_route"), &route);
    lab.inside(bob, "ip route add 192.168.7.0/24 via 10.0.0.1");
    assert!(reaches(lab, bob, "192.168.7.1"), "route");
    lab.post(&format!("/networks/{network}/actions/delete_route"), &route);
    assert!(!reaches(lab, bob, "192.168.7.1"), "without the route");
    act(lab, alice, "change_alias_ips", &json!({"network": network, "alias_ips": []}));
    assert!(!reaches(lab, bob, "10.0.1.20"), "without the alias");
}

/// The interface, the API, the metadata service and the name server say the same.
fn bob_knows_his_network(lab: &Lab, bob: u64, network: u64) {
    let server = lab.get(&format!("/servers/{bob}"))["server"].clone();
    let mac = server["private_net"][0]["mac_address"].as_str().unwrap();
    assert!(lab.inside(bob, "ip link show dev ens10").contains(mac));
    let told = lab.inside(bob, "curl -sS http://169.254.169.254/hetzner/v1/metadata/private-networks");
    let expected = format!(
        "- ip: 10.0.1.3\n  alias_ips: []\n  interface_num: 1\n  mac_address: {mac}\n  network_id: {network}\n  \
         network_name: \"ours\"\n  network: 10.0.0.0/16\n  subnet: 10.0.1.0/24\n  gateway: 10.0.0.1"
    );
    assert_eq!(told, expected);
    let address = server["public_net"]["ipv4"]["ip"].as_str().unwrap();
    let pointer = server["public_net"]["ipv4"]["dns_ptr"].as_str().unwrap();
    let named = lab.inside(bob, &format!("getent hosts {address}"));
    assert!(named.ends_with(pointer), "{named} is not {pointer}");
}
