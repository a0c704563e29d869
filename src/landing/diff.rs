//! Compares an extract with the open state and keeps the rows that differ.

use super::{Outcome, lands_differences};
use crate::connector::Extract;
use crate::connector::contract::Mode;
use crate::error::{Error, Result};
use crate::lake::raw::{Open, OpenRows, column, hash128};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    Array, ArrayRef, BinaryArray, Int64Array, ListArray, StringArray, TimestampMicrosecondArray, UInt32Array,
    new_null_array,
};
use datafusion::arrow::array::{ListBuilder, StringBuilder};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use std::collections::HashSet;
use std::sync::Arc;

/// Rows written at once when keys are closed.
const DELETES_PER_BATCH: usize = 65_536;

/// Turns an extract into the rows to land. Pull [`Differ::next`] until it is dry, then
/// [`Differ::finish`].
pub(super) struct Differ {
    extract: Option<Extract>,
    open: OpenRows,
    schema: SchemaRef,
    load: i64,
    loaded_at: DateTime<Utc>,
    mode: Mode,
    /// Rows of a `replace` entity, until it is known whether any of them differs.
    held: Vec<RecordBatch>,
    claimed: HashSet<u128>,
    unreadable_keys: u64,
    closing: Option<Vec<(u128, u128)>>,
    outcome: Outcome,
}

impl Differ {
    pub(super) fn new(
        open: OpenRows,
        extract: Extract,
        schema: SchemaRef,
        load: i64,
        loaded_at: DateTime<Utc>,
        mode: Mode,
    ) -> Self {
        let open_before = open.values().filter(|row| !row.bad).count() as u64;
        let outcome = Outcome {
            totals: crate::connector::Totals::default(),
            open_before,
            accepted: 0,
            quarantined: 0,
            inserted: 0,
            changed: 0,
            deleted: 0,
            withheld: 0,
        };
        Self {
            extract: Some(extract),
            open,
            schema,
            load,
            loaded_at,
            mode,
            held: Vec::new(),
            claimed: HashSet::new(),
            unreadable_keys: 0,
            closing: None,
            outcome,
        }
    }

    /// The next rows to land; `None` when the extract is exhausted and every closed key is written.
    pub(super) async fn next(&mut self) -> Option<Result<RecordBatch>> {
        while let Some(extract) = &mut self.extract {
            match extract.next().await {
                Some(Ok(batch)) => match self.differing(&batch) {
                    Ok(Some(rows)) => return Some(Ok(rows)),
                    Ok(None) => {}
                    Err(error) => return Some(Err(error)),
                },
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    if let Err(error) = self.end_of_extract() {
                        return Some(Err(error));
                    }
                }
            }
        }
        match self.held.pop() {
            Some(batch) => Some(Ok(batch)),
            None => self.next_closed(),
        }
    }

    /// What was counted; an error when the extract was not read to its end.
    pub(super) fn finish(self) -> Result<Outcome> {
        match self.extract {
            None => Ok(self.outcome),
            Some(_) => Err(Error::internal("a load was finished before its extract")),
        }
    }

    fn end_of_extract(&mut self) -> Result<()> {
        if let Some(extract) = self.extract.take() {
            self.outcome.totals = extract.totals()?;
        }
        let withhold = self.unreadable_keys > 0;
        let mut closing = Vec::new();
        for (key, row) in self.open.drain() {
            match (row.bad, self.claimed.contains(&key)) {
                (false, true) => {}
                (false, false) if withhold => self.outcome.withheld += 1,
                (false, false) => {
                    self.outcome.deleted += 1;
                    closing.push((key, row.hash));
                }
                (true, _) => closing.push((key, row.hash)),
            }
        }
        // The order of a hash map is not the same twice; the lake's bytes should be.
        closing.sort_unstable();
        let differs = self.outcome.inserted + self.outcome.changed > 0 || !closing.is_empty();
        if !lands_differences(&self.mode) && !differs {
            self.held.clear();
        }
        self.held.reverse();
        self.closing = Some(closing);
        Ok(())
    }

    /// The rows of `batch` whose key is not open or whose values differ.
    fn differing(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let keys = column::<BinaryArray>(batch, "_key_hash")?;
        let hashes = column::<BinaryArray>(batch, "_row_hash")?;
        let claims = column::<BinaryArray>(batch, "_claimed_key")?;
        let errors = column::<ListArray>(batch, "_errors")?;
        let mut kept: Vec<u32> = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let (key, hash) = (hash128(keys.value(row))?, hash128(hashes.value(row))?);
            let bad = errors.value_length(row) > 0;
            match bad {
                true => self.outcome.quarantined += 1,
                false => self.outcome.accepted += 1,
            }
            if bad {
                match claims.is_valid(row) {
                    true => drop(self.claimed.insert(hash128(claims.value(row))?)),
                    false => self.unreadable_keys += 1,
                }
            }
            let differs = match self.open.remove(&key) {
                Some(Open { hash: open, .. }) if open == hash => false,
                Some(_) => {
                    self.outcome.changed += 1;
                    true
                }
                None => {
                    self.outcome.inserted += 1;
                    true
                }
            };
            if differs || !lands_differences(&self.mode) {
                kept.push(u32::try_from(row).map_err(|e| Error::internal("a batch is too long").because(e))?);
            }
        }
        if kept.is_empty() {
            return Ok(None);
        }
        let rows = match kept.len() == batch.num_rows() {
            true => batch.clone(),
            false => take_record_batch(batch, &UInt32Array::from(kept))
                .map_err(|e| Error::internal("rows could not be selected").because(e))?,
        };
        let landed = self.landed(&rows)?;
        if lands_differences(&self.mode) {
            return Ok(Some(landed));
        }
        self.held.push(landed);
        Ok(None)
    }

    /// `rows` of an extract in the columns of raw.
    fn landed(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let count = rows.num_rows();
        let own = |name: &str, ty: &DataType| -> ArrayRef {
            match name {
                "_load" => Arc::new(Int64Array::from(vec![self.load; count])),
                "_op" => Arc::new(StringArray::from(vec!["upsert"; count])),
                "_loaded_at" => self.instants(count),
                _ => rows.column_by_name(name).map_or_else(|| new_null_array(ty, count), Arc::clone),
            }
        };
        let columns = self.schema.fields().iter().map(|f| own(f.name(), f.data_type())).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|e| Error::internal("an extract does not have the columns of its contract").because(e))
    }

    /// Tombstones for the next keys that the source no longer has.
    fn next_closed(&mut self) -> Option<Result<RecordBatch>> {
        let closing = self.closing.as_mut().filter(|keys| !keys.is_empty())?;
        let keys: Vec<(u128, u128)> = closing.drain(..closing.len().min(DELETES_PER_BATCH)).collect();
        let count = keys.len();
        let binary = |hashes: Vec<[u8; 16]>| -> ArrayRef { Arc::new(BinaryArray::from_iter_values(hashes)) };
        let own = |name: &str, ty: &DataType| -> ArrayRef {
            match name {
                "_load" => Arc::new(Int64Array::from(vec![self.load; count])),
                "_row" => Arc::new(Int64Array::from(vec![0; count])),
                "_op" => Arc::new(StringArray::from(vec!["delete"; count])),
                "_key_hash" => binary(keys.iter().map(|(key, _)| key.to_be_bytes()).collect()),
                "_row_hash" => binary(keys.iter().map(|(_, hash)| hash.to_be_bytes()).collect()),
                "_loaded_at" => self.instants(count),
                "_errors" => empty_lists(count),
                _ => new_null_array(ty, count),
            }
        };
        let columns = self.schema.fields().iter().map(|f| own(f.name(), f.data_type())).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        Some(batch.map_err(|e| Error::internal("tombstones do not fit the raw table").because(e)))
    }

    fn instants(&self, count: usize) -> ArrayRef {
        let at = self.loaded_at.timestamp_micros();
        Arc::new(TimestampMicrosecondArray::from(vec![at; count]).with_timezone("UTC"))
    }
}

fn empty_lists(count: usize) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    (0..count).for_each(|_| lists.append(true));
    Arc::new(lists.finish())
}
