//! What raw knows of the rows that a load may touch: key by key, what is open.
//!
//! In memory up to [`IN_MEMORY`] rows; beyond that both sides, the known rows and the extract, are
//! cut into shards by key hash on anonymous temporary files, and compared shard by shard. So the
//! memory of a load does not grow with its table, and what a crash leaves behind is nothing.

use super::Covers;
use crate::connector::contract::{Contract, Type};
use crate::error::{Error, Result};
use crate::lake::delta::Version;
use crate::lake::raw::{self, column, hash128};
use chrono::{NaiveDate, NaiveDateTime};
use datafusion::arrow::array::{Array, BinaryArray, BooleanArray, Int64Array, StringArray};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::prelude::{Expr, ident, lit};
use futures::TryStreamExt;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};

/// Rows known at most before they are cut into shards; about 60 MB.
const IN_MEMORY: usize = 900_000;

/// Rows of a shard, roughly.
const SHARD_ROWS: u64 = 500_000;

/// The most shards: each keeps a file open on both sides.
const MOST_SHARDS: u64 = 256;

/// What is known, by key hash.
pub(super) type Known = HashMap<u128, Entry>;

/// The newest thing that raw says about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The hash of the row.
    pub(super) hash: u128,
    /// The load, then the flags below: the newest entry of a key is the greatest.
    stamp: u64,
}

/// The key is closed.
const GONE: u64 = 1;
/// The row breaks its contract.
const BAD: u64 = 2;
/// The row came with the file that is being landed again.
const OWN: u64 = 4;

impl Entry {
    /// Whether the row breaks its contract.
    pub(super) fn is_bad(self) -> bool {
        self.stamp & BAD != 0
    }

    /// Whether the row came with the file that is being landed again.
    pub(super) fn is_own(self) -> bool {
        self.stamp & OWN != 0
    }

    fn is_open(self) -> bool {
        self.stamp & GONE == 0
    }

    /// A row that has just arrived and is compared with those that follow.
    pub(super) fn arrived(hash: u128) -> Self {
        Self { hash, stamp: 0 }
    }
}

/// What is known of the rows that a load may touch.
#[derive(Debug)]
pub(super) enum OpenRows {
    /// Few enough for memory.
    Memory(Known),
    /// One file per shard.
    Shards(Vec<Shard>),
}

/// A part of the known rows, on disk.
#[derive(Debug)]
pub(super) struct Shard(File);

impl Shard {
    /// Reads the shard into memory.
    pub(super) fn load(mut self) -> Result<Known> {
        self.0.rewind().map_err(spilled)?;
        let mut reader = BufReader::with_capacity(1 << 16, self.0);
        let mut known = Known::new();
        let mut record = [0; RECORD];
        loop {
            match reader.read_exact(&mut record) {
                Ok(()) => remember(&mut known, decode(&record)),
                Err(end) if end.kind() == std::io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(spilled(error)),
            }
        }
        known.retain(|_, entry| entry.is_open());
        Ok(known)
    }
}

/// The shard, of `count`, that a key belongs to.
pub(super) fn shard_of(key: u128, count: usize) -> usize {
    // The high bits: hash maps use the low ones.
    (((key >> 64) * count as u128) >> 64) as usize
}

/// Reads what `version` knows of the rows that a load which `covers` so much may touch. `rehash`
/// gives the row hashes anew where those in raw were made by another recipe.
pub(super) async fn open_rows(
    version: Option<&Version>,
    contract: &Contract,
    covers: &Covers<'_>,
    rehash: Option<Rehash<'_>>,
) -> Result<OpenRows> {
    let Some(version) = version else { return Ok(OpenRows::Memory(Known::new())) };
    if *covers == Covers::New && contract.has_line_key() {
        return Ok(OpenRows::Memory(Known::new()));
    }
    let typed: Vec<String> = match rehash {
        Some(_) => contract.columns.iter().map(|column| column.name.clone()).collect(),
        None => Vec::new(),
    };
    let mut rows = raw::history(version, touched(version, contract, covers), &typed).await?;
    let shards = (version.files.iter().map(|file| file.rows).sum::<u64>() / SHARD_ROWS).clamp(2, MOST_SHARDS);
    let mut collected = Collected::Memory(Known::new());
    let failed = |e| Error::lake("the open rows could not be read").at(version.dir.display()).because(e);
    while let Some(batch) = rows.try_next().await.map_err(failed)? {
        let hashes = rehash.map(|rehash| rehash(&batch)).transpose()?;
        for entry in entries(&batch, covers, hashes.as_deref())? {
            collected.add(entry)?;
        }
        collected.spill_when_full(usize::try_from(shards).unwrap_or(2))?;
    }
    collected.finish()
}

/// Computes the row hashes of a batch that has the contract's columns.
pub(super) type Rehash<'a> = &'a (dyn Fn(&RecordBatch) -> Result<Vec<u128>> + Send + Sync);

/// The rows of raw that a load may touch; `None`: any.
fn touched(version: &Version, contract: &Contract, covers: &Covers<'_>) -> Option<Expr> {
    match covers {
        Covers::Whole | Covers::New | Covers::Since(None) => None,
        // The key names the file, so no other file's row can have it.
        Covers::File(name) if contract.has_line_key() => Some(ident("_file").eq(lit(*name))),
        Covers::File(_) => None,
        Covers::Since(Some(low)) => {
            let cursor = contract.mode.cursor()?;
            version.schema.column_with_name(&cursor.column)?;
            let column = ident(&cursor.column);
            let low = lit(lower_bound(low, &contract.column(&cursor.column)?.ty)?);
            // A row that comes again unchanged has a cursor within the window. Should an older
            // state of a row come back, then the newer one was landed by a later load than the first.
            Some(column.clone().gt_eq(low).or(column.is_null()).or(ident("_load").gt(lit(1_i64))))
        }
    }
}

/// A value of the cursor's column in raw that no row at or after `low` is below.
fn lower_bound(low: &str, ty: &Type) -> Option<ScalarValue> {
    match ty {
        Type::Int => low.parse().ok().map(|number| ScalarValue::Int64(Some(number))),
        Type::Date { .. } => {
            let day = NaiveDate::parse_from_str(low, "%Y-%m-%d").ok()?;
            let days = day.signed_duration_since(NaiveDate::default()).num_days();
            Some(ScalarValue::Date32(i32::try_from(days).ok()))
        }
        Type::Timestamp { .. } => {
            // Raw is in UTC and `low` in the source's own time: no zone is more than a day away.
            let instant = NaiveDateTime::parse_from_str(low, "%Y-%m-%d %H:%M:%S%.f").ok()?;
            let micros = instant.and_utc().timestamp_micros().saturating_sub(86_400_000_000);
            Some(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
        }
        Type::Text | Type::Bool | Type::Decimal { .. } | Type::Time { .. } => None,
    }
}

fn entries(batch: &RecordBatch, covers: &Covers<'_>, hashes: Option<&[u128]>) -> Result<Vec<(u128, Entry)>> {
    let loads = column::<Int64Array>(batch, "_load")?;
    let keys = column::<BinaryArray>(batch, "_key_hash")?;
    let landed = column::<BinaryArray>(batch, "_row_hash")?;
    let files = column::<StringArray>(batch, "_file")?;
    let gone = column::<BooleanArray>(batch, "gone")?;
    let bad = column::<BooleanArray>(batch, "bad")?;
    let own_file = match covers {
        Covers::File(name) => Some(*name),
        Covers::Whole | Covers::New | Covers::Since(_) => None,
    };
    let entry = |row: usize| {
        let flag = |is: bool, flag: u64| if is { flag } else { 0 };
        let own = own_file.is_none_or(|name| files.is_valid(row) && files.value(row) == name);
        let flags = flag(gone.value(row), GONE) | flag(bad.value(row), BAD) | flag(own, OWN);
        let stamp = u64::try_from(loads.value(row)).unwrap_or_default() << 3 | flags;
        let hash = match hashes.and_then(|hashes| hashes.get(row)) {
            // What was received of a bad row has not changed, whatever its columns are called now.
            Some(hash) if !bad.value(row) => *hash,
            _ => hash128(landed.value(row))?,
        };
        Ok((hash128(keys.value(row))?, Entry { hash, stamp }))
    };
    (0..batch.num_rows()).map(entry).collect()
}

fn remember(known: &mut Known, (key, entry): (u128, Entry)) {
    let newest = known.entry(key).or_insert(entry);
    if newest.stamp < entry.stamp {
        *newest = entry;
    }
}

/// Known rows while they are collected.
enum Collected {
    Memory(Known),
    Files(Vec<BufWriter<File>>),
}

/// Key, hash, stamp.
const RECORD: usize = 16 + 16 + 8;

impl Collected {
    fn add(&mut self, entry: (u128, Entry)) -> Result<()> {
        match self {
            Collected::Memory(known) => remember(known, entry),
            Collected::Files(files) => {
                let shard = shard_of(entry.0, files.len());
                files[shard].write_all(&encode(entry)).map_err(spilled)?;
            }
        }
        Ok(())
    }

    fn spill_when_full(&mut self, shards: usize) -> Result<()> {
        let Collected::Memory(known) = self else { return Ok(()) };
        if known.len() <= IN_MEMORY {
            return Ok(());
        }
        let known = std::mem::take(known);
        let file = |_| tempfile::tempfile().map(|file| BufWriter::with_capacity(1 << 16, file));
        *self = Collected::Files((0..shards).map(file).collect::<std::io::Result<_>>().map_err(spilled)?);
        known.into_iter().try_for_each(|entry| self.add(entry))
    }

    fn finish(self) -> Result<OpenRows> {
        match self {
            Collected::Memory(mut known) => {
                known.retain(|_, entry| entry.is_open());
                Ok(OpenRows::Memory(known))
            }
            Collected::Files(files) => {
                let shard = |file: BufWriter<File>| {
                    file.into_inner().map(Shard).map_err(|error| spilled(error.into_error()))
                };
                files.into_iter().map(shard).collect::<Result<_>>().map(OpenRows::Shards)
            }
        }
    }
}

fn encode((key, entry): (u128, Entry)) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..16].copy_from_slice(&key.to_le_bytes());
    record[16..32].copy_from_slice(&entry.hash.to_le_bytes());
    record[32..].copy_from_slice(&entry.stamp.to_le_bytes());
    record
}

fn decode(record: &[u8; RECORD]) -> (u128, Entry) {
    let wide = |at: usize| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&record[at..at + 16]);
        u128::from_le_bytes(bytes)
    };
    let mut stamp = [0; 8];
    stamp.copy_from_slice(&record[32..]);
    (wide(0), Entry { hash: wide(16), stamp: u64::from_le_bytes(stamp) })
}

/// A temporary file that failed.
pub(super) fn spilled(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::lake("a temporary file could not be written or read")
        .at(std::env::temp_dir().display())
        .hint("is the disk full? TMPDIR names another folder")
        .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_the_disk_and_the_newest_wins() {
        let entry = |load: u64, flags: u64, hash| Entry { hash, stamp: load << 3 | flags };
        let mut collected = Collected::Files(
            (0..3).map(|_| BufWriter::new(tempfile::tempfile().unwrap())).collect::<Vec<_>>(),
        );
        for key in 0..100_u128 {
            let key = key << 121 | key;
            collected.add((key, entry(2, BAD, key + 1))).unwrap();
            collected.add((key, entry(1, 0, key))).unwrap();
        }
        collected.add((7 << 121 | 7, entry(3, GONE, 0))).unwrap();
        let OpenRows::Shards(shards) = collected.finish().unwrap() else { panic!("shards") };
        let known: Vec<Known> = shards.into_iter().map(|shard| shard.load().unwrap()).collect();
        assert_eq!(known.iter().map(Known::len).sum::<usize>(), 99);
        for (at, known) in known.iter().enumerate() {
            assert!(!known.is_empty());
            for (key, entry) in known {
                assert_eq!(shard_of(*key, 3), at);
                assert!(entry.is_bad() && entry.stamp >> 3 == 2 && entry.hash == key + 1);
            }
        }
    }

    #[test]
    fn bounds_fit_the_columns_of_raw() {
        let timestamp = Type::Timestamp { patterns: Vec::new(), zone: chrono_tz::UTC };
        let bound = lower_bound("1970-01-02 00:00:00.000001", &timestamp);
        assert_eq!(bound, Some(ScalarValue::TimestampMicrosecond(Some(1), Some("UTC".into()))));
        let day = lower_bound("1970-01-03", &Type::Date { patterns: Vec::new() });
        assert_eq!(day, Some(ScalarValue::Date32(Some(2))));
        assert_eq!(lower_bound("-5", &Type::Int), Some(ScalarValue::Int64(Some(-5))));
        assert_eq!(lower_bound("x", &Type::Int), None);
    }
}
