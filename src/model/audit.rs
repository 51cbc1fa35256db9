//! What is promised of an instance, and what was found of each promise.

use std::collections::BTreeMap;
use std::fmt;

/// Declares the promises with their words and sentences, in the order in which they are told.
macro_rules! promises {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $text:literal;)+) => {
        /// A promise about an instance.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Promise {
            $($(#[$doc])* $variant,)+
        }

        impl Promise {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its word, for programs.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// What is promised, in a sentence.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

promises! {
    /// Seen from the world.
    Serving = "serving", "it is ready, with the page of its release";
    /// Seen from the world.
    Tcp4 = "tcp4", "over IPv4 only port 443 answers, and 22 to the admin networks";
    /// Seen from the world.
    Tcp6 = "tcp6", "over IPv6 only port 443 answers, and 22 to the admin networks";
    /// Seen from the world.
    Udp = "udp", "no service answers over UDP";
    /// Seen from the world.
    Certificate = "certificate", "its certificate is its own alone, trusted, by the right authority and renewed in time";
    /// Seen from the world.
    Tls = "tls", "nothing older than TLS 1.2 is spoken";
    /// Seen from the world.
    Hsts = "hsts", "a browser that was there comes back over HTTPS only, where it has a name";
    /// Seen from the world.
    Names = "names", "under other names it serves nothing";
    /// Seen from the world.
    Strangers = "strangers", "who has no credentials is refused";
    /// Seen from the world.
    Tools = "tools", "the tools and model interfaces are closed";
    /// Seen from the world.
    Dashboard = "dashboard", "the dashboard opens to nobody else than its policy says";
    /// Seen from the world.
    BodySize = "body-size", "who sends more than the gateway takes is stopped before it";
    /// Seen by the cloud.
    Location = "location", "it stands in the EU";
    /// Seen by the cloud.
    CloudFirewall = "cloud-firewall", "the cloud firewall lets nothing else in";
    /// Seen by the cloud.
    Dedicated = "dedicated", "the server is its own, with the labels of its record";
    /// Seen by the cloud.
    Protection = "protection", "its server cannot be deleted by mistake";
    /// Seen on the host.
    HostKey = "host-key", "it shows the pinned host key, and has no other";
    /// Seen on the host.
    OwnHostKey = "own-host-key", "it made its host key itself, and the injected one is gone";
    /// Seen on the host.
    Sshd = "sshd", "sshd takes keys only, and forwards nothing for others";
    /// Seen on the host.
    Keys = "keys", "only the fleet's keys log in, and only as root";
    /// Seen on the host.
    Passwords = "passwords", "no account has a password, and only root is root";
    /// Seen on the host.
    HostFirewall = "host-firewall", "the host's own firewall lets nothing else in";
    /// Seen on the host.
    Connections = "connections", "no address takes more than its share of connections to port 443";
    /// Seen on the host.
    Listeners = "listeners", "only sshd and Caddy listen beyond the host";
    /// Seen on the host.
    Metadata = "metadata", "only root reaches the metadata service";
    /// Seen on the host.
    Egress = "egress", "the gateway reaches only what its policy lets it reach";
    /// Seen on the host.
    GatewayUnit = "gateway-unit", "the gateway's unit is shut in";
    /// Seen on the host.
    CaddyUnit = "caddy-unit", "Caddy's unit is shut in";
    /// Seen on the host.
    GatewayUser = "gateway-user", "the gateway runs as a user without rights";
    /// Seen on the host.
    Sandbox = "sandbox", "programs run in a sandbox without a network and without the gateway's state, or not at all";
    /// Seen on the host.
    State = "state", "only the gateway reads its state and its secrets";
    /// Seen on the host.
    Rotation = "rotation", "no replacement of its token is left half-way";
    /// Seen on the host.
    Programs = "programs", "the gateway cannot change the programs that run";
    /// Seen on the host.
    Updates = "updates", "security updates install themselves, and none is pending";
    /// Seen on the host.
    Restart = "restart", "no update waits for a restart";
    /// Seen on the host.
    CoreDumps = "core-dumps", "no memory is dumped to the disk";
    /// Seen on the host.
    Disk = "disk", "the disk has room, and logs cannot fill it";
    /// Seen in the gateway's configuration.
    Auth = "auth", "the gateway asks for a token, on the loopback interface only";
    /// Seen in the gateway's configuration.
    Origins = "origins", "the dashboard works from its own address only";
    /// Seen in the gateway's configuration.
    Sessions = "sessions", "each sender has a session of their own";
    /// Seen in the gateway's configuration.
    Shell = "shell", "no shell: no terminal, no commands, no elevation";
    /// Seen in the gateway's configuration.
    Skills = "skills", "no skills but those that were allowed";
    /// Seen in the gateway's configuration.
    Policy = "policy", "who may write, models, tools and skills are as its policy says";
    /// Seen in the gateway's configuration.
    Telemetry = "telemetry", "it reports nothing, and does not update itself";
    /// Asked of the gateway.
    Devices = "devices", "no device waits for approval, and no node is paired";
    /// Asked of the gateway.
    OwnAudit = "own-audit", "OpenClaw's own audit finds nothing critical";
    /// Asked of the gateway.
    Release = "release", "it runs the release of its record, which has no known hole";
    /// Of all instances.
    Token = "token", "no other instance has its token";
}

impl Promise {
    /// From where it is seen, in the order in which they are told.
    pub fn seen(self) -> &'static str {
        match self {
            to_tools if to_tools <= Self::Tools => "Seen from the internet",
            to_protection if to_protection <= Self::Protection => "Seen at Hetzner",
            to_disk if to_disk <= Self::Disk => "Seen on the server",
            _ => "Seen in the gateway",
        }
    }
}

/// What was found of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds; what shows that.
    Holds(String),
    /// It holds, but somebody should look; why.
    Warns(String),
    /// It does not hold, or could not be seen to; why.
    Fails(String),
}

/// A promise and what was found of it.
pub type Finding = (Promise, Verdict);

/// What a host tells about itself: lines by their key, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<String, Vec<String>>);

impl Verdict {
    /// In one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Holds(_) => "ok",
            Self::Warns(_) => "warn",
            Self::Fails(_) => "fail",
        }
    }

    /// What shows it.
    pub fn evidence(&self) -> &str {
        match self {
            Self::Holds(text) | Self::Warns(text) | Self::Fails(text) => text,
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Facts {
    /// Reads lines of `KEY=VALUE`; others are left out.
    pub fn parse(text: &str) -> Self {
        let mut facts = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            facts.0.entry(key.to_owned()).or_default().push(value.trim().to_owned());
        }
        facts
    }

    /// All lines with a key.
    pub fn all(&self, key: &str) -> &[String] {
        self.0.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// The only line with a key.
    pub fn one(&self, key: &str) -> Option<&str> {
        match self.all(key) {
            [one] => Some(one),
            _ => None,
        }
    }

    /// All lines with a key in one.
    pub fn joined(&self, key: &str) -> String {
        self.all(key).join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Facts, Promise};

    #[test]
    fn each_promise_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = Promise::ALL.iter().map(|promise| promise.word()).collect();
        assert_eq!(words.len(), Promise::ALL.len());
    }

    #[test]
    fn facts_are_lines_and_what_is_none_is_left_out() {
        let facts = Facts::parse("a=1\nb=x=y \nnoise\na=2\n=\n");
        assert_eq!(facts.all("a"), ["1", "2"]);
        assert_eq!(facts.one("a"), None, "there are two");
        assert_eq!(facts.one("b"), Some("x=y"));
        assert_eq!(facts.joined("a"), "1, 2");
        assert_eq!(facts.all("none"), [""; 0]);
    }
}
