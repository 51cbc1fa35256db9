//! `keys rotate` from a file to an agent, within it, and back.

use clawberth::apply::Point;

use super::socket::{KeyAgent, admitted, fingerprint, private_keys};
use crate::bed::{Cloud, Operator};

const ROTATE: [&str; 3] = ["keys", "rotate", "--yes"];

fn named(operator: &Operator<'_>, name: &str) {
    operator.write("clawberth.toml", &format!("ssh_key = '{name}'\n")).unwrap();
}

#[track_caller]
fn refused(operator: &Operator<'_>, words: &[&str], said: &str) {
    let ended = operator.run(words, &[]).unwrap();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), said), "{ended}");
}

#[track_caller]
fn calm(operator: &Operator<'_>) {
    let ended = operator.run(&["reconcile"], &[]).unwrap();
    assert!(ended.code == Some(0) && ended.stderr.ends_with("no drift\n"), "{ended}");
}

#[test]
fn from_a_file_to_an_agent_to_another_key_there_and_back() {
    let cloud = Cloud::up(1, "").unwrap();
    let agent = KeyAgent::start(&cloud);
    let [carol, dave] = ["carol@desk", "dave@desk"].map(|who| agent.make("ed25519", who));
    let operator = cloud.operator().unwrap().with("SSH_AUTH_SOCK", &agent.socket());
    let home = cloud.path(&format!("home-{}", operator.api.project()));
    operator.ok(&["deploy", "a", "b", "--yes"]).unwrap();
    assert_eq!(private_keys(&home), ["state.sqlite.ssh_key"]);

    named(&operator, "agent:carol@desk");
    refused(
        &operator,
        &["deploy", "c", "--yes"],
        "error: `ssh_key` does not name the fleet's own key
caused by: the state knows another one, with which the servers were made
hint: `clawberth keys rotate` puts it in the place of the fleet's own; without `ssh_key` that one stays
",
    );
    let told = operator.ok(&ROTATE).unwrap();
    assert_eq!(told, format!("the fleet's key is {}\n", fingerprint(&carol)));
    assert_eq!(private_keys(&home), [] as [&str; 0], "the old one is of no use any more");
    assert_eq!(admitted(&cloud), [[carol.as_str()], [carol.as_str()]]);
    calm(&operator);
    let again = operator.run(&ROTATE, &[]).unwrap();
    assert_eq!(
        (again.code, again.stderr.as_str()),
        (
            Some(0),
            "nothing to do: agent:carol@desk is the fleet's own key; to replace it, let `ssh_key` name the one that is to follow, \
             or none: then one is made, in a file\n"
        )
    );

    named(&operator, &format!("agent:{}", fingerprint(&dave)));
    operator.ok(&ROTATE).unwrap();
    assert_eq!(admitted(&cloud), [[dave.as_str()], [dave.as_str()]]);
    operator.ok(&["deploy", "c", "--yes"]).unwrap();
    assert_eq!(admitted(&cloud)[2], [dave.as_str()]);
    calm(&operator);

    std::fs::remove_file(home.join("clawberth.toml")).unwrap();
    calm(&operator);
    operator.ok(&ROTATE).unwrap();
    assert_eq!(private_keys(&home), ["state.sqlite.ssh_key"]);
    agent.empty();
    calm(&operator);
    assert!(admitted(&cloud).iter().all(|keys| keys.len() == 1 && *keys != [dave.as_str()]));
}

#[test]
fn nobody_is_locked_out_wherever_that_is_killed() {
    let cloud = Cloud::up(1, "").unwrap();
    let agent = KeyAgent::start(&cloud);
    let keys = ["one", "two"].map(|who| agent.make("ed25519", who));
    let operator = cloud.operator().unwrap().with("SSH_AUTH_SOCK", &agent.socket());
    let home = cloud.path(&format!("home-{}", operator.api.project()));
    operator.ok(&["deploy", "a", "--yes"]).unwrap();
    let steps = [
        "note-key",
        "give-keys",
        "prove-key",
        "use-key",
        "delete-ssh-key",
        "create-ssh-key",
        "take-keys",
        "settle-keys",
    ];
    let points =
        steps.iter().flat_map(|step| [Point::AfterIntent, Point::AfterAct].map(|point| (step, point)));
    for (number, (step, point)) in points.enumerate() {
        named(&operator, ["agent:one", "agent:two"][number % 2]);
        let mut running = operator.start_to(&ROTATE, step, point, &[]).unwrap();
        running.until_stopped().unwrap();
        running.kill().unwrap();
        // others go on with the key that is in force
        if (step, point) != (&"note-key", Point::AfterIntent) {
            operator.ok(&["ssh", "a", "--", "true"]).unwrap();
        }
        operator.ok(&ROTATE).unwrap();
        assert_eq!(admitted(&cloud), [[keys[number % 2].as_str()]], "{step} {point:?}");
        assert_eq!(private_keys(&home), [] as [&str; 0], "{step} {point:?}");
        calm(&operator);
    }
}
