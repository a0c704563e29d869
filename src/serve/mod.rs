//! Room 6: answers queries against one release, for one principal, under policy. Never writes data.

mod answer;
mod chain;
pub mod compare;
pub mod desk;
mod dialect;
mod draft;
pub mod fault;
pub mod flight;
pub mod lanes;
mod memory;
mod origin;
pub mod password;
mod past;
mod pieces;
mod record;
mod shown;
pub mod sql;
pub mod statement;
pub mod wire;
mod yielding;

use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::project::Tls;
use arrow_flight::flight_service_server::FlightServiceServer;
use desk::Desk;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

/// What clients upload is small; what they ask for in parallel over one connection is not.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
const FRAME_BYTES: u32 = 1 << 20;

/// A client that answers no ping for this long is gone, and its statements end.
const PING_EVERY: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection that does not finish its TLS handshake in time is closed.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long statements that run may take to end after a request to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Serves `hub` over Flight SQL on `listener` until `shutdown` completes: with TLS when the
/// project has a certificate, without it only on a loopback address.
pub async fn run(hub: Arc<Hub>, listener: TcpListener, shutdown: impl Future) -> Result<()> {
    let mut server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_TIMEOUT));
    match &hub.project.hub.tls {
        Some(tls) => {
            server = server.tls_config(certificate(tls).await?).map_err(|e| {
                Error::config("the server's certificate cannot be used")
                    .at(tls.certificate.display())
                    .because(e)
            })?;
        }
        None => only_loopback(&listener)?,
    }
    let desk = Desk::new(hub)?;
    let service = FlightServiceServer::new(flight::Service::new(Arc::clone(&desk))?);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let (stopping, stopped) = oneshot::channel();
    let signal = async move {
        shutdown.await;
        stopping.send(()).ok();
    };
    let watching = async {
        match memory::default_limit().await {
            Some(limit) => memory::watch(&desk, limit).await,
            None => tracing::warn!("the memory of the process is not watched: the system does not tell it"),
        }
        std::future::pending::<()>().await;
    };
    let serving = server.add_service(service).serve_with_incoming_shutdown(incoming, signal);
    tokio::select! {
        served = serving => served.map_err(|e| Error::internal("the server stopped").because(e)),
        () = grace(stopped) => Ok(()),
        () = watching => Ok(()),
    }
}

/// Completes some time after the request to stop; never without one.
async fn grace(stopped: oneshot::Receiver<()>) {
    match stopped.await {
        Ok(()) => tokio::time::sleep(GRACE).await,
        Err(_) => std::future::pending().await,
    }
}

/// Passwords and police data must not cross a network in the clear.
fn only_loopback(listener: &TcpListener) -> Result<()> {
    let address =
        listener.local_addr().map_err(|e| Error::internal("the listener has no address").because(e))?;
    match address.ip().is_loopback() {
        true => Ok(()),
        false => Err(Error::config(format!(
            "\"{address}\" can be reached from other machines, and the hub has no certificate"
        ))
        .hint("add [hub.tls] with certificate and key to muster.toml, or listen on 127.0.0.1")),
    }
}

async fn certificate(tls: &Tls) -> Result<ServerTlsConfig> {
    let read = async |path: &std::path::Path| {
        tokio::fs::read(path).await.map_err(|e| {
            Error::config("a file of the server's certificate cannot be read").at(path.display()).because(e)
        })
    };
    let identity = Identity::from_pem(read(&tls.certificate).await?, read(&tls.key).await?);
    Ok(ServerTlsConfig::new().identity(identity).timeout(TLS_TIMEOUT))
}
