//! Cells on their way into columns.

use crate::connector::batch::{Bad, Cells, Counts, Draft, MAX_BYTES, MAX_ROWS, Marks, Raw};
use crate::connector::contract::{Contract, LINE_KEY, Origin};
use crate::connector::hash::{self, Kind, Subject};
use crate::connector::rows::skips::Skips;
use crate::connector::rows::{MAX_ROW_BYTES, Received, place_of};
use crate::connector::value::{Cell, Code, Reader, Reason, Value, readable};
use crate::error::{Error, Result};

/// Rows being read. It knows nothing of other sheets of the same snapshot, so that several may be
/// filled at once.
#[derive(Debug)]
pub(crate) struct Sheet {
    echo: Echo,
    columns: Vec<Column>,
    skips: Skips,
    /// For contracts whose key is the line: how the line is hashed, with the part of the file.
    line_key: Option<(hash::Column, u128)>,
    row_hash: Vec<hash::Column>,
    rows: Vec<i64>,
    keys: Vec<Option<u128>>,
    bytes: usize,
    marks: Marks,
    faults: Vec<Reason>,
}

/// Shows rows as they were received.
#[derive(Debug)]
pub(super) struct Echo {
    at: String,
    /// The columns that the source has, with their places in the contract; each once.
    from: Vec<(usize, String)>,
}

/// One contract column.
#[derive(Debug)]
struct Column {
    reader: Reader,
    /// What every row has here, where no cell is asked.
    given: Option<String>,
    cells: Cells,
    /// How its values are hashed, if it is part of the key.
    key: Option<hash::Column>,
    /// Cells that could not be read.
    unreadable: u64,
}

impl Sheet {
    /// An empty sheet; see [`crate::connector::rows::Rows::new`].
    pub(crate) fn new(contract: &Contract, at: &str, file: Option<&str>, trim_text: bool) -> Result<Self> {
        let line_key = match contract.has_line_key() {
            true => Some(line_key(file)),
            false => {
                contract.key.iter().try_for_each(|name| place_of(contract, name).map(drop))?;
                None
            }
        };
        let hashed = |subject| move |name: &str, kind| hash::Column::new(subject, name, kind);
        let column = |c: &crate::connector::contract::Column| {
            let key = contract.key.contains(&c.name);
            Ok(Column {
                reader: Reader::new(c, trim_text)?,
                given: given(c, file),
                cells: Cells::new(&c.ty),
                key: key.then(|| hashed(Subject::Key)(&c.name, Kind::of(&c.ty))),
                unreadable: 0,
            })
        };
        Ok(Self {
            echo: Echo { at: at.to_string(), from: named(contract) },
            skips: Skips::new(contract)?,
            columns: contract.columns.iter().map(column).collect::<Result<_>>()?,
            line_key,
            row_hash: (contract.columns.iter())
                .map(|c| hashed(Subject::Row)(&c.name, Kind::of(&c.ty)))
                .collect(),
            rows: Vec::new(),
            keys: Vec::new(),
            bytes: 0,
            marks: Marks::default(),
            faults: Vec::new(),
        })
    }

    /// Takes in a row; `cell` gives the cell of each contract column. `false` when the contract
    /// leaves the row out.
    #[inline]
    pub(crate) fn push<'r, F>(&mut self, row: i64, received: Received<'_>, cell: &F) -> Result<bool>
    where
        F: Fn(usize) -> Cell<'r> + ?Sized,
    {
        self.echo.check_size(row, received)?;
        if self.skips.take(cell) {
            return Ok(false);
        }
        let mut key = match &self.line_key {
            None => Some(0),
            Some((line, file)) => line.value(&Value::Int(row)).map(|hash| file.wrapping_add(hash)),
        };
        for (at, column) in self.columns.iter_mut().enumerate() {
            let received = match &column.given {
                None => cell(at),
                Some(text) => Cell::Text(text.as_str().into()),
            };
            match column.reader.read(received) {
                Ok(value) => {
                    if let Some(hashed) = &column.key {
                        key = key.zip(hashed.value(&value)).map(|(sum, hash)| sum.wrapping_add(hash));
                    }
                    self.bytes += column.cells.append(value);
                }
                Err(reason) => {
                    if column.key.is_some() {
                        key = None;
                    }
                    column.unreadable += u64::from(reason.code != Code::Required);
                    column.cells.append_null();
                    self.faults.push(reason);
                }
            }
        }
        self.keys.push(key.map(|sum| hash::mixed(Subject::Key, sum)));
        if !self.faults.is_empty() {
            let reasons = self.faults.drain(..).map(|reason| reason.to_string()).collect();
            let raw = self.echo.raw(row, received, cell)?;
            self.bytes += raw.text.len();
            self.marks.bad.insert(self.rows.len(), Bad { reasons, raw });
        }
        self.rows.push(row);
        Ok(true)
    }

    /// Takes in a row whose cells cannot be told apart, for this reason.
    pub(crate) fn push_ragged(
        &mut self,
        row: i64,
        received: Received<'_>,
        code: Code,
        message: &str,
    ) -> Result<()> {
        self.echo.check_size(row, received)?;
        for column in &mut self.columns {
            column.cells.append_null();
            column.unreadable += 1;
        }
        let reasons = vec![Reason::new(code, "row", message).to_string()];
        let raw = self.echo.raw(row, received, &|_| Cell::Null)?;
        self.bytes += raw.text.len();
        self.marks.bad.insert(self.rows.len(), Bad { reasons, raw });
        self.rows.push(row);
        self.keys.push(None);
        Ok(())
    }

    /// Whether it is time to hand the rows on.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= MAX_ROWS || self.bytes >= MAX_BYTES
    }

    /// The key of the row pushed last, if it could be read.
    pub(super) fn last_key(&self) -> Option<u128> {
        self.keys.last().copied().flatten()
    }

    /// The index of the row pushed last, the marks, and what shows the row.
    pub(super) fn last_marks(&mut self) -> (usize, &mut Marks, &Echo) {
        (self.rows.len().saturating_sub(1), &mut self.marks, &self.echo)
    }

    /// The rows so far, if any; the sheet is empty afterwards.
    pub(crate) fn take(&mut self) -> Result<Option<Draft>> {
        if self.rows.is_empty() && !self.skips.has_counted() {
            return Ok(None);
        }
        self.bytes = 0;
        let rows = std::mem::take(&mut self.rows);
        let mut hashes = vec![0; rows.len()];
        let mut columns = Vec::with_capacity(self.columns.len());
        let mut counts = Counts { skipped: self.skips.take_counts(), ..Counts::default() };
        for (at, (column, hashed)) in self.columns.iter_mut().zip(&self.row_hash).enumerate() {
            let array = column.cells.finish();
            hashed.add(&array, &mut hashes)?;
            columns.push(array);
            counts.unreadable.push(std::mem::take(&mut column.unreadable));
            let unmapped = column.reader.take_unmapped();
            if unmapped.rows > 0 {
                counts.unmapped.push((at, unmapped));
            }
        }
        hashes.iter_mut().for_each(|sum| *sum = hash::mixed(Subject::Row, *sum));
        Ok(Some(Draft {
            rows,
            keys: std::mem::take(&mut self.keys),
            hashes,
            columns,
            counts,
            marks: std::mem::take(&mut self.marks),
        }))
    }
}

impl Echo {
    /// A row as it was received.
    pub(super) fn raw<'r, F>(&self, row: i64, received: Received<'_>, cell: &F) -> Result<Raw>
    where
        F: Fn(usize) -> Cell<'r> + ?Sized,
    {
        let text = match received {
            Received::Line(bytes) => return Ok(line(bytes)),
            Received::Cells => json(&self.from, cell),
        };
        match text.len() > 4 * MAX_ROW_BYTES {
            true => Err(too_long(&self.at, row)),
            false => Ok(Raw { hash: hash::bad_row(text.as_bytes()), text }),
        }
    }

    fn check_size(&self, row: i64, received: Received<'_>) -> Result<()> {
        match received {
            Received::Line(bytes) if bytes.len() > MAX_ROW_BYTES => Err(too_long(&self.at, row)),
            _ => Ok(()),
        }
    }
}

/// A record of a file as it was received.
pub(crate) fn line(bytes: &[u8]) -> Raw {
    Raw { text: readable(bytes).into_owned(), hash: hash::bad_row(bytes) }
}

/// What every row of `file` has in `column`, where that is no matter of its cells.
fn given(column: &crate::connector::contract::Column, file: Option<&str>) -> Option<String> {
    match &column.origin {
        Origin::Cell | Origin::Sheet | Origin::Extra => None,
        // A text of nothing is no value.
        Origin::File => Some(file.unwrap_or_default().to_string()),
        Origin::Fixed(text) => Some(text.clone()),
    }
}

/// The columns of the source that `contract` reads, by their first names; two contract columns may
/// be made of one.
fn named(contract: &Contract) -> Vec<(usize, String)> {
    let mut named: Vec<(usize, String)> = Vec::with_capacity(contract.columns.len());
    for (at, column) in contract.columns.iter().enumerate() {
        let is_new = !named.iter().any(|(_, name)| *name == column.from[0]);
        if is_new && given(column, None).is_none() {
            named.push((at, column.from[0].clone()));
        }
    }
    named
}

fn line_key(file: Option<&str>) -> (hash::Column, u128) {
    let [name, line] = LINE_KEY;
    let name = hash::Column::new(Subject::Key, name, Kind::Text);
    let file = file.and_then(|file| name.value(&Value::Text(file.into())));
    (hash::Column::new(Subject::Key, line, Kind::Int), file.unwrap_or_default())
}

fn too_long(at: &str, row: i64) -> Error {
    Error::contract(format!("row {row} is longer than {} MiB", MAX_ROW_BYTES >> 20))
        .at(at)
        .hint("the data may be binary")
}

/// A database row as JSON: `{"NAME":"Miller","PAY":null}`.
fn json<'r, F>(names: &[(usize, String)], cell: &F) -> String
where
    F: Fn(usize) -> Cell<'r> + ?Sized,
{
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let members: Vec<String> = names
        .iter()
        .map(|(at, name)| {
            let value = match cell(*at) {
                Cell::Null => "null".to_string(),
                Cell::Int(value) => value.to_string(),
                Cell::Blob(bytes) => {
                    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    format!("\"x'{digits}'\"")
                }
                typed => text(&typed.text()),
            };
            format!("{}:{value}", text(name))
        })
        .collect();
    format!("{{{}}}", members.join(","))
}
