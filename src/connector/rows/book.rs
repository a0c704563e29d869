//! Settles the rows of one snapshot: which keys came before, how often a bad row came, the totals.

use crate::connector::batch::{Draft, Marks, Raw, broken, hash_array};
use crate::connector::contract::Contract;
use crate::connector::finding::Finding;
use crate::connector::rows::held::{Held, PACKED_KEY, Release, hash_at, packed, unpacked};
use crate::connector::rows::notes::Notes;
use crate::connector::rows::seen::{IN_MEMORY, Seen, Sighting};
use crate::connector::rows::sums::{self, Tally};
use crate::connector::rows::{CUT, Control};
use crate::connector::value::{Code, Reason};
use crate::connector::{Totals, extract_schema, hash};
use crate::error::{Error, Result};
use datafusion::arrow::array::{AsArray, BinaryArray, BooleanArray};
use datafusion::arrow::compute::{filter_record_batch, not};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where an extract has `_key_hash` and `_row_hash`.
const KEY_HASH: usize = 2;
const ROW_HASH: usize = 3;

/// What is known of a snapshot beyond a single batch. Its memory does not grow with the rows.
pub(crate) struct Book {
    at: String,
    schema: SchemaRef,
    file: Option<String>,
    /// The names of the key's columns; `None` where no two rows can share a key.
    key: Option<String>,
    /// Key hash → the first row that claims the key.
    claimed: Seen,
    /// Hash of a bad row → how often it came.
    refused: Seen,
    /// Rows whose key may have come before.
    claimants: Held,
    /// Bad rows that may have come before.
    repeated: Held,
    end: End,
    tallies: Vec<Tally>,
    notes: Notes,
    source_rows: Option<u64>,
    received_rows: u64,
}

/// How far the held rows are settled: they can be when all others are.
#[derive(Debug)]
enum End {
    NotYet,
    Claimants(Release),
    Repeated(Release),
    Reached,
}

impl Book {
    /// Starts a snapshot of `contract`; see [`crate::connector::rows::Rows::new`].
    pub(crate) fn new(
        contract: &Contract,
        at: &str,
        file: Option<String>,
        control: &Control,
    ) -> Result<Self> {
        let names = || {
            let of_key = contract.columns.iter().filter(|column| contract.key.contains(&column.name));
            of_key.map(|column| column.name.as_str()).collect::<Vec<_>>().join(",")
        };
        Ok(Self {
            at: at.to_string(),
            schema: extract_schema(contract),
            file,
            key: (!contract.has_line_key()).then(names),
            claimed: Seen::new(IN_MEMORY, control.rows),
            refused: Seen::new(IN_MEMORY, None),
            claimants: Held::new(PACKED_KEY),
            repeated: Held::new(ROW_HASH),
            end: End::NotYet,
            tallies: Tally::of(contract, control)?,
            notes: Notes::new(contract, control).map_err(|error| error.at(at))?,
            source_rows: control.rows,
            received_rows: 0,
        })
    }

    /// Keeps less in memory, for tests of what happens beyond.
    #[cfg(test)]
    pub(crate) fn with_memory_for(mut self, hashes: usize) -> Self {
        self.claimed = Seen::new(hashes, self.source_rows);
        self.refused = Seen::new(hashes, None);
        self.claimants = Held::new(PACKED_KEY).in_passes_of(hashes);
        self.repeated = Held::new(ROW_HASH).in_passes_of(hashes);
        self
    }

    /// Claims the key of a row, the one at `at` in its draft. A key that another row has claimed
    /// before is one more reason to refuse this one.
    #[inline]
    pub(crate) fn claim(
        &mut self,
        (at, marks): (usize, &mut Marks),
        (row, key): (i64, Option<u128>),
        raw: impl FnOnce() -> Result<Raw>,
    ) -> Result<()> {
        let (Some(names), Some(key)) = (&self.key, key) else {
            return Ok(());
        };
        match self.claimed.see(key, row)? {
            Sighting::New => Ok(()),
            Sighting::Before(first) => marks.refuse(at, &duplicate(names, *first), raw),
            Sighting::Perhaps => marks.hold(at, raw),
        }
    }

    /// Takes in rows whose keys have been claimed: those of them that are settled.
    pub(crate) fn settle(&mut self, mut draft: Draft) -> Result<Option<RecordBatch>> {
        self.received_rows += draft.rows.len() as u64;
        for tally in &mut self.tallies {
            tally.receive(&draft).map_err(|error| error.at(&self.at))?;
        }
        self.notes.receive(&draft);
        if let Some((held, raws)) = draft.take_held()? {
            self.claimants.push(packed(held, &raws)?)?;
        }
        self.seal(draft)
    }

    /// Adds to what is told with the totals.
    pub(crate) fn note(&mut self, finding: Finding) {
        self.notes.say(finding);
    }

    /// Takes in rows without their keys claimed; `raw` gives a row as it was received.
    pub(crate) fn claim_and_settle(
        &mut self,
        mut draft: Draft,
        raw: impl Fn(usize) -> Result<Raw>,
    ) -> Result<Option<RecordBatch>> {
        for (at, (row, key)) in draft.rows.iter().zip(&draft.keys).enumerate() {
            self.claim((at, &mut draft.marks), (*row, *key), || raw(at))?;
        }
        self.settle(draft)
    }

    /// The next rows that had to wait for the end.
    pub(crate) fn next_held(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            match &mut self.end {
                End::NotYet => {
                    let claimants = std::mem::replace(&mut self.claimants, Held::new(PACKED_KEY));
                    let claimed = std::mem::replace(&mut self.claimed, Seen::new(0, None));
                    self.end = End::Claimants(claimants.release(claimed)?);
                }
                End::Claimants(release) => {
                    let Some(packed) = release.next()? else {
                        let repeated = std::mem::replace(&mut self.repeated, Held::new(ROW_HASH));
                        let refused = std::mem::replace(&mut self.refused, Seen::new(0, None));
                        self.end = End::Repeated(repeated.release(refused)?);
                        continue;
                    };
                    let draft = judged(&packed, release, self.key.as_deref().unwrap_or_default())?;
                    if let Some(batch) = self.seal(draft)? {
                        return Ok(Some(batch));
                    }
                }
                End::Repeated(release) => match release.next()? {
                    Some(batch) => return numbered(&batch, release).map(Some),
                    None => self.end = End::Reached,
                },
                End::Reached => return Ok(None),
            }
        }
    }

    /// What was counted, compared with what the source says.
    pub(crate) fn totals(self) -> Result<Totals> {
        let waiting = !self.claimants.is_empty() || !self.repeated.is_empty();
        if waiting && !matches!(self.end, End::Reached) {
            return Err(Error::internal("the totals were asked for while rows wait").at(&self.at));
        }
        let received_rows = self.received_rows;
        let source_rows = match (self.source_rows, self.notes.skipped_rows()) {
            // A source may count the rows that the contract leaves out, or not.
            (Some(rows), skipped) if rows == received_rows + skipped => Some(received_rows),
            (Some(rows), _) if rows != received_rows => {
                let message = format!("the source counts {rows} rows, but {received_rows} were received");
                return Err(Error::contract(message).at(&self.at).hint(CUT));
            }
            (rows, _) => rows,
        };
        let sums = sums::finish(self.tallies).map_err(|error| error.at(&self.at))?;
        Ok(Totals {
            source_rows,
            received_rows,
            sums,
            high: None,
            findings: self.notes.finish(),
            alive: None,
        })
    }

    /// Numbers the bad rows and makes a batch of all that need not wait.
    fn seal(&mut self, draft: Draft) -> Result<Option<RecordBatch>> {
        let rows = draft.rows.len();
        for tally in &mut self.tallies {
            tally.refuse(&draft);
        }
        let mut keys = Vec::with_capacity(draft.marks.bad.len());
        let mut waiting = BTreeSet::new();
        for (at, bad) in &draft.marks.bad {
            let occurrence = match self.refused.see(bad.raw.hash, 1)? {
                Sighting::New => 1,
                Sighting::Before(count) => {
                    *count += 1;
                    *count
                }
                Sighting::Perhaps => {
                    waiting.insert(*at);
                    0
                }
            };
            keys.push(hash::bad_key(bad.raw.hash, occurrence));
        }
        let mut batch = draft.into_batch(&self.schema, self.file.as_deref(), &keys)?;
        if !waiting.is_empty() {
            let waits: BooleanArray = (0..rows).map(|at| Some(waiting.contains(&at))).collect();
            self.repeated.push(filter_record_batch(&batch, &waits).map_err(broken)?)?;
            let settled = not(&waits).map_err(broken)?;
            batch = filter_record_batch(&batch, &settled).map_err(broken)?;
        }
        Ok((batch.num_rows() > 0).then_some(batch))
    }
}

/// Held rows, of which those are bad now whose key another row has.
fn judged(packed: &RecordBatch, release: &mut Release, names: &str) -> Result<Draft> {
    let (mut draft, raws) = unpacked(packed)?;
    for (at, raw) in raws.into_iter().enumerate() {
        let Some(key) = draft.keys[at] else { continue };
        let first = release.known.entry(key).or_default();
        match first {
            Some(first) => draft.marks.refuse(at, &duplicate(names, *first), || Ok(raw))?,
            None => *first = Some(draft.rows[at]),
        }
    }
    Ok(draft)
}

/// Bad rows with the keys that follow from how often they came.
fn numbered(batch: &RecordBatch, release: &mut Release) -> Result<RecordBatch> {
    let hashes: &BinaryArray = batch.column(ROW_HASH).as_binary();
    let keys = (0..batch.num_rows()).map(|at| {
        let hash = hash_at(hashes, at).unwrap_or_default();
        let count = release.known.entry(hash).or_default();
        let occurrence = count.unwrap_or_default() + 1;
        *count = Some(occurrence);
        Some(hash::bad_key(hash, occurrence))
    });
    let keys = hash_array(keys);
    let mut columns = batch.columns().to_vec();
    columns[KEY_HASH] = Arc::new(keys);
    RecordBatch::try_new(batch.schema(), columns).map_err(broken)
}

fn duplicate(names: &str, first: i64) -> Reason {
    Reason::new(Code::DuplicateKey, names, format!("row {first} has the same key"))
}
