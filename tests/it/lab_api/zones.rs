//! DNS zones and zone files.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Client, lab};

const FILE: &str = r#"; moved from elsewhere
$ORIGIN	Example.org.
$TTL 2h
@	IN	SOA	hydrogen.ns.hetzner.com. dns.hetzner.com. (
		7	; serial
		86400 10800 3600000 3600 )
	IN	NS	hydrogen.ns.hetzner.com. ; first
	NS	oxygen.ns.hetzner.com.
	10800	IN	NS	helium.ns.hetzner.de.
www	300	A	192.0.2.1 ;; web
WWW.example.org.	IN	A	192.0.2.2
@	MX	10 mail
	MX	20 @
note	TXT	"a ; b" plain
"#;

async fn zone(lab: &Client, extra: Value) -> Value {
    let mut wish = json!({"name": "example.org", "mode": "primary"});
    wish.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    lab.post("/zones", wish).await["zone"].clone()
}

/// Name, type, TTL and values of each set.
async fn records(lab: &Client) -> Vec<(String, Value, Vec<String>)> {
    let sets = lab.get("/zones/example.org/rrsets?per_page=100").await["rrsets"].clone();
    let values = |set: &Value| {
        let records = set["records"].as_array().unwrap().iter();
        records.map(|record| record["value"].as_str().unwrap().to_owned()).collect()
    };
    let sets = sets.as_array().unwrap().iter();
    sets.map(|set| (set["id"].as_str().unwrap().to_owned(), set["ttl"].clone(), values(set))).collect()
}

#[tokio::test]
async fn a_zone_lives_and_dies() {
    let (_dir, lab) = lab().await;
    let answer =
        lab.post("/zones", json!({"name": "example.org", "mode": "primary", "labels": {"a": "b"}})).await;
    let (zone, id) = (&answer["zone"], &answer["zone"]["id"]);
    assert_eq!((&zone["ttl"], &zone["record_count"]), (&json!(3600), &json!(4)));
    assert_eq!((&zone["mode"], &zone["status"]), (&json!("primary"), &json!("updating")));
    assert_eq!(zone["authoritative_nameservers"]["assigned"][2], "helium.ns.hetzner.de.");
    assert_eq!(answer["action"]["resources"], json!([{"type": "zone", "id": id}]));
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(lab.get("/zones/example.org").await["zone"]["status"], "ok");

    let (status, updated) =
        lab.send(Method::PUT, &format!("/zones/{id}"), Some(json!({"labels": {"c": "d"}}))).await;
    assert_eq!((status.as_u16(), &updated["zone"]["labels"]), (200, &json!({"c": "d"})));
    let ttl = lab.post("/zones/example.org/actions/change_ttl", json!({"ttl": 60})).await;
    assert_eq!(ttl["action"]["command"], "change_ttl");
    let protect =
        |delete: bool| lab.post("/zones/example.org/actions/change_protection", json!({"delete": delete}));
    assert_eq!(protect(true).await["action"]["command"], "change_protection");
    let zone = lab.get("/zones/example.org").await["zone"].clone();
    assert_eq!((&zone["ttl"], &zone["protection"]), (&json!(60), &json!({"delete": true})));
    assert_eq!(lab.refused(Method::DELETE, "/zones/example.org", None).await, (423, "protected".into()));
    let actions = lab.get("/zones/example.org/actions?sort=id").await["actions"].clone();
    let commands: Vec<&Value> = actions.as_array().unwrap().iter().map(|a| &a["command"]).collect();
    assert_eq!(commands, ["create_zone", "change_ttl", "change_protection"]);
    let one = format!("/zones/example.org/actions/{}", actions[0]["id"]);
    assert_eq!(lab.get(&one).await["action"]["id"], actions[0]["id"]);
    protect(false).await;
    let (status, answer) = lab.send(Method::DELETE, "/zones/example.org", None).await;
    assert_eq!((status.as_u16(), &answer["action"]["command"]), (201, &json!("delete_zone")));
    assert_eq!(lab.refused(Method::GET, &format!("/zones/{id}"), None).await.0, 404);
}

#[tokio::test]
async fn a_zone_file_comes_in_and_goes_out() {
    let (_dir, lab) = lab().await;
    zone(&lab, json!({})).await;
    lab.post(
        "/zones/example.org/rrsets",
        json!({"name": "old", "type": "A", "records": [{"value": "192.0.2.9"}]}),
    )
    .await;
    let answer = lab.post("/zones/example.org/actions/import_zonefile", json!({"zonefile": FILE})).await;
    assert_eq!(answer["action"]["command"], "import_zonefile");
    let soa = lab.get("/zones/example.org/rrsets/@/SOA").await["rrset"]["records"][0]["value"].clone();
    let serial = soa.as_str().unwrap().split(' ').nth(2).unwrap().to_owned();
    assert!(serial.len() == 10 && serial.starts_with("20") && serial.ends_with("02"), "{soa}");
    let own = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        records(&lab).await,
        [
            ("@/SOA".to_owned(), Value::Null, vec![soa.as_str().unwrap().to_owned()]),
            (
                "@/NS".to_owned(),
                json!(10800),
                own(&["hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.", "helium.ns.hetzner.de."])
            ),
            ("www/A".to_owned(), json!(300), own(&["192.0.2.1", "192.0.2.2"])),
            ("@/MX".to_owned(), Value::Null, own(&["10 mail", "20 example.org."])),
            ("note/TXT".to_owned(), Value::Null, own(&["\"a ; b\" \"plain\""])),
        ]
    );
    let zone = lab.get("/zones/example.org").await["zone"].clone();
    assert_eq!((&zone["ttl"], &zone["record_count"]), (&json!(7200), &json!(9)));

    let file = lab.get("/zones/example.org/zonefile").await["zonefile"].clone();
    let (first, rest) = file.as_str().unwrap().split_once('\n').unwrap();
    assert!(first.starts_with(";; Exported on 20") && first.ends_with('Z'), "{first}");
    let wanted = format!(
        "$ORIGIN\texample.org.\n$TTL\t7200\n\n@\tIN\tSOA\t{} ; serial\n\n; NS records\n\
         @\t10800\tIN\tNS\thelium.ns.hetzner.de.\n@\t10800\tIN\tNS\thydrogen.ns.hetzner.com. ; first\n\
         @\t10800\tIN\tNS\toxygen.ns.hetzner.com.\n\n; A records\nwww\t300\tIN\tA\t192.0.2.1 ; web\n\
         www\t300\tIN\tA\t192.0.2.2\n\n; MX records\n@\tIN\tMX\t10 mail\n@\tIN\tMX\t20 example.org.\n\n\
         ; TXT records\nnote\tIN\tTXT\t\"a ; b\" \"plain\"\n",
        soa.as_str().unwrap()
    );
    assert_eq!(rest, wanted);
    let before = records(&lab).await.len();
    lab.post("/zones/example.org/actions/import_zonefile", json!({"zonefile": file})).await;
    assert_eq!(records(&lab).await.len(), before);
}

#[tokio::test]
async fn a_wrong_zone_file_names_its_line_and_changes_nothing() {
    let (_dir, lab) = lab().await;
    zone(&lab, json!({})).await;
    let before = records(&lab).await;
    for (file, why) in [
        ("", "has no SOA record"),
        (
            "@ SOA a. b. 1 2 3 4 5\n@ NS hydrogen.ns.hetzner.com.",
            "has no NS record for oxygen.ns.hetzner.com.",
        ),
        ("$ORIGIN example.net.", "line 1: $ORIGIN must be example.org."),
        ("\n$INCLUDE /etc/passwd", "line 2: $INCLUDE is not supported"),
        ("$TTL 5", "line 1: invalid input in field 'ttl': must be between 60 and 2147483647"),
        (" A 192.0.2.1", "line 1: the first record has no name"),
        ("www CH A 192.0.2.1", "line 1: only the class IN is supported"),
        ("www IN", "line 1: the record has no type"),
        ("www NAPTR 1", "line 1: NAPTR is not a supported record type"),
        (
            "www A 192.0.2.1\nwww A nowhere",
            "line 1: invalid input in field 'records': 'nowhere' is no value for A",
        ),
        ("www.example.net. A 192.0.2.1", "line 1: www.example.net. is not in the zone"),
        ("www A (192.0.2.1", "line 1: a parenthesis is not closed"),
        ("a b A 192.0.2.1", "line 1: B is not a supported record type"),
    ] {
        let body = Some(json!({"zonefile": file}));
        let (status, answer) =
            lab.send(Method::POST, "/zones/example.org/actions/import_zonefile", body).await;
        let message = format!("invalid input in field 'zonefile': {why}");
        assert_eq!((status.as_u16(), &answer["error"]["message"]), (422, &json!(message)), "{file}");
    }
    assert_eq!(records(&lab).await, before);
}

#[tokio::test]
async fn a_new_zone_begins_with_its_sets_or_its_file() {
    let (_dir, lab) = lab().await;
    let a = json!({"name": "www", "type": "A", "records": [{"value": "192.0.2.1", "comment": "web"}]});
    assert_eq!(
        zone(&lab, json!({"rrsets": [a], "primary_nameservers": [{"address": "192.0.2.9"}]})).await["record_count"],
        5
    );
    let file = "$TTL\t10800\n@\tIN\tA\t198.51.100.1 ; My web server\n@ 600 NS elsewhere.example.\n";
    let wish = json!({"name": "example.net", "mode": "primary", "ttl": 60, "zonefile": file});
    let zone = lab.post("/zones", wish).await["zone"].clone();
    assert_eq!((&zone["ttl"], &zone["record_count"]), (&json!(10800), &json!(3)));
    let apex = lab.get("/zones/example.net/rrsets/%40/A").await["rrset"].clone();
    assert_eq!(apex["records"], json!([{"value": "198.51.100.1", "comment": "My web server"}]));
    for wrong in [
        json!({"name": "Example.com", "mode": "primary"}),
        json!({"name": "com", "mode": "primary"}),
        json!({"name": "example.com.", "mode": "primary"}),
        json!({"name": "münchen.de", "mode": "primary"}),
        json!({"name": format!("{}.de", "a".repeat(64)), "mode": "primary"}),
        json!({"name": "example.com", "mode": "tertiary"}),
        json!({"name": "example.com"}),
        json!({"name": "example.com", "mode": "primary", "ttl": 59}),
        json!({"name": "example.com", "mode": "primary", "ttl": 2_147_483_648_u64}),
        json!({"name": "example.com", "mode": "primary", "rrsets": [a], "zonefile": file}),
        json!({"name": "example.com", "mode": "primary", "zonefile": "www A"}),
    ] {
        let refusal = lab.refused(Method::POST, "/zones", Some(wrong.clone())).await;
        assert_eq!(refusal, (422, "invalid_input".into()), "{wrong}");
    }
    let again = json!({"name": "example.net", "mode": "secondary"});
    assert_eq!(lab.refused(Method::POST, "/zones", Some(again)).await, (409, "uniqueness_error".into()));
}

#[tokio::test]
async fn a_secondary_zone_has_its_records_elsewhere() {
    let (_dir, lab) = lab().await;
    let servers = json!([{"address": "192.0.2.1"}, {"address": "2001:db8::1", "port": 5353, "tsig_key": "a2V5",
        "tsig_algorithm": "hmac-sha256"}]);
    let wish =
        json!({"name": "example.org", "mode": "secondary", "primary_nameservers": servers, "zonefile": "x"});
    let zone = lab.post("/zones", wish).await["zone"].clone();
    assert_eq!((&zone["mode"], &zone["record_count"]), (&json!("secondary"), &json!(0)));
    assert_eq!(zone["primary_nameservers"][0], json!({"address": "192.0.2.1", "port": 53}));
    assert_eq!(zone["primary_nameservers"][1], servers[1]);
    let change = json!({"primary_nameservers": [{"address": "192.0.2.7"}]});
    let path = "/zones/example.org/actions/change_primary_nameservers";
    assert_eq!(lab.post(path, change.clone()).await["action"]["command"], "change_primary_nameservers");
    let zone = lab.get("/zones/example.org").await["zone"].clone();
    assert_eq!(zone["primary_nameservers"], json!([{"address": "192.0.2.7", "port": 53}]));
    assert_eq!(lab.get("/zones?mode=primary").await["zones"], json!([]));
    assert_eq!(lab.get("/zones?mode=secondary").await["zones"][0]["name"], "example.org");

    let set = "/zones/example.org/rrsets/www/A";
    let records = json!({"records": [{"value": "192.0.2.1", "comment": ""}]});
    let a = json!({"name": "www", "type": "A", "records": [{"value": "192.0.2.1"}]});
    let wrong_mode = (422, "incorrect_zone_mode".to_owned());
    for (method, path, body) in [
        (Method::GET, "/zones/example.org/zonefile".to_owned(), None),
        (Method::GET, "/zones/example.org/rrsets".to_owned(), None),
        (Method::POST, "/zones/example.org/rrsets".to_owned(), Some(a)),
        (Method::GET, set.to_owned(), None),
        (Method::PUT, set.to_owned(), Some(json!({"labels": {}}))),
        (Method::DELETE, set.to_owned(), None),
        (Method::POST, "/zones/example.org/actions/change_ttl".to_owned(), Some(json!({"ttl": 60}))),
        (
            Method::POST,
            "/zones/example.org/actions/import_zonefile".to_owned(),
            Some(json!({"zonefile": ""})),
        ),
        (Method::POST, format!("{set}/actions/set_records"), Some(records.clone())),
        (Method::POST, format!("{set}/actions/add_records"), Some(records.clone())),
        (Method::POST, format!("{set}/actions/remove_records"), Some(records.clone())),
        (Method::POST, format!("{set}/actions/update_records"), Some(records)),
        (Method::POST, format!("{set}/actions/change_ttl"), Some(json!({"ttl": null}))),
        (Method::POST, format!("{set}/actions/change_protection"), Some(json!({"change": true}))),
    ] {
        assert_eq!(lab.refused(method.clone(), &path, body).await, wrong_mode, "{method} {path}");
    }
    lab.post("/zones", json!({"name": "example.net", "mode": "primary"})).await;
    let path = "/zones/example.net/actions/change_primary_nameservers";
    assert_eq!(lab.refused(Method::POST, path, Some(change)).await, wrong_mode);
}
