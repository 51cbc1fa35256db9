//! Zones as zone files, RFC 1035 section 5, as the API takes them in and gives them out.

use std::fmt::Write;

use hickory_proto::serialize::txt::parse_ttl;
use jiff::Timestamp;

use super::error::ApiError;
use super::label::Labels;
use super::record::{Record, TYPES};
use super::rrset::{Rrset, Wish, check_ttl};
use super::zone::{NAME_SERVERS, Zone};
use super::zone_words::{Entry, Flaw, entries};

/// The types in the order of an exported file, behind the SOA.
const ORDER: [&str; 15] = [
    "NS", "CAA", "A", "AAAA", "CNAME", "MX", "TXT", "SRV", "DS", "HINFO", "HTTPS", "PTR", "RP", "SVCB",
    "TLSA",
];

/// What a zone file says.
#[derive(Debug)]
pub(crate) struct ZoneFile {
    /// Seconds, for records without their own.
    pub(crate) ttl: Option<u32>,
    pub(crate) rrsets: Vec<Rrset>,
}

/// Reads the zone file of a zone; a refusal names the line.
pub(crate) fn read(text: &str, zone: &str) -> Result<ZoneFile, ApiError> {
    let mut reader = Reader { zone, owner: None, ttl: None, sets: Vec::new() };
    let refusal = |Flaw { line, why }: Flaw| ApiError::field("zonefile", &format!("line {line}: {why}"));
    for entry in entries(text).map_err(refusal)? {
        let line = entry.line;
        reader.take(entry).map_err(|why| refusal(Flaw { line, why }))?;
    }
    let rrsets = reader.sets.into_iter().map(|(line, wish)| {
        wish.check(zone).map_err(|error| refusal(Flaw { line, why: error.message().to_owned() }))
    });
    Ok(ZoneFile { ttl: reader.ttl, rrsets: rrsets.collect::<Result<_, _>>()? })
}

/// Refuses a file that is to replace a zone's records and leaves out what a zone must have.
pub(crate) fn check_whole(rrsets: &[Rrset]) -> Result<(), ApiError> {
    let values = |kind: &str| -> Vec<&str> {
        let sets = rrsets.iter().filter(|set| set.is("@", kind));
        sets.flat_map(|set| &set.records).map(|record| record.value.as_str()).collect()
    };
    if values("SOA").is_empty() {
        return Err(ApiError::field("zonefile", "has no SOA record"));
    }
    let served = values("NS");
    match NAME_SERVERS.iter().find(|name| !served.iter().any(|value| value.eq_ignore_ascii_case(name))) {
        Some(missing) => Err(ApiError::field("zonefile", &format!("has no NS record for {missing}"))),
        None => Ok(()),
    }
}

struct Reader<'a> {
    zone: &'a str,
    owner: Option<String>,
    ttl: Option<u32>,
    /// With the line of their first records.
    sets: Vec<(usize, Wish)>,
}

impl Reader<'_> {
    fn take(&mut self, entry: Entry) -> Result<(), String> {
        match entry.words.first() {
            Some(word) if !entry.indented && word.starts_with('$') => self.direct(&entry.words),
            _ => self.record(entry),
        }
    }

    fn direct(&mut self, words: &[String]) -> Result<(), String> {
        let [directive, value] = words else {
            return Err("a directive has one value".to_owned());
        };
        match directive.to_ascii_uppercase().as_str() {
            "$ORIGIN" if value.to_ascii_lowercase() == format!("{}.", self.zone) => Ok(()),
            "$ORIGIN" => Err(format!("$ORIGIN must be {}.", self.zone)),
            "$TTL" => {
                self.ttl = Some(ttl(value)?);
                Ok(())
            }
            other => Err(format!("{other} is not supported")),
        }
    }

    fn record(&mut self, Entry { line, indented, words, comment }: Entry) -> Result<(), String> {
        let mut words = words.into_iter().peekable();
        if let Some(name) = words.next_if(|_| !indented) {
            self.owner = Some(self.relative(&name)?);
        }
        let name = self.owner.clone().ok_or("the first record has no name")?;
        let mut own_ttl = None;
        while let Some(word) = words.next_if(|word| is_class(word) || starts_with_digit(word)) {
            match word.to_ascii_uppercase().as_str() {
                "IN" => {}
                class if is_class(class) => return Err("only the class IN is supported".to_owned()),
                _ => own_ttl = Some(ttl(&word)?),
            }
        }
        let kind = words.next().ok_or("the record has no type")?.to_ascii_uppercase();
        if !TYPES.contains(&kind.as_str()) {
            return Err(format!("{kind} is not a supported record type"));
        }
        let value: Vec<String> = words.map(|word| self.as_value(&kind, word)).collect();
        let record = Record { value: value.join(" "), comment };
        match self.sets.iter_mut().find(|(_, set)| set.name == name && set.kind == kind) {
            // records of one set have one lifetime, RFC 2181: that of the first which names one
            Some((_, set)) => {
                set.records.push(record);
                set.ttl = set.ttl.or(own_ttl);
            }
            None => {
                let set = Wish { name, kind, ttl: own_ttl, records: vec![record], labels: Labels::new() };
                self.sets.push((line, set));
            }
        }
        Ok(())
    }

    /// A name as the API has it: in lower case and without the zone's.
    fn relative(&self, name: &str) -> Result<String, String> {
        let name = name.to_ascii_lowercase();
        let Some(absolute) = name.strip_suffix('.') else {
            return Ok(name);
        };
        match absolute.strip_suffix(self.zone) {
            Some("") => Ok("@".to_owned()),
            Some(inside) if inside.ends_with('.') => Ok(inside.trim_end_matches('.').to_owned()),
            _ => Err(format!("{name} is not in the zone")),
        }
    }

    /// A word of a value as the API has it: text in quotes, and no `@`.
    fn as_value(&self, kind: &str, word: String) -> String {
        match (kind, word.as_str()) {
            ("TXT", text) if !text.starts_with('"') => format!("\"{text}\""),
            ("TXT", _) => word,
            (_, "@") => format!("{}.", self.zone),
            _ => word,
        }
    }
}

fn starts_with_digit(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

fn is_class(word: &str) -> bool {
    ["IN", "CH", "CS", "HS"].iter().any(|class| class.eq_ignore_ascii_case(word))
}

/// Seconds, or `1h30m`.
fn ttl(text: &str) -> Result<u32, String> {
    let ttl = parse_ttl(text).map_err(|_| format!("{text} is no TTL"))?;
    check_ttl(ttl).map_err(|error| error.message().to_owned())?;
    Ok(ttl)
}

/// The zone file of a zone in primary mode.
pub(crate) fn write(zone: &Zone) -> String {
    let name = &zone.meta.name;
    let mut file =
        format!(";; Exported on {:.0}\n$ORIGIN\t{name}.\n$TTL\t{}\n\n", Timestamp::now(), zone.ttl);
    write_sets(&mut file, zone.rrsets.iter().filter(|set| set.kind == "SOA").collect());
    for kind in ORDER {
        let sets: Vec<&Rrset> = zone.rrsets.iter().filter(|set| set.kind == kind).collect();
        if !sets.is_empty() {
            file += &format!("\n; {kind} records\n");
            write_sets(&mut file, sets);
        }
    }
    file
}

fn write_sets(file: &mut String, mut sets: Vec<&Rrset>) {
    sets.sort_by_key(|set| &set.name);
    for set in sets {
        let mut records: Vec<&Record> = set.records.iter().collect();
        records.sort_by_key(|record| &record.value);
        let ttl = set.ttl.map(|ttl| format!("\t{ttl}")).unwrap_or_default();
        for Record { value, comment } in records {
            let comment = if comment.is_empty() { String::new() } else { format!(" ; {comment}") };
            // a string takes all that is written to it
            let _ = writeln!(file, "{}{ttl}\tIN\t{}\t{value}{comment}", set.name, set.kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::seq::{IndexedRandom, SliceRandom};
    use rand::{RngExt, SeedableRng};

    use super::super::meta::Meta;
    use super::super::rrset;
    use super::super::zone::Mode;
    use super::*;

    const VALUES: [(&str, &str); 12] = [
        ("A", "192.0.2.1"),
        ("A", "192.0.2.2"),
        ("AAAA", "2001:db8::1"),
        ("CAA", "0 issue \"letsencrypt.org; validationmethods=dns-01\""),
        ("DS", "258 13 2 0aff"),
        ("HTTPS", "1 . alpn=\"h2,h3\" port=443"),
        ("MX", "10 mail"),
        ("RP", "admin.example.net. ."),
        ("SRV", "0 5 443 www"),
        ("TXT", "\"a ; (b) \\\" \\\\ \\065\" \"ä\""),
        ("TXT", "\"\""),
        ("NS", "ns.example.net."),
    ];

    /// A zone with records by chance.
    fn zone(rng: &mut StdRng) -> Zone {
        let mut rrsets = rrset::of_new_zone();
        for (kind, value) in VALUES.sample(rng, 6).collect::<Vec<_>>() {
            let name = ["www", "*", "_dmarc.mail", "xn--4bi"].choose(rng).unwrap();
            let comment = ["", "c", "more; (words) \"here"].choose(rng).unwrap();
            let record = Record { value: (*value).to_owned(), comment: (*comment).to_owned() };
            let known = rrsets.iter_mut().find(|set| set.is(name, kind));
            match known {
                Some(set) => set.records.push(record),
                None => {
                    let ttl = [None, Some(60), Some(86400)].choose(rng).copied().flatten();
                    let (name, kind) = ((*name).to_owned(), (*kind).to_owned());
                    let wish = Wish { name, kind, ttl, records: vec![record], labels: Labels::new() };
                    rrsets.push(wish.check("example.org").unwrap());
                }
            }
        }
        let meta = Meta::new(1, "example.org".to_owned(), Labels::new());
        Zone::new(meta, Mode::Primary, 3600, rrsets)
    }

    fn sorted(mut rrsets: Vec<Rrset>) -> Vec<Rrset> {
        rrsets.sort_by_key(Rrset::id);
        rrsets.iter_mut().for_each(|set| set.records.sort_by(|a, b| a.value.cmp(&b.value)));
        rrsets
    }

    /// The same record in another hand.
    fn rewritten(rng: &mut StdRng, line: &str) -> String {
        let mut fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        if fields.len() < 4 || line.starts_with(';') {
            return line.to_owned();
        }
        if rng.random() {
            fields[0] =
                if fields[0] == "@" { "Example.ORG.".into() } else { format!("{}.EXAMPLE.org.", fields[0]) };
        }
        if fields.len() == 5 && rng.random() {
            fields.swap(1, 2);
        }
        fields.retain(|field| field != "IN" || rng.random());
        let (last, front) = fields.split_last().unwrap();
        let gap = [" ", "\t", " \t "].choose(rng).unwrap();
        let (front, kind) = (front[..front.len() - 1].join(gap), front.last().unwrap().to_ascii_lowercase());
        match rng.random_range(0..3) {
            0 => format!("{front}{gap}{kind}{gap}{last}"),
            1 => format!("{front} (\n\n{kind}\n) {last}"),
            _ => format!("{front}{gap}( {kind} ){gap}{last}\r"),
        }
    }

    #[test]
    fn what_was_written_is_read_again_whatever_it_looks_like() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..200 {
            let zone = zone(&mut rng);
            let file = write(&zone);
            let again = read(&file, "example.org").unwrap();
            assert_eq!(
                (again.ttl, sorted(again.rrsets)),
                (Some(3600), sorted(zone.rrsets.clone())),
                "{file}"
            );
            let other = file.lines().map(|line| rewritten(&mut rng, line)).collect::<Vec<_>>().join("\n");
            let again = read(&other, "example.org").unwrap_or_else(|error| panic!("{error:?}\n{other}"));
            assert_eq!(sorted(again.rrsets), sorted(zone.rrsets), "{other}");
        }
    }

    #[test]
    fn a_spoiled_file_is_read_or_refused() {
        let mut rng = StdRng::seed_from_u64(2);
        let signs: Vec<char> = "\0\n\"\\;()=$@*. \tä𝄞a9-".chars().collect();
        for _ in 0..1000 {
            let mut text: Vec<char> = write(&zone(&mut rng)).chars().collect();
            for _ in 0..rng.random_range(1..6) {
                let place = rng.random_range(0..text.len());
                match rng.random_range(0..4) {
                    0 => drop(text.remove(place)),
                    1 => text.truncate(place.max(10)),
                    2 => text[place..].shuffle(&mut rng),
                    _ => text.insert(place, *signs.choose(&mut rng).unwrap()),
                }
            }
            let text: String = text.into_iter().collect();
            if let Ok(file) = read(&text, "example.org") {
                // what is taken in can be answered
                for set in file.rrsets {
                    let kept = set.records.len();
                    assert_eq!(set.dns_records("example.org", 60).len(), kept, "{text}");
                }
            }
        }
    }
}
