//! A policy lets programs run, in a sandbox: with the real gateway, its podman, and a stand-in for a model that asks for an `exec`.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::bed::Bed;
use super::parts::NAME;
use super::policy::{KEY, answered, apply, holds, seen, setting, stand_ins, write, writes};

const POLICY: &str = "\
[policy]
owners = ['telegram:111']
model = 'local/small'
providers.local = { url = 'http://127.0.0.1:28999/v1', api = 'openai-completions', key = 'file:model.key' }
senders = { 'telegram:111' = 'full', 'telegram:222' = 'read-only', '*' = 'none' }
channels.telegram = { token = 'env:BOT_TOKEN', allow = ['111', '222'] }
";

const SANDBOX: &str = "sandbox = true\ntools = 'coding'\n";

#[test]
#[ignore = "ten minutes: `make test-policy`"]
fn programs_run_in_a_sandbox_and_see_nothing_of_the_server() {
    let Some(bed) = Bed::up() else { return };
    bed.ok(&["deploy", NAME, "--yes"]);
    stand_ins(&bed);
    std::fs::write(bed.scratch("model.key"), format!("{KEY}\n")).unwrap();
    write(&bed, &format!("{POLICY}{SANDBOX}"));
    let said = apply(&bed, 0);
    eprintln!("{}", said.lines().find(|line| line.contains("policy in force")).unwrap());
    holds(&bed);
    a_program_is_alone(&bed);
    who_may_only_read_runs_nothing(&bed);
    what_it_wrote_is_there_after_a_restart(&bed);
    what_sees_more_is_gone_back_from(&bed);
    an_audit_sees_what_is_wrong_with_it(&bed);
    without_its_image_nothing_runs(&bed);
    without_the_policy_there_are_no_programs(&bed);
    bed.ok(&["destroy", NAME, "--yes"]);
}

/// The answer of a command that somebody has the model run.
fn ran(bed: &Bed, who: u32, command: &str) -> String {
    let begun = Instant::now();
    writes(bed, who, None, &format!("run: `{command}`"));
    while begun.elapsed() < Duration::from_secs(180) {
        let all = seen(bed)["ran"].as_array().unwrap().clone();
        if let Some(said) =
            all.iter().find(|one| one["command"] == command).and_then(|one| one["said"].as_str())
        {
            eprintln!("{command} was run within {:.1} s", begun.elapsed().as_secs_f64());
            return said.to_owned();
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    panic!("{command} was not run: {}", seen(bed))
}

fn a_program_is_alone(bed: &Bed) {
    let said = ran(bed, 111, "id; hostname; touch /file; ls /var/lib/openclaw; echo 1 >>kept");
    let user = bed.on(NAME, "id -u openclaw");
    assert!(said.contains(&format!("uid={}(", user.trim())), "{said}");
    let host = bed.on(NAME, "hostname");
    assert!(!said.contains(host.trim()), "it runs on the server: {said}");
    assert!(said.contains("/file': Read-only file system"), "{said}");
    assert!(said.contains("/var/lib/openclaw': No such file"), "{said}");
    let interfaces = ran(bed, 111, "sed 1,2d /proc/net/dev | cut -d: -f1");
    assert_eq!(interfaces.trim(), "lo");
    let network = ran(bed, 111, "curl -sS --max-time 5 http://127.0.0.1:18789/readyz");
    assert!(network.contains("Failed to connect to 127.0.0.1 port 18789"), "{network}");
    let world = ran(
        bed,
        111,
        "curl -sS --max-time 5 https://198.18.0.1; curl -sS --max-time 5 http://169.254.169.254",
    );
    assert_eq!(world.matches("Failed to connect").count(), 2, "{world}");
}

fn who_may_only_read_runs_nothing(bed: &Bed) {
    writes(bed, 222, None, "guest-word run: `touch /tmp/guest`");
    let guest = answered(bed, "guest-word");
    let tools = guest["tools"].as_array().unwrap();
    let programs = ["exec", "process", "write", "read"];
    assert!(!tools.iter().any(|tool| programs.contains(&tool.as_str().unwrap())), "{guest}");
}

fn what_it_wrote_is_there_after_a_restart(bed: &Bed) {
    bed.on(NAME, "systemctl restart openclaw; until curl -s http://127.0.0.1:18789/readyz | grep -q '\"ready\":true'; do sleep 0.5; done");
    let said = ran(bed, 111, "echo 2 >>kept; cat kept");
    assert!(said.starts_with("1\n2"), "{said}");
}

/// A unit that gives its podman the gateway's state: the policy that is brought then is refused, and the one before is in force.
fn what_sees_more_is_gone_back_from(bed: &Bed) {
    bed.on(NAME, "mkdir -p /run/systemd/system/openclaw-sandbox.service.d; printf '[Service]\\nTemporaryFileSystem=\\n' >/run/systemd/system/openclaw-sandbox.service.d/break.conf; systemctl daemon-reload; systemctl restart openclaw-sandbox");
    write(bed, &format!("{POLICY}{SANDBOX}deny_tools = ['web_fetch']\n"));
    let said = apply(bed, 1);
    assert!(said.contains("the sandbox: a run in it sees") && said.contains("secrets.json"), "{said}");
    assert_eq!(broken(bed), ["sandbox"]);
    bed.on(NAME, "rm /run/systemd/system/openclaw-sandbox.service.d/break.conf; systemctl daemon-reload; systemctl restart openclaw-sandbox");
    bed.run(&["update", "--abort"]);
    write(bed, &format!("{POLICY}{SANDBOX}"));
    holds(bed);
}

/// The promises that do not hold.
fn broken(bed: &Bed) -> Vec<String> {
    let output = bed.run(&["audit", NAME, "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = answer["instances"][0]["promises"].as_array().unwrap().clone();
    let fails = all.iter().filter(|finding| finding["verdict"] == "fail");
    fails.map(|finding| finding["promise"].as_str().unwrap().to_owned()).collect()
}

fn an_audit_sees_what_is_wrong_with_it(bed: &Bed) {
    let own = "/run/systemd/system/openclaw-sandbox.service.d";
    for (does, mends, fails) in [
        (
            "systemctl stop openclaw-sandbox".to_owned(),
            "systemctl start openclaw-sandbox; sleep 2".to_owned(),
            vec!["sandbox"],
        ),
        (
            format!(
                "mkdir -p {own}; printf '[Service]\\nSystemCallFilter=\\nProtectSystem=no\\nPrivateDevices=no\\n' >{own}/break.conf; systemctl daemon-reload; systemctl restart openclaw-sandbox"
            ),
            format!(
                "rm {own}/break.conf; systemctl daemon-reload; systemctl restart openclaw-sandbox; sleep 2"
            ),
            vec!["sandbox"],
        ),
        (
            "echo '{ tools: { exec: { host: \"gateway\" } } }' | openclaw config patch --stdin".to_owned(),
            "echo '{ tools: { exec: { host: \"sandbox\" } } }' | openclaw config patch --stdin".to_owned(),
            vec!["policy"],
        ),
    ] {
        bed.on(NAME, &does);
        assert_eq!(broken(bed), fails, "{does}");
        bed.on(NAME, &mends);
    }
    holds(bed);
}

fn without_its_image_nothing_runs(bed: &Bed) {
    let podman = "export CONTAINER_HOST=unix:///run/openclaw-sandbox/podman.sock; podman";
    bed.on(
        NAME,
        &format!("{podman} rm --all --force --time 0; podman rmi --force localhost/openclaw-sandbox:trixie"),
    );
    let sent = |bed: &Bed| seen(bed)["sent"].as_array().unwrap().len();
    let before = sent(bed);
    writes(bed, 111, None, "closed-word run: `touch /var/tmp/closed`");
    let late = Instant::now() + Duration::from_secs(120);
    while sent(bed) == before {
        assert!(Instant::now() < late, "the sender is told nothing");
        std::thread::sleep(Duration::from_millis(500));
    }
    let all = seen(bed);
    assert!(
        all["ran"].as_array().unwrap().iter().all(|one| one["command"] != "touch /var/tmp/closed"),
        "{all}"
    );
    bed.on(NAME, "! find /var/tmp /tmp -name closed | grep .");
    assert_eq!(broken(bed), ["sandbox"]);
    bed.on(NAME, "cd /etc/clawberth/policy; sh -eu prepare >/root/made 2>&1; sh -eu prove >>/root/made 2>&1");
    holds(bed);
    assert!(ran(bed, 111, "cat kept").starts_with("1\n2"), "the workspace is gone");
}

fn without_the_policy_there_are_no_programs(bed: &Bed) {
    write(bed, POLICY);
    apply(bed, 0);
    for (place, is) in [
        ("tools.profile", "\"messaging\""),
        ("tools.exec", "{\"security\":\"deny\",\"ask\":\"always\"}"),
        ("agents.defaults.sandbox", "{\"mode\":\"off\"}"),
    ] {
        assert_eq!(setting(bed, place), is, "{place}");
    }
    bed.on(NAME, "! systemctl is-active openclaw-sandbox.service && [ ! -e /run/openclaw-sandbox ]");
    bed.on(NAME, "! systemctl cat openclaw-sandbox.service && ! systemctl show --property=Environment openclaw | grep CONTAINER");
    writes(bed, 111, None, "last-word run: `touch /var/tmp/last`");
    let owner = answered(bed, "last-word");
    assert!(!owner["tools"].to_string().contains("exec"), "{owner}");
    holds(bed);
}
