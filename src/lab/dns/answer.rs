//! What the zones of the API say to a question.

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::refusal;

/// A zone as the name server needs it.
#[derive(Debug, Clone)]
pub(crate) struct ZoneData {
    /// Its name, absolute.
    pub(crate) name: Name,
    /// All its records.
    pub(crate) records: Vec<Record>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    code: ResponseCode,
    answers: Vec<Record>,
    authorities: Vec<Record>,
}

impl Found {
    /// One record.
    pub(super) fn one(record: Record) -> Self {
        Self { code: ResponseCode::NoError, answers: vec![record], authorities: Vec::new() }
    }

    /// The name exists, and has nothing of what was asked for.
    pub(super) fn nothing() -> Self {
        Self { code: ResponseCode::NoError, answers: Vec::new(), authorities: Vec::new() }
    }

    /// There is no such name.
    pub(super) fn no_name() -> Self {
        Self { code: ResponseCode::NXDomain, ..Self::nothing() }
    }

    /// As a message.
    pub(crate) fn message(self, question: &Message) -> Message {
        let mut message = refusal(question, self.code);
        message.metadata.authoritative = true;
        message.add_answers(self.answers);
        message.add_authorities(self.authorities);
        message
    }
}

/// How many aliases are followed, so that a circle of them ends.
const ALIASES_MAX: usize = 8;

/// Answers from the zone with the longest matching name; `None` if the name is in no zone.
///
/// Aliases are followed within the zones; one that leads out ends the answer, and the asker goes on from there.
pub(crate) fn from_zones(zones: &[ZoneData], asked: &Query) -> Option<Found> {
    let mut name = asked.name().to_lowercase();
    let mut zone = zone_of(zones, &name)?;
    let mut answers = Vec::new();
    for _ in 0..=ALIASES_MAX {
        let here = zone.at(&name);
        let matching: Vec<Record> =
            here.iter().filter(|r| covers(asked.query_type(), r.record_type())).cloned().collect();
        if !matching.is_empty() {
            answers.extend(matching);
            return Some(Found { code: ResponseCode::NoError, answers, authorities: Vec::new() });
        }
        let Some((record, target)) = here.iter().find_map(alias) else {
            let exists = !here.is_empty() || zone.has_below(&name);
            let code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
            return Some(Found { code, answers, authorities: zone.soa() });
        };
        answers.push(record);
        name = target;
        match zone_of(zones, &name) {
            Some(next) => zone = next,
            None => break,
        }
    }
    Some(Found { code: ResponseCode::NoError, answers, authorities: Vec::new() })
}

fn covers(asked: RecordType, record: RecordType) -> bool {
    asked == record || asked == RecordType::ANY
}

/// An alias record and the name it leads to.
fn alias(record: &Record) -> Option<(Record, Name)> {
    match &record.data {
        RData::CNAME(target) => Some((record.clone(), target.0.to_lowercase())),
        _ => None,
    }
}

fn zone_of<'a>(zones: &'a [ZoneData], name: &Name) -> Option<&'a ZoneData> {
    zones.iter().filter(|zone| zone.name.zone_of(name)).max_by_key(|zone| zone.name.num_labels())
}

impl ZoneData {
    /// The records of a name, or else those of the wildcard that stands for it, under the name that was asked for.
    fn at(&self, name: &Name) -> Vec<Record> {
        let exact: Vec<Record> = self.records.iter().filter(|r| r.name == *name).cloned().collect();
        if !exact.is_empty() || self.has_below(name) {
            return exact;
        }
        let mut parent = name.base_name();
        while self.name.zone_of(&parent) {
            let wildcard = parent.prepend_label("*").unwrap_or_default();
            let of_wildcard = |r: &&Record| r.name == wildcard;
            let found: Vec<Record> = self.records.iter().filter(of_wildcard).cloned().collect();
            // a name that exists hides the wildcards above it, RFC 4592
            if !found.is_empty() || self.exists(&parent) || parent.is_root() {
                return found.into_iter().map(|r| Record::from_rdata(name.clone(), r.ttl, r.data)).collect();
            }
            parent = parent.base_name();
        }
        Vec::new()
    }

    fn exists(&self, name: &Name) -> bool {
        self.records.iter().any(|r| r.name == *name) || self.has_below(name)
    }

    /// Whether there are records below a name, so that it exists without having any.
    fn has_below(&self, name: &Name) -> bool {
        self.records.iter().any(|r| r.name != *name && name.zone_of(&r.name))
    }

    /// Tells who says no, and for how long to believe it.
    fn soa(&self) -> Vec<Record> {
        self.records.iter().filter(|r| r.record_type() == RecordType::SOA).take(1).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn zones() -> Vec<ZoneData> {
        let record = |owner: &str, kind: &str, value: &str| {
            let data = RData::try_from_str(RecordType::from_str(kind).unwrap(), value).unwrap();
            Record::from_rdata(name(owner), 60, data)
        };
        vec![ZoneData {
            name: name("example.org."),
            records: vec![
                record("example.org.", "SOA", "ns.example.org. root.example.org. 1 2 3 4 5"),
                record("example.org.", "NS", "ns.example.org."),
                record("example.org.", "CAA", "0 issue \"letsencrypt.org\""),
                record("alice.example.org.", "A", "198.18.0.2"),
                record("www.example.org.", "CNAME", "alice.example.org."),
                record("out.example.org.", "CNAME", "example.net."),
                record("loop.example.org.", "CNAME", "loop.example.org."),
                record("_acme-challenge.deep.example.org.", "TXT", "\"token\""),
                record("*.wild.example.org.", "A", "198.18.0.9"),
            ],
        }]
    }

    fn ask(owner: &str, kind: &str) -> Option<(ResponseCode, Vec<String>, usize)> {
        let query = Query::query(name(owner), RecordType::from_str(kind).unwrap());
        let found = from_zones(&zones(), &query)?;
        let answers = found.answers.iter().map(|r| format!("{} {}", r.name, r.data)).collect();
        Some((found.code, answers, found.authorities.len()))
    }

    #[test]
    fn names_have_their_records() {
        let yes = |answers: &[&str]| {
            Some((ResponseCode::NoError, answers.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(), 0))
        };
        assert_eq!(ask("alice.example.org.", "A"), yes(&["alice.example.org. 198.18.0.2"]));
        assert_eq!(ask("ALICE.Example.org.", "A"), yes(&["alice.example.org. 198.18.0.2"]));
        assert_eq!(
            ask("www.example.org.", "A"),
            yes(&["www.example.org. alice.example.org.", "alice.example.org. 198.18.0.2"])
        );
        assert_eq!(ask("www.example.org.", "CNAME"), yes(&["www.example.org. alice.example.org."]));
        assert_eq!(ask("out.example.org.", "A"), yes(&["out.example.org. example.net."]));
        assert_eq!(ask("a.b.wild.example.org.", "A"), yes(&["a.b.wild.example.org. 198.18.0.9"]));
        assert_eq!(ask("example.org.", "CAA"), yes(&["example.org. 0 issue \"letsencrypt.org\""]));
    }

    #[test]
    fn no_such_name_and_no_such_data_are_told_apart() {
        let no = |code| Some((code, Vec::new(), 1));
        assert_eq!(ask("alice.example.org.", "AAAA"), no(ResponseCode::NoError));
        assert_eq!(ask("alice.example.org.", "CAA"), no(ResponseCode::NoError));
        // exists, as there is something below it
        assert_eq!(ask("deep.example.org.", "A"), no(ResponseCode::NoError));
        assert_eq!(ask("bob.example.org.", "A"), no(ResponseCode::NXDomain));
        assert_eq!(ask("x.alice.example.org.", "A"), no(ResponseCode::NXDomain));
    }

    #[test]
    fn other_names_are_none_of_its_business() {
        assert_eq!(ask("example.net.", "A"), None);
        assert_eq!(ask("notexample.org.", "A"), None);
        assert_eq!(ask("org.", "NS"), None);
    }

    #[test]
    fn a_circle_of_aliases_ends() {
        assert_eq!(ask("loop.example.org.", "A").unwrap().0, ResponseCode::NoError);
    }
}
