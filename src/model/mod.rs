//! 3 MODEL. Plain SQL files become tables, force by force; 4 CHECK gates what they wrote.

pub mod build;
pub mod check;
pub mod compare;
pub mod content;
pub mod failures;
pub mod graph;
pub mod header;
pub mod key;
pub mod lineage;
mod rules;
pub mod staging;

pub use rules::{Check, RowCount, Rule, Severity, Share, Threshold};

use std::collections::BTreeSet;
use std::sync::Arc;

/// The layer that a model's folder puts it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// One vendor's mapping to a conformed entity, evaluated per source; a view.
    Staging,
    /// Business entities.
    Conformed,
    /// Answers to questions.
    Marts,
}

impl Layer {
    /// The schema name in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Staging => "staging",
            Layer::Conformed => "conformed",
            Layer::Marts => "marts",
        }
    }
}

/// Whether a model runs for each force alone or once over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Once per force, seeing only that force's rows; the engine adds the column `force`.
    Force,
    /// Once over every force; needs an explicit grant to be read.
    Hub,
}

/// One SQL file: its header and its statement.
#[derive(Debug, Clone)]
pub struct Model {
    /// The layer, from the folder.
    pub layer: Layer,
    /// The name, from the file: `employment`.
    pub name: String,
    /// For staging: the system whose folder holds the mapping.
    pub system: Option<String>,
    /// Whether it runs per force or once.
    pub scope: Scope,
    /// The first sentence of the header.
    pub description: String,
    /// The columns that identify a row.
    pub grain: Vec<String>,
    /// Documented columns, in header order.
    pub columns: Vec<ColumnDoc>,
    /// The checks that gate what it writes.
    pub checks: Vec<Check>,
    /// The tables it reads, as `layer.name`, sorted; from the SQL, not from the header.
    pub reads: Vec<String>,
    /// The statement, without the header.
    pub sql: Arc<str>,
    /// Which columns each of its columns comes from.
    pub lineage: Vec<lineage::Trace>,
    /// Where it was found, as shown in messages.
    pub file: String,
}

impl Model {
    /// `layer.name`, the table's name in SQL.
    pub fn table(&self) -> String {
        format!("{}.{}", self.layer.as_str(), self.name)
    }

    /// The tables that it reads, and those that its checks look into.
    pub fn looks_into(&self) -> BTreeSet<String> {
        let checked = self.checks.iter().flat_map(|check| check.rule.reads());
        self.reads.iter().cloned().chain(checked).collect()
    }

    /// Whether time alone can make a check of it fail.
    pub fn grows_old(&self) -> bool {
        self.checks.iter().any(|check| matches!(check.rule, Rule::Fresh { .. }))
    }
}

/// What a header says of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDoc {
    /// The column.
    pub name: String,
    /// What it means, in words a finance officer can check.
    pub text: String,
    /// Tags in square brackets: `pii`.
    pub tags: Vec<String>,
}
