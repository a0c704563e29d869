//! What a header says of a table, held against the columns that the SQL produces.

use super::models::Draft;
use super::plan::explain;
use super::problem::Hint;
use super::tables::{Tables, added, type_name};
use crate::error::known;
use crate::model::{Layer, Rule, Scope, check};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use std::ops::Range;

/// A model, its header and its output.
pub(super) struct Promises<'a, 'd> {
    pub(super) tables: &'a Tables<'a, 'd>,
    pub(super) draft: &'a Draft<'d>,
    pub(super) output: &'a SchemaRef,
}

impl Promises<'_, '_> {
    /// Checks that the header speaks of columns that are there.
    pub(super) fn check(&self) {
        let header = &self.draft.header;
        header.grain.iter().for_each(|name| self.produced(&header.grain_at, name));
        header.columns.iter().for_each(|(at, column)| self.produced(at, &column.name));
        for (at, check) in &header.checks {
            match &check.rule {
                Rule::Unique(names) | Rule::NotNull(names) => {
                    names.iter().for_each(|name| self.produced(at, name));
                }
                Rule::Accept { expression, .. } => {
                    self.planned(at, self.accept(expression));
                }
                Rule::Relate { column, table, other } => {
                    self.produced(at, column);
                    self.found(at, self.readable(table).and_then(|()| self.has(table, other)));
                }
                Rule::RowCount(_) => {}
                Rule::Fresh { column, .. } => {
                    self.produced(at, column);
                    self.found(at, self.is_time(column));
                }
                Rule::Reconcile { left, right, within, .. } => {
                    let reads = check.rule.reads();
                    self.found(at, reads.iter().try_for_each(|table| self.readable(table)));
                    // What is missing or broken has its own problem.
                    if reads.iter().all(|table| self.tables.schemas.contains_key(table)) {
                        self.planned(at, self.reconcile(left, right, within.as_deref()));
                    }
                }
            }
        }
    }

    fn produced(&self, at: &Range<usize>, name: &str) {
        if self.output.field_with_name(name).is_ok() || added(self.draft).contains(&name) {
            return;
        }
        let hint = known("columns", name, self.output.fields().iter().map(|field| field.name().as_str()));
        let message = format!("the header names \"{name}\", which the SQL does not produce");
        self.tables.found.at(self.draft.doc, self.draft.doc.find(name, at.clone()), message, hint);
    }

    fn accept(&self, expression: &str) -> Result<(), (String, Hint)> {
        let table = self.draft.model.table();
        match self.tables.planner.plan(&format!("select ({expression}\n) as accepted from {table}")) {
            Ok(planned) if *planned.schema.field(0).data_type() == DataType::Boolean => Ok(()),
            Ok(_) => {
                Err(("the expression is not true or false".into(), "compare something with something".into()))
            }
            Err(error) => {
                let (message, hint, _) = explain(&error, expression);
                Err((message, hint.into()))
            }
        }
    }

    /// Reports what is wrong with the SQL of a check.
    fn planned(&self, at: &Range<usize>, checked: Result<(), (String, Hint)>) {
        if let Err((message, hint)) = checked {
            self.tables.found.at(self.draft.doc, at.clone(), message, hint);
        }
    }

    /// Reports what is wrong with a check at a word of it.
    fn found(&self, at: &Range<usize>, checked: Result<(), Wrong>) {
        if let Err((word, message, hint)) = checked {
            let at = self.draft.doc.find(&word, at.clone());
            self.tables.found.at(self.draft.doc, at, message, hint);
        }
    }

    /// Whether a check of the model may read `table`.
    fn readable(&self, table: &str) -> Result<(), Wrong> {
        let wrong = |message: String, hint: &str| Err((table.to_string(), message, Hint::from(hint)));
        let other = self.tables.drafts.iter().find(|d| d.model.table() == table);
        if !self.tables.schemas.contains_key(table) && other.is_none() {
            let hint = known("tables", table, self.tables.schemas.keys().map(String::as_str));
            return wrong(format!("nothing provides the table \"{table}\""), &hint);
        }
        let model = &self.draft.model;
        if model.layer == Layer::Conformed && table.starts_with("marts.") {
            return wrong(
                format!("a conformed model cannot be checked against \"{table}\""),
                "it is checked against its left: staging, conformed, reference",
            );
        }
        if model.scope == Scope::Force && other.is_some_and(|other| other.model.scope == Scope::Hub) {
            return wrong(
                format!(
                    "a model of scope force cannot be checked against \"{table}\", which is of scope hub"
                ),
                "it would see other forces' rows",
            );
        }
        Ok(())
    }

    /// Whether `table` has the column; one that is there but broken has its own problem.
    fn has(&self, table: &str, column: &str) -> Result<(), Wrong> {
        let Some(schema) = self.tables.schemas.get(table) else { return Ok(()) };
        if schema.field_with_name(column).is_ok() {
            return Ok(());
        }
        let hint = known("columns", column, schema.fields().iter().map(|f| f.name().as_str()));
        let message = format!("\"{table}\" has no column \"{column}\"");
        Err((format!("{table}.{column}"), message, hint.into()))
    }

    fn is_time(&self, column: &str) -> Result<(), Wrong> {
        match self.output.field_with_name(column).map(|field| field.data_type()) {
            Ok(DataType::Date32 | DataType::Timestamp(..)) | Err(_) => Ok(()),
            Ok(other) => Err((
                column.into(),
                format!("column \"{column}\" is {}, and has no age", type_name(other)),
                "\"fresh\" looks at a date or timestamp".into(),
            )),
        }
    }

    /// Whether the two sides can be compared.
    fn reconcile(&self, left: &str, right: &str, within: Option<&str>) -> Result<(), (String, Hint)> {
        let sql = check::reconciliation(&self.draft.model.table(), left, right, within);
        self.tables.planner.plan(&sql).map(drop).map_err(|error| {
            let (message, hint, _) = explain(&error, &sql);
            (message, hint.into())
        })
    }
}

/// A word of a check, what is wrong with it, and what would be right.
type Wrong = (String, String, Hint);
