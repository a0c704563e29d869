//! Room 6: answers queries against one release, for one principal, under policy. Never writes data.

mod answer;
mod chain;
pub mod compare;
pub mod desk;
mod dialect;
mod draft;
mod escape;
pub mod fault;
pub mod flight;
mod follow;
mod information;
mod lanes;
mod limits;
mod memory;
mod origin;
pub mod password;
mod past;
mod pieces;
mod record;
mod rewrite;
mod shown;
pub mod sql;
pub mod statement;
mod tls;
pub mod token;
pub mod wire;
mod yielding;

use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::policy::access::Access;
use crate::project::FILE;
use arrow_flight::flight_service_server::FlightServiceServer;
use desk::Desk;
use futures::{Stream, StreamExt, future};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tls::Certificates;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tonic::transport::Server;
use tonic::transport::server::{Connected, TcpIncoming};

/// What clients upload is small; what they ask for in parallel over one connection is not.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
const FRAME_BYTES: u32 = 1 << 20;

/// A client that answers no ping for this long is gone, and its statements end.
const PING_EVERY: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// The same below TLS, for connections that are not through their handshake.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long to wait when no connection can be accepted, because all files are in use for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long statements that run may take to end after a request to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Serves `hub` over Flight SQL on `listener` until `shutdown` completes, with the certificate of
/// the project.
pub async fn run(hub: Arc<Hub>, listener: TcpListener, shutdown: impl Future) -> Result<()> {
    let tls = hub.project.hub.tls.as_ref().ok_or_else(|| {
        Error::config("the hub has no certificate")
            .at(hub.project.dir.join(FILE).display())
            .hint("add [hub.tls] with certificate and key")
    })?;
    let mut certificates = Certificates::load(tls).await?;
    let incoming = certificates.accept(accepted(listener));
    tokio::select! {
        served = Box::pin(answer(hub, incoming, shutdown)) => served,
        never = certificates.follow() => match never {},
    }
}

/// The same without encryption, on a loopback address only: passwords and police data must not
/// cross a network in the clear.
pub async fn run_plaintext(hub: Arc<Hub>, listener: TcpListener, shutdown: impl Future) -> Result<()> {
    let address =
        listener.local_addr().map_err(|e| Error::internal("the listener has no address").because(e))?;
    if !address.ip().is_loopback() {
        return Err(Error::config(format!("\"{address}\" can be reached from other machines"))
            .hint("listen on 127.0.0.1, or serve with a certificate, which is [hub.tls] in muster.toml"));
    }
    Box::pin(answer(hub, accepted(listener).map(Ok), shutdown)).await
}

/// Answers whoever comes in by `incoming`.
async fn answer<C>(
    hub: Arc<Hub>,
    incoming: impl Stream<Item = io::Result<C>>,
    shutdown: impl Future,
) -> Result<()>
where
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let mut server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_TIMEOUT));
    let access = Arc::new(Access::new(hub.project.people()));
    let dir = hub.project.dir.clone();
    let desk = Desk::new(hub)?;
    let service = FlightServiceServer::new(flight::Service::new(Arc::clone(&desk), Arc::clone(&access))?);
    let (stopping, stopped) = oneshot::channel();
    let signal = async move {
        shutdown.await;
        stopping.send(()).ok();
    };
    let serving = server.add_service(service).serve_with_incoming_shutdown(incoming, signal);
    tokio::select! {
        served = serving => served.map_err(|e| Error::internal("the server stopped").because(e)),
        () = grace(stopped) => Ok(()),
        never = follow::people(&access, &dir) => match never {},
        never = memory::watch(&desk) => match never {},
    }
}

/// The connections that come in. One that cannot be accepted does not end the server.
fn accepted(listener: TcpListener) -> impl Stream<Item = TcpStream> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(KEEPALIVE));
    let accepted = incoming.then(|connection| async {
        match connection {
            Ok(connection) => Some(connection),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    });
    accepted.filter_map(future::ready)
}

/// Completes some time after the request to stop; never without one.
async fn grace(stopped: oneshot::Receiver<()>) {
    match stopped.await {
        Ok(()) => tokio::time::sleep(GRACE).await,
        Err(_) => std::future::pending().await,
    }
}
