//! Runs every `.slt` of the built-in library.
//!
//! Beside a staging mapping, `raw.<entity>` holds the good rows of the connector's fixtures, read
//! by the real connector, and `staging.<name>` is the mapping's result. Beside a model, the layers
//! are empty, `reference.*` is loaded, and `build conformed.person` runs the model over the inputs
//! that the test has made.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ListArray};
use datafusion::arrow::compute::{cast, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::MemorySchemaProvider;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use muster::connector::contract::{Contract, Encoding, FileFormat, FileLayout};
use muster::connector::{Listed, Offer, SourceFile};
use muster::engine::{Engine, lake_schema, to_schema};
use muster::error::Error;
use muster::model::staging::register;
use muster::model::{Layer, Model, Scope};
use muster::project::{Address, Project, Source};
use muster::{connector, project};
use sqllogictest::harness::{Arguments, Failed, Trial, glob, run};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

fn main() {
    let project = Arc::new(built_in());
    let mut trials = Vec::new();
    for pattern in ["connectors/*/staging/*.slt", "sql/*/*.slt"] {
        for path in glob(pattern).expect("a pattern").map(|path| path.expect("a readable folder")) {
            let project = Arc::clone(&project);
            let name = path.display().to_string();
            trials.push(Trial::test(name, move || test(&project, &path)));
        }
    }
    assert!(!trials.is_empty(), "run from the package's root");
    run(&Arguments::from_args(), trials).exit();
}

/// The built-in library, seen from a project that has nothing of its own.
fn built_in() -> Project {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let text = "[hub]\nname = \"tests\"\n\n[forces.test]\nname = \"Test Force\"\n";
    std::fs::write(dir.path().join("muster.toml"), text).expect("a written file");
    project::load(dir.path()).unwrap_or_else(|problems| panic!("{}", Error::from(problems)))
}

fn test(project: &Project, path: &Path) -> Result<(), Failed> {
    let runtime = tokio::runtime::Runtime::new()?;
    let database = runtime.block_on(Database::open(project, path))?;
    let mut runner = Runner::new(|| async { Ok(database.clone()) });
    Ok(runtime.block_on(runner.run_file_async(path))?)
}

/// One session per file.
#[derive(Clone)]
struct Database {
    context: SessionContext,
    models: Arc<Vec<Model>>,
}

impl Database {
    async fn open(project: &Project, path: &Path) -> Result<Self, Error> {
        let context = Engine::new()?.context();
        for layer in ["raw", "staging", "conformed", "marts", "reference"] {
            register(&context, layer, Arc::new(MemorySchemaProvider::new()))?;
        }
        let database = Self { context, models: Arc::new(project.models.clone()) };
        database.load_reference(project);
        if let Some(system) = path.to_str().and_then(|p| p.strip_prefix("connectors/")?.split('/').next()) {
            database.load_fixtures(project, system).await?;
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a file name");
            let mapping =
                project.staging.iter().find(|m| m.name == name && m.system.as_deref() == Some(system));
            let mapping =
                mapping.unwrap_or_else(|| panic!("there is no {name}.sql beside {}", path.display()));
            database.build(mapping).await?;
        }
        Ok(database)
    }

    fn load_reference(&self, project: &Project) {
        for list in project.reference.values() {
            let fields: Vec<_> = list.columns.iter().map(|c| Field::new(c, DataType::Utf8, true)).collect();
            let schema = Arc::new(Schema::new(fields));
            let reader = datafusion::arrow::csv::ReaderBuilder::new(Arc::clone(&schema)).with_header(true);
            let batches: Vec<_> =
                reader.build(list.csv.as_bytes()).expect("a reader").map(|b| b.expect("rows")).collect();
            self.add("reference", &list.name, schema, batches);
        }
    }

    /// Reads the fixtures of `system` with its own contracts into `raw`.
    async fn load_fixtures(&self, project: &Project, system: &str) -> Result<(), Error> {
        let folder =
            PathBuf::from("connectors").join(system).join("fixtures").canonicalize().expect("fixtures");
        for contract in project.systems[system].entities.values() {
            let mut contract = contract.clone();
            let layout = FileLayout {
                matching: format!("{}.*", contract.entity),
                settle: Duration::ZERO,
                // A fixture is named after its entity, not as the vendor names files.
                order: None,
                done: None,
                ..contract.file.clone().unwrap_or_else(plain_csv)
            };
            contract.file = Some(layout);
            let source = Source {
                name: "fixtures".into(),
                force: "test".into(),
                system: system.into(),
                address: Address::Folder(folder.clone()),
                access: Default::default(),
            };
            let batches = good_rows(&source, &contract, &folder).await?;
            self.add("raw", &contract.entity, batches[0].schema(), batches);
        }
        Ok(())
    }

    fn add(&self, schema: &str, name: &str, columns: Arc<Schema>, batches: Vec<RecordBatch>) {
        let table = MemTable::try_new(columns, vec![batches]).expect("batches of one schema");
        let catalog = self.context.catalog("muster").expect("the catalog");
        let schema = catalog.schema(schema).expect("the schema");
        schema.register_table(name.to_string(), Arc::new(table)).expect("a new table");
    }

    /// Runs the model and makes it a table, as the engine would, without the column `force`.
    async fn build(&self, model: &Model) -> Result<(), Error> {
        let failed = |e| Error::model("the model cannot be run").at(&model.file).because(e);
        let frame = self.context.sql(&model.sql).await.map_err(failed)?;
        let schema = lake_schema(frame.schema().as_arrow())?;
        let batches = frame.collect().await.map_err(failed)?;
        let batches = batches.iter().map(|b| to_schema(b, &schema)).collect::<Result<_, _>>()?;
        self.add(model.layer.as_str(), &model.name, schema, batches);
        if model.layer != Layer::Staging && model.scope == Scope::Force {
            self.check_header(model).await?;
        }
        Ok(())
    }

    /// The columns that the header documents are those that the SQL makes.
    async fn check_header(&self, model: &Model) -> Result<(), Error> {
        let frame =
            self.context.table(model.table()).await.map_err(|e| Error::model("no table").because(e))?;
        for documented in &model.columns {
            let made = frame.schema().fields().iter().any(|f| *f.name() == documented.name);
            assert!(
                made || documented.name == "force",
                "{}: column {} is not made",
                model.file,
                documented.name
            );
        }
        Ok(())
    }
}

/// The layout of fixtures of entities that only have a table.
fn plain_csv() -> FileLayout {
    FileLayout {
        matching: String::new(),
        format: FileFormat::Delimited { delimiter: b',', quote: b'"', header: true },
        encoding: Encoding::Utf8,
        trailer: None,
        order: None,
        settle: Duration::ZERO,
        done: None,
    }
}

async fn good_rows(source: &Source, contract: &Contract, folder: &Path) -> Result<Vec<RecordBatch>, Error> {
    let mut batches = Vec::new();
    let mut columns = vec![
        Field::new("_load", DataType::Int64, true),
        Field::new("_row", DataType::Int64, true),
        Field::new("_file", DataType::Utf8, true),
    ];
    columns.extend(contract.schema().fields().iter().map(|f| f.as_ref().clone()));
    let schema = Arc::new(Schema::new(columns));
    let offer = connector::open(source).await?.offers(contract).await?;
    let Offer::Files { ready, .. } = offer else { panic!("fixtures are files") };
    for Listed { name, tag, .. } in ready {
        let path = folder.join(&name);
        let file = SourceFile { name, tag, sha256: String::new(), path };
        let mut extract = connector::read_file(source, contract, &file)?;
        while let Some(batch) = extract.next().await {
            let batch = batch?;
            let errors = batch.column_by_name("_errors").expect("reasons");
            let errors = errors.as_any().downcast_ref::<ListArray>().expect("a list");
            let good = (0..batch.num_rows()).map(|row| Some(errors.value_length(row) == 0)).collect();
            let batch = filter_record_batch(&batch, &good).expect("a mask");
            let load = cast(
                &datafusion::arrow::array::Int64Array::from(vec![1; batch.num_rows()]),
                &DataType::Int64,
            );
            let mut arrays = vec![load.expect("numbers")];
            arrays.extend(
                schema
                    .fields()
                    .iter()
                    .skip(1)
                    .map(|f| Arc::clone(batch.column_by_name(f.name()).expect("a column of the contract"))),
            );
            batches.push(RecordBatch::try_new(Arc::clone(&schema), arrays).expect("raw columns"));
        }
    }
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
}

#[async_trait]
impl AsyncDB for Database {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Self::ColumnType>, Error> {
        if let Some(table) = sql.trim().strip_prefix("build ") {
            let model = self.models.iter().find(|m| m.table() == table.trim());
            let model = model.ok_or_else(|| Error::model(format!("there is no model {table}")))?;
            self.build(model).await?;
            return Ok(DBOutput::StatementComplete(0));
        }
        let failed = |e| Error::query("the statement failed").because(e);
        let frame = self.context.sql(sql).await.map_err(|e| Error::query(e.to_string()))?;
        let columns = frame.schema().fields().len();
        let batches = frame.collect().await.map_err(failed)?;
        if columns == 0 || sql.trim_start().to_lowercase().starts_with("create") {
            return Ok(DBOutput::StatementComplete(0));
        }
        let rows = batches.iter().flat_map(cells).collect();
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "muster"
    }
}

fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> =
        batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).expect("a format")).collect();
    let cell = |column: &ArrayFormatter<'_>, row| match column.value(row).to_string() {
        text if text.is_empty() => "(empty)".to_string(),
        text => text,
    };
    (0..batch.num_rows()).map(|row| columns.iter().map(|c| cell(c, row)).collect()).collect()
}
