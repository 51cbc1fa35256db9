//! The base image: what a server finds on its disk at Hetzner when it boots `debian-13` for the first time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::cache::Cache;
use super::tool;

const SUITE: &str = "trixie";
/// Of what the stock image has, what a deployment rests on.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,cloud-init,nftables,iproute2,ca-certificates,curl,\
                        sudo,netbase,udev,procps";
/// About 40 s with a near mirror.
const BUILD: Duration = Duration::from_secs(15 * 60);
/// cloud-init refuses its Hetzner source inside a container, which has no DMI: the lab serves the same data as
/// `NoCloud`. Root logs in with the project's keys and there is no other user, as in Hetzner's images.
const CLOUD_INIT: &str = "\
datasource_list: [NoCloud]
datasource: {NoCloud: {seedfrom: 'http://169.254.169.254/lab/'}}
network: {config: disabled}
disable_root: false
users: []
";
/// Where Debian keeps roots that its administrator added.
const ROOTS: &str = "usr/local/share/ca-certificates";

/// The image's directory in the cache, built if need be.
pub(super) async fn prepare(cache: &Cache) -> Result<PathBuf> {
    let roots = host_roots()?;
    let mut recipe = format!("1\n{SUITE}\n{PACKAGES}\n{CLOUD_INIT}");
    for (name, text) in &roots {
        recipe.push_str(&format!("{name}\n{text}"));
    }
    cache.entry("debian-13", &recipe, async |dir| build(dir, &roots).await).await
}

async fn build(dir: &Path, roots: &[(String, String)]) -> Result<()> {
    // In the hook /proc and /dev are there, which update-ca-certificates needs.
    let added = dir.with_extension("roots");
    super::cache::remove(&added)?;
    fs::create_dir(&added)?;
    for (name, text) in roots {
        fs::write(added.join(name), text)?;
    }
    let trust = format!(
        "--customize-hook=mkdir -p \"$1/{ROOTS}\" && cp -R '{}/.' \"$1/{ROOTS}\" && chroot \"$1\" update-ca-certificates",
        added.display()
    );
    let include = format!("--include={PACKAGES}");
    // In a mount namespace of its own, so that a build killed half-way leaves no mount.
    let words =
        ["--mount", "--propagation", "private", "mmdebstrap", "--variant=minbase", "--format=directory"];
    let mut arguments: Vec<&str> = words.to_vec();
    let target = dir.to_string_lossy();
    arguments.extend([include.as_str(), trust.as_str(), SUITE, target.as_ref()]);
    tool::run("unshare", arguments, BUILD).await?;
    super::cache::remove(&added)?;
    settle(dir).context("cannot finish the image")
}

/// What differs between an installed system and an image: no identity yet, and where its cloud is.
fn settle(dir: &Path) -> Result<()> {
    fs::write(dir.join("etc/machine-id"), "")?;
    fs::write(dir.join("etc/cloud/cloud.cfg.d/90_lab.cfg"), CLOUD_INIT)?;
    for entry in fs::read_dir(dir.join("etc/ssh"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The roots that this host trusts beyond Debian's, such as that of a proxy which inspects TLS: machines reach the
/// registries through the same proxy.
fn host_roots() -> Result<Vec<(String, String)>> {
    let Ok(entries) = fs::read_dir(Path::new("/").join(ROOTS)) else {
        return Ok(Vec::new());
    };
    let mut roots = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "crt") && path.is_file() {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            roots.push((name, text));
        }
    }
    roots.sort();
    Ok(roots)
}
