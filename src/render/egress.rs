//! The files of a way out that is closed: a firewall, and a proxy that knows names.

use anyhow::Result;

use super::policy::Laid;
use super::templates::{Template, render};
use crate::model::policy::Destination;

const FILES: [(&str, Template); 6] = [
    ("clawberth-egress.service", Template::EgressUnit),
    ("egress.conf", Template::EgressProxy),
    ("egress.nft", Template::EgressRules),
    ("openclaw.conf", Template::EgressGateway),
    ("packages", Template::EgressPackages),
    ("prepare", Template::EgressPrepare),
];

/// Adds them to what a policy lays, for a gateway that may connect to these alone.
pub(super) fn lay(destinations: &[Destination], files: &mut Laid) -> Result<()> {
    files.insert("egress.names", destinations.iter().map(|name| format!("{name}\n")).collect());
    for (name, template) in FILES {
        // something else may have its part in a file that several share
        files.entry(name).or_default().push_str(&render(template, &())?);
    }
    Ok(())
}
