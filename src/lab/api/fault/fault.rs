//! One fault as it was asked for.

use serde_json::{Map, Value};

use super::aim::Aim;
use super::chance::Chance;
use super::fields::{Fields, WrongFault};
use super::kind::Kind;

/// What goes wrong, for whom, and how often.
#[derive(Debug, Clone)]
pub struct Fault {
    pub(super) kind: Kind,
    pub(super) aim: Aim,
    pub(super) chance: Chance,
    /// As it was asked for.
    pub(super) source: Map<String, Value>,
}

impl Fault {
    /// Reads one from its fields.
    ///
    /// # Errors
    /// A field is missing, unknown, or has a value that it cannot have.
    pub(super) fn read(source: Map<String, Value>) -> Result<Self, WrongFault> {
        let mut fields = Fields::new(source.clone());
        let kind = Kind::read(&mut fields)?;
        let (aim, chance) = (Aim::read(&mut fields)?, Chance::read(&mut fields)?);
        fields.end()?;
        Ok(Self { kind, aim, chance, source })
    }

    /// The name of its kind.
    pub(super) fn name(&self) -> &str {
        self.source.get("kind").and_then(Value::as_str).unwrap_or_default()
    }
}
