//! Reading raw: the loads, what is open, what is current, what is quarantined.

use super::Lake;
use crate::error::{Error, Result};
use crate::lake::delta::Version;
use crate::lake::snapshot::SnapshotTable;
use datafusion::arrow::array::Array;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::JoinType;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::prelude::{DataFrame, Expr, SessionConfig, SessionContext, ident, lit};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// The key under which a commit of raw records its [`Load`].
pub(crate) const RECORDED: &str = "muster.load";

/// Where raw keeps an entity of a source.
#[derive(Debug, Clone)]
pub struct Place {
    /// The force's code.
    pub force: String,
    /// The source's name.
    pub source: String,
    /// The entity's name.
    pub entity: String,
}

impl Place {
    /// The table's path in the lake.
    pub fn table(&self) -> String {
        format!("raw/{}/{}/{}", self.force, self.source, self.entity)
    }
}

/// One successful pull of one entity of one source, as its commit records it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Load {
    /// The load's number in its table, from 1.
    pub load: i64,
    /// The force's code.
    pub force: String,
    /// The source's name.
    pub source: String,
    /// The entity's name.
    pub entity: String,
    /// When the load began to be read, microseconds since 1970.
    pub loaded_at: i64,
    /// The file's name, for file transports.
    pub file: Option<String>,
    /// The SHA-256 of the file's bytes.
    pub sha256: Option<String>,
    /// The tag with which the file was listed.
    #[serde(default)]
    pub tag: Option<String>,
    /// The fingerprint of the contract that the load was read under.
    pub contract: String,
    /// A number drawn for this load: two pulls that landed at the same time are told apart by it.
    #[serde(default)]
    pub id: String,
    /// What the load's row hashes are made of; empty before hashes had a recipe.
    #[serde(default)]
    pub recipe: String,
    /// Whether the table holds rows whose hashes were made under recipes that do not extend one
    /// another. It stays so: raw is never rewritten, and nothing tells which rows are whose.
    #[serde(default)]
    pub mixed: bool,
    /// Whether the load saw everything that the source has; otherwise rows it did not bring stay.
    #[serde(default = "always")]
    pub whole: bool,
    /// When the source was last read whole, microseconds since 1970.
    #[serde(default)]
    pub swept_at: Option<i64>,
    /// The cursor's upper bound, as the source writes it; the next load goes on from here.
    #[serde(default)]
    pub high: Option<String>,
    /// Rows at the source, if it says.
    pub source_rows: Option<u64>,
    /// Rows received: accepted + quarantined.
    pub received_rows: u64,
    /// Rows that keep their contract.
    pub accepted_rows: u64,
    /// Rows that break it.
    pub quarantined_rows: u64,
    /// Rows in quarantine after the load, those of earlier loads included.
    #[serde(default)]
    pub in_quarantine_rows: u64,
    /// Rows landed because their key was not open. A load that goes on from a cursor knows only the
    /// rows near it: there a changed older row counts as inserted.
    pub inserted_rows: u64,
    /// Rows landed because their values differ from the open ones.
    pub changed_rows: u64,
    /// Keys closed because the source no longer has them.
    pub deleted_rows: u64,
    /// Keys that the source no longer shows but that stay open, because rows with unreadable keys
    /// may be theirs.
    pub withheld_rows: u64,
    /// Control sums.
    pub sums: Vec<LoadSum>,
    /// What somebody should know, though it broke nothing.
    #[serde(default)]
    pub findings: Vec<LoadFinding>,
}

/// The control sum of one column of a load, as decimal text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadSum {
    /// The column.
    pub column: String,
    /// The sum at the source, if it says.
    pub source: Option<String>,
    /// The sum of the cells that could be read.
    pub received: String,
    /// The part of it in rows that keep their contract; the rest is in quarantine.
    pub accepted: String,
}

/// What one line tells about a load as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadFinding {
    /// What it is about: `unmapped`, `skipped`, `destroyed_values`, …
    pub code: String,
    /// The column that it concerns, if it is one.
    pub column: Option<String>,
    /// How many rows it concerns.
    pub rows: u64,
    /// What was found, in words.
    pub message: String,
}

impl fmt::Display for LoadFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "{} {column}: {}", self.code, self.message),
            None => write!(f, "{}: {}", self.code, self.message),
        }
    }
}

fn always() -> bool {
    true
}

/// Every load of `place` up to a version of its table, newest first.
pub async fn loads(lake: &Lake, place: &Place, up_to: Option<u64>) -> Result<Vec<Load>> {
    let table = lake.table(&place.table());
    // delta-rs lists the commits after a pinned version too; the transaction says where to stop.
    let last = table.transaction(&place.table(), up_to).await?.unwrap_or(0);
    let recorded = table.recorded(RECORDED).await?.into_iter();
    let loads: Vec<Load> = recorded.map(|value| parsed(value, place)).collect::<Result<_>>()?;
    Ok(loads.into_iter().filter(|load| load.load <= last).collect())
}

/// The newest load of `place`; `None` when nothing has been landed.
pub async fn last_load(lake: &Lake, place: &Place) -> Result<Option<Load>> {
    let newest = lake.table(&place.table()).recorded_lately(RECORDED, |_| true).await?;
    newest.map(|value| parsed(value, place)).transpose()
}

/// The newest version of raw at `place` and its newest load, without opening the version; `None`
/// when nothing has been landed.
pub fn head(lake: &Lake, place: &Place) -> Result<Option<(u64, Load)>> {
    let Some((number, Some(record))) = lake.table(&place.table()).head(RECORDED)? else { return Ok(None) };
    Ok(Some((number, parsed(record, place)?)))
}

fn parsed(value: Value, place: &Place) -> Result<Load> {
    serde_json::from_value(value)
        .map_err(|e| Error::lake("the record of a load cannot be read").at(place.table()).because(e))
}

/// Everything that raw ever said about the rows that `wanted` accepts (`None`: about all), in no
/// particular order: the columns `_load, _key_hash, _row_hash, _file`, `gone` (a tombstone), `bad`
/// (the row breaks its contract), then those of `with` that the table has.
pub(crate) async fn history(
    version: &Version,
    wanted: Option<Expr>,
    with: &[String],
) -> Result<SendableRecordBatchStream> {
    let read = async {
        // Plain strings: this is a scan into a map, not a query.
        let mut config = SessionConfig::new().with_target_partitions(2);
        let options = &mut config.options_mut().execution.parquet;
        (options.schema_force_view_types, options.pushdown_filters) = (false, true);
        let context = SessionContext::new_with_config(config);
        let mut rows = context.read_table(Arc::new(SnapshotTable::of(version, |_| true)))?;
        if let Some(wanted) = wanted {
            rows = rows.filter(wanted)?;
        }
        let mut columns: Vec<Expr> = ["_load", "_key_hash", "_row_hash", "_file"].map(ident).into();
        columns.push(ident("_op").eq(lit("delete")).alias("gone"));
        columns.push(ident("_raw").is_not_null().alias("bad"));
        let has = |name: &&String| version.schema.column_with_name(name).is_some();
        columns.extend(with.iter().filter(has).map(ident));
        rows.select(columns)?.execute_stream().await
    };
    read.await
        .map_err(|e| Error::lake("the open rows could not be read").at(version.dir.display()).because(e))
}

/// The rows of raw that are current: the newest of their key, not deleted. `quarantined` asks for
/// the rows with errors, otherwise for those without.
///
/// A key appears at most once in a load, so a row is current when no later load has its key; the
/// usual table is one big first load and small later ones, and only the later ones are hashed.
pub fn rows(context: &SessionContext, version: &Version, quarantined: bool) -> Result<DataFrame> {
    let planned = || {
        let scan = || context.read_table(Arc::new(SnapshotTable::of(version, |_| true)));
        let wanted = if quarantined { ident("_raw").is_not_null() } else { ident("_raw").is_null() };
        let rows = scan()?.filter(wanted.and(ident("_op").eq(lit("upsert"))))?;
        if of_one_load(version) {
            return Ok(rows);
        }
        let later = scan()?
            .filter(ident("_load").gt(lit(1_i64)))?
            .aggregate(vec![ident("_key_hash")], vec![max(ident("_load")).alias("newest")])?
            .select(vec![ident("_key_hash").alias("later_key"), ident("newest")])?;
        let superseded = Some(ident("_load").lt(ident("newest")));
        rows.join(later, JoinType::LeftAnti, &["_key_hash"], &["later_key"], superseded)
    };
    planned().map_err(|e: DataFusionError| {
        Error::lake("the current rows could not be planned").at(version.dir.display()).because(e)
    })
}

/// Whether all rows of `version` are of one load, as far as its statistics tell: a file holds one
/// load, or many after a compaction.
fn of_one_load(version: &Version) -> bool {
    let bound = |stats: &Value, bound: &str| stats.get(bound)?.get("_load")?.as_i64();
    let mut only = None;
    version.files.iter().all(|file| {
        let stats: Option<Value> = file.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok());
        let loads = stats.and_then(|stats| Some((bound(&stats, "minValues")?, bound(&stats, "maxValues")?)));
        loads.is_some_and(|(first, last)| first == last && *only.get_or_insert(first) == first)
    })
}

/// The column `name` of `batch` as the array type that the extract's schema promises.
pub(crate) fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref::<A>())
        .ok_or_else(|| Error::internal(format!("column \"{name}\" is missing or of another type")))
}

/// The 16 bytes of a hash as a number.
pub(crate) fn hash128(bytes: &[u8]) -> Result<u128> {
    let bytes: [u8; 16] =
        bytes.try_into().map_err(|e| Error::lake("a hash in raw is not 16 bytes long").because(e))?;
    Ok(u128::from_be_bytes(bytes))
}
