//! What a contract says of sources that are not quite as it describes them: `skip`, `drift`.

use super::connector::find;
use super::reader::Section;
use super::recast::pattern;
use crate::connector::contract::{Column, Drift, Policy, Skip};
use crate::error::known;

/// The rows that `skip` leaves out.
pub(super) fn skip(section: &mut Section<'_>, columns: &[Column]) -> Vec<Skip> {
    let rule = |mut rule: Section<'_>| {
        let (column, matches) =
            (rule.required("column", "\"account\""), rule.required("matches", "'^Total'"));
        let label = rule.text("as");
        if let Some(column) = &column {
            find(&rule, column, columns);
        }
        if let Some(matches) = &matches {
            pattern(&rule, matches, "for example matches = '^(Sub)?total'");
        }
        rule.finish();
        let (column, matches) = (column?.value.to_string(), matches?.value.to_string());
        let label = label.map_or_else(|| format!("{column} matches {matches}"), |label| label.value.into());
        Some(Skip { column, matches, label })
    };
    section.list("skip", "skip rule").into_iter().filter_map(rule).collect()
}

/// What becomes of columns that the contract does not expect, or misses.
pub(super) fn drift(section: &mut Section<'_>) -> Drift {
    let usual = Drift::default();
    let Some(mut drift) = section.section("drift") else { return usual };
    let found = Drift {
        new: policy(&mut drift, "new"),
        missing: policy(&mut drift, "missing").unwrap_or(usual.missing),
        changed: policy(&mut drift, "changed").unwrap_or(usual.changed),
    };
    drift.finish();
    found
}

fn policy(section: &mut Section<'_>, key: &'static str) -> Option<Policy> {
    let text = section.text(key)?;
    match text.value {
        "evolve" => Some(Policy::Evolve),
        "freeze" => Some(Policy::Freeze),
        "discard" => Some(Policy::Discard),
        other => {
            let hint = known("policies", other, ["evolve", "freeze", "discard"]);
            section.problem(text.span, format!("unknown policy \"{other}\""), hint);
            None
        }
    }
}
