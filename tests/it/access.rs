//! Users and roles of a running server: changed in the project's files, seen by open sessions.

use crate::as_of::{act, log_in, options};
use crate::flight::{Client, ask, fetch, short, shown};
use crate::hub;
use arrow_flight::sql::client::FlightSqlServiceClient;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A hub that no other test uses: what is changed here, others do not see.
pub struct Own {
    dir: TempDir,
    pub authority: String,
    pub address: SocketAddr,
}

impl Own {
    /// One release, served.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same after `prepare`.
    pub fn with(prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = hub::write(dir.path());
        prepare(dir.path());
        let address = hub::serve_after(dir.path(), |folder| async move { _ = hub::release(&folder).await });
        Self { dir, authority, address }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub async fn log_in(&self, user: &str) -> Client {
        log_in(self.address, &self.authority, user).await
    }

    /// A client that has not logged in.
    pub async fn connect(&self) -> Client {
        FlightSqlServiceClient::new(hub::channel(self.address, &self.authority).await)
    }

    fn settings(&self) -> String {
        fs::read_to_string(self.dir().join("muster.toml")).unwrap()
    }

    /// Writes `to` in the place of `from` in `muster.toml`; gives the text before.
    pub fn edit(&self, from: &str, to: &str) -> String {
        let before = self.settings();
        assert!(before.contains(from), "{before}");
        fs::write(self.dir().join("muster.toml"), before.replacen(from, to, 1)).unwrap();
        before
    }

    /// Takes a user out of `muster.toml`; gives the text before.
    pub fn remove(&self, user: &str) -> String {
        let before = self.settings();
        let start = before.find(&format!("[users.{user}]")).unwrap();
        let end = before[start + 1..].find("[users.").map_or(before.len(), |next| start + 1 + next);
        self.edit(&before[start..end], "")
    }
}

pub async fn answer(client: &mut Client, sql: &str) -> String {
    ask(client, sql).await.map_or_else(|message| message, |batch| shown(&batch))
}

/// Asks until the answer holds `wanted`.
pub async fn until(client: &mut Client, sql: &str, wanted: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = answer(client, sql).await;
        if answer.contains(wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "no {wanted:?} in {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const COUNT: &str = "select count(*) as n from conformed.widget";
const ONE_FORCE: &str = "[roles.beds]\nforces = [\"beds\"]\ntables = [\"conformed.*\", \"hub.*\"]";
const BOTH: &str = "[roles.beds]\nforces = [\"beds\", \"cambs\"]\ntables = [\"conformed.*\", \"hub.*\"]";
const NO_TABLE: &str = "[roles.beds]\nforces = [\"beds\"]\ntables = [\"hub.*\"]";

/// Longer than a change takes to be seen.
const SEEN: Duration = Duration::from_secs(6);

#[tokio::test]
async fn what_is_granted_and_revoked_reaches_open_sessions() {
    let own = Own::new();
    let mut client = own.log_in("beds").await;
    assert!(answer(&mut client, COUNT).await.contains("| 2 |"));
    own.edit(ONE_FORCE, BOTH);
    until(&mut client, COUNT, "| 4 |").await;
    let planned = client.execute("select * from conformed.widget".into(), None).await.unwrap();
    let mut prepared = client.prepare("select * from conformed.widget".into(), None).await.unwrap();
    own.edit(BOTH, ONE_FORCE);
    until(&mut client, COUNT, "| 2 |").await;
    fetch(&mut client, planned).await.unwrap_err();
    let again = prepared.execute().await.unwrap();
    assert_eq!(fetch(&mut client, again).await.unwrap().num_rows(), 2);
    own.edit(ONE_FORCE, NO_TABLE);
    until(&mut client, COUNT, "table 'muster.conformed.widget' not found").await;
}

#[tokio::test]
async fn who_is_removed_is_out() {
    let own = Own::new();
    let (mut beds, mut narrow) = (own.log_in("beds").await, own.log_in("narrow").await);
    let before = own.remove("beds");
    until(&mut beds, COUNT, "log in again: the token has expired").await;
    assert!(answer(&mut narrow, COUNT).await.contains("| 2 |"), "others go on");
    let mut client = own.connect().await;
    let refused = client.handshake("beds", &hub::password("beds")).await.unwrap_err();
    assert_eq!(short(&refused.to_string()), "unknown user or wrong password");
    // Who comes back with the same password is who was removed; with another, somebody else.
    fs::write(own.dir().join("muster.toml"), before).unwrap();
    until(&mut beds, COUNT, "| 2 |").await;
    let settings = own.settings();
    let hash = settings.split("[users.beds]").nth(1).unwrap().split('"').nth(3).unwrap();
    own.edit(hash, &muster::serve::password::hash("another password").unwrap());
    until(&mut beds, COUNT, "log in again: the token has expired").await;
    client.handshake("beds", "another password").await.unwrap();
    assert!(answer(&mut client, COUNT).await.contains("| 2 |"));
}

#[tokio::test]
async fn a_broken_file_neither_grants_nor_locks_out() {
    let own = Own::new();
    let (mut beds, mut hub) = (own.log_in("beds").await, own.log_in("hub").await);
    let good = own.settings();
    for broken in [
        String::new(),
        good.replacen(ONE_FORCE, BOTH, 1) + "[roles.",
        good.replacen(ONE_FORCE, BOTH, 1).replacen("roles = [\"narrow\"]", "roles = [\"nobody\"]", 1),
    ] {
        fs::write(own.dir().join("muster.toml"), broken).unwrap();
        let until = Instant::now() + SEEN;
        while Instant::now() < until {
            assert!(answer(&mut beds, COUNT).await.contains("| 2 |"));
            assert!(answer(&mut hub, COUNT).await.contains("| 4 |"));
        }
    }
    // What is wrong elsewhere keeps nobody in.
    fs::write(own.dir().join("muster.toml"), good.replacen("system = \"acme\"", "system = \"nothing\"", 1))
        .unwrap();
    own.remove("beds");
    until(&mut beds, COUNT, "log in again: the token has expired").await;
}

#[tokio::test]
async fn connection_properties_come_as_headers() {
    let own = Own::new();
    let properties = async |pairs: &[(&'static str, &str)], sql: &str| {
        let mut client = own.log_in("hub").await;
        for (name, value) in pairs {
            client.set_header(*name, *value);
        }
        answer(&mut client, sql).await
    };
    let (widgets, queries) = ("select count(*) as n from widget", "select count(*) > 0 as n from queries");
    let ignored = [("database", "muster"), ("chunkbuffercapacity", "5"), ("stringcolumnlength", "9")];
    assert!(properties(&ignored, widgets).await.contains("| 4 |"));
    assert!(properties(&[("schema", "Hub")], queries).await.contains("| true |"));
    assert_eq!(properties(&[("schema", "hub")], widgets).await, "table 'muster.hub.widget' not found");
    assert_eq!(properties(&[("database", "sales")], widgets).await, "there is no database 'sales'");
    assert_eq!(properties(&[("schema", "raw")], widgets).await, "there is no schema 'raw'");
    let now = chrono::Utc::now().to_rfc3339();
    assert!(properties(&[("as_of", &now)], widgets).await.contains("| 4 |"));
    let before = properties(&[("as_of", "2001-01-01T00:00:00Z")], widgets).await;
    assert!(before.starts_with("nothing had been released at"), "{before}");

    let mut client = own.log_in("hub").await;
    let mut prepared = client.prepare(queries.replace("queries", "hub.queries"), None).await.unwrap();
    assert_eq!(
        act(&mut client, &[], "SetSessionOptions", options(&[("schema", Some("hub"))])).await,
        Ok(vec![])
    );
    assert!(answer(&mut client, queries).await.contains("| true |"));
    let held =
        act(&mut client, &[("schema", "marts")], "SetSessionOptions", options(&[("schema", Some("hub"))]));
    assert_eq!(held.await.unwrap_err(), "the header schema already says what is read");
    act(&mut client, &[], "SetSessionOptions", options(&[("schema", None)])).await.unwrap();
    assert!(answer(&mut client, widgets).await.contains("| 4 |"));
    let info = prepared.execute().await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap().num_rows(), 1);
}
