//! Compares an extract with what is known and keeps the rows that differ.

use super::known::{Entry, Known, OpenRows, Shard};
use super::staged::{Staged, StagedShard};
use super::{Covers, Outcome};
use crate::connector::Extract;
use crate::connector::contract::Mode;
use crate::error::{Error, Result};
use crate::lake::raw::{column, hash128};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    Array, ArrayRef, BinaryArray, Int64Array, ListArray, ListBuilder, StringArray, StringBuilder,
    TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Rows written at once when keys are closed.
const DELETES_PER_BATCH: usize = 65_536;

/// The most rows of a `replace` entity: they are held until it is known whether any differs.
const MOST_HELD: u64 = 1_000_000;

/// What a load is stamped with.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    pub(super) schema: SchemaRef,
    pub(super) load: i64,
    pub(super) loaded_at: DateTime<Utc>,
}

/// Turns an extract into the rows to land. Pull [`Differ::next`] until it is dry, then
/// [`Differ::finish`].
pub(super) struct Differ<'a> {
    stamp: Stamp,
    mode: &'a Mode,
    covers: &'a Covers<'a>,
    feed: Feed,
    known: Known,
    /// Shards that have not begun yet.
    waiting: VecDeque<(Shard, StagedShard)>,
    /// Rows of a `replace` entity, until it is known whether any of them differs.
    held: VecDeque<RecordBatch>,
    arrived: Arrived,
    closing: Vec<(u128, u128)>,
    outcome: Outcome,
}

/// Where the rows to compare with `known` come from.
enum Feed {
    /// The extract itself: what is known fits into memory.
    Extract(Extract),
    /// One shard of the extract.
    Shard(StagedShard),
    /// No more rows: what was not seen is closed.
    Closing,
}

/// What is noted of every row as it arrives.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    accepted: u64,
    quarantined: u64,
    /// Keys that bad rows claim: those stay open.
    claimed: HashSet<u128>,
    /// Bad rows whose key could not be read: they may be anybody's.
    unreadable_keys: u64,
}

impl Arrived {
    /// Notes the rows of a batch.
    pub(super) fn note(&mut self, batch: &RecordBatch) -> Result<()> {
        let claims = column::<BinaryArray>(batch, "_claimed_key")?;
        let errors = column::<ListArray>(batch, "_errors")?;
        for row in 0..batch.num_rows() {
            if errors.value_length(row) == 0 {
                self.accepted += 1;
                continue;
            }
            self.quarantined += 1;
            match claims.is_valid(row) {
                true => drop(self.claimed.insert(hash128(claims.value(row))?)),
                false => self.unreadable_keys += 1,
            }
        }
        Ok(())
    }
}

impl<'a> Differ<'a> {
    /// Prepares the comparison; an extract whose known rows are cut into shards is read to its end.
    pub(super) async fn new(
        open: OpenRows,
        mut extract: Extract,
        stamp: Stamp,
        mode: &'a Mode,
        covers: &'a Covers<'a>,
    ) -> Result<Self> {
        let mut arrived = Arrived::default();
        let mut outcome = Outcome::default();
        let (feed, known, waiting) = match open {
            OpenRows::Memory(known) => {
                // Of what a new file finds there, nothing is its own.
                if *covers != Covers::New {
                    outcome.open_before = count_open(&known);
                }
                (Feed::Extract(extract), known, VecDeque::new())
            }
            OpenRows::Shards(shards) => {
                let mut staged = Staged::new(shards.len())?;
                while let Some(batch) = extract.next().await {
                    let batch = batch?;
                    arrived.note(&batch)?;
                    staged.add(&batch)?;
                }
                outcome.totals = extract.totals()?;
                // Nothing of an empty shard: the first turn of `next` opens the first real one.
                let waiting = shards.into_iter().zip(staged.finish()?).collect();
                (Feed::Closing, Known::new(), waiting)
            }
        };
        let (held, closing) = (VecDeque::new(), Vec::new());
        Ok(Self { stamp, mode, covers, feed, known, waiting, held, arrived, closing, outcome })
    }

    /// The next rows to land; `None` when the extract is exhausted and every closed key is written.
    pub(super) async fn next(&mut self) -> Option<Result<RecordBatch>> {
        loop {
            let step = match &mut self.feed {
                Feed::Extract(extract) => match extract.next().await {
                    Some(batch) => batch.and_then(|batch| {
                        self.arrived.note(&batch)?;
                        self.differing(&batch)
                    }),
                    None => self.end_of_extract().map(|()| None),
                },
                Feed::Shard(shard) => match shard.next() {
                    Some(batch) => batch.and_then(|batch| self.differing(&batch)),
                    None => {
                        self.end_of_rows();
                        Ok(None)
                    }
                },
                Feed::Closing => match self.held.pop_front() {
                    Some(batch) => return Some(Ok(batch)),
                    None if !self.closing.is_empty() => return Some(self.next_closed()),
                    None => match self.waiting.pop_front() {
                        Some(shard) => self.begin(shard).map(|()| None),
                        None => return None,
                    },
                },
            };
            match step {
                Ok(Some(rows)) => return Some(Ok(rows)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// What was counted; an error when the extract was not read to its end.
    pub(super) fn finish(self) -> Result<Outcome> {
        self.hand_on().map(|(outcome, _)| outcome)
    }

    /// The same, with what is known now: after rows of [`Covers::New`] these too.
    pub(super) fn hand_on(mut self) -> Result<(Outcome, Known)> {
        match self.feed {
            Feed::Closing if self.waiting.is_empty() => {
                self.outcome.accepted = self.arrived.accepted;
                self.outcome.quarantined = self.arrived.quarantined;
                Ok((self.outcome, self.known))
            }
            _ => Err(Error::internal("a load was finished before its extract")),
        }
    }

    fn begin(&mut self, (known, staged): (Shard, StagedShard)) -> Result<()> {
        self.known = known.load()?;
        self.outcome.open_before += count_open(&self.known);
        self.feed = Feed::Shard(staged);
        Ok(())
    }

    fn end_of_extract(&mut self) -> Result<()> {
        if let Feed::Extract(extract) = std::mem::replace(&mut self.feed, Feed::Closing) {
            self.outcome.totals = extract.totals()?;
        }
        self.end_of_rows();
        Ok(())
    }

    /// Decides about the known rows that did not come again.
    fn end_of_rows(&mut self) {
        self.feed = Feed::Closing;
        if *self.covers == Covers::New {
            return;
        }
        let alive = self.outcome.totals.alive.as_ref();
        // A list of all keys says of every row whether it is there.
        let withhold = self.arrived.unreadable_keys > 0 && alive.is_none();
        for (key, row) in self.known.drain() {
            let stays = match self.covers {
                Covers::Since(_) => row.is_bad() || alive.is_none_or(|alive| alive.contains(key)),
                Covers::New => true,
                Covers::Whole | Covers::File(_) => !row.is_own() || self.arrived.claimed.contains(&key),
            };
            match (row.is_bad(), stays) {
                (true, false) => {
                    self.outcome.out_of_quarantine += 1;
                    self.closing.push((key, row.hash));
                }
                (_, true) => {}
                (false, false) if withhold => self.outcome.withheld += 1,
                (false, false) => {
                    self.outcome.deleted += 1;
                    self.closing.push((key, row.hash));
                }
            }
        }
        // The order of a hash map is not the same twice; the lake's bytes should be.
        self.closing.sort_unstable();
        let differs = self.outcome.inserted + self.outcome.changed > 0 || !self.closing.is_empty();
        if *self.mode == Mode::Replace && !differs {
            self.held.clear();
        }
    }

    /// The rows of `batch` whose key is not open or whose values differ.
    fn differing(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let keys = column::<BinaryArray>(batch, "_key_hash")?;
        let hashes = column::<BinaryArray>(batch, "_row_hash")?;
        let errors = column::<ListArray>(batch, "_errors")?;
        let mut kept: Vec<u32> = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let (key, new) = (hash128(keys.value(row))?, hash128(hashes.value(row))?);
            let before = match self.covers {
                Covers::New => self.known.insert(key, Entry::arrived(new)),
                // What is left in the end did not come.
                Covers::Whole | Covers::Since(_) | Covers::File(_) => self.known.remove(&key),
            };
            let differs = match before {
                Some(Entry { hash, .. }) if hash == new => false,
                Some(_) => {
                    self.outcome.changed += 1;
                    true
                }
                None => {
                    self.outcome.inserted += 1;
                    true
                }
            };
            if differs {
                self.outcome.into_quarantine += u64::from(errors.value_length(row) > 0);
            }
            if differs || *self.mode == Mode::Replace {
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
        let landed = self.stamp.landed(&rows)?;
        if *self.mode != Mode::Replace {
            return Ok(Some(landed));
        }
        if self.arrived.accepted + self.arrived.quarantined > MOST_HELD {
            return Err(Error::contract(format!("the list has more than {MOST_HELD} rows"))
                .hint("mode \"replace\" is for small lists: use \"diff\""));
        }
        self.held.push_back(landed);
        Ok(None)
    }

    /// Tombstones for the next keys that the source no longer has.
    fn next_closed(&mut self) -> Result<RecordBatch> {
        let keys: Vec<_> = self.closing.drain(..self.closing.len().min(DELETES_PER_BATCH)).collect();
        self.stamp.closed(&keys)
    }
}

fn count_open(known: &Known) -> u64 {
    known.values().filter(|row| !row.is_bad() && row.is_own()).count() as u64
}

impl Stamp {
    /// `rows` of an extract in the columns of raw.
    pub(super) fn landed(&self, rows: &RecordBatch) -> Result<RecordBatch> {
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

    /// Tombstones of `keys`, each with the hash of the row that it closes.
    pub(super) fn closed(&self, keys: &[(u128, u128)]) -> Result<RecordBatch> {
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
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|e| Error::internal("tombstones do not fit the raw table").because(e))
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
