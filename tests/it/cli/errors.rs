//! Bad input: an error, its cause and a hint, a line each, an exit code, and nothing changed.

use super::environment::Environment;
use super::front::Trick;
use super::npm::Npm;

#[test]
fn names() {
    let environment = Environment::with_cloud();
    environment.changes_nothing(
        &["deploy", "Alice"],
        2,
        "error: invalid instance name \"Alice\"
caused by: only a-z, 0-9 and - are allowed
hint: did you mean alice?
",
    );
    environment.changes_nothing(
        &["destroy", "a_b-"],
        2,
        "error: invalid instance name \"a_b-\"
caused by: only a-z, 0-9 and - are allowed
hint: did you mean a-b?
",
    );
    environment.changes_nothing(
        &["show", ""],
        2,
        "error: invalid instance name \"\"
caused by: it is empty
hint: choose a name of 1 to 40 of a-z, 0-9 and -, like alice
",
    );
    environment.changes_nothing(
        &["deploy", "alice", "bob", "alice"],
        2,
        "error: alice is named twice
hint: name each instance once
",
    );
}

#[test]
fn flags_and_commands() {
    let environment = Environment::new();
    environment.changes_nothing(
        &["deploy", "alice", "--typ", "cx33"],
        2,
        "error: unexpected argument '--typ' found

  tip: a similar argument exists: '--type'

Usage: clawberth deploy --type <TYPE> <NAME>...

For more information, try '--help'.
",
    );
    environment.changes_nothing(
        &["lost"],
        2,
        "error: unrecognized subcommand 'lost'

  tip: a similar subcommand exists: 'list'

Usage: clawberth [OPTIONS] <COMMAND>

For more information, try '--help'.
",
    );
    environment.changes_nothing(
        &["deploy"],
        2,
        "error: the following required arguments were not provided:
  <NAME>...

Usage: clawberth deploy <NAME>...

For more information, try '--help'.
",
    );
}

#[test]
fn server_types() {
    let environment = Environment::with_cloud();
    environment.changes_nothing(
        &["deploy", "alice", "--type", "cx32"],
        2,
        "error: unknown server type \"cx32\"
hint: did you mean cpx32 or cx23 or cx33?
",
    );
    environment.changes_nothing(
        &["deploy", "alice", "--type", "zzz"],
        2,
        "error: unknown server type \"zzz\"
hint: choose with --type: cx23, cx33, cx43, cpx22, cpx32, cpx42, cax11, cax21, cax31, ccx13, ccx23
",
    );
}

#[test]
fn locations() {
    let mut environment = Environment::with_cloud();
    environment.changes_nothing(
        &["deploy", "alice", "--location", "nbg"],
        2,
        "error: unknown location \"nbg\"
hint: did you mean nbg1?
",
    );
    environment.changes_nothing(
        &["deploy", "alice", "--location", "ash"],
        2,
        "error: location ash is outside the EU
hint: if that is meant, name it in clawberth.toml: locations = [\"ash\"]
",
    );
    environment.set("CLAWBERTH_LOCATIONS", "ash");
    environment.changes_nothing(
        &["deploy", "alice"],
        2,
        "error: server type cx23 cannot be had in ash
hint: it can be had in fsn1, hel1, nbg1; choose with --location, or another --type
",
    );
}

#[test]
fn images() {
    let mut environment = Environment::with_cloud();
    environment.set("CLAWBERTH_IMAGE", "debian-33");
    environment.changes_nothing(
        &["deploy", "alice"],
        2,
        "error: unknown image \"debian-33\"
hint: did you mean debian-13 or debian-12?
",
    );
}

#[test]
fn versions_that_nobody_has() {
    let mut environment = Environment::with_cloud();
    let _npm = Npm::of(&mut environment);
    environment.changes_nothing(
        &["deploy", "alice", "--version", "2027.1.2"],
        2,
        "error: there is no OpenClaw 2027.1.2
hint: did you mean 2027.1.2-1 or 2027.1.4 or 2027.1.3?
",
    );
    environment.changes_nothing(
        &["deploy", "alice", "--version", "2099.12.31"],
        2,
        "error: there is no OpenClaw 2099.12.31
hint: `clawberth releases` lists them
",
    );
    environment.changes_nothing(
        &["deploy", "alice", "--version", "2026.9"],
        2,
        "error: unknown OpenClaw version \"2026.9\"
caused by: invalid OpenClaw version \"2026.9\": it is not YEAR.MONTH.PATCH, with -N or -beta.N at most
hint: did you mean 2026.9.6 or 2026.9.5?
",
    );
}

#[test]
fn versions_that_cannot_be_run() {
    let mut environment = Environment::with_cloud();
    let _npm = Npm::of(&mut environment);
    environment.changes_nothing(
        &["deploy", "alice", "--version", "2027.1.3"],
        2,
        "error: OpenClaw 2027.1.3 runs on Node >=99, and $NPM/dist has none of these
hint: use another --version, or set node_mirror to one that has such a Node
",
    );
    environment.changes_nothing(
        &["deploy", "alice", "--version", "2026.8.2"],
        2,
        "error: OpenClaw 2026.8.2 is older than 2026.9.5, the oldest that this clawberth can configure
hint: use --version 2026.9.5 or newer
",
    );
    environment.changes_nothing(
        &["deploy", "alice", "--version", "2027.1.4"],
        2,
        "error: the npm registry's entry for OpenClaw 2027.1.4 is unusable
caused by: invalid integrity \"\": it is not sha512- and the base64 of 64 bytes
hint: use another --version
",
    );
    let plan = environment.run(&["deploy", "alice", "--version", "latest", "--dry-run"]).stdout;
    assert!(plan.contains("wait for the set-up: OpenClaw 2027.1.2-1 on Node 24.21.0\n"), "{plan}");
}

#[test]
fn registries() {
    let mut environment = Environment::with_cloud();
    environment.changes_nothing(
        &["deploy", "alice", "--version", "latest"],
        2,
        "error: no npm registry is configured
hint: run `npm config set registry URL`, set npm_config_registry, or leave out --version to take the newest tested \
         release
",
    );
    environment.set("npm_config_registry", "http://127.0.0.1:9");
    environment.changes_nothing(
        &["deploy", "alice", "--version", "latest"],
        2,
        "error: the npm registry gives no answer
caused by: error sending request for url (http://127.0.0.1:9/openclaw): client error (Connect): tcp connect error: \
         Connection refused (os error 111)
hint: leave out --version to take the newest tested release
",
    );
}

#[test]
fn admin_networks() {
    let mut environment = Environment::with_cloud();
    environment.set("CLAWBERTH_ADMIN_NETWORKS", "0.0.0.0/0");
    let hint = "give the addresses you work from, like \"203.0.113.7\"; for the whole internet write \"any\"";
    environment.changes_nothing(
        &["deploy", "alice"],
        2,
        &format!(
            "error: CLAWBERTH_ADMIN_NETWORKS is not usable
caused by: 0.0.0.0/0 would open SSH to the whole internet
hint: {hint}
"
        ),
    );
    environment.set("CLAWBERTH_ADMIN_NETWORKS", "any, 10.0.0.1");
    environment.changes_nothing(
        &["deploy", "alice"],
        2,
        &format!(
            "error: CLAWBERTH_ADMIN_NETWORKS is not usable\ncaused by: \"any\" stands alone\nhint: {hint}\n"
        ),
    );
    environment.unset("CLAWBERTH_ADMIN_NETWORKS");
    environment.changes_nothing(
        &["deploy", "alice"],
        2,
        "error: no admin networks
caused by: nothing says from which addresses SSH is allowed
hint: run `clawberth init`, or set CLAWBERTH_ADMIN_NETWORKS to the addresses you work from
",
    );
}

#[test]
fn the_configuration_file() {
    let mut environment = Environment::new();
    environment.write("here/clawberth.toml", "admin_network = \"any\"\n");
    environment.changes_nothing(
        &["list"],
        2,
        "error: unknown key `admin_network` in $DIR/here/clawberth.toml
hint: did you mean `admin_networks`?
",
    );
    environment.write("here/clawberth.toml", "# mine\nversion = \n");
    environment.changes_nothing(
        &["list"],
        2,
        "error: cannot read $DIR/here/clawberth.toml line 2
caused by: string values must be quoted, expected literal string
hint: mend the file; `clawberth init` shows every key
",
    );
    environment.changes_nothing(
        &["list", "--config", "no.toml"],
        2,
        "error: cannot read $DIR/here/no.toml
caused by: No such file or directory (os error 2)
hint: name another file with --config
",
    );
    environment.write("here/clawberth.toml", "");
    environment.set("HCLOUD_ENDPOINT", "api.hetzner.cloud");
    environment.changes_nothing(
        &["list"],
        2,
        "error: HCLOUD_ENDPOINT is no URL: \"api.hetzner.cloud\"
hint: write it as https://host/path
",
    );
}

#[test]
fn domains() {
    let environment = Environment::with_cloud();
    environment.changes_nothing(
        &["deploy", "alice", "--domain", "localhost"],
        2,
        "error: \"localhost\" is no domain
hint: give the name of a zone in your Hetzner project, like example.org
",
    );
    environment.changes_nothing(
        &["deploy", "alice", "--domain", "example.org"],
        2,
        "error: cannot use the domain example.org
caused by: the project has no zone example.org
hint: create the zone in the Hetzner Console and delegate the domain to it, or deploy without --domain
",
    );
    environment.make_zone();
    let record = serde_json::json!({ "name": "alice", "type": "A", "records": [{ "value": "192.0.2.1" }] });
    environment.ask("POST", "/zones/example.org/rrsets", Some(&record));
    environment.changes_nothing(
        &["deploy", "alice", "--domain", "example.org"],
        2,
        "error: alice.example.org is taken
caused by: the zone has an address record of that name that is not the fleet's
hint: remove the record alice.example.org, or choose another name
",
    );
}

/// What would end in a server without a certificate is refused before it is paid for.
#[test]
fn domains_without_a_certificate() {
    let environment = Environment::with_cloud();
    environment.make_zone();
    let deploy = ["deploy", "alice", "--domain", "example.org"];
    let caa = serde_json::json!({ "name": "@", "type": "CAA", "records": [{ "value": "0 issue \"digicert.com\"" }] });
    environment.ask("POST", "/zones/example.org/rrsets", Some(&caa));
    environment.changes_nothing(
        &deploy,
        2,
        "error: nobody would certify alice.example.org
caused by: its CAA records allow only digicert.com
hint: add the CAA record 0 issue \"letsencrypt.org\" to the others, or remove them; or deploy without --domain
",
    );
    let ours = serde_json::json!({ "records": [{ "value": "0 issue \"letsencrypt.org\"" }] });
    environment.ask("POST", "/zones/example.org/rrsets/@/CAA/actions/add_records", Some(&ours));
    let ns = serde_json::json!({ "name": "bob", "type": "NS", "records": [{ "value": "ns.example.net." }] });
    environment.ask("POST", "/zones/example.org/rrsets", Some(&ns));
    environment.changes_nothing(
        &["deploy", "alice", "bob", "--domain", "example.org"],
        2,
        "error: bob.example.org is taken
caused by: the zone has NS records of that name, so that other name servers are asked for it
hint: remove the record bob.example.org, or choose another name
",
    );
    let elsewhere = serde_json::json!({ "zone": {
        "id": 1, "name": "example.org", "mode": "primary",
        "authoritative_nameservers": {
            "assigned": ["hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com."],
            "delegated": ["ns.example.net."], "delegation_status": "invalid",
        },
    } });
    environment.cloud().play("GET /zones/example.org", Trick::Answer(200, elsewhere.to_string()));
    environment.changes_nothing(
        &deploy,
        2,
        "error: cannot use the domain example.org
caused by: the zone above names ns.example.net. as its name servers
hint: name hydrogen.ns.hetzner.com., oxygen.ns.hetzner.com. at its registrar, wait until the Hetzner Console shows that, and run the same again; or deploy without --domain
",
    );
    let dry_run = environment.run(&["deploy", "alice", "--domain", "example.org", "--dry-run"]);
    assert_eq!(dry_run.code, Some(0), "all is well now: {}", dry_run.stderr);
}

#[test]
fn unknown_instances() {
    let environment = Environment::with_cloud();
    for command in ["show", "open", "ssh", "destroy"] {
        environment.changes_nothing(
            &[command, "alise"],
            2,
            "error: no instance alise
hint: `clawberth list` shows the instances
",
        );
    }
    environment.create_alice();
    for command in ["show", "open", "ssh", "destroy"] {
        environment.changes_nothing(
            &[command, "alise"],
            2,
            "error: no instance alise\nhint: did you mean alice?\n",
        );
    }
}
