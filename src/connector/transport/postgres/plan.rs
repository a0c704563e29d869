//! What is asked of PostgreSQL for a table: columns, rows, parts, and what the source itself counts.

use crate::connector::Span;
use crate::connector::rows::Control;
use crate::connector::transport::asked::{Asked, Dialect, Place, Shape};
use crate::connector::transport::postgres::Reading;
use crate::connector::transport::postgres::decode::Kind;
use crate::connector::transport::postgres::link::{Link, literal, quoted};
use crate::connector::transport::table;
use crate::connector::transport::wait::Stop;
use crate::error::Error;
use sqlx::{AssertSqlSafe, Column as _, Executor, Row, Statement};
use std::sync::Arc;

/// A table of this size is read over two connections: the server's work is then spread over two
/// processes, and most of the time of a read is the server's.
const PARALLEL_BYTES: i64 = 32 << 20;

/// The first release that finds the rows between two places of a table without reading it all.
const TID_RANGES: u32 = 140_000;

/// How a table is read.
#[derive(Debug)]
pub(super) struct Plan {
    /// How each column of the contract arrives.
    pub(super) kinds: Arc<[Kind]>,
    /// The statements that together give every row once.
    pub(super) copies: Vec<String>,
    pub(super) control: Control,
    pub(super) high: Option<String>,
}

/// The session's zone is UTC; a date column takes the day of a moment.
const DIALECT: Dialect = Dialect {
    text: |expression| format!("{expression}::text"),
    moment: |moment, shape| {
        let ty = match shape {
            Shape::Day => "date",
            Shape::Instant => "timestamptz",
            _ => "timestamp",
        };
        format!("{}::{ty}", literal(moment))
    },
    day_after: |moment| format!("{}::date + 1", literal(moment)),
};

/// A table or view as the database knows it.
#[derive(Debug)]
struct Relation {
    /// Quoted, with its schema.
    name: String,
    is_plain: bool,
    bytes: i64,
}

/// The contract's columns in the table.
#[derive(Debug, Default)]
struct Columns {
    /// The names of all columns of the table.
    known: Vec<String>,
    places: Vec<Place>,
    kinds: Vec<Kind>,
    /// What the copy selects.
    selected: Vec<String>,
}

/// Plans a read. From here on the table's columns are locked against change.
pub(super) async fn plan(reading: &Reading, link: &mut Link, span: &Span) -> Result<Plan, Stop> {
    let relation = find(reading, link).await?;
    let columns = columns(reading, link, &relation).await?;
    let asked = Asked::new(&reading.contract, &columns.places, span, reading.moment.now, &DIALECT)
        .map_err(|error| error.at(&reading.at))?;
    let select = format!("select {} from {}", columns.selected.join(", "), relation.name);
    let is_parallel = relation.is_plain
        && relation.bytes >= PARALLEL_BYTES
        && asked.condition.is_none()
        && link.connection.server_version_num().is_some_and(|version| version >= TID_RANGES);
    let conditions = match is_parallel {
        true => halves(reading, link, &relation).await?,
        false => vec![asked.filter()],
    };
    let (mut control, high) = count(reading, link, &relation, asked).await?;
    control.columns = columns.known;
    let copies = conditions
        .iter()
        .map(|condition| format!("copy ({select}{condition}) to stdout (format binary)"))
        .collect();
    Ok(Plan { kinds: columns.kinds.into(), copies, control, high })
}

/// Looks a table or view up: with its schema, or without one where the search path finds it.
async fn find(reading: &Reading, link: &mut Link) -> Result<Relation, Stop> {
    const FIND: &str = "select n.nspname::text, c.relname::text, c.relkind = 'r',
            coalesce(pg_relation_size(c.oid), 0),
            c.relname = $1 or n.nspname || '.' || c.relname = $1 as is_exact
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and (lower(n.nspname || '.' || c.relname) = lower($1)
            or lower(c.relname) = lower($1) and pg_catalog.pg_table_is_visible(c.oid))
        order by is_exact desc, 1, 2";
    let rows = sqlx::query(FIND).bind(&reading.table).fetch_all(&mut link.connection);
    let failed = |error| reading.failed(error);
    let rows = reading.wait.bytes(rows).await?.map_err(failed)?;
    let Some(row) = rows.first() else {
        return Err(table::missing(&reading.table).at(&reading.at).into());
    };
    let is_exact: bool = row.try_get(4).map_err(failed)?;
    if rows.len() > 1 && !is_exact {
        let error = Error::contract(format!("several tables are called '{}'", reading.table));
        return Err(error.at(&reading.at).hint("write the contract's `table` in the case of the one").into());
    }
    let (schema, name): (String, String) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    Ok(Relation {
        name: format!("{}.{}", quoted(&schema), quoted(&name)),
        is_plain: row.try_get(2).map_err(failed)?,
        bytes: row.try_get(3).map_err(failed)?,
    })
}

/// The contract's columns among the table's. Asking for them takes the lock that keeps them as
/// they are, and tells what they are now: the catalogue would tell what they were at the snapshot.
async fn columns(reading: &Reading, link: &mut Link, relation: &Relation) -> Result<Columns, Stop> {
    let all = AssertSqlSafe(format!("select * from {}", relation.name));
    let described = link.connection.prepare(sqlx::SqlSafeStr::into_sql_str(all));
    let described = reading.wait.bytes(described).await?.map_err(|error| reading.failed(error))?;
    let known: Vec<String> = described.columns().iter().map(|column| column.name().to_string()).collect();
    let places = table::matched(&reading.contract, &reading.table, &known);
    let places = places.map_err(|error| error.at(&reading.at))?;
    let mut columns = Columns::default();
    for place in places {
        let (name, kind, selected) = match place {
            Some(place) => {
                let name = quoted(&known[place]);
                let (kind, cast) = Kind::of(described.columns()[place].type_info());
                let selected = format!("{name}{cast}");
                (Some(name), kind, selected)
            }
            None => (None, Kind::Text, "null::text".into()),
        };
        columns.places.push((name, kind.shape()));
        columns.kinds.push(kind);
        columns.selected.push(selected);
    }
    columns.known = known;
    Ok(columns)
}

/// Counts and adds up in the same snapshot; gives the upper bound, too.
async fn count(
    reading: &Reading,
    link: &mut Link,
    relation: &Relation,
    asked: Asked,
) -> Result<(Control, Option<String>), Stop> {
    let counts = asked.counts(&DIALECT);
    let query = AssertSqlSafe(format!("select {counts} from {}{}", relation.name, asked.filter()));
    let counted = sqlx::query(query).fetch_one(&mut link.connection);
    let row = reading.wait.answer(counted).await?.map_err(|error| reading.failed(error))?;
    let answers: sqlx::Result<Vec<Option<String>>> = (0..row.len()).map(|at| row.try_get(at)).collect();
    Ok(asked.answered(&reading.contract, answers.map_err(|error| reading.failed(error))?))
}

/// Two conditions that cut a table in the middle; rows behind the end as it was belong to the second.
async fn halves(reading: &Reading, link: &mut Link, relation: &Relation) -> Result<Vec<String>, Stop> {
    let block = sqlx::query_scalar("select current_setting('block_size')::int8");
    let block: i64 = reading
        .wait
        .bytes(block.fetch_one(&mut link.connection))
        .await?
        .map_err(|error| reading.failed(error))?;
    let middle = relation.bytes / block.max(1) / 2;
    Ok(vec![format!(" where ctid < '({middle},0)'::tid"), format!(" where ctid >= '({middle},0)'::tid")])
}
