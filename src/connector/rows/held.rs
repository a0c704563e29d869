//! Rows that wait for the end, because one of their hashes may have come before.

use crate::connector::batch::{Bad, Counts, Draft, Marks, Raw, broken, hash_array, reasons};
use crate::connector::rows::seen::{IN_MEMORY, Seen, unusable};
use crate::error::{Error, Result};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Int64Array, StringArray,
};
use datafusion::arrow::compute::{concat_batches, filter_record_batch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::record_batch::RecordBatch;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek};
use std::sync::Arc;

/// When waiting rows are written: at this many, or at this much of them.
const WRITTEN_ROWS: usize = 8_192;
const WRITTEN_BYTES: usize = 8 << 20;

/// Waiting rows, in a file without a name.
pub(super) struct Held {
    /// The column of the hash they wait for.
    column: usize,
    in_memory: usize,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    writer: Option<StreamWriter<BufWriter<File>>>,
    rows: usize,
}

/// The held rows again, with what was seen of their hashes. A hash is whole in one pass, so that a
/// pass needs no more memory than [`Seen`].
#[derive(Debug)]
pub(super) struct Release {
    seen: Seen,
    column: usize,
    file: Option<File>,
    pass: u128,
    passes: u128,
    /// The value seen of each hash of the pass; whoever takes the rows writes it on.
    pub(super) known: HashMap<u128, Option<i64>>,
    reader: Option<Reader>,
}

type Reader = StreamReader<BufReader<File>>;

impl Held {
    /// No rows yet; they will wait for the hash in `column`.
    pub(super) fn new(column: usize) -> Self {
        Self {
            column,
            in_memory: IN_MEMORY,
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            writer: None,
            rows: 0,
        }
    }

    /// Splits the rows for the end into smaller passes; for tests.
    #[cfg(test)]
    pub(super) fn in_passes_of(mut self, in_memory: usize) -> Self {
        self.in_memory = in_memory;
        self
    }

    /// Whether no rows wait.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Lets rows wait. All batches have the same schema.
    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.rows += batch.num_rows();
        self.waiting_rows += batch.num_rows();
        self.waiting_bytes += batch.get_array_memory_size();
        self.waiting.push(batch);
        if self.waiting_rows >= WRITTEN_ROWS || self.waiting_bytes >= WRITTEN_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let Some(first) = waiting.first() else {
            return Ok(());
        };
        let schema = first.schema();
        let batch = concat_batches(&schema, &waiting).map_err(broken)?;
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => {
                let file = BufWriter::new(tempfile::tempfile().map_err(unusable)?);
                StreamWriter::try_new(file, &schema).map_err(unusable)?
            }
        };
        writer.write(&batch).map_err(unusable)?;
        self.writer = Some(writer);
        Ok(())
    }

    /// The rows again; `seen` knows the hashes for which they waited.
    pub(super) fn release(mut self, seen: Seen) -> Result<Release> {
        self.write()?;
        let file = match self.writer {
            None => None,
            Some(mut writer) => {
                writer.finish().map_err(unusable)?;
                Some(writer.into_inner().map_err(unusable)?.into_inner().map_err(unusable)?)
            }
        };
        let passes = self.rows.div_ceil(self.in_memory) as u128;
        let known = HashMap::new();
        Ok(Release { seen, column: self.column, file, pass: 0, passes, known, reader: None })
    }
}

impl Release {
    /// The next rows; their hashes are in `known`.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(reader) = &mut self.reader {
                for batch in reader {
                    let batch = batch.map_err(unusable)?;
                    let of_pass = hashes(&batch, self.column)?;
                    let of_pass: BooleanArray =
                        of_pass.map(|hash| Some(hash % self.passes == self.pass)).collect();
                    let batch = filter_record_batch(&batch, &of_pass).map_err(broken)?;
                    if batch.num_rows() > 0 {
                        return Ok(Some(batch));
                    }
                }
                self.pass += 1;
            }
            if self.pass >= self.passes {
                return Ok(None);
            }
            self.known.clear();
            for batch in self.read(Some(vec![self.column]))? {
                let batch = batch.map_err(unusable)?;
                let of_pass = hashes(&batch, 0)?.filter(|hash| hash % self.passes == self.pass);
                self.known.extend(of_pass.map(|hash| (hash, None)));
            }
            self.seen.recall(&mut self.known)?;
            self.reader = Some(self.read(None)?);
        }
    }

    fn read(&self, columns: Option<Vec<usize>>) -> Result<Reader> {
        let file = self.file.as_ref().ok_or_else(|| Error::internal("no rows wait"))?;
        let mut file = file.try_clone().map_err(unusable)?;
        file.rewind().map_err(unusable)?;
        StreamReader::try_new(BufReader::new(file), columns).map_err(unusable)
    }
}

/// The hashes in a column without nulls.
fn hashes(batch: &RecordBatch, column: usize) -> Result<impl Iterator<Item = u128> + '_> {
    let column: &BinaryArray = batch.column(column).as_binary_opt().ok_or_else(no_hashes)?;
    match column.null_count() {
        0 => Ok((0..column.len()).map(|at| hash_at(column, at).unwrap_or_default())),
        _ => Err(no_hashes()),
    }
}

/// The hash in a cell; `None` for null.
pub(super) fn hash_at(column: &BinaryArray, at: usize) -> Option<u128> {
    let bytes = column.is_valid(at).then(|| column.value(at))?;
    bytes.try_into().ok().map(u128::from_be_bytes)
}

fn no_hashes() -> Error {
    Error::internal("rows wait for a hash that they do not have")
}

/// Where [`packed`] rows have their key.
pub(super) const PACKED_KEY: usize = 1;

/// How many columns [`packed`] rows have before those of the contract.
const PACKED: usize = 6;

/// Rows and what was received for each, in a form that can be written.
pub(super) fn packed(draft: Draft, raws: &[Raw]) -> Result<RecordBatch> {
    let mut arrays: Vec<(String, ArrayRef)> = vec![
        ("_row".into(), Arc::new(Int64Array::from(draft.rows))),
        ("_key".into(), Arc::new(hash_array(draft.keys.into_iter()))),
        ("_hash".into(), Arc::new(hash_array(draft.hashes.into_iter().map(Some)))),
        ("_errors".into(), Arc::new(reasons(raws.len(), &draft.marks.bad))),
        ("_raw".into(), Arc::new(StringArray::from_iter_values(raws.iter().map(|raw| &raw.text)))),
        ("_received".into(), Arc::new(hash_array(raws.iter().map(|raw| Some(raw.hash))))),
    ];
    arrays.extend(draft.columns.into_iter().enumerate().map(|(at, column)| (at.to_string(), column)));
    let nullable = arrays.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(nullable).map_err(broken)
}

/// The rows that were [`packed`].
pub(super) fn unpacked(batch: &RecordBatch) -> Result<(Draft, Vec<Raw>)> {
    let hashes = |column: usize| {
        let column: &BinaryArray = batch.column(column).as_binary();
        (0..column.len()).map(|at| hash_at(column, at)).collect::<Vec<_>>()
    };
    let received = hashes(5).into_iter().map(Option::unwrap_or_default);
    let texts = batch.column(4).as_string::<i32>().iter();
    let raws: Vec<Raw> = texts
        .zip(received)
        .map(|(text, hash)| Raw { text: text.unwrap_or_default().to_string(), hash })
        .collect();
    let lists = batch.column(3).as_list::<i32>();
    let mut bad = BTreeMap::new();
    for (at, raw) in raws.iter().enumerate().filter(|(at, _)| lists.value_length(*at) > 0) {
        let reasons = lists.value(at).as_string::<i32>().iter().flatten().map(str::to_string).collect();
        bad.insert(at, Bad { reasons, raw: raw.clone() });
    }
    let draft = Draft {
        rows: batch.column(0).as_primitive::<Int64Type>().values().to_vec(),
        keys: hashes(PACKED_KEY),
        hashes: hashes(2).into_iter().map(Option::unwrap_or_default).collect(),
        columns: batch.columns()[PACKED..].to_vec(),
        counts: Counts::default(),
        marks: Marks { bad, ..Marks::default() },
    };
    Ok((draft, raws))
}
