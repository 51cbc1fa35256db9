//! One rule of a firewall.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use crate::lab::machine::Accept;

/// Rules of one firewall.
const MAX: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    In,
    Out,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Protocol {
    Tcp,
    Udp,
    Icmp,
    Esp,
    Gre,
}

/// A rule, in the API's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    #[serde(default)]
    description: Option<String>,
    direction: Direction,
    #[serde(default)]
    source_ips: Vec<String>,
    #[serde(default)]
    destination_ips: Vec<String>,
    protocol: Protocol,
    #[serde(default)]
    port: Option<String>,
}

/// Refuses rules that the API would refuse; the others as it keeps them.
pub(crate) fn read(mut rules: Vec<Rule>) -> Result<Vec<Rule>, ApiError> {
    if rules.len() > MAX {
        return Err(ApiError::field("rules", "are too many"));
    }
    for (i, rule) in rules.iter().enumerate() {
        rule.fault()
            .map_or(Ok(()), |(field, why)| Err(ApiError::field(&format!("rules.{i}.{field}"), why)))?;
    }
    rules.iter_mut().for_each(Rule::make_canonical);
    Ok(rules)
}

impl Rule {
    /// The first wrong field and what is wrong with it.
    fn fault(&self) -> Option<(&'static str, &'static str)> {
        let is_network = |block: &String| block.parse::<IpNet>().is_ok_and(|net| net == net.trunc());
        let (near, near_field, far) = match self.direction {
            Direction::In => (&self.source_ips, "source_ips", &self.destination_ips),
            Direction::Out => (&self.destination_ips, "destination_ips", &self.source_ips),
        };
        let has_ports = matches!(self.protocol, Protocol::Tcp | Protocol::Udp);
        if self.description.as_ref().is_some_and(|d| d.chars().count() > 255) {
            Some(("description", "is too long"))
        } else if near.is_empty() {
            Some((near_field, "must not be empty"))
        } else if !far.is_empty() {
            Some(("direction", "does not fit the addresses"))
        } else if !near.iter().all(is_network) {
            Some((near_field, "must be CIDR blocks without host bits"))
        } else if has_ports && self.ports().is_none() {
            Some(("port", "must be a port or a range of ports"))
        } else if !has_ports && self.port.is_some() {
            Some(("port", "is only allowed for tcp and udp"))
        } else {
            None
        }
    }

    /// Writes IPv6 blocks as RFC 5952 wants them.
    fn make_canonical(&mut self) {
        for block in self.source_ips.iter_mut().chain(&mut self.destination_ips) {
            if let Ok(net) = block.parse::<IpNet>() {
                *block = net.to_string();
            }
        }
    }

    /// First and last port.
    fn ports(&self) -> Option<(u16, u16)> {
        let text = self.port.as_deref()?;
        if text == "any" {
            return Some((1, u16::MAX));
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (0 < first && first <= last).then_some((first, last))
    }

    /// What it lets in; `None` for a rule about what goes out.
    pub(crate) fn accept(&self) -> Option<Accept> {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Icmp => "icmp",
            Protocol::Esp => "esp",
            Protocol::Gre => "gre",
        };
        (self.direction == Direction::In).then(|| Accept {
            protocol: protocol.to_owned(),
            ports: self.ports(),
            sources: self.source_ips.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rule(changes: Value) -> Result<Rule, ApiError> {
        let mut rule =
            json!({"direction": "in", "protocol": "tcp", "port": "443", "source_ips": ["0.0.0.0/0", "::/0"]});
        for (key, value) in changes.as_object().unwrap() {
            rule[key] = value.clone();
        }
        read(vec![serde_json::from_value(rule).unwrap()]).map(|mut rules| rules.remove(0))
    }

    #[test]
    fn a_rule_becomes_what_the_machines_let_in() {
        let accept = rule(json!({"port": "80-85"})).unwrap().accept().unwrap();
        assert_eq!(accept.ports, Some((80, 85)));
        assert_eq!((accept.protocol.as_str(), accept.sources.len()), ("tcp", 2));
        assert_eq!(rule(json!({"protocol": "icmp", "port": null})).unwrap().accept().unwrap().ports, None);
        let out = json!({"direction": "out", "source_ips": [], "destination_ips": ["0.0.0.0/0"]});
        assert_eq!(rule(out).unwrap().accept(), None);
    }

    #[test]
    fn addresses_are_kept_in_their_canonical_form() {
        let rule = rule(json!({"source_ips": ["2001:DB8:0:0::/64", "192.0.2.1/32"]})).unwrap();
        assert_eq!(rule.source_ips, ["2001:db8::/64", "192.0.2.1/32"]);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for changes in [
            json!({"port": null}),
            json!({"port": "0"}),
            json!({"port": "99999"}),
            json!({"port": "90-80"}),
            json!({"port": "http"}),
            json!({"protocol": "icmp"}),
            json!({"source_ips": []}),
            json!({"source_ips": ["1.2.3.4"]}),
            json!({"source_ips": ["x"]}),
            json!({"source_ips": ["203.0.113.1/24"]}),
            json!({"description": "x".repeat(256)}),
            json!({"destination_ips": ["0.0.0.0/0"]}),
        ] {
            assert!(rule(changes.clone()).is_err(), "{changes}");
        }
    }
}
