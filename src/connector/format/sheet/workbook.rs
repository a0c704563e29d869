//! Opens a workbook by its content and walks through its sheets.

use super::cell::{Epoch, Item};
use super::guard;
use crate::connector::format::decode::unreadable;
use crate::connector::format::unpack::kind::{self, Kind};
use crate::error::{Error, Result};
use calamine::{Data, Ods, OdsError, Range, Reader, SheetType, Xls, XlsError, Xlsx, XlsxError};
use std::fs::File;
use std::io::{BufReader, Seek};

/// The most columns of a sheet.
const MOST_COLUMNS: usize = 16_384;

type Input = BufReader<File>;

/// A workbook, opened.
pub(super) enum Workbook {
    Xlsx(Box<Xlsx<Input>>),
    Xls(Box<Xls<Input>>),
    Ods(Box<Ods<Input>>),
}

/// Takes a row: its number in the sheet, from 1, and its cells from the first column on. Says
/// whether anybody still listens.
pub(super) type Take<'a> = &'a mut dyn FnMut(i64, &[Item<'_>]) -> Result<bool>;

/// Opens a workbook, whatever its file is called.
pub(super) fn open(mut file: File) -> Result<Workbook> {
    let kind = kind::of(&mut file)?;
    if kind == Kind::Compound {
        guard::size(&file)?;
    }
    let mut rewound = || {
        file.rewind().map_err(unreadable)?;
        file.try_clone().map(BufReader::new).map_err(unreadable)
    };
    match kind {
        Kind::Xlsx => {
            guard::check(rewound()?)?;
            Xlsx::new(rewound()?).map(|book| Workbook::Xlsx(Box::new(book))).map_err(of_xlsx)
        }
        Kind::Ods => {
            guard::check(rewound()?)?;
            Ods::new(rewound()?).map(|book| Workbook::Ods(Box::new(book))).map_err(of_ods)
        }
        Kind::Compound => {
            // An encrypted xlsx is kept in the container of the old format.
            if let Err(XlsxError::Password) = Xlsx::new(rewound()?) {
                return Err(encrypted());
            }
            Xls::new(rewound()?).map(|book| Workbook::Xls(Box::new(book))).map_err(of_xls)
        }
        Kind::Xlsb => Err(refused("a binary workbook (.xlsb)")),
        Kind::Html => Err(refused("an HTML page")),
        Kind::Xml => Err(refused("XML")),
        Kind::Empty => Err(Error::contract("the file is empty").hint("ask for it again")),
        Kind::Zip | Kind::Gzip | Kind::Other => Err(refused("no workbook")),
    }
}

impl Workbook {
    /// The names of the worksheets, in their order.
    pub(super) fn sheets(&self) -> Vec<String> {
        let sheets = match self {
            Workbook::Xlsx(book) => book.sheets_metadata(),
            Workbook::Xls(book) => book.sheets_metadata(),
            Workbook::Ods(book) => book.sheets_metadata(),
        };
        let is_worksheet = |sheet: &&calamine::Sheet| sheet.typ == SheetType::WorkSheet;
        sheets.iter().filter(is_worksheet).map(|sheet| sheet.name.clone()).collect()
    }

    /// Where its days are counted from.
    pub(super) fn epoch(&self) -> Epoch {
        let is_1904 = match self {
            Workbook::Xlsx(book) => book.has_1904_epoch(),
            Workbook::Xls(book) => book.has_1904_epoch(),
            // Its days are written out.
            Workbook::Ods(_) => false,
        };
        if is_1904 { Epoch::Of1904 } else { Epoch::Of1900 }
    }

    /// Hands the rows of a sheet to `take`; `false` when it did not want more. Rows without any
    /// cell may be left out.
    pub(super) fn rows(&mut self, sheet: &str, take: Take<'_>) -> Result<bool> {
        match self {
            Workbook::Xlsx(book) => stream(book, sheet, take),
            Workbook::Xls(book) => walk(&book.worksheet_range(sheet).map_err(of_xls)?, take),
            Workbook::Ods(book) => walk(&book.worksheet_range(sheet).map_err(of_ods)?, take),
        }
    }
}

/// The rows of a sheet that is read cell by cell.
fn stream(book: &mut Xlsx<Input>, sheet: &str, take: Take<'_>) -> Result<bool> {
    let mut cells = book.worksheet_cells_reader(sheet).map_err(of_xlsx)?;
    let (mut row, mut items) = (0, Vec::new());
    while let Some(cell) = cells.next_cell().map_err(of_xlsx)? {
        let (at, column) = cell.get_position();
        if at != row && !items.is_empty() {
            if at < row {
                return Err(broken(format!("row {} comes after row {}", at + 1, row + 1)));
            }
            if !take(i64::from(row) + 1, &items)? {
                return Ok(false);
            }
            items.clear();
        }
        row = at;
        let column = column as usize;
        if column >= MOST_COLUMNS {
            return Err(broken(format!("row {} has more than {MOST_COLUMNS} columns", at + 1)));
        }
        if column >= items.len() {
            items.resize(column + 1, Item::Empty);
        }
        items[column] = Item::new(cell.get_value().clone());
    }
    if items.is_empty() { Ok(true) } else { take(i64::from(row) + 1, &items) }
}

/// The rows of a sheet that is in memory.
fn walk(range: &Range<Data>, take: Take<'_>) -> Result<bool> {
    let Some((first_row, first_column)) = range.start() else { return Ok(true) };
    guard::cells(range.width() as u64 * range.height() as u64)?;
    let mut items = vec![Item::Empty; first_column as usize];
    for (row, cells) in (i64::from(first_row) + 1..).zip(range.rows()) {
        items.truncate(first_column as usize);
        items.extend(cells.iter().map(Item::of_data));
        if !take(row, &items)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn refused(what: &str) -> Error {
    Error::contract(format!("the file is {what}, whatever it is called"))
        .hint("format \"sheet\" reads .xlsx, .xls and .ods: save it as one of them")
}

fn encrypted() -> Error {
    Error::contract("the workbook is encrypted").hint("ask for it without a password")
}

fn damaged() -> Error {
    Error::contract("the workbook is damaged, or written in a way that is not read")
        .hint("open it, save it as .xlsx and try again")
}

fn broken(message: String) -> Error {
    Error::contract(format!("the workbook is damaged: {message}")).hint("ask for it again")
}

fn of_xlsx(error: XlsxError) -> Error {
    match error {
        XlsxError::Password => encrypted(),
        error => damaged().because(error),
    }
}

fn of_xls(error: XlsError) -> Error {
    match error {
        XlsError::Password => encrypted(),
        error => damaged().because(error),
    }
}

fn of_ods(error: OdsError) -> Error {
    match error {
        OdsError::Password => encrypted(),
        error => damaged().because(error),
    }
}
