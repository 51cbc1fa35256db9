//! What makes a server's disk the image of others: nothing is left there by which it could be known.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::ssh::{Command, Output};

/// Lets whoever is at work in by what lies in memory, and shows the disk with nothing over it.
const UNMAKE: &str = include_str!("../../templates/unmake.sh");
/// The one list of what an identity is; removes it, or tells what is left of it.
const IDENTITY: &str = include_str!("../../templates/identity.sh");
/// Where the disk shows.
const DISK: &str = "/run/clawberth-image/disk";
/// Where the words are that may stand nowhere on it.
const WORDS: &str = "/run/clawberth-image/words";
/// Longest run of either: both read all that is not a package's own.
pub const LIMIT: Duration = Duration::from_secs(300);

/// Removes from the server all by which it, or who was there, could be known; none of these words may stand on its disk. May be run
/// again.
pub fn scrub(words: &[String]) -> Command {
    let script = format!("{UNMAKE}\nset -- scrub {DISK} {WORDS}\n{IDENTITY}");
    Command::new("sh").args(["-c", &script, "sh"]).args(words.iter().map(String::as_str))
}

/// Asks what is left of that.
pub fn prove() -> Command {
    Command::new("sh").args(["-c", IDENTITY, "sh", "prove", DISK, WORDS])
}

/// Sees that [`scrub`] came to its end.
///
/// # Errors
/// What the server says of a failure.
pub fn parse_scrub(output: &Output) -> Result<()> {
    ensure!(output.status == 0, "the server cannot forget what it is: {}", output.stderr.trim());
    Ok(())
}

/// What is left, in the server's words; nothing where nothing is.
///
/// # Errors
/// An answer that is cut short, or what the server says of a failure.
pub fn parse_proof(output: &Output) -> Result<Vec<String>> {
    ensure!(output.status == 0, "the server cannot look at its disk: {}", output.stderr.trim());
    let mut lines: Vec<String> = output.stdout.lines().map(str::to_owned).collect();
    let is_whole = lines.pop().is_some_and(|last| last == "end");
    ensure!(is_whole, "the answer about the disk is cut short");
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process;

    use super::*;

    /// A disk that has been scrubbed, as far as there is something to see.
    fn disk() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for path in ["etc/ssh", "root/.ssh", "var/lib/cloud", "var/lib/openclaw", "var/log/journal", "home/x"]
        {
            fs::create_dir_all(dir.path().join("disk").join(path)).unwrap();
        }
        for path in ["etc/machine-id", "etc/hostname", "etc/ssh/sshd_config"] {
            fs::write(dir.path().join("disk").join(path), "").unwrap();
        }
        fs::write(dir.path().join("words"), "builder-abc\n198.51.100.7\n").unwrap();
        dir
    }

    fn run(what: &str, dir: &Path) -> Output {
        let mut command = process::Command::new("sh");
        command.args(["-c", IDENTITY, "sh", what]).arg(dir.join("disk")).arg(dir.join("words"));
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let status = output.status.code().unwrap().try_into().unwrap();
        Output { status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[test]
    fn whatever_is_left_is_found_and_removed() {
        let cases = [
            ("etc/ssh/ssh_host_rsa_key", "k", "etc/ssh/ssh_host_rsa_key is there"),
            (
                "etc/ssh/clawberth_host_ed25519_key.pub",
                "k",
                "etc/ssh/clawberth_host_ed25519_key.pub is there",
            ),
            ("etc/machine-id", "0123\n", "etc/machine-id is not empty"),
            ("etc/hostname", "web\n", "etc/hostname is not empty"),
            ("root/.ssh/authorized_keys", "ssh-ed25519 A\n", "root/.ssh/authorized_keys is there"),
            ("home/x/.ssh/id", "x", "home/x/.ssh is there"),
            ("var/lib/cloud/instances/7/user-data.txt", "x", "var/lib/cloud/instances is there"),
            ("var/lib/openclaw/secrets.json", "x", "var/lib/openclaw/secrets.json is there"),
            ("var/lib/caddy/.local/share/caddy/key", "x", "var/lib/caddy/.local is there"),
            ("var/lib/systemd/random-seed", "x", "var/lib/systemd/random-seed is there"),
            ("var/log/journal/0123/system.journal", "x", "var/log/journal/0123 is there"),
            ("etc/clawberth/host", "x", "etc/clawberth/host is there"),
            ("var/log/dpkg.log", "on builder-abc\n", "var/log/dpkg.log knows who the server was"),
        ];
        for (path, text, said) in cases {
            let dir = disk();
            assert_eq!(parse_proof(&run("prove", dir.path())).unwrap(), Vec::<String>::new(), "{path}");
            let path = dir.path().join("disk").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            assert_eq!(parse_proof(&run("prove", dir.path())).unwrap(), [said]);
            parse_scrub(&run("scrub", dir.path())).unwrap();
            assert_eq!(parse_proof(&run("prove", dir.path())).unwrap(), Vec::<String>::new(), "{said}");
        }
    }

    #[test]
    fn a_word_or_a_key_at_an_unforeseen_place_is_found_and_left_to_be_seen() {
        for (path, text, said) in [
            ("etc/issue", "at 198.51.100.7\n", "etc/issue knows who the server was"),
            ("root/key", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "root/key is a private key"),
            ("var/lib/x.pem", "-----BEGIN EC PRIVATE KEY-----\n", "var/lib/x.pem is a private key"),
        ] {
            let dir = disk();
            fs::write(dir.path().join("disk").join(path), text).unwrap();
            parse_scrub(&run("scrub", dir.path())).unwrap();
            assert_eq!(parse_proof(&run("prove", dir.path())).unwrap(), [said]);
        }
    }

    #[test]
    fn what_names_the_server_goes_from_its_list_of_hosts_and_the_rest_stays() {
        let dir = disk();
        let hosts = dir.path().join("disk/etc/hosts");
        fs::write(&hosts, "127.0.0.1 localhost\n127.0.1.1 builder-abc\n").unwrap();
        parse_scrub(&run("scrub", dir.path())).unwrap();
        assert_eq!(fs::read_to_string(hosts).unwrap(), "127.0.0.1 localhost\n");
    }

    #[test]
    fn a_proof_without_a_disk_or_without_words_is_none() {
        let dir = disk();
        fs::write(dir.path().join("words"), "").unwrap();
        assert!(parse_proof(&run("prove", dir.path())).is_err());
        let dir = disk();
        fs::remove_file(dir.path().join("disk/etc/machine-id")).unwrap();
        assert!(parse_proof(&run("prove", dir.path())).is_err());
        let cut = Output { status: 0, stdout: "etc/hostname is not em".into(), stderr: String::new() };
        assert!(parse_proof(&cut).is_err());
    }

    #[test]
    fn the_commands_say_what_they_are() {
        let scrub = scrub(&["builder-abc".into(), "198.51.100.7".into()]).to_string();
        assert!(
            scrub.starts_with("sh -c '# Takes all from a server")
                && scrub.ends_with(" sh builder-abc 198.51.100.7")
        );
        let prove = prove().to_string();
        assert!(
            prove.starts_with("sh -c '# Removes from a server")
                && prove.ends_with("/disk /run/clawberth-image/words")
        );
    }
}
