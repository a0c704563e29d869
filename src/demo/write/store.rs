//! The tables or files of one system while they are written.

use crate::demo::write::files::Lines;
use crate::demo::write::row::{Row, parse_decimal, push_decimal};
use crate::demo::write::sqlite::Database;
use crate::demo::write::{Fault, Format, Kind, Layout, UNDECODABLE};
use crate::error::{Error, Result};
use std::path::Path;

/// What the hub must find it received of one entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::demo) struct Received {
    /// The entity's name in the connector.
    pub entity: &'static str,
    /// Rows, good and bad.
    pub rows: u64,
    /// The reasons of every bad row.
    pub bad: Vec<&'static [&'static str]>,
}

/// The open tables or files of one system.
pub(super) struct Store {
    format: Format,
    database: Option<Database>,
    sheets: Vec<Sheet>,
}

/// One open table or file.
struct Sheet {
    layout: &'static Layout,
    rows: u64,
    bad: Vec<&'static [&'static str]>,
    /// Position, digits behind the point, and the sum so far of every total.
    sums: Vec<(usize, u32, i128)>,
    /// The first row, which bad rows are made from.
    first: Option<Row>,
    /// `None` in a database.
    lines: Option<Lines>,
}

impl Store {
    /// Opens a system at `path`: the database file, or the folder of its files.
    pub(super) fn open(path: &Path, format: Format, layouts: &'static [Layout]) -> Result<Self> {
        let folder = if format == Format::Database { path.parent().unwrap_or(path) } else { path };
        std::fs::create_dir_all(folder).map_err(|e| {
            Error::internal(format!("cannot create folder '{}'", folder.display())).because(e)
        })?;
        let database = match format {
            Format::Database => Some(Database::create(path, layouts)?),
            Format::Delimited(_) | Format::Fixed => None,
        };
        let sheets = layouts.iter().map(|layout| Sheet::open(path, format, layout)).collect::<Result<_>>()?;
        Ok(Self { format, database, sheets })
    }

    /// Adds a good row to the layout at position `sheet`.
    pub(super) fn put(&mut self, sheet: usize, row: &Row) -> Result<()> {
        let position = sheet;
        let sheet = &mut self.sheets[position];
        if sheet.first.is_none() {
            sheet.first = Some(row.clone());
        }
        sheet.count(row);
        match (&mut self.database, &mut sheet.lines) {
            (Some(database), _) => database.put(position, row),
            (None, Some(lines)) => lines.put(row, sheet.layout, self.format),
            (None, None) => Err(Error::internal("a sheet without a file or a database")),
        }
    }

    /// Plants bad rows at the end.
    pub(super) fn spoil(&mut self, faults: &[Fault]) -> Result<()> {
        for fault in faults {
            let unknown = || Error::internal(format!("no entity '{}' to plant a fault in", fault.entity));
            let position =
                self.sheets.iter().position(|s| s.layout.entity == fault.entity).ok_or_else(unknown)?;
            let row = self.sheets[position].spoilt(fault)?;
            self.put(position, &row)?;
            self.sheets[position].bad.push(fault.reasons);
        }
        Ok(())
    }

    /// Writes the control records and closes everything.
    pub(super) fn finish(self) -> Result<Vec<Received>> {
        if let Some(database) = self.database {
            database.finish()?;
        }
        let mut received = Vec::new();
        for mut sheet in self.sheets {
            let trailer = sheet.trailer();
            if let Some(lines) = sheet.lines.take() {
                lines.finish(trailer.as_deref(), self.format)?;
            }
            received.push(Received { entity: sheet.layout.entity, rows: sheet.rows, bad: sheet.bad });
        }
        Ok(received)
    }
}

impl Sheet {
    fn open(path: &Path, format: Format, layout: &'static Layout) -> Result<Self> {
        let lines = match format {
            Format::Database => None,
            Format::Delimited(_) | Format::Fixed => Some(Lines::create(path, format, layout)?),
        };
        let position = |name: &str| layout.columns.iter().position(|c| c.name == name);
        let sums = layout.trailer.unwrap_or_default().iter();
        let sums = sums.filter_map(|&(name, scale)| Some((position(name)?, scale, 0))).collect();
        Ok(Self { layout, rows: 0, bad: Vec::new(), sums, first: None, lines })
    }

    fn count(&mut self, row: &Row) {
        self.rows += 1;
        for (position, scale, sum) in &mut self.sums {
            if *position < row.len() {
                *sum += parse_decimal(row.cell(*position), *scale).unwrap_or_default();
            }
        }
    }

    fn trailer(&self) -> Option<String> {
        self.layout.trailer?;
        let mut trailer = format!("T|{}", self.rows);
        for &(_, scale, sum) in &self.sums {
            trailer.push('|');
            push_decimal(&mut trailer, sum, scale);
        }
        Some(trailer)
    }

    /// The first row with the cells of `fault`.
    fn spoilt(&self, fault: &Fault) -> Result<Row> {
        let entity = fault.entity;
        let none = || Error::internal(format!("entity '{entity}' has no row to plant a fault in"));
        let first = self.first.as_ref().ok_or_else(none)?;
        let mut cells: Vec<&str> = first.cells().collect();
        for (name, cell) in fault.cells {
            let column = self.layout.columns.iter().position(|c| c.name == *name);
            let unknown = || Error::internal(format!("entity '{entity}' has no column '{name}' to spoil"));
            cells[column.ok_or_else(unknown)?] = cell;
        }
        match fault.ragged {
            0 => {}
            1.. => cells.push("stray"),
            _ => cells.truncate(cells.len() - 1),
        }
        let mut row = Row::default();
        for cell in cells {
            row.text(cell);
        }
        Ok(row)
    }
}

impl Layout {
    /// The SQL type of a column, by which SQLite chooses how to keep the texts it is given.
    pub(super) fn affinity(kind: Kind) -> &'static str {
        match kind {
            Kind::Text => "TEXT",
            Kind::Int => "INTEGER",
            Kind::Number => "NUMERIC",
        }
    }
}

/// The bytes of a UTF-8 line, with one byte that is not UTF-8 wherever one is wanted.
pub(super) fn mangled(line: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len());
    for c in line.chars() {
        match c {
            // What `é` is in Windows-1252.
            UNDECODABLE => bytes.push(0xe9),
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}
