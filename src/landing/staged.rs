//! An extract cut into shards by key hash, on anonymous temporary files: they have no name, so
//! they are gone with the process, however it ends.

use super::known::{shard_of, spilled};
use crate::error::{Error, Result};
use crate::lake::raw::{column, hash128};
use datafusion::arrow::array::{BinaryArray, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::record_batch::RecordBatch;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek};

/// The shards in the making.
pub(super) struct Staged(Vec<Option<StreamWriter<BufWriter<File>>>>);

/// A shard, to be read once.
#[derive(Debug)]
pub(super) struct StagedShard(Option<StreamReader<BufReader<File>>>);

impl Staged {
    /// `shards` empty ones.
    pub(super) fn new(shards: usize) -> Result<Self> {
        Ok(Self((0..shards).map(|_| None).collect()))
    }

    /// Puts every row of `batch` into the shard of its key.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = column::<BinaryArray>(batch, "_key_hash")?;
        let mut rows = vec![Vec::new(); self.0.len()];
        for (row, key) in (0_u32..).zip(keys.iter().flatten()) {
            rows[shard_of(hash128(key)?, self.0.len())].push(row);
        }
        for (writer, rows) in self.0.iter_mut().zip(rows).filter(|(_, rows)| !rows.is_empty()) {
            let writer = match writer {
                Some(writer) => writer,
                None => {
                    let file = BufWriter::new(tempfile::tempfile().map_err(spilled)?);
                    writer.insert(StreamWriter::try_new(file, &batch.schema()).map_err(spilled)?)
                }
            };
            let rows = take_record_batch(batch, &UInt32Array::from(rows))
                .map_err(|e| Error::internal("rows could not be selected").because(e))?;
            writer.write(&rows).map_err(spilled)?;
        }
        Ok(())
    }

    /// The shards, in their order.
    pub(super) fn finish(self) -> Result<Vec<StagedShard>> {
        let shard = |writer: Option<StreamWriter<BufWriter<File>>>| {
            let Some(writer) = writer else { return Ok(StagedShard(None)) };
            let file = writer.into_inner().map_err(spilled)?;
            let mut file = file.into_inner().map_err(|error| spilled(error.into_error()))?;
            file.rewind().map_err(spilled)?;
            StreamReader::try_new(BufReader::new(file), None).map(|r| StagedShard(Some(r))).map_err(spilled)
        };
        self.0.into_iter().map(shard).collect()
    }
}

impl StagedShard {
    /// The next rows of the shard.
    pub(super) fn next(&mut self) -> Option<Result<RecordBatch>> {
        self.0.as_mut()?.next().map(|batch| batch.map_err(spilled))
    }
}
