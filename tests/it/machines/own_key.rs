//! A server lets the fleet's new key in and no more the old one; and shows the host key that it has made itself, and of the injected one nothing is left on it, at any boot.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bed::Bed;

/// Longest way from the order to start anew until SSH answers again.
const BOOT: Duration = Duration::from_secs(120);

/// A line of the injected key's private half, which the metadata service tells root for ever; and the files that have it.
const INJECTED: &str = "line=$(curl -fs -m 5 http://169.254.169.254/hetzner/v1/userdata | \
    sed -n '/BEGIN OPENSSH PRIVATE KEY/,/END OPENSSH/p' | sed -n 5p | tr -d ' ')
    [ ${#line} -ge 60 ] || echo \"no key in the user data: $line\"
    find / -xdev -type f -print0 | xargs -0 grep -lFs -e \"$line\"
    find /run -type f -print0 | xargs -0 grep -lFs -e \"$line\"
    ls /etc/ssh/ssh_host_* 2>/dev/null";

pub(super) fn is_shown_at_every_boot(bed: &Bed, name: &str) {
    is_shown(bed, name);
    is_replaced(bed, name);
    starts_anew(bed, name);
    is_shown(bed, name);
    // its gateway takes a moment longer
    bed.ok(&["deploy", name, "--yes"]);
}

/// Another one takes its place.
fn is_replaced(bed: &Bed, name: &str) {
    let keys = "cut -d ' ' -f 2 /etc/ssh/*_host_*_key.pub";
    let before = bed.on(name, keys);
    bed.ok(&["rotate", name, "hostkey", "--yes"]);
    is_shown(bed, name);
    let after = bed.on(name, keys);
    assert_eq!((before.lines().count(), after.lines().count()), (1, 1), "{before}{after}");
    assert_ne!(before, after);
}

fn is_shown(bed: &Bed, name: &str) {
    let shown = bed.json(&["show", name]);
    let server = shown.get("server").unwrap();
    assert_eq!(server.get("own_host_key").unwrap(), true, "{server}");
    let pinned = server.get("host_key").unwrap().as_str().unwrap();
    let scan = Command::new("ssh-keyscan").arg(bed.address(name, "ipv4")).output().unwrap();
    let (keys, said) = (String::from_utf8_lossy(&scan.stdout), String::from_utf8_lossy(&scan.stderr));
    let keys = keys.lines().filter(|line| !line.starts_with('#'));
    let keys: Vec<&str> = keys.filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    assert_eq!(keys, [pinned], "{name} shows the pinned key and no other: {said}");
    assert_eq!(bed.on(name, &format!("{INJECTED}; true")), "", "the injected key is on {name}");
}

/// The fleet's own key gives way to another one: sshd itself refuses the old one, and who came with it is cut off.
pub(super) fn of_the_fleet_is_replaced(bed: &Bed, name: &str) {
    let file = bed.state().with_extension("sqlite.ssh_key");
    let kept = bed.scratch("old-key");
    std::fs::copy(&file, &kept).unwrap();
    let address = bed.address(name, "ipv4");
    let old = |command: &str| {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F/dev/null").arg("-i").arg(&kept).args([
            "-oIdentitiesOnly=yes",
            "-oBatchMode=yes",
            "-oStrictHostKeyChecking=no",
            "-oUserKnownHostsFile=/dev/null",
            "-oLogLevel=ERROR",
        ]);
        ssh.arg(format!("root@{address}")).arg(command);
        ssh
    };
    assert!(old("true").output().unwrap().status.success(), "it logs in before");
    let mut held = old("echo here; sleep 600").stdout(Stdio::piped()).spawn().unwrap();
    let mut word = [0; 5];
    std::io::Read::read_exact(held.stdout.as_mut().unwrap(), &mut word).unwrap();
    let story = bed.run(&["keys", "rotate", "--yes"]);
    let said = String::from_utf8_lossy(&story.stderr);
    eprintln!("{said}");
    assert!(story.status.success() && said.contains("the key before is refused"), "{said}");
    let ended = Instant::now();
    while held.try_wait().unwrap().is_none() {
        assert!(ended.elapsed() < Duration::from_secs(10), "who came with the old key is still there");
        std::thread::sleep(Duration::from_millis(100));
    }
    let refused = old("true").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("Permission denied (publickey)"), "{said}");
    let new = Command::new("ssh-keygen").args(["-l", "-f"]).arg(&file).output().unwrap();
    let print = String::from_utf8_lossy(&new.stdout).split(' ').nth(1).unwrap().to_owned();
    let log = "journalctl -b -t sshd-session -t sshd | grep 'Accepted publickey for root' | tail -n 1";
    assert!(bed.on(name, log).contains(&print), "sshd says who logs in");
    assert_ne!(std::fs::read(&file).unwrap(), std::fs::read(&kept).unwrap());
}

fn starts_anew(bed: &Bed, name: &str) {
    let boot = "cat /proc/sys/kernel/random/boot_id";
    let before = bed.on(name, boot);
    bed.on(name, "systemd-run --quiet --on-active=1s --timer-property=AccuracySec=100ms systemctl reboot");
    let until = Instant::now() + BOOT;
    loop {
        let output = bed.run(&["ssh", name, "--", "sh", "-c", boot]);
        if output.status.success() && output.stdout != before.as_bytes() {
            return;
        }
        assert!(
            Instant::now() < until,
            "{name} did not start anew: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}
