//! To whom the dashboard opens, where a policy says so: real Caddy, seen by strangers, by who knows the password, and by who has a
//! certificate of the office's.

use std::process::Command;

use super::bed::Bed;
use super::parts::NAME;

const PASSWORD: &str = "canary of the dashboard";

#[test]
#[ignore = "four minutes: `make test-policy`"]
fn the_dashboard_opens_to_whom_its_policy_says_and_to_nobody_else() {
    let Some(bed) = Bed::up() else { return };
    bed.ok(&["deploy", NAME, "--yes"]);
    let seen = World::of(&bed);
    seen.is("200", &["/"], "whoever has the token may see the page");
    from_networks_and_for_webhooks(&seen);
    with_a_password(&seen);
    with_a_certificate(&seen);
    govern(&bed, "tools = 'messaging'");
    seen.is("200", &["/"], "without a limit it opens again");
    bed.ok(&["destroy", NAME, "--yes"]);
}

/// The gateway, as somebody on the internet sees it.
struct World<'a> {
    bed: &'a Bed,
    origin: String,
}

impl<'a> World<'a> {
    fn of(bed: &'a Bed) -> Self {
        Self { bed, origin: format!("https://{}", bed.address(NAME, "ipv4")) }
    }

    /// The status of an answer; `000` where there is none. The first word is the path.
    fn asks(&self, words: &[&str]) -> String {
        let Some((path, rest)) = words.split_first() else { return String::new() };
        let (root, url) = (self.bed.variable("CLAWBERTH_ACME_ROOT"), format!("{}{path}", self.origin));
        let curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--http1.1", "--max-time", "10"];
        let place = ["--path-as-is", "--cacert", root, &url];
        let output = self.bed.seen_from("world", &[&curl[..], &place, rest].concat());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn is(&self, status: &str, words: &[&str], why: &str) {
        assert_eq!(self.asks(words), status, "{why}: {words:?}");
    }
}

/// Brings a policy; all that is promised holds then.
fn govern(bed: &Bed, policy: &str) {
    std::fs::write(bed.scratch("clawberth.toml"), format!("[policy]\n{policy}\n")).unwrap();
    for words in [&["apply", NAME, "--bake", "0s", "--yes"][..], &["audit", NAME, "--fail-on", "warn"]] {
        let output = bed.command(words).env("DASHBOARD", PASSWORD).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{words:?}: {said}");
        assert!(!said.contains(PASSWORD), "a password was told");
    }
}

const SOCKET: [&str; 4] = ["-H", "Upgrade: websocket", "-H", "Connection: Upgrade"];

fn from_networks_and_for_webhooks(seen: &World<'_>) {
    govern(seen.bed, "dashboard = { from = ['203.0.113.0/24'], webhooks = ['/googlechat'] }");
    seen.is("403", &["/"], "the page");
    seen.is("403", &[&["/"][..], &SOCKET].concat(), "its WebSocket");
    seen.is("200", &["/readyz"], "readiness is told");
    seen.is("403", &[&["/readyz"][..], &SOCKET].concat(), "and is no way to a WebSocket");
    for path in ["//readyz", "/READYZ", "/readyz/", "/readyz/../", "/googlechat"] {
        seen.is("403", &[path], "no other path leads to the page");
    }
    assert_ne!(seen.asks(&["/googlechat", "-X", "POST"]), "403", "a webhook is let in");
    seen.is("404", &["/googlechat/../v1/models", "-X", "POST"], "and is no way to what is closed");
    let world = seen.bed.seen_from("world", &["ip", "-4", "-brief", "address"]);
    let address = String::from_utf8_lossy(&world.stdout).into_owned();
    let address = address.split_whitespace().find(|word| word.contains('/') && !word.starts_with("127."));
    let from = format!("dashboard.from = ['{}']", address.unwrap());
    govern(seen.bed, &from);
    seen.is("200", &["/"], "who comes from a network that is named");
}

fn with_a_password(seen: &World<'_>) {
    govern(seen.bed, "dashboard.password = 'env:DASHBOARD'");
    seen.is("401", &["/"], "who gives none");
    seen.is("401", &["/", "-u", "openclaw:wrong"], "who gives another");
    seen.is("200", &["/", "-u", &format!("openclaw:{PASSWORD}")], "who gives it");
    seen.is("200", &["/readyz"], "readiness is told");
    let found = "grep -rl 'canary of the dashboard' /etc /var/lib /var/log /run /root 2>/dev/null || true";
    assert_eq!(seen.bed.on(NAME, found), "", "the server has its hash only");
}

fn with_a_certificate(seen: &World<'_>) {
    let bed = seen.bed;
    let file = |name: &str| bed.scratch(name).to_str().unwrap().to_owned();
    let openssl = |words: &str| {
        let status = Command::new("openssl").args(words.split(' ')).current_dir(bed.scratch(".")).output();
        assert!(status.unwrap().status.success(), "openssl {words}");
    };
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9";
    openssl(&format!("req -x509 {new} -keyout office.key -out office.pem -subj /CN=office"));
    openssl(&format!("req -x509 {new} -keyout other.key -out other.pem -subj /CN=other"));
    openssl(&format!(
        "req -x509 {new} -CA office.pem -CAkey office.key -keyout one.key -out one.pem -subj /CN=one"
    ));
    let office = std::fs::read_to_string(bed.scratch("office.pem")).unwrap();
    govern(bed, &format!("dashboard.authorities = '''\n{office}'''"));
    seen.is("403", &["/"], "who has none");
    let with = |name: &str| [file(&format!("{name}.pem")), file(&format!("{name}.key"))];
    let [pem, key] = with("one");
    seen.is("200", &["/", "--cert", &pem, "--key", &key], "who has one of the office's");
    let [pem, key] = with("other");
    seen.is("000", &["/", "--cert", &pem, "--key", &key], "who has another");
    seen.is("200", &["/readyz"], "readiness is told");
}
