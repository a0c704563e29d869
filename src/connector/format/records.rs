//! The rows of formats that are not cut at line ends: a reader pushes one after the other.

use crate::connector::Totals;
use crate::connector::contract::Contract;
use crate::connector::finding::Finding;
use crate::connector::format::Emit;
use crate::connector::rows::{Control, Received, Rows};
use crate::connector::value::Cell;
use crate::error::Result;

/// Takes rows and hands their batches on.
pub(super) struct Records<'a> {
    rows: Rows,
    emit: Emit<'a>,
}

impl<'a> Records<'a> {
    /// The rows of the file called `file`; `at` is the place for errors.
    pub(super) fn new(contract: &Contract, at: &str, file: &str, emit: Emit<'a>) -> Result<Self> {
        Self::controlled(contract, at, file, Control::default(), emit)
    }

    /// The same for a file that says what is in it.
    pub(super) fn controlled(
        contract: &Contract,
        at: &str,
        file: &str,
        control: Control,
        emit: Emit<'a>,
    ) -> Result<Self> {
        Ok(Self { rows: Rows::new(contract, at, Some(file.to_string()), false, control)?, emit })
    }

    /// Takes in a row, which people find under this number in the file; `cell` gives the cell of
    /// each contract column. `false` when nobody listens any more.
    pub(super) fn push<'r, F>(&mut self, row: i64, received: Received<'_>, cell: &F) -> Result<bool>
    where
        F: Fn(usize) -> Cell<'r> + ?Sized,
    {
        self.rows.push(row, received, cell)?;
        Ok(self.rows.full_batch()?.is_none_or(&mut *self.emit))
    }

    /// Takes in a row whose cells cannot be told apart. `false` when nobody listens any more.
    pub(super) fn push_ragged(&mut self, row: i64, received: Received<'_>, message: &str) -> Result<bool> {
        self.rows.push_ragged(row, received, message)?;
        Ok(self.rows.full_batch()?.is_none_or(&mut *self.emit))
    }

    /// Adds to what is told about the file as a whole.
    pub(super) fn note(&mut self, finding: Finding) {
        self.rows.note(finding);
    }

    /// Hands the last rows on. `None` when nobody listened to the end.
    pub(super) fn finish(mut self) -> Result<Option<Totals>> {
        while let Some(batch) = self.rows.last_batch()? {
            if !(self.emit)(batch) {
                return Ok(None);
            }
        }
        self.rows.totals().map(Some)
    }
}
