//! Rows on their way from the driver: read in blocks into buffers of known size.

use crate::connector::transport::odbc::dialect::Pieces;
use crate::connector::transport::odbc::fault::Broken;
use crate::connector::transport::odbc::kind::Kind;
use crate::connector::value::Cell;
use arrow_odbc::odbc_api::buffers::{BufferDesc, ColumnarDynBuffer};
use arrow_odbc::odbc_api::{Connection, Cursor};
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The most memory of a block, unless a single row has more.
const BLOCK_BYTES: usize = 8 << 20;

/// The most rows of a block.
const BLOCK_ROWS: usize = 2_000;

/// What is read: one column of a query.
#[derive(Debug, Clone)]
pub(super) struct Selected {
    pub(super) kind: Kind,
    /// The most characters of a value, or bytes of a blob.
    pub(super) width: usize,
}

/// Some rows.
#[derive(Debug)]
pub(super) struct Page {
    columns: Arc<[Selected]>,
    pub(super) rows: usize,
    /// The values of all rows, one after the other, and where each is.
    bytes: Vec<u8>,
    values: Vec<Value>,
}

/// Where a value is.
#[derive(Debug, Clone)]
enum Value {
    Null,
    Text(Range<usize>),
    /// Text that is malformed: what is well-formed of it.
    Malformed(Range<usize>),
    Blob(Range<usize>),
}

impl Page {
    /// A cell.
    pub(super) fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        match &self.values[row * self.columns.len() + column] {
            Value::Null => Cell::Null,
            Value::Text(place) => match std::str::from_utf8(&self.bytes[place.clone()]) {
                Ok(text) => self.columns[column].kind.cell(text),
                Err(_) => Cell::Malformed(&self.bytes[place.clone()]),
            },
            Value::Malformed(place) => Cell::Malformed(&self.bytes[place.clone()]),
            Value::Blob(place) => Cell::Blob(&self.bytes[place.clone()]),
        }
    }
}

/// A query on its way to the driver.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) select: String,
    pub(super) columns: Arc<[Selected]>,
    /// The limit of a query, for drivers that must be told.
    pub(super) seconds: Option<usize>,
    pub(super) pieces: Option<Pieces>,
}

/// Takes pages and why there are no more.
type Outlet = mpsc::Sender<Result<Page, Broken>>;

impl Query {
    /// Runs the query and sends its rows, until nobody wants more.
    pub(super) fn send(&self, connection: &Connection<'static>, outlet: &Outlet) {
        let sent = match self.pieces {
            Some(pieces) => self.send_pieces(connection, pieces, outlet),
            None => self
                .buffer()
                .and_then(|(_, buffer)| self.send_all(connection, &self.select, buffer, outlet).map(drop)),
        };
        if let Err(broken) = sent {
            // Nobody listens any more: nobody needs the error.
            outlet.blocking_send(Err(broken)).ok();
        }
    }

    fn send_pieces(
        &self,
        connection: &Connection<'static>,
        pieces: Pieces,
        outlet: &Outlet,
    ) -> Result<(), Broken> {
        let (rows, mut buffer) = self.buffer()?;
        connection.execute(&(pieces.open)(&self.select), (), self.seconds)?;
        let next = (pieces.next)(rows);
        let sent = loop {
            match self.send_all(connection, &next, buffer, outlet) {
                Ok(Some((1.., again))) => buffer = again,
                Ok(_) => break Ok(()),
                Err(broken) => break Err(broken),
            }
        };
        // What cannot be closed ends with its transaction.
        connection.execute(pieces.close, (), None).ok();
        sent
    }

    /// Sends the rows of a statement; gives their number and the buffer, or nothing when nobody
    /// wants more.
    fn send_all(
        &self,
        connection: &Connection<'static>,
        statement: &str,
        buffer: ColumnarDynBuffer,
        outlet: &Outlet,
    ) -> Result<Option<(usize, ColumnarDynBuffer)>, Broken> {
        let Some(cursor) = connection.execute(statement, (), self.seconds)? else {
            return Err(Broken::NoRows);
        };
        let mut cursor = cursor.bind_buffer(buffer)?;
        let mut rows = 0;
        while let Some(block) = cursor.fetch()? {
            rows += block.num_rows();
            let page = page(block, &self.columns)?;
            if outlet.blocking_send(Ok(page)).is_err() {
                return Ok(None);
            }
        }
        Ok(Some((rows, cursor.unbind()?.1)))
    }

    /// A buffer for some rows, and for how many.
    fn buffer(&self) -> Result<(usize, ColumnarDynBuffer), Broken> {
        let descriptions: Vec<BufferDesc> = self.columns.iter().map(Selected::buffer).collect();
        let row: usize = descriptions.iter().map(BufferDesc::bytes_per_row).sum();
        let rows = (BLOCK_BYTES / row.max(1)).clamp(1, BLOCK_ROWS);
        Ok((rows, ColumnarDynBuffer::try_from_descs(rows, descriptions)?))
    }
}

impl Selected {
    fn buffer(&self) -> BufferDesc {
        match self.kind {
            Kind::Blob => BufferDesc::Binary { max_bytes: self.width.max(1) },
            // A character may take two units of UTF-16.
            Kind::Text => BufferDesc::WText { max_str_len: (2 * self.width).max(1) },
            _ => BufferDesc::WText { max_str_len: self.width.max(1) },
        }
    }
}

fn page(block: &ColumnarDynBuffer, columns: &Arc<[Selected]>) -> Result<Page, Broken> {
    let rows = block.num_rows();
    let mut page = Page {
        columns: Arc::clone(columns),
        rows,
        bytes: Vec::new(),
        values: vec![Value::Null; rows * columns.len()],
    };
    for (at, column) in columns.iter().enumerate() {
        let too_long = || Broken::TooLong { column: at };
        let slots = page.values.iter_mut().skip(at).step_by(columns.len());
        if column.kind == Kind::Blob {
            let blobs = block.column(at).as_binary().ok_or(Broken::NoRows)?;
            if blobs.has_truncated_values().is_some() {
                return Err(too_long());
            }
            for (slot, blob) in slots.zip(blobs.iter()) {
                let Some(blob) = blob else { continue };
                let start = page.bytes.len();
                page.bytes.extend_from_slice(blob);
                *slot = Value::Blob(start..page.bytes.len());
            }
            continue;
        }
        let texts = block.column(at).as_wide_text().ok_or(Broken::NoRows)?;
        if texts.has_truncated_values().is_some() {
            return Err(too_long());
        }
        for (row, slot) in slots.enumerate() {
            let Some(units) = texts.get(row) else { continue };
            let start = page.bytes.len();
            let is_malformed = decode(units, &mut page.bytes);
            let place = start..page.bytes.len();
            *slot = if is_malformed { Value::Malformed(place) } else { Value::Text(place) };
        }
    }
    Ok(page)
}

/// Appends UTF-16 as UTF-8; whether some of it is malformed, for which there is a byte of no text.
fn decode(units: &[u16], into: &mut Vec<u8>) -> bool {
    let mut is_malformed = false;
    for char in char::decode_utf16(units.iter().copied()) {
        match char {
            Ok(char) if char.is_ascii() => into.push(char as u8),
            Ok(char) => into.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(_) => {
                into.push(0xff);
                is_malformed = true;
            }
        }
    }
    is_malformed
}
