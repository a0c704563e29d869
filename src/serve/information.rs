//! `information_schema` as the SQL standard words it: the engine's own, with columns described as
//! Flight describes them, and with the keys. It lists what is granted, like every other listing,
//! and not the engine's settings.

use crate::engine::CATALOG;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::policy::keys::{Keys, Table};
use crate::policy::roles::Principal;
use crate::{idiom, serve::wire};
use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Field;
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, SchemaProvider,
    TableProvider,
};
use datafusion::common::Result as PlanResult;
use datafusion::datasource::{MemTable, TableType};
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// The schema's name.
pub(super) const INFORMATION: &str = "information_schema";

/// The tables that the engine makes.
const ENGINE: [&str; 4] = ["parameters", "routines", "schemata", "views"];

const TABLES: &str = "tables";
const COLUMNS: &str = "columns";
const TABLE_CONSTRAINTS: &str = "table_constraints";
const KEY_COLUMN_USAGE: &str = "key_column_usage";
const CONSTRAINT_COLUMN_USAGE: &str = "constraint_column_usage";
const REFERENTIAL_CONSTRAINTS: &str = "referential_constraints";

const OWN: [&str; 6] =
    [TABLES, COLUMNS, TABLE_CONSTRAINTS, KEY_COLUMN_USAGE, CONSTRAINT_COLUMN_USAGE, REFERENTIAL_CONSTRAINTS];

/// Gives the session of `principal` what it has besides tables: this schema in the place of the
/// engine's, and `user()`.
pub(super) fn install(hub: &Hub, principal: &Principal, context: &SessionContext) -> Result<()> {
    let failed = |e| Error::internal("the information schema cannot be made").because(e);
    let catalog = context.catalog(CATALOG).ok_or_else(|| Error::internal("a session without its catalog"))?;
    let information = Information::of(catalog.as_ref(), Keys::declared(hub)).map_err(failed)?;
    catalog.register_schema(INFORMATION, Arc::new(information)).map_err(failed)?;
    context.state_ref().write().config_mut().options_mut().catalog.information_schema = false;
    context.register_udf(idiom::user(&principal.name));
    Ok(())
}

/// The schema of one session. It holds the granted schemas and not their catalog, which holds it.
#[derive(Debug)]
struct Information {
    granted: Arc<MemoryCatalogProvider>,
    engine: InformationSchemaProvider,
    keys: Keys,
}

impl Information {
    fn of(catalog: &dyn CatalogProvider, keys: Keys) -> PlanResult<Self> {
        let granted = Arc::new(MemoryCatalogProvider::new());
        for name in catalog.schema_names() {
            // A schema in which nothing is granted does not exist.
            if let Some(schema) = catalog.schema(&name).filter(|schema| !schema.table_names().is_empty()) {
                granted.register_schema(&name, schema)?;
            }
        }
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(CATALOG.into(), Arc::clone(&granted) as _);
        Ok(Self { granted, engine: InformationSchemaProvider::new(Arc::new(list)), keys })
    }

    async fn tables(&self) -> PlanResult<Rows> {
        let mut rows = Rows::new(&["table_catalog", "table_schema", "table_name", "table_type"], &[]);
        for (table, provider) in self.granted().await? {
            let kind = if provider.table_type() == TableType::View { "VIEW" } else { "BASE TABLE" };
            rows.add([CATALOG, &table.0, &table.1, kind].map(some), []);
        }
        for name in self.table_names() {
            rows.add([CATALOG, INFORMATION, &name, "VIEW"].map(some), []);
        }
        Ok(rows)
    }

    /// Every column, as announced to clients.
    async fn columns(&self) -> PlanResult<Rows> {
        let texts = [
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "data_type",
            "is_nullable",
            "column_default",
        ];
        let numbers = [
            "ordinal_position",
            "character_maximum_length",
            "numeric_precision",
            "numeric_precision_radix",
            "numeric_scale",
            "datetime_precision",
        ];
        let mut rows = Rows::new(&texts, &numbers);
        for ((schema, table), provider) in self.granted().await? {
            for (field, position) in wire::schema(&provider.schema()).fields().iter().zip(1..) {
                let nullable = if field.is_nullable() { "YES" } else { "NO" };
                let described = Described::of(field);
                let name = described.name.as_deref().unwrap_or_default();
                let [length, precision, radix, scale, fraction] = described.numbers();
                rows.add(
                    [CATALOG, &schema, &table, field.name(), name, nullable]
                        .map(some)
                        .into_iter()
                        .chain([None]),
                    [Some(position), length, precision, radix, scale, fraction],
                );
            }
        }
        Ok(rows)
    }

    async fn table_constraints(&self) -> PlanResult<Rows> {
        let texts = [
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "constraint_type",
            "is_deferrable",
            "initially_deferred",
            "enforced",
        ];
        let mut rows = Rows::new(&texts, &[]);
        let mut add = |name: &str, (schema, table): &Table, kind: &str, enforced: &str| {
            let texts = [CATALOG, schema, name, CATALOG, schema, table, kind, "NO", "NO", enforced];
            rows.add(texts.map(some), []);
        };
        let keys = self.keys().await?;
        keys.primary().for_each(|key| add(&key.name, &key.table, "PRIMARY KEY", "YES"));
        keys.foreign().for_each(|key| {
            add(&key.name, &key.table, "FOREIGN KEY", if key.is_enforced { "YES" } else { "NO" });
        });
        Ok(rows)
    }

    async fn key_column_usage(&self) -> PlanResult<Rows> {
        let texts = [
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
        ];
        let mut rows = Rows::new(&texts, &["ordinal_position", "position_in_unique_constraint"]);
        let mut add = |name: &str, (schema, table): &Table, columns: &[String], is_foreign: bool| {
            for (column, position) in columns.iter().zip(1..) {
                let texts = [CATALOG, schema, name, CATALOG, schema, table, column];
                rows.add(texts.map(some), [Some(position), is_foreign.then_some(position)]);
            }
        };
        let keys = self.keys().await?;
        keys.primary().for_each(|key| add(&key.name, &key.table, &key.columns, false));
        keys.foreign().for_each(|key| add(&key.name, &key.table, &key.columns, true));
        Ok(rows)
    }

    /// The columns that a constraint needs: for a foreign key, those that it names.
    async fn constraint_column_usage(&self) -> PlanResult<Rows> {
        let texts = [
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
        ];
        let mut rows = Rows::new(&texts, &[]);
        let keys = self.keys().await?;
        let primary = keys.primary().map(|key| (key, &key.table.0, &key.name));
        let foreign = keys.foreign().map(|key| (&key.target, &key.table.0, &key.name));
        for (key, schema, name) in primary.chain(foreign) {
            for column in &key.columns {
                let texts = [CATALOG, &key.table.0, &key.table.1, column, CATALOG, schema, name];
                rows.add(texts.map(some), []);
            }
        }
        Ok(rows)
    }

    async fn referential_constraints(&self) -> PlanResult<Rows> {
        let texts = [
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "unique_constraint_catalog",
            "unique_constraint_schema",
            "unique_constraint_name",
            "match_option",
            "update_rule",
            "delete_rule",
        ];
        let mut rows = Rows::new(&texts, &[]);
        for key in self.keys().await?.foreign() {
            let target = (&key.target.table.0, &key.target.name);
            let names = [CATALOG, &key.table.0, &key.name, CATALOG, target.0, target.1];
            rows.add(names.into_iter().chain(["NONE", "NO ACTION", "NO ACTION"]).map(some), []);
        }
        Ok(rows)
    }

    async fn keys(&self) -> PlanResult<Keys> {
        self.keys.clone().granted(self.granted.as_ref()).await
    }

    /// Every granted table.
    async fn granted(&self) -> PlanResult<Vec<(Table, Arc<dyn TableProvider>)>> {
        let mut tables = Vec::new();
        for name in self.granted.schema_names() {
            let Some(schema) = self.granted.schema(&name) else { continue };
            for table in schema.table_names() {
                if let Some(provider) = schema.table(&table).await? {
                    tables.push(((name.clone(), table), provider));
                }
            }
        }
        tables.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(tables)
    }
}

#[async_trait]
impl SchemaProvider for Information {
    fn table_names(&self) -> Vec<String> {
        let mut names: Vec<String> = ENGINE.iter().chain(&OWN).map(ToString::to_string).collect();
        names.sort();
        names
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        let rows = match name {
            TABLES => self.tables().await?,
            COLUMNS => self.columns().await?,
            TABLE_CONSTRAINTS => self.table_constraints().await?,
            KEY_COLUMN_USAGE => self.key_column_usage().await?,
            CONSTRAINT_COLUMN_USAGE => self.constraint_column_usage().await?,
            REFERENTIAL_CONSTRAINTS => self.referential_constraints().await?,
            name if ENGINE.contains(&name) => return self.engine.table(name).await,
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(rows.finish()?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        ENGINE.contains(&name) || OWN.contains(&name)
    }
}

/// What Flight announces of a column.
struct Described {
    name: Option<String>,
    precision: Option<i32>,
    scale: Option<i32>,
}

impl Described {
    fn of(field: &Field) -> Self {
        let fact = |key: &str| field.metadata().get(&format!("ARROW:FLIGHT:SQL:{key}")).cloned();
        let number = |key: &str| fact(key).and_then(|text| text.parse().ok());
        Self { name: fact("TYPE_NAME"), precision: number("PRECISION"), scale: number("SCALE") }
    }

    /// The length of text; precision, radix and scale of numbers; the digits of a second.
    fn numbers(&self) -> [Option<i32>; 5] {
        match self.name.as_deref() {
            Some("VARCHAR" | "VARBINARY") => [self.precision, None, None, None, None],
            Some("TINYINT" | "SMALLINT" | "INTEGER" | "BIGINT" | "DECIMAL" | "REAL" | "DOUBLE") => {
                [None, self.precision, Some(10), self.scale, None]
            }
            Some("DATE") => [None, None, None, None, Some(0)],
            Some("TIME" | "TIMESTAMP") => [None, None, None, None, self.scale],
            _ => [None; 5],
        }
    }
}

/// The rows of a table of texts, then numbers.
struct Rows {
    names: Vec<&'static str>,
    texts: Vec<Vec<Option<String>>>,
    numbers: Vec<Vec<Option<i32>>>,
}

impl Rows {
    fn new(texts: &[&'static str], numbers: &[&'static str]) -> Self {
        let names = texts.iter().chain(numbers).copied().collect();
        Self { names, texts: vec![Vec::new(); texts.len()], numbers: vec![Vec::new(); numbers.len()] }
    }

    fn add(
        &mut self,
        texts: impl IntoIterator<Item = Option<String>>,
        numbers: impl IntoIterator<Item = Option<i32>>,
    ) {
        self.texts.iter_mut().zip(texts).for_each(|(column, value)| column.push(value));
        self.numbers.iter_mut().zip(numbers).for_each(|(column, value)| column.push(value));
    }

    fn finish(self) -> PlanResult<MemTable> {
        let texts = self.texts.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
        let numbers = self.numbers.into_iter().map(|column| Arc::new(Int32Array::from(column)) as ArrayRef);
        let columns =
            self.names.iter().copied().zip(texts.chain(numbers)).map(|(name, column)| (name, column, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns)?;
        MemTable::try_new(batch.schema(), vec![vec![batch]])
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.into())
}
