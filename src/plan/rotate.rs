//! The plan that replaces what an instance proves itself with, or lets others in with.

use super::{InstancePlan, Plan, Step, host_key};
use crate::model::instance::{Instance, Stage};
use crate::model::refusal::Refusal;

/// What is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// The gateway's token.
    Token,
    /// The server's host key.
    HostKey,
}

/// Decides how these instances get new secrets: each by itself. After a new token it has to serve as before.
///
/// # Errors
/// One that does not serve yet: its set-up makes them.
pub fn rotate(instances: Vec<Instance>, secrets: &[Secret]) -> Result<Plan, Refusal> {
    let part = |instance: Instance| match &instance.stage {
        Stage::Serving(server) => {
            let of_one = |secret: &Secret| match secret {
                Secret::Token => vec![Step::Rotate, Step::Serve],
                Secret::HostKey => host_key::replace(server).to_vec(),
            };
            let steps = secrets.iter().flat_map(of_one).collect();
            Ok(InstancePlan { instance, steps })
        }
        Stage::Planned
        | Stage::Created(_)
        | Stage::Reachable(_)
        | Stage::Trusted(_)
        | Stage::Installed(_)
        | Stage::Destroying(_)
        | Stage::Gone => Err(early(&instance)),
    };
    let instances = instances.into_iter().map(part).collect::<Result<_, _>>()?;
    Ok(Plan { instances, ..Plan::default() })
}

fn early(instance: &Instance) -> Refusal {
    let Instance { name, stage, .. } = instance;
    let hint = match stage {
        Stage::Destroying(_) | Stage::Gone => format!("run `clawberth destroy {name}` to finish that"),
        _ => format!("run `clawberth deploy {name}` to finish it"),
    };
    Refusal::new(format!("{name} does not serve, it is {}", stage.word()), hint)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::instance::Server;

    fn alice(stage: Stage) -> Instance {
        let integrity = format!("sha512-{}==", "A".repeat(86));
        let spec = serde_json::json!({
            "server_type": "cx23", "locations": ["fsn1"], "image": "debian-13", "domain": null,
            "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
        });
        let spec = serde_json::from_value(spec).unwrap();
        Instance { name: "alice".parse().unwrap(), spec, stage, created: String::new() }
    }

    fn server() -> Server {
        let ipv4 = Ipv4Addr::new(198, 51, 100, 7);
        Server {
            id: 7,
            ipv4,
            ipv6: None,
            location: "fsn1".into(),
            host_key: "ssh-ed25519 AAAA".into(),
            next_host_key: None,
            own_host_key: true,
            birth_key: None,
            admitted: None,
            standby: None,
        }
    }

    #[test]
    fn a_new_token_has_to_serve() {
        let plan = rotate(vec![alice(Stage::Serving(server()))], &[Secret::Token]).unwrap();
        assert_eq!(plan.instances[0].steps, [Step::Rotate, Step::Serve]);
        assert!(plan.before.is_empty() && plan.after.is_empty() && plan.cost.is_none());
    }

    #[test]
    fn a_host_key_that_was_made_is_not_made_again() {
        let steps = |server| {
            let all = [Secret::HostKey, Secret::Token];
            rotate(vec![alice(Stage::Serving(server))], &all).unwrap().instances.remove(0).steps
        };
        let whole = [Step::MakeHostKey, Step::LabelHostKey, Step::SwitchHostKey, Step::LabelHostKey];
        let token = [Step::Rotate, Step::Serve];
        assert_eq!(steps(server()), [&whole[..], &token[..]].concat());
        // it may show that key already, and another one would be accepted by nobody
        let begun = Server { next_host_key: Some("ssh-ed25519 BBBB".into()), ..server() };
        assert_eq!(steps(begun), [&whole[1..], &token[..]].concat());
    }

    #[test]
    fn who_does_not_serve_has_no_token_to_replace() {
        for (stage, hint) in [
            (Stage::Planned, "run `clawberth deploy alice` to finish it"),
            (Stage::Installed(server()), "run `clawberth deploy alice` to finish it"),
            (Stage::Destroying(Some(server())), "run `clawberth destroy alice` to finish that"),
        ] {
            let said = format!("alice does not serve, it is {}", stage.word());
            let all = vec![alice(Stage::Serving(server())), alice(stage)];
            let refusal = rotate(all, &[Secret::Token]).unwrap_err();
            assert_eq!((refusal.to_string(), refusal.hint()), (said, hint));
        }
    }
}
