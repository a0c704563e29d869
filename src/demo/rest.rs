//! The estate's systems that speak REST, on this machine: each answers from a folder of JSON, in
//! the manner of its vendor. Nothing reads these folders but through here.
//!
//! A resource is a file `<path>.json` below the folder, one JSON array. A queue is a file
//! `<path>.queue.json`: whoever reads it empties it, as the vendor's does.

use crate::error::{Error, Result};
use axum::Router;
use axum::extract::{Path as Route, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;

/// The folder of the systems' JSON, below that of the estate.
pub(super) const FOLDER: &str = "systems/rest";

/// Where everybody finds what a resource answers at most at once, unless they ask for less.
const PAGE: usize = 500;

/// How a vendor's API behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Oracle Fusion: basic authentication, `limit` and `offset`, `hasMore` in the answer.
    Fusion,
    /// Abavus: a key in the header `iPublicKey`, `limit` and `offset`, queues that reading empties.
    Abavus,
}

/// One system.
#[derive(Debug)]
struct System {
    manner: Manner,
    folder: PathBuf,
    secret: String,
}

/// What callers may ask beyond the path.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    limit: Option<usize>,
    offset: Option<usize>,
}

/// The file with the password of the interfaces, in the folder of the estate.
pub const KEY_FILE: &str = ".rest-key";

/// Answers for the systems of the estate in `dir` until `listener`'s task is dropped. `secret` is
/// the password of their only user, `reader`, and their key.
pub async fn serve(dir: &Path, secret: &str, listener: TcpListener) -> Result<()> {
    let mut router = Router::new();
    for (name, manner) in [("fusion", Manner::Fusion), ("abavus", Manner::Abavus)] {
        let system = System { manner, folder: dir.join(FOLDER).join(name), secret: secret.to_string() };
        let routes = Router::new().route("/{*path}", get(answer)).with_state(Arc::new(system));
        router = router.nest(&format!("/{name}"), routes);
    }
    let served = axum::serve(listener, router).await;
    served.map_err(|e| Error::internal("the demo's REST systems have stopped").because(e))
}

async fn answer(
    State(system): State<Arc<System>>,
    Route(path): Route<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    if !system.admits(&headers) {
        return (StatusCode::UNAUTHORIZED, "who are you?").into_response();
    }
    let is_plain = |part| matches!(part, Component::Normal(_));
    if !Path::new(&path).components().all(is_plain) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let given = tokio::task::spawn_blocking(move || system.given(&path, &asked)).await;
    match given {
        Ok(Ok(Some(body))) => Json(body).into_response(),
        Ok(Ok(None)) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(_)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl System {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let sent = |name| headers.get(name).and_then(|value| value.to_str().ok());
        match self.manner {
            Manner::Fusion => {
                let basic = BASE64_STANDARD.encode(format!("reader:{}", self.secret));
                sent(header::AUTHORIZATION.as_str()) == Some(&format!("Basic {basic}"))
            }
            Manner::Abavus => sent("ipublickey") == Some(&self.secret),
        }
    }

    /// The body of an answer; `None` when there is no such resource.
    fn given(&self, path: &str, asked: &Asked) -> std::io::Result<Option<Value>> {
        if let Some(events) = self.emptied(path)? {
            return Ok(Some(events));
        }
        if self.manner == Manner::Abavus
            && let Some((list, _)) =
                path.strip_prefix("serviceRequest/").and_then(|path| path.split_once('/'))
        {
            // Nobody has added anything to a request.
            return Ok(Some(json!({ list: [], "message": "None Found" })));
        }
        let Some(items) = read(&self.folder.join(format!("{path}.json")))? else { return Ok(None) };
        let limit = asked.limit.unwrap_or(PAGE).min(PAGE);
        let offset = asked.offset.unwrap_or(0);
        let all = items.len();
        let page: Vec<Value> = items.into_iter().skip(offset).take(limit).collect();
        Ok(Some(match self.manner {
            Manner::Fusion => json!({
                "count": page.len(),
                "hasMore": offset + page.len() < all,
                "limit": limit,
                "offset": offset,
                "items": page,
            }),
            Manner::Abavus => json!({ "serviceRequests": page, "message": "Service requests retrieved." }),
        }))
    }

    /// What was in a queue, which is empty from now on; `None` where there never was one.
    fn emptied(&self, path: &str) -> std::io::Result<Option<Value>> {
        let queue = self.folder.join(format!("{path}.queue.json"));
        let Some(events) = read(&queue)? else { return Ok(None) };
        std::fs::write(&queue, "[]")?;
        let message = if events.is_empty() { "No Events Found" } else { "Success" };
        Ok(Some(json!({ "serviceEvents": events, "message": message, "webServiceId": "demo" })))
    }
}

fn read(path: &Path) -> std::io::Result<Option<Vec<Value>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
