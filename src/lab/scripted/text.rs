//! Text of a script with places to fill in: `{{name}}`.

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer};

/// What every host can fill in, besides its own values. The function below is to know each of them.
pub(super) const BUILT_IN: [&str; 20] = [
    "id",
    "name",
    "address",
    "host",
    "running",
    "now",
    "booted",
    "progress",
    "cloud_init",
    "log",
    "expires",
    "updates",
    "boot_id",
    "host_key",
    "own_host_key",
    "signer",
    "next_host_key",
    "authorized",
    "authorized_of_root",
    REBOOT_REQUIRED,
];
/// Whether the host asks for a new start: what rules `set`, else no; after a start it does not.
pub(super) const REBOOT_REQUIRED: &str = "reboot_required";
/// A fresh random word at each mention.
pub(super) const TOKEN: &str = "token";

/// A text, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Place(String),
}

impl Text {
    fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut parts = text.split("{{");
        pieces.extend(parts.next().map(|plain| Piece::Plain(plain.to_owned())));
        for part in parts {
            let (place, plain) = part.split_once("}}").ok_or("a `{{` has no `}}`")?;
            pieces.push(Piece::Place(place.to_owned()));
            pieces.push(Piece::Plain(plain.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The names in it.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Place(name) => Some(name.as_str()),
            Piece::Plain(_) => None,
        })
    }

    /// The text with its places filled in.
    pub(super) fn fill(&self, value: impl Fn(&str) -> String) -> String {
        self.0.iter().fold(String::new(), |mut text, piece| {
            // a String takes whatever is written to it
            let _ = match piece {
                Piece::Plain(plain) => text.write_str(plain),
                Piece::Place(name) => text.write_str(&value(name)),
            };
            text
        })
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in_and_single_braces_are_text() {
        let text = Text::parse(r#"{"id": {{id}}, "name": "{{name}}"}"#).unwrap();
        assert_eq!(text.places().collect::<Vec<_>>(), ["id", "name"]);
        assert_eq!(text.fill(str::to_uppercase), r#"{"id": ID, "name": "NAME"}"#);
        assert_eq!(Text::parse("{{id").unwrap_err(), "a `{{` has no `}}`");
    }
}
