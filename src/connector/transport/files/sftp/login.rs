//! Entering an SFTP server: first it shows who it is, then the source does.

use super::hosts::Hosts;
use crate::error::{Error, Result};
use crate::project::{Remote, Source};
use russh::client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{ChannelStream, MethodKind, MethodSet, Preferred};
use std::sync::Arc;
use std::time::Duration;

/// After so much silence the server is asked whether it is still there; it has gone when it does not
/// answer three times.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// How many rounds of questions a server may ask for a password.
const ROUNDS: usize = 3;

/// A connection to a server that let the source in.
pub(super) type Connection = Handle<Visitor>;

/// Looks at the server before anything is said to it.
pub(super) struct Visitor(Hosts);

/// Why a connection did not come about.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The server shows a key that it should not.
    Host(Error),
    /// Anything else.
    Ssh(russh::Error),
}

impl From<russh::Error> for Refusal {
    fn from(error: russh::Error) -> Self {
        Refusal::Ssh(error)
    }
}

impl client::Handler for Visitor {
    type Error = Refusal;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Refusal> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.0.check(key).map(|()| true).map_err(Refusal::Host)
            }
            // None was asked for: authorities of hosts are not in use.
            PublicKeyOrCertificate::Certificate(_) => Ok(false),
        }
    }
}

/// Connects, and shows who enters.
pub(super) async fn enter(source: &Source, remote: &Remote) -> Result<Connection> {
    let Some(known_hosts) = &source.access.known_hosts else {
        return Err(Error::config("the source has no known_hosts"));
    };
    let hosts = Hosts::read(known_hosts, remote)?;
    let config = client::Config {
        preferred: Preferred { key: hosts.algorithms().into(), ..Preferred::DEFAULT },
        keepalive_interval: Some(KEEPALIVE),
        nodelay: true,
        ..client::Config::default()
    };
    let connecting = client::connect(Arc::new(config), (remote.host.as_str(), remote.port), Visitor(hosts));
    let mut connection = connecting.await.map_err(|refusal| match refusal {
        Refusal::Host(error) => error,
        Refusal::Ssh(error) => cut(remote, error),
    })?;
    identify(&mut connection, source, remote).await?;
    Ok(connection)
}

/// What runs SFTP over a connection.
pub(super) async fn subsystem(
    connection: &Connection,
    remote: &Remote,
) -> Result<ChannelStream<client::Msg>> {
    let asked = async {
        let channel = connection.channel_open_session().await?;
        channel.request_subsystem(true, "sftp").await?;
        Ok(channel.into_stream())
    };
    asked.await.map_err(|error| cut(remote, error))
}

/// Shows the key, then the password: servers may ask for both.
async fn identify(connection: &mut Connection, source: &Source, remote: &Remote) -> Result<()> {
    let mut shown = Vec::new();
    let mut accepted = MethodSet::empty();
    if let Some(key) = key(source)? {
        shown.push("key");
        match with_key(connection, remote, key).await.map_err(|error| cut(remote, error))? {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure { remaining_methods, .. } => accepted = remaining_methods,
        }
    }
    if let Some(password) = &source.access.password {
        let password = password.read()?;
        shown.push("password");
        match with_password(connection, remote, &password).await.map_err(|error| cut(remote, error))? {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure { remaining_methods, .. } => accepted = remaining_methods,
        }
    }
    let Remote { host, port, user, .. } = remote;
    let accepted: Vec<&str> = accepted.iter().map(<&str>::from).collect();
    Err(Error::source(format!(
        "the server at {host}:{port} refused user '{user}' with the source's {}",
        shown.join(" and ")
    ))
    .hint(format!(
        "see the user of the address, and the source's `key` and `password`; the server takes: {}",
        accepted.join(", ")
    )))
}

async fn with_key(
    connection: &mut Connection,
    remote: &Remote,
    key: PrivateKey,
) -> Result<AuthResult, russh::Error> {
    let hash = match key.algorithm().is_rsa() {
        // A server that does not say what it knows is expected to know what everybody does.
        true => connection.best_supported_rsa_hash().await?.unwrap_or(Some(HashAlg::Sha256)),
        false => None,
    };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    connection.authenticate_publickey(&remote.user, key).await
}

/// Many servers take a password only as the answer to a question.
async fn with_password(
    connection: &mut Connection,
    remote: &Remote,
    password: &str,
) -> Result<AuthResult, russh::Error> {
    let answered = connection.authenticate_password(&remote.user, password).await?;
    let AuthResult::Failure { remaining_methods, .. } = &answered else { return Ok(answered) };
    let asks = remaining_methods.contains(&MethodKind::KeyboardInteractive);
    if !asks || remaining_methods.contains(&MethodKind::Password) {
        return Ok(answered);
    }
    let mut asked = connection.authenticate_keyboard_interactive_start(&remote.user, None).await?;
    for _ in 0..ROUNDS {
        asked = match asked {
            KeyboardInteractiveAuthResponse::Success => return Ok(AuthResult::Success),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(answered),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                // What is shown while it is typed is no password.
                let answer = |echo| if echo { String::new() } else { password.to_string() };
                let answers = prompts.iter().map(|prompt| answer(prompt.echo)).collect();
                connection.authenticate_keyboard_interactive_respond(answers).await?
            }
        };
    }
    Ok(answered)
}

/// The source's private key, if it has one.
fn key(source: &Source) -> Result<Option<PrivateKey>> {
    let Some(secret) = &source.access.key else { return Ok(None) };
    let passphrase = source.access.passphrase.as_ref().map(|secret| secret.read()).transpose()?;
    match decode_secret_key(&secret.read()?, passphrase.as_deref()) {
        Ok(key) if !key.is_encrypted() => Ok(Some(key)),
        Ok(_) | Err(russh::keys::Error::KeyIsEncrypted) => Err(Error::config("the source's key is encrypted")
            .hint("passphrase = { env = \"…\" } says what with")),
        Err(error) => Err(Error::config("the source's key cannot be read")
            .hint("see whether it is a private key in the format of OpenSSH, PEM or PuTTY, and its passphrase is right")
            .because(error)),
    }
}

fn cut(remote: &Remote, error: russh::Error) -> Error {
    let Remote { host, port, .. } = remote;
    Error::source(format!("the server at {host}:{port} could not be entered"))
        .hint("see whether it runs, can be reached from here and offers SFTP")
        .because(error)
}
