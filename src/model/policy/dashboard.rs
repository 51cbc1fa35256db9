use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Source;
use crate::model::admin::AdminNetworks;
use crate::model::refusal::Refusal;

/// What every certificate in PEM begins with.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// To whom the gateway's page and interfaces open, of those who could have its token. What is not said limits nobody; of what is said,
/// all has to be fulfilled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dashboard {
    /// From where: these networks. An empty list is nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Vec<IpNet>>,
    /// With which password, in a browser's own question for it, where the name is `openclaw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Source>,
    /// With a certificate of the browser's own that one of these has signed: certificates in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorities: Option<String>,
    /// Paths that everybody may POST to all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<String>,
}

impl Dashboard {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it keeps anybody out.
    pub fn is_limited(&self) -> bool {
        self.from.is_some() || self.password.is_some() || self.authorities.is_some()
    }

    /// Whether somebody from these networks may see it, with no more than the gateway's token.
    pub fn opens_to(&self, networks: &AdminNetworks) -> bool {
        let from = |network: &IpNet| self.from.iter().flatten().any(|from| overlap(from, network));
        self.password.is_none() && self.authorities.is_none() && networks.all().iter().any(from)
    }

    pub(super) fn check(&self) -> Result<(), Refusal> {
        if !self.webhooks.is_empty() && !self.is_limited() {
            let hint = "say to whom the rest opens, in `from`; [] is nobody";
            return Err(Refusal::new("the dashboard opens to everybody, and webhooks are named", hint));
        }
        if let Some(path) = self.webhooks.iter().find(|path| !is_path(path)) {
            return Err(Refusal::new(
                format!("{path:?} is no path of a webhook"),
                "give it as in the service that calls it, like \"/googlechat\"",
            ));
        }
        match &self.authorities {
            Some(pem) if !pem.trim_start().starts_with(CERTIFICATE) => Err(Refusal::new(
                "the authorities of the dashboard are no certificates",
                format!("paste them whole, from {CERTIFICATE:?} on; a file's name is not enough"),
            )),
            _ => Ok(()),
        }
    }
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

/// Whether it means itself in a Caddyfile, and is not all there is.
fn is_path(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    text.len() > 1 && text.starts_with('/') && !text.ends_with('/') && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(toml: &str) -> String {
        toml::from_str::<Dashboard>(toml).unwrap().check().unwrap_err().to_string()
    }

    #[test]
    fn it_opens_to_everybody_unless_it_says_to_whom() {
        let limited = |toml: &str| {
            let dashboard: Dashboard = toml::from_str(toml).unwrap();
            dashboard.check().unwrap();
            dashboard.is_limited()
        };
        assert!(!limited(""));
        assert!(limited("from = ['203.0.113.0/24', '2001:db8::/32']"));
        assert!(limited("from = []\nwebhooks = ['/googlechat']"));
        assert!(limited("password = 'env:DASHBOARD'"));
    }

    #[test]
    fn who_may_be_let_in_is_known_by_the_networks() {
        let opens = |toml: &str| {
            let dashboard: Dashboard = toml::from_str(toml).unwrap();
            dashboard.opens_to(&AdminNetworks::parse(["203.0.113.7"]).unwrap())
        };
        assert!(opens("from = ['192.0.2.0/24', '203.0.113.0/24']"));
        assert!(!opens("from = ['192.0.2.0/24']"));
        assert!(!opens("from = []"));
        assert!(!opens("from = ['203.0.113.0/24']\npassword = 'env:P'"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert_eq!(refused("webhooks = ['/x']"), "the dashboard opens to everybody, and webhooks are named");
        assert_eq!(refused("from = []\nwebhooks = ['/']"), "\"/\" is no path of a webhook");
        assert_eq!(refused("from = []\nwebhooks = ['/a b']"), "\"/a b\" is no path of a webhook");
        assert_eq!(refused("authorities = 'ca.pem'"), "the authorities of the dashboard are no certificates");
    }
}
