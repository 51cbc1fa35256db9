//! What a host tells of its system.

use ipnet::IpNet;

use super::{Expected, Judge, egress, nothing, sandbox};
use crate::model::audit::{Facts, Promise, Verdict};
use crate::model::host_key::PLACE;
use crate::model::operator_key::{KeyStatus, Keys};

/// What is judged here, and how.
pub(super) const JUDGES: &[Judge] = &[
    (Promise::HostKey, host_key),
    (Promise::OwnHostKey, own_host_key),
    (Promise::Sshd, |_, facts| sshd(facts)),
    (Promise::Keys, keys),
    (Promise::Passwords, |_, facts| passwords(facts)),
    (Promise::HostFirewall, firewall),
    (Promise::Connections, |_, facts| connections(facts)),
    (Promise::Listeners, |_, facts| listeners(facts)),
    (Promise::Metadata, |_, facts| metadata(facts)),
    (Promise::Egress, egress::judge),
    (Promise::GatewayUnit, |_, facts| gateway_unit(facts)),
    (Promise::CaddyUnit, |_, facts| caddy_unit(facts)),
    (Promise::GatewayUser, |_, facts| gateway_user(facts)),
    (Promise::Sandbox, sandbox::judge),
    (Promise::State, |_, facts| state(facts)),
    (Promise::Rotation, rotation),
    (Promise::Programs, |_, facts| programs(facts)),
    (Promise::Updates, |_, facts| updates(facts)),
    (Promise::Restart, |_, facts| restart(facts)),
    (Promise::CoreDumps, |_, facts| core_dumps(facts)),
    (Promise::Disk, |_, facts| disk(facts)),
];

/// `systemd-analyze security`, from 0 (shut in) to 10: what the gateway and Caddy were seen to work with.
const GATEWAY_EXPOSURE: f64 = 1.5;
const CADDY_EXPOSURE: f64 = 2.0;
/// Lists of packages that are older tell nothing of what is pending: in seconds.
const LISTS_LAST: u64 = 3 * 24 * 3600;
/// A disk that is fuller warns: in percent.
const FULL: u64 = 90;

fn host_key(expected: &Expected<'_>, facts: &Facts) -> Verdict {
    let server = expected.instance.stage.server();
    let pinned = server.map(|server| bare(&server.host_key)).unwrap_or_default();
    let next = server.and_then(|server| server.next_host_key.as_deref());
    let shown = facts.all("host_key");
    let wrong = shown.iter().filter(|key| **key != pinned).map(|key| match next == Some(key) {
        true => format!("it is to show {key}; `clawberth rotate {} hostkey` goes on", expected.instance.name),
        false => format!("it has {key}"),
    });
    let mut wrong: Vec<String> = wrong.collect();
    if !shown.contains(&pinned) {
        wrong.push("it has not got the pinned one".to_owned());
    }
    nothing(wrong, pinned)
}

fn own_host_key(expected: &Expected<'_>, facts: &Facts) -> Verdict {
    let name = &expected.instance.name;
    let mut wrong = Vec::new();
    if !expected.instance.stage.server().is_some_and(|server| server.own_host_key) {
        wrong.push(format!("it shows the injected one; `clawberth deploy {name}` lets it make its own"));
    }
    let taken = facts.all("sshd").iter().filter_map(|line| line.strip_prefix("hostkey "));
    let taken: Vec<&str> = taken.collect();
    if taken != [PLACE] {
        wrong.push(format!("sshd takes {}", taken.join(", ")));
    }
    wrong.extend(facts.all("injected").iter().map(|path| format!("{path} has the injected one")));
    if facts.one("cloud_init") != Some("off") {
        wrong.push("cloud-init would bring the injected one back".to_owned());
    }
    nothing(wrong, "no other is found")
}

/// Type and key, without the comment.
fn bare(key: &str) -> String {
    key.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// What Debian 13's sshd has of key exchange that a recorded session cannot be read with later: the rest, ssh-audit warns of.
const POST_QUANTUM: &str = "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com";

fn sshd(facts: &Facts) -> Verdict {
    let wanted: [(&str, &[&str]); 8] = [
        ("passwordauthentication", &["no"]),
        ("kbdinteractiveauthentication", &["no"]),
        ("permitemptypasswords", &["no"]),
        ("permitrootlogin", &["prohibit-password", "without-password"]),
        ("allowusers", &["root"]),
        ("allowagentforwarding", &["no"]),
        ("x11forwarding", &["no"]),
        ("kexalgorithms", &[POST_QUANTUM]),
    ];
    let settings = facts.all("sshd");
    let is =
        |key: &str| settings.iter().filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == key);
    let wrong = wanted.iter().filter_map(|(key, good)| match is(key) {
        Some((_, value)) if good.contains(&value) => None,
        Some((_, value)) => Some(format!("{key} is {value}")),
        None => Some(format!("{key} is not set")),
    });
    nothing(wrong.collect(), "keys only, root only, post-quantum")
}

/// A key that is joining may be there, or not yet.
fn keys(expected: &Expected<'_>, facts: &Facts) -> Verdict {
    let Keys { fleet, others } = expected.keys;
    let mut wrong = Vec::new();
    let mut admitted = Vec::new();
    for line in facts.all("authorized") {
        match line.split_once('=') {
            Some(("root", key)) if bare(key) == *fleet => admitted.push(fleet.as_str()),
            Some(("root", key)) => match others.iter().find(|known| known.public == bare(key)) {
                Some(known) if known.status == KeyStatus::Leaving => wrong.push(format!(
                    "root still lets in {}, which is to go; `clawberth keys {}` goes on",
                    known.line(),
                    if known.is_fleets { "rotate" } else { "remove" }
                )),
                Some(known) => admitted.push(&known.public),
                None => wrong.push(format!("root lets in {}", bare(key))),
            },
            Some((user, key)) => wrong.push(format!("{user} lets in {}", bare(key))),
            None => wrong.push(line.clone()),
        }
    }
    if !admitted.contains(&fleet.as_str()) {
        wrong.push("the fleet's key is not there".to_owned());
    }
    let missing = others.iter().filter(|key| key.is_in_force() && !admitted.contains(&key.public.as_str()));
    wrong.extend(missing.map(|key| format!("{} is not let in", key.line())));
    let evidence = match admitted.len() {
        0 | 1 => fleet.clone(),
        more => format!("{fleet}, and {} beside it that `clawberth keys list` tells", more - 1),
    };
    nothing(wrong, evidence)
}

fn passwords(facts: &Facts) -> Verdict {
    let accounts = facts.all("account");
    let mut wrong = Vec::new();
    for account in accounts {
        let words: Vec<&str> = account.split(' ').collect();
        match words.as_slice() {
            ["root", "0", _, "L"] => {}
            [user, "0", ..] if *user != "root" => wrong.push(format!("{user} is root, too")),
            [_, _, _, "L"] => {}
            [user, .., status] => wrong.push(format!("the password of {user} is not locked ({status})")),
            _ => wrong.push(format!("{account:?} is no account")),
        }
    }
    if accounts.is_empty() {
        wrong.push("the accounts cannot be seen".to_owned());
    }
    nothing(wrong, format!("{} accounts, all locked", accounts.len()))
}

/// What limits port 443, as `nft` tells it: an address may open so many connections in a second, and have so many. Their places
/// are `templates/nftables.conf.hbs`.
const LIMITS: [&str; 4] = [
    "tcp dport 443 update @new4 { ip saddr limit rate over 60/second burst 200 packets } drop",
    "tcp dport 443 update @new6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 60/second burst 200 packets } drop",
    "tcp dport 443 add @open4 { ip saddr ct count over 256 } drop",
    "tcp dport 443 add @open6 { ip6 saddr & ffff:ffff:ffff:ffff:: ct count over 256 } drop",
];

fn firewall(expected: &Expected<'_>, facts: &Facts) -> Verdict {
    const RULES: [&str; 6] = [
        "ct state established,related accept",
        "ct state invalid drop",
        "iif \"lo\" accept",
        "tcp dport 443 accept",
        "ip saddr @admin4 tcp dport 22 accept",
        "ip6 saddr @admin6 tcp dport 22 accept",
    ];
    let rules = facts.all("input");
    let mut wrong = Vec::new();
    if facts.one("nftables") != Some("active") {
        wrong.push("nftables.service is not active".to_owned());
    }
    if !rules
        .first()
        .is_some_and(|head| head.starts_with("type filter hook input") && head.ends_with("policy drop;"))
    {
        wrong.push("what is not allowed is not dropped".to_owned());
    }
    let is_known = |rule: &&String| {
        RULES.contains(&rule.as_str())
            || LIMITS.contains(&rule.as_str())
            || rule.starts_with("icmp type {")
            || rule.starts_with("icmpv6 type {")
    };
    wrong.extend(rules.iter().skip(1).filter(|rule| !is_known(rule)).map(|rule| format!("it has {rule:?}")));
    wrong.extend(facts.all("table").iter().filter(|table| *table != "table inet clawberth").cloned());
    let admin = expected.admin.all();
    for element in ["admin4", "admin6"].iter().flat_map(|set| facts.all(set)) {
        let network = element
            .parse::<IpNet>()
            .or_else(|_| element.parse().map(|one: std::net::IpAddr| IpNet::from(one)));
        if !network.is_ok_and(|network| admin.iter().any(|known| known.contains(&network))) {
            wrong.push(format!("{element} may log in"));
        }
    }
    nothing(wrong, format!("{} rules, all else is dropped", rules.len().saturating_sub(1)))
}

fn connections(facts: &Facts) -> Verdict {
    let rules = facts.all("input");
    // what comes after the rule that lets all in limits nothing
    let first = rules.iter().take_while(|rule| *rule != "tcp dport 443 accept");
    let first: Vec<&str> = first.map(String::as_str).collect();
    let missing = LIMITS.iter().filter(|limit| !first.contains(limit));
    nothing(
        missing.map(|limit| format!("the firewall has not got {limit:?}")).collect(),
        "60 new ones a second and 256 open ones for each address, or IPv6 network of 64 bits",
    )
}

fn listeners(facts: &Facts) -> Verdict {
    let lines = facts.all("listen");
    let wrong = lines.iter().filter(|line| !is_ours(line)).map(|line| format!("{line} listens"));
    let mut wrong: Vec<String> = wrong.collect();
    if lines.is_empty() {
        wrong.push("what listens cannot be seen".to_owned());
    }
    nothing(wrong, "sshd on 22, Caddy on 443")
}

/// A listener on the loopback interface, or one that belongs there: `tcp 0.0.0.0:22 users:(("sshd",…`.
fn is_ours(line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    let [protocol, local, ..] = words.as_slice() else { return false };
    let Some((address, port)) = local.rsplit_once(':') else { return false };
    let process = words.get(2).copied().unwrap_or_default();
    let is_of = |name: &str| process.starts_with(&format!("users:((\"{name}\","));
    let is_loopback = address.starts_with("127.") || address.starts_with("[::1]");
    // the client of DHCP is answered there
    let is_dhcp = *protocol == "udp" && ["68", "546"].contains(&port);
    is_loopback
        || is_dhcp
        || (*protocol == "tcp" && ((port == "22" && is_of("sshd")) || (port == "443" && is_of("caddy"))))
}

fn metadata(facts: &Facts) -> Verdict {
    let lines = facts.all("metadata");
    let mut wrong: Vec<String> = lines.iter().filter(|line| !line.ends_with(" is not")).cloned().collect();
    if lines.is_empty() {
        wrong.push("it could not be tried".to_owned());
    }
    nothing(wrong, format!("{} users tried in vain", lines.len()))
}

fn gateway_unit(facts: &Facts) -> Verdict {
    unit(facts, "openclaw", GATEWAY_EXPOSURE)
}

fn caddy_unit(facts: &Facts) -> Verdict {
    unit(facts, "caddy", CADDY_EXPOSURE)
}

fn unit(facts: &Facts, name: &str, limit: f64) -> Verdict {
    let exposure = facts.one(&format!("{name}.exposure"));
    match exposure.map(str::parse::<f64>) {
        Some(Ok(exposure)) if exposure <= limit => Verdict::Holds(format!("exposed {exposure} of 10")),
        Some(Ok(exposure)) => Verdict::Fails(format!("exposed {exposure} of 10, and {limit} is the limit")),
        Some(Err(_)) | None => Verdict::Fails("systemd does not say how it is shut in".to_owned()),
    }
}

fn gateway_user(facts: &Facts) -> Verdict {
    let mut wrong = Vec::new();
    for (unit, user) in [("openclaw", "openclaw"), ("caddy", "caddy")] {
        let runs = facts.one(&format!("{unit}.runs")).unwrap_or("nobody");
        if runs != user {
            wrong.push(format!("{unit} is run by {runs}"));
        }
        if !facts.all(unit).iter().any(|line| line == "NoNewPrivileges=yes") {
            wrong.push(format!("{unit} may get new rights"));
        }
    }
    if facts.one("groups") != Some("openclaw") {
        wrong.push(format!("openclaw is in the groups {}", facts.joined("groups")));
    }
    nothing(wrong, "openclaw, in no other group")
}

fn state(facts: &Facts) -> Verdict {
    let lines = facts.all("mode");
    let mut wrong = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            [_, "700" | "600", "openclaw"] | ["/var/lib/clawberth/saved", "700", "root"] => {}
            [path, mode, user] => wrong.push(format!("{path} is {user}'s, with mode {mode}")),
            _ => wrong.push(line.clone()),
        }
    }
    if lines.len() < 4 {
        wrong.push("it is not where it should be".to_owned());
    }
    nothing(wrong, "700 and 600, openclaw's")
}

fn rotation(expected: &Expected<'_>, facts: &Facts) -> Verdict {
    match facts.one("rotation") {
        Some("done") => Verdict::Holds("none was begun and not ended".to_owned()),
        Some(_) => Verdict::Fails(format!(
            "the token before may still be good; `clawberth rotate {} token` goes on",
            expected.instance.name
        )),
        None => Verdict::Fails("whether one is cannot be seen".to_owned()),
    }
}

fn programs(facts: &Facts) -> Verdict {
    let mut wrong: Vec<String> =
        facts.all("writable").iter().map(|path| format!("{path} can be written by others")).collect();
    if facts.one("programs") != Some("seen") {
        wrong.push("they cannot be seen".to_owned());
    }
    nothing(wrong, "root's, or the installer's")
}

fn updates(facts: &Facts) -> Verdict {
    if facts.one("upgrades") != Some("active") {
        return Verdict::Fails("unattended-upgrades.service is not active".to_owned());
    }
    let number = |key: &str| facts.one(key).and_then(|text| text.parse::<u64>().ok());
    let age = number("now").zip(number("lists")).map(|(now, lists)| now.saturating_sub(lists));
    match (age, facts.all("pending")) {
        (Some(age), []) if age <= LISTS_LAST => {
            Verdict::Holds(format!("none pending, as of {} h ago", age / 3600))
        }
        (Some(age), []) => Verdict::Warns(format!("the lists of packages are {} days old", age / 86400)),
        (None, _) => Verdict::Warns("there are no lists of packages".to_owned()),
        (Some(_), pending) => Verdict::Warns(format!(
            "{} pending: {}; `clawberth update --os` installs them",
            pending.len(),
            facts.joined("pending")
        )),
    }
}

fn restart(facts: &Facts) -> Verdict {
    match (facts.one("end"), facts.all("reboot")) {
        (Some(_), []) => Verdict::Holds("none waits".to_owned()),
        (None, _) => Verdict::Fails("it did not tell all".to_owned()),
        (Some(_), _) => Verdict::Warns(format!(
            "{} wait for one; `clawberth update --os` restarts it",
            facts.joined("reboot").trim()
        )),
    }
}

fn core_dumps(facts: &Facts) -> Verdict {
    let units = ["openclaw", "caddy"].into_iter();
    let may = units.filter(|unit| !facts.all(unit).iter().any(|line| line == "LimitCORE=0"));
    nothing(may.map(|unit| format!("{unit} may dump its memory")).collect(), "neither gateway nor Caddy")
}

fn disk(facts: &Facts) -> Verdict {
    let used = facts.one("disk").and_then(|text| text.parse::<u64>().ok());
    match (used, facts.one("journal")) {
        (_, None) => Verdict::Fails("the journal has no limit of ours".to_owned()),
        (None, _) => Verdict::Fails("how full it is cannot be seen".to_owned()),
        (Some(used), Some(_)) if used > FULL => Verdict::Warns(format!("{used} % are used")),
        (Some(used), Some(limit)) => {
            Verdict::Holds(format!("{used} % used, the journal takes {limit} at most"))
        }
    }
}
