//! The host as the lab's way out: masquerade, forwarding, and a host that machines cannot touch.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};

use super::slot::Slot;
use super::{network, tool};

const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";
/// Is there while a lab is the reason that the host forwards. Under /run, because a reboot resets both.
const RUN: &str = "/run/clawberth";

/// Lets the lab's machines out, IPv4 only: switching IPv6 forwarding on would cost the host the default route that
/// it has from router advertisements.
pub(super) async fn on(slot: Slot) -> Result<()> {
    tool::nft(None, &rules(slot)).await?;
    for chain in dropping_chains().await {
        let rule = accept(slot, chain);
        if iptables("-C", &rule).await.is_err() {
            iptables("-I", &rule).await?;
        }
    }
    let _lock = lock()?;
    if fs::read_to_string(FORWARD)?.trim() == "0" {
        fs::write(marker(), "")?;
        fs::write(FORWARD, "1").with_context(|| format!("cannot write {FORWARD}"))?;
    }
    Ok(())
}

/// Takes back all that [`on`] did; forwarding itself with the last lab.
pub(super) async fn off(slot: Slot) -> Result<()> {
    for chain in dropping_chains().await {
        let rule = accept(slot, chain);
        if iptables("-C", &rule).await.is_ok() {
            iptables("-D", &rule).await?;
        }
    }
    let table = slot.router();
    tool::nft(None, &format!("add table inet {table}\ndelete table inet {table}\n")).await?;
    network::remove_link(None, &slot.router()).await?;
    let _lock = lock()?;
    let others = Slot::all().any(|other| other != slot && other.is_up());
    if !others && marker().exists() {
        fs::write(FORWARD, "0").with_context(|| format!("cannot write {FORWARD}"))?;
        fs::remove_file(marker())?;
    }
    Ok(())
}

fn marker() -> std::path::PathBuf {
    Path::new(RUN).join("forwarding")
}

fn lock() -> Result<fs::File> {
    fs::create_dir_all(RUN).with_context(|| format!("cannot make {RUN}"))?;
    let file = fs::File::open(RUN)?;
    flock(&file, FlockOperation::LockExclusive).with_context(|| format!("cannot lock {RUN}"))?;
    Ok(file)
}

/// The host's own table. Machines reach the Internet through the host and nothing on it; nobody behind the host's
/// other interfaces reaches machines.
fn rules(slot: Slot) -> String {
    let (link, machines, links) = (slot.router(), slot.machines4(), slot.links4());
    format!(
        "add table inet {link}
delete table inet {link}
table inet {link} {{
  chain outbound {{
    type nat hook postrouting priority srcnat;
    ip saddr {{ {machines}, {links} }} oifname != {{ lo, {link} }} masquerade
  }}
  chain passing {{
    type filter hook forward priority filter;
    iifname {link} accept
    oifname {link} ct state established,related accept
    oifname {link} drop
  }}
  chain arriving {{
    type filter hook input priority filter;
    iifname {link} ct state established,related accept
    iifname {link} meta l4proto {{ icmp, ipv6-icmp }} accept
    iifname {link} drop
  }}
}}
"
    )
}

/// Which of iptables' forwarding rules stand in the way: Docker and ufw set that policy to DROP, and an accept in our
/// own table does not overrule a drop in theirs.
async fn dropping_chains() -> Vec<&'static str> {
    match tool::quick("iptables", ["-w", "-S", "FORWARD"]).await {
        Ok(text) if text.contains("-P FORWARD DROP") => vec!["-i", "-o"],
        _ => Vec::new(),
    }
}

fn accept(slot: Slot, direction: &str) -> String {
    format!("FORWARD {direction} {} -j ACCEPT", slot.router())
}

async fn iptables(action: &str, rule: &str) -> Result<()> {
    let words = ["-w", action].into_iter().chain(rule.split_whitespace());
    tool::quick("iptables", words).await.map(drop)
}
