//! Sets of records.

use clawberth::lab::dns::{self, Resolvers};
use hickory_proto::rr::RecordType;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::{TcpListener, UdpSocket};

use super::machines::{ask, values};
use super::{Client, lab};

const ZONE: &str = "/zones/example.org";
const SET: &str = "/zones/example.org/rrsets/www/A";

async fn lab_with_zone() -> (tempfile::TempDir, Client) {
    let (dir, lab) = lab().await;
    lab.post("/zones", json!({"name": "example.org", "mode": "primary"})).await;
    (dir, lab)
}

fn records(values: &[&str]) -> Value {
    json!({"records": values.iter().map(|value| json!({"value": value})).collect::<Vec<_>>()})
}

async fn act(lab: &Client, verb: &str, body: Value) -> Value {
    lab.post(&format!("{SET}/actions/{verb}"), body).await["action"]["command"].clone()
}

async fn refusal(lab: &Client, verb: &str, body: Value) -> (u16, String) {
    lab.refused(Method::POST, &format!("{SET}/actions/{verb}"), Some(body)).await
}

async fn serial(lab: &Client) -> u64 {
    let soa = lab.get(&format!("{ZONE}/rrsets/@/SOA")).await["rrset"]["records"][0]["value"].clone();
    soa.as_str().unwrap().split(' ').nth(2).unwrap().parse().unwrap()
}

#[tokio::test]
async fn records_come_and_go() {
    let (_dir, lab) = lab_with_zone().await;
    let before = serial(&lab).await;
    let first = json!({"ttl": 300, "records": [{"value": "192.0.2.1", "comment": "one"}]});
    assert_eq!(act(&lab, "add_records", first).await, "add_rrset_records");
    let set = lab.get(SET).await["rrset"].clone();
    assert_eq!((&set["id"], &set["ttl"], &set["labels"]), (&json!("www/A"), &json!(300), &json!({})));
    assert_eq!(set["protection"], json!({"change": false}));
    assert_eq!(serial(&lab).await, before + 1);

    assert_eq!(act(&lab, "add_records", records(&["192.0.2.2"])).await, "add_rrset_records");
    let other_ttl = json!({"ttl": 400, "records": [{"value": "192.0.2.3"}]});
    assert_eq!(refusal(&lab, "add_records", other_ttl).await, (422, "invalid_input".into()));
    assert_eq!(refusal(&lab, "add_records", records(&["192.0.2.2"])).await, (422, "invalid_input".into()));

    let comments = json!({"records": [{"value": "192.0.2.2", "comment": "two"}]});
    let (status, answer) =
        lab.send(Method::POST, &format!("{SET}/actions/update_records"), Some(comments)).await;
    assert_eq!((status.as_u16(), &answer["action"]["command"]), (200, &json!("update_rrset_records")));
    let set = lab.get(SET).await["rrset"].clone();
    let both = json!([{"value": "192.0.2.1", "comment": "one"}, {"value": "192.0.2.2", "comment": "two"}]);
    assert_eq!(set["records"], both);
    assert_eq!(refusal(&lab, "update_records", records(&["192.0.2.2"])).await.0, 422);
    let unknown = json!({"records": [{"value": "192.0.2.9", "comment": ""}]});
    assert_eq!(refusal(&lab, "update_records", unknown).await.0, 422);

    assert_eq!(act(&lab, "change_ttl", json!({"ttl": null})).await, "change_rrset_ttl");
    assert_eq!(lab.get(SET).await["rrset"]["ttl"], Value::Null);
    assert_eq!(refusal(&lab, "change_ttl", json!({})).await.0, 422);
    assert_eq!(refusal(&lab, "change_ttl", json!({"ttl": 59})).await.0, 422);

    assert_eq!(act(&lab, "set_records", records(&["192.0.2.5", "192.0.2.6"])).await, "set_rrset_records");
    assert_eq!(refusal(&lab, "remove_records", records(&["192.0.2.1"])).await.0, 422);
    assert_eq!(act(&lab, "remove_records", records(&["192.0.2.5"])).await, "remove_rrset_records");
    assert_eq!(lab.get(SET).await["rrset"]["records"], json!([{"value": "192.0.2.6", "comment": ""}]));
    act(&lab, "remove_records", records(&["192.0.2.6"])).await;
    assert_eq!(lab.refused(Method::GET, SET, None).await, (404, "not_found".into()));
}

#[tokio::test]
async fn a_protected_set_stays_as_it_is() {
    let (_dir, lab) = lab_with_zone().await;
    act(&lab, "add_records", records(&["192.0.2.1"])).await;
    assert_eq!(act(&lab, "change_protection", json!({"change": true})).await, "change_rrset_protection");
    assert_eq!(lab.get(SET).await["rrset"]["protection"], json!({"change": true}));
    let file = lab.get(&format!("{ZONE}/zonefile")).await;
    let comment = json!({"records": [{"value": "192.0.2.1", "comment": "x"}]});
    for (method, path, body) in [
        (Method::DELETE, SET.to_owned(), None),
        (Method::POST, format!("{SET}/actions/set_records"), Some(records(&["192.0.2.2"]))),
        (Method::POST, format!("{SET}/actions/add_records"), Some(records(&["192.0.2.2"]))),
        (Method::POST, format!("{SET}/actions/remove_records"), Some(records(&["192.0.2.1"]))),
        (Method::POST, format!("{SET}/actions/update_records"), Some(comment)),
        (Method::POST, format!("{SET}/actions/change_ttl"), Some(json!({"ttl": 60}))),
        (Method::POST, format!("{ZONE}/actions/import_zonefile"), Some(file)),
    ] {
        let refusal = lab.refused(method.clone(), &path, body).await;
        assert_eq!(refusal, (423, "protected".into()), "{method} {path}");
    }
    act(&lab, "change_protection", json!({"change": false})).await;
    let (status, answer) = lab.send(Method::DELETE, SET, None).await;
    assert_eq!((status.as_u16(), &answer["action"]["command"]), (201, &json!("delete_rrset")));
}

#[tokio::test]
async fn sets_are_listed_as_asked_for() {
    let (_dir, lab) = lab_with_zone().await;
    for (name, kind, value, env) in
        [("b", "A", "192.0.2.1", "prod"), ("a", "A", "192.0.2.2", "test"), ("a", "TXT", "\"t\"", "prod")]
    {
        let set = json!({"name": name, "type": kind, "records": [{"value": value}], "labels": {"env": env}});
        lab.post(&format!("{ZONE}/rrsets"), set).await;
    }
    let ids = async |query: &str| {
        let body = lab.get(&format!("{ZONE}/rrsets?{query}")).await;
        let sets = body["rrsets"].as_array().unwrap().clone();
        sets.iter().map(|set| set["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("sort=id").await, ["@/NS", "@/SOA", "a/A", "a/TXT", "b/A"]);
    assert_eq!(ids("sort=name:desc&sort=id:desc").await, ["b/A", "a/TXT", "a/A", "@/SOA", "@/NS"]);
    assert_eq!(ids("sort=created:desc&per_page=2").await, ["a/TXT", "a/A"]);
    assert_eq!(ids("type=A&type=TXT&sort=id&name=a").await, ["a/A", "a/TXT"]);
    assert_eq!(ids("label_selector=env%3Dprod&sort=id").await, ["a/TXT", "b/A"]);
    assert_eq!(ids("name=%40&type=SOA").await, ["@/SOA"]);
    let sort = format!("{ZONE}/rrsets?sort=type");
    assert_eq!(lab.refused(Method::GET, &sort, None).await, (422, "invalid_input".into()));
    let page = lab.get(&format!("{ZONE}/rrsets?per_page=500")).await["meta"]["pagination"].clone();
    assert_eq!(page["per_page"], 100);

    let (status, set) =
        lab.send(Method::PUT, &format!("{ZONE}/rrsets/b/A"), Some(json!({"labels": {"new": ""}}))).await;
    assert_eq!((status.as_u16(), &set["rrset"]["labels"]), (200, &json!({"new": ""})));
    let (status, answer) =
        lab.send(Method::PUT, &format!("{ZONE}/rrsets/b/A"), Some(records(&["192.0.2.9"]))).await;
    assert_eq!(
        (status.as_u16(), &answer["error"]),
        (
            422,
            &json!({"code": "invalid_input", "message": "can't update records with this endpoint", "details": null})
        )
    );
}

#[tokio::test]
async fn what_cannot_be_a_set_is_refused() {
    let (_dir, lab) = lab_with_zone().await;
    let alias = json!({"name": "www", "type": "CNAME", "records": [{"value": "example.net."}]});
    lab.post(&format!("{ZONE}/rrsets"), alias.clone()).await;
    assert_eq!(lab.refused(Method::POST, &format!("{ZONE}/rrsets"), Some(alias)).await.0, 409);
    let many: Vec<Value> = (1..=51).map(|n| json!({"value": format!("192.0.2.{n}")})).collect();
    let a = json!([{"value": "192.0.2.1"}]);
    for wrong in [
        json!({"name": "www", "type": "A", "records": a}),
        json!({"name": "@", "type": "CNAME", "records": [{"value": "a."}]}),
        json!({"name": "b", "type": "CNAME", "records": [{"value": "a."}, {"value": "b."}]}),
        json!({"name": "b", "type": "A", "records": []}),
        json!({"name": "b", "type": "A", "records": many}),
        json!({"name": "b", "type": "A", "records": [{"value": "192.0.2.1"}, {"value": "192.0.2.1"}]}),
        json!({"name": "b", "type": "A", "records": ["192.0.2.1"]}),
        json!({"name": "b", "type": "A", "records": [{"value": "192.0.2.1", "comment": "a\nb"}]}),
        json!({"name": "b", "type": "TXT", "records": [{"value": "no quotes"}]}),
        json!({"name": "b", "type": "a", "records": a}),
        json!({"name": "b", "type": "A", "records": a, "ttl": 1}),
        json!({"name": "b", "type": "A", "records": a, "labels": {"-": ""}}),
        json!({"name": "B", "type": "A", "records": a}),
        json!({"name": "b.example.org.", "type": "A", "records": a}),
        json!({"name": "", "type": "A", "records": a}),
        json!({"name": "a..b", "type": "A", "records": a}),
        json!({"name": "x".repeat(64), "type": "A", "records": a}),
        json!({"name": "b", "type": "SOA", "records": [{"value": "a. b. 1 2 3 4 5"}]}),
    ] {
        let refusal = lab.refused(Method::POST, &format!("{ZONE}/rrsets"), Some(wrong.clone())).await;
        assert_eq!(refusal, (422, "invalid_input".into()), "{wrong}");
    }
    let soa = format!("{ZONE}/rrsets/@/SOA");
    assert_eq!(lab.refused(Method::DELETE, &soa, None).await, (422, "invalid_input".into()));
    let new = "hydrogen.ns.hetzner.com. dns.hetzner.com. 0 7200 10800 3600000 3600";
    let before = serial(&lab).await;
    lab.post(&format!("{soa}/actions/set_records"), records(&[new])).await;
    assert_eq!(serial(&lab).await, before + 1, "the serial is the lab's own");
    for path in ["/zones/example.net/rrsets", "/zones/example.org/rrsets/none/A"] {
        assert_eq!(lab.refused(Method::GET, path, None).await, (404, "not_found".into()), "{path}");
    }
}

#[tokio::test]
async fn names_follow_at_once() {
    let (_dir, lab) = lab_with_zone().await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = udp.local_addr().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    tokio::spawn(dns::serve(lab.cloud.clone(), Resolvers::new(Vec::new(), false), udp, tcp));
    let asked = async |name: &str, kind: RecordType| {
        let answer = ask(server, name, kind).await;
        let ttls: Vec<u32> = answer.answers.iter().map(|record| record.ttl).collect();
        (values(&answer), ttls)
    };
    let found = |values: &[&str], ttl: u32| {
        (values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>(), vec![ttl; values.len()])
    };
    let www = "www.example.org.";
    act(&lab, "add_records", records(&["192.0.2.1"])).await;
    assert_eq!(asked(www, RecordType::A).await, found(&["192.0.2.1"], 3600));
    lab.post(&format!("{ZONE}/actions/change_ttl"), json!({"ttl": 120})).await;
    assert_eq!(asked(www, RecordType::A).await, found(&["192.0.2.1"], 120));
    act(&lab, "change_ttl", json!({"ttl": 60})).await;
    act(&lab, "set_records", records(&["192.0.2.2", "192.0.2.3"])).await;
    assert_eq!(asked(www, RecordType::A).await, found(&["192.0.2.2", "192.0.2.3"], 60));
    act(&lab, "remove_records", records(&["192.0.2.2"])).await;
    assert_eq!(asked(www, RecordType::A).await, found(&["192.0.2.3"], 60));
    for (kind, value) in [("MX", "10 www"), ("DS", "1 13 2 0aff"), ("HTTPS", "1 . alpn=\"h2\"")] {
        let set = json!({"name": "many", "type": kind, "records": [{"value": value}]});
        lab.post(&format!("{ZONE}/rrsets"), set).await;
        let answers = asked("many.example.org.", kind.parse().unwrap()).await;
        assert_eq!(answers.1, [120], "{kind}: {:?}", answers.0);
    }
    assert_eq!(asked("many.example.org.", RecordType::MX).await.0, ["10 www.example.org."]);

    let file = lab.get(&format!("{ZONE}/zonefile")).await["zonefile"].as_str().unwrap().to_owned();
    let moved = json!({"zonefile": file.replace("192.0.2.3", "192.0.2.4").replace("$TTL\t120", "$TTL\t240")});
    lab.post(&format!("{ZONE}/actions/import_zonefile"), moved).await;
    assert_eq!(asked(www, RecordType::A).await, found(&["192.0.2.4"], 60));
    assert_eq!(asked("many.example.org.", RecordType::MX).await.1, [240]);
    lab.send(Method::DELETE, SET, None).await;
    assert_eq!(asked(www, RecordType::A).await, found(&[], 0));
}
