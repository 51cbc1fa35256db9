//! On a fresh server all that is promised holds; and whoever breaks a promise on it breaks that line of the audit, and no other.

use std::collections::BTreeSet;

use clawberth::model::audit::Promise;
use jiff::Timestamp;

use super::bed::Bed;
use super::breakage::{Shows, breaking, mending};
use super::outside;

pub(super) const NAME: &str = "alice";
pub(super) const OTHER: &str = "bob";
/// What the file says of the first one from the beginning.
pub(super) const POLICY: &str =
    "[instance.alice.policy]\ndeny_tools = ['web_fetch']\negress = 'models-only'\n";

/// One thing that somebody does to a server.
struct Break {
    what: &'static str,
    does: &'static str,
    mends: &'static str,
    /// The promises that do not hold then.
    fails: &'static [&'static str],
}

/// A setting of the gateway's is changed by its own command, and may take a restart.
macro_rules! setting {
    ($what:literal, $broken:literal, $good:literal, $fails:expr) => {
        Break {
            what: $what,
            does: concat!("echo '", $broken, "' | openclaw config patch --stdin"),
            mends: concat!("echo '", $good, "' | openclaw config patch --stdin"),
            fails: $fails,
        }
    };
}

const BREAKS: &[Break] = &[
    Break {
        what: "the certificate runs out",
        does: "sed -i 's/profile shortlived$/&\\n\\t\\t\\tlifetime 24h/' /etc/caddy/Caddyfile; systemctl stop caddy
            mv /var/lib/caddy/.local/share/caddy/certificates /root/; systemctl start caddy
            until timeout 5 openssl s_client -connect $(cat /etc/clawberth/host):443 </dev/null 2>/dev/null | grep -q BEGIN; do sleep 0.5; done",
        mends: "sed -i '/lifetime 24h/d' /etc/caddy/Caddyfile; systemctl stop caddy
            rm -r /var/lib/caddy/.local/share/caddy/certificates; mv /root/certificates /var/lib/caddy/.local/share/caddy/
            systemctl start caddy",
        fails: &["certificate"],
    },
    Break {
        what: "the way to the gateway is barred",
        does: "sed -i 's|^\tencode zstd gzip$|&\\n\trespond /readyz 503|' /etc/caddy/Caddyfile; systemctl restart caddy",
        mends: "sed -i '/respond .readyz 503/d' /etc/caddy/Caddyfile; systemctl restart caddy",
        fails: &["serving"],
    },
    Break {
        what: "the gateway asks nobody for a token",
        does: "echo '{ gateway: { auth: { mode: \"none\" } } }' | openclaw config patch --stdin; systemctl restart openclaw",
        mends: "echo '{ gateway: { auth: { mode: \"token\" } } }' | openclaw config patch --stdin; systemctl restart openclaw",
        fails: &["auth", "own-audit"],
    },
    Break {
        what: "nobody refuses a stranger",
        does: "sed -i 's|^\tencode zstd gzip$|&\\n\t@socket header Upgrade websocket\\n\trespond @socket 200|' /etc/caddy/Caddyfile; systemctl restart caddy",
        mends: "sed -i '/@socket/d' /etc/caddy/Caddyfile; systemctl restart caddy",
        fails: &["strangers"],
    },
    Break {
        what: "a session that is recorded can be read one day",
        does: "sed -i 's/^KexAlgorithms .*/&,curve25519-sha256/' /etc/ssh/sshd_config.d/10-clawberth.conf; systemctl reload ssh",
        mends: "sed -i 's/,curve25519-sha256//' /etc/ssh/sshd_config.d/10-clawberth.conf; systemctl reload ssh",
        fails: &["sshd"],
    },
    Break {
        what: "Caddy serves whatever name is asked for",
        does: "sed -i 's/^\tabort$/\trespond 200/' /etc/caddy/Caddyfile; systemctl restart caddy",
        mends: "sed -i 's/^\trespond 200$/\tabort/' /etc/caddy/Caddyfile; systemctl restart caddy",
        fails: &["names"],
    },
    Break {
        what: "the tools interface is opened",
        does: "sed -i 's/^\trespond @closed 404$/\t#&/' /etc/caddy/Caddyfile; systemctl restart caddy",
        mends: "sed -i 's/^\t#\trespond @closed/\trespond @closed/' /etc/caddy/Caddyfile; systemctl restart caddy",
        fails: &["tools"],
    },
    Break {
        what: "requests may be as long as they like",
        does: "sed -i 's/^\trespond @long 413$/\t#&/' /etc/caddy/Caddyfile; systemctl restart caddy",
        mends: "sed -i 's/^\t#\trespond @long/\trespond @long/' /etc/caddy/Caddyfile; systemctl restart caddy",
        fails: &["body-size"],
    },
    Break {
        what: "a second host key",
        does: "ssh-keygen -q -t ecdsa -N '' -f /etc/ssh/ssh_host_ecdsa_key",
        mends: "rm /etc/ssh/ssh_host_ecdsa_key*",
        fails: &["host-key"],
    },
    Break {
        what: "the injected host key is there once more",
        does: "ssh-keygen -q -t ed25519 -N '' -f /root/injected; cat /root/injected >/var/lib/cloud/instance/user-data.txt",
        mends: "rm /root/injected* /var/lib/cloud/instance/user-data.txt",
        fails: &["own-host-key"],
    },
    Break {
        what: "sshd takes a host key from elsewhere",
        does: "ssh-keygen -q -t ecdsa -N '' -f /root/elsewhere; echo HostKey /root/elsewhere >>/etc/ssh/sshd_config.d/10-clawberth.conf; systemctl reload ssh",
        mends: "sed -i '/elsewhere/d' /etc/ssh/sshd_config.d/10-clawberth.conf; rm /root/elsewhere*; systemctl reload ssh",
        fails: &["own-host-key"],
    },
    Break {
        what: "cloud-init runs at the next boot",
        does: "rm /etc/cloud/cloud-init.disabled",
        mends: "touch /etc/cloud/cloud-init.disabled",
        fails: &["own-host-key"],
    },
    Break {
        what: "passwords log in",
        does: "echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/05-break.conf; systemctl reload ssh",
        mends: "rm /etc/ssh/sshd_config.d/05-break.conf; systemctl reload ssh",
        fails: &["sshd"],
    },
    Break {
        what: "everybody may log in",
        does: "sed -i '/^AllowUsers/d' /etc/ssh/sshd_config.d/10-clawberth.conf; systemctl reload ssh",
        mends: "echo 'AllowUsers root' >>/etc/ssh/sshd_config.d/10-clawberth.conf; systemctl reload ssh",
        fails: &["sshd"],
    },
    Break {
        what: "a stranger's key",
        does: "ssh-keygen -q -t ed25519 -N '' -C stranger -f /root/stranger; cat /root/stranger.pub >>/root/.ssh/authorized_keys",
        mends: "sed -i '/stranger/d' /root/.ssh/authorized_keys; rm /root/stranger*",
        fails: &["keys"],
    },
    Break {
        what: "a key for the gateway's user",
        does: "mkdir /var/lib/openclaw/.ssh; cp /root/.ssh/authorized_keys /var/lib/openclaw/.ssh/",
        mends: "rm -r /var/lib/openclaw/.ssh",
        fails: &["keys"],
    },
    Break {
        what: "a password for root",
        does: "echo root:secret | chpasswd",
        mends: "usermod -p '*' root",
        fails: &["passwords"],
    },
    Break {
        what: "a second root",
        does: "useradd -o -u 0 -M eve",
        mends: "sed -i '/^eve:/d' /etc/passwd /etc/shadow",
        fails: &["passwords"],
    },
    Break {
        what: "the host's firewall lets another port in",
        does: "nft add rule inet clawberth input tcp dport 8080 accept",
        mends: "nft -f /etc/nftables.conf",
        fails: &["host-firewall"],
    },
    Break {
        what: "another network may use SSH",
        does: "nft add element inet clawberth admin4 '{ 203.0.113.0/24 }'",
        mends: "nft -f /etc/nftables.conf",
        fails: &["host-firewall"],
    },
    Break {
        what: "the host's firewall is gone",
        does: "nft delete table inet clawberth",
        mends: "nft -f /etc/nftables.conf",
        fails: &["connections", "egress", "host-firewall", "metadata"],
    },
    Break {
        what: "one address may take all connections",
        does: "nft insert rule inet clawberth input tcp dport 443 accept",
        mends: "nft -f /etc/nftables.conf",
        fails: &["connections"],
    },
    Break {
        what: "the metadata service is opened",
        does: "nft flush chain inet clawberth output",
        mends: "nft -f /etc/nftables.conf",
        fails: &["metadata"],
    },
    Break {
        what: "the gateway is let out, whatever its policy says",
        does: "nft insert rule inet clawberth egress accept",
        mends: "nft -f /etc/nftables.conf",
        fails: &["egress"],
    },
    Break {
        what: "the proxy lets another name through",
        does: "echo example.org >>/etc/clawberth/policy/egress.names; systemctl restart clawberth-egress",
        mends: "sed -i '/example.org/d' /etc/clawberth/policy/egress.names; systemctl restart clawberth-egress",
        fails: &["egress", "policy"],
    },
    Break {
        what: "the proxy is gone",
        does: "systemctl stop clawberth-egress",
        mends: "systemctl start clawberth-egress",
        fails: &["egress"],
    },
    Break {
        what: "something listens",
        does: "systemd-run --quiet --unit=listener /opt/node/current/bin/node -e 'require(\"net\").createServer().listen(8080)'; sleep 1",
        mends: "systemctl stop listener",
        fails: &["listeners"],
    },
    Break {
        what: "the gateway's unit is opened",
        does: "mkdir -p /run/systemd/system/openclaw.service.d; printf '[Service]\\nProtectSystem=no\\nPrivateDevices=no\\n' >/run/systemd/system/openclaw.service.d/break.conf; systemctl daemon-reload",
        mends: "rm /run/systemd/system/openclaw.service.d/break.conf; systemctl daemon-reload",
        fails: &["gateway-unit"],
    },
    Break {
        what: "Caddy's unit is opened",
        does: "mkdir -p /run/systemd/system/caddy.service.d; printf '[Service]\\nProtectSystem=no\\nProtectHome=no\\nRestrictNamespaces=no\\n' >/run/systemd/system/caddy.service.d/zz.conf; systemctl daemon-reload",
        mends: "rm /run/systemd/system/caddy.service.d/zz.conf; systemctl daemon-reload",
        fails: &["caddy-unit"],
    },
    Break {
        what: "the gateway's user gets a group",
        does: "usermod -aG adm openclaw",
        mends: "gpasswd -d openclaw adm",
        fails: &["gateway-user"],
    },
    Break {
        what: "something runs programs, and no policy wants it",
        does: "systemd-run --quiet --unit=openclaw-sandbox sleep infinity",
        mends: "systemctl stop openclaw-sandbox",
        fails: &["sandbox"],
    },
    Break {
        what: "the gateway may dump its memory",
        does: "mkdir -p /run/systemd/system/openclaw.service.d; printf '[Service]\\nLimitCORE=infinity\\n' >/run/systemd/system/openclaw.service.d/break.conf; systemctl daemon-reload",
        mends: "rm /run/systemd/system/openclaw.service.d/break.conf; systemctl daemon-reload",
        fails: &["core-dumps"],
    },
    Break {
        what: "others may enter the state",
        does: "chmod 0711 /var/lib/openclaw",
        mends: "chmod 0700 /var/lib/openclaw",
        fails: &["state"],
    },
    Break {
        what: "everybody reads the configuration",
        does: "chmod 0644 /var/lib/openclaw/.openclaw/openclaw.json",
        mends: "chmod 0600 /var/lib/openclaw/.openclaw/openclaw.json",
        fails: &["own-audit", "state"],
    },
    Break {
        what: "a rotation was cut off",
        does: "umask 077; echo '{ \"token\": \"old\" }' >/var/lib/clawberth/rotated.json",
        mends: "rm /var/lib/clawberth/rotated.json",
        fails: &["rotation"],
    },
    Break {
        what: "everybody writes a program",
        does: "chmod o+w /usr/local/bin/openclaw",
        mends: "chmod o-w /usr/local/bin/openclaw",
        fails: &["programs"],
    },
    Break {
        what: "the gateway owns a program",
        does: "chown openclaw /opt/node/current/bin/node",
        mends: "chown root /opt/node/current/bin/node",
        fails: &["programs"],
    },
    Break {
        what: "updates stop",
        does: "systemctl stop unattended-upgrades",
        mends: "systemctl start unattended-upgrades",
        fails: &["updates"],
    },
    Break {
        what: "an update waits for a restart",
        does: "echo linux-image >/run/reboot-required.pkgs; touch /run/reboot-required",
        mends: "rm /run/reboot-required*",
        fails: &["restart"],
    },
    Break {
        what: "the journal has no limit",
        does: "mv /etc/systemd/journald.conf.d/clawberth.conf /root/",
        mends: "mv /root/clawberth.conf /etc/systemd/journald.conf.d/",
        fails: &["disk"],
    },
    setting!(
        "an address is believed that a client sends",
        "{ gateway: { allowRealIpFallback: true } }",
        "{ gateway: { allowRealIpFallback: false } }",
        &["auth"]
    ),
    setting!(
        "another page may use the gateway",
        "{ gateway: { controlUi: { embedSandbox: \"scripts\" } } }",
        "{ gateway: { controlUi: { embedSandbox: \"strict\" } } }",
        &["origins"]
    ),
    setting!(
        "all senders share a session",
        "{ session: { dmScope: \"main\" } }",
        "{ session: { dmScope: \"per-channel-peer\" } }",
        &["sessions"]
    ),
    setting!(
        "there is a terminal",
        "{ gateway: { terminal: { enabled: true } } }",
        "{ gateway: { terminal: { enabled: false } } }",
        &["shell"]
    ),
    setting!(
        "a skill is allowed",
        "{ skills: { allowBundled: [\"github\"] } }",
        "{ skills: { allowBundled: [] } }",
        &["skills"]
    ),
    setting!(
        "a tool is there that the policy takes away",
        "{ tools: { deny: [\"group:automation\"] } }",
        "{ tools: { deny: [\"group:automation\", \"group:runtime\", \"group:fs\", \"sessions_spawn\", \"sessions_send\", \"web_fetch\"] } }",
        &["policy"]
    ),
    setting!(
        "it reports home",
        "{ telemetry: { enabled: true } }",
        "{ telemetry: { enabled: false } }",
        &["telemetry"]
    ),
    Break {
        what: "another instance's token",
        does: "cp -p /var/lib/openclaw/secrets.json /root/own.json; cat /root/others.json >/var/lib/openclaw/secrets.json; systemctl restart openclaw",
        mends: "cat /root/own.json >/var/lib/openclaw/secrets.json; rm /root/own.json; systemctl restart openclaw",
        fails: &["token"],
    },
];

#[test]
#[ignore = "half an hour: `make audit-matrix`"]
fn each_break_fails_exactly_its_own_line() {
    let Some(bed) = Bed::up() else { return };
    bed.ok(&["deploy", NAME, OTHER, "--yes"]);
    std::fs::write(bed.scratch("clawberth.toml"), POLICY).unwrap();
    bed.ok(&["apply", NAME, "--bake", "0s", "--yes"]);
    let secrets = bed.on(OTHER, "cat /var/lib/openclaw/secrets.json");
    bed.on(NAME, &format!("umask 077; echo '{}' >/root/others.json", secrets.trim()));
    let mut matrix = Matrix { bed: &bed, time: None, broken: BTreeSet::new(), seen: 0, wrong: Vec::new() };
    assert_eq!(matrix.look(NAME, &BTreeSet::new()), BTreeSet::new(), "on a fresh server all holds");

    for one in BREAKS {
        matrix.on(one.what, one.does, one.mends, one.fails);
    }
    another_release(&mut matrix);
    outside::breaks(&mut matrix);
    assert_eq!(matrix.look(NAME, &BTreeSet::new()), BTreeSet::new(), "all is mended");
    assert!(matrix.wrong.is_empty(), "{}", matrix.wrong.join("\n"));
    let all: BTreeSet<String> = Promise::ALL.iter().map(ToString::to_string).collect();
    // only who has a name promises it, and `named` breaks it
    matrix.broken.insert(Promise::Hsts.to_string());
    let never: Vec<&String> = all.difference(&matrix.broken).collect();
    assert!(never.is_empty(), "nothing breaks {never:?}");
    eprintln!("audit-matrix: ok ({} promises, {} breaks seen)", Promise::ALL.len(), matrix.seen);
    bed.ok(&["destroy", "--all", "--yes"]);
}

/// Who only rewrites its version has a gateway that does not start: a newer one has written its configuration.
fn another_release(matrix: &mut Matrix<'_>) {
    let code = include_str!("breakages/says-another-version.js");
    let [does, mends] =
        [breaking(code, Shows::Always), mending()].map(|it| it + "systemctl restart openclaw");
    matrix.on("it runs another release than that of the record", &does, &mends, &["release"]);
}

/// The breaks that were seen so far.
pub(super) struct Matrix<'a> {
    pub(super) bed: &'a Bed,
    /// When it is; none: now.
    pub(super) time: Option<Timestamp>,
    /// The promises that some break broke.
    broken: BTreeSet<String>,
    seen: usize,
    wrong: Vec<String>,
}

impl Matrix<'_> {
    /// Breaks and mends something on the server.
    pub(super) fn on(&mut self, what: &str, does: &str, mends: &str, fails: &[&str]) {
        // a break that stops half-way breaks something else
        self.bed.on(NAME, &format!("set -e\n{does}"));
        self.ready();
        self.see(what, fails);
        self.bed.on(NAME, &format!("set -e\n{mends}"));
        self.ready();
    }

    /// Holds what does not hold against what should not.
    pub(super) fn see(&mut self, what: &str, fails: &[&str]) {
        self.see_of(NAME, what, fails);
    }

    /// The same of another instance.
    pub(super) fn see_of(&mut self, name: &str, what: &str, fails: &[&str]) {
        let expected: BTreeSet<String> = fails.iter().map(|promise| (*promise).to_owned()).collect();
        let broken = self.look(name, &expected);
        eprintln!("{what}: {broken:?}");
        if broken == expected {
            self.seen += 1;
        } else {
            self.wrong.push(format!("{what}: {broken:?}, not {expected:?}"));
        }
        self.broken.extend(broken);
    }

    /// What does not hold. A busy computer may keep a gateway from answering in time: what is not as expected is looked at once more.
    fn look(&self, name: &str, expected: &BTreeSet<String>) -> BTreeSet<String> {
        let broken = self.fails_of(name);
        if broken == *expected { broken } else { self.fails_of(name) }
    }

    /// The promises of the broken one that do not hold, and those of the other one, to whom nothing was done. A token that two have is
    /// told of both, and the fleet has one firewall.
    fn fails_of(&self, name: &str) -> BTreeSet<String> {
        let mut command = self.bed.command(&["audit", name, OTHER, "--json"]);
        command.envs(self.time.map(|time| ("CLAWBERTH_NOW", time.to_string())));
        let output = command.output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let mut broken = BTreeSet::new();
        for instance in answer["instances"].as_array().unwrap() {
            for finding in instance["promises"].as_array().unwrap() {
                if finding["verdict"] != "ok" {
                    let promise = finding["promise"].as_str().unwrap();
                    let is_of_both = ["token", "cloud-firewall"].contains(&promise);
                    let is_told = is_of_both || instance["name"] == name;
                    broken.insert(if is_told { promise.to_owned() } else { format!("{OTHER}: {finding}") });
                }
            }
        }
        broken
    }

    /// A change of the configuration may have restarted the gateway.
    fn ready(&self) {
        self.bed.on(
            NAME,
            "sleep 1; for _ in $(seq 300); do
                ! curl -s http://127.0.0.1:18789/readyz | grep -q '\"ready\":true' || exit 0; sleep 0.2
            done; journalctl --no-pager --lines 60 --unit openclaw; exit 1",
        );
    }
}
