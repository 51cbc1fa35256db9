//! What a server is sent with a policy: the script that brings it, and the files that lie beside OpenClaw's own configuration.

use std::collections::BTreeMap;

use anyhow::Result;
use ipnet::IpNet;
use serde::Serialize;

use super::templates::{Template, render};
use super::{egress, sandbox};
use crate::model::policy::{Dashboard, Policy};

/// The script that brings a policy to a gateway; the same for each server.
///
/// # Errors
/// Never in practice: it has no context.
pub fn policy() -> Result<String> {
    render(Template::Policy, &())
}

/// The file that has who may see the dashboard with which password, as Caddy takes it: `NAME BCRYPT`. It is not among [`laid`].
pub const DASHBOARD_USERS: &str = "dashboard.users";

/// Files by their names.
pub type Laid = BTreeMap<&'static str, String>;

/// The files that a policy lays into `/etc/clawberth/policy`, by their names, but for those that have a secret in them. Where there are
/// none, none is to be there. By their ends:
///
/// - `*.site` and `*.tls` are parts of the Caddyfile
/// - `*.nft` is part of the firewall
/// - `*.service` are units, and `openclaw.conf` is a part of the gateway's
/// - `packages` names Debian packages that are there first, `prepare` is run before anything changes, and `prove` once all is in effect
///
/// # Errors
/// Never in practice: what a policy says is checked when it is read.
pub fn laid(policy: &Policy) -> Result<Laid> {
    let mut files = BTreeMap::new();
    let Dashboard { from, password, authorities, webhooks } = &policy.dashboard;
    if policy.dashboard.is_limited() {
        let networks = from.iter().flatten().map(IpNet::trunc).collect();
        let limits = Limits {
            from_somewhere: from.is_some(),
            networks,
            authorities: authorities.is_some(),
            password: password.is_some(),
            webhooks,
        };
        files.insert("dashboard.site", render(Template::DashboardSite, &limits)?);
    }
    if let Some(authorities) = authorities {
        files.insert("dashboard.pem", authorities.clone());
        files.insert("dashboard.tls", render(Template::DashboardTls, &())?);
    }
    if let Some(destinations) = policy.destinations() {
        egress::lay(&destinations, &mut files)?;
    }
    if policy.sandbox {
        sandbox::lay(&mut files)?;
    }
    Ok(files)
}

/// Adds files to those that are laid. Something else may have its part in one that several share.
pub(super) fn add(
    files: &[(&'static str, Template)],
    context: &impl Serialize,
    laid: &mut Laid,
) -> Result<()> {
    for &(name, template) in files {
        laid.entry(name).or_default().push_str(&render(template, context)?);
    }
    Ok(())
}

/// To whom the dashboard opens.
#[derive(Serialize)]
struct Limits<'a> {
    from_somewhere: bool,
    networks: Vec<IpNet>,
    authorities: bool,
    password: bool,
    webhooks: &'a [String],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(toml: &str) -> Laid {
        let policy: Policy = toml::from_str(toml).unwrap();
        policy.check().unwrap();
        laid(&policy).unwrap()
    }

    #[test]
    fn a_policy_of_the_gateway_s_own_matters_lays_nothing() {
        assert!(of("tools = 'minimal'").is_empty());
    }

    #[test]
    fn a_closed_way_out_is_a_firewall_and_a_proxy_that_knows_names() {
        let files = of("egress = ['*.example.org']\nchannels.telegram.token = 'env:T'");
        assert_eq!(files["egress.names"], "*.example.org\napi.telegram.org\n");
        assert_eq!(files["packages"], "tinyproxy-bin\n");
        assert!(files["openclaw.conf"].contains("\nIPAddressDeny=any\n"), "{}", files["openclaw.conf"]);
        assert!(files["prepare"].contains("systemd-sysusers"), "{}", files["prepare"]);
        assert_eq!(of("egress = 'models-only'")["egress.names"], "");
        assert!(of("egress = 'all'").is_empty());
    }

    #[test]
    fn a_dashboard_opens_from_networks_and_webhooks_from_everywhere() {
        let files =
            of("dashboard = { from = ['203.0.113.7/24', '2001:db8::/32'], webhooks = ['/googlechat'] }");
        assert_eq!(files.keys().collect::<Vec<_>>(), [&"dashboard.site"]);
        assert_eq!(
            files["dashboard.site"],
            "@elsewhere {
\t# readiness tells nothing; what would become a WebSocket, or is the page by another path, is none of it
\tnot {
\t\tmethod GET
\t\tvars {http.request.uri.path} /readyz
\t\theader !Upgrade
\t}
\tnot {
\t\tmethod POST
\t\tpath /googlechat /googlechat/*
\t\theader !Upgrade
\t}
\tnot remote_ip 203.0.113.0/24 2001:db8::/32
}
respond @elsewhere 403
"
        );
    }

    #[test]
    fn a_dashboard_that_opens_from_nowhere_names_no_network() {
        let site = &of("dashboard.from = []")["dashboard.site"];
        assert!(site.contains("respond @elsewhere 403") && !site.contains("remote_ip"), "{site}");
    }

    #[test]
    fn passwords_and_certificates_are_asked_for_by_caddy() {
        let pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
        let files = of(&format!("dashboard = {{ password = 'env:P', authorities = '''{pem}''' }}"));
        assert_eq!(files.keys().collect::<Vec<_>>(), [&"dashboard.pem", &"dashboard.site", &"dashboard.tls"]);
        assert_eq!(files["dashboard.pem"], pem);
        let site = &files["dashboard.site"];
        for line in ["respond @uncertified 403", "import /etc/clawberth/policy/dashboard.users"] {
            assert!(site.contains(line), "{line}: {site}");
        }
        assert!(!site.contains("@elsewhere"), "{site}");
    }
}
