//! The gateway's way out, where its policy closes it.

use super::{Expected, nothing};
use crate::model::audit::{Facts, Verdict};

/// `systemd-analyze security`, of the proxy.
const PROXY_EXPOSURE: f64 = 1.5;

pub(super) fn judge(expected: &Expected<'_>, facts: &Facts) -> Verdict {
    let (Some(chain), Some(names)) = (expected.laid.get("egress.nft"), expected.laid.get("egress.names"))
    else {
        return match facts.one("way_out") {
            Some(_) => Verdict::Holds("not restricted by policy".to_owned()),
            None => Verdict::Fails("it cannot be seen".to_owned()),
        };
    };
    let names: Vec<&str> = names.lines().collect();
    let mut wrong = firewall(facts, &rules(chain));
    wrong.extend(proxy(facts, &names));
    let evidence = match names.as_slice() {
        [] => "it reaches nothing beyond its server".to_owned(),
        names => format!("by name, and by the proxy alone: {}", names.join(", ")),
    };
    nothing(wrong, evidence)
}

/// The rules of the chain, which its file has in `nft`'s own words: what `nft --guid` lists is compared with them.
fn rules(chain: &str) -> Vec<&str> {
    let lines = chain.lines().map(str::trim);
    lines.filter(|line| !line.starts_with('#') && !line.ends_with(['{', '}'])).collect()
}

fn firewall(facts: &Facts, wanted: &[&str]) -> Vec<String> {
    let rules = facts.all("egress");
    let mut wrong: Vec<String> = Vec::new();
    if rules != wanted {
        let missing = wanted.iter().filter(|rule| !rules.iter().any(|is| is == *rule));
        wrong.extend(missing.map(|rule| format!("the firewall has not got {rule:?}")));
        let more = rules.iter().filter(|is| !wanted.contains(&is.as_str()));
        wrong.extend(more.map(|is| format!("the firewall has {is:?}")));
        if wrong.is_empty() {
            wrong.push("the firewall's rules are in another order".to_owned());
        }
    }
    if facts.one("egress_try") != Some("refused") {
        wrong.push("a connection of openclaw's beyond the server is not refused".to_owned());
    }
    let denied = facts.all("openclaw").iter().filter_map(|line| line.strip_prefix("IPAddressDeny="));
    let denied: Vec<&str> = denied.flat_map(|list| list.split(' ')).collect();
    if !["0.0.0.0/0", "::/0"].iter().all(|all| denied.contains(all)) {
        wrong.push("the gateway's unit may reach more than its server".to_owned());
    }
    wrong
}

fn proxy(facts: &Facts, names: &[&str]) -> Vec<String> {
    let told = facts.all("egress_name");
    let more = told.iter().filter(|name| !names.contains(&name.as_str()));
    let mut wrong: Vec<String> = more.map(|name| format!("the proxy lets {name} through")).collect();
    let missing = names.iter().filter(|name| !told.iter().any(|is| is == *name));
    wrong.extend(missing.map(|name| format!("the proxy does not let {name} through")));
    match facts.one("egress_stranger") {
        Some("403") => {}
        Some("200") => wrong.push("the proxy lets anybody through".to_owned()),
        Some(_) | None => wrong.push("the proxy does not answer".to_owned()),
    }
    let exposure = facts.one("egress.exposure").and_then(|text| text.parse::<f64>().ok());
    if exposure.is_none_or(|exposure| exposure > PROXY_EXPOSURE) {
        let exposure = exposure.map_or_else(|| "more than systemd tells".to_owned(), |is| is.to_string());
        wrong.push(format!("the proxy is exposed {exposure} of 10, and {PROXY_EXPOSURE} is the limit"));
    }
    match facts.one("egress.runs") {
        Some("clawberth-egress") => {}
        Some("") | None => wrong.push("the proxy does not run".to_owned()),
        Some(user) => wrong.push(format!("the proxy is run by {user}")),
    }
    wrong
}
