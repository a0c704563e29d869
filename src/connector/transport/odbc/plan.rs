//! What is asked of a database for a table: columns, rows, and what it counts itself.

use crate::connector::Span;
use crate::connector::rows::{Control, MAX_ROW_BYTES};
use crate::connector::transport::asked::{Asked, Place, Shape};
use crate::connector::transport::odbc::Reading;
use crate::connector::transport::odbc::kind::Kind;
use crate::connector::transport::odbc::link::{Answer, Link};
use crate::connector::transport::odbc::page::Selected;
use crate::connector::transport::table;
use crate::connector::transport::wait::Stop;
use crate::error::Error;
use std::sync::Arc;

/// How a table is read.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) select: String,
    pub(super) columns: Arc<[Selected]>,
    pub(super) control: Control,
    pub(super) high: Option<String>,
}

/// A table as the database describes it.
#[derive(Debug)]
struct Described {
    /// Quoted, with its schema if it has one.
    name: String,
    /// Names and types.
    columns: Vec<(String, String)>,
}

/// Plans a read.
pub(super) async fn plan(reading: &Reading, link: &Link, span: &Span) -> Result<Plan, Stop> {
    let dialect = reading.moment.dialect;
    let table = described(reading, link).await?;
    let names: Vec<String> = table.columns.iter().map(|(name, _)| name.clone()).collect();
    let matched = table::matched(&reading.contract, &reading.table, &names);
    let (mut places, mut columns, mut selected) = (Vec::<Place>::new(), Vec::new(), Vec::new());
    // The columns without a bound of their own, and what tells how long their values are.
    let (mut unbound, mut lengths) = (Vec::new(), Vec::new());
    for place in matched.map_err(|error| error.at(&reading.at))? {
        let Some((name, ty)) = place.map(|place| &table.columns[place]) else {
            places.push((None, Shape::Other));
            columns.push(Selected { kind: Kind::Text, width: 1 });
            selected.push("null".into());
            continue;
        };
        let (name, kind) = (dialect.quoted(name), Kind::of(ty, dialect.special));
        let read = (dialect.read)(&name, kind);
        let width = kind.width(ty).unwrap_or_else(|| {
            unbound.push(columns.len());
            lengths.push((dialect.sql.text)(&format!("max({})", (dialect.length)(&read, kind))));
            0
        });
        places.push((Some(name), kind.shape()));
        columns.push(Selected { kind, width });
        selected.push(read);
    }
    let asked = Asked::new(&reading.contract, &places, span, reading.moment.now, &dialect.sql)
        .map_err(|error| error.at(&reading.at))?;
    let (from, filter) = (&table.name, asked.filter());
    let counts = std::iter::once(asked.counts(&dialect.sql)).chain(lengths).collect::<Vec<_>>().join(", ");
    let mut answers = row(reading, link, format!("select {counts} from {from}{filter}")).await?;
    let longest = answers.split_off(answers.len().saturating_sub(unbound.len()));
    for (at, longest) in unbound.into_iter().zip(longest) {
        let longest = longest.and_then(|length| length.parse().ok()).unwrap_or(0);
        if longest > MAX_ROW_BYTES {
            let name = &reading.contract.columns[at].name;
            let message = format!("column '{name}' has a value of {longest} characters");
            let hint =
                format!("{} MiB are the most; leave the column out of the contract", MAX_ROW_BYTES >> 20);
            return Err(Error::contract(message).at(&reading.at).hint(hint).into());
        }
        columns[at].width = longest;
    }
    let (control, high) = asked.answered(&reading.contract, answers);
    let select = format!("select {} from {from}{filter}", selected.join(", "));
    Ok(Plan { select, columns: columns.into(), control, high })
}

/// Looks a table or view up, with its schema or without one in the user's own.
async fn described(reading: &Reading, link: &Link) -> Result<Described, Stop> {
    let (table, dialect) = (&reading.table, reading.moment.dialect);
    let query = (dialect.columns)(&(dialect.literal)(table));
    let rows: Answer = reading.answer(link.ask(query, reading.seconds())).await?;
    let mut found: Vec<(&str, &String, bool)> = Vec::new();
    let mut columns = Vec::new();
    for row in &rows {
        let [schema, Some(name), Some(column), ty, is_exact] = row.as_slice() else { continue };
        let schema = schema.as_deref().unwrap_or_default();
        if found.last().is_none_or(|(last, table, _)| *last != schema || *table != name) {
            found.push((schema, name, is_exact.as_deref() == Some("1")));
        }
        if found.len() == 1 {
            columns.push((column.clone(), ty.clone().unwrap_or_default()));
        }
    }
    let Some((schema, name, is_exact)) = found.first() else {
        return Err(table::missing(table).at(&reading.at).into());
    };
    if found.len() > 1 && !is_exact {
        let error = Error::contract(format!("several tables are called '{table}'"));
        return Err(error.at(&reading.at).hint("write the contract's `table` in the case of the one").into());
    }
    let name = match schema.is_empty() {
        true => dialect.quoted(name),
        false => format!("{}.{}", dialect.quoted(schema), dialect.quoted(name)),
    };
    Ok(Described { name, columns })
}

/// The only row of an answer.
async fn row(reading: &Reading, link: &Link, query: String) -> Result<Vec<Option<String>>, Stop> {
    let rows = reading.answer(link.ask(query, reading.seconds())).await?;
    rows.into_iter().next().ok_or_else(|| {
        Error::source(format!("table '{}' was not counted", reading.table)).at(&reading.at).into()
    })
}
