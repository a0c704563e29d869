//! The rows of a block on their way to the one who settles them.

use crate::connector::batch::{Draft, Raw};
use crate::connector::rows::{Received, Sheet, line};
use crate::connector::value::{Cell, Code};
use crate::error::Result;
use std::ops::Range;
use std::sync::Arc;

/// Rows that were read, with their records.
pub(super) struct Page {
    pub(super) draft: Draft,
    records: Records,
}

/// Where a block has the records of some rows.
pub(super) struct Records {
    block: Arc<Vec<u8>>,
    places: Vec<Range<usize>>,
}

/// Fills pages with the rows of blocks.
pub(super) struct Pages<'a> {
    sheet: &'a mut Sheet,
    records: Records,
    send: &'a mut dyn FnMut(Page) -> bool,
}

impl Page {
    /// The rows and their records.
    pub(super) fn into_parts(self) -> (Draft, Records) {
        (self.draft, self.records)
    }
}

impl Records {
    /// A row as it was received.
    pub(super) fn raw(&self, at: usize) -> Raw {
        line(&self.block[self.places[at].clone()])
    }
}

impl<'a> Pages<'a> {
    /// Pages filled through an empty `sheet`; `send` says whether anybody still listens.
    pub(super) fn new(sheet: &'a mut Sheet, send: &'a mut dyn FnMut(Page) -> bool) -> Self {
        Self { sheet, records: Records { block: Arc::default(), places: Vec::new() }, send }
    }

    /// Begins a block. It is kept as long as one of its pages.
    pub(super) fn open(&mut self, block: Vec<u8>) -> Arc<Vec<u8>> {
        self.records.block = Arc::new(block);
        Arc::clone(&self.records.block)
    }

    /// Takes in a row, see [`Sheet::push`], whose `record` is there in the block.
    #[inline]
    pub(super) fn push<'r, F>(&mut self, row: i64, record: Range<usize>, cell: &F) -> Result<()>
    where
        F: Fn(usize) -> Cell<'r>,
    {
        if self.sheet.push(row, Received::Line(&self.records.block[record.clone()]), cell)? {
            self.records.places.push(record);
        }
        Ok(())
    }

    /// Takes in a row whose cells cannot be told apart.
    pub(super) fn push_ragged(
        &mut self,
        row: i64,
        record: Range<usize>,
        code: Code,
        message: &str,
    ) -> Result<()> {
        self.sheet.push_ragged(row, Received::Line(&self.records.block[record.clone()]), code, message)?;
        self.records.places.push(record);
        Ok(())
    }

    /// Sends the page if it is full; `false` when nobody listens any more.
    #[inline]
    pub(super) fn send_full(&mut self) -> Result<bool> {
        if self.sheet.is_full() { self.send() } else { Ok(true) }
    }

    /// Sends what is left of the block; `false` when nobody listens any more.
    pub(super) fn close(&mut self) -> Result<bool> {
        self.send()
    }

    fn send(&mut self) -> Result<bool> {
        let Some(draft) = self.sheet.take()? else { return Ok(true) };
        let places = std::mem::take(&mut self.records.places);
        let records = Records { block: Arc::clone(&self.records.block), places };
        Ok((self.send)(Page { draft, records }))
    }
}
