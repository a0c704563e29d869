//! Reading raw: the loads, what is open, what is current, what is quarantined.

use super::Lake;
use crate::error::{Error, Result};
use crate::lake::delta::Version;
use crate::lake::snapshot::SnapshotTable;
use datafusion::arrow::array::{Array, BinaryArray, BooleanArray, Int64Array};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::JoinType;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext, ident, lit};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
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
    /// Rows at the source, if it says.
    pub source_rows: Option<u64>,
    /// Rows received: accepted + quarantined.
    pub received_rows: u64,
    /// Rows that keep their contract.
    pub accepted_rows: u64,
    /// Rows that break it.
    pub quarantined_rows: u64,
    /// Rows landed because their key was not open.
    pub inserted_rows: u64,
    /// Rows landed because their values differ from the open ones.
    pub changed_rows: u64,
    /// Keys closed because the source no longer has them.
    pub deleted_rows: u64,
    /// Keys that the source no longer shows but that stay open, because rows with unreadable keys
    /// may be theirs.
    pub withheld_rows: u64,
    /// Control sums: column, sum at the source (if it says), sum received.
    pub sums: Vec<(String, Option<String>, String)>,
}

/// Every load of `place` up to a version of its table, newest first.
pub async fn loads(lake: &Lake, place: &Place, up_to: Option<u64>) -> Result<Vec<Load>> {
    let table = lake.table(&place.table());
    // delta-rs lists the commits after a pinned version too; the transaction says where to stop.
    let last = table.transaction(&place.table(), up_to).await?.unwrap_or(0);
    let parse = |value| {
        serde_json::from_value(value)
            .map_err(|e| Error::lake("the record of a load cannot be read").at(place.table()).because(e))
    };
    let loads: Vec<Load> = table.recorded(RECORDED).await?.into_iter().map(parse).collect::<Result<_>>()?;
    Ok(loads.into_iter().filter(|load| load.load <= last).collect())
}

/// The rows that are open, by key hash.
pub(crate) type OpenRows = HashMap<u128, Open>;

/// An open row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) hash: u128,
    pub(crate) bad: bool,
}

/// What the newest load of every key says, tombstones left out.
pub(crate) async fn open_state(version: Option<&Version>) -> Result<OpenRows> {
    let Some(version) = version else { return Ok(OpenRows::new()) };
    let read = async {
        // One partition and plain strings: this is a scan into a map, not a query.
        let mut config = SessionConfig::new().with_target_partitions(2);
        config.options_mut().execution.parquet.schema_force_view_types = false;
        let context = SessionContext::new_with_config(config);
        context.register_table("r", Arc::new(SnapshotTable::of(version, |_| true)))?;
        let sql =
            "select _load, _key_hash, _row_hash, _op = 'delete' as gone, _raw is not null as bad from r";
        context.sql(sql).await?.execute_stream().await
    };
    let failed = |e| Error::lake("the open rows could not be read").at(version.dir.display()).because(e);
    let mut rows = read.await.map_err(failed)?;
    let mut newest: HashMap<u128, (i64, bool, Open)> = HashMap::new();
    while let Some(batch) = rows.try_next().await.map_err(failed)? {
        remember(&batch, &mut newest)?;
    }
    let open = newest.into_iter().filter(|(_, (_, gone, _))| !gone);
    Ok(open.map(|(key, (_, _, row))| (key, row)).collect())
}

fn remember(batch: &RecordBatch, newest: &mut HashMap<u128, (i64, bool, Open)>) -> Result<()> {
    let loads = column::<Int64Array>(batch, "_load")?;
    let keys = column::<BinaryArray>(batch, "_key_hash")?;
    let hashes = column::<BinaryArray>(batch, "_row_hash")?;
    let gone = column::<BooleanArray>(batch, "gone")?;
    let bad = column::<BooleanArray>(batch, "bad")?;
    for row in 0..batch.num_rows() {
        let open = Open { hash: hash128(hashes.value(row))?, bad: bad.value(row) };
        let entry = (loads.value(row), gone.value(row), open);
        let known = newest.entry(hash128(keys.value(row))?).or_insert(entry);
        if known.0 < entry.0 {
            *known = entry;
        }
    }
    Ok(())
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
        if version.files.len() <= 1 {
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
