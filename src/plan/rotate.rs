//! The plan that replaces the tokens of gateways.

use super::{InstancePlan, Plan, Step};
use crate::model::instance::{Instance, Stage};
use crate::model::refusal::Refusal;

/// Decides how these instances get new tokens: each by itself, and then it has to serve as before.
///
/// # Errors
/// One that does not serve yet: its set-up makes its token.
pub fn rotate(instances: Vec<Instance>) -> Result<Plan, Refusal> {
    let part = |instance: Instance| match instance.stage {
        Stage::Serving(_) => Ok(InstancePlan { instance, steps: vec![Step::Rotate, Step::Serve] }),
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
        }
    }

    #[test]
    fn a_new_token_has_to_serve() {
        let plan = rotate(vec![alice(Stage::Serving(server()))]).unwrap();
        assert_eq!(plan.instances[0].steps, [Step::Rotate, Step::Serve]);
        assert!(plan.before.is_empty() && plan.after.is_empty() && plan.cost.is_none());
    }

    #[test]
    fn who_does_not_serve_has_no_token_to_replace() {
        for (stage, hint) in [
            (Stage::Planned, "run `clawberth deploy alice` to finish it"),
            (Stage::Installed(server()), "run `clawberth deploy alice` to finish it"),
            (Stage::Destroying(Some(server())), "run `clawberth destroy alice` to finish that"),
        ] {
            let said = format!("alice does not serve, it is {}", stage.word());
            let refusal = rotate(vec![alice(Stage::Serving(server())), alice(stage)]).unwrap_err();
            assert_eq!((refusal.to_string(), refusal.hint()), (said, hint));
        }
    }
}
