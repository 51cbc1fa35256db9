//! Drift: where state, cloud and hosts differ, what is to be seen of it, and what mends it.

use crate::model::name::InstanceName;
use crate::model::observed::HostState;
use crate::model::price::Price;

/// One difference, and whose.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The instance's name, or `fleet`.
    pub subject: String,
    /// What differs.
    pub drift: Drift,
    /// What it costs in a month, where it costs something.
    pub month: Option<Price>,
}

/// A kind of drift, with what is to be seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// A server with the fleet's label that belongs to no instance.
    OrphanServer(Seen),
    /// A server with an instance's label that is not the instance's.
    SecondServer(Seen),
    /// An instance that was not brought to its end.
    HalfWay(String),
    /// An instance whose removal was not brought to its end.
    HalfRemoved,
    /// The recorded server is not there.
    MissingServer(u64),
    /// The server is switched off.
    ServerOff(u64),
    /// The server shows the host key that was injected at its birth.
    InjectedHostKey(u64),
    /// The server has made another host key in place of its own, and was not seen to show it.
    NextHostKey(u64),
    /// The server is to let in other keys: so many more, and so many no more.
    Keys(u64, usize, usize),
    /// The server's labels are not what they should be; these.
    WrongLabels(u64, Vec<String>),
    /// The fleet's firewall is not before the server.
    Unguarded(u64),
    /// The server is not protected from deletion, and should be.
    Unprotected(u64),
    /// The fleet has no firewall.
    NoFirewall,
    /// The firewall lets others in than it should.
    FirewallRules(u64),
    /// Another firewall with the fleet's label.
    SecondFirewall(u64),
    /// A firewall, while there is no instance.
    OrphanFirewall(u64),
    /// The project does not know the fleet's key.
    NoSshKey,
    /// A key with the fleet's label that is not the fleet's key, or one while there is no instance.
    OrphanSshKey(u64),
    /// The instance's name does not point at its server; the zone.
    WrongName(String),
    /// A name with the fleet's label that belongs to no instance; its zone.
    OrphanName(String, String),
    /// An address of the fleet's that no server has.
    OrphanAddress(u64, String),
    /// A snapshot with the fleet's label.
    OrphanSnapshot(u64, String),
    /// The host is not as it should be.
    Host(HostState),
    /// The instance cannot be made to serve: what, and what to do.
    Refused(String, String),
}

/// A server as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: u64,
    /// Its type.
    pub server_type: String,
    /// Where it stands.
    pub location: String,
    /// Whether somebody has protected it from deletion.
    pub protected: bool,
}

/// What mends a drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// This is done.
    Done(&'static str),
    /// It is only reported: what a person can do.
    Advice(String),
}

impl Drift {
    /// The kind, in few words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::OrphanServer(_) => "orphan server",
            Self::SecondServer(_) => "second server",
            Self::HalfWay(_) => "half-way",
            Self::HalfRemoved => "half removed",
            Self::MissingServer(_) => "missing server",
            Self::ServerOff(_) => "server off",
            Self::InjectedHostKey(_) => "injected host key",
            Self::NextHostKey(_) => "unfinished host key",
            Self::Keys(..) => "operator keys",
            Self::WrongLabels(..) => "wrong labels",
            Self::Unguarded(_) => "no firewall applied",
            Self::Unprotected(_) => "not protected",
            Self::NoFirewall => "missing firewall",
            Self::FirewallRules(_) => "changed firewall",
            Self::SecondFirewall(_) => "second firewall",
            Self::OrphanFirewall(_) => "orphan firewall",
            Self::NoSshKey => "missing SSH key",
            Self::OrphanSshKey(_) => "orphan SSH key",
            Self::WrongName(_) => "wrong DNS name",
            Self::OrphanName(..) => "orphan DNS name",
            Self::OrphanAddress(..) => "orphan address",
            Self::OrphanSnapshot(..) => "orphan snapshot",
            Self::Host(HostState::OtherKey(_)) => "other host key",
            Self::Host(HostState::Unreachable(_)) => "unreachable",
            Self::Host(HostState::SetUpFor(_) | HostState::Runs(_)) => "other release",
            Self::Host(HostState::Certificate(_)) => "certificate",
            Self::Host(HostState::Fails(_) | HostState::Serves) => "not serving",
            Self::Refused(..) => "cannot be made",
        }
    }

    /// What was found.
    pub fn found(&self) -> String {
        match self {
            Self::OrphanServer(seen) | Self::SecondServer(seen) => {
                format!("server {} ({}, {})", seen.id, seen.server_type, seen.location)
            }
            Self::HalfWay(stage) => stage.clone(),
            Self::HalfRemoved => "destroying".into(),
            Self::MissingServer(id) => format!("server {id} is gone"),
            Self::ServerOff(id) => format!("server {id} is off"),
            Self::InjectedHostKey(id) => format!("server {id} has none of its own"),
            Self::Keys(id, lacking, excess) => {
                format!("server {id}: {lacking} to be let in, {excess} to be let in no more")
            }
            Self::NextHostKey(id) => format!("server {id} has made one to show next"),
            Self::WrongLabels(id, keys) => format!("server {id}: {}", keys.join(", ")),
            Self::Unguarded(id) => format!("server {id} is open"),
            Self::Unprotected(id) => format!("server {id} may be deleted"),
            Self::NoFirewall | Self::NoSshKey => "none".into(),
            Self::FirewallRules(id) => format!("firewall {id} has other rules"),
            Self::SecondFirewall(id) | Self::OrphanFirewall(id) => format!("firewall {id}"),
            Self::OrphanSshKey(id) => format!("key {id}"),
            Self::WrongName(zone) => format!("in {zone}"),
            Self::OrphanName(name, zone) => format!("{name}.{zone}"),
            Self::OrphanAddress(id, ip) => format!("address {id} ({ip})"),
            Self::OrphanSnapshot(id, text) if text.is_empty() => format!("snapshot {id}"),
            Self::OrphanSnapshot(id, text) => format!("snapshot {id} ({text})"),
            Self::Host(state) => match state {
                HostState::OtherKey(what)
                | HostState::Unreachable(what)
                | HostState::SetUpFor(what)
                | HostState::Runs(what)
                | HostState::Certificate(what)
                | HostState::Fails(what) => what.clone(),
                HostState::Serves => "serves".into(),
            },
            Self::Refused(what, _) => what.clone(),
        }
    }

    /// What mends it.
    pub fn repair(&self, subject: &str) -> Repair {
        let done = Repair::Done;
        match self {
            Self::OrphanServer(seen) | Self::SecondServer(seen) if seen.protected => Repair::Advice(
                "none: it is protected from deletion; take that off in the Console, if nobody needs it"
                    .into(),
            ),
            Self::OrphanServer(_) | Self::SecondServer(_) => done("delete it"),
            Self::HalfWay(_) => done("finish it"),
            Self::HalfRemoved => done("remove it"),
            Self::MissingServer(_) => done("create it anew"),
            Self::ServerOff(_) => done("switch it on"),
            Self::InjectedHostKey(_) => done("let it make one"),
            Self::NextHostKey(_) => done("let it show that"),
            Self::Keys(..) => done("bring and take them"),
            Self::WrongLabels(..) | Self::FirewallRules(_) => done("set them"),
            Self::Unguarded(_) => done("apply the firewall"),
            Self::Unprotected(_) => done("protect it"),
            Self::NoFirewall => done("create it"),
            Self::NoSshKey => done("make it known"),
            Self::WrongName(_) => done("point it at the server"),
            Self::SecondFirewall(_)
            | Self::OrphanFirewall(_)
            | Self::OrphanSshKey(_)
            | Self::OrphanName(..)
            | Self::OrphanAddress(..)
            | Self::OrphanSnapshot(..) => done("delete it"),
            Self::Host(HostState::OtherKey(_)) => Repair::Advice(format!(
                "none: if it was rebuilt, `clawberth destroy {subject}` and deploy it anew; else somebody is between you and it"
            )),
            Self::Host(HostState::Unreachable(_)) => Repair::Advice(format!(
                "none: come from an admin network; `clawberth ssh {subject}` tries it"
            )),
            Self::Host(HostState::SetUpFor(_)) => done("end its update"),
            Self::Host(
                HostState::Runs(_) | HostState::Certificate(_) | HostState::Fails(_) | HostState::Serves,
            ) => done("run its set-up again"),
            Self::Refused(_, hint) => Repair::Advice(format!("none: {hint}")),
        }
    }
}

impl Finding {
    /// A difference of an instance.
    pub fn of(name: &InstanceName, drift: Drift) -> Self {
        Self { subject: name.to_string(), drift, month: None }
    }

    /// A difference of the fleet as a whole.
    pub fn of_fleet(drift: Drift) -> Self {
        Self { subject: "fleet".into(), drift, month: None }
    }

    /// The same with what it costs.
    #[must_use]
    pub fn costing(mut self, month: Option<Price>) -> Self {
        self.month = month;
        self
    }

    /// Whether it is only reported.
    pub fn stays(&self) -> bool {
        matches!(self.drift.repair(&self.subject), Repair::Advice(_))
    }
}

impl Repair {
    /// The repair in words.
    pub fn words(&self) -> &str {
        match self {
            Self::Done(what) => what,
            Self::Advice(what) => what,
        }
    }
}
