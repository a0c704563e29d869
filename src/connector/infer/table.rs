//! Rows of a table whose contract nobody has written yet.

use super::sample::Sample;
use super::{Cut, Sketch, align, sketch};
use crate::connector::contract::{Column, Contract, Drift, LINE_KEY, Mode, Origin, Recast, Type};
use crate::connector::{Span, open};
use crate::error::{Error, Result};
use crate::project::Source;
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::record_batch::RecordBatch;

/// How many rows are looked at.
const MOST_ROWS: usize = 50_000;

/// Sketches a contract for a table of `source`.
pub async fn table(source: &Source, table: &str) -> Result<Sketch> {
    let mut session = open(source).await?;
    let names = {
        // A column that no table has: the answer names those that this one has.
        let mut asked = session.read(&as_text(table, &["_".into()]), &Span::Whole).await?;
        if let Some(Err(error)) = asked.next().await {
            return Err(error);
        }
        asked.columns().to_vec()
    };
    if names.is_empty() {
        return Err(Error::source(format!("table '{table}' has no columns")).at(&source.name));
    }
    let mut rows = Vec::new();
    let mut extract = session.read(&as_text(table, &names), &Span::Whole).await?;
    while let Some(batch) = extract.next().await {
        rows.extend(texts(&batch?, names.len())?);
        if rows.len() >= MOST_ROWS {
            break;
        }
    }
    let sample = Sample {
        name: table.to_string(),
        cut: Cut::Delimited { encoding: "utf-8", delimiter: ',', header: "true" },
        width: names.len(),
        header: Some(names),
        rows,
        remarks: Vec::new(),
    };
    let samples = [sample];
    Ok(sketch(&samples, &align::columns(&samples)))
}

/// A contract that takes every column as text and refuses nothing.
fn as_text(table: &str, names: &[String]) -> Contract {
    let column = |(at, name): (usize, &String)| Column {
        name: format!("c{at}"),
        from: vec![name.clone()],
        origin: Origin::Cell,
        optional: true,
        recast: Recast::default(),
        ty: Type::Text,
        required: false,
        one_of: Vec::new(),
        open_ended: Vec::new(),
        null: Vec::new(),
        place: None,
    };
    Contract {
        system: "new".into(),
        entity: table.into(),
        table: Some(table.into()),
        file: None,
        http: None,
        key: LINE_KEY.map(str::to_string).into(),
        mode: Mode::Diff,
        columns: names.iter().enumerate().map(column).collect(),
        totals: Vec::new(),
        max_drop: 1.0,
        min_rows: 0,
        max_bad: 1.0,
        skip: Vec::new(),
        drift: Drift::default(),
        optional: false,
    }
}

/// The cells of a batch; nothing where there is no value.
fn texts(batch: &RecordBatch, width: usize) -> Result<Vec<Vec<String>>> {
    let columns = (0..width).map(|at| {
        let column = batch.column_by_name(&format!("c{at}")).and_then(|cells| cells.as_string_opt::<i32>());
        column.ok_or_else(|| Error::internal("a column was not read as text"))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let text = |row: usize, column: &datafusion::arrow::array::StringArray| match column.is_valid(row) {
        true => column.value(row).to_string(),
        false => String::new(),
    };
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|column| text(row, column)).collect()).collect())
}
