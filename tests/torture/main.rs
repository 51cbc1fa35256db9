//! `make torture`: random commands on one fleet, killed at random moments, against an API that loses replies, resets
//! connections, answers with errors and shows old lists. Then calm: one `reconcile` after the other until there is no
//! drift, and nothing may be left that nobody knows, nothing made twice, nothing lost that was there.
//!
//! A seed repeats commands, moments and faults, as far as the scheduler lets them fall together.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program of its own, which answers on stdout and tells its story on stderr"
)]

#[path = "../bed/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of tests/it use the rest of it")]
mod bed;
mod ledger;
mod load;
mod options;
mod verdict;
mod weather;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use bed::{Cloud, Operator};
use ledger::Ledger;
use load::Load;
use options::Options;
use serde_json::json;
use verdict::Verdict;

/// One server at least for so many kills, or it was not much of a storm.
const KILLS_FOR_A_SERVER: usize = 4;
/// Rounds of `reconcile --apply` within which all drift has to be gone.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    match Options::of(std::env::args().skip(1)).and_then(|options| torture(&options)) {
        Ok(well) => ExitCode::from(u8::from(!well)),
        Err(error) => {
            eprintln!("torture: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all was well.
fn torture(options: &Options) -> Result<bool> {
    let since = Instant::now();
    let tell = |what: &str| eprintln!("{:5.0} s  {what}", since.elapsed().as_secs_f64());
    tell(&format!("{} kills, seed {}", options.kills, options.seed));
    let cloud = Cloud::up(1, "")?;
    let operator = cloud.operator()?;
    operator.api.ask("POST", "/zones", Some(&json!({ "name": load::ZONE, "mode": "primary" })))?;

    let ledger = Ledger::default();
    let calm = weather::bad(&operator, options.seed)?;
    let storm = Load::of(options).run(&operator, &ledger, &tell);
    calm()?;
    tell(&format!("{} commands, of which {} were killed; now it is calm", storm.commands, storm.kills));
    let requests = operator.requests()?;
    let faulty = requests.iter().filter(|request| !request.fault.is_empty()).count();
    let made = requests.iter().filter(|request| request.made.is_some()).count();
    tell(&format!("{} requests, of which {faulty} met faults and {made} made something", requests.len()));

    let mut wrong = storm.wrong;
    let servers = requests.iter().filter_map(|request| request.made.as_ref());
    let servers = servers.filter(|made| made.kind == "server").count();
    if servers < options.kills / KILLS_FOR_A_SERVER {
        wrong.push(format!("no more than {servers} servers were made"));
    }
    if storm.kills < options.kills {
        wrong.push(format!("{} of {} kills within the time", storm.kills, options.kills));
    }
    wrong.extend(settle(&operator, &ledger, &tell).err().map(|error| format!("{error:#}")));
    let verdict = Verdict::of(&operator, &ledger)?;
    wrong.extend(verdict::is_blind(&operator, &ledger)?);
    tell("compared; now everything is destroyed");
    wrong.extend(clear(&operator).err().map(|error| format!("{error:#}")));

    wrong.iter().chain(verdict.told()).for_each(|what| eprintln!("wrong: {what}"));
    tell("done");
    println!("torture: {} kills, {verdict}", storm.kills);
    Ok(wrong.is_empty() && verdict.is_well())
}

/// Deploys what is wished, and reconciles until nothing differs.
fn settle(operator: &Operator<'_>, ledger: &Ledger, tell: &impl Fn(&str)) -> Result<()> {
    let wished = ledger.wished();
    if !wished.is_empty() {
        tell(&format!("{} instances are wished", wished.len()));
        let words: Vec<&str> = ["deploy"].into_iter().chain(wished.iter().map(String::as_str)).collect();
        let ended = operator.run(&[words.as_slice(), &["--yes"]].concat(), &[])?;
        // what stands in its way, reconcile takes away
        if ended.code != Some(0) {
            tell(&format!("{ended}"));
        }
    }
    for round in 1..=ROUNDS {
        let ended = operator.run(&["reconcile", "--apply", "--yes"], &[])?;
        tell(&format!("reconcile {round}: {}", ended.stderr.lines().last().unwrap_or_default()));
        if ended.code == Some(0) && ended.stderr.contains("no drift\n") {
            return Ok(());
        }
        if round == ROUNDS {
            bail!("there still is drift after {ROUNDS} rounds: {ended}");
        }
    }
    Ok(())
}

/// Removes everything, and sees that nothing is left.
fn clear(operator: &Operator<'_>) -> Result<()> {
    operator.ok(&["destroy", "--all", "--yes"])?;
    operator.clean_slate()
}
