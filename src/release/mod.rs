//! 5 RELEASE. Publishes all tables at once by writing one manifest. Readers see a release or the
//! one before, never a mixture.

pub mod as_of;
pub mod change;
pub mod code;
pub mod keep;

use crate::error::{Error, Result};
use crate::lake::Lake;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const CHAIN_BROKEN: &str =
    "a manifest was deleted or edited after it was published; compare with a copy of the lake";

/// The folder of the manifests in the lake.
const FOLDER: &str = "releases";

/// An immutable, numbered set of table versions, with the status of every force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The release's number, from 1, without gaps.
    pub release: u64,
    /// When it was published, microseconds since 1970.
    pub published_at: i64,
    /// The run that made it.
    pub run: String,
    /// The epoch of the lease that the run held. Epochs only rise, so a run whose lease was taken
    /// over while it slept cannot publish after the one that took it.
    #[serde(default)]
    pub epoch: u64,
    /// The SHA-256 of the models' SQL as it was, kept in the lake as `code/<sha256>.json`.
    #[serde(default)]
    pub code: String,
    /// The SHA-256 of the previous manifest's bytes; null for the first.
    pub previous: Option<String>,
    /// Every released table: its path in the lake → its version.
    pub tables: BTreeMap<String, TableVersion>,
    /// Every force of the project.
    pub forces: BTreeMap<String, ForceStatus>,
    /// The hub-scope tables: `marts.supplier_overlap` → what they hold.
    #[serde(default)]
    pub hub: BTreeMap<String, Dataset>,
}

/// One table of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableVersion {
    /// The Delta version.
    pub version: u64,
    /// Whose rows the table holds.
    pub rows_of: RowsOf,
    /// For code lists: the SHA-256 of the text they were made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Whose rows a table holds, which decides who may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowsOf {
    /// Partitioned by force.
    EachForce,
    /// Raw: one force's alone.
    Force(String),
    /// A hub-scope model over every force.
    Hub,
    /// Nobody's: a code list.
    Nobody,
}

/// How good a force's data is in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForceStatus {
    /// The state of all its tables together.
    pub status: Status,
    /// Why, when it is not fresh.
    pub why: Option<String>,
    /// Since when it has not been fresh, microseconds since 1970.
    pub since: Option<i64>,
    /// What the tables would have been made from that a check blocks: the same inputs would be
    /// blocked again.
    #[serde(default)]
    pub blocked: Option<String>,
    /// The sources that could not be read when they were last pulled, and why.
    #[serde(default)]
    pub unread: BTreeMap<String, String>,
    /// Its tables: `conformed.person` → what they hold.
    pub datasets: BTreeMap<String, Dataset>,
}

/// How good a force's data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Made from what every source last said.
    Fresh,
    /// A source could not be read; made from what it said before.
    Stale,
    /// A check blocks; the last good tables are kept.
    Failed,
    /// Nothing has been released yet.
    Missing,
}

impl Status {
    fn fresh() -> Self {
        Status::Fresh
    }

    /// The word in tables and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Fresh => "fresh",
            Status::Stale => "stale",
            Status::Failed => "failed",
            Status::Missing => "missing",
        }
    }
}

/// One table of a force, or one of hub scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// How good it is.
    #[serde(default = "Status::fresh")]
    pub status: Status,
    /// Why, when it is not fresh.
    #[serde(default)]
    pub why: Option<String>,
    /// Since when it has not been fresh, microseconds since 1970.
    #[serde(default)]
    pub since: Option<i64>,
    /// Rows.
    pub rows: u64,
    /// Rows that the sources of the entities behind it last had, good and bad.
    #[serde(default)]
    pub received_rows: u64,
    /// Rows of the entities behind it that are in quarantine.
    pub quarantined_rows: u64,
    /// When the newest load behind it was committed, microseconds since 1970.
    pub as_of: Option<i64>,
    /// What it was made from.
    #[serde(default)]
    pub basis: Basis,
}

/// Everything that decides what a table holds, each part as a hash over all that the table is made
/// from directly and through other tables: the same basis makes the same rows, and two tables of
/// different basis differ because of the parts that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The program's version: an upgrade may change what SQL means.
    pub program: String,
    /// The statements and checks.
    pub sql: String,
    /// The contracts of the entities.
    pub contracts: String,
    /// The code lists.
    pub reference: String,
    /// The loads.
    pub data: String,
}

impl Basis {
    /// The parts in which the two differ, in words: `data`, `contract`, `sql`, `reference`,
    /// `program`.
    pub fn differs(&self, other: &Self) -> Vec<&'static str> {
        let parts = [
            ("data", self.data == other.data),
            ("contract", self.contracts == other.contracts),
            ("sql", self.sql == other.sql),
            ("reference", self.reference == other.reference),
            ("program", self.program == other.program),
        ];
        parts.into_iter().filter(|(_, same)| !same).map(|(part, _)| part).collect()
    }
}

impl Manifest {
    /// Whether the table `layer.name` was ever made for `force`. That others have it does not make it
    /// exist for those who read this force alone.
    pub fn has(&self, table: &str, force: &str) -> bool {
        let dataset = self.forces.get(force).and_then(|status| status.datasets.get(table));
        // Older manifests do not say what a table was made from.
        dataset.is_some_and(|dataset| dataset.rows > 0 || dataset.basis != Basis::default())
    }

    /// Whether the two say the same, apart from when, by which run and under which number.
    pub fn same_content(&self, other: &Self) -> bool {
        self.tables == other.tables
            && self.forces == other.forces
            && self.hub == other.hub
            && self.code == other.code
    }
}

/// The newest release; `None` when nothing has been released.
pub async fn newest(lake: &Lake) -> Result<Option<Manifest>> {
    match numbers(lake).await?.last() {
        Some(number) => published(lake, *number).await.map(Some),
        None => Ok(None),
    }
}

/// The manifest of release `number`, to read its tables; an error when it was given up.
pub async fn manifest(lake: &Lake, number: u64) -> Result<Manifest> {
    keep::still_kept(lake, number).await?;
    published(lake, number).await
}

/// The manifest of release `number` as it was published, whether its tables are still there or not.
pub async fn published(lake: &Lake, number: u64) -> Result<Manifest> {
    let name = path(number);
    let bytes = lake.get(&name).await.map_err(|e| {
        Error::query(format!("there is no release {number}")).hint("`muster releases` lists them").because(e)
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Error::lake("the manifest cannot be read").at(&name).because(e))
}

/// Whether release `number` has been published.
pub async fn exists(lake: &Lake, number: u64) -> Result<bool> {
    lake.exists(&path(number)).await
}

/// The numbers of all releases, oldest first.
pub async fn numbers(lake: &Lake) -> Result<Vec<u64>> {
    let names = lake.list(FOLDER).await?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect())
}

/// Publishes `manifest` as the release after the one whose hash it names, atomically. `false` when
/// another run has published that number first: nothing has changed then. An error when a run of a
/// later epoch has published: this one's lease is over.
pub async fn publish(lake: &Lake, manifest: &Manifest) -> Result<bool> {
    if let Some(before) = manifest.release.checked_sub(1).filter(|before| *before > 0) {
        let before = published(lake, before).await?;
        if before.epoch > manifest.epoch && fail::eval("plant::no-fence", |_| ()).is_none() {
            return Err(Error::lake(format!(
                "this run's lease (epoch {}) was taken over: release {} is of epoch {}",
                manifest.epoch, before.release, before.epoch
            ))
            .hint("the other run's release stands; run again"));
        }
    }
    let bytes = serde_json::to_vec_pretty(manifest).map_err(|e| Error::internal("a manifest").because(e))?;
    lake.put_if_absent(&path(manifest.release), bytes).await
}

/// Reads every manifest and makes sure that each names the hash of the one before: the number of
/// releases. An error names the first that does not.
pub async fn verify(lake: &Lake) -> Result<u64> {
    let mut before: Option<(u64, String)> = None;
    for number in numbers(lake).await? {
        let name = path(number);
        let bytes = lake.get(&name).await?;
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|e| Error::lake("the manifest cannot be read").at(&name).because(e))?;
        let expected = before.as_ref().map_or(1, |(number, _)| number + 1);
        let broken = |what: &str| Err(Error::lake(what.to_string()).at(&name).hint(CHAIN_BROKEN));
        if (number, manifest.release) != (expected, expected) {
            return broken(&format!("release {expected} is missing or has another number"));
        }
        if manifest.previous != before.map(|(_, hash)| hash) {
            return broken("the manifest does not name the hash of the one before it");
        }
        before = Some((number, hex(&Sha256::digest(&bytes))));
    }
    Ok(before.map_or(0, |(number, _)| number))
}

/// Whether the two releases say the same, apart from when, by which run and under which number: the
/// files may be others where the rows are the same.
pub async fn same_content(lake: &Lake, before: &Manifest, after: &Manifest) -> Result<bool> {
    let mut before = before.clone();
    for (name, pinned) in &mut before.tables {
        let later = after.tables.get(name).map(|table| table.version).filter(|later| *later > pinned.version);
        if let Some(later) = later
            && lake.table(name).same_rows_as(pinned.version)? >= later
        {
            pinned.version = later;
        }
    }
    Ok(before.same_content(after))
}

/// The SHA-256 of a published manifest's bytes, which the next one names.
pub async fn hash(lake: &Lake, number: u64) -> Result<String> {
    let bytes = lake.get(&path(number)).await?;
    Ok(hex(&Sha256::digest(&bytes)))
}

/// Bytes as lowercase hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn path(number: u64) -> String {
    format!("{FOLDER}/{number:020}.json")
}
