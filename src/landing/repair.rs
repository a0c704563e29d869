//! Quarantined rows that keep a corrected contract: they leave quarantine, once.

use super::diff::Stamp;
use super::{Landed, Outcome, Task, schema};
use crate::connector::Extract;
use crate::connector::contract::Contract;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::delta::Version;
use crate::lake::raw::{self, Place, column, hash128};
use chrono::Utc;
use datafusion::arrow::array::{
    Array, BinaryArray, BooleanArray, Int64Array, ListArray, StringArray, UInt32Array,
};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::prelude::{SessionContext, ident};
use futures::{TryStreamExt, stream};
use std::collections::HashMap;

/// A row in quarantine.
#[derive(Debug, Clone)]
pub struct Damaged {
    /// The load that landed it.
    pub load: i64,
    /// Its file, for file transports.
    pub file: Option<String>,
    /// Its number in the file or table.
    pub row: i64,
    /// What was received.
    pub raw: String,
    key: u128,
    hash: u128,
}

/// The rows of `place` that are in quarantine now.
pub async fn damaged(lake: &Lake, place: &Place) -> Result<Vec<Damaged>> {
    let Some(version) = lake.table(&place.table()).version(None).await? else { return Ok(Vec::new()) };
    let failed = |e| Error::lake("the quarantined rows cannot be read").at(place.table()).because(e);
    let columns = ["_load", "_file", "_row", "_raw", "_key_hash", "_row_hash"].map(ident).to_vec();
    let mut config = datafusion::prelude::SessionConfig::new();
    config.options_mut().execution.parquet.schema_force_view_types = false;
    let rows = raw::rows(&SessionContext::new_with_config(config), &version, true)?;
    let mut damaged = Vec::new();
    for batch in rows.select(columns).map_err(failed)?.collect().await.map_err(failed)? {
        let loads = column::<Int64Array>(&batch, "_load")?;
        let files = column::<StringArray>(&batch, "_file")?;
        let rows = column::<Int64Array>(&batch, "_row")?;
        let raws = column::<StringArray>(&batch, "_raw")?;
        let keys = column::<BinaryArray>(&batch, "_key_hash")?;
        let hashes = column::<BinaryArray>(&batch, "_row_hash")?;
        for at in 0..batch.num_rows() {
            damaged.push(Damaged {
                load: loads.value(at),
                file: files.is_valid(at).then(|| files.value(at).to_string()),
                row: rows.value(at),
                raw: raws.value(at).to_string(),
                key: hash128(keys.value(at))?,
                hash: hash128(hashes.value(at))?,
            });
        }
    }
    Ok(damaged)
}

/// Lands the rows of `extract` that are among `damaged` (rows of one load) and keep their contract
/// now. One whose key has been landed or closed since only leaves quarantine; one whose key a good
/// row of its own load has stays: it is still a duplicate.
pub async fn repair(
    lake: &Lake,
    place: &Place,
    contract: &Contract,
    damaged: &[Damaged],
    extract: Extract,
) -> Result<Landed> {
    let table = lake.table(&place.table());
    let version = table.version(None).await?;
    let stamp = Stamp {
        schema: schema::raw_schema(contract, version.as_ref(), place)?,
        load: table.transaction(&place.table(), None).await?.unwrap_or(0) + 1,
        loaded_at: Utc::now(),
    };
    let (mended, totals) = mended(damaged, extract).await?;
    let newest = newest(version.as_ref(), &mended).await?;
    let mut outcome = Outcome { totals, ..Outcome::default() };
    outcome.totals.received_rows = damaged.len() as u64;
    outcome.totals.source_rows = None;
    let (mut landed, mut closed) = (Vec::new(), Vec::new());
    for (batch, rows) in &mended {
        let mut kept = Vec::new();
        for (row, key, was) in rows {
            match newest.get(key) {
                Some(load) if *load == was.load => continue,
                Some(load) if *load > was.load => {}
                Some(_) | None => kept.push(*row),
            }
            closed.push((was.key, was.hash));
        }
        outcome.inserted += kept.len() as u64;
        let rows = take_record_batch(batch, &UInt32Array::from(kept))
            .map_err(|e| Error::internal("rows could not be selected").because(e))?;
        landed.push(stamp.landed(&rows)?);
    }
    if closed.is_empty() {
        return Ok(Landed::Unchanged { received_rows: damaged.len() as u64 });
    }
    outcome.accepted = closed.len() as u64;
    outcome.quarantined = outcome.totals.received_rows - outcome.accepted;
    outcome.out_of_quarantine = outcome.accepted;
    landed.push(stamp.closed(&closed)?);
    let batches = landed.into_iter().filter(|batch| batch.num_rows() > 0).map(Ok::<_, Error>);
    let files = table.write(&stamp.schema, None, stream::iter(batches)).await?;
    let last = raw::last_load(lake, place).await?;
    let covers = super::Covers::Since(None);
    let task = Task { place, contract, covers, file: None, accept_drop: false };
    let load = outcome.load(&task, &stamp, last.as_ref());
    super::commit(&table, &stamp.schema, files, std::slice::from_ref(&load)).await?;
    Ok(Landed::Load(Box::new(load)))
}

/// Good rows of a batch: their place in it, their key, and what they were.
type Mended<'a> = (RecordBatch, Vec<(u32, u128, &'a Damaged)>);

async fn mended<'a>(
    damaged: &'a [Damaged],
    mut extract: Extract,
) -> Result<(Vec<Mended<'a>>, crate::connector::Totals)> {
    let by_row: HashMap<i64, &Damaged> = damaged.iter().map(|row| (row.row, row)).collect();
    let mut mended = Vec::new();
    while let Some(batch) = extract.next().await {
        let batch = batch?;
        let numbers = column::<Int64Array>(&batch, "_row")?;
        let errors = column::<ListArray>(&batch, "_errors")?;
        let keys = column::<BinaryArray>(&batch, "_key_hash")?;
        let mut rows = Vec::new();
        for at in (0..batch.num_rows()).filter(|at| errors.value_length(*at) == 0) {
            if let Some(was) = by_row.get(&numbers.value(at)) {
                let row = u32::try_from(at).map_err(|e| Error::internal("a batch is too long").because(e))?;
                rows.push((row, hash128(keys.value(at))?, *was));
            }
        }
        if !rows.is_empty() {
            mended.push((batch, rows));
        }
    }
    Ok((mended, extract.totals()?))
}

/// The newest load that said something about each key of `mended`; keys that raw never had are missing.
async fn newest(version: Option<&Version>, mended: &[Mended<'_>]) -> Result<HashMap<u128, i64>> {
    let mut newest = HashMap::new();
    let Some(version) = version else { return Ok(newest) };
    let wanted: std::collections::HashSet<u128> =
        mended.iter().flat_map(|(_, rows)| rows.iter().map(|(_, key, _)| *key)).collect();
    let mut history = raw::history(version, None, &[]).await?;
    let failed = |e| Error::lake("the open rows could not be read").at(version.dir.display()).because(e);
    while let Some(batch) = history.try_next().await.map_err(failed)? {
        let keys = column::<BinaryArray>(&batch, "_key_hash")?;
        let loads = column::<Int64Array>(&batch, "_load")?;
        let bad = column::<BooleanArray>(&batch, "bad")?;
        for row in (0..batch.num_rows()).filter(|row| !bad.value(*row)) {
            let key = hash128(keys.value(row))?;
            if wanted.contains(&key) {
                let load = newest.entry(key).or_insert(loads.value(row));
                *load = loads.value(row).max(*load);
            }
        }
    }
    Ok(newest)
}
