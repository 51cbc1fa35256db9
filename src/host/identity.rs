//! Which server this is, in its own words, and the host key that it makes for itself.

use anyhow::{Context as _, Result, ensure};

use crate::model::host_key;
use crate::ssh::{Command, Output};

/// Asks for the server's id as Hetzner gave it to cloud-init.
pub fn server_id() -> Command {
    Command::new("cat").arg("/var/lib/cloud/data/instance-id")
}

/// Reads the answer to [`server_id`].
///
/// # Errors
/// Where cloud-init has not written it yet.
pub fn parse_server_id(output: &Output) -> Result<String> {
    let id = output.stdout.trim();
    ensure!(
        output.status == 0 && !id.is_empty(),
        "the server does not know its id yet: {}",
        output.stderr.trim()
    );
    Ok(id.to_owned())
}

/// What sshd is told of ours.
const CONFIGURATION: &str = "/etc/ssh/sshd_config.d/10-clawberth.conf";

/// Tells the key, where there is one.
const TELL: &str = r#"[ ! -s "$1" ] || ssh-keygen -y -f "$1" | cut -d " " -f 1,2"#;

/// The last line puts it in its place as a whole, so that half a key is none.
const MAKE: &str = r#"set -eu
[ -s "$1" ] || {
	rm -f "$1.new" "$1.new.pub"
	ssh-keygen -q -t ed25519 -N "" -C "" -f "$1.new"
	sync "$1.new"
	mv "$1.new.pub" "$1.pub"
	mv "$1.new" "$1"
}
"#;

/// A key that waits beside takes the place of the one before as a whole; nothing is left of that. The injected key goes when
/// sshd has been told of the other one, for good: it is never without a key, at no boot either. What cloud-init still needs the
/// set-up removes at its end.
const SWITCH: &str = r#"set -eu
is() { [ -s "$1" ] && [ "$(ssh-keygen -y -f "$1" | cut -d " " -f 1,2)" = "$2" ]; }
! is "$3" "$4" || mv "$3" "$1"
is "$1" "$4" || { echo "it has not made that one" >&2; exit 1; }
ssh-keygen -y -f "$1" >"$1.pub.new"
mv "$1.pub.new" "$1.pub"
rm -f "$3" "$3.pub"
[ "$(grep "^HostKey " "$2")" = "HostKey $1" ] || {
	{ grep -v "^HostKey " "$2"; echo "HostKey $1"; } >"$2.new"
	chmod 0644 "$2.new"
	/usr/sbin/sshd -t -f "$2.new"
	mv "$2.new" "$2"
}
sync "$1" "$2" /etc/ssh /etc/ssh/sshd_config.d
systemctl reload ssh.service
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
[ ! -e /run/cloud-init/result.json ] && [ ! -e /etc/cloud/cloud-init.disabled ] || {
"#;

/// Ends what cloud-init knows of the injected key.
const FORGET: &str = include_str!("../../templates/forget.sh");

/// Lets the server make a host key in this place, unless it has, and tell its public half. Nobody is shown it yet.
pub fn make_host_key(place: &str) -> Command {
    command(&format!("{MAKE}{TELL}"), &[place])
}

/// Lets the server show this key, which it has made, and forget the one before. Sessions that are open stay so.
pub fn switch_host_key(own: &str) -> Command {
    command(&format!("{SWITCH}{FORGET}}}\n{TELL}"), &[host_key::PLACE, CONFIGURATION, host_key::NEXT, own])
}

/// Asks for the public half of the key that the server has made, where it has.
pub fn own_host_key() -> Command {
    command(TELL, &[host_key::PLACE])
}

fn command(script: &str, arguments: &[&str]) -> Command {
    Command::new("sh").args(["-c", script, "sh"].iter().chain(arguments).copied())
}

/// Reads the key in the answer to [`make_host_key`], [`switch_host_key`] or [`own_host_key`].
///
/// # Errors
/// Where the server could not do it, or has no key.
pub fn parse_host_key(output: &Output) -> Result<String> {
    ensure!(output.status == 0, "the server cannot have a host key of its own: {}", output.stderr.trim());
    let label = host_key::to_label(output.stdout.trim());
    label.and_then(|label| host_key::from_label(&label)).context("the server tells no host key of its own")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    fn said(status: u32, stdout: &str) -> Result<String> {
        parse_host_key(&Output { status, stdout: stdout.into(), stderr: "no room\n".into() })
    }

    #[test]
    fn a_key_is_read_and_what_is_none_is_not() {
        assert_eq!(said(0, &format!("{KEY}\n")).unwrap(), KEY);
        assert_eq!(said(0, &format!("{KEY} root@alice\n")).unwrap(), KEY, "without its comment");
        assert!(said(1, KEY).unwrap_err().to_string().ends_with(": no room"));
        for text in ["", "ssh-rsa AAAA", "ssh-ed25519 AAAA"] {
            assert!(said(0, text).is_err(), "{text}");
        }
    }
}
