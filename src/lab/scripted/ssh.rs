//! Port 22 of a scripted host: root alone, by public key alone, and commands that the script answers.

use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use russh::keys::ssh_key::PrivateKey;
use russh::server::{Auth, Config, Handle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::server::{ChannelOpenHandle, run_stream};
use russh::{Channel, ChannelId, ChannelMsg, MethodKind, MethodSet, Pty, SshId};
use ssh_key::{Certificate, PublicKey};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::host::{Host, Output};
use super::script::Deed;
use super::update;

/// A shell's status for a command that it does not find.
pub(super) const NOT_FOUND: u32 = 127;
/// Longest wait for a client's word that it has read what was sent.
const ARRIVAL: Duration = Duration::from_secs(2);

/// From the order to start anew until that begins.
const REBOOT: Duration = Duration::from_secs(1);

/// What a host shows to its callers.
pub(super) fn config(key: PrivateKey, certificate: Option<Certificate>) -> Arc<Config> {
    Arc::new(Config {
        server_id: SshId::Standard("SSH-2.0-clawberth_lab".into()),
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        // nobody guesses here
        auth_rejection_time: Duration::ZERO,
        keys: vec![key],
        certificates: certificate.into_iter().collect(),
        nodelay: true,
        ..Config::default()
    })
}

/// Serves one connection to its end.
pub(super) async fn answer(host: Arc<Host>, config: Arc<Config>, stream: TcpStream) -> Result<()> {
    let stream = stream.into_std()?;
    let line = Line(Arc::new(stream.try_clone()?));
    let login = Login { host, line: Arc::clone(&line.0), channels: HashMap::new() };
    // the session is a task of its own: it ends with the line, which this holds
    Ok(run_stream(config, TcpStream::from_std(stream)?, login).await?.await?)
}

/// The connection below a session, which is cut when this is dropped: the port is closed then.
struct Line(Arc<std::net::TcpStream>);

impl Drop for Line {
    fn drop(&mut self) {
        cut(&self.0);
    }
}

fn cut(line: &std::net::TcpStream) {
    // it may be at its end already
    let _ = line.shutdown(Shutdown::Both);
}

/// Who calls.
struct Login {
    host: Arc<Host>,
    line: Arc<std::net::TcpStream>,
    /// Opened, with nothing running yet.
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Login {
    fn judge(&self, user: &str, key: &PublicKey) -> Auth {
        if user == "root" && self.host.admits(key) { Auth::Accept } else { Auth::reject() }
    }
}

impl Handler for Login {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(user, offer.public_key))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(self.judge(user, key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(channel) = self.channels.remove(&id) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let command = String::from_utf8_lossy(command).into_owned();
        let line = Arc::clone(&self.line);
        tokio::spawn(run(Arc::clone(&self.host), line, session.handle(), channel, command));
        Ok(())
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }
}

/// Runs one command. That its caller goes away is not its business.
async fn run(
    host: Arc<Host>,
    line: Arc<std::net::TcpStream>,
    session: Handle,
    mut channel: Channel<Msg>,
    command: String,
) {
    let mishap = host.mishap(&command);
    if mishap.hang {
        while channel.wait().await.is_some() {}
        return;
    }
    let rule = host.rule(&command);
    if rule.is_some_and(|rule| rule.input) {
        while !matches!(channel.wait().await, None | Some(ChannelMsg::Eof)) {}
    }
    tokio::time::sleep(mishap.delay + rule.map(|rule| rule.delay).unwrap_or_default()).await;
    let is_done = mishap.instead.is_none();
    let output = match (mishap.instead, rule) {
        (Some(output), _) => output,
        (None, Some(rule)) if rule.deed == Some(Deed::Update) => update::run(&host, rule, &command).await,
        (None, Some(rule)) => host.run(rule, &command),
        (None, None) => unknown(&host, &command),
    };
    if is_done && rule.is_some_and(|rule| rule.deed == Some(Deed::Reboot)) {
        tokio::spawn(reboot(Arc::clone(&host)));
    }
    if mishap.cut {
        let half: String = output.stdout.chars().take(output.stdout.chars().count() / 2).collect();
        let _ = channel.data_bytes(half).await;
        // a client's answer, which is no to this, shows that the half has arrived
        let _ = timeout(ARRIVAL, session.channel_open_agent()).await;
        cut(&line);
        return;
    }
    let _ = tell(&channel, output).await;
}

/// So that there is an answer first.
async fn reboot(host: Arc<Host>) {
    let since = host.started();
    tokio::time::sleep(REBOOT).await;
    host.reboot(since);
}

async fn tell(channel: &Channel<Msg>, output: Output) -> Result<(), russh::Error> {
    if !output.stdout.is_empty() {
        channel.data_bytes(output.stdout).await?;
    }
    if !output.stderr.is_empty() {
        channel.extended_data_bytes(1, output.stderr).await?;
    }
    channel.exit_status(output.status).await?;
    channel.eof().await?;
    channel.close().await
}

fn unknown(host: &Host, command: &str) -> Output {
    let first = command.lines().next().unwrap_or_default();
    tracing::warn!("server {}: no rule for the command {first:?}", host.id);
    let stderr = format!("no rule of this scripted host matches: {first}\n");
    Output { stdout: String::new(), stderr, status: NOT_FOUND }
}
