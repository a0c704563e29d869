//! What is asked of MySQL for a table: columns, rows, and what the source itself counts.

use crate::connector::Span;
use crate::connector::rows::Control;
use crate::connector::transport::asked::{Asked, Dialect, Place, Shape};
use crate::connector::transport::mysql::Reading;
use crate::connector::transport::mysql::decode::Kind;
use crate::connector::transport::table;
use crate::connector::transport::wait::Stop;
use crate::error::Error;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

/// The session's zone is UTC.
const DIALECT: Dialect = Dialect {
    text: |expression| format!("cast({expression} as char)"),
    moment: |moment, shape| match shape {
        Shape::Day => format!("date('{moment}')"),
        _ => format!("timestamp('{moment}')"),
    },
    day_after: |moment| format!("date('{moment}') + interval 1 day"),
};

/// How a table is read.
#[derive(Debug)]
pub(super) struct Plan {
    /// How each column of the contract arrives.
    pub(super) kinds: Vec<Kind>,
    pub(super) select: String,
    pub(super) control: Control,
    pub(super) high: Option<String>,
}

/// A column as the database describes it.
#[derive(Debug)]
struct Described {
    name: String,
    kind: Kind,
}

/// Plans a read. From here on the table's columns are locked against change.
pub(super) async fn plan(
    reading: &Reading,
    connection: &mut MySqlConnection,
    span: &Span,
) -> Result<Plan, Stop> {
    let (schema, name) = find(reading, connection).await?;
    let from = format!("{}.{}", quoted(&schema), quoted(&name));
    let known = described(reading, connection, (&schema, &name), &from).await?;
    let names: Vec<String> = known.iter().map(|column| column.name.clone()).collect();
    let matched = table::matched(&reading.contract, &reading.table, &names);
    let (mut places, mut kinds, mut selected) = (Vec::<Place>::new(), Vec::new(), Vec::new());
    for place in matched.map_err(|error| error.at(&reading.at))? {
        let Some(column) = place.map(|place| &known[place]) else {
            places.push((None, Shape::Other));
            kinds.push(Kind::Text);
            selected.push("null".into());
            continue;
        };
        places.push((Some(quoted(&column.name)), column.kind.shape()));
        kinds.push(column.kind);
        selected.push(quoted(&column.name));
    }
    let asked = Asked::new(&reading.contract, &places, span, reading.moment.now, &DIALECT)
        .map_err(|error| error.at(&reading.at))?;
    let select = format!("select {} from {from}{}", selected.join(", "), asked.filter());
    let counts = AssertSqlSafe(format!("select {} from {from}{}", asked.counts(&DIALECT), asked.filter()));
    let counted = sqlx::query(counts).fetch_one(connection);
    let row = reading.wait.answer(counted).await?.map_err(|error| reading.failed(error))?;
    let answers: sqlx::Result<Vec<Option<String>>> =
        (0..row.len()).map(|at| row.try_get_unchecked(at)).collect();
    let (mut control, high) =
        asked.answered(&reading.contract, answers.map_err(|error| reading.failed(error))?);
    control.columns = names;
    Ok(Plan { kinds, select, control, high })
}

/// Looks a table or view up: with its database, or without one in the source's own.
async fn find(reading: &Reading, connection: &mut MySqlConnection) -> Result<(String, String), Stop> {
    const FIND: &str = "select table_schema, table_name,
            (binary table_name = ? or binary concat(table_schema, '.', table_name) = ?) as is_exact
        from information_schema.tables
        where lower(table_name) = lower(?) and table_schema = database()
            or lower(concat(table_schema, '.', table_name)) = lower(?)
        order by is_exact desc, 1, 2";
    let table = &reading.table;
    let rows = sqlx::query(FIND).bind(table).bind(table).bind(table).bind(table).fetch_all(connection);
    let failed = |error| reading.failed(error);
    let rows = reading.wait.bytes(rows).await?.map_err(failed)?;
    let Some(row) = rows.first() else {
        return Err(table::missing(table).at(&reading.at).into());
    };
    let is_exact: i64 = row.try_get_unchecked(2).map_err(failed)?;
    if rows.len() > 1 && is_exact == 0 {
        let error = Error::contract(format!("several tables are called '{table}'"));
        return Err(error.at(&reading.at).hint("write the contract's `table` in the case of the one").into());
    }
    Ok((row.try_get_unchecked(0).map_err(failed)?, row.try_get_unchecked(1).map_err(failed)?))
}

/// The table's columns. A first look at the table takes the lock that keeps them as they are.
async fn described(
    reading: &Reading,
    connection: &mut MySqlConnection,
    (schema, name): (&str, &str),
    from: &str,
) -> Result<Vec<Described>, Stop> {
    const COLUMNS: &str = "select column_name, data_type, column_type from information_schema.columns
        where table_schema = ? and table_name = ? order by ordinal_position";
    let failed = |error| reading.failed(error);
    let look = AssertSqlSafe(format!("select 1 from {from} limit 0"));
    reading.wait.answer(sqlx::query(look).fetch_optional(&mut *connection)).await?.map_err(failed)?;
    let columns = sqlx::query(COLUMNS).bind(schema).bind(name).fetch_all(connection);
    let columns = reading.wait.bytes(columns).await?.map_err(failed)?;
    let text = |row: &sqlx::mysql::MySqlRow, at: usize| row.try_get_unchecked::<String, _>(at);
    let columns: sqlx::Result<Vec<Described>> = columns
        .iter()
        .map(|row| Ok(Described { name: text(row, 0)?, kind: Kind::of(&text(row, 1)?, &text(row, 2)?) }))
        .collect();
    Ok(columns.map_err(failed)?)
}

/// An identifier, safe in SQL.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
