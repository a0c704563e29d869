//! The content of a table, whether committed or not.

use crate::lake::delta::{DataFile, FORCE, Version};
use crate::lake::snapshot::SnapshotTable;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use std::path::PathBuf;
use std::sync::Arc;

/// The columns and the files of a table.
#[derive(Debug, Clone)]
pub struct Content {
    /// The table's columns, without `force`.
    pub schema: SchemaRef,
    /// Whether it is partitioned by force.
    pub by_force: bool,
    /// The folder that the files' paths are relative to.
    pub dir: PathBuf,
    /// The files.
    pub files: Vec<DataFile>,
}

impl Content {
    /// The content of a committed version.
    pub fn of(version: &Version) -> Self {
        let columns = version.schema.fields().iter();
        let columns = columns.filter(|f| !(version.by_force && f.name() == FORCE));
        Self {
            schema: Arc::new(Schema::new(columns.cloned().collect::<Vec<_>>())),
            by_force: version.by_force,
            dir: version.dir.clone(),
            files: version.files.clone(),
        }
    }

    /// The part of it that is `force`'s.
    pub fn of_force(&self, force: &str) -> Self {
        let own = self.files.iter().filter(|file| file.force.as_deref() == Some(force));
        Self { files: own.cloned().collect(), ..self.clone() }
    }

    /// Rows in all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The content as a table.
    pub fn table(&self) -> Arc<SnapshotTable> {
        let Self { schema, by_force, dir, files } = self.clone();
        Arc::new(SnapshotTable::new(schema, by_force, dir, files))
    }
}
