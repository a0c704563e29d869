//! Rewriting many small files of a table into few, in the order of their rows. The rows stay what
//! they are, and so do the versions that came before: only a later version names the new files.

use super::delta::{Change, Commit, DataFile, FORCE, Table, Version};
use super::life::Superfluous;
use super::snapshot::SnapshotTable;
use crate::error::{Error, Result};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A file below this size is small: opening it costs more than reading it.
const SMALL_BYTES: u64 = 16 << 20;

/// Small files of a force, or of a table without partitions, from which on they are rewritten.
const MANY: usize = 8;

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Small files that were rewritten.
    pub before: usize,
    /// Files that they became.
    pub after: usize,
    /// Bytes of the small files.
    pub bytes_before: u64,
    /// Bytes of the new ones.
    pub bytes_after: u64,
}

impl Table {
    /// Rewrites the small files of each force that has many; `None` when none has. For whoever
    /// holds the run's lock.
    pub async fn compact(&self) -> Result<Option<Compacted>> {
        let Some(version) = self.version(None).await? else { return Ok(None) };
        let crowds = crowds(&version);
        if crowds.is_empty() {
            return Ok(None);
        }
        let schema = in_files(&version);
        let born = self.lives()?;
        let mut done = Compacted::default();
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for (force, mut files) in crowds {
            // Files of one commit are numbered in their names.
            files.sort_by_key(|file| {
                let last = born.get(&file.path).and_then(|stretches| stretches.last());
                (last.map(|(version, _)| *version), file.path.clone())
            });
            let rows = rows(&version.dir, &schema, &files);
            to.extend(self.write(&schema, force.as_deref(), rows).await?);
            from.extend(files);
        }
        done.before = from.len();
        done.after = to.len();
        done.bytes_before = from.iter().map(|file| file.bytes).sum();
        done.bytes_after = to.iter().map(|file| file.bytes).sum();
        self.kept_rows(&from, &to)?;
        let change = Change::Rewrite { from, to };
        let commit = Commit { change, transaction: None, metadata: Vec::new() };
        self.commit(&schema, version.by_force, commit).await?;
        Ok(Some(done))
    }

    /// An error, and nothing left behind, when the new files have other rows than the old ones.
    fn kept_rows(&self, from: &[DataFile], to: &[DataFile]) -> Result<()> {
        let count = |files: &[DataFile]| files.iter().map(|file| file.rows).sum::<u64>();
        if count(from) == count(to) {
            return Ok(());
        }
        let made = to.iter().map(|file| Superfluous { path: file.path.clone(), bytes: file.bytes });
        self.delete(&made.collect::<Vec<_>>())?;
        let message = format!("{} rows were read for compaction and {} written", count(from), count(to));
        Err(Error::lake(message).at(self.name()))
    }
}

/// The small files of each force that has many.
fn crowds(version: &Version) -> Vec<(Option<String>, Vec<DataFile>)> {
    let mut by_force: BTreeMap<Option<String>, Vec<DataFile>> = BTreeMap::new();
    for file in version.files.iter().filter(|file| file.bytes < SMALL_BYTES) {
        by_force.entry(file.force.clone()).or_default().push(file.clone());
    }
    by_force.into_iter().filter(|(_, files)| files.len() >= MANY).collect()
}

/// The columns that the table's files have: all but the partition.
fn in_files(version: &Version) -> SchemaRef {
    let columns = version.schema.fields().iter().filter(|f| !(version.by_force && f.name() == FORCE));
    Arc::new(Schema::new(columns.cloned().collect::<Vec<_>>()))
}

/// The rows of `files`, one file after the other.
fn rows(
    dir: &std::path::Path,
    schema: &SchemaRef,
    files: &[DataFile],
) -> BoxStream<'static, Result<RecordBatch>> {
    let reads: Vec<_> = files
        .iter()
        .map(|file| {
            let file = DataFile { force: None, ..file.clone() };
            rows_of(dir.to_path_buf(), Arc::clone(schema), file).boxed()
        })
        .collect();
    stream::iter(reads).buffered(1).try_flatten().boxed()
}

async fn rows_of(
    dir: PathBuf,
    schema: SchemaRef,
    file: DataFile,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let place = dir.join(&file.path).display().to_string();
    let failed = move |e| Error::lake("the file cannot be read for compaction").at(&place).because(e);
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().execution.parquet.schema_force_view_types = false;
    let table = SnapshotTable::new(schema, false, dir, vec![file]);
    let frame = SessionContext::new_with_config(config).read_table(Arc::new(table)).map_err(&failed)?;
    let rows = frame.execute_stream().await.map_err(&failed)?;
    Ok(rows.map_err(failed).boxed())
}
