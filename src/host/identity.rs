//! Which server this is, in its own words, and the host key that it makes for itself.

use anyhow::{Context as _, Result, ensure};

use crate::model::host_key;
use crate::ssh::{Command, Output, PublicLine};

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

/// Where cloud-init puts the injected key.
const INJECTED: &str = "/etc/ssh/ssh_host_ed25519_key";

/// Tells the key, where there is one, and the fingerprint of the one that signed it, where one did.
const TELL: &str = r#"[ ! -s "$1" ] || ssh-keygen -y -f "$1" | cut -d " " -f 1,2
[ ! -s "$1-cert.pub" ] || ssh-keygen -L -f "$1-cert.pub" | sed -n "s/^ *Signing CA: ED25519 \\(SHA256:[^ ]*\\).*/\\1/p""#;

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

/// A certificate by the injected key, while that is there: who knows only that one, from the server's label, knows the key that
/// was made, too.
const SIGN: &str = r#"[ -s "$1-cert.pub" ] || [ ! -s "$2" ] || {
	ssh-keygen -y -f "$1" >"$1.new.pub"
	ssh-keygen -q -s "$2" -h -I clawberth "$1.new.pub"
	sync "$1.new-cert.pub"
	mv "$1.new-cert.pub" "$1-cert.pub"
	rm "$1.new.pub"
}
"#;

/// A key that waits beside takes the place of the one before as a whole; nothing is left of that, nor of its certificate. The
/// injected key goes when sshd has been told of the other one, for good: it is never without a key, at no boot either. What cloud-init still needs the
/// set-up removes at its end.
const SWITCH: &str = r#"set -eu
is() { [ -s "$1" ] && [ "$(ssh-keygen -y -f "$1" | cut -d " " -f 1,2)" = "$2" ]; }
! is "$3" "$4" || { rm -f "$1-cert.pub"; mv "$3" "$1"; }
is "$1" "$4" || { echo "it has not made that one" >&2; exit 1; }
ssh-keygen -y -f "$1" >"$1.pub.new"
mv "$1.pub.new" "$1.pub"
rm -f "$3" "$3.pub"
shows="HostKey $1"
[ ! -s "$1-cert.pub" ] || shows="$shows
HostCertificate $1-cert.pub"
[ "$(grep -E "^Host(Key|Certificate) " "$2")" = "$shows" ] || {
	{ grep -vE "^Host(Key|Certificate) " "$2"; echo "$shows"; } >"$2.new"
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

/// A host key that a server has made for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKey {
    /// Its public half in OpenSSH's format, without a comment.
    pub key: String,
    /// The fingerprint of the key that signed it, where one did.
    signer: Option<String>,
}

impl OwnKey {
    /// Which of these OpenSSH public keys has signed it.
    pub fn signed_by<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        let is_signer =
            |key: &&str| PublicLine::parse(key).is_ok_and(|key| Some(key.fingerprint) == self.signer);
        keys.into_iter().find(is_signer)
    }
}

/// Lets the server make its first own host key, unless it has, sign it with the injected one, and tell its public half. Nobody is
/// shown it yet.
pub fn make_host_key() -> Command {
    command(&format!("{MAKE}{SIGN}{TELL}"), &[host_key::PLACE, INJECTED])
}

/// Lets the server make a host key that is to take the place of its own, unless it has, and tell its public half. Nobody is shown
/// it yet.
pub fn make_next_host_key() -> Command {
    command(&format!("{MAKE}{TELL}"), &[host_key::NEXT])
}

/// Lets the server show this key, which it has made, and forget the one before. Sessions that are open stay so.
pub fn switch_host_key(own: &str) -> Command {
    command(&format!("{SWITCH}{FORGET}}}\n{TELL}"), &[host_key::PLACE, CONFIGURATION, host_key::NEXT, own])
}

/// Asks for the key that the server has made, where it has.
pub fn own_host_key() -> Command {
    command(TELL, &[host_key::PLACE])
}

fn command(script: &str, arguments: &[&str]) -> Command {
    Command::new("sh").args(["-c", script, "sh"].iter().chain(arguments).copied())
}

/// Reads the answer to [`make_host_key`], [`make_next_host_key`], [`switch_host_key`] or [`own_host_key`].
///
/// # Errors
/// Where the server could not do it, or has no key.
pub fn parse_host_key(output: &Output) -> Result<OwnKey> {
    ensure!(output.status == 0, "the server cannot have a host key of its own: {}", output.stderr.trim());
    let mut lines = output.stdout.trim().lines();
    let label = lines.next().and_then(host_key::to_label);
    let key = label.and_then(|label| host_key::from_label(&label));
    let key = key.context("the server tells no host key of its own")?;
    Ok(OwnKey { key, signer: lines.next().map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    /// What `ssh-keygen -l` says of it.
    const FINGERPRINT: &str = "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA";

    fn said(status: u32, stdout: &str) -> Result<OwnKey> {
        parse_host_key(&Output { status, stdout: stdout.into(), stderr: "no room\n".into() })
    }

    #[test]
    fn a_key_is_read_and_what_is_none_is_not() {
        assert_eq!(said(0, &format!("{KEY}\n")).unwrap().key, KEY);
        assert_eq!(said(0, &format!("{KEY} root@alice\n")).unwrap().key, KEY, "without its comment");
        assert!(said(1, KEY).unwrap_err().to_string().ends_with(": no room"));
        for text in ["", "ssh-rsa AAAA", "ssh-ed25519 AAAA"] {
            assert!(said(0, text).is_err(), "{text}");
        }
    }

    #[test]
    fn who_signed_it_is_found_among_those_that_are_known() {
        let signed = said(0, &format!("{KEY}\n{FINGERPRINT}\n")).unwrap();
        assert_eq!(signed.signed_by(["ssh-ed25519 AAAA", KEY]), Some(KEY));
        assert_eq!(signed.signed_by(["ssh-ed25519 AAAA"]), None);
        assert_eq!(said(0, KEY).unwrap().signed_by([KEY]), None, "nobody did");
    }
}
