//! SQLite databases. Everything of a session is read in one transaction over one connection, one
//! table after the other: a read waits for the extract before it to end or to be dropped.

use crate::connector::contract::{Column, Contract, NumberForm, Type};
use crate::connector::cursor::{self, Bound, Ends};
use crate::connector::rows::Control;
use crate::connector::transport::asked::is_summed;
use crate::connector::transport::table::{self, Feed};
use crate::connector::transport::wait::Stop;
use crate::connector::transport::{Outlet, place, start_table, table_of};
use crate::connector::value::Cell;
use crate::connector::value::number::{self, Digits};
use crate::connector::{Extract, Span, Totals};
use crate::error::{Error, Result};
use crate::project::Source;
use chrono::{DateTime, NaiveDateTime, Utc};
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Decode, Executor, Row, Sqlite, TypeInfo, ValueRef};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How many rows wait between SQLite's thread and ours: enough to seldom wake each other.
const WAITING_ROWS: usize = 256;

/// A database file, at one moment.
#[derive(Debug)]
pub(in crate::connector) struct Session {
    source: Source,
    /// In a transaction that has read something, and so shows one moment.
    connection: Arc<Mutex<SqliteConnection>>,
    /// The clock when the snapshot was taken, or a little before. The file has no other than ours.
    now: DateTime<Utc>,
}

/// Opens the database at `path` and takes the snapshot.
pub(super) async fn open(source: &Source, path: &Path) -> Result<Session> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .create_if_missing(false)
        .busy_timeout(source.access.idle_timeout)
        .row_buffer_size(WAITING_ROWS);
    let now = Utc::now();
    let opened = async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        connection.execute("begin").await?;
        // The snapshot is taken by the first look, not by the beginning.
        connection.execute("select count(*) from sqlite_master").await?;
        Ok(connection)
    };
    let connection = opened.await.map_err(|error: sqlx::Error| {
        Error::source("the database could not be opened")
            .at(&source.name)
            .hint(format!("see whether '{}' exists and can be read", path.display()))
            .because(error)
    })?;
    Ok(Session { source: source.clone(), connection: Arc::new(Mutex::new(connection)), now })
}

impl Session {
    /// Starts reading the entity's table.
    pub(super) async fn read(&mut self, contract: &Contract, span: &Span) -> Result<Extract> {
        let table = table_of(&self.source, contract)?.to_string();
        let (at, contract, span) = (place(&self.source, contract), contract.clone(), span.clone());
        let (connection, now) = (Arc::clone(&self.connection), self.now);
        Ok(start_table(move |outlet| async move {
            let reading = Reading { contract, table, at, now };
            let mut connection = connection.lock().await;
            reading.run(&mut connection, &span, &outlet).await
        }))
    }
}

/// One table on its way.
#[derive(Debug)]
struct Reading {
    contract: Contract,
    table: String,
    at: String,
    now: DateTime<Utc>,
}

impl Reading {
    async fn run(
        &self,
        connection: &mut SqliteConnection,
        span: &Span,
        outlet: &Outlet,
    ) -> Result<Totals, Stop> {
        let known: Vec<String> = sqlx::query_scalar("select name from pragma_table_info(?)")
            .bind(&self.table)
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| self.failed(error))?;
        if known.is_empty() {
            return Err(table::missing(&self.table).at(&self.at).into());
        }
        let matched = table::matched(&self.contract, &self.table, &known);
        let names: Vec<Option<String>> = matched
            .map_err(|error| error.at(&self.at))?
            .into_iter()
            .map(|place| place.map(|place| quoted(&known[place])))
            .collect();
        let asked = Asked::new(&self.contract, &names, span, self.now).map_err(|error| error.at(&self.at))?;
        let (mut control, high) = self.count(connection, &names, &asked).await?;
        control.columns = known;
        let mut feed = Feed::new(&self.contract, &self.at, control, outlet)?;
        let selected: Vec<&str> = names.iter().map(|name| name.as_deref().unwrap_or("null")).collect();
        let select = format!("select {} from {}{}", selected.join(", "), quoted(&self.table), asked.filter);
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(connection);
        while let Some(row) = rows.try_next().await.map_err(|error| self.failed(error))? {
            if let Some(batch) = feed.push(&|at| cell(&row, at))? {
                feed.send(batch).await?;
            }
        }
        feed.finish(high).await
    }

    /// Counts and adds up in the same snapshot; gives the upper bound, too.
    async fn count(
        &self,
        connection: &mut SqliteConnection,
        names: &[Option<String>],
        asked: &Asked,
    ) -> Result<(Control, Option<String>), Stop> {
        let summed: Vec<(&Column, &String)> = self
            .contract
            .columns
            .iter()
            .zip(names)
            .filter(|(column, _)| is_summed(&self.contract, column))
            .filter_map(|(column, name)| Some((column, name.as_ref()?)))
            .collect();
        let mut counts = vec!["count(*)".to_string()];
        for (_, name) in &summed {
            // Only whole numbers add up exactly; in two parts, because a sum of 64 bits overflows.
            counts.push(format!("coalesce(sum(typeof({name}) not in ('integer', 'null')), 0)"));
            counts.push(format!("coalesce(sum({name} / {PART}), 0)"));
            counts.push(format!("coalesce(sum({name} % {PART}), 0)"));
        }
        let highest = asked.highest_of.as_ref();
        counts.extend(highest.map(|name| format!("max(iif(typeof({name}) = 'integer', {name}, null))")));
        let texts: Vec<String> = counts.iter().map(|count| format!("cast({count} as text)")).collect();
        let select = format!("select {} from {}{}", texts.join(", "), quoted(&self.table), asked.filter);
        let failed = |error| self.failed(error);
        let row = sqlx::query(AssertSqlSafe(select)).fetch_one(connection).await.map_err(failed)?;
        let answers: sqlx::Result<Vec<Option<String>>> = (0..row.len()).map(|at| row.try_get(at)).collect();
        let answers = answers.map_err(failed)?;
        let number = |at: usize| answers.get(at)?.as_ref()?.parse::<i128>().ok();
        let mut control = Control { rows: number(0).and_then(|n| n.try_into().ok()), ..Control::default() };
        for (at, (column, _)) in summed.iter().enumerate() {
            if let (Some(0), Some(high), Some(low)) =
                (number(1 + 3 * at), number(2 + 3 * at), number(3 + 3 * at))
            {
                let sum = (high * i128::from(PART) + low).to_string();
                let scale = match column.ty {
                    Type::Decimal { scale, .. } => u8::try_from(scale).unwrap_or(0),
                    _ => 0,
                };
                let units = number::decimal(&sum, Digits { precision: 38, scale }, NumberForm::Plain);
                control.sums.extend(units.map(|units| (column.name.clone(), units)));
            }
        }
        let high = match highest {
            Some(_) => answers.last().cloned().flatten(),
            None => asked.high.clone(),
        };
        Ok((control, high))
    }

    fn failed(&self, error: sqlx::Error) -> Error {
        Error::source(format!("table '{}' could not be read", self.table)).at(&self.at).because(error)
    }
}

/// Where a number is cut in two.
const PART: i64 = 1_000_000_000;

/// Which rows of a table are read.
#[derive(Debug, Default)]
struct Asked {
    /// The end of a query; empty for all rows.
    filter: String,
    /// The upper bound by the clock.
    high: Option<String>,
    /// The int column whose highest value is the upper bound.
    highest_of: Option<String>,
}

impl Asked {
    fn new(contract: &Contract, names: &[Option<String>], span: &Span, now: DateTime<Utc>) -> Result<Self> {
        let Some(cursor) = cursor::column(contract) else { return Ok(Self::default()) };
        let at = contract.columns.iter().position(|column| column.name == cursor.name);
        let Some(Some(name)) = at.and_then(|at| names.get(at)) else {
            let message = format!("the table has no column for the cursor '{}'", cursor.name);
            return Err(Error::contract(message));
        };
        let ends = Ends::of(span, cursor)?;
        let is_open = !matches!(span, Span::Between(..));
        if cursor.ty == Type::Int {
            let filter = match ends.map(|ends| (ends.low, ends.top)) {
                Some((Bound::Number(low), Some(Bound::Number(top)))) => {
                    format!(" where {name} >= {low} and {name} <= {top}")
                }
                // A text in such a column is more than any number, and comes, too.
                Some((Bound::Number(low), _)) => format!(" where ({name} >= {low} or {name} is null)"),
                _ => String::new(),
            };
            return Ok(Self { filter, high: None, highest_of: is_open.then(|| name.clone()) });
        }
        let pattern = sortable(cursor)?;
        let now = cursor::reading(now, contract, cursor, false);
        let written =
            |moment: NaiveDateTime| format!("'{}'", moment.format(pattern).to_string().replace('\'', "''"));
        let filter = match ends.map(|ends| (ends.low, ends.top)) {
            Some((Bound::Moment(low), Some(Bound::Moment(top)))) => {
                format!(" where {name} >= {} and {name} <= {}", written(low), written(top.min(now)))
            }
            // What is written otherwise has no place in the order, and comes always.
            Some((Bound::Moment(low), _)) => format!(
                " where ({name} >= {low} and {name} <= {high} or {name} is null
                    or typeof({name}) <> 'text' or length({name}) <> length({high}))",
                low = written(low),
                high = written(now)
            ),
            _ => String::new(),
        };
        let high = is_open.then(|| cursor::written(now, cursor));
        Ok(Self { filter, high, highest_of: None })
    }
}

/// The pattern of a cursor that is kept as text: it must sort as time goes.
fn sortable(cursor: &Column) -> Result<&str> {
    let patterns = match &cursor.ty {
        Type::Date { patterns } | Type::Timestamp { patterns, .. } => patterns.as_slice(),
        _ => &[],
    };
    let parts = |pattern: &str| -> String {
        let spelled = pattern.replace("%F", "%Y%m%d").replace("%T", "%H%M%S").replace("%R", "%H%M");
        spelled.split('%').skip(1).filter_map(|part| part.chars().next()).collect()
    };
    match patterns {
        [pattern] if ["YmdHMS", "YmdHM", "YmdH", "Ymd"].contains(&parts(pattern).as_str()) => Ok(pattern),
        _ => Err(Error::config(format!("the cursor '{}' does not sort as time goes", cursor.name)).hint(
            "SQLite keeps moments as text: a cursor needs one pattern that goes from the year down, \
             such as %Y-%m-%d %H:%M:%S",
        )),
    }
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

/// An identifier, safe in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
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
        drain(open(&source(&path), &path).await?.read(contract, &Span::Whole).await?).await
    }

    fn source(path: &Path) -> Source {
        Source {
            name: "beds_s".into(),
            force: "beds".into(),
            system: "s".into(),
            address: Address::Sqlite(path.into()),
            access: Default::default(),
        }
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
        let error = open(&source(&path), &path).await.unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Source);
    }

    #[tokio::test]
    async fn whole_numbers_are_added_up_by_the_source() {
        let mut contract = mixed();
        contract.totals = vec!["id".into(), "amount".into()];
        let most = i64::MAX;
        let script = "create table e (id, amount, name, flag);
            insert into e values (9223372036854775807, 1, '', 1), (9223372036854775806, 2.5, '', 1), (-7, null, '', 1)";
        let got = read_script(&contract, script).await.unwrap();
        let sum = (2 * i128::from(most) - 8).to_string();
        assert_eq!(got.totals.sums["id"].source, Some(sum));
        assert_eq!(got.totals.sums["amount"].source, None);
    }

    #[test]
    fn only_texts_that_sort_as_time_goes_are_cursors() {
        let column = |pattern: &str| Column {
            ty: Type::Date { patterns: vec![pattern.into()] },
            ..mixed().columns.remove(0)
        };
        for pattern in ["%Y-%m-%d %H:%M:%S", "%F %T", "%Y%m%d", "%Y-%m-%dT%H:%M"] {
            assert_eq!(sortable(&column(pattern)).unwrap(), pattern);
        }
        for pattern in ["%d/%m/%Y", "%Y-%d-%m", "%y%m%d", "%d-%b-%Y", "%F %T%.f"] {
            assert_eq!(sortable(&column(pattern)).unwrap_err().kind(), crate::error::Kind::Config);
        }
    }
}
