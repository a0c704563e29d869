//! The tables that one test sees, and the statements that it runs over them.

use super::{fixtures, told};
use crate::engine::{Engine, lake_schema, to_schema};
use crate::error::{Error, Result, known};
use crate::model::Model;
use crate::model::staging::register;
use crate::project::{Project, Reference};
use async_trait::async_trait;
use datafusion::arrow::csv::ReaderBuilder;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::MemorySchemaProvider;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use std::sync::Arc;
use std::time::Duration;

/// The session of one test; clones share their tables.
#[derive(Clone)]
pub(super) struct Session {
    context: SessionContext,
    project: Arc<Project>,
}

impl Session {
    /// The session in which the test at `path` of the project's folder begins.
    pub(super) async fn open(project: &Arc<Project>, path: &str) -> Result<Self> {
        let context = Engine::new()?.context();
        for layer in ["raw", "staging", "conformed", "marts", "reference"] {
            register(&context, layer, Arc::new(MemorySchemaProvider::new()))?;
        }
        let session = Self { context, project: Arc::clone(project) };
        for list in project.reference.values() {
            session.load(list)?;
        }
        if path.starts_with("connectors/") {
            let mapping = mapping(project, path)?;
            session.land(mapping).await?;
            session.build(mapping).await?;
        }
        Ok(session)
    }

    fn load(&self, list: &Reference) -> Result<()> {
        let failed =
            |e: ArrowError| Error::config("the code list cannot be read as CSV").at(&list.file).because(e);
        let columns = list.columns.iter().map(|column| Field::new(column, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(columns.collect::<Vec<_>>()));
        let reader = ReaderBuilder::new(Arc::clone(&schema)).with_header(true);
        let rows = reader.build(list.csv.as_bytes()).map_err(failed)?;
        let rows = rows.collect::<Result<_, _>>().map_err(failed)?;
        self.add("reference", &list.name, schema, rows)
    }

    /// Fills `raw` from the fixtures beside the mapping.
    async fn land(&self, mapping: &Model) -> Result<()> {
        let system = mapping.system.as_deref().unwrap_or_default();
        let folder = self.project.dir.join("connectors").join(system).join("fixtures");
        if !folder.is_dir() {
            return Err(Error::config("the connector has no fixtures")
                .at(format!("connectors/{system}/fixtures"))
                .hint("put one small file per entity there, named after the entity"));
        }
        let contracts = self.project.systems.get(system).into_iter().flat_map(|s| s.entities.values());
        for contract in contracts {
            let (schema, rows) = fixtures::rows(&folder, contract).await?;
            self.add("raw", &contract.entity, schema, rows)?;
        }
        Ok(())
    }

    /// Runs the model and makes it a table, in the types that the lake keeps; without the columns
    /// that the engine adds.
    async fn build(&self, model: &Model) -> Result<()> {
        let failed = |e| Error::model("the model cannot be run").at(&model.file).because(e);
        let frame = self.context.sql(&model.sql).await.map_err(failed)?;
        let schema = lake_schema(frame.schema().as_arrow())?;
        let rows = frame.collect().await.map_err(failed)?;
        let rows = rows.iter().map(|batch| to_schema(batch, &schema)).collect::<Result<_>>()?;
        self.add(model.layer.as_str(), &model.name, schema, rows)
    }

    fn add(&self, layer: &str, name: &str, schema: SchemaRef, rows: Vec<RecordBatch>) -> Result<()> {
        let failed = |e| Error::model(format!("the table {layer}.{name} cannot be made")).because(e);
        let table = MemTable::try_new(schema, vec![rows]).map_err(failed)?;
        let name = TableReference::partial(layer, name);
        self.context.register_table(name, Arc::new(table)).map(drop).map_err(failed)
    }

    async fn answer(&self, sql: &str) -> Result<DBOutput<DefaultColumnType>> {
        if let Some(table) = sql.trim().strip_prefix("build ") {
            let (table, models) = (table.trim(), &self.project.models);
            let model = models.iter().find(|model| model.table() == table).ok_or_else(|| {
                let names: Vec<String> = models.iter().map(Model::table).collect();
                let hint = known("models", table, names.iter().map(String::as_str));
                Error::model(format!("there is no model \"{table}\"")).hint(hint)
            })?;
            self.build(model).await?;
            return Ok(DBOutput::StatementComplete(0));
        }
        let failed = |e: DataFusionError| Error::query(e.to_string());
        let frame = self.context.sql(sql).await.map_err(failed)?;
        let columns = frame.schema().fields().len();
        let batches = frame.collect().await.map_err(failed)?;
        if columns == 0 || sql.trim_start().to_lowercase().starts_with("create") {
            return Ok(DBOutput::StatementComplete(0));
        }
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(cells(batch).map_err(|e| Error::query("a row cannot be shown").because(e))?);
        }
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows })
    }
}

/// The mapping that the test at `path` lies beside.
fn mapping<'a>(project: &'a Project, path: &str) -> Result<&'a Model> {
    let file = format!("{}.sql", path.strip_suffix(".slt").unwrap_or(path));
    project.staging.iter().find(|model| model.file == file).ok_or_else(|| {
        Error::model("there is no mapping beside the test")
            .hint(format!("a test in connectors/ is called as its mapping: {file}"))
    })
}

/// The rows of `batch` as text: `NULL` for null and `(empty)` for an empty text.
fn cells(batch: &RecordBatch) -> Result<Vec<Vec<String>>, ArrowError> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let cell = |column: &ArrayFormatter<'_>, row| match column.value(row).to_string() {
        text if text.is_empty() => "(empty)".to_string(),
        text => text,
    };
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|c| cell(c, row)).collect()).collect())
}

#[async_trait]
impl AsyncDB for Session {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>> {
        // The runner shows an error's own words only, so the causes have to be in them.
        self.answer(sql).await.map_err(|e| Error::new(e.kind(), told(&e)))
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "muster"
    }

    async fn sleep(wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}
