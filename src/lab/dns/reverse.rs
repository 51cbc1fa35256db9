//! What the names of addresses say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::op::Query;
use hickory_proto::rr::rdata::PTR;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::answer::Found;

/// Seconds; a day.
const TTL: u32 = 86_400;

/// Answers for the blocks that labs have their addresses from, which the Internet has no names for; `None` for other
/// names.
pub(crate) fn from_pointers(asked: &Query, pointer: impl FnOnce(IpAddr) -> Option<String>) -> Option<Found> {
    let block = asked.name().parse_arpa_name().ok()?;
    if !blocks().iter().any(|ours| ours.contains(&block)) {
        return None;
    }
    if block.prefix_len() < block.max_prefix_len() {
        return Some(Found::nothing());
    }
    let Some(target) = pointer(block.addr()).and_then(|name| Name::from_ascii(name).ok()) else {
        return Some(Found::no_name());
    };
    Some(match asked.query_type() {
        RecordType::PTR | RecordType::ANY => {
            let data = RData::PTR(PTR(absolute(target)));
            Found::one(Record::from_rdata(asked.name().clone(), TTL, data))
        }
        _ => Found::nothing(),
    })
}

fn absolute(mut name: Name) -> Name {
    name.set_fqdn(true);
    name
}

/// IPv4: for benchmarks. IPv6: for documentation.
fn blocks() -> [IpNet; 2] {
    [
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15)),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, kind: RecordType) -> Option<Found> {
        let pointer = |address: IpAddr| {
            let named = ["198.18.0.2", "2001:db8:0:2::1"].contains(&address.to_string().as_str());
            named.then(|| "alice.example.org".to_owned())
        };
        from_pointers(&Query::query(Name::from_ascii(name).unwrap(), kind), pointer)
    }

    #[test]
    fn addresses_have_their_names() {
        let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.";
        for name in ["2.0.18.198.in-addr.arpa.", v6] {
            let target = Name::from_ascii("alice.example.org.").unwrap();
            let record = Record::from_rdata(Name::from_ascii(name).unwrap(), TTL, RData::PTR(PTR(target)));
            assert_eq!(ask(name, RecordType::PTR).unwrap(), Found::one(record));
            assert_eq!(ask(name, RecordType::TXT).unwrap(), Found::nothing());
        }
    }

    #[test]
    fn no_such_name_and_nobody_elses_business_are_told_apart() {
        assert_eq!(ask("3.0.18.198.in-addr.arpa.", RecordType::PTR).unwrap(), Found::no_name());
        assert_eq!(ask("18.198.in-addr.arpa.", RecordType::SOA).unwrap(), Found::nothing());
        for name in ["1.1.1.1.in-addr.arpa.", "198.in-addr.arpa.", "alice.example.org."] {
            assert_eq!(ask(name, RecordType::PTR), None);
        }
    }
}
