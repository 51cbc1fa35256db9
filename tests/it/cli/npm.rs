//! An npm registry and a Node mirror, played on loopback.

use tokio::runtime::Runtime;

use super::environment::Environment;

/// Serves until it is dropped.
pub(super) struct Npm {
    _runtime: Runtime,
}

impl Npm {
    /// Makes both the ones that this operator's npm and configuration name.
    pub(super) fn of(environment: &mut Environment) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = runtime.block_on(crate::registry::serve());
        environment.set("npm_config_registry", &format!("{url}/npm"));
        environment.set("CLAWBERTH_NODE_MIRROR", &format!("{url}/dist"));
        environment.name(&url, "$NPM");
        Self { _runtime: runtime }
    }
}
