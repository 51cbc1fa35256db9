//! The templates, and the one way from a template and a context to text.

use anyhow::{Context as _, Result};
use handlebars::{
    Context as Data, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason,
};
use serde::Serialize;

/// A template's name, for errors, and its text.
macro_rules! source {
    ($path:literal) => {
        ($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)))
    };
}

/// What more than one script has: `{{> tools}}`.
const PARTIALS: [(&str, &str); 5] = [
    ("forget", source!("templates/forget.sh").1),
    ("gateway", source!("templates/gateway.sh.hbs").1),
    ("node", source!("templates/node.sh.hbs").1),
    ("package", source!("templates/package.sh.hbs").1),
    ("tools", source!("templates/tools.sh.hbs").1),
];

/// A template that was compiled in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Template {
    UserData,
    AdminNetworks,
    AptConf,
    AptPreference,
    AuditPage,
    Caddyfile,
    CaddyUnit,
    DashboardSite,
    DashboardTls,
    EgressGateway,
    EgressPackages,
    EgressPrepare,
    EgressProxy,
    EgressRules,
    EgressUnit,
    Journal,
    Nftables,
    OpenClawCommand,
    OpenClawConfig,
    OpenClawEnvironment,
    OpenClawUnit,
    Policy,
    RehearsalEnvironment,
    RehearsalUnit,
    Release,
    RevertTimer,
    RevertUnit,
    SandboxCommand,
    SandboxContainers,
    SandboxFilesUnit,
    SandboxGateway,
    SandboxIds,
    SandboxPackages,
    SandboxPrepare,
    SandboxProve,
    SandboxRun,
    SandboxUnit,
    Setup,
    Sshd,
    StillUnit,
    Update,
}

impl Template {
    /// Path, mode and template of each file on a server.
    pub(super) const FILES: [(&str, &str, Self); 14] = [
        ("/etc/apt/apt.conf.d/52clawberth", "0644", Self::AptConf),
        ("/etc/apt/preferences.d/caddy", "0644", Self::AptPreference),
        ("/etc/clawberth/admin.nft", "0644", Self::AdminNetworks),
        ("/etc/clawberth/openclaw.env", "0644", Self::OpenClawEnvironment),
        ("/etc/clawberth/release.json", "0644", Self::Release),
        ("/etc/nftables.conf", "0755", Self::Nftables),
        ("/etc/ssh/sshd_config.d/10-clawberth.conf", "0644", Self::Sshd),
        ("/etc/systemd/journald.conf.d/clawberth.conf", "0644", Self::Journal),
        ("/etc/systemd/system/caddy.service.d/clawberth.conf", "0644", Self::CaddyUnit),
        ("/etc/systemd/system/openclaw.service", "0644", Self::OpenClawUnit),
        ("/usr/local/bin/openclaw", "0755", Self::OpenClawCommand),
        ("/usr/local/lib/clawberth/Caddyfile", "0644", Self::Caddyfile),
        ("/usr/local/lib/clawberth/openclaw.json", "0644", Self::OpenClawConfig),
        ("/usr/local/lib/clawberth/setup", "0755", Self::Setup),
    ];

    /// The same of each file of an update.
    pub(super) const UPDATE: [(&str, &str, Self); 7] = [
        ("/etc/systemd/system/clawberth-revert.service", "0644", Self::RevertUnit),
        ("/etc/systemd/system/clawberth-revert.timer", "0644", Self::RevertTimer),
        ("/etc/systemd/system/openclaw.service.d/clawberth-update.conf", "0644", Self::StillUnit),
        ("/usr/local/lib/clawberth/next-release.json", "0644", Self::Release),
        ("/usr/local/lib/clawberth/rehearsal.conf", "0644", Self::RehearsalUnit),
        ("/usr/local/lib/clawberth/rehearsal.env", "0644", Self::RehearsalEnvironment),
        ("/usr/local/lib/clawberth/update", "0755", Self::Update),
    ];

    /// Its name, for errors, and its text.
    fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::UserData => source!("cloud-init/user-data.yaml.hbs"),
            Self::AdminNetworks => source!("templates/admin.nft.hbs"),
            Self::AptConf => source!("templates/apt.conf.hbs"),
            Self::AptPreference => source!("templates/apt-preference.hbs"),
            Self::AuditPage => source!("templates/audit.html.hbs"),
            Self::Caddyfile => source!("templates/Caddyfile.hbs"),
            Self::CaddyUnit => source!("templates/caddy.service.hbs"),
            Self::DashboardSite => source!("templates/policy/dashboard.site.hbs"),
            Self::DashboardTls => source!("templates/policy/dashboard.tls"),
            Self::EgressGateway => source!("templates/policy/egress-openclaw.conf"),
            Self::EgressPackages => source!("templates/policy/egress-packages"),
            Self::EgressPrepare => source!("templates/policy/egress-prepare"),
            Self::EgressProxy => source!("templates/policy/egress.conf"),
            Self::EgressRules => source!("templates/policy/egress.nft"),
            Self::EgressUnit => source!("templates/policy/clawberth-egress.service"),
            Self::Journal => source!("templates/journald.conf.hbs"),
            Self::Nftables => source!("templates/nftables.conf.hbs"),
            Self::OpenClawCommand => source!("templates/openclaw.sh.hbs"),
            Self::OpenClawConfig => source!("templates/openclaw.json.hbs"),
            Self::OpenClawEnvironment => source!("templates/openclaw.env.hbs"),
            Self::OpenClawUnit => source!("templates/openclaw.service.hbs"),
            Self::Policy => source!("templates/policy.sh.hbs"),
            Self::RehearsalEnvironment => source!("templates/rehearsal.env.hbs"),
            Self::RehearsalUnit => source!("templates/rehearsal.conf.hbs"),
            Self::Release => source!("templates/release.json.hbs"),
            Self::RevertTimer => source!("templates/revert.timer.hbs"),
            Self::RevertUnit => source!("templates/revert.service.hbs"),
            Self::SandboxCommand => source!("templates/policy/sandbox"),
            Self::SandboxContainers => source!("templates/policy/sandbox-containers.conf"),
            Self::SandboxFilesUnit => source!("templates/policy/openclaw-sandbox-files.service"),
            Self::SandboxGateway => source!("templates/policy/sandbox-openclaw.conf"),
            Self::SandboxIds => source!("templates/policy/sandbox.subid"),
            Self::SandboxPackages => source!("templates/policy/sandbox-packages"),
            Self::SandboxPrepare => source!("templates/policy/sandbox-prepare.hbs"),
            Self::SandboxProve => source!("templates/policy/sandbox-prove.hbs"),
            Self::SandboxRun => source!("templates/policy/sandbox-run.hbs"),
            Self::SandboxUnit => source!("templates/policy/openclaw-sandbox.service"),
            Self::Setup => source!("templates/setup.sh.hbs"),
            Self::Sshd => source!("templates/sshd.conf.hbs"),
            Self::StillUnit => source!("templates/still.conf.hbs"),
            Self::Update => source!("templates/update.sh.hbs"),
        }
    }
}

/// Renders strictly (an unknown name is an error) and without escaping: what is no HTML.
pub(super) fn render(template: Template, context: &impl Serialize) -> Result<String> {
    fill(template, context, handlebars::no_escape)
}

/// Renders a page, strictly: every text in it is escaped for HTML.
pub(super) fn page(template: Template, context: &impl Serialize) -> Result<String> {
    fill(template, context, handlebars::html_escape)
}

fn fill(template: Template, context: &impl Serialize, escape: fn(&str) -> String) -> Result<String> {
    let (name, text) = template.source();
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(escape);
    handlebars.register_helper("indent", Box::new(indent));
    for (name, text) in PARTIALS {
        handlebars.register_partial(name, text).with_context(|| format!("reading the partial {name}"))?;
    }
    handlebars.render_template(text, context).with_context(|| format!("rendering {name}"))
}

/// `{{indent 6 text}}`: the text as the body of a YAML block scalar, each line but empty ones moved to the right.
fn indent(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Data,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let missing = |index| RenderErrorReason::ParamNotFoundForIndex("indent", index);
    let width = helper.param(0).and_then(|param| param.value().as_u64()).ok_or_else(|| missing(0))?;
    let text = helper.param(1).and_then(|param| param.value().as_str()).ok_or_else(|| missing(1))?;
    let margin = " ".repeat(usize::try_from(width).unwrap_or_default());
    for (number, line) in text.trim_end().lines().enumerate() {
        let (margin, end) = (if line.is_empty() { "" } else { &margin }, if number == 0 { "" } else { "\n" });
        out.write(end)?;
        out.write(margin)?;
        out.write(line)?;
    }
    Ok(())
}
