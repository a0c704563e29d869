//! SQLite databases. Everything is read in one transaction, so that rows and count agree.

use crate::connector::contract::Contract;
use crate::connector::rows::{Control, Received, Rows};
use crate::connector::transport::{Outlet, place, start, table_of};
use crate::connector::value::Cell;
use crate::connector::{Extract, Item, Span, Totals};
use crate::error::{Error, Result};
use crate::project::Source;
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Decode, Row, Sqlite, TypeInfo, ValueRef};
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;

/// How many rows wait between SQLite's thread and ours: enough to seldom wake each other.
const WAITING_ROWS: usize = 256;

/// A database file.
#[derive(Debug)]
pub(in crate::connector) struct Session {
    source: Source,
    path: PathBuf,
}

/// Opens the database at `path`.
pub(super) async fn open(source: &Source, path: &Path) -> Result<Session> {
    Ok(Session { source: source.clone(), path: path.into() })
}

impl Session {
    /// Starts reading the entity's table.
    pub(super) async fn read(&mut self, contract: &Contract, _span: &Span) -> Result<Extract> {
        read(&self.source, contract, &self.path)
    }
}

/// Starts reading the entity's table.
fn read(source: &Source, contract: &Contract, path: &Path) -> Result<Extract> {
    let table = table_of(source, contract)?.to_string();
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .create_if_missing(false)
        .row_buffer_size(WAITING_ROWS);
    let (at, contract, runtime) = (place(source, contract), contract.clone(), Handle::current());
    Ok(start(move |outlet| {
        runtime.block_on(async {
            let mut connection = SqliteConnection::connect_with(&options).await.map_err(|error| {
                Error::source("the database could not be opened")
                    .at(&at)
                    .hint(format!(
                        "see whether '{}' exists and can be read",
                        options.get_filename().display()
                    ))
                    .because(error)
            })?;
            read_table(&mut connection, &contract, &table, &at, outlet).await
        })
    }))
}

async fn read_table(
    connection: &mut SqliteConnection,
    contract: &Contract,
    table: &str,
    at: &str,
    outlet: &Outlet,
) -> Result<Option<Totals>> {
    let failed = |error: sqlx::Error| {
        Error::source(format!("table '{table}' could not be read")).at(at).because(error)
    };
    let mut transaction = connection.begin().await.map_err(failed)?;
    let known: Vec<String> = sqlx::query_scalar("select name from pragma_table_info(?)")
        .bind(table)
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed)?;
    let columns = columns(contract, table, &known).map_err(|error| error.at(at))?;
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {}", quoted(table))))
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
    let control = Control { rows: u64::try_from(count).ok(), ..Control::default() };
    let mut rows = Rows::new(contract, at, None, false, control)?;
    let select = AssertSqlSafe(format!("select {} from {}", columns.join(", "), quoted(table)));
    let mut received = sqlx::query(select).fetch(&mut *transaction);
    let mut ordinal = 0;
    while let Some(row) = received.try_next().await.map_err(failed)? {
        ordinal += 1;
        rows.push(ordinal, Received::Cells, &|at| cell(&row, at))?;
        if let Some(batch) = rows.full_batch()?
            && outlet.send(Ok(Item::Batch(batch))).await.is_err()
        {
            return Ok(None);
        }
    }
    while let Some(batch) = rows.last_batch()? {
        if outlet.send(Ok(Item::Batch(batch))).await.is_err() {
            return Ok(None);
        }
    }
    rows.totals().map(Some)
}

/// A value by its storage class. A real is the shortest decimal text that means the same float;
/// the exact rules of the contract judge it then.
fn cell(row: &SqliteRow, at: usize) -> Cell<'_> {
    let Ok(value) = row.try_get_raw(at) else {
        return Cell::Null;
    };
    if value.is_null() {
        return Cell::Null;
    }
    let class = value.type_info().into_owned();
    match class.name() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(value).map_or(Cell::Null, Cell::Int),
        "REAL" => <f64 as Decode<Sqlite>>::decode(value)
            .map_or(Cell::Null, |number| Cell::Text(number.to_string().into())),
        class => {
            let bytes = <&[u8] as Decode<Sqlite>>::decode(value).unwrap_or_default();
            match std::str::from_utf8(bytes) {
                _ if class == "BLOB" => Cell::Blob(bytes),
                Ok(text) => Cell::Text(text.into()),
                Err(_) => Cell::Malformed(bytes),
            }
        }
    }
}

/// The quoted names of the contract's columns as the table spells them.
fn columns(contract: &Contract, table: &str, known: &[String]) -> Result<Vec<String>> {
    if known.is_empty() {
        return Err(Error::contract(format!("table '{table}' is missing"))
            .hint("the contract's `table` names a table or view of the database"));
    }
    let mut found = Vec::with_capacity(contract.columns.len());
    let mut missing = Vec::new();
    for column in &contract.columns {
        let is_named =
            |name: &&String| column.from.iter().any(|f| f.trim().to_lowercase() == name.to_lowercase());
        match known.iter().find(is_named) {
            Some(name) => found.push(quoted(name)),
            None if column.optional => found.push("null".into()),
            None => missing.push(format!("'{}'", column.from.join("' or '"))),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let message = match missing.len() {
        1 => format!("column {} is missing from table '{table}'", missing[0]),
        _ => format!("columns {} are missing from table '{table}'", missing.join(", ")),
    };
    Err(Error::contract(message).hint(format!("the table has {}", known.join(", "))))
}

/// An identifier, safe in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::contract::{NumberForm, Type};
    use crate::connector::testing::*;
    use crate::project::Address;

    /// What is read from a database that `script` makes.
    async fn read_script(contract: &Contract, script: &'static str) -> Result<Got> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let source = Source {
            name: "beds_s".into(),
            force: "beds".into(),
            system: "s".into(),
            address: Address::Sqlite(path.clone()),
            access: Default::default(),
        };
        drain(read(&source, contract, &path)?).await
    }

    fn mixed() -> Contract {
        contract(&[
            ("id", Type::Int),
            ("amount", Type::Decimal { precision: 18, scale: 2, form: NumberForm::Plain }),
            ("name", Type::Text),
            ("flag", Type::Bool),
        ])
    }

    #[tokio::test]
    async fn values_are_judged_by_their_storage_class() {
        let script = "create table e (id integer, amount numeric, name, flag);
            insert into e values
                (1, 12.5, 'a', 'Y'), (2, '12.50', 7, 1), (3, 12, 1.5, 0), (4, '-0.07', '', null),
                (5, 0.1 + 0.2, 'a', 'N'), (6, 9e99, 'a', 'N'), (7, '1.O', x'00ff', 'N'),
                (8, x'', cast(x'4dfc' as text), 2), (null, null, null, null)";
        let got = read_script(&mixed(), script).await.unwrap();
        let nines = got.rows()[5].clone();
        let expect = [
            "1: 1, 12.50, a, true",
            "2: 2, 12.50, 7, true",
            "3: 3, 12.00, 1.5, false",
            "4: 4, -0.07, null, null",
            "5! too_many_digits amount: \"0.30000000000000004\" does not fit a decimal(18,2) \
             <{\"ID\":5,\"AMOUNT\":\"0.30000000000000004\",\"NAME\":\"a\",\"FLAG\":\"N\"}>",
            &nines,
            "7! not_a_number amount: \"1.O\" is not a decimal(18,2); \
             undecodable name: 2 bytes of binary data are not text \
             <{\"ID\":7,\"AMOUNT\":\"1.O\",\"NAME\":\"x'00ff'\",\"FLAG\":\"N\"}>",
            "8! undecodable amount: 0 bytes of binary data are not text; \
             undecodable name: \"M\\xFC\" has malformed bytes; \
             not_a_bool flag: \"2\" is not Y/N, 1/0, T/F, true/false or yes/no \
             <{\"ID\":8,\"AMOUNT\":\"x''\",\"NAME\":\"M\\\\xFC\",\"FLAG\":2}>",
            "9! required id: the value is missing <{\"ID\":null,\"AMOUNT\":null,\"NAME\":null,\"FLAG\":null}>",
        ];
        assert_eq!(got.rows(), expect);
        assert!(nines.starts_with("6! too_many_digits amount: \"9000000000"), "{nines}");
        assert_eq!((got.totals.source_rows, got.totals.received_rows), (Some(9), 9));
    }

    #[tokio::test]
    async fn names_are_compared_without_case_and_quoted() {
        let mut contract = mixed();
        contract.table = Some("odd \"table\"".into());
        contract.columns[2].from = vec!["the \"name\", really".into()];
        let script =
            "create table \"Odd \"\"Table\"\"\" (\"x\", Flag, \"THE \"\"Name\"\", really\", AmOuNt, id);
            insert into \"odd \"\"table\"\"\" values (0, 'Y', 'a', 1, 1)";
        assert_eq!(read_script(&contract, script).await.unwrap().rows(), ["1: 1, 1.00, a, true"]);
    }

    #[tokio::test]
    async fn views_are_read_like_tables() {
        let script = "create table t (id, amount, name, flag); insert into t values (1, 1, 'a', 'Y');
            create view e as select * from t";
        assert_eq!(read_script(&mixed(), script).await.unwrap().rows(), ["1: 1, 1.00, a, true"]);
    }

    #[tokio::test]
    async fn missing_tables_and_files_that_are_no_database() {
        let error = read_script(&mixed(), "create table other (id)").await.unwrap_err();
        assert_eq!(error.to_string(), "beds_s.e: table 'E' is missing");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source.db");
        std::fs::write(&path, "this is not a database, however long it is made to look like one").unwrap();
        let address = Address::Sqlite(path.clone());
        let source = Source {
            name: "beds_s".into(),
            force: "beds".into(),
            system: "s".into(),
            address,
            access: Default::default(),
        };
        let error = drain(read(&source, &mixed(), &path).unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Source);
    }
}
