//! Reading: a table's file list as a plain Parquet scan.
//!
//! delta-rs has a table provider of its own, which decodes partitions into dictionaries, hides
//! what the Parquet scan can do, and cannot be cut to one force before the scan exists. This one
//! only ever holds the files it may read.

use crate::lake::delta::{DataFile, FORCE, Version};
use async_trait::async_trait;
use chrono::DateTime;
use datafusion::arrow::array::{ArrayRef, BooleanArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectMeta;
use object_store::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// A fixed list of Parquet files as a table. With partitions, `force` is its first column.
#[derive(Debug)]
pub struct SnapshotTable {
    schema: SchemaRef,
    files_schema: TableSchema,
    by_force: bool,
    dir: PathBuf,
    files: Vec<DataFile>,
}

impl SnapshotTable {
    /// The files of `version` whose force `keep` accepts; a table without partitions is kept whole.
    /// A file that should name its force and does not is nobody's: it is left out.
    pub fn of(version: &Version, keep: impl Fn(&str) -> bool) -> Self {
        let readable = |file: &&DataFile| match (&file.force, version.by_force) {
            (Some(force), true) => keep(force),
            (None, false) => true,
            (None, true) | (Some(_), false) => false,
        };
        let kept = version.files.iter().filter(readable);
        let columns = version.schema.fields().iter().filter(|f| !(version.by_force && f.name() == FORCE));
        let schema = Arc::new(Schema::new(columns.cloned().collect::<Vec<_>>()));
        Self::new(schema, version.by_force, version.dir.clone(), kept.cloned().collect())
    }

    /// Files of the folder `dir`, committed or not; `schema` is without the partition column.
    pub fn new(schema: SchemaRef, by_force: bool, dir: PathBuf, files: Vec<DataFile>) -> Self {
        let force: FieldRef = Arc::new(Field::new(FORCE, DataType::Utf8, false));
        let partitions: Vec<FieldRef> = by_force.then(|| Arc::clone(&force)).into_iter().collect();
        let files_schema =
            TableSchema::builder(Arc::clone(&schema)).with_table_partition_cols(partitions.clone()).build();
        let shown: Vec<FieldRef> = partitions.into_iter().chain(schema.fields().iter().cloned()).collect();
        Self { schema: Arc::new(Schema::new(shown)), files_schema, by_force, dir, files }
    }

    /// The number of rows, exactly.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Where column `index` of the shown schema stands in the files' schema, which has the
    /// partition column last.
    fn in_files(&self, index: usize) -> usize {
        match (self.by_force, index) {
            (false, index) => index,
            (true, 0) => self.schema.fields().len() - 1,
            (true, index) => index - 1,
        }
    }

    /// The files that can hold rows for `filters`, judged by the partition alone.
    fn pruned(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&DataFile>> {
        let on_force: Vec<Expr> = filters.iter().filter(|f| reads_only_force(f)).cloned().collect();
        let Some(predicate) = conjunction(on_force).filter(|_| self.by_force) else {
            return Ok(self.files.iter().collect());
        };
        let schema = Arc::new(Schema::new(vec![Field::new(FORCE, DataType::Utf8, false)]));
        let expr = state.create_physical_expr(predicate, &DFSchema::try_from(Arc::clone(&schema))?)?;
        let forces: ArrayRef =
            Arc::new(self.files.iter().map(|file| file.force.as_deref()).collect::<StringArray>());
        let batch = RecordBatch::try_new(schema, vec![forces])?;
        let keep = expr.evaluate(&batch)?.into_array(batch.num_rows())?;
        let Some(keep) = keep.as_any().downcast_ref::<BooleanArray>() else {
            return Ok(self.files.iter().collect());
        };
        let kept = self.files.iter().zip(keep.iter()).filter(|(_, keep)| *keep == Some(true));
        Ok(kept.map(|(file, _)| file).collect())
    }

    fn partitioned(&self, file: &DataFile) -> Result<PartitionedFile> {
        // Not from text, which would be encoded a second time where a folder's name is not plain ASCII.
        let mut scanned = PartitionedFile::new_from_meta(ObjectMeta {
            location: Path::from_absolute_path(self.dir.join(&file.path))?,
            last_modified: DateTime::UNIX_EPOCH,
            size: file.bytes,
            e_tag: None,
            version: None,
        });
        if self.by_force {
            scanned.partition_values = vec![ScalarValue::Utf8(file.force.clone())];
        }
        let mut statistics = Statistics::new_unknown(self.files_schema.table_schema());
        statistics.num_rows = Precision::Exact(usize::try_from(file.rows).unwrap_or(usize::MAX));
        Ok(scanned.with_statistics(Arc::new(statistics)))
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let decide = |filter: &&Expr| match self.by_force && reads_only_force(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(decide).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let files = self.pruned(state, filters)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(Arc::new(self.schema.project(projection)?))));
        }
        let scanned = files.iter().map(|file| self.partitioned(file)).collect::<Result<Vec<_>>>()?;
        let mut statistics = Statistics::new_unknown(self.files_schema.table_schema());
        let rows = files.iter().map(|file| file.rows).sum::<u64>();
        statistics.num_rows = Precision::Exact(usize::try_from(rows).unwrap_or(usize::MAX));
        let store = state.runtime_env().object_store(ObjectStoreUrl::local_filesystem())?;
        let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
        let readers = Arc::new(CachedParquetFileReaderFactory::new(store, footers));
        let mut source =
            ParquetSource::new(self.files_schema.clone()).with_parquet_file_reader_factory(readers);
        let on_data = filters.iter().filter(|f| !(self.by_force && reads_only_force(f))).cloned();
        if let Some(predicate) = conjunction(on_data) {
            let schema = DFSchema::try_from(Arc::clone(self.files_schema.table_schema()))?;
            source = source.with_predicate(state.create_physical_expr(predicate, &schema)?);
        }
        let groups = FileGroup::new(scanned).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(Some(projection.iter().map(|i| self.in_files(*i)).collect()))?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Whether the filter can be decided from a file's partition.
fn reads_only_force(filter: &Expr) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty() && columns.iter().all(|c| c.name == FORCE) && !filter.is_volatile()
}
