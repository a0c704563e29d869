//! What is found out about a snapshot as a whole.

use crate::connector::batch::{Counts, Draft};
use crate::connector::contract::Contract;
use crate::connector::finding::{Finding, Matter};
use crate::connector::names::Named;
use crate::connector::rows::Control;
use crate::connector::value::Unmapped;
use crate::error::Result;
use datafusion::arrow::array::Array;

/// A column of which more than this share of the values cannot be read has another type.
const READABLE_SHARE: f64 = 0.05;

/// Fewer values say nothing about a column.
const TELLING_VALUES: u64 = 20;

/// The counts of a snapshot.
#[derive(Debug)]
pub(super) struct Notes {
    columns: Vec<Tally>,
    /// The rules of the contract, and the rows they left out.
    skipped: Vec<(String, u64)>,
    /// What others found.
    said: Vec<Finding>,
}

/// The counts of one column.
#[derive(Debug)]
struct Tally {
    name: String,
    readable: u64,
    unreadable: u64,
    unmapped: Unmapped,
}

impl Notes {
    pub(super) fn new(contract: &Contract, control: &Control) -> Result<Self> {
        let tally = |name: &String| Tally {
            name: name.clone(),
            readable: 0,
            unreadable: 0,
            unmapped: Unmapped::default(),
        };
        let mut said = control.findings.clone();
        // Names that nobody can tell apart have been matched by their case.
        if let Ok(named) = Named::of(contract, &control.columns)
            && !control.columns.is_empty()
        {
            said.extend(named.findings(contract, &control.columns)?);
        }
        Ok(Self {
            columns: contract.columns.iter().map(|column| tally(&column.name)).collect(),
            skipped: contract.skip.iter().map(|skip| (skip.label.clone(), 0)).collect(),
            said,
        })
    }

    /// Takes note of rows and of what was counted with them, before any of them is taken out.
    pub(super) fn receive(&mut self, draft: &Draft) {
        let Counts { unreadable, unmapped, skipped } = &draft.counts;
        for (at, (tally, column)) in self.columns.iter_mut().zip(&draft.columns).enumerate() {
            tally.unreadable += unreadable.get(at).copied().unwrap_or_default();
            tally.readable += (column.len() - column.null_count()) as u64;
        }
        for (at, codes) in unmapped {
            self.columns[*at].unmapped.merge(codes.clone());
        }
        for ((_, sum), count) in self.skipped.iter_mut().zip(skipped) {
            *sum += count;
        }
    }

    /// Adds what somebody else found.
    pub(super) fn say(&mut self, finding: Finding) {
        self.said.push(finding);
    }

    /// How many rows were left out.
    pub(super) fn skipped_rows(&self) -> u64 {
        self.skipped.iter().map(|(_, rows)| rows).sum()
    }

    /// All that was found.
    pub(super) fn finish(self) -> Vec<Finding> {
        let mut findings = self.said;
        for (label, rows) in self.skipped.into_iter().filter(|(_, rows)| *rows > 0) {
            findings.push(Finding::of_load(Matter::Skipped, rows, format!("{rows} rows left out: {label}")));
        }
        for Tally { name, readable, unreadable, unmapped } in self.columns {
            if unmapped.rows > 0 {
                let codes: Vec<String> = unmapped.codes.iter().map(|code| format!("\"{code}\"")).collect();
                let message =
                    format!("{} values are not in the map, such as {}", unmapped.rows, codes.join(", "));
                findings.push(Finding::of_column(Matter::Unmapped, &name, unmapped.rows, message));
            }
            let values = readable + unreadable;
            if values >= TELLING_VALUES && (readable as f64) < READABLE_SHARE * values as f64 {
                let message =
                    format!("{unreadable} of {values} values cannot be read: has its type changed?");
                findings.push(Finding::of_column(Matter::ChangedType, &name, unreadable, message));
            }
        }
        findings
    }
}
