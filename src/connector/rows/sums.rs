//! Control totals: the sums of columns over what was received.

use crate::connector::Sum;
use crate::connector::batch::Draft;
use crate::connector::contract::{Contract, Type};
use crate::connector::rows::{CUT, Control, place_of};
use crate::connector::value::number;
use crate::error::{Error, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{Decimal128Type, Int64Type};
use std::collections::BTreeMap;

/// The running sum of one column.
#[derive(Debug)]
pub(super) struct Tally {
    name: String,
    column: usize,
    scale: u8,
    source: Option<i128>,
    received: i128,
    /// The part of it in bad rows.
    refused: i128,
    unreadable: u64,
}

impl Tally {
    /// One for each column that the contract or the source sums.
    pub(super) fn of(contract: &Contract, control: &Control) -> Result<Vec<Self>> {
        let mut names: Vec<&String> = contract.totals.iter().chain(control.sums.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let tally = |name: &String| {
            let column = place_of(contract, name)?;
            let scale = match contract.columns[column].ty {
                Type::Int => Some(0),
                Type::Decimal { scale, .. } => u8::try_from(scale).ok(),
                _ => None,
            };
            let not_numeric = || Error::config(format!("column '{name}' is not numeric and has no sum"));
            Ok(Self {
                name: name.clone(),
                column,
                scale: scale.ok_or_else(not_numeric)?,
                source: control.sums.get(name).copied(),
                received: 0,
                refused: 0,
                unreadable: 0,
            })
        };
        names.into_iter().map(tally).collect()
    }

    /// Adds rows as they were received. A missing value adds nothing; one that cannot be read
    /// makes the sum incomparable.
    pub(super) fn receive(&mut self, draft: &Draft) -> Result<()> {
        self.unreadable += draft.counts.unreadable.get(self.column).copied().unwrap_or_default();
        let sum = total(&draft.columns[self.column]).and_then(|sum| self.received.checked_add(sum));
        self.received = sum.ok_or_else(|| {
            Error::contract(format!("the sum of column '{}' has more than 38 digits", self.name))
        })?;
        Ok(())
    }

    /// Takes note of the bad rows among rows that were received before.
    pub(super) fn refuse(&mut self, draft: &Draft) {
        let column = &draft.columns[self.column];
        let values = draft.marks.bad.keys().filter_map(|at| value(column, *at));
        // A part of a sum that was kept may still be too large to keep, with both signs in it:
        // modulo 2^128 the difference is right nevertheless.
        self.refused = values.fold(self.refused, i128::wrapping_add);
    }

    /// The sum, compared with the source's.
    pub(super) fn finish(self) -> Result<(String, Sum)> {
        let text = |units| number::render(units, self.scale);
        let (source, received) = (self.source.map(text), text(self.received));
        if let Some(source) = &source
            && self.unreadable == 0
            && self.source != Some(self.received)
        {
            let name = &self.name;
            let message =
                format!("the sum of column '{name}' is {source} at the source, but {received} was received");
            return Err(Error::contract(message).hint(CUT));
        }
        let accepted = text(self.received.wrapping_sub(self.refused));
        Ok((self.name, Sum { source, received, accepted, unreadable: self.unreadable }))
    }
}

/// The sums of all tallies by name.
pub(super) fn finish(tallies: Vec<Tally>) -> Result<BTreeMap<String, Sum>> {
    tallies.into_iter().map(Tally::finish).collect()
}

/// The sum of a numeric column; `None` when it has more than 38 digits.
fn total(column: &ArrayRef) -> Option<i128> {
    match column.as_primitive_opt::<Int64Type>() {
        Some(values) => Some(values.iter().flatten().map(i128::from).sum()),
        None => {
            let values = column.as_primitive_opt::<Decimal128Type>()?;
            values.iter().flatten().try_fold(0i128, i128::checked_add)
        }
    }
}

fn value(column: &ArrayRef, at: usize) -> Option<i128> {
    if column.is_null(at) {
        return None;
    }
    match column.as_primitive_opt::<Int64Type>() {
        Some(values) => Some(i128::from(values.value(at))),
        None => Some(column.as_primitive_opt::<Decimal128Type>()?.value(at)),
    }
}
