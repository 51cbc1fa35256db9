//! A connection to one server whose host key is known beforehand.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::AgentAuthError;
use russh::client::{self, AuthResult};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, Disconnect, Preferred};
use ssh_key::certificate::CertType;
use ssh_key::{Algorithm, Certificate, HashAlg, PublicKey};
use tokio::time::timeout;

use super::{AgentError, AgentKey, Command, KeyPair, LoginKey, Output};

/// From the first packet to the end of authentication.
const CONNECT: Duration = Duration::from_secs(15);
/// Between two signs of life on an idle connection.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// The same without authentication.
const GREET: Duration = Duration::from_secs(5);
/// More output than this from one command is a fault.
const MOST_OUTPUT: usize = 4 << 20;

/// Whom to talk to, as whom, and how to know them.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server's address.
    pub address: IpAddr,
    /// The SSH port.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// The operator's keys: the first one that is accepted logs in.
    pub keys: Vec<LoginKey>,
    /// The only host keys that are accepted, as OpenSSH public keys: one, or two while a server changes its key.
    pub host_keys: Vec<String>,
    /// Another one is accepted where this key has signed a host certificate for it.
    pub signer: Option<String>,
}

/// Why there is no session, or no more.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// Nothing answers there (yet).
    #[error("no SSH at {address}")]
    Unreachable {
        /// Address and port.
        address: SocketAddr,
        /// What the network says.
        source: std::io::Error,
    },
    /// Whoever answers has another host key. Nothing was sent to them.
    #[error(
        "{address} shows another host key than the one pinned to this server: {shown}, not {pinned}; nobody logged in there"
    )]
    WrongHostKey {
        /// Address and port.
        address: SocketAddr,
        /// The fingerprint that was shown.
        shown: String,
        /// The fingerprint of the pinned one.
        pinned: String,
    },
    /// The host key is right, but our key is not accepted (yet).
    #[error("{address} does not accept the fleet's key for {user}")]
    Refused {
        /// Address and port.
        address: SocketAddr,
        /// The user.
        user: String,
    },
    /// The server would take the key, but the agent that has it does not sign.
    #[error("cannot log in to {address} as {user}")]
    Unsigned {
        /// Address and port.
        address: SocketAddr,
        /// The user.
        user: String,
        /// What the agent says.
        source: Box<AgentError>,
    },
    /// The pinned key cannot be read.
    #[error("the pinned host key is not an OpenSSH public key")]
    BadPin(#[source] ssh_key::Error),
    /// The connection broke.
    #[error("the SSH connection to {address} broke")]
    Broken {
        /// Address and port.
        address: SocketAddr,
        /// What russh says.
        source: russh::Error,
    },
    /// It took too long.
    #[error("{what} at {address} took longer than {} s", limit.as_secs())]
    TooSlow {
        /// Address and port.
        address: SocketAddr,
        /// What was waited for.
        what: String,
        /// The limit.
        limit: Duration,
    },
}

impl SshError {
    /// Whether it is no use to try again.
    pub fn is_final(&self) -> bool {
        match self {
            Self::WrongHostKey { .. } | Self::Unsigned { .. } | Self::BadPin(_) => true,
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Broken { .. } | Self::TooSlow { .. } => {
                false
            }
        }
    }
}

/// An authenticated connection.
pub struct Session {
    handle: client::Handle<Pin>,
    address: SocketAddr,
    shown: Option<PublicKey>,
}

struct Pin {
    expected: Vec<PublicKey>,
    signer: Option<PublicKey>,
    shown: Arc<OnceLock<Shown>>,
}

/// The host key that was shown.
enum Shown {
    /// One that is accepted.
    Right(PublicKey),
    /// Its fingerprint.
    Wrong(String),
}

impl Pin {
    fn judge(&self, key: &PublicKey) -> Shown {
        if self.expected.iter().any(|expected| expected.key_data() == key.key_data()) {
            Shown::Right(key.clone())
        } else {
            Shown::Wrong(fingerprint(key))
        }
    }

    /// A certificate is shown in place of its key, and so is good for that, whoever signed it.
    fn judge_certificate(&self, certificate: &Certificate) -> Shown {
        let key = PublicKey::from(certificate.public_key().clone());
        let is_signed = self.signer.as_ref().is_some_and(|signer| {
            certificate.cert_type() == CertType::Host
                && certificate.validate([&signer.fingerprint(HashAlg::Sha256)]).is_ok()
        });
        if is_signed { Shown::Right(key) } else { self.judge(&key) }
    }
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

impl client::Handler for Pin {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let shown = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.judge(key),
            PublicKeyOrCertificate::Certificate(certificate) => self.judge_certificate(certificate),
        };
        let is_right = matches!(shown, Shown::Right(_));
        let _ = self.shown.set(shown);
        Ok(is_right)
    }
}

impl Session {
    /// Connects, compares the host key, and only then authenticates.
    ///
    /// # Errors
    /// [`SshError`]; after [`SshError::WrongHostKey`] not a byte of ours has been sent beyond the key exchange.
    pub async fn connect(target: &Target) -> Result<Self, SshError> {
        let address = SocketAddr::new(target.address, target.port);
        let limit = CONNECT;
        timeout(limit, Self::open(target, address))
            .await
            .unwrap_or_else(|_| Err(SshError::TooSlow { address, what: "logging in".into(), limit }))
    }

    /// Connects, compares the host key, and hangs up.
    ///
    /// # Errors
    /// [`SshError`], as [`Session::connect`].
    pub async fn greet(target: &Target) -> Result<(), SshError> {
        let address = SocketAddr::new(target.address, target.port);
        let limit = GREET;
        let late = |_| Err(SshError::TooSlow { address, what: "the key exchange".into(), limit });
        let greeted = timeout(limit, Self::exchange(target, address)).await;
        let session = greeted.unwrap_or_else(late)?;
        session.close().await;
        Ok(())
    }

    async fn open(target: &Target, address: SocketAddr) -> Result<Self, SshError> {
        let mut session = Self::exchange(target, address).await?;
        for key in &target.keys {
            let answer = match key {
                LoginKey::Here(pair) => session.log_in(&target.user, pair).await?,
                LoginKey::InAgent(key) => session.log_in_by_agent(&target.user, key).await?,
            };
            if answer.success() {
                return Ok(session);
            }
        }
        Err(SshError::Refused { address, user: target.user.clone() })
    }

    async fn log_in(&mut self, user: &str, pair: &KeyPair) -> Result<AuthResult, SshError> {
        let key = PrivateKeyWithHashAlg::new(pair.inner(), None);
        let answer = self.handle.authenticate_publickey(user, key).await;
        answer.map_err(|source| SshError::Broken { address: self.address, source })
    }

    /// The agent is asked only where the server would take the key.
    async fn log_in_by_agent(&mut self, user: &str, key: &AgentKey) -> Result<AuthResult, SshError> {
        let address = self.address;
        let unsigned = |why| SshError::Unsigned { address, user: user.to_owned(), source: Box::new(why) };
        let (public, mut agent) = key.signer().await.map_err(unsigned)?;
        let answer = self.handle.authenticate_publickey_with(user, public, None, &mut agent).await;
        answer.map_err(|why| match why {
            AgentAuthError::Send(_) => SshError::Broken { address, source: russh::Error::SendError },
            AgentAuthError::Key(why) => unsigned(key.unsigned(why)),
        })
    }

    /// All that comes before anybody logs in.
    async fn exchange(target: &Target, address: SocketAddr) -> Result<Self, SshError> {
        let read = |key: &String| PublicKey::from_openssh(key).map_err(SshError::BadPin);
        let expected = target.host_keys.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let signer = target.signer.as_ref().map(read).transpose()?;
        let pinned = expected.iter().map(fingerprint).collect::<Vec<_>>().join(" or ");
        let stream = tokio::net::TcpStream::connect(address)
            .await
            .map_err(|source| SshError::Unreachable { address, source })?;
        let certificates: &[Algorithm] = if signer.is_some() { &[Algorithm::Ed25519] } else { &[] };
        let config = client::Config {
            preferred: Preferred { host_key_certificates: certificates.into(), ..Preferred::default() },
            keepalive_interval: Some(KEEPALIVE),
            nodelay: true,
            ..client::Config::default()
        };
        let shown = Arc::new(OnceLock::new());
        let pin = Pin { expected, signer, shown: Arc::clone(&shown) };
        // client::connect_stream does not know the socket, so the option is set here
        let _ = stream.set_nodelay(true);
        let handle =
            client::connect_stream(Arc::new(config), stream, pin).await.map_err(|source| {
                match shown.get() {
                    Some(Shown::Wrong(shown)) => {
                        SshError::WrongHostKey { address, shown: shown.clone(), pinned }
                    }
                    Some(Shown::Right(_)) | None => SshError::Broken { address, source },
                }
            })?;
        let shown = match shown.get() {
            Some(Shown::Right(key)) => Some(key.clone()),
            Some(Shown::Wrong(_)) | None => None,
        };
        Ok(Self { handle, address, shown })
    }

    /// Whether the server showed this key, an OpenSSH public key, at the beginning.
    pub fn was_shown(&self, key: &str) -> bool {
        let wanted = PublicKey::from_openssh(key);
        self.shown
            .as_ref()
            .zip(wanted.ok())
            .is_some_and(|(shown, wanted)| shown.key_data() == wanted.key_data())
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// [`SshError::Broken`] where the connection ends first, [`SshError::TooSlow`] after `limit`. A status other
    /// than 0 is no error here.
    pub async fn run(&self, command: &Command, limit: Duration) -> Result<Output, SshError> {
        self.run_with(command, "", limit).await
    }

    /// The same for a command that reads this from its standard input: what must not be seen in a list of processes.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_with(
        &self,
        command: &Command,
        input: &str,
        limit: Duration,
    ) -> Result<Output, SshError> {
        let text = command.to_string();
        match timeout(limit, self.exec(&text, input)).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(source)) => Err(SshError::Broken { address: self.address, source }),
            Err(_) => {
                let what = format!("`{}`", text.chars().take(60).collect::<String>());
                Err(SshError::TooSlow { address: self.address, what, limit })
            }
        }
    }

    async fn exec(&self, command: &str, input: &str) -> Result<Output, russh::Error> {
        let mut channel = self.handle.channel_open_session().await?;
        channel.exec(true, command).await?;
        if !input.is_empty() {
            channel.data(input.as_bytes()).await?;
            channel.eof().await?;
        }
        let (mut status, mut stdout, mut stderr) = (None, Vec::new(), Vec::new());
        let mut ended = false;
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => stdout.extend_from_slice(&data),
                ChannelMsg::ExtendedData { data, .. } => stderr.extend_from_slice(&data),
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                ChannelMsg::ExitSignal { .. } => status = Some(255),
                ChannelMsg::Close => ended = true,
                _ => {}
            }
            if stdout.len() + stderr.len() > MOST_OUTPUT {
                return Err(russh::Error::Inconsistent);
            }
        }
        match status {
            Some(status) => Ok(Output { status, stdout: text(stdout), stderr: text(stderr) }),
            None if ended => Ok(Output { status: 255, stdout: text(stdout), stderr: text(stderr) }),
            None => Err(russh::Error::Disconnect),
        }
    }

    /// Says goodbye.
    pub async fn close(self) {
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "en").await;
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use ssh_key::PrivateKey;
    use ssh_key::certificate::Builder;

    use super::*;

    fn key(seed: u8) -> PrivateKey {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]);
        PrivateKey::from(pair)
    }

    /// What this key says of that one.
    fn certificate(signer: &PrivateKey, signed: &PrivateKey, kind: CertType, ends: u64) -> Certificate {
        let mut builder = Builder::new([7; 16], signed.public_key(), 0, ends).unwrap();
        builder.cert_type(kind).unwrap().all_principals_valid().unwrap();
        builder.sign(signer).unwrap()
    }

    #[test]
    fn a_certificate_is_good_for_the_key_that_it_is_about_and_only_by_the_one_signer() {
        const EVER: u64 = u64::MAX >> 1;
        let (injected, own, other) = (key(1), key(2), key(3));
        let pin = |signer: Option<&PrivateKey>| Pin {
            expected: vec![injected.public_key().clone()],
            signer: signer.map(|key| key.public_key().clone()),
            shown: Arc::default(),
        };
        let is_right = |pin: Pin, certificate: &Certificate| match pin.judge_certificate(certificate) {
            Shown::Right(key) => key.key_data() == certificate.public_key(),
            Shown::Wrong(_) => false,
        };
        let good = certificate(&injected, &own, CertType::Host, EVER);
        assert!(is_right(pin(Some(&injected)), &good));
        assert!(!is_right(pin(Some(&other)), &good), "another one signed it");
        assert!(!is_right(pin(None), &good), "nobody may sign");
        assert!(!is_right(pin(Some(&injected)), &certificate(&injected, &own, CertType::User, EVER)));
        assert!(
            !is_right(pin(Some(&injected)), &certificate(&injected, &own, CertType::Host, 1)),
            "it has run out"
        );
        // it is shown in place of a key that is pinned
        assert!(is_right(pin(None), &certificate(&other, &injected, CertType::Host, EVER)));
    }

    #[test]
    fn what_openssh_signs_is_read() {
        let signer = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPSBXsX23j1Xky1E8hZjnX9H4x0WLaMp+jC7lxsCqijE";
        let signed = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG8tOy5sumVeDqo3M17PDbH5pKAb71LFIQfD4h/rfvSX";
        let text = "ssh-ed25519-cert-v01@openssh.com \
            AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIOjwNRuGaSG2HNYQrc2qKii3sW8czs0rOu32x6Y4meWnAAAA\
            IG8tOy5sumVeDqo3M17PDbH5pKAb71LFIQfD4h/rfvSXAAAAAAAAAAAAAAACAAAACWNsYXdiZXJ0aAAAAAAAAAAAAAAAAP//////\
            ////AAAAAAAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACD0gV7F9t49V5MtRPIWY51/R+MdFi2jKfowu5cbAqooxAAAAFMA\
            AAALc3NoLWVkMjU1MTkAAABABeTQH3k29Qg9qzBvymws81IOSQVTkTz7IvhK+2g04lPGzNL4BIr+YdJ7u7FIu77MF5dIL5PU0Fsd\
            51Sjbp1wBQ==";
        let read = |key: &str| PublicKey::from_openssh(key).unwrap();
        let pin = Pin { expected: Vec::new(), signer: Some(read(signer)), shown: Arc::default() };
        match pin.judge_certificate(&Certificate::from_openssh(text).unwrap()) {
            Shown::Right(key) => assert_eq!(key.key_data(), read(signed).key_data()),
            Shown::Wrong(key) => panic!("{key} is wrong"),
        }
    }
}
