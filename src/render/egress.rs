//! The files of a way out that is closed: a firewall, and a proxy that knows names.

use anyhow::Result;

use super::policy::{Laid, add};
use super::templates::Template;
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
    add(&FILES, &(), files)
}
