//! SQL files → [`Model`], and what a model may read.

use super::System;
use super::library::{Connector, Search};
use super::problem::{Doc, Found};
use crate::error::known;
use crate::model::header::{Fault, Header};
use crate::model::{Layer, Model, Scope, graph, header};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A model as it is being checked.
pub(super) struct Draft<'a> {
    pub(super) model: Model,
    pub(super) header: Header,
    pub(super) doc: &'a Doc,
    /// Where the statement stands in the file.
    pub(super) sql_at: Range<usize>,
    /// Whether its statement can be planned: it parses, and what it reads is there.
    pub(super) sound: bool,
}

impl Draft<'_> {
    /// Where a place of the statement is in the file.
    pub(super) fn in_file(&self, span: Range<usize>) -> Range<usize> {
        let end = (self.sql_at.start + span.end).min(self.sql_at.end);
        (self.sql_at.start + span.start).min(end)..end
    }

    /// Where `word` stands in the statement, or else the statement.
    pub(super) fn find(&self, word: &str) -> Range<usize> {
        self.doc.find(word, self.sql_at.clone())
    }
}

/// Reads every SQL file of the search path.
pub(super) fn read<'a>(search: &Search<'a>, connectors: &[Connector<'a>], found: &Found) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for connector in connectors {
        for (name, doc) in &connector.staging {
            drafts.push(draft(Layer::Staging, name, Some(&connector.name), doc, found));
        }
    }
    for layer in [Layer::Conformed, Layer::Marts] {
        for (name, doc) in search.files(&format!("sql/{}/", layer.as_str()), "sql", found) {
            drafts.push(draft(layer, &name, None, doc, found));
        }
    }
    drafts
}

fn draft<'a>(layer: Layer, name: &str, system: Option<&str>, doc: &'a Doc, found: &Found) -> Draft<'a> {
    let (header, faults) = header::parse(&doc.text);
    for Fault { span, message, hint } in faults {
        found.at(doc, span, message, hint);
    }
    if layer == Layer::Staging {
        if !header.checks.is_empty() || header.scope == Scope::Hub {
            let at = header.checks.first().map_or(0..2, |(at, _)| at.clone());
            let hint = "check the conformed model that reads the mapping";
            found.at(
                doc,
                at,
                "a staging mapping is a view of one source: it has no checks and no scope",
                hint,
            );
        }
    } else if header.grain.is_empty() && header.end > 0 {
        let hint = "add a line \"grain: \" with the columns that identify a row";
        found.at(doc, header.grain_at.clone(), "the header has no grain", hint);
    }
    let sql = &doc.text[header.end..];
    let start = header.end + sql.len() - sql.trim_start().len();
    let sql = sql.trim().trim_end_matches([';', ' ', '\n', '\r', '\t']);
    let sql_at = start..start + sql.len();
    let reads = graph::reads(sql);
    let sound = reads.is_ok();
    let reads = reads.unwrap_or_else(|fault| {
        found.at(
            doc,
            start + fault.span.start..start + fault.span.end,
            fault.message,
            Some(fault.hint).filter(|h| !h.is_empty()),
        );
        Vec::new()
    });
    let model = Model {
        layer,
        name: name.into(),
        system: system.map(String::from),
        scope: header.scope,
        description: header.description.clone(),
        grain: header.grain.clone(),
        columns: header.columns.iter().map(|(_, column)| column.clone()).collect(),
        checks: header.checks.iter().map(|(_, check)| check.clone()).collect(),
        reads,
        sql: sql.into(),
        lineage: Vec::new(),
        file: doc.file.clone(),
    };
    Draft { model, header, doc, sql_at, sound }
}

/// Checks that every table a model reads is there and may be read by it.
pub(super) fn link(
    drafts: &mut [Draft<'_>],
    systems: &BTreeMap<String, System>,
    tables: &BTreeSet<String>,
    found: &Found,
) {
    let hub: BTreeSet<String> =
        drafts.iter().filter(|d| d.model.scope == Scope::Hub).map(|d| d.model.table()).collect();
    for draft in drafts {
        for table in &draft.model.reads {
            if let Err((message, hint)) = may_read(&draft.model, table, systems, tables, &hub) {
                found.at(draft.doc, draft.find(table), message, hint);
                draft.sound = false;
            }
        }
    }
}

fn may_read(
    model: &Model,
    table: &str,
    systems: &BTreeMap<String, System>,
    tables: &BTreeSet<String>,
    hub: &BTreeSet<String>,
) -> Result<(), (String, String)> {
    let Some((layer, name)) = table.split_once('.') else {
        let hint = known("tables", table, tables.iter().map(|t| t.split_once('.').map_or(&**t, |(_, n)| n)));
        return Err((format!("the table \"{table}\" has no layer"), format!("write layer.name; {hint}")));
    };
    let allowed: &[&str] = match model.layer {
        Layer::Staging => &["raw"],
        Layer::Conformed => &["staging", "conformed", "reference"],
        Layer::Marts => &["conformed", "marts", "reference"],
    };
    if !allowed.contains(&layer) {
        let message = format!("a {} model cannot read \"{table}\"", model.layer.as_str());
        return Err((message, format!("it reads to its left: {}", allowed.join(", "))));
    }
    if let (Layer::Staging, "raw", Some(system)) = (model.layer, layer, &model.system) {
        let entities = systems.get(system).map(|system| &system.entities);
        if entities.is_none_or(|entities| entities.contains_key(name)) {
            return Ok(());
        }
        let names = entities.into_iter().flat_map(|entities| entities.keys().map(String::as_str));
        let message = format!("system \"{system}\" has no entity \"{name}\"");
        return Err((message, known("entities", name, names)));
    }
    if !tables.contains(table) {
        let names = tables.iter().map(String::as_str).filter(|t| allowed.iter().any(|l| t.starts_with(l)));
        return Err((format!("nothing provides the table \"{table}\""), known("tables", table, names)));
    }
    if model.scope == Scope::Force && hub.contains(table) {
        let message = format!("a model of scope force cannot read \"{table}\", which is of scope hub");
        return Err((message, "it would see other forces' rows; give it scope: hub".into()));
    }
    Ok(())
}

/// Puts the conformed models and marts into dependency order; cycles are reported.
pub(super) fn order(drafts: &[Draft<'_>], found: &Found) -> Vec<usize> {
    let built = |draft: &&Draft<'_>| draft.model.layer != Layer::Staging;
    let mut reads: BTreeMap<_, _> =
        drafts.iter().filter(built).map(|d| (d.model.table(), d.model.reads.clone())).collect();
    let at: BTreeMap<String, usize> = (0..drafts.len())
        .filter(|index| built(&&drafts[*index]))
        .map(|index| (drafts[index].model.table(), index))
        .collect();
    // A check wants the tables that it looks at built before, unless they are made from this one.
    for draft in drafts {
        for table in draft.model.checks.iter().flat_map(|check| check.rule.reads()) {
            if !graph::reaches(&reads, &table, &draft.model.table())
                && let Some(tables) = reads.get_mut(&draft.model.table())
            {
                tables.push(table);
            }
        }
    }
    let (order, cycles) = graph::order(&reads);
    for cycle in cycles {
        if let [first, second, ..] = cycle.as_slice()
            && let Some(index) = at.get(first)
        {
            let draft = &drafts[*index];
            let message = format!("models read each other: {}", cycle.join(" → "));
            found.at(draft.doc, draft.find(second), message, "a model can only read what is built before it");
        }
    }
    order.iter().filter_map(|table| at.get(table).copied()).collect()
}
