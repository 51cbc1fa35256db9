//! What machines ask of their cloud: metadata and names.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::MockConnectInfo;
use clawberth::lab::dns::{self, Resolvers};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use reqwest::Method;
use serde_json::json;
use tokio::net::{TcpListener, UdpSocket};

use super::{KEY, lab, serve};

#[tokio::test]
async fn a_server_learns_about_itself() {
    let (_dir, lab) = lab().await;
    let key = lab.post("/ssh_keys", json!({"name": "k", "public_key": KEY})).await["ssh_key"]["id"].clone();
    // base64 of "#cloud-config\n"
    let id = lab.server("web", json!({"user_data": "I2Nsb3VkLWNvbmZpZwo=", "ssh_keys": [key]})).await;
    lab.server("bare", json!({})).await;
    let ask = async |from: &str, path: &str| {
        let from: SocketAddr = from.parse().unwrap();
        let base = serve(lab.cloud.metadata_router().layer(MockConnectInfo(from))).await;
        let response = lab.http.get(format!("{base}{path}")).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let web = "198.18.5.2:1000";
    assert_eq!(ask(web, "/hetzner/v1/metadata/instance-id").await, (200, id.to_string()));
    assert_eq!(ask("[2001:db8:5:2::1]:9", "/hetzner/v1/metadata/hostname").await, (200, "web".into()));
    assert_eq!(ask(web, "/hetzner/v1/metadata/public-ipv4").await, (200, "198.18.5.2".into()));
    assert_eq!(ask(web, "/hetzner/v1/metadata/private-networks").await, (200, "[]\n".into()));
    assert_eq!(ask(web, "/hetzner/v1/userdata").await, (200, "I2Nsb3VkLWNvbmZpZwo=".into()));
    assert_eq!(ask(web, "/lab/user-data").await, (200, "#cloud-config\n".into()));
    assert_eq!(
        ask(web, "/lab/meta-data").await,
        (200, format!("instance-id: \"{id}\"\nlocal-hostname: web\npublic-keys: [\"{KEY}\"]\n"))
    );
    let (status, all) = ask(web, "/hetzner/v1/metadata").await;
    assert_eq!(status, 200);
    for line in
        ["hostname: web", "region: eu-central", "public-ipv4: 198.18.5.2", "availability-zone: fsn1-dc14"]
    {
        assert!(all.lines().any(|l| l == line), "{line} is not in {all}");
    }
    assert_eq!(ask("198.18.5.3:1", "/hetzner/v1/userdata").await, (204, String::new()));
    assert_eq!(ask("198.18.5.3:1", "/lab/user-data").await, (200, String::new()));
    assert_eq!(ask("198.18.5.9:1", "/hetzner/v1/metadata").await.0, 404);
}

/// One question over UDP.
pub(super) async fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Message {
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&question.to_vec().unwrap(), server).await.unwrap();
    let mut buffer = [0; 4096];
    let received = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut buffer));
    let length = received.await.expect("the name server is silent").unwrap();
    let answer = Message::from_vec(&buffer[..length]).unwrap();
    assert_eq!(answer.metadata.id, question.metadata.id);
    answer
}

pub(super) fn values(answer: &Message) -> Vec<String> {
    answer.answers.iter().map(|record| record.data.to_string()).collect()
}

/// A resolver that knows one address for everything.
async fn upstream() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
            let name = question.queries[0].name().clone();
            answer.add_query(question.queries[0].clone());
            let data = RData::try_from_str(RecordType::A, "192.0.2.1").unwrap();
            answer.add_answer(Record::from_rdata(name, 60, data));
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn names_are_answered_from_the_zones_and_others_by_the_host() {
    let (_dir, lab) = lab().await;
    let zone = lab.post("/zones", json!({"name": "example.org", "mode": "primary", "ttl": 300})).await;
    assert_eq!(zone["zone"]["record_count"], 4);
    let wish = json!({"name": "alice", "type": "A", "ttl": 60, "records": [{"value": "198.18.5.2"}]});
    assert_eq!(lab.post("/zones/example.org/rrsets", wish.clone()).await["rrset"]["id"], "alice/A");
    assert_eq!(
        lab.refused(Method::POST, "/zones/example.org/rrsets", Some(wish)).await,
        (409, "uniqueness_error".into())
    );
    let records = json!({"records": [{"value": "\"one\""}]});
    lab.post("/zones/example.org/rrsets/@/TXT/actions/add_records", records.clone()).await;

    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = udp.local_addr().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // the first resolver is not there: the second one answers
    let nobody = { UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    let resolvers = Resolvers::new(vec![nobody, upstream().await], false);
    tokio::spawn(dns::serve(lab.cloud.clone(), resolvers, udp, tcp));

    let answer = ask(server, "alice.example.org.", RecordType::A).await;
    assert!(answer.metadata.authoritative);
    assert_eq!((values(&answer), answer.answers[0].ttl), (vec!["198.18.5.2".to_owned()], 60));
    assert_eq!(values(&ask(server, "example.org.", RecordType::TXT).await), ["one"]);
    let no_data = ask(server, "alice.example.org.", RecordType::AAAA).await;
    assert_eq!((no_data.metadata.response_code, no_data.authorities.len()), (ResponseCode::NoError, 1));
    let no_name = ask(server, "bob.example.org.", RecordType::A).await;
    assert_eq!(no_name.metadata.response_code, ResponseCode::NXDomain);
    let other = ask(server, "example.net.", RecordType::A).await;
    assert_eq!((values(&other), other.metadata.authoritative), (vec!["192.0.2.1".to_owned()], false));
    // without IPv6 to the world nobody is sent there
    assert!(ask(server, "example.net.", RecordType::AAAA).await.answers.is_empty());

    lab.post("/zones/example.org/rrsets/@/TXT/actions/remove_records", records).await;
    assert!(ask(server, "example.org.", RecordType::TXT).await.answers.is_empty());
    assert_eq!(lab.send(Method::DELETE, "/zones/example.org", None).await.0, 201);
    assert_eq!(values(&ask(server, "alice.example.org.", RecordType::A).await), ["192.0.2.1"]);
}
