//! One Delta table: opening a version, writing files that nobody can read yet, and committing.
//!
//! delta-rs is the commit log; the Parquet files are written by its own file writer but placed
//! under their partition by us, which makes "replace one force" a commit of pure removes and
//! adds: no row of another force can be touched, because no row is read.

pub use super::data::DataFile;

use super::data::{FILE_BYTES, add_action, difference, replacement};
use crate::error::{Error, Result};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, MetadataExt, StructType, Transaction};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStore;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;
use url::Url;

/// The partition column of every table but raw's and the hub-scope ones.
pub const FORCE: &str = "force";

/// Properties of every table the hub owns. delta-rs would otherwise delete history after 30 days,
/// and it understands no interval longer than days.
const PROPERTIES: [(&str, &str); 4] = [
    ("delta.enableExpiredLogCleanup", "false"),
    ("delta.logRetentionDuration", "interval 36500 days"),
    ("delta.deletedFileRetentionDuration", "interval 36500 days"),
    ("delta.checkpointInterval", "20"),
];

/// How often a commit is tried when other processes commit to the same table.
const COMMIT_ATTEMPTS: u32 = 10;

/// A Delta table of the lake, which may not exist yet.
#[derive(Debug, Clone)]
pub struct Table {
    pub(super) name: String,
    pub(super) dir: PathBuf,
    /// The whole machine's files.
    pub(super) machine: Arc<dyn ObjectStore>,
    /// Serialises this process's writers; other processes meet in the commit's put-if-absent.
    writer: Arc<tokio::sync::Mutex<()>>,
    /// Whether it is partitioned by force, once that is known, and the table as it was then.
    pub(super) made: Arc<OnceCell<(bool, DeltaTable)>>,
}

/// A table as of one version: immutable, cheap to share.
#[derive(Debug, Clone)]
pub struct Version {
    /// The Delta version.
    pub number: u64,
    /// The schema, the partition column included (last).
    pub schema: SchemaRef,
    /// Whether the table is partitioned by force.
    pub by_force: bool,
    /// The folder that the files' paths are relative to.
    pub dir: PathBuf,
    /// The active files.
    pub files: Vec<DataFile>,
}

/// What one commit changes.
#[derive(Debug)]
pub struct Commit {
    /// What happens to the files.
    pub change: Change,
    /// The application transaction: committed at most once per id and number.
    pub transaction: Option<(String, i64)>,
    /// What the commit records beside the data.
    pub metadata: Vec<(String, Value)>,
}

/// What a commit does to a table's files.
#[derive(Debug)]
pub enum Change {
    /// Adds these.
    Append(Vec<DataFile>),
    /// Makes these the table's only files, whatever an unfinished run left in it.
    Exactly(Vec<DataFile>),
    /// Puts other files with the same rows in the place of some.
    Rewrite {
        /// The files whose place is taken.
        from: Vec<DataFile>,
        /// Those that hold their rows now.
        to: Vec<DataFile>,
    },
}

impl Table {
    pub(super) fn new(name: String, dir: PathBuf, machine: Arc<dyn ObjectStore>) -> Self {
        Self { name, dir, machine, writer: Arc::default(), made: Arc::default() }
    }

    /// The table's name: its path in the lake.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The newest version, or the one asked for; `None` when the table does not exist.
    pub async fn version(&self, number: Option<u64>) -> Result<Option<Version>> {
        let Some(table) = self.open(number).await? else { return Ok(None) };
        let snapshot = table.snapshot().map_err(|e| self.failed("read", e))?;
        let by_force = snapshot.metadata().partition_columns().iter().any(|c| c == FORCE);
        let files = snapshot
            .log_data()
            .iter()
            .map(|file| DataFile {
                path: file.path().into_owned(),
                bytes: u64::try_from(file.size()).unwrap_or_default(),
                rows: file.num_records().unwrap_or_default() as u64,
                force: file.partition_values_map().remove(FORCE).flatten(),
                stats: file.stats(),
            })
            .collect();
        let schema = snapshot.snapshot().arrow_schema();
        Ok(Some(Version { number: snapshot.version(), schema, by_force, dir: self.dir.clone(), files }))
    }

    /// The number of the newest version; `None` when the table does not exist.
    pub async fn newest(&self) -> Result<Option<u64>> {
        Ok(self.open(None).await?.and_then(|t| t.version()))
    }

    /// The number last committed under the transaction id `app`, up to a version.
    pub async fn transaction(&self, app: &str, up_to: Option<u64>) -> Result<Option<i64>> {
        let Some(table) = self.open(up_to).await? else { return Ok(None) };
        let snapshot = table.snapshot().map_err(|e| self.failed("read", e))?;
        let found = snapshot.snapshot().transaction_version(table.log_store().as_ref(), app).await;
        found.map_err(|e| self.failed("read", e))
    }

    /// Deletes files that were written and will not be committed. What cannot be deleted stays
    /// where nobody reads it.
    pub async fn discard(&self, files: &[DataFile]) {
        for file in files {
            if let Err(error) = tokio::fs::remove_file(self.dir.join(&file.path)).await {
                tracing::info!(table = self.name, %error, "a file of refused work could not be deleted");
            }
        }
    }

    /// Commits `change` as one new version and returns its number. A transaction number that has
    /// been committed before is not committed again: the newest version is returned. When another
    /// process commits meanwhile, the change is made again over what that one left.
    pub async fn commit(&self, schema: &SchemaRef, by_force: bool, commit: Commit) -> Result<u64> {
        let _one_writer = self.writer.lock().await;
        let mut left = COMMIT_ATTEMPTS;
        loop {
            left -= 1;
            match self.try_commit(schema, by_force, &commit).await? {
                Ok(number) => return Ok(number),
                Err(DeltaTableError::Transaction { source }) if left > 0 && is_overtaken(&source) => {}
                Err(e) => return Err(self.failed("commit", e)),
            }
        }
    }

    async fn try_commit(
        &self,
        schema: &SchemaRef,
        by_force: bool,
        commit: &Commit,
    ) -> Result<std::result::Result<u64, DeltaTableError>> {
        let table = self.ensure(schema, by_force).await?;
        let state = table.snapshot().map_err(|e| self.failed("commit", e))?;
        let log = table.log_store();
        let mut properties = CommitProperties::default()
            .with_metadata(commit.metadata.clone())
            .with_cleanup_expired_logs(Some(false));
        if let Some((app, number)) = &commit.transaction {
            let last = state.snapshot().transaction_version(log.as_ref(), app).await;
            let skip = fail::eval("plant::skip-transaction-check", |_| ()).is_some();
            if last.map_err(|e| self.failed("commit", e))? >= Some(*number) && !skip {
                return Ok(Ok(state.version()));
            }
            properties = properties.with_application_transaction(Transaction::new(app, *number));
        }
        let mut actions = Vec::new();
        if let Some(metadata) = self.evolved(&table, schema)? {
            actions.push(Action::Metadata(metadata));
        }
        let partition_by = by_force.then(|| vec![FORCE.to_string()]);
        let write = |mode| DeltaOperation::Write { mode, partition_by, predicate: None };
        let operation = match &commit.change {
            Change::Append(files) => {
                actions.extend(files.iter().map(|f| Action::Add(add_action(f))));
                write(SaveMode::Append)
            }
            Change::Exactly(files) => {
                actions.extend(difference(state, files));
                if actions.is_empty() {
                    return Ok(Ok(state.version()));
                }
                // delta-rs would put this change beside another process's and keep both's files.
                properties = properties.with_max_retries(0);
                write(SaveMode::Overwrite)
            }
            Change::Rewrite { from, to } => {
                let replaced = replacement(state, from, to);
                actions.extend(replaced.ok_or_else(|| self.failed("rewrite", "it has changed meanwhile"))?);
                properties = properties.with_max_retries(0);
                let target_size = i64::try_from(FILE_BYTES.get()).unwrap_or(i64::MAX);
                DeltaOperation::Optimize { predicate: None, target_size }
            }
        };
        let commit = CommitBuilder::from(properties).with_actions(actions);
        Ok(commit.build(Some(state.snapshot()), log, operation).await.map(|done| done.version()))
    }

    pub(super) async fn open(&self, number: Option<u64>) -> Result<Option<DeltaTable>> {
        if !self.dir.join("_delta_log").is_dir() {
            return Ok(None);
        }
        let mut builder = self.builder()?;
        if let Some(number) = number {
            builder = builder.with_version(number);
        }
        match builder.load().await {
            Ok(table) => Ok(Some(table)),
            // The folder exists but its first commit does not, after a crash while it was made.
            Err(DeltaTableError::NotATable(_)) if number.is_none() => Ok(None),
            Err(e) => Err(self.failed("open", e)),
        }
    }

    /// Opens the table, making it with the hub's properties when it does not exist.
    pub(super) async fn ensure(&self, schema: &SchemaRef, by_force: bool) -> Result<DeltaTable> {
        if let Some(table) = self.open(None).await? {
            return self.partitioned_alike(table, by_force);
        }
        std::fs::create_dir_all(&self.dir).map_err(|e| self.failed("make", e))?;
        let columns = kernel_schema(&table_schema(schema, by_force)).map_err(|e| self.failed("make", e))?;
        let log = self.builder()?.build_storage().map_err(|e| self.failed("make", e))?;
        let made = CreateBuilder::new()
            .with_log_store(log)
            .with_columns(columns.fields().cloned())
            .with_partition_columns(by_force.then_some(FORCE))
            .with_configuration(PROPERTIES.map(|(k, v)| (k.to_string(), Some(v.to_string()))))
            .await;
        match made {
            Ok(table) => Ok(table),
            // Another process made it first; its table is as good.
            Err(e) => match self.open(None).await? {
                Some(table) => self.partitioned_alike(table, by_force),
                None => Err(self.failed("make", e)),
            },
        }
    }

    /// `table`, unless it was made for the other scope: files of the one cannot be read as the other.
    fn partitioned_alike(&self, table: DeltaTable, by_force: bool) -> Result<DeltaTable> {
        let state = table.snapshot().map_err(|e| self.failed("open", e))?;
        match state.metadata().partition_columns().is_empty() == by_force {
            false => Ok(table),
            true => Err(self.of_other_scope()),
        }
    }

    pub(super) fn of_other_scope(&self) -> Error {
        Error::lake("the table was made for the other scope (force or hub)")
            .at(&self.name)
            .hint("give the model another name: a table keeps its scope for life")
    }

    /// The metadata action that brings the table to `schema`, if it has another one.
    fn evolved(
        &self,
        table: &DeltaTable,
        schema: &SchemaRef,
    ) -> Result<Option<deltalake_core::kernel::Metadata>> {
        let state = table.snapshot().map_err(|e| self.failed("commit", e))?;
        let by_force = !state.metadata().partition_columns().is_empty();
        let wanted = kernel_schema(&table_schema(schema, by_force)).map_err(|e| self.failed("commit", e))?;
        if *state.schema() == wanted {
            return Ok(None);
        }
        let changed = state.metadata().clone().with_schema(&wanted);
        changed.map(Some).map_err(|e| self.failed("commit", e))
    }

    fn builder(&self) -> Result<DeltaTableBuilder> {
        let url = self.url()?;
        let builder = DeltaTableBuilder::from_url(url.clone()).map_err(|e| self.failed("open", e))?;
        Ok(builder.with_storage_backend(Arc::clone(&self.machine), url))
    }

    fn url(&self) -> Result<Url> {
        Url::from_directory_path(&self.dir)
            .map_err(|()| Error::lake("the lake's folder is not an absolute path").at(self.dir.display()))
    }

    pub(super) fn failed(
        &self,
        what: &str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::lake(format!("could not {what} the table")).at(&self.name).because(cause)
    }
}

/// Whether another process has committed first.
fn is_overtaken(error: &TransactionError) -> bool {
    matches!(
        error,
        TransactionError::VersionAlreadyExists(_)
            | TransactionError::CommitConflict(_)
            | TransactionError::MaxCommitAttempts(_)
    )
}

/// `schema` with the partition column at its end.
fn table_schema(schema: &SchemaRef, by_force: bool) -> Schema {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    if by_force {
        let force = datafusion::arrow::datatypes::Field::new(
            FORCE,
            datafusion::arrow::datatypes::DataType::Utf8,
            false,
        );
        fields.push(Arc::new(force));
    }
    Schema::new(fields)
}

fn kernel_schema(
    schema: &Schema,
) -> std::result::Result<StructType, Box<dyn std::error::Error + Send + Sync>> {
    use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
    let kernel: StructType = schema.try_into_kernel()?;
    Ok(kernel)
}
