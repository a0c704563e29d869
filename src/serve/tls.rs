//! TLS: the server's certificate, which can be replaced while the server runs, and the clients'
//! certificates where they are asked for.

use super::follow::{Contents, Followed};
use crate::error::{Error, Result};
use crate::project::Tls;
use futures::{Stream, StreamExt, future};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, crypto};
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A connection that does not finish its handshake in time is closed.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes at the same time; who comes later waits for one of them to end.
const HANDSHAKES_AT_ONCE: usize = 512;

/// What new connections are encrypted with.
pub(super) struct Certificates {
    files: Tls,
    followed: Followed,
    current: watch::Sender<Arc<ServerConfig>>,
}

impl Certificates {
    /// Reads the certificate and its key, and the authority of the clients if there is one.
    pub(super) async fn load(files: &Tls) -> Result<Self> {
        let mut followed = Followed::new(paths(files));
        let (current, _) = watch::channel(Arc::new(config(files, followed.take().await)?));
        Ok(Self { files: files.clone(), followed, current })
    }

    /// The connections of `incoming` whose handshakes succeed.
    pub(super) fn accept<T: Stream<Item = TcpStream>>(
        &self,
        incoming: T,
    ) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> + use<T> {
        let current = self.current.subscribe();
        incoming
            .map(move |connection| {
                let acceptor = TlsAcceptor::from(Arc::clone(&current.borrow()));
                // Tasks of their own: their arithmetic must not wait for one another.
                tokio::spawn(handshake(acceptor, connection))
            })
            .buffer_unordered(HANDSHAKES_AT_ONCE)
            .filter_map(|done| future::ready(done.ok().flatten().map(Ok)))
    }

    /// Takes new files when there are some. Those that cannot be used leave everything as it was,
    /// and are reported once. Connections that stand go on.
    pub(super) async fn follow(&mut self) -> Infallible {
        loop {
            let contents = self.followed.changed().await;
            let file = self.files.certificate.display();
            match config(&self.files, contents) {
                Ok(config) => {
                    self.current.send_replace(Arc::new(config));
                    tracing::info!(%file, "new connections get the new certificate");
                }
                Err(error) => tracing::error!(
                    %file,
                    %error,
                    cause = ?std::error::Error::source(&error),
                    "the new certificate cannot be used; the one before stays"
                ),
            }
        }
    }
}

async fn handshake(acceptor: TlsAcceptor, connection: TcpStream) -> Option<TlsStream<TcpStream>> {
    let peer = connection.peer_addr().ok();
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(connection)).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(error)) => {
            tracing::debug!(?peer, %error, "a handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(?peer, "a handshake was not finished in time");
            None
        }
    }
}

fn paths(files: &Tls) -> Vec<PathBuf> {
    let Tls { certificate, key, client_ca } = files;
    [certificate, key].into_iter().chain(client_ca).cloned().collect()
}

/// The settings for `contents`, which are those of [`paths`].
fn config(files: &Tls, contents: Contents) -> Result<ServerConfig> {
    let mut contents = contents.into_iter();
    let mut next = |path: &Path| match contents.next() {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(error)) => Err(wrong(path, "cannot be read").because(error)),
        None => Err(wrong(path, "was not looked at")),
    };
    let chain = certificates(&files.certificate, &next(&files.certificate)?)?;
    // Without the cause, which may quote a line of the file.
    let key = PrivateKeyDer::from_pem_slice(&next(&files.key)?).map_err(|_| {
        wrong(&files.key, "holds no private key").hint("PEM, as in -----BEGIN PRIVATE KEY-----")
    })?;
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS12, &TLS13])
        .map_err(|e| Error::internal("TLS is not available").because(e))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path, &next(path)?)? {
                roots.add(authority).map_err(|e| wrong(path, "holds no usable authority").because(e))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(
                verifier.map_err(|e| wrong(path, "holds no usable authority").because(e))?,
            )
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|e| {
        wrong(&files.certificate, "cannot be used")
            .hint(format!("see whether {} is its key", files.key.display()))
            .because(e)
    })?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_slice_iter(pem).collect::<std::result::Result<Vec<_>, _>>();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        // Without the cause: somebody may have put the key here.
        _ => Err(wrong(path, "holds no certificate").hint("PEM, as in -----BEGIN CERTIFICATE-----")),
    }
}

fn wrong(path: &Path, what: &str) -> Error {
    Error::config(format!("a file of [hub.tls] {what}")).at(path.display())
}
