//! What a header says of a table, held against the columns that the SQL produces.

use super::models::Draft;
use super::plan::explain;
use super::problem::Hint;
use super::tables::{Tables, added};
use crate::error::known;
use crate::model::{Layer, Rule};
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
                    if let Err((message, hint)) = self.accept(expression) {
                        self.tables.found.at(self.draft.doc, at.clone(), message, hint);
                    }
                }
                Rule::Relate { column, table, other } => {
                    self.produced(at, column);
                    if let Err((word, message, hint)) = self.relate(table, other) {
                        let at = self.draft.doc.find(&word, at.clone());
                        self.tables.found.at(self.draft.doc, at, message, hint);
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

    fn relate(&self, table: &str, other: &str) -> Result<(), (String, String, String)> {
        let Some(schema) = self.tables.schemas.get(table) else {
            // A table that is there but broken has its own problem.
            let is_there = self.tables.drafts.iter().any(|d| d.model.table() == table);
            let hint = known("tables", table, self.tables.schemas.keys().map(String::as_str));
            let missing = (table.into(), format!("nothing provides the table \"{table}\""), hint);
            return if is_there { Ok(()) } else { Err(missing) };
        };
        if self.draft.model.layer == Layer::Conformed && table.starts_with("marts.") {
            let message = format!("a conformed model cannot relate to \"{table}\"");
            return Err((
                table.into(),
                message,
                "it relates to its left: staging, conformed, reference".into(),
            ));
        }
        if schema.field_with_name(other).is_err() {
            let hint = known("columns", other, schema.fields().iter().map(|f| f.name().as_str()));
            return Err((format!("{table}.{other}"), format!("\"{table}\" has no column \"{other}\""), hint));
        }
        Ok(())
    }
}
