//! Another server stands at the address of ours, and would let us in: nobody even tries to log in there.

use std::process::Command;

use super::bed::Bed;

/// Leads this computer's SSH for one address to another one, as who sits between could.
struct Detour(String);

impl Detour {
    fn to(address: &str, other: &str) -> Self {
        let table = format!("stranger-{}", std::process::id());
        let detour = Self(table.clone());
        nft(&format!("add table ip {table}"));
        nft(&format!("add chain ip {table} output {{ type nat hook output priority -100; }}"));
        nft(&format!("add rule ip {table} output ip daddr {address} tcp dport 22 dnat to {other}"));
        detour
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        nft(&format!("delete table ip {}", self.0));
    }
}

fn nft(words: &str) {
    assert!(Command::new("nft").args(words.split(' ')).status().unwrap().success(), "nft {words}");
}

/// The other one knows the fleet's key, too; and tells in its log who tried what.
pub(super) fn is_not_talked_to(bed: &Bed, name: &str, other: &str) {
    let since = bed.on(
        other,
        "echo LogLevel DEBUG1 >/etc/ssh/sshd_config.d/05-debug.conf; systemctl reload ssh; sleep 1; date +%s",
    );
    {
        let _detour = Detour::to(&bed.address(name, "ipv4"), &bed.address(other, "ipv4"));
        is_told(bed, name);
    }
    let log = format!("journalctl --no-pager -u ssh --since @{} --output=cat", since.trim());
    let log = bed.on(other, &log);
    // the last one that came asked for the log
    let (log, _) = log.rsplit_once("\nConnection from").unwrap();
    let met = log.matches("\nConnection from").count();
    assert!(met > 5, "{met} connections met it:\n{log}");
    assert!(!log.contains("userauth-request"), "somebody tried to log in:\n{log}");
    bed.on(other, "rm /etc/ssh/sshd_config.d/05-debug.conf; systemctl reload ssh");
    bed.on(name, "true");
}

fn is_told(bed: &Bed, name: &str) {
    for words in [
        &["open", name][..],
        &["ssh", name, "--", "true"],
        &["audit", name],
        &["rotate", name, "token", "--yes"],
        &["rotate", name, "hostkey", "--yes"],
    ] {
        let output = bed.run(words);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let told = said.contains("another host key than the one pinned") && said.contains("nobody logged in");
        assert!(!output.status.success() && told, "{words:?}: {said}");
    }
    // one of several is left out
    let update = bed.run(&["update", name, "--os", "--bake", "0s", "--yes"]);
    let said = String::from_utf8_lossy(&update.stdout);
    assert!(said.contains("skipped") && said.contains("nobody logged in there"), "{said}");
}
