//! What breaks a promise beyond the server: at Hetzner, on the way to it, in a stranger's browser, on another continent.

use jiff::{SignedDuration, Timestamp};

use super::audit::{Matrix, NAME, OTHER, POLICY};
use super::bed::Bed;
use super::browser;

/// Listens where nobody should, in the words of a shell.
const LISTENER: &str = "systemd-run --quiet --unit=listener /opt/node/current/bin/node -e";
const GONE: &str = "systemctl stop listener; nft -f /etc/nftables.conf";

pub(super) fn breaks(matrix: &mut Matrix<'_>) {
    ports(matrix);
    old_tls(matrix);
    at_hetzner(matrix);
    unprotected(matrix);
    a_strangers_browser(matrix);
    a_dashboard_for_others(matrix);
    overseas(matrix);
}

/// A port that is open all the way.
fn ports(matrix: &mut Matrix<'_>) {
    for (promise, protocol, port, source, listener, family) in [
        ("tcp4", "tcp", "8080", "0.0.0.0/0", "net.createServer().listen(8080, \"0.0.0.0\")", "ipv4"),
        (
            "tcp6",
            "tcp",
            "8080",
            "::/0",
            "net.createServer().listen({ port: 8080, host: \"::\", ipv6Only: true })",
            "ipv6",
        ),
        (
            "udp",
            "udp",
            "123",
            "0.0.0.0/0",
            "let socket = dgram.createSocket(\"udp4\"); socket.on(\"message\", (text, from) => socket.send(text, from.port, from.address)).bind(123)",
            "ipv4",
        ),
    ] {
        let rule = ["--direction", "in", "--protocol", protocol, "--port", port, "--source-ips", source];
        let firewall = id(matrix.bed, "firewall", "");
        matrix.bed.hcloud(&[&["firewall", "add-rule", &firewall], &rule[..]].concat());
        let does = format!(
            "{LISTENER} '{listener}'; nft add rule inet clawberth input meta nfproto {family} {protocol} dport {port} accept; sleep 1"
        );
        let what = format!("{protocol} port {port} is open to {source}");
        let fails = ["cloud-firewall", "host-firewall", "listeners", promise];
        matrix.on(&what, &does, GONE, &fails);
        matrix.bed.hcloud(&[&["firewall", "delete-rule", &firewall], &rule[..]].concat());
    }
}

/// Caddy cannot speak it, so something before it does.
fn old_tls(matrix: &mut Matrix<'_>) {
    let address = matrix.bed.address(NAME, "ipv4");
    let does = format!(
        "certificate=$(find /var/lib/caddy -name '{address}.crt')
        cat >/root/old.js <<'END'
const net = require(\"net\"), tls = require(\"tls\"), fs = require(\"fs\");
const [, , certificate, address] = process.argv;
const old = tls.createServer({{
    cert: fs.readFileSync(certificate), key: fs.readFileSync(certificate.replace(/crt$/, \"key\")),
    minVersion: \"TLSv1.1\", maxVersion: \"TLSv1.1\", ciphers: \"ALL:@SECLEVEL=0\",
}});
old.on(\"tlsClientError\", () => {{}});
net.createServer((client) => {{
    client.on(\"error\", () => {{}});
    client.once(\"data\", (hello) => {{
        client.pause();
        client.unshift(hello);
        const supported = hello.includes(Buffer.from([0, 43, 0]));
        if (hello[9] === 3 && hello[10] === 2 && !supported) return old.emit(\"connection\", client);
        const caddy = net.connect({{ host: address, port: 443, localAddress: address }});
        caddy.on(\"error\", () => client.destroy());
        client.pipe(caddy).pipe(client);
    }});
}}).listen(8443, \"0.0.0.0\");
END
        systemd-run --quiet --unit=listener /opt/node/current/bin/node /root/old.js \"$certificate\" {address}
        nft add rule inet clawberth input tcp dport 8443 accept
        nft add table ip old
        nft 'add chain ip old before {{ type nat hook prerouting priority dstnat; }}'
        nft add rule ip old before iif != lo tcp dport 443 redirect to :8443; sleep 1"
    );
    let mends = format!("nft delete table ip old; rm /root/old.js; {GONE}");
    matrix.on("TLS 1.1 is spoken", &does, &mends, &["host-firewall", "listeners", "tls"]);
}

/// What somebody does in the Console.
fn at_hetzner(matrix: &mut Matrix<'_>) {
    let bed = matrix.bed;
    let (server, firewall) = (id(bed, "server", NAME), id(bed, "firewall", ""));
    let rule = ["--direction", "in", "--protocol", "tcp", "--port", "8080", "--source-ips", "0.0.0.0/0"];
    for (does, mends, promise) in [
        (
            [&["firewall", "add-rule", &firewall], &rule[..]].concat(),
            [&["firewall", "delete-rule", &firewall], &rule[..]].concat(),
            "cloud-firewall",
        ),
        (
            vec!["server", "remove-label", &server, "openclaw"],
            vec!["server", "add-label", &server, "openclaw=2026.9.6"],
            "dedicated",
        ),
    ] {
        bed.hcloud(&does);
        matrix.see(&does.join(" "), &[promise]);
        bed.hcloud(&mends);
    }
}

/// Two days later both are to be protected, and somebody takes that off.
fn unprotected(matrix: &mut Matrix<'_>) {
    matrix.time = Some(Timestamp::now() + SignedDuration::from_hours(48));
    let bed = matrix.bed;
    let server = |name: &str| bed.json(&["show", name]).pointer("/server/id").unwrap().to_string();
    let protect =
        |name: &str| bed.hcloud(&["server", "enable-protection", &server(name), "delete", "rebuild"]);
    protect(OTHER);
    matrix.see("the server can be deleted by mistake", &["protection"]);
    protect(NAME);
    matrix.see("and now it cannot", &[]);
    matrix.time = None;
}

/// The number of what is named so, or of the only one that there is.
fn id(bed: &Bed, kind: &str, end: &str) -> String {
    let list = bed.hcloud(&[kind, "list", "-o", "noheader", "-o", "columns=id,name"]);
    let line = list.lines().find(|line| line.trim_end().ends_with(end)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

/// Whoever has found the token asks to be let in with a device of their own.
fn a_strangers_browser(matrix: &mut Matrix<'_>) {
    let bed = matrix.bed;
    let token = "require(\"/var/lib/openclaw/secrets.json\").gateway.token";
    let token = bed.on(NAME, &format!("/opt/node/current/bin/node -p '{token}'"));
    let page = format!("https://{}/#token={}", bed.address(NAME, "ipv4"), token.trim());
    browser::visit(bed, &[(&page, "approv")]);
    matrix.see("a stranger's device asks to be paired", &["devices"]);
    bed.on(
        NAME,
        "openclaw devices list --json >/root/devices
        for request in $(/opt/node/current/bin/node -p 'JSON.parse(fs.readFileSync(\"/root/devices\")).pending.map((one) => one.requestId).join(\" \")'); do
            openclaw devices reject \"$request\"
        done; rm /root/devices",
    );
}

/// Its policy lets in a network that this computer is not in, and Caddy forgets that.
fn a_dashboard_for_others(matrix: &mut Matrix<'_>) {
    let policy = format!("{POLICY}dashboard.from = ['192.0.2.0/24']\n");
    std::fs::write(matrix.bed.scratch("clawberth.toml"), policy).unwrap();
    matrix.bed.ok(&["apply", NAME, "--bake", "0s", "--yes"]);
    matrix.see("this computer is kept from the dashboard", &[]);
    let does = "sed -i '/policy.*site$/s/^/#/' /etc/caddy/Caddyfile; systemctl restart caddy";
    let mends = "sed -i '/policy.*site$/s/^#//' /etc/caddy/Caddyfile; systemctl restart caddy";
    matrix.on("the dashboard opens to whom its policy does not name", does, mends, &["dashboard"]);
}

/// Nobody can move a server, so another one is made where `locations` once said that it may be.
fn overseas(matrix: &mut Matrix<'_>) {
    let bed = matrix.bed;
    let mut deploy = bed.command(&["deploy", "carol", "--type", "cpx22", "--yes"]);
    let output = deploy.env("CLAWBERTH_LOCATIONS", "ash").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    matrix.see_of("carol", "it stands in Ashburn, and nothing says that it may", &["location"]);
    bed.ok(&["destroy", "carol", "--yes"]);
}
