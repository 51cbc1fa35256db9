//! How a rollout goes about its hosts.

use std::num::NonZeroU32;

use crate::model::rollout::{Bake, Budget, OnFailure, Settings, Waves, Window};

/// How a rollout goes about its hosts.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "How it goes")]
pub(in crate::cli) struct How {
    /// How many instances each wave has; the last one repeats [1,100%; from 10 instances on 1,5,25%,100%]
    #[arg(long, value_name = "SIZES")]
    waves: Option<Waves>,
    /// How long each instance, and then each wave, has to be good [60s]
    #[arg(long, value_name = "TIME")]
    bake: Option<Bake>,
    /// How many instances are changed at the same time at most; the budget bounds them, too [10]
    #[arg(long, value_name = "N")]
    max_parallel: Option<NonZeroU32>,
    /// How many instances may fail, those that are being changed among them [2%, at least 1]
    #[arg(long, value_name = "N|P%")]
    budget: Option<Budget>,
    /// When so many failed: stop, revert-wave or revert-all [stop]
    #[arg(long, value_name = "WHAT")]
    on_failure: Option<OnFailure>,
    /// Begin with an instance only at these times, like "Tue 03:00-05:00" (UTC)
    #[arg(long, value_name = "TIMES")]
    window: Option<Window>,
    /// What becomes of instances that do not serve before it begins: skip them, or count them as failed
    #[arg(long, value_name = "WHAT", default_value = "skip")]
    pub(super) unreachable: Unreachable,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
}

/// What becomes of instances that do not serve before anything begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Unreachable {
    Skip,
    Count,
}

impl How {
    /// For so many instances.
    pub(super) fn settings(&self, hosts: usize) -> Settings {
        let usual = Settings::of_a_fleet(hosts);
        Settings {
            waves: self.waves.clone().unwrap_or(usual.waves),
            bake: self.bake.unwrap_or(usual.bake),
            max_parallel: self.max_parallel.unwrap_or(usual.max_parallel),
            budget: self.budget.unwrap_or(usual.budget),
            on_failure: self.on_failure.unwrap_or(usual.on_failure),
            window: self.window.clone().or(usual.window),
        }
    }
}
