//! `clawberth deploy`, up to the server that it waits for.

use super::PLAN;
use super::environment::Environment;

#[test]
fn creates_a_server_with_one_post_and_goes_on_after_a_stop() {
    let environment = Environment::with_cloud();
    let mut deploy = environment.start(&["deploy", "alice", "--yes"]);
    deploy.until_says("server created");
    deploy.interrupt().expect(
        130,
        "",
        &format!(
            "{PLAN}fleet  SSH key made known
fleet  firewall created
alice  server created (fsn1, 224.18.0.2)
stopped; everything so far is written down
hint: run `clawberth deploy alice` to go on
"
        ),
    );
    let cloud = environment.cloud();
    assert_eq!(cloud.changed(), ["POST /ssh_keys 201", "POST /firewalls 201", "POST /servers 201"]);
}
