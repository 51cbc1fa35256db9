//! Which keys a server's root lets in.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::ssh::{Command, Output};

/// Where they lie.
const FILE: &str = "/root/.ssh/authorized_keys";

/// Tells all that are let in: sshd reads both files.
const TELL: &str = r#"cat "$file" "${file}2" 2>/dev/null | grep -v "^ *\\(#\\|\$\\)" || true"#;

/// What is there stays. The file is replaced as a whole, so that somebody is let in at each moment.
const GIVE: &str = r#"set -eu
umask 077
file=$1
shift
mkdir -p "${file%/*}"
touch "$file"
{
	cat "$file"
	[ -z "$(tail -c 1 "$file")" ] || echo
	for line; do
		key=$(echo "$line" | cut -d " " -f 2)
		grep -qF -e "$key" "$file" || echo "$line"
	done
} >"$file.new"
sync "$file.new"
mv "$file.new" "$file"
"#;

/// Sessions are known by sshd's own words in the journal of this boot: who came with the key, and in which process.
const TAKE: &str = r#"set -eu
umask 077
file=$1
kept=$2
shift 2
cat "$file" >"$file.new"
for key; do
	grep -vF -e "${key#* }" "$file.new" >"$file.rest" || true
	mv "$file.rest" "$file.new"
done
grep -qF -e "${kept#* }" "$file.new" || { echo "the fleet's own key is not there" >&2; exit 1; }
sync "$file.new"
mv "$file.new" "$file"
for key; do
	print=$(echo "$key" | ssh-keygen -l -f - | cut -d " " -f 2)
	journalctl --quiet --boot --output=short -t sshd-session -t sshd | grep -F "Accepted publickey" | grep -F -e "$print" |
		sed -n "s/.*\[\([0-9]*\)\]: Accepted.*/\1/p" | while read -r pid; do
			[ "$(ps -o comm= -p "$pid")" != sshd-session ] || kill "$pid" || true
		done
done
"#;

/// Lets these lines in, too, and tells what is let in then.
pub fn give(lines: &[String]) -> Command {
    let script = format!("{GIVE}{TELL}");
    let arguments = ["-c", &script, "sh", FILE].into_iter().chain(lines.iter().map(String::as_str));
    Command::new("sh").args(arguments)
}

/// Lets these keys in no more, ends the sessions of who came with them, and tells what is let in then. `kept` has to be there.
pub fn take(kept: &str, keys: &[String]) -> Command {
    let script = format!("{TAKE}{TELL}");
    let arguments = ["-c", &script, "sh", FILE, kept].into_iter().chain(keys.iter().map(String::as_str));
    Command::new("sh").args(arguments)
}

/// Reads the answer: the keys that are let in, type and key.
///
/// # Errors
/// What the server says of a failure; or where it lets nobody in, which cannot be.
pub fn parse(output: &Output) -> Result<BTreeSet<String>> {
    ensure!(output.status == 0, "the server cannot change who logs in: {}", output.stderr.trim());
    let keys: BTreeSet<String> = output.stdout.lines().filter_map(key).collect();
    ensure!(!keys.is_empty(), "the server does not tell whom it lets in");
    Ok(keys)
}

/// The key of a line, which may have options before it.
fn key(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_kind = |word: &str| ["ssh-", "sk-", "ecdsa-"].iter().any(|kind| word.starts_with(kind));
    let pair = words.windows(2).find(|pair| pair.first().is_some_and(|word| is_kind(word)))?;
    Some(pair.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a command here, with a file of its own in place of root's.
    fn run(command: &Command, dir: &std::path::Path) -> Output {
        let text = command.to_string().replace("/root/.ssh", dir.to_str().unwrap());
        let output = std::process::Command::new("sh").args(["-c", &text]).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let status = u32::try_from(output.status.code().unwrap()).unwrap();
        Output { status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn keys_come_once_and_go_and_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("authorized_keys");
        std::fs::write(&file, "# ours\nssh-ed25519 AAAAone cb-fleet").unwrap();
        let two = lines(&["ssh-ed25519 AAAAone", "ssh-ed25519 AAAAtwo carol's desk"]);
        for _ in 0..2 {
            let given = parse(&run(&give(&two), dir.path())).unwrap();
            assert_eq!(given.into_iter().collect::<Vec<_>>(), ["ssh-ed25519 AAAAone", "ssh-ed25519 AAAAtwo"]);
        }
        let text = "# ours\nssh-ed25519 AAAAone cb-fleet\nssh-ed25519 AAAAtwo carol's desk\n";
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        let refused = run(&take("ssh-ed25519 AAAAthree", &lines(&["ssh-ed25519 AAAAone"])), dir.path());
        assert_eq!((refused.status, refused.stderr.as_str()), (1, "the fleet's own key is not there\n"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "nobody is locked out");
    }

    #[test]
    fn a_line_may_have_options() {
        let told =
            "from=\"192.0.2.1\",no-pty ssh-ed25519 AAAAone x\nsk-ssh-ed25519@openssh.com AAAAtwo\nnonsense\n";
        let output = Output { status: 0, stdout: told.to_owned(), stderr: String::new() };
        let keys: Vec<String> = parse(&output).unwrap().into_iter().collect();
        assert_eq!(keys, ["sk-ssh-ed25519@openssh.com AAAAtwo", "ssh-ed25519 AAAAone"]);
        assert!(parse(&Output { stdout: String::new(), ..output.clone() }).is_err());
        assert!(parse(&Output { status: 1, ..output }).is_err());
    }
}
