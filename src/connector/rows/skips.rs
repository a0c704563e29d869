//! Rows that a contract leaves out, counted by rule.

use crate::connector::contract::Contract;
use crate::connector::rows::place_of;
use crate::connector::value::Cell;
use crate::error::{Error, Result};
use regex::Regex;

/// The rules of a contract.
#[derive(Debug)]
pub(super) struct Skips {
    rules: Vec<(usize, Regex)>,
    /// By rule, the rows since they were last asked for.
    counts: Vec<u64>,
}

impl Skips {
    pub(super) fn new(contract: &Contract) -> Result<Self> {
        let rule = |skip: &crate::connector::contract::Skip| {
            let matches = Regex::new(&skip.matches).map_err(|error| {
                Error::config(format!(
                    "`matches` of a skip rule for '{}' is no regular expression",
                    skip.column
                ))
                .because(error)
            })?;
            Ok((place_of(contract, &skip.column)?, matches))
        };
        let rules = contract.skip.iter().map(rule).collect::<Result<Vec<_>>>()?;
        Ok(Self { counts: vec![0; rules.len()], rules })
    }

    /// Whether a rule leaves out the row with these cells; it is counted then.
    #[inline]
    pub(super) fn take<'r, F>(&mut self, cell: &F) -> bool
    where
        F: Fn(usize) -> Cell<'r> + ?Sized,
    {
        for ((column, matches), count) in self.rules.iter().zip(&mut self.counts) {
            if matches.is_match(cell(*column).text().trim()) {
                *count += 1;
                return true;
            }
        }
        false
    }

    /// Whether rows were left out that nobody has asked for yet.
    pub(super) fn has_counted(&self) -> bool {
        self.counts.iter().any(|count| *count > 0)
    }

    /// The rows that were left out since the last call, by rule.
    pub(super) fn take_counts(&mut self) -> Vec<u64> {
        let none = vec![0; self.rules.len()];
        std::mem::replace(&mut self.counts, none)
    }
}
