//! The columns of every table, from planning every model; and what headers promise of them.

use super::models::Draft;
use super::plan::{Planned, Planner, explain};
use super::problem::{Found, Hint};
use super::{Reference, System};
use crate::error::known;
use crate::model::{Layer, Rule, Scope};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::{DataFusionError, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// What was planned so far.
pub(super) struct Tables<'a, 'd> {
    planner: Planner,
    found: &'a Found,
    drafts: &'a [Draft<'d>],
    /// Every table whose columns are known; others are broken, and what reads them is left alone.
    schemas: BTreeMap<String, SchemaRef>,
    /// The output of each staging mapping, by its place among the drafts.
    mappings: BTreeMap<usize, SchemaRef>,
    /// The staging columns that conformed models and marts need, and one that needs it.
    needed: BTreeMap<String, BTreeMap<String, String>>,
}

/// Plans every model in `order` and returns the columns of every table.
pub(super) fn check(
    drafts: &[Draft<'_>],
    order: &[usize],
    systems: &BTreeMap<String, System>,
    reference: &BTreeMap<String, Reference>,
    found: &Found,
) -> Result<BTreeMap<String, SchemaRef>> {
    let mut tables = Tables {
        planner: Planner::new(),
        found,
        drafts,
        schemas: BTreeMap::new(),
        mappings: BTreeMap::new(),
        needed: BTreeMap::new(),
    };
    for list in reference.values() {
        let fields: Vec<Field> = list.columns.iter().map(|c| Field::new(c, DataType::Utf8, true)).collect();
        tables.add(format!("reference.{}", list.name), Arc::new(Schema::new(fields)))?;
    }
    tables.staging(systems)?;
    for index in order {
        tables.model(&drafts[*index])?;
    }
    tables.required();
    for draft in drafts {
        tables.header(draft);
    }
    Ok(tables.schemas)
}

impl Tables<'_, '_> {
    fn add(&mut self, table: String, schema: SchemaRef) -> Result<()> {
        self.planner.provide(&table, Arc::clone(&schema))?;
        self.schemas.insert(table, schema);
        Ok(())
    }

    /// Plans the mappings of every system, then unites those of one entity.
    fn staging(&mut self, systems: &BTreeMap<String, System>) -> Result<()> {
        let mut bound = None;
        for (index, draft) in self.drafts.iter().enumerate() {
            let Some(system) = draft.model.system.as_ref().and_then(|name| systems.get(name)) else {
                continue;
            };
            if bound != Some(&system.name) {
                self.planner.bind_raw(system.entities.values())?;
                bound = Some(&system.name);
            }
            if let Some(planned) = self.plan(draft) {
                self.mappings.insert(index, planned.schema);
            }
        }
        let mut united: BTreeMap<String, Vec<(usize, Field)>> = BTreeMap::new();
        for (index, schema) in &self.mappings {
            let columns = united.entry(self.drafts[*index].model.table()).or_default();
            for field in schema.fields() {
                match columns.iter().find(|(_, known)| known.name() == field.name()) {
                    None => columns.push((*index, field.as_ref().clone())),
                    Some((first, known)) if known.data_type() != field.data_type() => {
                        self.differ(*index, field, *first, known);
                    }
                    Some(_) => {}
                }
            }
        }
        for (table, columns) in united {
            let columns = columns.into_iter().map(|(_, field)| field);
            self.add(table, columns_after(&["force", "source"], columns))?;
        }
        Ok(())
    }

    fn differ(&self, index: usize, field: &Field, first: usize, known: &Field) {
        let draft = &self.drafts[index];
        let message = format!(
            "column \"{}\" is {} here and {} in {}",
            field.name(),
            type_name(field.data_type()),
            type_name(known.data_type()),
            self.drafts[first].model.file
        );
        self.found.at(
            draft.doc,
            draft.find(field.name()),
            message,
            "cast one of them; mappings of one entity agree",
        );
    }

    /// Plans a conformed model or mart, if all that it reads is known.
    fn model(&mut self, draft: &Draft<'_>) -> Result<()> {
        let known = |table: &String| self.schemas.contains_key(table);
        if !draft.model.reads.iter().all(known) {
            return Ok(());
        }
        let Some(planned) = self.plan(draft) else { return Ok(()) };
        let table = draft.model.table();
        for (read, columns) in planned.uses.into_iter().filter(|(read, _)| read.starts_with("staging.")) {
            let needed = self.needed.entry(read).or_default();
            needed.extend(columns.into_iter().map(|column| (column, table.clone())));
        }
        let columns = planned.schema.fields().iter().map(|field| field.as_ref().clone());
        self.add(table, columns_after(added(draft), columns))
    }

    fn plan(&self, draft: &Draft<'_>) -> Option<Planned> {
        if !draft.sound {
            return None;
        }
        match self.planner.plan(&draft.model.sql) {
            Ok(planned) => {
                self.output(draft, &planned.schema);
                Some(planned)
            }
            Err(error) => {
                self.refuse(draft, &error);
                None
            }
        }
    }

    fn refuse(&self, draft: &Draft<'_>, error: &DataFusionError) {
        let (message, hint, place) = explain(error, &draft.model.sql);
        let place = draft.in_file(place.unwrap_or(0..draft.model.sql.len()));
        self.found.at(draft.doc, place, message, hint);
    }

    /// Checks the names and types of what a statement produces.
    fn output(&self, draft: &Draft<'_>, schema: &SchemaRef) {
        let added = added(draft);
        let mut names = BTreeSet::new();
        for field in schema.fields() {
            let name = field.name().as_str();
            let report =
                |message: String, hint: &str| self.found.at(draft.doc, draft.find(name), message, hint);
            if added.contains(&name) {
                report(
                    format!("column \"{name}\" is added by the engine"),
                    "leave it out of the select list",
                );
            }
            if !names.insert(name) {
                report(format!("two columns are called \"{name}\""), "rename one with \"as\"");
            }
            if !super::reader::is_slug(name) {
                report(
                    format!("column \"{name}\" has no plain name"),
                    "name it with \"as\", in lowercase letters",
                );
            }
            if *field.data_type() == DataType::Null {
                report(format!("column \"{name}\" has no type"), "write cast(null as …)");
            }
        }
    }

    /// Reports the mappings without a column that some model reads from the union.
    fn required(&self) {
        for (index, schema) in &self.mappings {
            let draft = &self.drafts[*index];
            let Some(needed) = self.needed.get(&draft.model.table()) else { continue };
            let lacking = |column: &&String| {
                !matches!(column.as_str(), "force" | "source") && schema.field_with_name(column).is_err()
            };
            let columns: Vec<&String> = needed.keys().filter(lacking).collect();
            let Some(first) = columns.first() else { continue };
            let readers: BTreeSet<&str> = columns.iter().map(|column| needed[*column].as_str()).collect();
            let list = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
            let message = format!("the mapping does not produce {list}");
            let ty =
                self.schemas.get(&draft.model.table()).and_then(|s| s.field_with_name(first).ok().cloned());
            let ty = ty.map_or("…".into(), |field| type_name(field.data_type()));
            let hint = format!(
                "{} reads it; where the system has no such value write cast(null as {ty}) as {first}",
                readers.into_iter().collect::<Vec<_>>().join(", ")
            );
            self.found.at(draft.doc, draft.sql_at.clone(), message, hint);
        }
    }

    /// Checks that the header speaks of columns that are there.
    fn header(&self, draft: &Draft<'_>) {
        let table = draft.model.table();
        let mapping = self.drafts.iter().position(|d| std::ptr::eq(d, draft));
        let schema = match draft.model.layer {
            Layer::Staging => mapping.and_then(|index| self.mappings.get(&index)),
            _ => self.schemas.get(&table),
        };
        let Some(schema) = schema else { return };
        let produced = |at: &Range<usize>, name: &str| {
            if schema.field_with_name(name).is_err() {
                let hint = known("columns", name, schema.fields().iter().map(|f| f.name().as_str()));
                let message = format!("the header names \"{name}\", which the SQL does not produce");
                self.found.at(draft.doc, draft.doc.find(name, at.clone()), message, hint);
            }
        };
        draft.header.grain.iter().for_each(|name| produced(&draft.header.grain_at, name));
        draft.header.columns.iter().for_each(|(at, column)| produced(at, &column.name));
        for (at, check) in &draft.header.checks {
            match &check.rule {
                Rule::Unique(names) | Rule::NotNull(names) => {
                    names.iter().for_each(|name| produced(at, name))
                }
                Rule::Accept { expression, .. } => {
                    if let Err((message, hint)) = self.accept(&table, expression) {
                        self.found.at(draft.doc, at.clone(), message, hint);
                    }
                }
                Rule::Relate { column, table, other } => {
                    produced(at, column);
                    if let Err((word, message, hint)) = self.relate(draft, table, other) {
                        self.found.at(draft.doc, draft.doc.find(&word, at.clone()), message, hint);
                    }
                }
            }
        }
    }

    fn accept(&self, table: &str, expression: &str) -> Result<(), (String, Hint)> {
        match self.planner.plan(&format!("select ({expression}\n) as accepted from {table}")) {
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

    fn relate(&self, draft: &Draft<'_>, table: &str, other: &str) -> Result<(), (String, String, String)> {
        let Some(schema) = self.schemas.get(table) else {
            // A table that is there but broken has its own problem.
            let is_there = self.drafts.iter().any(|d| d.model.table() == table);
            let hint = known("tables", table, self.schemas.keys().map(String::as_str));
            let missing = (table.into(), format!("nothing provides the table \"{table}\""), hint);
            return if is_there { Ok(()) } else { Err(missing) };
        };
        if draft.model.layer == Layer::Conformed && table.starts_with("marts.") {
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

/// The columns that the engine puts before those of a statement.
fn added(draft: &Draft<'_>) -> &'static [&'static str] {
    match (draft.model.layer, draft.model.scope) {
        (Layer::Staging, _) => &["force", "source"],
        (_, Scope::Force) => &["force"],
        (_, Scope::Hub) => &[],
    }
}

/// The text columns `first`, then the others; a name that comes again has been reported.
fn columns_after(first: &[&str], others: impl IntoIterator<Item = Field>) -> SchemaRef {
    let mut fields: Vec<Field> = first.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
    for field in others {
        if fields.iter().all(|known| known.name() != field.name()) {
            fields.push(field);
        }
    }
    Arc::new(Schema::new(fields))
}

/// A type as SQL calls it.
fn type_name(ty: &DataType) -> String {
    match ty {
        DataType::Utf8 => "text".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Int32 => "int".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Date32 => "date".into(),
        DataType::Float64 => "double".into(),
        DataType::Timestamp(_, _) => "timestamptz".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        other => other.to_string().to_lowercase(),
    }
}
