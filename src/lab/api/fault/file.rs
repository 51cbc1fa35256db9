//! A file of faults: TOML with a `[[fault]]` for each.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use super::fault::Fault;
use super::fields::WrongFault;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    fault: Vec<Spanned<BTreeMap<Spanned<String>, Value>>>,
}

/// Reads a file's text.
///
/// # Errors
/// What is no such file, with the line.
pub fn read(text: &str) -> Result<Vec<Fault>> {
    let Text { fault } = toml::from_str(text)?;
    fault.into_iter().map(|table| one(text, table)).collect()
}

fn one(text: &str, table: Spanned<BTreeMap<Spanned<String>, Value>>) -> Result<Fault> {
    let begin = table.span().start;
    let table = table.into_inner();
    let places: BTreeMap<String, usize> =
        table.keys().map(|key| (key.get_ref().clone(), key.span().start)).collect();
    let source = table.into_iter().map(|(key, value)| (key.into_inner(), value)).collect();
    Fault::read(source).map_err(|error: WrongFault| {
        let place = error.field.as_ref().and_then(|field| places.get(field));
        anyhow!("line {}: {error}", line_of(text, *place.unwrap_or(&begin)))
    })
}

/// The line of a byte, from 1.
fn line_of(text: &str, place: usize) -> usize {
    text.bytes().take(place).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_written() {
        let faults = read(
            r#"
            [[fault]]
            kind = "reply_lost"
            route = "POST /servers"
            project = "default"
            label = "env in (test,dev)"
            after = 1
            count = 2
            probability = 0.5
            seed = 7
            [[fault]]
            kind = "connection_reset"
            [[fault]]
            kind = "answer"
            status = 502
            when = "after"
            bare = true
            [[fault]]
            kind = "answer"
            status = 409
            code = "uniqueness_error"
            message = "no"
            [[fault]]
            kind = "action_error"
            command = "create_server"
            [[fault]]
            kind = "action_slow"
            command = "start_server"
            delay = "30s"
            [[fault]]
            kind = "stock_out"
            server_type = "cx23"
            location = "fsn1"
            code = "invalid_input"
            available = true
            [[fault]]
            kind = "quota"
            limit = "server_limit"
            value = 3
            released_after = "10s"
            [[fault]]
            kind = "stale_lists"
            delay = "3s"
            [[fault]]
            kind = "read_only"
            [[fault]]
            kind = "extra_fields"
            [[fault]]
            kind = "missing_fields"
            fields = ["labels"]
            "#,
        )
        .unwrap();
        assert_eq!(faults.len(), 12);
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn a_wrong_file_names_the_line_and_what_is_allowed() {
        let whole =
            |fault: &str| format!("# bad luck\n[[fault]]\nkind = \"reply_lost\"\n\n[[fault]]\n{fault}");
        for (fault, line, why) in [
            ("kind = \"anser\"", 6, "expected one of `reply_lost`, `connection_reset`, `answer`"),
            ("count = 1", 5, "`kind` is missing"),
            ("kind = \"answer\"\n", 5, "`status` is missing"),
            ("kind = \"answer\"\nstatus = 418", 7, "one of 403, 409, 412, 423, 429, 500, 502, 503, 504"),
            ("kind = \"answer\"\nstatus = \"502\"", 7, "`status` is wrong: invalid type"),
            ("kind = \"answer\"\nstatus = 502\nwhen = \"soon\"", 8, "expected `before` or `after`"),
            ("kind = \"reply_lost\"\nstatus = 502", 7, "takes kind, route, project, label, after, count"),
            ("kind = \"reply_lost\"\nroute = \"servers\"", 7, "as in `POST /servers`"),
            ("kind = \"reply_lost\"\nlabel = \"a=b=c\"", 7, "no selector"),
            ("kind = \"reply_lost\"\nprobability = 2", 7, "from 0 to 1"),
            ("kind = \"action_slow\"\ncommand = \"make_server\"", 7, "`create_server`"),
            ("kind = \"action_slow\"\ncommand = \"create_server\"\ndelay = \"-1s\"", 8, "below zero"),
            ("kind = \"stale_lists\"\ndelay = \"1h\"", 7, "at most 60 s"),
            ("kind = \"quota\"\nlimit = \"server_limit\"\nvalue = -1", 8, "`value` is wrong"),
        ] {
            let error = format!("{:#}", read(&whole(fault)).unwrap_err());
            assert!(error.contains(&format!("line {line}:")) && error.contains(why), "{fault}: {error}");
        }
        for text in ["[[fault]]\nkind = \"a", "faults = 1", "[fault]\nkind = \"reply_lost\""] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains("line "), "{error}");
        }
    }
}
