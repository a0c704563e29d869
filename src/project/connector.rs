//! `connectors/<system>/connector.toml` → [`System`].

use super::System;
use super::problem::{Doc, Found};
use super::reader::{self, SLUG, Section, Text, is_slug};
use super::recast::Lists;
use super::{column, drift, formats, http, layout, mode};
use crate::connector::contract::{
    Column, Contract, FileFormat, FileLayout, LINE_KEY, Mode, Origin, Place, Policy, Type, XmlLayout,
};
use crate::error::known;

/// The system that `doc` describes; what is wrong with it is in `found`.
pub(super) fn check(name: &str, doc: &Doc, lists: &Lists, found: &Found) -> System {
    reader::read(doc, found, |mut root| {
        if let Some(system) = root.required("system", &format!("\"{name}\""))
            && system.value != name
        {
            let hint = format!("system = \"{name}\"");
            root.problem(system.span, format!("system \"{}\" is in folder \"{name}\"", system.value), hint);
        }
        let vendor = root.required("vendor", "\"Acme HR\"").map_or(String::new(), |v| v.value.into());
        let entities = root.sections("entities", "entity");
        if entities.is_empty() {
            root.wrong(format!("system \"{name}\" has no entities"), "declare one as [entities.<name>]");
        }
        let mut entities = entities
            .into_iter()
            .map(|(entity, section)| (entity.value.to_string(), contract(name, &entity, section, lists)))
            .collect();
        http::link(&mut root, &mut entities);
        root.finish();
        System { name: name.into(), vendor, entities }
    })
}

fn contract(system: &str, entity: &Text<'_>, mut section: Section<'_>, lists: &Lists) -> Contract {
    if !is_slug(entity.value) {
        section.wrong(format!("entity \"{}\" is not a slug", entity.value), SLUG);
    }
    let table = section.text("table").map(|t| t.value.to_string());
    if table.is_none() && !section.has("file") && !section.has("http") {
        section.wrong(
            format!("entity \"{}\" has neither a table nor a file nor a request", entity.value),
            "give a table for databases, a [file] for files, [http] for REST interfaces, or several",
        );
    }
    let mut file = section.section("file");
    let format = file.as_mut().and_then(formats::format);
    let mut columns = columns(entity.value, &mut section, format.as_ref(), lists);
    let file = file.and_then(|file| layout::layout(file, format, &columns));
    let http = section.section("http");
    let mode = mode::check(&mut section, &columns, table.is_some());
    if let Some(FileLayout { format: FileFormat::Bicc(_), .. }) = &file
        && !matches!(mode, Mode::Cursor(_))
    {
        section.wrong(
            format!("entity \"{}\" is read from packages of changes", entity.value),
            "give it mode = \"cursor\": rows that a package does not bring stay, unless its keys say that they are gone",
        );
    }
    let (skip, drift) = (drift::skip(&mut section, &columns), drift::drift(&mut section));
    let (key, totals) = (key(entity.value, &mut section, &columns, &mode), totals(&mut section, &columns));
    if drift.new == Some(Policy::Evolve) {
        columns.push(Column::extra());
    }
    let contract = Contract {
        system: system.into(),
        entity: entity.value.into(),
        key,
        totals,
        max_drop: section.share("max_drop").unwrap_or(0.5),
        min_rows: section.number("min_rows").unwrap_or(0).into(),
        max_bad: section.share("max_bad").unwrap_or(1.0),
        skip,
        drift,
        optional: section.bool("optional").unwrap_or(false),
        http: http.and_then(|http| http::check(http, &mode)),
        mode,
        table,
        file,
        columns,
    };
    section.finish();
    contract
}

fn columns(
    entity: &str,
    section: &mut Section<'_>,
    format: Option<&FileFormat>,
    lists: &Lists,
) -> Vec<Column> {
    let is_fixed = format == Some(&FileFormat::Fixed);
    let mut next = 1;
    let mut columns = Vec::new();
    for (name, mut section) in section.sections("columns", "column") {
        let column = column::check(&name, &mut section, lists);
        let is_placed = is_fixed && column.origin == Origin::Cell;
        let column = Column { place: place(&mut section, is_placed, &mut next), ..column };
        match format {
            Some(FileFormat::Xml(layout)) => paths(&section, layout, &column),
            Some(FileFormat::Invoice(part)) => formats::takes(&section, *part, &column),
            _ => {}
        }
        columns.push(column);
        section.finish();
    }
    if columns.is_empty() {
        section.wrong(
            format!("entity \"{entity}\" has no columns"),
            "declare them in [entities.<name>.columns]",
        );
    }
    columns
}

/// Reports names in the source that are no paths of the layout.
fn paths(section: &Section<'_>, layout: &XmlLayout, column: &Column) {
    for from in &column.from {
        if let Err(problem) = layout.column(from) {
            let hint = "for example from = \"Name/First\", \"@id\" or \"../@batch\"";
            section.problem(section.place("from"), problem, hint);
        }
    }
}

/// The place of a column in a fixed-width record; `next` is the first free character.
fn place(section: &mut Section<'_>, fixed: bool, next: &mut usize) -> Option<Place> {
    let (start, width) = (section.number("start"), section.number("width"));
    if !fixed {
        if start.or(width).is_some() {
            section.wrong(
                "start and width are for cells of fixed-width layouts",
                "the file's format is not \"fixed\"",
            );
        }
        return None;
    }
    let Some(width) = width.filter(|w| *w > 0) else {
        section.wrong("a column of a fixed-width layout needs a width", "for example width = 8");
        return None;
    };
    let place = Place { start: start.map_or(*next, |s| s as usize), width: width as usize };
    if place.start < *next {
        let hint = format!("the first free character is {next}; without a start it is taken");
        section.problem(section.place("start"), "the column overlaps the one before", hint);
    }
    *next = place.start + place.width;
    Some(place)
}

fn key(entity: &str, section: &mut Section<'_>, columns: &[Column], mode: &Mode) -> Vec<String> {
    let names = section.texts("key");
    if names.iter().map(|name| name.value).eq(LINE_KEY) {
        if !matches!(mode, Mode::Log(None)) || section.has("table") {
            let hint = "lines stay where they are only in files that add rows: mode = \"log\", no table";
            section.problem(section.place("key"), "a key of file and line needs mode \"log\"", hint);
        }
        return LINE_KEY.map(str::to_string).into();
    }
    if names.is_empty() {
        section.wrong(format!("entity \"{entity}\" has no key"), "key = [the columns that identify a row]");
    }
    for name in &names {
        if find(section, name, columns).is_some_and(|column| !column.required) {
            let message = format!("key column \"{}\" is not required", name.value);
            section.problem(name.span.clone(), message, "add required = true to the column");
        }
    }
    names.into_iter().map(|name| name.value.into()).collect()
}

fn totals(section: &mut Section<'_>, columns: &[Column]) -> Vec<String> {
    let names = section.texts("totals");
    for name in &names {
        numeric(section, name, columns);
    }
    names.into_iter().map(|name| name.value.into()).collect()
}

/// Reports a name that is not one of a numeric column.
pub(super) fn numeric(section: &Section<'_>, name: &Text<'_>, columns: &[Column]) {
    let ty = find(section, name, columns).map(|column| &column.ty);
    if ty.is_some_and(|ty| !matches!(ty, Type::Int | Type::Decimal { .. })) {
        let message = format!("column \"{}\" is not a number and has no sum", name.value);
        section.problem(name.span.clone(), message, "sums need int or decimal(p,s)");
    }
}

/// The column of that name; one that is unknown is reported.
pub(super) fn find<'c>(section: &Section<'_>, name: &Text<'_>, columns: &'c [Column]) -> Option<&'c Column> {
    let column = columns.iter().find(|column| column.name == name.value);
    if column.is_none() {
        let hint = known("columns", name.value, columns.iter().map(|c| c.name.as_str()));
        section.problem(name.span.clone(), format!("unknown column \"{}\"", name.value), hint);
    }
    column
}
