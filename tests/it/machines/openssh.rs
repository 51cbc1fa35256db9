//! What people have for SSH anyway gets on with the pinned keys, by the files of `ssh-config`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::bed::Bed;

pub(super) fn gets_on_with_the_pinned_keys(bed: &Bed, name: &str) {
    let folder = bed.scratch("ssh");
    bed.ok(&["ssh-config", "--write", folder.to_str().unwrap()]);
    let config = folder.join("config");
    let config = config.to_str().unwrap();
    let said = ran(Command::new("ssh").args(["-F", config, "-oBatchMode=yes", name, "id", "-un"]));
    assert_eq!(said, "root\n");

    let id = bed.json(&["show", name]).pointer("/server/id").unwrap().to_string();
    let copy = bed.scratch("id");
    let from = format!("{name}:/var/lib/cloud/data/instance-id");
    ran(Command::new("scp").args(["-q", "-F", config, "-oBatchMode=yes", &from]).arg(&copy));
    assert_eq!(fs::read_to_string(&copy).unwrap().trim(), id);

    let tree = bed.scratch("tree");
    fs::create_dir_all(tree.join("below")).unwrap();
    fs::write(tree.join("below/file"), "from here").unwrap();
    let shell = format!("ssh -F {config} -oBatchMode=yes");
    let from = format!("{}/", tree.display());
    ran(Command::new("rsync").args(["--archive", "--rsh", &shell, &from]).arg(format!("{name}:/root/tree")));
    assert_eq!(bed.on(name, "cat /root/tree/below/file; rm -r /root/tree"), "from here");

    let said = ran(Command::new(client("ansible"))
        .args(["all", "--inventory", &format!("{name},"), "--module-name", "ansible.builtin.setup"])
        .args(["--args", "filter=ansible_distribution*", "--ssh-common-args", &format!("-F {config}")])
        .env("HOME", bed.scratch("ansible")));
    assert!(said.contains(&format!("{name} | SUCCESS")) && said.contains("\"Debian\""), "{said}");
}

/// 0 fail, 0 warn. It is last: sshd shuts out for a while who connects so often without logging in.
pub(super) fn has_nothing_against_our_sshd(bed: &Bed, name: &str) {
    let program = client("ssh-audit");
    let words = [program.to_str().unwrap(), "--no-colors", "--level", "warn", &bed.address(name, "ipv4")];
    let output = bed.seen_from("admin", &words);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.trim().is_empty(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let until = Instant::now() + Duration::from_secs(120);
    while !bed.run(&["ssh", name, "--", "true"]).status.success() {
        assert!(Instant::now() < until, "{name} does not let us in again");
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A client of those that `scripts/clients` fetches.
fn client(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/clients");
    let folder = ran(&mut Command::new(script));
    Path::new(folder.trim()).join("bin").join(name)
}

fn ran(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (answer, said) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{answer}{said}");
    answer.into_owned()
}
