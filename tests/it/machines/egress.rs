//! A policy that closes the way out of a real gateway: people are answered as before, and nothing else leaves the server, seen by
//! the lab's router. Telegram and a model are out in the world, at their names.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::bed::Bed;
use super::parts::{NAME, NEW, OLD};
use super::watch::Watch;
use super::world::{MODEL, World};

const CLOSED: &str = "egress = 'models-only'\n";

#[test]
#[ignore = "ten minutes: `make test-policy`"]
fn a_closed_way_out_is_closed_for_all_but_models_and_people() {
    let Some(bed) = Bed::up() else { return };
    bed.ok(&["deploy", NAME, "--version", OLD, "--yes"]);
    let world = World::up(&bed);
    World::is_trusted_by(&bed, NAME);
    // what the system does by itself from time to time would be seen, too
    bed.on(NAME, "systemctl disable --quiet --now apt-daily.timer apt-daily-upgrade.timer");
    govern(&bed, CLOSED);
    let watch = Watch::start(&bed);
    only_the_model_and_telegram_are_reached(&bed, &watch, &world);
    nobody_else_is_reached(&bed, &watch, &world);
    all_promises_hold(&bed);
    without_the_proxy_there_is_no_way_out(&bed, &watch);
    it_is_closed_from_boot_on(&bed, &world);
    another_release_comes_and_is_closed_in_too(&bed, &watch, &world);
    it_is_opened_again(&bed);
    drop(watch);
    bed.ok(&["destroy", NAME, "--yes"]);
}

fn govern(bed: &Bed, egress: &str) {
    let policy = format!(
        "[policy]
        owners = ['telegram:111']
        model = 'mine/small'
        {egress}
        [policy.providers.mine]
        url = 'https://{MODEL}/v1'
        api = 'openai-completions'
        key = 'env:KEY'
        [policy.channels.telegram]
        token = 'env:BOT_TOKEN'
        allow = ['111']
        "
    );
    std::fs::write(bed.scratch("clawberth.toml"), policy).unwrap();
    let mut command = bed.command(&["apply", NAME, "--bake", "5s", "--yes"]);
    let output = command.env("BOT_TOKEN", "123:bot").env("KEY", "sk-1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    eprintln!("{}", said.lines().find(|line| line.contains("policy in force")).unwrap());
}

/// A script as the gateway's user, on its server.
fn as_gateway(bed: &Bed, script: &str) -> String {
    let user = "setpriv --reuid=openclaw --regid=openclaw --clear-groups env -i PATH=/usr/bin:/bin HOME=/";
    bed.on(NAME, &format!("{user} sh -c '{script}'"))
}

fn until_ready(bed: &Bed) {
    bed.on(NAME, "for _ in $(seq 600); do ! curl -s http://127.0.0.1:18789/readyz | grep -q '\"ready\":true' || exit 0; sleep 0.5; done; exit 1");
}

/// The lab's own services are asked for names.
fn names_and(bed: &Bed, world: &World) -> BTreeSet<String> {
    let dns = bed.on(NAME, "sed -n 's/^nameserver //p' /etc/resolv.conf");
    [format!("{} udp 53", dns.trim()), format!("{} tcp 443", world.address)].into()
}

/// From the gateway's start on.
fn only_the_model_and_telegram_are_reached(bed: &Bed, watch: &Watch, world: &World) {
    watch.seen();
    bed.on(NAME, "systemctl restart openclaw");
    until_ready(bed);
    World::is_answered(bed, 111, "is anybody there");
    // what it does a moment after its start, such as asking for news of models
    std::thread::sleep(Duration::from_secs(30));
    let seen = watch.seen();
    eprintln!("seen by the router: {seen:?}");
    assert_eq!(seen, names_and(bed, world));
    let refused = bed.on(NAME, "journalctl --unit clawberth-egress --output=cat | sed -n 's/.*refused on filtered domain //p' | sort -u");
    eprintln!("refused by the proxy: {}", refused.replace('\n', " "));
}

/// By address, by name, by DNS, by the proxy; as root the same is seen, so that this means something.
fn nobody_else_is_reached(bed: &Bed, watch: &Watch, world: &World) {
    let to = format!("curl -s -m 5 -o /dev/null telnet://{}:14000 </dev/null", world.address);
    watch.seen();
    bed.on(NAME, &format!("{to} || true"));
    assert!(watch.seen().contains(&format!("{} tcp 14000", world.address)), "root is not seen");
    let dns = bed.on(NAME, "sed -n 's/^nameserver //p' /etc/resolv.conf");
    for script in [
        to,
        format!("curl -sk -m 5 https://{}/", world.address),
        "curl -s -m 5 http://[2001:db8::1]/".to_owned(),
        "getent hosts example.org".to_owned(),
        format!("curl -s -m 5 telnet://{}:53 </dev/null", dns.trim()),
        "curl -s -m 5 --proxy http://127.0.0.1:8888 https://example.org/".to_owned(),
        format!("curl -sk -m 5 --proxy http://127.0.0.1:8888 https://{}/", world.address),
        format!("curl -s -m 5 --proxy http://127.0.0.1:8888 https://{MODEL}:14000/"),
        "curl -sf -m 5 --proxy http://127.0.0.1:8888 http://169.254.169.254/hetzner/v1/metadata".to_owned(),
        "curl -sf -m 5 --proxy http://127.0.0.1:8888 http://127.0.0.1:18789/".to_owned(),
    ] {
        let said = as_gateway(bed, &format!("{script} && echo reached || echo not"));
        assert_eq!(said, "not\n", "{script}");
    }
    // the gateway itself goes on
    let seen = watch.seen();
    assert!(seen.is_subset(&names_and(bed, world)), "{seen:?}");
}

fn all_promises_hold(bed: &Bed) {
    let output = bed.run(&["audit", NAME, "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = answer["instances"][0]["promises"].as_array().unwrap();
    let broken: Vec<_> = findings.iter().filter(|finding| finding["verdict"] == "fail").collect();
    assert!(broken.is_empty(), "{broken:?}");
    let egress = findings.iter().find(|finding| finding["promise"] == "egress").unwrap();
    eprintln!("egress: {}", egress["evidence"]);
    let score = bed.on(NAME, "systemd-analyze security openclaw clawberth-egress --no-pager | tail -n 2");
    eprintln!("{score}");
}

/// It stays ready, and reaches nobody; with the proxy who wrote meanwhile is answered.
fn without_the_proxy_there_is_no_way_out(bed: &Bed, watch: &Watch) {
    let before = World::answers(bed);
    bed.on(
        NAME,
        "systemctl stop clawberth-egress; systemctl restart openclaw; systemctl stop clawberth-egress",
    );
    until_ready(bed);
    watch.seen();
    World::writes(bed, 111, "said in vain");
    std::thread::sleep(Duration::from_secs(20));
    assert_eq!(watch.seen(), BTreeSet::new());
    assert_eq!(World::answers(bed), before);
    bed.on(NAME, "systemctl start clawberth-egress");
    World::is_answered(bed, 111, "and now");
}

fn it_is_closed_from_boot_on(bed: &Bed, world: &World) {
    let boot = bed.on(NAME, "cat /proc/sys/kernel/random/boot_id");
    bed.run(&["ssh", NAME, "--", "systemctl", "reboot"]);
    let late = Instant::now() + Duration::from_secs(400);
    let look = "systemctl is-active --quiet openclaw && cat /proc/sys/kernel/random/boot_id";
    loop {
        let output = bed.run(&["ssh", NAME, "--", "sh", "-c", look]);
        if output.status.success() && output.stdout != boot.as_bytes() {
            break;
        }
        assert!(Instant::now() < late, "it does not come back");
        std::thread::sleep(Duration::from_secs(1));
    }
    until_ready(bed);
    World::is_answered(bed, 111, "after a boot");
    let to = format!("curl -sk -m 5 https://{}/ && echo reached || echo not", world.address);
    assert_eq!(as_gateway(bed, &to), "not\n");
}

/// What it takes to install one is root's and the installer's to fetch; the new one goes by the same proxy.
fn another_release_comes_and_is_closed_in_too(bed: &Bed, watch: &Watch, world: &World) {
    bed.ok(&["update", NAME, "--version", NEW, "--bake", "5s", "--yes"]);
    watch.seen();
    bed.on(NAME, "systemctl restart openclaw");
    until_ready(bed);
    World::is_answered(bed, 111, "who are you now");
    assert_eq!(watch.seen(), names_and(bed, world));
    all_promises_hold(bed);
}

fn it_is_opened_again(bed: &Bed) {
    govern(bed, "");
    World::is_answered(bed, 111, "all is open");
    let said = as_gateway(
        bed,
        &format!("curl -sf -m 5 -o /dev/null https://{MODEL}/v1/models && echo reached || echo not"),
    );
    assert_eq!(said, "reached\n");
    assert_eq!(
        bed.on(NAME, "ls /etc/clawberth/policy; systemctl is-active clawberth-egress || true"),
        "inactive\n"
    );
    all_promises_hold(bed);
}
