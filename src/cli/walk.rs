//! Work under the eyes of the user, who may stop it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::context::Context;
use super::{Failure, Status};
use crate::apply::{Birth, Finish, Halt, Interrupted, Report, Secrets, Stopper, World};
use crate::config::Settings;
use crate::hcloud::Client;
use crate::ssh::{Command, KeyRing};
use crate::store::{Lease, Store};
use crate::ui::Ui;

/// The state for writing, and what of it is ours to change.
pub(super) struct Hold {
    pub(super) store: Store,
    pub(super) keys: KeyRing,
    pub(super) leases: BTreeMap<String, Lease>,
    pub(super) secrets: Secrets,
}

/// Has work done while the user sees what happens; the first ^C stops between steps, the second at once (nothing is lost by
/// that either: every intent is in the state).
pub(super) async fn watched<T>(
    subjects: &[String],
    hold: Hold,
    client: &Client,
    settings: &Settings,
    context: &mut Context,
    work: impl AsyncFnOnce(&World) -> T,
) -> T {
    let Hold { store, keys, leases, secrets } = hold;
    let (events, seen) = mpsc::unbounded_channel();
    let (stopper, stop) = Stopper::new();
    // from here on a ^C is heard, also before the listener runs for the first time
    let interrupts = signal(SignalKind::interrupt());
    let listener = tokio::spawn(listen(interrupts, stopper));
    let world = World {
        store,
        leases: Arc::new(leases),
        cloud: client.clone(),
        keys,
        birth: Birth {
            admin: settings.admin_networks.clone(),
            acme_directory: settings.acme_directory.clone(),
            node_mirror: settings.node_mirror.clone(),
        },
        secrets,
        acme_root: settings.acme_root.clone(),
        clock: context.clock,
        entropy: context.entropy.clone(),
        events,
        stop,
        halt: Halt::new(context.env.get("CLAWBERTH_STOP_AT")),
        shared: Arc::default(),
        going: Arc::default(),
        off: Arc::default(),
    };
    let worked = async move {
        let result = work(&world).await;
        drop(world);
        result
    };
    let (result, ()) = tokio::join!(worked, context.ui.watch(subjects, seen));
    listener.abort();
    result
}

async fn listen(interrupts: std::io::Result<Signal>, stopper: Stopper) {
    // where no handler can be set, ^C kills, which is safe, too
    let Ok(mut interrupts) = interrupts else { return };
    interrupts.recv().await;
    stopper.stop();
    if interrupts.recv().await.is_some() {
        #[expect(
            clippy::exit,
            reason = "the second ^C means now; the state is safe against a kill at any point"
        )]
        std::process::exit(130);
    }
}

/// Tells about what went wrong, and how to go on; the exit status.
pub(super) fn conclude(report: Report, context: &mut Context) -> Status {
    let Context { typed: again, ui, .. } = context;
    let mut status = Status::Success;
    for Finish { instance, result, .. } in report.instances {
        let Err(error) = result else { continue };
        if error.is::<Interrupted>() {
            continue;
        }
        complain(
            error.context(format!("{} is not done, but {}", instance.name, instance.stage.word())),
            again,
            ui,
        );
        status = Status::Failed;
    }
    if report.interrupted {
        ui.complain(&format!("stopped; everything so far is written down\nhint: run `{again}` to go on"));
        return Status::Interrupted;
    }
    if let Some(error) = report.fleet {
        complain(error, again, ui);
        status = Status::Failed;
    }
    status
}

/// Tells about an error, and how to go on.
pub(super) fn complain(error: anyhow::Error, again: &Command, ui: &mut Ui) {
    let mut failure = Failure::from(error);
    failure.hint = super::error::hint(&failure.error).or_else(|| Some(format!("run `{again}` to go on")));
    ui.complain(&failure.lines());
}
