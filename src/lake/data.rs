//! The Parquet files of a table.

use super::delta::FORCE;
use crate::error::{Error, Result};
use datafusion::arrow::datatypes::{DataType, Schema};
use deltalake_core::kernel::{Action, Add, LogicalFileView};
use deltalake_core::table::state::DeltaTableState;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;

/// The size of a data file from which on the next one is begun.
pub(super) const FILE_BYTES: NonZeroU64 = match NonZeroU64::new(128 << 20) {
    Some(bytes) => bytes,
    None => NonZeroU64::MIN,
};

/// Rows of a row group: what a writer holds in memory until it is full.
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Rows given to the Parquet writer at once; delta-rs would cut batches into pieces of 1,024.
pub(super) const WRITE_ROWS: usize = 32 * 1024;

/// A Parquet file of a table; not part of any version before it is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Relative to the table's folder.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Number of rows.
    pub rows: u64,
    /// The force, for tables partitioned by it.
    pub force: Option<String>,
    /// Delta statistics, as JSON.
    pub stats: Option<String>,
}

/// zstd at its fastest level: the extracts are text-like, and reading is bound by decoding. Hashes
/// look random: a dictionary of them and statistics over them cost time and prune nothing.
pub(super) fn writer_properties(schema: &Schema) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(|e| Error::internal("zstd level").because(e))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    let hashes = schema.fields().iter().filter(|f| *f.data_type() == DataType::Binary);
    let properties = hashes.fold(properties, |properties, field| {
        let column = ColumnPath::from(field.name().as_str());
        properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
            .set_column_statistics_enabled(column, EnabledStatistics::None)
    });
    Ok(properties.build())
}

pub(super) fn data_file(add: Add, prefix: Option<&str>, force: Option<&str>) -> DataFile {
    let rows = add
        .stats
        .as_deref()
        .and_then(|s| serde_json::from_str::<Value>(s).ok())
        .and_then(|s| s.get("numRecords").and_then(Value::as_u64))
        .unwrap_or_default();
    let path = prefix.map_or_else(|| add.path.clone(), |p| format!("{p}/{}", add.path));
    let bytes = u64::try_from(add.size).unwrap_or_default();
    DataFile { path, bytes, rows, force: force.map(str::to_string), stats: add.stats }
}

pub(super) fn add_action(file: &DataFile) -> Add {
    let partition_values: HashMap<_, _> =
        file.force.iter().map(|f| (FORCE.to_string(), Some(f.clone()))).collect();
    Add {
        path: file.path.clone(),
        partition_values,
        size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        modification_time: chrono::Utc::now().timestamp_millis(),
        data_change: true,
        stats: file.stats.clone(),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

/// The removes and adds that turn the table's files into exactly `files`.
pub(super) fn difference(state: &DeltaTableState, files: &[DataFile]) -> Vec<Action> {
    let wanted: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let active: Vec<LogicalFileView> = state.log_data().into_iter().collect();
    let present: HashSet<String> = active.iter().map(|file| file.path().into_owned()).collect();
    let removes = active.iter().filter(|file| !wanted.contains(file.path().as_ref()));
    let removes = removes.map(|file| Action::Remove(file.remove_action(true)));
    let adds = files.iter().filter(|file| !present.contains(&file.path));
    removes.chain(adds.map(|file| Action::Add(add_action(file)))).collect()
}

/// The removes and adds that put the rows of `from` into `to`; `None` when the table no longer has
/// all of `from`. No row changes, and the log says so.
pub(super) fn replacement(
    state: &DeltaTableState,
    from: &[DataFile],
    to: &[DataFile],
) -> Option<Vec<Action>> {
    let replaced: HashSet<&str> = from.iter().map(|file| file.path.as_str()).collect();
    let active: Vec<LogicalFileView> = state.log_data().into_iter().collect();
    let removes = active.iter().filter(|file| replaced.contains(file.path().as_ref()));
    let removes: Vec<Action> = removes.map(|file| Action::Remove(file.remove_action(false))).collect();
    let adds = to.iter().map(|file| Action::Add(Add { data_change: false, ..add_action(file) }));
    (removes.len() == from.len()).then(|| removes.into_iter().chain(adds).collect())
}
