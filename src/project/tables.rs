//! The columns of every table, from planning every model; mappings of one entity must agree.

use super::header;
use super::models::Draft;
use super::plan::{Planned, Planner, explain};
use super::problem::Found;
use super::{Reference, System};
use crate::engine::lake_schema;
use crate::error::Result;
use crate::model::lineage::Trace;
use crate::model::{Layer, Scope};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was planned so far.
pub(super) struct Tables<'a, 'd> {
    pub(super) planner: Planner,
    pub(super) found: &'a Found,
    pub(super) drafts: &'a [Draft<'d>],
    /// Every table whose columns are known; others are broken, and what reads them is left alone.
    pub(super) schemas: BTreeMap<String, SchemaRef>,
    /// The output of each staging mapping, by its place among the drafts.
    mappings: BTreeMap<usize, SchemaRef>,
    /// The lineage of each statement, by its place among the drafts.
    lineage: Lineage,
    /// The staging columns that conformed models and marts need, and one that needs it.
    needed: BTreeMap<String, BTreeMap<String, String>>,
}

/// The lineage of each statement, by its place among the drafts.
pub(super) type Lineage = BTreeMap<usize, Vec<Trace>>;

/// Plans every model in `order` and tells where its columns come from; what is wrong with them is
/// in `found`.
pub(super) fn check(
    drafts: &[Draft<'_>],
    order: &[usize],
    systems: &BTreeMap<String, System>,
    reference: &BTreeMap<String, Reference>,
    found: &Found,
) -> Result<Lineage> {
    let mut tables = Tables {
        planner: Planner::new()?,
        found,
        drafts,
        schemas: BTreeMap::new(),
        mappings: BTreeMap::new(),
        lineage: Lineage::new(),
        needed: BTreeMap::new(),
    };
    for list in reference.values() {
        let fields: Vec<Field> = list.columns.iter().map(|c| Field::new(c, DataType::Utf8, true)).collect();
        tables.add(format!("reference.{}", list.name), Arc::new(Schema::new(fields)))?;
    }
    tables.staging(systems)?;
    for index in order {
        tables.model(*index, &drafts[*index])?;
    }
    tables.required();
    tables.uneven();
    for (index, draft) in drafts.iter().enumerate() {
        let output = match draft.model.layer {
            Layer::Staging => tables.mappings.get(&index),
            _ => tables.schemas.get(&draft.model.table()),
        };
        if let Some(output) = output {
            header::Promises { tables: &tables, draft, output }.check();
        }
    }
    Ok(tables.lineage)
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
                self.lineage.insert(index, planned.lineage);
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
    fn model(&mut self, index: usize, draft: &Draft<'_>) -> Result<()> {
        let known = |table: &String| self.schemas.contains_key(table);
        if !draft.model.reads.iter().all(known) {
            return Ok(());
        }
        let Some(planned) = self.plan(draft) else { return Ok(()) };
        self.lineage.insert(index, planned.lineage);
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
            Ok(planned) => Some(Planned { schema: self.output(draft, &planned.schema), ..planned }),
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

    /// Checks the names and types of what a statement produces; returns it in the lake's types.
    fn output(&self, draft: &Draft<'_>, schema: &SchemaRef) -> SchemaRef {
        let added = added(draft);
        let mut names = BTreeSet::new();
        let mut fields = Vec::new();
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
            match lake_schema(&Schema::new(vec![field.as_ref().clone()])) {
                Ok(kept) => fields.push(kept.field(0).clone()),
                Err(error) => {
                    let ty = type_name(field.data_type());
                    let message = format!("column \"{name}\" has the type {ty}, which the lake cannot keep");
                    report(message, error.advice().unwrap_or_default());
                    fields.push(Field::new(name, DataType::Utf8, true));
                }
            }
        }
        Arc::new(Schema::new(fields))
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

    /// Reports the columns that some mappings of an entity have and others lack, unless a model
    /// needs them: then the ones that lack them are wrong.
    fn uneven(&self) {
        for (index, schema) in &self.mappings {
            let draft = &self.drafts[*index];
            let table = draft.model.table();
            let others =
                self.mappings.iter().filter(|(other, _)| self.drafts[**other].model.table() == table);
            for field in schema.fields() {
                let name = field.name();
                let needed = self.needed.get(&table).is_some_and(|needed| needed.contains_key(name));
                if needed || added(draft).contains(&name.as_str()) {
                    continue;
                }
                let mut others = others.clone();
                if let Some((other, _)) = others.find(|(_, schema)| schema.field_with_name(name).is_err()) {
                    let other = &self.drafts[*other].model.file;
                    let message =
                        format!("column \"{name}\" is not in every mapping of {table}: {other} lacks it");
                    let hint = "leave it out, or produce it in every mapping";
                    self.found.at(draft.doc, draft.find(name), message, hint);
                }
            }
        }
    }
}

/// The columns that the engine puts before those of a statement.
pub(super) fn added(draft: &Draft<'_>) -> &'static [&'static str] {
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
pub(super) fn type_name(ty: &DataType) -> String {
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
