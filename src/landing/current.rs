//! Reading raw: what is open, what is current, what is quarantined.

use super::diff::{column, hash128};
use crate::error::{Error, Result};
use crate::lake::delta::Version;
use crate::lake::snapshot::SnapshotTable;
use datafusion::arrow::array::{BinaryArray, BooleanArray, Int64Array};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::JoinType;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext, ident, lit};
use futures::TryStreamExt;
use std::collections::HashMap;
use std::sync::Arc;

/// The rows that are open, by key hash.
pub(super) type OpenRows = HashMap<u128, Open>;

/// An open row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) hash: u128,
    pub(super) bad: bool,
}

/// What the newest load of every key says, tombstones left out.
pub(super) async fn open_state(version: Option<&Version>) -> Result<OpenRows> {
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
