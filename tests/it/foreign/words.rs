//! Words that are typed, stored, or read from elsewhere: what is taken is written as it is read.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use clawberth::model::host_key;
use clawberth::model::name::InstanceName;
use clawberth::model::place::Place;
use clawberth::model::policy::{ModelName, Sender, Source, Whose};
use clawberth::model::price::Price;
use clawberth::model::release::{Engines, Integrity, NodeVersion, OpenClawVersion};
use clawberth::model::rollout::{Bake, Budget, OnFailure, Waves, Window};
use proptest::prelude::*;

use super::damage::{config, damaged};

const WORDS: [&str; 23] = [
    "alice",
    "2026.9.5",
    "2026.7.1-2",
    "2026.9.6-beta.3",
    "24.21.0",
    "v24.21.0",
    ">=24.16.0 <25 || >=26.1.0",
    "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    "1,5,25%,100%",
    "10%",
    "3",
    "60s",
    "revert-wave",
    "Tue 03:00-05:00",
    "postgres://u:p@h:5432/d?sslmode=require",
    "3.5600000000",
    "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq",
    "telegram:111",
    "*",
    "anthropic/claude-sonnet-4-5",
    "cmd:op read op://office/claw/bot",
    "file:bot.token",
    "age:bot.age",
];

/// Taken, written, and taken again: the same.
fn stays<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Result<(), TestCaseError> {
    let Ok(once) = text.parse::<T>() else { return Ok(()) };
    let written = once.to_string();
    let twice =
        written.parse::<T>().map_err(|_| TestCaseError::fail(format!("{text:?} is written {written:?}")))?;
    prop_assert_eq!(once, twice);
    Ok(())
}

#[test]
fn words() {
    proptest!(config(), |(text in damaged(&WORDS))| {
        let text = String::from_utf8_lossy(&text);
        stays::<InstanceName>(&text)?;
        stays::<OpenClawVersion>(&text)?;
        stays::<NodeVersion>(&text)?;
        stays::<Engines>(&text)?;
        stays::<Integrity>(&text)?;
        stays::<Waves>(&text)?;
        stays::<Budget>(&text)?;
        stays::<Bake>(&text)?;
        stays::<OnFailure>(&text)?;
        stays::<Window>(&text)?;
        stays::<Sender>(&text)?;
        stays::<Whose>(&text)?;
        stays::<ModelName>(&text)?;
        stays::<Source>(&text)?;
        // on a label
        let key = host_key::from_label(&text);
        prop_assert!(key.is_none() || key.as_deref().and_then(host_key::to_label).as_deref() == Some(&*text));
        let _ = (Place::parse(&text), Price::parse(&text));
    });
}
