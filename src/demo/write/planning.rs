//! Collaborative Planning: versions as CSV, their lines as a workbook that is made to be printed.

use crate::demo::world::Ledger;
use crate::demo::write::row::Row;
use crate::demo::write::store::Received;
use crate::error::{Error, Result};
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use std::path::Path;

/// The columns left of the months.
const COLUMNS: [&str; 12] = [
    "Line",
    "Version",
    "Company",
    "Cost centre",
    "Account",
    "Project",
    "Line type",
    "Driver",
    "Post",
    "FTE",
    "Rate",
    "Narrative",
];

const MONTHS: [&str; 12] =
    ["Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb", "Mar"];

/// The version that every line belongs to.
const VERSIONS: &str = "version_id,name,kind,fin_year,as_at_period,status,locked_ts,approved_by\r\n\
    V25,Original budget,APPROVED,2025,,LOCKED,2025-02-20 17:00:00,CFO\r\n";

/// The amounts of a line in pence: of an account and a cost centre, month by month; income negative.
pub(in crate::demo) fn months(ledger: &Ledger, account: usize, cost_centre: usize) -> [i64; 12] {
    let sign = if ledger.accounts[account].subjective == "income" { -1 } else { 1 };
    std::array::from_fn(|month| {
        let amount = (account * 37 + cost_centre * 91 + month * 13) % 900 + 100;
        sign * amount as i64 * 1_000
    })
}

/// Writes a budget for each account and cost centre of the ledger into `folder`.
pub(in crate::demo) fn write(ledger: &Ledger, folder: &Path) -> Result<Vec<Received>> {
    let failed = |e| Error::internal(format!("cannot write '{}'", folder.display())).because(e);
    std::fs::create_dir_all(folder).map_err(failed)?;
    std::fs::write(folder.join("CP_VERSION_20260401.csv"), VERSIONS).map_err(failed)?;
    let path = folder.join("CP_LINE_20260401.xlsx");
    let lines = workbook(ledger, &path)
        .map_err(|e| Error::internal(format!("cannot write '{}'", path.display())).because(e))?;
    let received = |entity, rows| Received { entity, rows, bad: Vec::new() };
    Ok(vec![received("version", 1), received("line", lines)])
}

/// The year stands above the months; each cost centre ends with a row of its total.
fn workbook(ledger: &Ledger, path: &Path) -> std::result::Result<u64, XlsxError> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let first = COLUMNS.len() as u16;
    sheet.merge_range(0, first, 0, first + 11, "2025/26", &Format::new())?;
    put(sheet, 1, COLUMNS.iter().chain(&MONTHS).chain(&["Full year"]).copied())?;
    let (mut at, mut lines) = (2, 0);
    let mut row = Row::default();
    for (centre, name) in ledger.cost_centres.iter().enumerate() {
        let mut totals = [0; 12];
        for (account, of) in ledger.accounts.iter().enumerate() {
            let months = months(ledger, account, centre);
            lines += 1;
            row.clear().text(&format!("L{lines:05}")).text("V25").text("CA").text(name).text(&of.code);
            row.blank().text("TYPED").blank().blank().blank().blank().blank();
            for (total, pence) in totals.iter_mut().zip(months) {
                *total += pence;
                row.ledger(pence);
            }
            row.ledger(months.iter().sum());
            put(sheet, at, row.cells())?;
            at += 1;
        }
        row.clear().blank().blank().blank().text(&format!("Total {name}"));
        for _ in 4..COLUMNS.len() {
            row.blank();
        }
        for pence in totals {
            row.ledger(pence);
        }
        row.ledger(totals.iter().sum());
        put(sheet, at, row.cells())?;
        at += 1;
    }
    book.save(path)?;
    Ok(lines)
}

fn put<'a>(
    sheet: &mut Worksheet,
    row: u32,
    cells: impl Iterator<Item = &'a str>,
) -> std::result::Result<(), XlsxError> {
    for (column, cell) in (0..).zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        sheet.write_string(row, column, cell)?;
    }
    Ok(())
}
