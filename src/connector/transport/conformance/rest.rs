//! A REST server of the tests, in their own process.

use super::Texts;
use crate::connector::contract::Contract;
use crate::connector::{Bytes, Extract, SourceFile, read_file};
use crate::error::Result;
use crate::project::{Address, Source};
use axum::extract::{Query, State};
use axum::{Router, routing::get};
use futures::TryStreamExt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server that answers with what was offered last.
#[derive(Debug)]
pub(super) struct Rest {
    port: u16,
    offered: Shared,
    served: JoinHandle<()>,
}

type Shared = Arc<Mutex<Offered>>;

/// What is offered: rows, or a row and how often it comes.
#[derive(Debug)]
enum Offered {
    Rows(Vec<String>),
    Many(usize, String),
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl Rest {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let offered: Shared = Arc::new(Mutex::new(Offered::Rows(Vec::new())));
        let router = Router::new().route("/api/E", get(page)).with_state(Arc::clone(&offered));
        let served = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, offered, served }
    }

    pub(super) fn address(&self) -> Address {
        Address::Rest(format!("http://127.0.0.1:{}/api", self.port).parse().unwrap())
    }

    pub(super) fn offer(&self, header: &[String], rows: &[Texts]) {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let member = |(name, cell): (&String, &Option<String>)| {
            format!("{}: {}", text(name), cell.as_deref().map_or("null".into(), text))
        };
        let row = |row: &Texts| {
            format!("{{{}}}", header.iter().zip(row).map(member).collect::<Vec<_>>().join(", "))
        };
        *self.offered.lock().unwrap() = Offered::Rows(rows.iter().map(row).collect());
    }

    pub(super) fn offer_many(&self, rows: u32, name: &str) {
        *self.offered.lock().unwrap() = Offered::Many(rows as usize, name.into());
    }
}

async fn page(State(offered): State<Shared>, Query(query): Query<HashMap<String, usize>>) -> String {
    let (limit, offset) = (query["limit"], query["offset"]);
    let (items, all) = match &*offered.lock().unwrap() {
        Offered::Rows(rows) => {
            let page: Vec<&str> = rows.iter().skip(offset).take(limit).map(String::as_str).collect();
            (page.join(","), rows.len())
        }
        Offered::Many(rows, name) => {
            let row = |at| format!(r#"{{"ID": {at}, "AMOUNT": 0.25, "NAME": "{name}"}}"#);
            let page: Vec<String> = (offset..(*rows).min(offset + limit)).map(row).collect();
            (page.join(","), *rows)
        }
    };
    format!(r#"{{"items": [{items}], "more": {}}}"#, offset + limit < all)
}

thread_local! {
    /// Where answers are kept until their test ends.
    static ANSWERS: TempDir = tempfile::tempdir().unwrap();
}

/// Keeps an answer as the landing does, and reads it.
pub(super) async fn answered(source: &Source, contract: &Contract, mut bytes: Bytes) -> Result<Extract> {
    let path = ANSWERS.with(|folder| folder.path().join("answer.json"));
    // A reader that nobody listens to may still have the one before.
    std::fs::remove_file(&path).ok();
    let mut file = std::fs::File::create(&path).unwrap();
    while let Some(chunk) = bytes.try_next().await? {
        std::io::Write::write_all(&mut file, &chunk).unwrap();
    }
    let tag = "2026-04-01T00:00:00Z".into();
    read_file(source, contract, &SourceFile { name: "answer.json".into(), tag, sha256: String::new(), path })
}
