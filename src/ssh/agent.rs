//! Keys whose private halves an ssh-agent has, and never gives away: it signs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use ssh_key::{Algorithm, HashAlg, PublicKey, SshSig};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Until an agent has said what it has: it may ask a card or another computer.
const LIST: Duration = Duration::from_secs(10);
/// Until an agent has signed: it may ask somebody at a screen.
const SIGN: Duration = Duration::from_secs(60);

/// Why an agent is no help.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Nobody is there.
    #[error("no ssh-agent answers at {}", socket.display())]
    Unreachable {
        /// Its socket.
        socket: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// What it says is not what an agent says.
    #[error("what answers at {} is no ssh-agent, or a broken one", socket.display())]
    Garbled {
        /// Its socket.
        socket: PathBuf,
        /// What russh says.
        source: russh::keys::Error,
    },
    /// It does not sign: it is locked, has the key no more, or whoever it asks said no.
    #[error("the ssh-agent at {} does not sign with {fingerprint}", socket.display())]
    Refused {
        /// Its socket.
        socket: PathBuf,
        /// The key's.
        fingerprint: String,
    },
    /// It took too long.
    #[error("the ssh-agent at {} took longer than {} s", socket.display(), limit.as_secs())]
    TooSlow {
        /// Its socket.
        socket: PathBuf,
        /// The limit.
        limit: Duration,
    },
}

/// An agent, by its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    socket: PathBuf,
}

/// A key that an agent has.
#[derive(Clone, Debug)]
pub struct AgentKey {
    public: PublicKey,
    agent: Agent,
}

impl Agent {
    /// The one at this socket, if there is one.
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// The keys that it shows. A locked one shows none. Certificates are left out: servers know keys.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn keys(&self) -> Result<Vec<AgentKey>, AgentError> {
        let socket = || self.socket.clone();
        let ask = async { self.client().await?.request_identities().await.map_err(|why| self.broken(why)) };
        let late = |_| AgentError::TooSlow { socket: socket(), limit: LIST };
        let shown = timeout(LIST, ask).await.map_err(late)??;
        let key = |identity| match identity {
            AgentIdentity::PublicKey { mut key, comment } => {
                key.set_comment(comment);
                Some(AgentKey { public: key, agent: self.clone() })
            }
            AgentIdentity::Certificate { .. } => None,
        };
        Ok(shown.into_iter().filter_map(key).collect())
    }

    async fn client(&self) -> Result<AgentClient<UnixStream>, AgentError> {
        let socket = || self.socket.clone();
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|source| AgentError::Unreachable { socket: socket(), source })?;
        Ok(AgentClient::connect(stream))
    }

    fn broken(&self, source: russh::keys::Error) -> AgentError {
        AgentError::Garbled { socket: self.socket.clone(), source }
    }
}

impl AgentKey {
    /// Its type and key, without comment.
    ///
    /// # Errors
    /// Never in practice; encoding is fallible by type.
    pub fn bare_public(&self) -> anyhow::Result<String> {
        let text = self.public.to_openssh().context("cannot encode an SSH key")?;
        Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }

    /// SHA256 in base64, as OpenSSH shows it.
    pub fn fingerprint(&self) -> String {
        self.public.fingerprint(HashAlg::Sha256).to_string()
    }

    /// What its agent calls it, without what a terminal would act on.
    pub fn comment(&self) -> String {
        self.public.comment().to_string().chars().filter(|c| !c.is_control()).collect()
    }

    /// Its type, where commands cannot log in with it. A security key wants a touch each time, of which a deploy would take dozens.
    pub fn unfit(&self) -> Option<String> {
        let kind = self.public.algorithm();
        (kind != Algorithm::Ed25519).then(|| kind.to_string())
    }

    /// A signature of these words in a namespace: what only who has the key can tell, and for an Ed25519 key the same each time. No
    /// login signs such a thing, nor does `ssh-keygen -Y sign` in another namespace.
    ///
    /// # Errors
    /// [`AgentError`]; also where the signature is none.
    pub async fn sign(&self, namespace: &str, words: &str) -> anyhow::Result<Vec<u8>> {
        let data = SshSig::signed_data(namespace, HashAlg::Sha512, words.as_bytes())
            .context("cannot put together what is to be signed")?;
        let ask = async {
            let mut client = self.agent.client().await?;
            client.sign_request_signature(&self.public, None, &data).await.map_err(|why| self.unsigned(why))
        };
        let late = |_| AgentError::TooSlow { socket: self.agent.socket.clone(), limit: SIGN };
        let signature = timeout(SIGN, ask).await.map_err(late)??;
        let bytes = signature.as_bytes().to_vec();
        let signed = SshSig::new(self.public.key_data().clone(), namespace, HashAlg::Sha512, signature);
        signed
            .and_then(|signed| self.public.verify(namespace, words.as_bytes(), &signed))
            .context("what the ssh-agent signs with is another key")?;
        Ok(bytes)
    }

    /// The key, and its agent to sign with it.
    pub(super) async fn signer(&self) -> Result<(PublicKey, AgentClient<UnixStream>), AgentError> {
        Ok((self.public.clone(), self.agent.client().await?))
    }

    /// Why there is no signature, by what russh says.
    pub(super) fn unsigned(&self, why: russh::keys::Error) -> AgentError {
        match why {
            russh::keys::Error::AgentFailure | russh::keys::Error::AgentProtocolError => {
                AgentError::Refused { socket: self.agent.socket.clone(), fingerprint: self.fingerprint() }
            }
            other => self.agent.broken(other),
        }
    }
}
