//! `clawberth deploy`

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom as _;
use serde_json::json;

use super::change::{Change, Changed, change};
use super::context::Context;
use super::fleet::{Fleet, cloud, look_unless_new, offer};
use super::{Failure, Status, record, secrets, walk};
use crate::apply::Report;
use crate::clock::human;
use crate::config::{Flags, Settings};
use crate::hcloud::Client;
use crate::model::authority::Authority;
use crate::model::fleet::OpId;
use crate::model::instance::{Instance, InstanceSpec, Stage};
use crate::model::name::InstanceName;
use crate::model::observed::Observed;
use crate::model::policy::Policies;
use crate::model::refusal::Refusal;
use crate::model::release::{Invalid, Release};
use crate::observe;
use crate::plan::policy::{brought, govern};
use crate::plan::{LIMITS, Later, Plan, Wish, claims, minute, provision};
use crate::registry::{self, Catalogue, Sources, Wanted};
use crate::ui::{counted, table};

/// Give each NAME a server that runs the gateway, or go on where an earlier deploy stopped
#[derive(Debug, clap::Args)]
pub(super) struct Deploy {
    /// Names of the instances: a-z, 0-9 and -, at most 40 characters
    #[arg(required = true, value_name = "NAME")]
    names: Vec<InstanceName>,
    /// Where the servers may stand; several by repetition, tried in order
    #[arg(long, value_name = "LOCATION")]
    location: Vec<String>,
    /// The server type
    #[arg(long = "type", value_name = "TYPE")]
    server_type: Option<String>,
    /// The OpenClaw release: an exact version, or "latest" of the npm registry
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Give each instance the name NAME.DOMAIN in this zone of the project
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Show what would be done, and what it costs, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Deploy {
    pub(super) async fn run(self, flags: Flags, context: &mut Context) -> Result<Status, Failure> {
        each_once(&self.names)?;
        if let Some(standby) = self.names.iter().find(|name| name.is_standby()) {
            return Err(of_the_pool(standby).into());
        }
        let flags = Flags {
            locations: self.location.clone(),
            server_type: self.server_type.clone(),
            version: self.version.clone(),
            domain: self.domain.clone(),
            ..flags
        };
        let settings = Settings::load(&flags, &context.env, &context.cwd)?;
        settings.admin_networks()?;
        let client = cloud(&settings, context)?;
        let asked = Asked {
            server_type: self.server_type.as_deref(),
            version: self.version.as_deref(),
            location: &self.location,
            domain: self.domain.is_some(),
            settings: &settings,
            client: &client,
            id: OnceCell::new(),
        };
        let command = Wished { deploy: &self, asked };
        if self.dry_run {
            let fleet = Fleet::find(&settings, context).await?;
            fleet.own()?;
            let plan = command.plan(&fleet, false, context).await?;
            context.ui.answer_plan(&plan)?;
            return Ok(Status::Success);
        }
        match change(&command, &client, &settings, context).await? {
            Changed::Nothing(plan) => {
                context.ui.note("nothing to do");
                done(Report::default(), &plan, context)
            }
            Changed::Declined => Ok(Status::Failed),
            Changed::Walked(plan, report) => done(report, &plan, context),
        }
    }
}

/// What is asked for on the command line, beside the names, and what it is to go by.
pub(super) struct Asked<'a> {
    /// The server type.
    pub(super) server_type: Option<&'a str>,
    /// The release.
    pub(super) version: Option<&'a str>,
    /// The locations.
    pub(super) location: &'a [String],
    /// Whether a domain is.
    pub(super) domain: bool,
    pub(super) settings: &'a Settings,
    pub(super) client: &'a Client,
    /// By which servers know the policies that it brings.
    pub(super) id: OnceCell<OpId>,
}

impl Asked<'_> {
    /// How all of these come to serve.
    pub(super) async fn plan(
        &self,
        names: &[InstanceName],
        fleet: &Fleet,
        context: &mut Context,
    ) -> Result<Plan, Failure> {
        let Self { settings, client, id, .. } = self;
        let domains = fleet.instances.iter().filter_map(|instance| instance.spec.domain.clone());
        let zones: BTreeSet<String> = domains.chain(settings.domain.clone()).collect();
        let mut seen = look_unless_new(client, fleet, &zones).await?;
        let instances = self.instances(names, fleet, &seen, context).await?;
        seen.healthy = observe::healthy(&instances, settings.acme_root.as_deref()).await;
        let claims = self.claims(&instances, &seen, fleet, context).await?;
        let has_server =
            |one: &Instance| seen.servers.contains_key(&one.name) || claims.contains_key(&one.name);
        if !instances.iter().all(has_server) {
            let locations = instances.iter().flat_map(|instance| &instance.spec.locations);
            seen.offer = Some(offer(client, fleet, locations, context).await?);
        }
        let (authority, now) = (Authority::of(&settings.acme_directory), context.clock.timestamp());
        let budgets = match authority {
            Authority::LetsEncrypt => Some((fleet.budgets(&zones).await?, now)),
            Authority::Staging | Authority::Other => None,
        };
        let others = fleet.instances.iter().filter(|known| !names.contains(&known.name));
        let wish = Wish {
            instances,
            claims,
            others: others.cloned().collect(),
            admin: settings.admin_networks()?,
            keys: &fleet.keys,
            named_locations: &settings.named_locations,
            authority,
            budgets,
            protect_before: settings.protect_before(context.clock.timestamp()),
        };
        let mut plan = provision(wish, &seen)?;
        if settings.policies != Policies::default() {
            let id = id.get_or_init(|| OpId::from_bytes(context.entropy.id()));
            govern(&mut plan, names, &settings.policies, id);
        }
        Ok(plan)
    }

    /// Which standbys become whose: of those that serve now, and that nobody else is at work on.
    async fn claims(
        &self,
        instances: &[Instance],
        seen: &Observed,
        fleet: &Fleet,
        context: &Context,
    ) -> Result<BTreeMap<InstanceName, Instance>, Failure> {
        if !fleet.instances.iter().any(|one| one.name.is_standby()) {
            return Ok(BTreeMap::new());
        }
        let (busy, unclear) = (fleet.busy().await?, fleet.interrupted(context).await?);
        // a create that was cut off may have made a server that no list shows yet
        let may_claim = |one: &&Instance| !one.name.is_standby() && !unclear.contains_key(&one.name);
        let wished: Vec<Instance> = instances.iter().filter(may_claim).cloned().collect();
        let is_free = |one: &&Instance| one.name.is_standby() && !busy.contains(&one.name);
        let mut standbys: Vec<Instance> = fleet.instances.iter().filter(is_free).cloned().collect();
        // so that of many who want one at the same time each begins with another
        context.entropy.with(|rng| standbys.shuffle(rng));
        loop {
            let claims = claims(&wished, &standbys, seen);
            let chosen: Vec<Instance> = claims.values().cloned().collect();
            // the rest is seen when it is theirs
            let ready = observe::ready(&chosen, self.settings.acme_root.as_deref()).await;
            if ready.len() == chosen.len() {
                return Ok(claims);
            }
            let is_out = |one: &Instance| chosen.contains(one) && !ready.contains(&one.name);
            standbys.retain(|one| !is_out(one));
        }
    }

    /// The instances as the state knows them, or new. While there is no server, the wish may change; from then on the
    /// record holds, also if the create was interrupted before its answer.
    async fn instances(
        &self,
        names: &[InstanceName],
        fleet: &Fleet,
        seen: &Observed,
        context: &Context,
    ) -> Result<Vec<Instance>, Failure> {
        let settings = self.settings;
        let mut release: Option<Release> = None;
        let mut instances = Vec::new();
        for name in names {
            let known = fleet.instances.iter().find(|instance| instance.name == *name);
            if let Some(known) = known
                && (known.stage != Stage::Planned || seen.servers.contains_key(name))
            {
                self.agrees_with(known)?;
                instances.push(known.clone());
                continue;
            }
            let release = match &release {
                Some(release) => release.clone(),
                None => release.insert(choose(settings, context).await?).clone(),
            };
            let created = known.map_or_else(|| context.clock.now(), |known| known.created.clone());
            let spec = spec(settings, release);
            instances.push(Instance { name: name.clone(), spec, stage: Stage::Planned, created });
        }
        Ok(instances)
    }

    /// What is asked for must not differ from what is there: changing it is another command's work.
    fn agrees_with(&self, known: &Instance) -> Result<(), Refusal> {
        let spec = &known.spec;
        // what was the latest when it was created is what `latest` asked for then
        let version = self.version.filter(|version| *version != "latest");
        let domain = self.settings.domain.as_deref().filter(|_| self.domain);
        let asked = [
            ("--type", self.server_type, spec.server_type.clone()),
            ("--version", version, spec.release.openclaw.to_string()),
            ("--domain", domain, spec.domain.clone().unwrap_or_else(|| "none".to_owned())),
        ];
        for (flag, wanted, is) in asked {
            if let Some(wanted) = wanted
                && wanted != is
            {
                return Err(differs(known, flag, &is, wanted));
            }
        }
        match known.stage.server() {
            Some(server) if !self.location.is_empty() && !self.location.contains(&server.location) => {
                Err(differs(known, "--location", &server.location, &self.location.join(", ")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// A deploy with what it is to go by.
struct Wished<'a> {
    deploy: &'a Deploy,
    asked: Asked<'a>,
}

impl Change for Wished<'_> {
    async fn plan(&self, fleet: &Fleet, _again: bool, context: &mut Context) -> Result<Plan, Failure> {
        self.asked.plan(&self.deploy.names, fleet, context).await
    }

    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        if !self.deploy.yes && plan.creates() > 0 && !agreed(plan, context)? {
            return Ok(false);
        }
        // before a server is created for which they would be missing in the end
        context.secrets = secrets::read(brought(plan), self.asked.settings, context).await?;
        Ok(true)
    }
}

/// Names of standbys are made up by the program, and nobody's.
fn of_the_pool(name: &InstanceName) -> Refusal {
    Refusal::new(
        format!("{name} would be a standby of the pool"),
        "choose another name; `clawberth pool fill` makes standbys",
    )
}

fn differs(known: &Instance, flag: &str, is: &str, wanted: &str) -> Refusal {
    let name = &known.name;
    let hint = format!("leave {flag} out to keep it, or `clawberth destroy {name}` and deploy it anew");
    Refusal::new(format!("{name} exists already, with {flag} {is}, not {wanted}"), hint)
}

pub(super) fn each_once(names: &[InstanceName]) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(Refusal::new(format!("{twice} is named twice"), "name each instance once")),
        None => Ok(()),
    }
}

/// The release that new instances get.
pub(super) async fn choose(settings: &Settings, context: &Context) -> Result<Release, Failure> {
    let catalogue = Catalogue::built_in()?;
    let wanted = match settings.version.as_deref() {
        None => Wanted::Tested,
        Some(text) => text.parse().map_err(|why| unknown_version(text, &why, &catalogue))?,
    };
    let http = context.http()?;
    let node_mirror = &settings.node_mirror;
    let sources = Sources { catalogue: &catalogue, http: &http, env: context.env.all(), node_mirror };
    Ok(registry::resolve(wanted, &sources).await?)
}

fn unknown_version(text: &str, why: &Invalid, catalogue: &Catalogue) -> Refusal {
    let near: Vec<String> = catalogue.near(text).iter().map(ToString::to_string).collect();
    let hint = match near.as_slice() {
        [] => format!("write it like {}, or `latest`", catalogue.newest().openclaw),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Refusal::new(format!("unknown OpenClaw version {text:?}"), hint).because(why)
}

pub(super) fn spec(settings: &Settings, release: Release) -> InstanceSpec {
    InstanceSpec {
        server_type: settings.server_type.clone(),
        locations: settings.locations.clone(),
        image: settings.image.clone(),
        release,
        domain: settings.domain.clone(),
        enacted: None,
    }
}

fn agreed(plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
    let servers = counted(plan.creates(), "server");
    let hint = "say --yes, or --dry-run to see the plan only";
    context.agreed(&format!("create {servers}?"), "create servers", hint)
}

/// The answer: where each gateway is, how long it took, and what to type next.
fn done(report: Report, plan: &Plan, context: &mut Context) -> Result<Status, Failure> {
    let finished: Vec<(Instance, Option<std::time::Duration>)> = if report.instances.is_empty() {
        plan.instances.iter().map(|part| (part.instance.clone(), None)).collect()
    } else {
        report.instances.iter().map(|f| (f.instance.clone(), (!f.idle).then_some(f.elapsed))).collect()
    };
    let first = finished.iter().find(|(instance, _)| matches!(instance.stage, Stage::Serving(_)));
    let first = first.map(|(instance, _)| instance.name.clone());
    if context.ui.style().json {
        let instances: Vec<_> = finished.iter().map(|(instance, _)| record::json(instance)).collect();
        let later = plan.later.iter().map(|Later { name, until }| json!({ "name": name, "until": until }));
        let later: Vec<_> = later.collect();
        context.ui.json(&json!({ "changed": !plan.is_empty(), "instances": instances, "later": later }))?;
    } else if first.is_some() {
        let serving = finished.iter().filter(|(instance, _)| matches!(instance.stage, Stage::Serving(_)));
        let rows: Vec<Vec<String>> = serving
            .map(|(instance, took)| {
                let url = instance.endpoint().map(|endpoint| endpoint.origin()).unwrap_or_default();
                let time = took.map(|took| format!("ready after {}", human(took))).unwrap_or_default();
                vec![instance.name.to_string(), url, time]
            })
            .collect();
        context.ui.answer(&table(&rows))?;
    }
    let status = later(plan, walk::conclude(report, context), context);
    if let (Status::Success, Some(name)) = (status, first) {
        context.ui.note(&format!("next: `clawberth open {name}` gives the owner's link"));
    }
    Ok(status)
}

/// Tells who has to wait for a certificate, until when, and how to go on then.
fn later(plan: &Plan, status: Status, context: &mut Context) -> Status {
    for Later { name, until } in &plan.later {
        context
            .ui
            .complain(&format!("error: {name} has to wait until {}\ncaused by: {LIMITS}", minute(*until)));
    }
    if plan.later.is_empty() {
        return status;
    }
    context.ui.complain(&format!("hint: run `{}` again then", context.typed));
    if status == Status::Success { Status::Failed } else { status }
}
