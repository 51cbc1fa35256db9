//! Thousands of requests by chance: whatever comes, the lab answers as documented and stays whole.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Map, Value, json};

use clawberth::lab::api::Delays;

use super::raw::send;
use super::{Client, KEY, open_with, settings, wish};

const REQUESTS: usize = 4000;
const KINDS: [&str; 13] = [
    "servers",
    "ssh_keys",
    "firewalls",
    "primary_ips",
    "images",
    "volumes",
    "networks",
    "placement_groups",
    "zones",
    "actions",
    "locations",
    "server_types",
    "pricing",
];
const VERBS: [&str; 46] = [
    "poweron",
    "poweroff",
    "reboot",
    "reset",
    "shutdown",
    "rebuild",
    "create_image",
    "change_type",
    "change_protection",
    "change_dns_ptr",
    "enable_backup",
    "disable_backup",
    "enable_rescue",
    "disable_rescue",
    "reset_password",
    "request_console",
    "attach_iso",
    "detach_iso",
    "add_to_placement_group",
    "remove_from_placement_group",
    "attach_to_network",
    "detach_from_network",
    "change_alias_ips",
    "set_rules",
    "apply_to_resources",
    "remove_from_resources",
    "assign",
    "unassign",
    "attach",
    "detach",
    "resize",
    "add_subnet",
    "delete_subnet",
    "add_route",
    "delete_route",
    "change_ip_range",
    "change_ttl",
    "change_primary_nameservers",
    "import_zonefile",
    "set_records",
    "add_records",
    "remove_records",
    "update_records",
    "metrics",
    "1",
    "%00",
];
const FIELDS: [&str; 40] = [
    "name",
    "labels",
    "server_type",
    "image",
    "location",
    "user_data",
    "ssh_keys",
    "firewalls",
    "volumes",
    "networks",
    "public_net",
    "placement_group",
    "start_after_create",
    "automount",
    "public_key",
    "rules",
    "apply_to",
    "remove_from",
    "type",
    "assignee_type",
    "assignee_id",
    "auto_delete",
    "size",
    "format",
    "server",
    "ip_range",
    "subnets",
    "routes",
    "network_zone",
    "destination",
    "gateway",
    "mode",
    "ttl",
    "rrsets",
    "zonefile",
    "primary_nameservers",
    "records",
    "delete",
    "dns_ptr",
    "ip",
];

struct Chance {
    rng: StdRng,
    /// Kind, and id or name, of what was in answers.
    known: Vec<(String, String)>,
}

impl Chance {
    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of.choose(&mut self.rng).unwrap()
    }

    fn number(&mut self) -> Value {
        match self.rng.random_range(0..6) {
            0 => json!(u64::MAX),
            1 => json!(i64::MIN),
            2 => json!(-1),
            3 => json!(1.5e300),
            4 => json!(self.rng.random_range(0..100)),
            _ => self.known().parse::<u64>().map_or(json!(0), |id| json!(id)),
        }
    }

    fn known(&mut self) -> String {
        self.known.choose(&mut self.rng).map(|(_, id)| id.clone()).unwrap_or_default()
    }

    /// An id or a name of this kind, mostly.
    fn id(&mut self, plural: &str) -> String {
        let odd =
            ["0", "-1", "%00", "%2F", "%FF", "abc", "18446744073709551615", "99999999999999999999", "@"];
        let of_kind = |(kind, _): &&(String, String)| format!("{kind}s") == plural;
        let ids: Vec<String> = self.known.iter().filter(of_kind).map(|(_, id)| id.clone()).collect();
        match self.rng.random_range(0..10) {
            0 => self.one(&odd).to_owned(),
            1 => self.known(),
            _ => ids.choose(&mut self.rng).cloned().unwrap_or_default(),
        }
    }

    fn text(&mut self) -> String {
        let words = [
            "",
            "a",
            "web",
            "@",
            "*",
            "www",
            "A",
            "TXT",
            "CNAME",
            "SOA",
            "primary",
            "secondary",
            "example.org",
            "server",
            "label_selector",
            "in",
            "out",
            "tcp",
            "icmp",
            "443",
            "80-90",
            "0.0.0.0/0",
            "10.0.0.0/8",
            "::/0",
            "192.0.2.1",
            "2001:db8::1",
            "ipv4",
            "ipv6",
            "cx23",
            "cax11",
            "debian-13",
            "fsn1",
            "nbg1",
            "ext4",
            "spread",
            "cloud",
            "eu-central",
            "env=prod",
            "env in (a,b)",
            "snapshot",
            "\"text\"",
            "$INCLUDE x",
            "a. b. 1 2 3 4 5",
            KEY,
        ];
        match self.rng.random_range(0..10) {
            0 => self.noise(),
            1 => "x".repeat(self.rng.random_range(0..400)),
            2 | 3 => self.known(),
            _ => self.one(&words).to_owned(),
        }
    }

    fn noise(&mut self) -> String {
        let signs: Vec<char> = "\0\n\"\\;()=!,$@*. \tä𝄞a1-_/%".chars().collect();
        (0..self.rng.random_range(0..12)).map(|_| *signs.choose(&mut self.rng).unwrap()).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.rng.random_range(0..if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.rng.random::<bool>()),
            2 => self.number(),
            3 | 4 => json!(self.text()),
            5 | 6 => (0..self.rng.random_range(0..4)).map(|_| self.value(depth - 1)).collect(),
            _ => Value::Object(self.object(depth - 1)),
        }
    }

    fn object(&mut self, depth: usize) -> Map<String, Value> {
        let fields = [
            FIELDS.as_slice(),
            &[
                "value",
                "comment",
                "selector",
                "direction",
                "protocol",
                "port",
                "id",
                "firewall",
                "source_ips",
                "ipv4",
                "enable_ipv4",
                "enable_ipv6",
                "label_selector",
                "address",
                "a",
            ],
        ]
        .concat();
        (0..self.rng.random_range(0..5)).map(|_| (self.one(&fields).to_owned(), self.value(depth))).collect()
    }

    fn body(&mut self, mut body: Value) -> Vec<u8> {
        for _ in 0..self.rng.random_range(0_usize..4).saturating_sub(1) {
            let field = self.one(&FIELDS);
            body[field] = self.value(3);
        }
        if let (true, Some(name)) = (self.rng.random(), body.get("name").and_then(Value::as_str)) {
            body["name"] = json!(format!("{}{name}", self.rng.random_range(0..1000)));
        }
        match self.rng.random_range(0..12) {
            0 => self.noise().into_bytes(),
            1 => self.value(4).to_string().into_bytes(),
            2 => (0..self.rng.random_range(0..40)).map(|_| self.rng.random()).collect(),
            _ => body.to_string().into_bytes(),
        }
    }

    fn path(&mut self) -> String {
        let kind = self.one(&KINDS);
        let (id, zone) = (self.id(kind), self.id("zones"));
        let name = self.one(&["@", "www", "*", "%FF"]);
        let set = format!("zones/{zone}/rrsets/{name}/{}", self.one(&["A", "TXT", "SOA", "%20"]));
        match self.rng.random_range(0..9) {
            0..2 => kind.to_owned(),
            2..4 => format!("{kind}/{id}"),
            4..6 => format!("{kind}/{id}/actions/{}", self.one(&VERBS)),
            6 => {
                let ends = [
                    format!("{kind}/actions"),
                    format!("{kind}/{id}/actions"),
                    format!("zones/{zone}/zonefile"),
                ];
                ends.choose(&mut self.rng).cloned().unwrap()
            }
            7 => format!("{set}/actions/{}", self.one(&VERBS)),
            _ => set,
        }
    }

    /// A request that would be taken, with its path and body spoiled a little; or any at all.
    fn request(&mut self, good: &[(&str, Value)]) -> (String, Vec<u8>) {
        let (path, body) = good.choose(&mut self.rng).cloned().unwrap();
        let plural = path.split('/').next().unwrap_or_default();
        let path =
            if self.rng.random_range(0..4) > 0 { path.replace("ID", &self.id(plural)) } else { self.path() };
        (path, self.body(body))
    }

    fn query(&mut self) -> String {
        let keys = [
            "page",
            "per_page",
            "sort",
            "label_selector",
            "name",
            "id",
            "type",
            "status",
            "mode",
            "architecture",
            "%",
        ];
        let values = [
            "",
            "0",
            "1",
            "-1",
            "99999999999999999999",
            "name",
            "id:desc",
            "x:y",
            "a",
            "!a",
            "a+in+(b",
            "a%3Db",
            "%FF",
            "%",
        ];
        let pairs: Vec<String> = (0..self.rng.random_range(0..4))
            .map(|_| format!("{}={}", self.one(&keys), self.one(&values)))
            .collect();
        pairs.join("&")
    }

    /// Remembers what an answer tells of.
    fn learn(&mut self, answer: &Value) {
        for (key, value) in answer.as_object().into_iter().flatten() {
            let rows = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for told in rows.iter().flat_map(|row| [&row["id"], &row["name"]]) {
                let told = told.as_str().map_or_else(|| told.to_string(), str::to_owned);
                if told.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) {
                    self.known.push((key.trim_end_matches('s').to_owned(), told));
                }
            }
        }
        let surplus = self.known.len().saturating_sub(500);
        self.known.drain(..surplus);
    }
}

/// Requests that would be taken, below `/v1/`.
fn good() -> Vec<(&'static str, Value)> {
    let a = json!({"name": "www", "type": "A", "records": [{"value": "192.0.2.1", "comment": "c"}]});
    let rule = json!({"direction": "in", "protocol": "tcp", "port": "443", "source_ips": ["::/0"]});
    let place = json!({"type": "label_selector", "label_selector": {"selector": "env=prod"}});
    let file = "@ SOA a. b. 0 1 1 1 1\n@ NS hydrogen.ns.hetzner.com.\n@ NS oxygen.ns.hetzner.com.\n\
                @ NS helium.ns.hetzner.de.\nwww 300 TXT (\"a\" ; b\n \"c\")\n";
    vec![
        ("servers", wish("web", json!({"labels": {"env": "prod"}, "start_after_create": false}))),
        ("servers", wish("web", json!({"user_data": "#cloud-config\n"}))),
        ("servers/ID/actions/poweroff", json!({})),
        ("servers/ID/actions/poweron", json!({})),
        ("servers/ID/actions/rebuild", json!({"image": "debian-13"})),
        ("servers/ID/actions/change_type", json!({"server_type": "cx33", "upgrade_disk": false})),
        ("ssh_keys", json!({"name": "key", "public_key": KEY})),
        ("firewalls", json!({"name": "fire", "rules": [rule], "apply_to": [place]})),
        ("firewalls/ID/actions/set_rules", json!({"rules": [rule]})),
        ("firewalls/ID/actions/apply_to_resources", json!({"apply_to": [place]})),
        ("firewalls/ID/actions/remove_from_resources", json!({"remove_from": [place]})),
        ("primary_ips", json!({"name": "ip", "type": "ipv4", "assignee_type": "server", "location": "nbg1"})),
        ("networks", json!({"name": "net", "ip_range": "10.0.0.0/8"})),
        ("networks/ID/actions/add_subnet", json!({"type": "cloud", "network_zone": "eu-central"})),
        ("volumes", json!({"name": "vol", "size": 10, "location": "fsn1", "format": "ext4"})),
        ("volumes/ID/actions/resize", json!({"size": 20})),
        ("placement_groups", json!({"name": "group", "type": "spread"})),
        ("zones", json!({"name": "x.example.org", "mode": "primary", "ttl": 60, "rrsets": [a]})),
        ("zones", json!({"name": "x.example.net", "mode": "primary", "zonefile": "@ A 192.0.2.1 ; web\n"})),
        ("zones", json!({"name": "x.example.com", "mode": "secondary"})),
        ("zones/ID/rrsets", a.clone()),
        ("zones/ID/actions/change_ttl", json!({"ttl": 300})),
        ("zones/ID/actions/change_protection", json!({"delete": false})),
        ("zones/ID/actions/import_zonefile", json!({"zonefile": file})),
        ("zones/ID/rrsets/www/A/actions/set_records", a.clone()),
        ("zones/ID/rrsets/www/A/actions/add_records", json!({"records": [{"value": "192.0.2.2"}]})),
        ("zones/ID/rrsets/www/A/actions/remove_records", json!({"records": [{"value": "192.0.2.2"}]})),
        ("zones/ID/rrsets/www/A/actions/update_records", a),
        ("zones/ID/rrsets/www/A/actions/change_ttl", json!({"ttl": null})),
        ("zones/ID/rrsets/www/A/actions/change_protection", json!({"change": false})),
        ("servers/ID", json!({"labels": {"env": "test"}})),
        ("firewalls/ID", json!({"name": "other"})),
    ]
}

async fn lists(lab: &Client) -> Vec<Value> {
    let mut lists = Vec::new();
    for kind in ["servers", "ssh_keys", "firewalls", "primary_ips", "images", "zones", "zones/actions"] {
        for page in 1..=3 {
            lists.push(lab.get(&format!("/{kind}?per_page=50&page={page}")).await);
        }
    }
    lists
}

#[tokio::test]
async fn whatever_comes_the_lab_answers_and_stays_whole() {
    let dir = tempfile::tempdir().unwrap();
    let settings = || {
        let mut settings = settings(dir.path());
        (settings.delays, settings.rate_limit) = (Delays::none(), None);
        settings
    };
    let lab = open_with(settings()).await;
    let mut chance = Chance { rng: StdRng::seed_from_u64(3), known: Vec::new() };
    let (good, mut taken) = (good(), 0);
    for n in 0..REQUESTS {
        let method =
            chance.one(&["GET", "POST", "POST", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "PATCH"]);
        let (path, body) = chance.request(&good);
        let target = format!("/v1/{path}?{}", chance.query());
        let reply = send(&lab, method, target.as_bytes(), &body).await;
        let told = || format!("request {n}: {method} {target} {}: {reply:?}", body.escape_ascii());
        assert!(reply.status < 500, "{}", told());
        if method != "HEAD" {
            reply.code();
        }
        taken += usize::from((200..300).contains(&reply.status) && !matches!(method, "GET" | "HEAD"));
        chance.learn(&serde_json::from_slice(&reply.body).unwrap_or(Value::Null));
    }
    assert!(taken > REQUESTS / 20, "only {taken} requests changed something");

    assert_eq!(lab.send(Method::GET, "/servers", None).await.0, 200);
    lab.cloud.halt().await.unwrap();
    let before = lists(&lab).await;
    drop(lab);
    let lab = open_with(settings()).await;
    let after = lists(&lab).await;
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(&before) {
        assert_eq!(after, before);
    }
}
