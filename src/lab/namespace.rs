//! Sockets in another network namespace, held by this process.

use anyhow::{Context, Result};
use tokio::task::spawn_blocking;

/// Runs `work` on a thread that has moved into the network namespace; sockets made there stay there.
pub(super) async fn inside<T: Send + 'static>(
    namespace: &str,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let name = namespace.to_owned();
    // A thread of its own, because it never comes back from the namespace.
    let thread = std::thread::spawn(move || {
        enter(&name)?;
        work()
    });
    let joined = spawn_blocking(move || thread.join()).await?;
    let result = joined.map_err(|_| anyhow::anyhow!("the thread in namespace {namespace} panicked"))?;
    result.with_context(|| format!("cannot open sockets in namespace {namespace}"))
}

#[cfg(target_os = "linux")]
fn enter(namespace: &str) -> std::io::Result<()> {
    use rustix::fd::AsFd;
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    let file = std::fs::File::open(format!("/run/netns/{namespace}"))?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn enter(_namespace: &str) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
