//! Short ways to write contracts and to show extracts, for the tests of this room.

use crate::connector::contract::{
    Column, Contract, Drift, Encoding, FileFormat, FileLayout, Header, Member, Mode, NumberForm, Origin,
    PageSize, Paging, PathPart, Place, Recast, Request, Trailer, TrailerPart, Type,
};
use crate::connector::{Extract, SourceFile, Totals, extract_schema, format};
use crate::error::Result;
use chrono_tz::Tz;
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::array_value_to_string;
use std::time::Duration;

/// An extract as a test sees it.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) totals: Totals,
}

impl Got {
    /// One text per row: `1: a, 1.50` for good ones, `2! reason; reason <raw>` for bad ones.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|at| shown(batch, at))).collect()
    }

    /// A system column in hex, row by row.
    pub(crate) fn hex(&self, column: &str) -> Vec<Option<String>> {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let column = |batch: &RecordBatch| batch.column_by_name(column).unwrap().as_binary::<i32>().clone();
        self.batches
            .iter()
            .flat_map(|batch| column(batch).iter().map(|b| b.map(hex)).collect::<Vec<_>>())
            .collect()
    }
}

/// One row, as in [`Got::rows`].
pub(crate) fn shown(batch: &RecordBatch, at: usize) -> String {
    let row = batch.column(0).as_primitive::<Int64Type>().value(at);
    let reasons = batch.column(5).as_list::<i32>().value(at);
    let value = |column: usize| match batch.column(column).is_null(at) {
        true => "null".to_string(),
        false => array_value_to_string(batch.column(column), at).unwrap(),
    };
    if reasons.is_empty() {
        assert_eq!(
            (value(4), value(6)),
            ("null".into(), "null".into()),
            "a good row has no claim and no raw"
        );
        let values: Vec<String> = (7..batch.num_columns()).map(value).collect();
        return format!("{row}: {}", values.join(", "));
    }
    assert!((7..batch.num_columns()).all(|c| batch.column(c).is_null(at)), "a bad row has no typed values");
    let reasons: Vec<&str> = reasons.as_string::<i32>().iter().flatten().collect();
    format!("{row}! {} <{}>", reasons.join("; "), value(6))
}

/// Reads to the end, or to the error.
pub(crate) async fn drain(mut extract: Extract) -> Result<Got> {
    let mut batches = Vec::new();
    while let Some(batch) = extract.next().await {
        batches.push(batch?);
    }
    Ok(Got { batches, totals: extract.totals()? })
}

/// Reads a file by `contract`'s layout.
pub(crate) fn read_bytes(contract: &Contract, bytes: impl Into<Vec<u8>>) -> Result<Got> {
    read_in_blocks(contract, bytes, 4 << 20)
}

/// Reads a file by `contract`'s layout, in blocks of about so many bytes.
pub(crate) fn read_in_blocks(contract: &Contract, bytes: impl Into<Vec<u8>>, block: usize) -> Result<Got> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("F.csv");
    std::fs::write(&path, bytes.into()).unwrap();
    let file = SourceFile { name: "F.csv".into(), tag: String::new(), sha256: String::new(), path };
    let mut batches = Vec::new();
    let mut emit = |batch: RecordBatch| {
        assert_eq!(batch.schema(), extract_schema(contract));
        batches.push(batch);
        true
    };
    let layout = contract.file.as_ref().unwrap();
    let at = "s.e in 'F.csv'";
    let totals = match layout.format {
        FileFormat::Delimited { .. } | FileFormat::Fixed => {
            format::read_blocks(contract, layout, &file, at, block, &mut emit)
        }
        _ => format::read(contract, layout, &file, at, &mut emit),
    };
    let totals = totals?;
    Ok(Got { batches, totals: totals.unwrap() })
}

/// A contract over a comma-separated file with a header; the first column is the key.
pub(crate) fn contract(columns: &[(&str, Type)]) -> Contract {
    let column = |(at, (name, ty)): (usize, &(&str, Type))| Column {
        name: name.to_string(),
        from: vec![name.to_uppercase()],
        origin: Origin::Cell,
        optional: false,
        recast: Recast::default(),
        ty: ty.clone(),
        required: at == 0,
        one_of: Vec::new(),
        open_ended: Vec::new(),
        null: Vec::new(),
        place: None,
    };
    Contract {
        system: "s".into(),
        entity: "e".into(),
        table: Some("E".into()),
        file: Some(FileLayout {
            matching: vec!["E_*.csv".into()],
            member: Member::Only,
            format: FileFormat::Delimited { delimiter: b',', quote: b'"', header: Header::Named },
            encoding: Encoding::Utf8,
            trailer: None,
            order: None,
            settle: Duration::ZERO,
            done: None,
        }),
        http: Some(request()),
        key: vec![columns[0].0.to_string()],
        mode: Mode::Diff,
        columns: columns.iter().enumerate().map(column).collect(),
        totals: Vec::new(),
        max_drop: 0.5,
        min_rows: 0,
        max_bad: 1.0,
        skip: Vec::new(),
        drift: Drift::default(),
        optional: false,
    }
}

/// A request whose answer comes in pages: `{"items": […], "more": true}`.
pub(crate) fn request() -> Request {
    let size = PageSize { parameter: Some("limit".into()), rows: Some(10_000) };
    Request {
        path: vec![PathPart::Literal("E".into())],
        query: Vec::new(),
        paging: Paging::Offset { parameter: "offset".into(), size, more: Some("more".into()) },
        since: None,
        parent: None,
        queue: None,
        layout: FileLayout {
            matching: Vec::new(),
            member: Member::Only,
            format: FileFormat::Json { rows: Some("$.items[*]".into()), count: None },
            encoding: Encoding::Utf8,
            trailer: None,
            order: None,
            settle: Duration::ZERO,
            done: None,
        },
    }
}

/// The same contract over a fixed-width file, with columns of these widths.
pub(crate) fn fixed(mut contract: Contract, widths: &[usize]) -> Contract {
    let mut start = 1;
    for (column, width) in contract.columns.iter_mut().zip(widths) {
        column.place = Some(Place { start, width: *width });
        start += width;
    }
    layout(&mut contract).format = FileFormat::Fixed;
    contract
}

pub(crate) fn layout(contract: &mut Contract) -> &mut FileLayout {
    contract.file.as_mut().unwrap()
}

/// The same contract with the trailer `T|{rows}|{sum:…}`.
pub(crate) fn with_trailer(mut contract: Contract, sums: &[&str]) -> Contract {
    let mut parts = vec![TrailerPart::Literal("T|".into()), TrailerPart::Rows];
    for column in sums {
        parts.push(TrailerPart::Literal("|".into()));
        parts.push(TrailerPart::Sum(column.to_string()));
    }
    layout(&mut contract).trailer = Some(Trailer { parts });
    contract
}

pub(crate) fn decimal(precision: u8, scale: i8) -> Type {
    Type::Decimal { precision, scale, form: NumberForm::Plain }
}

pub(crate) fn date() -> Type {
    Type::Date { patterns: vec!["%d/%m/%Y".into()] }
}

pub(crate) fn time() -> Type {
    Type::Time { pattern: "%H:%M".into() }
}

pub(crate) fn timestamp() -> Type {
    Type::Timestamp { patterns: vec!["%d/%m/%Y %H:%M".into()], zone: Tz::Europe__London }
}
