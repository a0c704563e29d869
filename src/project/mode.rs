//! How the changes of an entity are found: `mode`, `cursor`, `lag`, `sweep`.

use super::reader::{Section, Text};
use crate::connector::contract::{Column, Cursor, Lag, Mode, Type};
use crate::error::known;
use std::time::Duration;

/// The lag of a time cursor, unless the contract says otherwise: longer than the longest
/// transaction that a vendor's night job keeps open.
const LAG: Duration = Duration::from_secs(24 * 3600);

/// The longest time between two whole reads of a `cursor` entity, unless the contract says
/// otherwise: deletions are seen no later.
const SWEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// The mode of an entity with `columns`.
pub(super) fn check(section: &mut Section<'_>, columns: &[Column], has_table: bool) -> Mode {
    let name = section.text("mode");
    let cursor = cursor(section, columns);
    let Some(name) = name else { return whole(section, Mode::Diff, cursor) };
    match name.value {
        "diff" => whole(section, Mode::Diff, cursor),
        "replace" => whole(section, Mode::Replace, cursor),
        "cursor" | "log" => {
            if cursor.is_none() && has_table && !section.has("cursor") {
                let hint = "for example cursor = \"changed_at\"";
                section.problem(name.span, format!("mode \"{}\" needs a cursor", name.value), hint);
            }
            match name.value {
                "log" => {
                    if cursor.as_ref().is_some_and(|cursor| cursor.sweep.is_some()) {
                        let hint = "what leaves a log stays here; `muster pull --full` reads it whole";
                        section.problem(section.place("sweep"), "mode \"log\" has no sweep", hint);
                    }
                    Mode::Log(cursor)
                }
                _ => Mode::Cursor(
                    cursor.map(|cursor| Cursor { sweep: cursor.sweep.or(Some(SWEEP)), ..cursor }),
                ),
            }
        }
        other => {
            let hint = known("modes", other, ["diff", "cursor", "log", "replace"]);
            section.problem(name.span, format!("unknown mode \"{other}\""), hint);
            Mode::Diff
        }
    }
}

/// `mode`, which reads everything and has no use for a cursor.
fn whole(section: &Section<'_>, mode: Mode, cursor: Option<Cursor>) -> Mode {
    if cursor.is_some() {
        let hint = "modes \"cursor\" and \"log\" have one";
        section.problem(section.place("cursor"), "this mode reads everything and needs no cursor", hint);
    }
    mode
}

fn cursor(section: &mut Section<'_>, columns: &[Column]) -> Option<Cursor> {
    let name = section.text("cursor");
    let (has_lag, sweep) = (section.has("lag"), section.duration("sweep"));
    let Some(name) = name else {
        section.asked("lag");
        if has_lag || sweep.is_some() {
            section.problem(section.place("lag"), "lag and sweep belong to a cursor", ());
        }
        return None;
    };
    let Some(column) = columns.iter().find(|column| column.name == name.value) else {
        section.asked("lag");
        let hint = known("columns", name.value, columns.iter().map(|c| c.name.as_str()));
        section.problem(name.span, format!("unknown column \"{}\"", name.value), hint);
        return None;
    };
    let lag = match &column.ty {
        Type::Int => Lag::Steps(section.number("lag").unwrap_or(0)),
        Type::Date { .. } | Type::Timestamp { .. } => Lag::Time(section.duration("lag").unwrap_or(LAG)),
        _ => {
            section.asked("lag");
            refuse(section, &name);
            return None;
        }
    };
    Some(Cursor { column: column.name.clone(), lag, sweep })
}

fn refuse(section: &Section<'_>, name: &Text<'_>) {
    let message = format!("column \"{}\" cannot be a cursor", name.value);
    section.problem(name.span.clone(), message, "a cursor is an int, a date or a timestamp");
}
