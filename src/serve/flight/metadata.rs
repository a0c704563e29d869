//! What can be asked of: catalogs, schemas, tables, types and keys.
//!
//! Everything is read from a session of the one who asks, so what is not granted is not there to
//! be listed. `information_schema` is for SQL; it is not listed here.

use super::session::Call;
use super::{Service, actions, messages, statements, status};
use crate::error::{Error, Result};
use crate::policy::keys::{Foreign, Keys, Primary, Table};
use crate::serve::wire;
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{
    GetCatalogsBuilder, GetDbSchemasBuilder, GetTablesBuilder, SqlInfoDataBuilder,
};
use arrow_flight::sql::{
    Command, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetTableTypes, CommandGetTables, UpdateDeleteRules,
};
use arrow_flight::{FlightDescriptor, FlightInfo};
use datafusion::arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, UInt8Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::CatalogProvider;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::TableType;
use futures::StreamExt;
use futures::stream;
use std::sync::Arc;
use tonic::Status;

/// The one catalog.
const CATALOG: &str = "muster";

/// The word for a table. ODBC clients ask for tables of this type and show no other; the
/// information schema's `BASE TABLE` is understood when it is asked for.
const TABLE: &str = "TABLE";
const BASE_TABLE: &str = "BASE TABLE";
const VIEW: &str = "VIEW";

impl Service {
    /// Announces a listing: its schema does not depend on who asks.
    pub(super) fn metadata_info(
        &self,
        command: &Command,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        let schema = self.listing_schema(command)?;
        let ticket = descriptor.cmd.clone();
        statements::info(&schema, ticket, descriptor)
    }

    /// Sends a listing.
    pub(super) async fn metadata(&self, call: &Call, command: Command) -> Result<messages::Messages, Status> {
        let schema = self.listing_schema(&command)?;
        let batch = self.listing(call, command).await.map_err(status)?;
        Ok(messages::encode(schema, stream::iter([Ok(batch)]).boxed()))
    }

    fn listing_schema(&self, command: &Command) -> Result<SchemaRef, Status> {
        Ok(match command {
            Command::CommandGetCatalogs(_) => GetCatalogsBuilder::new().schema(),
            Command::CommandGetDbSchemas(query) => query.clone().into_builder().schema(),
            Command::CommandGetTables(query) => query.clone().into_builder().schema(),
            Command::CommandGetTableTypes(query) => (*query).into_builder().schema(),
            Command::CommandGetSqlInfo(_) => Arc::new(SqlInfoDataBuilder::schema().clone()),
            Command::CommandGetXdbcTypeInfo(_) => self.types.schema(),
            Command::CommandGetPrimaryKeys(_) => primary_keys(),
            Command::CommandGetExportedKeys(_)
            | Command::CommandGetImportedKeys(_)
            | Command::CommandGetCrossReference(_) => foreign_keys(),
            Command::CommandStatementSubstraitPlan(_) => {
                return Err(actions::no_substrait());
            }
            _ => return Err(Status::unimplemented("this command is not offered")),
        })
    }

    async fn listing(&self, call: &Call, command: Command) -> Result<RecordBatch> {
        let built = match command {
            Command::CommandGetCatalogs(_) => {
                let mut builder = GetCatalogsBuilder::new();
                builder.append(CATALOG);
                builder.build()
            }
            Command::CommandGetDbSchemas(query) => self.schemas(call, query).await?.build(),
            Command::CommandGetTables(query) => self.tables(call, query).await?.build(),
            Command::CommandGetTableTypes(_) => {
                let mut builder = CommandGetTableTypes {}.into_builder();
                builder.append(TABLE);
                builder.append(VIEW);
                builder.build()
            }
            Command::CommandGetSqlInfo(query) => query.into_builder(&self.sql_info).build(),
            Command::CommandGetXdbcTypeInfo(query) => query.into_builder(&self.types).build(),
            Command::CommandGetPrimaryKeys(query) => {
                let keys = self.keys(call).await?;
                let asked = Asked::primary(&query);
                primary_rows(keys.primary().filter(|key| asked.admits(&key.table)))
            }
            Command::CommandGetExportedKeys(query) => {
                let asked = Asked::exported(&query);
                self.foreign(call, |key| asked.admits(&key.target.table), by_foreign).await?
            }
            Command::CommandGetImportedKeys(query) => {
                let asked = Asked::imported(&query);
                self.foreign(call, |key| asked.admits(&key.table), by_primary).await?
            }
            Command::CommandGetCrossReference(query) => {
                let (parent, child) = Asked::both(&query);
                let asked = |key: &Foreign| parent.admits(&key.target.table) && child.admits(&key.table);
                self.foreign(call, asked, by_foreign).await?
            }
            _ => return Err(Error::internal("a listing without its rows")),
        };
        built.map_err(|e| Error::internal("a listing cannot be made").because(e))
    }

    async fn schemas(&self, call: &Call, query: CommandGetDbSchemas) -> Result<GetDbSchemasBuilder> {
        let catalog = self.catalog(call).await?;
        let mut builder = GetDbSchemasBuilder::new(filter(query.catalog), query.db_schema_filter_pattern);
        for name in catalog.schema_names() {
            // A schema in which nothing is granted does not exist.
            if catalog.schema(&name).is_some_and(|schema| !schema.table_names().is_empty()) {
                builder.append(CATALOG, name);
            }
        }
        Ok(builder)
    }

    async fn tables(&self, call: &Call, query: CommandGetTables) -> Result<GetTablesBuilder> {
        let catalog = self.catalog(call).await?;
        let types = query.table_types.into_iter().map(|t| if t == BASE_TABLE { TABLE.into() } else { t });
        let mut builder = GetTablesBuilder::new(
            filter(query.catalog),
            query.db_schema_filter_pattern,
            query.table_name_filter_pattern,
            types.collect::<Vec<_>>(),
            query.include_schema,
        );
        for schema_name in catalog.schema_names() {
            let Some(schema) = catalog.schema(&schema_name) else { continue };
            for name in schema.table_names() {
                let Some(table) = schema.table(&name).await.map_err(|e| unlisted(&e))? else { continue };
                let table_type = if table.table_type() == TableType::View { VIEW } else { TABLE };
                let columns = wire::table(&self.hub.project, &schema_name, &name, &table.schema());
                builder
                    .append(CATALOG, &schema_name, &name, table_type, &columns)
                    .map_err(|e| Error::internal("a listing cannot be made").because(e))?;
            }
        }
        Ok(builder)
    }

    async fn keys(&self, call: &Call) -> Result<Keys> {
        let catalog = self.catalog(call).await?;
        Keys::declared(&self.hub).granted(catalog.as_ref()).await.map_err(|e| unlisted(&e))
    }

    async fn foreign(
        &self,
        call: &Call,
        asked: impl Fn(&Foreign) -> bool,
        order: fn(&Foreign) -> (&Table, &str),
    ) -> Result<Result<RecordBatch, FlightError>> {
        let keys = self.keys(call).await?;
        let mut found: Vec<&Foreign> = keys.foreign().filter(|key| asked(key)).collect();
        found.sort_by_key(|key| order(key));
        Ok(foreign_rows(&found))
    }

    async fn catalog(&self, call: &Call) -> Result<Arc<dyn CatalogProvider>> {
        let principal = &call.asker.principal;
        let seen = self.desk.views().seen(&self.hub, principal, call.pin.release()).await?;
        let pinned = seen.session(&self.hub, principal)?;
        pinned.context.catalog(CATALOG).ok_or_else(|| Error::internal("the session has no catalog"))
    }
}

/// A table of which keys are asked for.
struct Asked<'a> {
    catalog: Option<&'a str>,
    schema: Option<&'a str>,
    table: &'a str,
}

impl<'a> Asked<'a> {
    fn of(catalog: &'a Option<String>, schema: &'a Option<String>, table: &'a str) -> Self {
        // An empty name is "any" for ODBC clients, as in listings of tables.
        let given = |name: &'a Option<String>| name.as_deref().filter(|name| !name.is_empty());
        Self { catalog: given(catalog), schema: given(schema), table }
    }

    fn primary(query: &'a CommandGetPrimaryKeys) -> Self {
        Self::of(&query.catalog, &query.db_schema, &query.table)
    }

    fn exported(query: &'a CommandGetExportedKeys) -> Self {
        Self::of(&query.catalog, &query.db_schema, &query.table)
    }

    fn imported(query: &'a CommandGetImportedKeys) -> Self {
        Self::of(&query.catalog, &query.db_schema, &query.table)
    }

    fn both(query: &'a CommandGetCrossReference) -> (Self, Self) {
        let parent = Self::of(&query.pk_catalog, &query.pk_db_schema, &query.pk_table);
        (parent, Self::of(&query.fk_catalog, &query.fk_db_schema, &query.fk_table))
    }

    fn admits(&self, (schema, table): &Table) -> bool {
        self.catalog.is_none_or(|name| name == CATALOG)
            && self.schema.is_none_or(|name| name == schema)
            && self.table == table
    }
}

fn by_foreign(key: &Foreign) -> (&Table, &str) {
    (&key.table, &key.name)
}

fn by_primary(key: &Foreign) -> (&Table, &str) {
    (&key.target.table, &key.name)
}

/// A row for each column of each key.
fn primary_rows<'a>(keys: impl Iterator<Item = &'a Primary>) -> Result<RecordBatch, FlightError> {
    let rows: Vec<_> = keys
        .flat_map(|key| key.columns.iter().zip(1..).map(move |(column, sequence)| (key, column, sequence)))
        .collect();
    let columns: Vec<ArrayRef> = vec![
        texts(rows.iter().map(|_| CATALOG)),
        texts(rows.iter().map(|(key, ..)| key.table.0.as_str())),
        texts(rows.iter().map(|(key, ..)| key.table.1.as_str())),
        texts(rows.iter().map(|(_, column, _)| column.as_str())),
        texts(rows.iter().map(|(key, ..)| key.name.as_str())),
        Arc::new(rows.iter().map(|(.., sequence)| *sequence).collect::<Int32Array>()),
    ];
    Ok(RecordBatch::try_new(primary_keys(), columns)?)
}

/// A row for each column of each key.
fn foreign_rows(keys: &[&Foreign]) -> Result<RecordBatch, FlightError> {
    let rows: Vec<_> = keys
        .iter()
        .flat_map(|key| {
            let columns = key.target.columns.iter().zip(&key.columns).zip(1..);
            columns.map(move |((parent, child), sequence)| (*key, parent, child, sequence))
        })
        .collect();
    let no_action = u8::try_from(UpdateDeleteRules::NoAction as i32).unwrap_or_default();
    let rules: ArrayRef = Arc::new(UInt8Array::from(vec![no_action; rows.len()]));
    let columns: Vec<ArrayRef> = vec![
        texts(rows.iter().map(|_| CATALOG)),
        texts(rows.iter().map(|(key, ..)| key.target.table.0.as_str())),
        texts(rows.iter().map(|(key, ..)| key.target.table.1.as_str())),
        texts(rows.iter().map(|(_, parent, ..)| parent.as_str())),
        texts(rows.iter().map(|_| CATALOG)),
        texts(rows.iter().map(|(key, ..)| key.table.0.as_str())),
        texts(rows.iter().map(|(key, ..)| key.table.1.as_str())),
        texts(rows.iter().map(|(_, _, child, _)| child.as_str())),
        Arc::new(rows.iter().map(|(.., sequence)| *sequence).collect::<Int32Array>()),
        texts(rows.iter().map(|(key, ..)| key.name.as_str())),
        texts(rows.iter().map(|(key, ..)| key.target.name.as_str())),
        Arc::clone(&rules),
        rules,
    ];
    Ok(RecordBatch::try_new(foreign_keys(), columns)?)
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// An empty catalog name means "without a catalog" in the protocol, but ODBC clients send it for
/// "any", and nothing here is without a catalog.
fn filter(catalog: Option<String>) -> Option<String> {
    catalog.filter(|name| !name.is_empty())
}

fn unlisted(error: &DataFusionError) -> Error {
    tracing::error!(%error, "table cannot be listed");
    Error::internal("a table cannot be listed")
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

/// The columns of a listing of primary keys, as the protocol fixes them.
fn primary_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        text("key_name", true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
}

/// The columns of a listing of foreign keys, as the protocol fixes them.
fn foreign_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}
