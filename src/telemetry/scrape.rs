//! `GET /metrics`.

use super::metrics;
use crate::error::{Error, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpListener;

/// A client that does not ask and listen within this time is let go: they are served in turn.
const PATIENCE: Duration = Duration::from_secs(5);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Opens `address` for [`serve`].
pub async fn listen(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|e| {
        Error::config(format!("cannot listen on \"{address}\""))
            .hint("`metrics` of [hub] names an address and port of this machine that is free")
            .because(e)
    })
}

/// Answers whoever asks for `/metrics`, one after another, for ever. `memory_bytes` tells what queries
/// and builds have reserved.
pub async fn serve(listener: TcpListener, memory_bytes: impl Fn() -> usize) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "metrics not served");
                tokio::time::sleep(PATIENCE).await;
                continue;
            }
        };
        let service =
            service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&request, &memory_bytes))));
        let connection =
            http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
        // Whoever went away in the middle will ask again.
        tokio::time::timeout(PATIENCE, connection).await.ok();
    }
}

fn answer(request: &Request<Incoming>, memory_bytes: &impl Fn() -> usize) -> Response<Full<Bytes>> {
    let plain = |status: StatusCode, text: &str| {
        let mut response = Response::new(Full::from(text.to_string()));
        *response.status_mut() = status;
        response
    };
    if request.method() != Method::GET || request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "see /metrics\n");
    }
    match metrics::text(memory_bytes()) {
        Ok(text) => {
            let mut response = plain(StatusCode::OK, &text);
            let kind = hyper::header::HeaderValue::from_static(OPEN_METRICS);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
    }
}
