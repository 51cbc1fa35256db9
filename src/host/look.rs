//! Looks at hosts, from outside and over SSH, and changes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use futures_util::stream::{self, StreamExt as _};

use super::born::{self, Born};
use super::identity::{self, OwnKey};
use super::outside::{Check, Finding, Gate};
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::observed::HostState;
use crate::ssh::{Session, SshError, Target};

/// How many hosts are looked at side by side.
pub const SIDE_BY_SIDE: usize = 128;
/// Longest look at one host.
const LOOK: Duration = Duration::from_secs(40);
/// Longest run of one small remote command.
const COMMAND: Duration = Duration::from_secs(15);

/// What was learnt over SSH: what the host was set up for, where it knows.
pub type Known = Result<Option<Born>, SshError>;

/// Looks at all of them, some side by side.
pub async fn all(hosts: Vec<(Instance, Target)>, roots: Option<&Path>) -> BTreeMap<InstanceName, HostState> {
    let gates = Gate::of_all(hosts.iter().map(|(instance, _)| instance), roots);
    let gates = gates.as_ref().map_err(one_line);
    let looks = hosts.iter().map(|(instance, target)| async {
        let late = || HostState::Unreachable(format!("no answer within {} s", LOOK.as_secs()));
        let gate = gates.as_ref().map(|gates| gates.get(&instance.name));
        let looked = tokio::time::timeout(LOOK, host(instance, target, gate)).await;
        (instance.name.clone(), looked.unwrap_or_else(|_| late()))
    });
    stream::iter(looks).buffer_unordered(SIDE_BY_SIDE).collect().await
}

/// `gate`: none where the instance has no address; or why there are no gates at all.
async fn host(instance: &Instance, target: &Target, gate: Result<Option<&Gate>, &String>) -> HostState {
    let findings = async {
        match gate {
            Ok(Some(gate)) => Ok(gate.check_once().await),
            Ok(None) => Ok(Vec::new()),
            Err(why) => Err(why),
        }
    };
    let (findings, known) = tokio::join!(findings, born(target));
    match findings {
        Ok(findings) => judge(instance, findings, known),
        Err(why) => HostState::Fails(why.clone()),
    }
}

/// The host key that a server has made itself, where that is the one that it shows.
pub async fn own_host_key(target: &Target) -> Result<Option<OwnKey>, SshError> {
    let session = Session::connect(target).await?;
    let output = session.run(&identity::own_host_key(), COMMAND).await;
    let key = output.map(|output| identity::parse_host_key(&output).ok());
    let own = key.map(|own| own.filter(|own| session.was_shown(&own.key)));
    session.close().await;
    own
}

/// What the host says that it was set up for; none where it does not know.
pub async fn born(target: &Target) -> Known {
    let session = Session::connect(target).await?;
    let output = session.run(&born::release(), COMMAND).await;
    session.close().await;
    Ok(born::parse(&output?).ok())
}

/// The worst of what was seen; what is only reported comes first.
fn judge(instance: &Instance, findings: Vec<Finding>, known: Known) -> HostState {
    let born = match known {
        Ok(born) => born,
        Err(SshError::WrongHostKey { shown, pinned, .. }) => {
            return HostState::OtherKey(format!("it shows {shown}, not {pinned}; nobody logged in there"));
        }
        Err(error) => return HostState::Unreachable(error.to_string()),
    };
    let recorded = instance.spec.release.openclaw;
    if let Some(born) = born.filter(|born| born.release.openclaw != recorded) {
        let text = format!("it is set up for OpenClaw {}, not {recorded}", born.release.openclaw);
        return HostState::SetUpFor(text);
    }
    let failed = findings.into_iter().find_map(|(check, found)| Some((check, found.err()?)));
    match failed {
        None => HostState::Serves,
        Some((Check::Certificate, why)) if is_about_tls(&why) => HostState::Certificate(one_line(&why)),
        Some((Check::Version, why)) => HostState::Runs(one_line(&why)),
        Some((check @ (Check::Certificate | Check::Ready | Check::Stranger | Check::Port), why)) => {
            HostState::Fails(format!("{check}: {}", one_line(&why)))
        }
    }
}

/// Whether somebody answers there with a certificate that is wrong or about to end, and not nobody at all.
fn is_about_tls(error: &anyhow::Error) -> bool {
    let refused = error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        let inner = io.and_then(std::io::Error::get_ref);
        cause.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>())
    });
    refused || !error.chain().any(|cause| cause.is::<reqwest::Error>())
}

fn one_line(error: &anyhow::Error) -> String {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.dedup_by(|cause, above| above.contains(cause.as_str()));
    causes.join(": ")
}
