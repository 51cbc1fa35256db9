//! The value of a record: what it may be, and what it is in DNS.

use std::ops::RangeInclusive;

use hickory_proto::rr::rdata::{CNAME, HTTPS, NS, NULL, PTR, TXT};
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::zone_words::{Entry, entries, meaning};

/// Records in one set, and in one request.
const RECORDS_MAX: usize = 50;
/// The longest string in a TXT record, RFC 1035.
const STRING_MAX: usize = 255;
/// The types there are.
pub(crate) const TYPES: [&str; 16] = [
    "A", "AAAA", "CAA", "CNAME", "DS", "HINFO", "HTTPS", "MX", "NS", "PTR", "RP", "SOA", "SRV", "SVCB",
    "TLSA", "TXT",
];
/// RFC 1183; hickory does not know it.
const RP: RecordType = RecordType::Unknown(17);

/// One record of a set. Its value tells it from the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) comment: String,
}

/// Refuses records that a set of the type cannot have.
pub(crate) fn check(zone: &str, kind: &str, records: &[Record]) -> Result<(), ApiError> {
    check_distinct(records)?;
    for record in records {
        if data(kind, &record.value, zone).is_none() {
            return Err(ApiError::field("records", &format!("'{}' is no value for {kind}", record.value)));
        }
    }
    if matches!(kind, "CNAME" | "SOA") && records.len() > 1 {
        return Err(ApiError::field("records", &format!("{kind} has one record")));
    }
    Ok(())
}

/// Refuses a list of records that cannot be one in a request, whatever their type.
pub(crate) fn check_distinct(records: &[Record]) -> Result<(), ApiError> {
    if records.is_empty() || records.len() > RECORDS_MAX {
        return Err(ApiError::field("records", "must be between 1 and 50"));
    }
    for (i, record) in records.iter().enumerate() {
        if records.iter().take(i).any(|earlier| earlier.value == record.value) {
            return Err(ApiError::field("records", "must not have a value twice"));
        }
        if record.comment.contains(char::is_control) {
            return Err(ApiError::field("records", "a comment must be one line"));
        }
    }
    Ok(())
}

/// A value as DNS has it; `None` if it cannot be one of the type. As in a zone file, text stands in quotes, and a name
/// without a dot at its end is relative to the zone.
pub(crate) fn data(kind: &str, value: &str, zone: &str) -> Option<RData> {
    let origin = Name::from_ascii(format!("{zone}.")).ok()?;
    let words = words(value)?;
    let is_text = kind == "TXT";
    if !arity(kind).contains(&words.len()) || !(is_text || value.is_ascii()) {
        return None;
    }
    let mut data = match kind {
        "TXT" => text(&words)?,
        "DS" => RData::Unknown { code: RecordType::DS, rdata: NULL::with(signer(&words)?) },
        "RP" => RData::Unknown { code: RP, rdata: NULL::with(person(&words, &origin)?) },
        // hickory takes what is quoted behind a = apart at its spaces
        "HTTPS" | "SVCB" if words.iter().any(|word| word.contains(char::is_whitespace)) => return None,
        _ => RData::try_from_str(kind.parse().ok()?, &words.join(" ")).ok()?,
    };
    for name in names(&mut data) {
        *name = complete(name, &origin)?;
    }
    // what cannot be sent is no value
    data.to_bytes().ok().map(|_| data)
}

/// The words of a value, which is one line without parentheses and comments.
fn words(value: &str) -> Option<Vec<String>> {
    let mut entries = entries(value).ok()?.into_iter();
    let Entry { words, .. } = entries.next()?;
    let ink = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    let all_of_it = words.iter().map(|word| ink(word)).sum::<usize>() == ink(value);
    (all_of_it && !value.contains(['\n', '\r'])).then_some(words)
}

/// How many words a value has.
fn arity(kind: &str) -> RangeInclusive<usize> {
    match kind {
        "A" | "AAAA" | "CNAME" | "NS" | "PTR" => 1..=1,
        "HINFO" | "MX" | "RP" => 2..=2,
        "CAA" => 3..=3,
        "SRV" => 4..=4,
        "SOA" => 7..=7,
        "DS" | "TLSA" => 4..=usize::MAX,
        "HTTPS" | "SVCB" => 2..=usize::MAX,
        _ => 1..=usize::MAX,
    }
}

fn text(words: &[String]) -> Option<RData> {
    let is_quoted = |word: &String| word.starts_with('"');
    let strings: Vec<Vec<u8>> = words.iter().map(|word| meaning(word)).collect::<Option<_>>()?;
    let fits = words.iter().all(is_quoted) && strings.iter().all(|string| string.len() <= STRING_MAX);
    fits.then(|| RData::TXT(TXT::from_bytes(strings.iter().map(Vec::as_slice).collect())))
}

/// `TAG ALGORITHM TYPE DIGEST`, RFC 4034.
fn signer(words: &[String]) -> Option<Vec<u8>> {
    let [tag, algorithm, kind, digest @ ..] = words else {
        return None;
    };
    let digest = digest.concat();
    let mut bytes = tag.parse::<u16>().ok()?.to_be_bytes().to_vec();
    bytes.extend([algorithm.parse::<u8>().ok()?, kind.parse::<u8>().ok()?]);
    let pairs = digest.as_bytes().chunks(2).map(|pair| match pair {
        [a, b] => Some(hexadecimal(*a)? << 4 | hexadecimal(*b)?),
        _ => None,
    });
    bytes.extend(pairs.collect::<Option<Vec<u8>>>()?);
    Some(bytes)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// A mailbox and where its text records are, RFC 1183.
fn person(words: &[String], origin: &Name) -> Option<Vec<u8>> {
    let names = words.iter().map(|word| complete(&Name::from_ascii(word).ok()?, origin)?.to_bytes().ok());
    Some(names.collect::<Option<Vec<_>>>()?.concat())
}

fn names(data: &mut RData) -> Vec<&mut Name> {
    match data {
        RData::CNAME(CNAME(name)) | RData::NS(NS(name)) | RData::PTR(PTR(name)) => vec![name],
        RData::MX(mx) => vec![&mut mx.exchange],
        RData::SRV(srv) => vec![&mut srv.target],
        RData::SVCB(svcb) | RData::HTTPS(HTTPS(svcb)) => vec![&mut svcb.target_name],
        RData::SOA(soa) => vec![&mut soa.mname, &mut soa.rname],
        _ => Vec::new(),
    }
}

fn complete(name: &Name, origin: &Name) -> Option<Name> {
    if name.is_fqdn() { Some(name.clone()) } else { name.clone().append_domain(origin).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: &str, value: &str) -> Option<String> {
        data(kind, value, "example.org").map(|data| data.to_string())
    }

    #[test]
    fn each_type_has_its_values() {
        for (kind, value, wanted) in [
            ("A", "192.0.2.1", "192.0.2.1"),
            ("AAAA", "2001:DB8::1", "2001:db8::1"),
            ("CAA", "0 issue \"letsencrypt.org\"", "0 issue \"letsencrypt.org\""),
            ("CNAME", "www", "www.example.org."),
            ("CNAME", "example.net.", "example.net."),
            ("HINFO", "\"RFC8482\" \"\"", "RFC8482 "),
            ("HTTPS", "1 . alpn=\"h2,h3\"", "1 . alpn=h2,h3,"),
            ("MX", "10 mail", "10 mail.example.org."),
            ("NS", "ns1", "ns1.example.org."),
            ("PTR", "host", "host.example.org."),
            ("SRV", "0 5 443 web", "0 5 443 web.example.org."),
            ("SVCB", "0 svc", "0 svc.example.org."),
            ("TXT", "\"a b\" \"c\"", "a bc"),
            ("TXT", "\"\\065\"", "A"),
        ] {
            assert_eq!(shown(kind, value).as_deref(), Some(wanted), "{kind} {value}");
        }
        assert!(shown("TLSA", "3 1 1 0D6FCE13 3243AA30").is_some());
        assert!(shown("SOA", "ns1 root 1 86400 10800 3600000 3600").is_some());
        let wire = |kind: &str, value: &str| data(kind, value, "org").unwrap().to_bytes().unwrap();
        assert_eq!(wire("DS", "258 13 2 0aFF"), [1, 2, 13, 2, 10, 255]);
        assert_eq!(wire("RP", "a ."), [1, b'a', 3, b'o', b'r', b'g', 0, 0]);
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let long = format!("\"{}\"", "x".repeat(256));
        for (kind, value) in [
            ("A", "192.0.2.256"),
            ("A", "192.0.2.1 192.0.2.2"),
            ("A", "192.0.2.1 ; home"),
            ("A", "(192.0.2.1)"),
            ("A", "192.0.2.1\n"),
            ("A", ""),
            ("AAAA", "192.0.2.1"),
            ("CNAME", "a b"),
            ("CNAME", "münchen.de."),
            ("DS", "258 13 2 0aF"),
            ("HTTPS", "1 . alpn=\" h2\""),
            ("HTTPS", "1 . alpn=\""),
            ("MX", "mail"),
            ("MX", "70000 mail"),
            ("SRV", "0 5 443"),
            ("TXT", "hello"),
            ("TXT", "\"hello"),
            ("TXT", "\"\\256\""),
            ("TXT", &long),
            ("NAPTR", "1"),
        ] {
            assert_eq!(shown(kind, value), None, "{kind} {value:?}");
        }
    }
}
