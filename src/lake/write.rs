//! Writing files that nobody can read yet.

use super::data::{DataFile, FILE_BYTES, WRITE_ROWS, data_file, writer_properties};
use super::delta::{FORCE, Table};
use crate::error::{Error, Result};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use deltalake_core::DeltaTable;
use deltalake_core::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake_core::table::config::TablePropertiesExt;
use futures::{Stream, StreamExt};
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use std::sync::Arc;

impl Table {
    /// Writes `rows` to new Parquet files under the partition of `force` (`None`: no partition).
    /// The files belong to no version until they are committed. `schema` is the table's, without
    /// the partition column; the table is made when it does not exist. Zero rows make no file.
    pub async fn write<S, E>(
        &self,
        schema: &SchemaRef,
        force: Option<&str>,
        mut rows: S,
    ) -> Result<Vec<DataFile>>
    where
        S: Stream<Item = std::result::Result<RecordBatch, E>> + Unpin,
        Error: From<E>,
    {
        let table = self.writable(schema, force.is_some()).await?;
        let snapshot = table.snapshot().map_err(|e| self.failed("write", e))?;
        let root = Arc::new(PrefixStore::new(Arc::clone(&self.machine), self.path()?));
        let prefix = force.map(|f| format!("{FORCE}={f}"));
        let store: Arc<dyn ObjectStore> = match &prefix {
            Some(prefix) => Arc::new(PrefixStore::new(root, prefix.as_str())),
            None => root,
        };
        let config = WriterConfig::new(
            Arc::clone(schema),
            Vec::new(),
            Some(writer_properties(schema)?),
            Some(FILE_BYTES),
            Some(WRITE_ROWS),
            snapshot.table_config().num_indexed_cols(),
            None,
        );
        let mut writer = DeltaWriter::new(store, config);
        while let Some(batch) = rows.next().await {
            let written = match batch {
                Ok(batch) => writer.write(&batch).await.map_err(|e| self.failed("write", e)),
                Err(e) => Err(Error::from(e)),
            };
            if let Err(error) = written {
                // Half-written files stay invisible either way; the first error is the one to report.
                writer.abort().await.ok();
                return Err(error);
            }
        }
        let adds = writer.close().await.map_err(|e| self.failed("write", e))?;
        Ok(adds.into_iter().map(|add| data_file(add, prefix.as_deref(), force)).collect())
    }

    /// Makes sure that the table exists and has this scope: once, because a table keeps its scope for
    /// life, and opening it for every force would cost more than the writing of a small force.
    async fn writable(&self, schema: &SchemaRef, by_force: bool) -> Result<&DeltaTable> {
        let make = || async { Ok::<_, Error>((by_force, self.ensure(schema, by_force).await?)) };
        match self.made.get_or_try_init(make).await? {
            (made, table) if *made == by_force => Ok(table),
            _ => Err(self.of_other_scope()),
        }
    }

    /// The table's folder among the machine's files.
    fn path(&self) -> Result<object_store::path::Path> {
        object_store::path::Path::from_absolute_path(&self.dir).map_err(|e| self.failed("write", e))
    }
}
