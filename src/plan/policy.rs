//! What a policy says to OpenClaw, and what has to be said to go from one policy to another.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{InstancePlan, Plan, Step};
use crate::model::fleet::OpId;
use crate::model::name::InstanceName;
use crate::model::policy::{
    Channel, Enactment, Policies, Policy, Profile, Provider, Rights, SANDBOX_IMAGE, Sessions, Whose,
};

/// Tools that no gateway of ours has, but for those of the sandbox in one: they run programs, see files, or act in other
/// conversations. As in `templates/openclaw.json.hbs`, which is what a gateway is born with.
const NEVER: [&str; 5] = ["group:automation", "group:runtime", "group:fs", "sessions_spawn", "sessions_send"];
const SANDBOXED: [&str; 2] = ["group:runtime", "group:fs"];
/// Tools that change something, and those that reach beyond a conversation.
const CHANGING: [&str; 10] = [
    "group:automation",
    "group:runtime",
    "group:fs",
    "message",
    "sessions_send",
    "sessions_spawn",
    "gateway",
    "cron",
    "nodes",
    "browser",
];

/// A patch, as `openclaw config patch` takes it, that leads a gateway from one policy to another: what neither of them names
/// stays as its user has set it, and what only the old one named is again as at its birth.
pub fn patch(old: &Policy, new: &Policy) -> Value {
    let mut patch = difference(&settings(old), &settings(new), &born());
    prune(&mut patch);
    patch
}

/// Adds to a deploy what brings these instances their policies, where they never had one: what they have is changed by its own
/// command.
pub fn govern(plan: &mut Plan, names: &[InstanceName], policies: &Policies, id: &OpId) {
    for InstancePlan { instance, steps } in &mut plan.instances {
        let policy = policies.of(&instance.name);
        if names.contains(&instance.name) && instance.spec.enacted.is_none() && !policy.is_empty() {
            let enactment = Box::new(Enactment { id: id.clone(), policy: policy.clone() });
            steps.extend([Step::Enact(enactment.clone()), Step::Uphold(enactment, Duration::ZERO)]);
        }
    }
}

/// The policies that a plan brings.
pub fn brought(plan: &Plan) -> impl Iterator<Item = &Policy> {
    let steps = plan.instances.iter().flat_map(|part| &part.steps);
    steps.filter_map(|step| match step {
        Step::Enact(enactment) => Some(&enactment.policy),
        _ => None,
    })
}

/// What differs between two policies, in the words of the file; where nothing does, it is the secrets.
pub fn changes(old: &Policy, new: &Policy) -> Vec<String> {
    let text = |policy: &Policy| serde_json::to_value(policy).unwrap_or_default();
    let (was, is) = (text(old), text(new));
    let keys = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
    let mut all = [keys(&was), keys(&is)].into_iter().flatten().flatten().collect::<Vec<_>>();
    all.sort();
    all.dedup();
    all.retain(|key| was.get(key) != is.get(key));
    if all.is_empty() { vec!["secrets".to_owned()] } else { all }
}

/// What a configuration says otherwise than a policy, by its places.
pub fn broken(policy: &Policy, config: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    compare(&settings(policy), config, "", &mut wrong);
    wrong
}

fn compare(wanted: &Value, is: &Value, place: &str, wrong: &mut Vec<String>) {
    match wanted.as_object() {
        // where a secret is, is one thing
        Some(object) if !object.contains_key("source") => {
            for (key, wanted) in object {
                let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                compare(wanted, is.get(key).unwrap_or(&Value::Null), &place, wrong);
            }
        }
        _ if wanted != is => wrong.push(format!("{place} is {is}")),
        _ => {}
    }
}

/// What a policy sets. Objects that more than one key may be in are always there, so that none of them is ever removed as a whole.
pub(super) fn settings(policy: &Policy) -> Value {
    let mut set = json!({
        "agents": { "defaults": {} }, "channels": {}, "commands": {}, "models": { "providers": {} }, "session": {},
        "skills": {}, "tools": { "toolsBySender": {} },
    });
    let mut put = |place: &[&str], value: Value| put(&mut set, place, value);
    if !policy.owners.is_empty() {
        let owners: Vec<String> = policy.owners.iter().map(ToString::to_string).collect();
        put(&["commands", "ownerAllowFrom"], json!(owners));
    }
    if let Some(sessions) = policy.sessions {
        put(&["session", "dmScope"], json!(word(sessions)));
    }
    let models: Vec<String> = policy.all_models().map(ToString::to_string).collect();
    if let Some(model) = &policy.model {
        let fallbacks: Vec<String> = policy.fallbacks.iter().map(ToString::to_string).collect();
        put(
            &["agents", "defaults", "model"],
            json!({ "primary": model.to_string(), "fallbacks": fallbacks }),
        );
    }
    if !models.is_empty() {
        put(&["agents", "defaults", "modelPolicy", "allow"], json!(models));
    }
    if let Some(profile) = policy.tools {
        let profile = match profile {
            Profile::Minimal => "minimal",
            Profile::Messaging => "messaging",
            Profile::Coding => "coding",
        };
        put(&["tools", "profile"], json!(profile));
    }
    if policy.runs_programs() || !policy.deny_tools.is_empty() {
        put(&["tools", "deny"], json!(denied(policy)));
    }
    if policy.runs_programs() {
        // `sandbox` fails where there is none; `auto` would run on the server
        put(&["tools", "exec"], json!({ "host": "sandbox", "security": "full", "ask": "off" }));
    }
    if policy.sandbox {
        put(&["agents", "defaults", "sandbox"], sandbox());
    }
    if !policy.skills.is_empty() {
        put(&["agents", "defaults", "skills"], json!(policy.skills));
        put(&["skills", "allowBundled"], json!(policy.skills));
    }
    for (whose, rights) in rights(policy) {
        put(&["tools", "toolsBySender", &key(&whose)], tools(rights));
    }
    for (name, provider) in &policy.providers {
        put(&["models", "providers", name], asked(name, provider, policy));
    }
    for (kind, channel) in &policy.channels {
        put(&["channels", &kind.to_string()], written(&kind.to_string(), channel));
    }
    set
}

/// What a gateway is born with, of what a policy sets; the rest is not there.
fn born() -> Value {
    json!({
        "agents": { "defaults": { "skills": [], "sandbox": { "mode": "off" } } },
        "session": { "dmScope": "per-channel-peer" },
        "skills": { "allowBundled": [] },
        "tools": { "profile": "messaging", "deny": NEVER, "exec": { "security": "deny", "ask": "always" } },
    })
}

fn denied(policy: &Policy) -> Vec<&str> {
    let never = NEVER.into_iter().filter(|tool| !(policy.runs_programs() && SANDBOXED.contains(tool)));
    never.chain(policy.deny_tools.iter().map(String::as_str)).collect()
}

/// Each conversation has a container of its own, with files of its own, and no network.
fn sandbox() -> Value {
    json!({
        "mode": "all",
        "backend": "podman",
        "scope": "session",
        "workspaceAccess": "none",
        "docker": { "image": SANDBOX_IMAGE, "network": "none", "readOnlyRoot": true, "capDrop": ["ALL"] },
    })
}

fn word(sessions: Sessions) -> &'static str {
    match sessions {
        Sessions::PerPeer => "per-peer",
        Sessions::PerChannelPeer => "per-channel-peer",
        Sessions::PerAccountChannelPeer => "per-account-channel-peer",
    }
}

/// Who may use which tools: what is said, and, where that says nothing, everything for owners and reading for others.
fn rights(policy: &Policy) -> Vec<(Whose, Rights)> {
    if !policy.senders.is_empty() {
        return policy.senders.iter().map(|(whose, rights)| (whose.clone(), *rights)).collect();
    }
    if policy.owners.is_empty() {
        return Vec::new();
    }
    let owners = policy.owners.iter().map(|owner| (Whose::One(owner.clone()), Rights::Full));
    owners.chain([(Whose::Others, Rights::ReadOnly)]).collect()
}

fn key(whose: &Whose) -> String {
    match whose {
        Whose::One(sender) => format!("channel:{}:{}", sender.channel, sender.id),
        Whose::Others => "*".to_owned(),
    }
}

/// Both keys always, so that none is left of what it was before.
fn tools(rights: Rights) -> Value {
    match rights {
        Rights::Full => json!({ "allow": ["*"], "deny": null }),
        Rights::ReadOnly => json!({ "allow": null, "deny": CHANGING }),
        Rights::None => json!({ "allow": null, "deny": ["*"] }),
    }
}

fn asked(name: &str, provider: &Provider, policy: &Policy) -> Value {
    let of_it = policy.all_models().filter(|model| model.provider() == name);
    let models: Vec<Value> = of_it.map(|model| json!({ "id": model.id(), "name": model.id() })).collect();
    json!({
        "apiKey": provider.key.as_ref().map(|_| secret(&format!("/model/{name}"))),
        "baseUrl": provider.url,
        "api": provider.api.map(|api| api.word()),
        "models": models,
    })
}

fn written(kind: &str, channel: &Channel) -> Value {
    let allowed = channel.allowed();
    let direct = match (channel.is_open(), allowed.is_empty()) {
        (true, _) => "open",
        (false, true) => "pairing",
        (false, false) => "allowlist",
    };
    let mention = channel.mention.unwrap_or(true);
    let groups: Map<String, Value> =
        channel.groups.iter().map(|id| (id.clone(), json!({ "requireMention": mention }))).collect();
    json!({
        "enabled": true,
        "botToken": secret(&format!("/channel/{kind}")),
        "dmPolicy": direct,
        "allowFrom": allowed,
        "groupPolicy": if groups.is_empty() { "disabled" } else { "allowlist" },
        "groupAllowFrom": channel.allowed_in_groups(),
        "groups": groups,
        "configWrites": false,
    })
}

/// Where OpenClaw finds a secret: in the server's file for them.
fn secret(place: &str) -> Value {
    json!({ "source": "file", "provider": "host", "id": place })
}

fn put(tree: &mut Value, place: &[&str], value: Value) {
    match place {
        [] => *tree = value,
        [first, rest @ ..] => {
            if !tree.is_object() {
                *tree = json!({});
            }
            if let Some(object) = tree.as_object_mut() {
                put(object.entry(*first).or_insert(Value::Null), rest, value);
            }
        }
    }
}

/// All that is new, and what is only old as it was at birth, or gone.
fn difference(old: &Value, new: &Value, born: &Value) -> Value {
    let (Some(was), Some(is)) = (old.as_object(), new.as_object()) else { return new.clone() };
    let part = |object: &Value, key: &String| object.get(key).cloned().unwrap_or(Value::Null);
    let set = is.iter().map(|(key, value)| {
        (key.clone(), difference(was.get(key).unwrap_or(&Value::Null), value, &part(born, key)))
    });
    let gone = was.iter().filter(|(key, _)| !is.contains_key(*key));
    let unset = gone.map(|(key, was)| (key.clone(), difference(was, &part(born, key), &Value::Null)));
    Value::Object(set.chain(unset).collect())
}

/// Takes out what says nothing.
fn prune(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.values_mut().for_each(prune);
        object.retain(|_, value| value.as_object().is_none_or(|object| !object.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(toml: &str) -> Policy {
        toml::from_str(toml).unwrap()
    }

    fn going(old: &str, new: &str) -> Value {
        patch(&policy(old), &policy(new))
    }

    #[test]
    fn what_a_gateway_is_born_with_is_what_its_template_says() {
        let template = include_str!("../../templates/openclaw.json.hbs");
        let template: Value = serde_json::from_str(template).unwrap();
        for place in [
            "/agents/defaults/skills",
            "/session/dmScope",
            "/skills/allowBundled",
            "/tools/profile",
            "/tools/deny",
            "/tools/exec",
            "/agents/defaults/sandbox",
        ] {
            assert_eq!(born().pointer(place), template.pointer(place), "{place}");
        }
    }

    #[test]
    fn what_is_not_named_is_not_touched() {
        assert_eq!(going("", ""), json!({}));
        assert_eq!(going("", "sessions = 'per-peer'"), json!({ "session": { "dmScope": "per-peer" } }));
    }

    #[test]
    fn what_is_not_named_any_more_is_as_at_birth() {
        assert_eq!(
            going("sessions = 'per-peer'\nskills = ['weather']\ntools = 'minimal'\ndeny_tools = ['x']", ""),
            json!({
                "agents": { "defaults": { "skills": [] } },
                "session": { "dmScope": "per-channel-peer" },
                "skills": { "allowBundled": [] },
                "tools": { "profile": "messaging", "deny": NEVER },
            })
        );
        let with =
            "channels.telegram = { token = 'env:T' }\nproviders.openai.key = 'env:K'\nmodel = 'openai/x'";
        assert_eq!(
            going(with, ""),
            json!({
                "agents": { "defaults": { "model": null, "modelPolicy": null } },
                "channels": { "telegram": null },
                "models": { "providers": { "openai": null } },
            })
        );
    }

    #[test]
    fn a_channel_lets_in_who_is_named() {
        let telegram = |toml: &str| {
            let toml = format!("channels.telegram = {{ token = 'env:T', {toml} }}");
            going("", &toml).pointer("/channels/telegram").cloned().unwrap()
        };
        let named = telegram("allow = ['1', '2'], deny = ['2'], groups = ['-5']");
        assert_eq!(named["dmPolicy"], "allowlist");
        assert_eq!(named["allowFrom"], json!(["1"]));
        assert_eq!(named["groupPolicy"], "allowlist");
        assert_eq!(named["groupAllowFrom"], json!(["1"]));
        assert_eq!(named["groups"], json!({ "-5": { "requireMention": true } }));
        assert_eq!(
            named["botToken"],
            json!({ "source": "file", "provider": "host", "id": "/channel/telegram" })
        );
        assert_eq!(telegram("allow = []")["dmPolicy"], "pairing");
        assert_eq!(telegram("allow = ['*']")["dmPolicy"], "open");
        assert_eq!(telegram("groups = []")["groupPolicy"], "disabled");
    }

    #[test]
    fn programs_run_in_the_sandbox_and_nowhere_once_it_is_gone() {
        let coding = "sandbox = true\ntools = 'coding'\ndeny_tools = ['x']";
        let there = going("", coding);
        assert_eq!(there["agents"]["defaults"]["sandbox"]["mode"], "all");
        assert_eq!(there["agents"]["defaults"]["sandbox"]["docker"]["network"], "none");
        assert_eq!(
            there["tools"],
            json!({
                "profile": "coding",
                "deny": ["group:automation", "sessions_spawn", "sessions_send", "x"],
                "exec": { "host": "sandbox", "security": "full", "ask": "off" },
            })
        );
        // what is only in the old ones has to be named, or it stays
        let off =
            json!({ "mode": "off", "backend": null, "scope": null, "workspaceAccess": null, "docker": null });
        let no_programs = json!({
            "profile": "messaging",
            "deny": NEVER,
            "exec": { "host": null, "security": "deny", "ask": "always" },
        });
        assert_eq!(
            going(coding, ""),
            json!({ "agents": { "defaults": { "sandbox": off } }, "tools": no_programs })
        );
    }

    #[test]
    fn a_sandbox_alone_runs_nothing() {
        let patch = going("", "sandbox = true");
        assert_eq!(patch["agents"]["defaults"]["sandbox"]["mode"], "all");
        assert_eq!(patch["tools"], Value::Null);
    }

    #[test]
    fn a_group_or_a_sender_that_is_gone_is_taken_out() {
        let old = "channels.telegram = { token = 'env:T', groups = ['-5', '-6'] }\nsenders = { '*' = 'none', 'telegram:1' = 'full' }";
        let new = "channels.telegram = { token = 'env:T', groups = ['-6'] }\nsenders = { '*' = 'read-only' }";
        let patch = going(old, new);
        assert_eq!(
            patch["channels"]["telegram"]["groups"],
            json!({ "-5": null, "-6": { "requireMention": true } })
        );
        let others = json!({ "allow": null, "deny": CHANGING });
        assert_eq!(patch["tools"]["toolsBySender"], json!({ "*": others, "channel:telegram:1": null }));
    }

    #[test]
    fn owners_may_everything_and_others_read_unless_it_is_said() {
        let owner = "owners = ['telegram:1']\nchannels.telegram.token = 'env:T'";
        let patch = going("", owner);
        assert_eq!(patch["commands"]["ownerAllowFrom"], json!(["telegram:1"]));
        let senders = &patch["tools"]["toolsBySender"];
        assert_eq!(senders["channel:telegram:1"], json!({ "allow": ["*"], "deny": null }));
        assert_eq!(senders["*"]["deny"], json!(CHANGING));
        let said = going("", &format!("{owner}\nsenders = {{ '*' = 'none' }}"));
        assert_eq!(said["tools"]["toolsBySender"], json!({ "*": { "allow": null, "deny": ["*"] } }));
    }

    #[test]
    fn what_a_configuration_says_otherwise_is_named_by_its_place() {
        let policy = policy("sessions = 'per-peer'\nproviders.openai.key = 'env:K'\nmodel = 'openai/x'");
        let mut config = settings(&policy);
        assert_eq!(broken(&policy, &config), [""; 0]);
        config["session"]["dmScope"] = json!("main");
        config["models"]["providers"]["openai"]["apiKey"] = json!("sk-1");
        config["more"] = json!(1);
        let said = broken(&policy, &config);
        assert_eq!(said, ["models.providers.openai.apiKey is \"sk-1\"", "session.dmScope is \"main\""]);
    }

    #[test]
    fn only_the_models_that_are_named_answer() {
        let patch = going(
            "",
            "model = 'anthropic/a'\nfallbacks = ['local/b']\nmodels = ['anthropic/c']\nproviders.anthropic.key = 'env:K'\nproviders.local = { url = 'http://127.0.0.1:1/v1', api = 'openai-completions' }",
        );
        let defaults = &patch["agents"]["defaults"];
        assert_eq!(defaults["model"], json!({ "primary": "anthropic/a", "fallbacks": ["local/b"] }));
        assert_eq!(defaults["modelPolicy"]["allow"], json!(["anthropic/a", "local/b", "anthropic/c"]));
        let providers = &patch["models"]["providers"];
        assert_eq!(
            providers["anthropic"]["models"],
            json!([{ "id": "a", "name": "a" }, { "id": "c", "name": "c" }])
        );
        assert_eq!(providers["local"]["baseUrl"], "http://127.0.0.1:1/v1");
        assert_eq!(providers["local"]["apiKey"], Value::Null);
    }
}
