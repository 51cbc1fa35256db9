//! The lab's network: a router namespace, a link to the host, a stranger, and one namespace per machine.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use super::forwarding;
use super::machine::MachineSpec;
use super::process::Process;
use super::slot::Slot;
use super::{filter, private_network, tool};

/// How long a killed process may take to be gone.
const KILLED: Duration = Duration::from_secs(10);

/// Brings router, stranger and host link up. Safe to run on what is half or wholly there.
pub(super) async fn up(slot: Slot) -> Result<()> {
    router(slot).await.context("cannot set the router up")?;
    world(slot).await.context("cannot set the stranger's network up")?;
    host(slot).await.context("cannot link the host to the router")?;
    forwarding::on(slot).await
}

/// Removes all of it, with whatever is left of machines. Safe to run on what is not there.
pub(super) async fn down(slot: Slot) -> Result<()> {
    forwarding::off(slot).await?;
    let prefix = format!("{}-", slot.router());
    for name in namespaces()? {
        if name.starts_with(&prefix) || name == slot.router() {
            // such as what somebody still runs from the stranger's point of view
            end_processes(&name).await?;
            remove_namespace(&name).await?;
        }
    }
    Ok(())
}

/// Connects a machine: a fresh namespace with a routed /32 and a /64, the default routes as at Hetzner.
pub(super) async fn attach(slot: Slot, spec: &MachineSpec) -> Result<()> {
    detach(slot, spec.id).await?;
    let (router, name, link) = (slot.router(), slot.machine(spec.id), format!("m{}", spec.id));
    tool::ip(&format!("netns add {name}")).await?;
    tool::ip(&format!("-n {router} link add {link} type veth peer name eth0 netns {name}")).await?;
    for end in [format!("-n {router} link set {link} up"), format!("-n {name} link set eth0 up")] {
        tool::ip(&end).await?;
    }
    tool::ip(&format!("-n {name} link set lo up")).await?;
    if let Some(address) = spec.ipv4 {
        tool::ip(&format!("-n {router} addr add 172.31.1.1/32 dev {link}")).await?;
        tool::ip(&format!("-n {router} route add {address}/32 dev {link}")).await?;
        tool::ip(&format!("-n {name} addr add {address}/32 dev eth0")).await?;
        tool::ip(&format!("-n {name} route add 172.31.1.1 dev eth0")).await?;
        tool::ip(&format!("-n {name} route add default via 172.31.1.1")).await?;
    }
    if let Some(prefix) = spec.ipv6.filter(|_| kernel_has_ipv6()) {
        tool::ip(&format!("-n {router} addr add fe80::1/64 dev {link} nodad")).await?;
        tool::ip(&format!("-n {router} route add {prefix}/64 dev {link}")).await?;
        tool::ip(&format!("-n {name} addr add {prefix}1/64 dev eth0 nodad")).await?;
        tool::ip(&format!("-n {name} route add default via fe80::1 dev eth0")).await?;
    }
    Ok(())
}

/// Disconnects a machine, from private networks, too.
pub(super) async fn detach(slot: Slot, id: u64) -> Result<()> {
    private_network::disconnect(slot, id).await?;
    // Not left to the namespace's end: processes that linger keep it alive without its name.
    remove_link(Some(&slot.router()), &format!("m{id}")).await?;
    remove_namespace(&slot.machine(id)).await
}

/// Whether this host itself speaks IPv6; without that the operator sees machines by IPv4 only.
pub(super) fn host_has_ipv6() -> bool {
    let off = std::fs::read_to_string("/proc/sys/net/ipv6/conf/all/disable_ipv6");
    off.is_ok_and(|text| text.trim() == "0")
}

/// Whether namespaces can have IPv6: not on a kernel that was booted without it.
fn kernel_has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6").is_dir()
}

/// Ends all processes in a namespace by force.
pub(super) async fn end_processes(namespace: &str) -> Result<()> {
    let until = Instant::now() + KILLED;
    loop {
        let processes = processes(namespace).await?;
        if processes.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            bail!("processes in namespace {namespace} did not end within {KILLED:?} of being killed");
        }
        processes.iter().for_each(Process::kill);
        sleep(Duration::from_millis(50)).await;
    }
}

/// The processes in a namespace, if there is one.
async fn processes(namespace: &str) -> Result<Vec<Process>> {
    if !Path::new("/run/netns").join(namespace).exists() {
        return Ok(Vec::new());
    }
    let ids = tool::ip(&format!("netns pids {namespace}")).await?;
    Ok(ids.split_whitespace().filter_map(|id| Process::of(id.parse().ok()?)).collect())
}

async fn router(slot: Slot) -> Result<()> {
    let router = slot.router();
    make_namespace(&router).await?;
    let sysctls = "cd /proc/sys/net && echo 1 > ipv4/ip_forward && echo 1 > ipv4/conf/all/rp_filter \
                   && { [ ! -d ipv6 ] || echo 1 > ipv6/conf/all/forwarding; }";
    tool::shell_inside(&router, sysctls).await?;
    // The metadata address is the router's alone: the host must never have it.
    tool::ip(&format!("-n {router} addr replace 169.254.169.254/32 dev lo")).await?;
    tool::nft(Some(&router), &filter::base(slot.stranger().0.into())).await
}

async fn world(slot: Slot) -> Result<()> {
    let (router, world) = (slot.router(), slot.world());
    make_namespace(&world).await?;
    if !has_link(Some(&router), "world").await {
        tool::ip(&format!("-n {router} link add world type veth peer name eth0 netns {world}")).await?;
    }
    let (gateway, stranger) = (slot.gateway_of_world(), slot.stranger());
    address(&format!("-n {router}"), "world", gateway).await?;
    address(&format!("-n {world}"), "eth0", stranger).await?;
    tool::ip(&format!("-n {world} route replace default via {}", gateway.0)).await?;
    if kernel_has_ipv6() {
        tool::ip(&format!("-n {world} route replace default via {}", gateway.1)).await?;
    }
    Ok(())
}

async fn host(slot: Slot) -> Result<()> {
    let (router, link) = (slot.router(), slot.router());
    if !has_link(None, &link).await {
        tool::ip(&format!("link add {link} type veth peer name host netns {router}")).await?;
    }
    let (host, services) = (slot.host(), slot.services());
    address(&format!("-n {router}"), "host", services).await?;
    tool::ip(&format!("-n {router} route replace default via {}", host.0)).await?;
    tool::ip(&format!("addr replace {}/30 dev {link}", host.0)).await?;
    tool::ip(&format!("link set {link} up")).await?;
    let via = format!("via {} dev {link} src {}", services.0, host.0);
    tool::ip(&format!("route replace {} {via}", slot.machines4())).await?;
    tool::ip(&format!("route replace {} {via}", slot.links4())).await?;
    if host_has_ipv6() {
        tool::ip(&format!("-6 addr replace {}/64 dev {link} nodad", host.1)).await?;
        let via = format!("via {} dev {link} src {}", services.1, host.1);
        tool::ip(&format!("-6 route replace {} {via}", slot.machines6())).await?;
        tool::ip(&format!("-6 route replace {}/128 {via}", slot.stranger().1)).await?;
    }
    Ok(())
}

async fn address(ip: &str, link: &str, (v4, v6): (std::net::Ipv4Addr, std::net::Ipv6Addr)) -> Result<()> {
    tool::ip(&format!("{ip} addr replace {v4}/30 dev {link}")).await?;
    if kernel_has_ipv6() {
        tool::ip(&format!("{ip} -6 addr replace {v6}/64 dev {link} nodad")).await?;
    }
    tool::ip(&format!("{ip} link set {link} up")).await.map(drop)
}

/// Makes a namespace, if it is not there.
pub(super) async fn make_namespace(name: &str) -> Result<()> {
    if !Path::new("/run/netns").join(name).exists() {
        tool::ip(&format!("netns add {name}")).await?;
    }
    tool::ip(&format!("-n {name} link set lo up")).await.map(drop)
}

/// Removes a namespace, if it is there.
pub(super) async fn remove_namespace(name: &str) -> Result<()> {
    if Path::new("/run/netns").join(name).exists() {
        tool::ip(&format!("netns delete {name}")).await?;
    }
    Ok(())
}

async fn has_link(namespace: Option<&str>, link: &str) -> bool {
    let within = namespace.map(|name| format!("-n {name} ")).unwrap_or_default();
    tool::ip(&format!("{within}link show dev {link}")).await.is_ok()
}

/// Removes one end of a link, and so the other.
pub(super) async fn remove_link(namespace: Option<&str>, link: &str) -> Result<()> {
    let within = namespace.map(|name| format!("-n {name} ")).unwrap_or_default();
    match tool::ip(&format!("{within}link delete {link}")).await {
        // the kernel may be taking it away itself, with its other end
        Err(error) if has_link(namespace, link).await => Err(error),
        _ => Ok(()),
    }
}

/// The named network namespaces of the host.
pub(super) fn namespaces() -> Result<Vec<String>> {
    let Ok(entries) = std::fs::read_dir("/run/netns") else {
        return Ok(Vec::new());
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect::<std::io::Result<_>>().context("cannot list /run/netns")
}
