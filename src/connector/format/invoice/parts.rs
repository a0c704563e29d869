//! The rows of each part, and the names under which contracts know their cells.

use super::decimal::Decimal;
use super::document::{Field, Group, InvoiceDocument, Line};
use super::kept::{Kept, Reading};
use super::rules::{Outcome, Verdict, overall};
use super::terms::{DOCUMENT, LINE, Term, VAT};
use crate::connector::contract::InvoicePart;

/// One row: names of [`names`] with their text; what is missing is null.
pub(super) type Row = Vec<(&'static str, String)>;

/// What every part knows.
const EVERYWHERE: [&str; 2] = ["_file", "document_id"];

const OF_DOCUMENT: [&str; 10] = [
    "status",
    "reason",
    "container",
    "syntax",
    "reader",
    "pages",
    "line_count",
    "confidence",
    "verdict",
    "failed_rules",
];
const OF_LINE: [&str; 3] = ["ordinal", "allowances", "charges"];
const OF_VAT: [&str; 1] = ["ordinal"];
const OF_FIELD: [&str; 7] = ["subject", "name", "term", "value", "raw", "confidence", "place"];
const OF_RULE: [&str; 5] = ["rule", "subject", "verdict", "stated", "computed"];

/// The names that a contract over `part` may use.
pub(crate) fn names(part: InvoicePart) -> Vec<&'static str> {
    let (own, terms): (&[&str], &[Term]) = match part {
        InvoicePart::Document => (&OF_DOCUMENT, DOCUMENT),
        InvoicePart::Line => (&OF_LINE, LINE),
        InvoicePart::Vat => (&OF_VAT, VAT),
        InvoicePart::Field => (&OF_FIELD, &[]),
        InvoicePart::Rule => (&OF_RULE, &[]),
    };
    EVERYWHERE.iter().chain(own).copied().chain(terms.iter().map(|term| term.name)).collect()
}

/// The rows that a file has for `part`.
pub(super) fn rows(kept: &Kept, part: InvoicePart) -> Vec<Row> {
    let reading = match (&kept.reading, part) {
        (reading, InvoicePart::Document) => return vec![document(kept, reading.as_ref())],
        (Ok(reading), _) => reading,
        (Err(_), _) => return Vec::new(),
    };
    let InvoiceDocument { lines, vat, .. } = &reading.document;
    let mut rows: Vec<Row> = match part {
        InvoicePart::Document => Vec::new(),
        InvoicePart::Line => lines.iter().zip(1..).map(|(one, ordinal)| line(one, ordinal)).collect(),
        InvoicePart::Vat => vat.iter().zip(1..).map(|(rate, ordinal)| numbered(rate, VAT, ordinal)).collect(),
        InvoicePart::Field => {
            reading.document.fields().into_iter().map(|(subject, found)| field(subject, found)).collect()
        }
        InvoicePart::Rule => kept.verdicts.iter().map(rule).collect(),
    };
    for row in &mut rows {
        row.push(("document_id", kept.id.clone()));
    }
    rows
}

fn document(kept: &Kept, reading: Result<&Reading, &String>) -> Row {
    let container = ("container", kept.container.as_str().to_string());
    let mut row = vec![("document_id", kept.id.clone()), container];
    let Reading { document, reader, pages } = match reading {
        Ok(reading) => reading,
        Err(reason) => {
            row.extend([("status", "unreadable".to_string()), ("reason", reason.clone())]);
            return row;
        }
    };
    let failed = kept.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Fail).count();
    row.extend([
        ("status", "read".to_string()),
        ("syntax", document.syntax.as_str().to_string()),
        ("reader", reader.clone()),
        ("line_count", document.lines.len().to_string()),
        ("verdict", overall(&kept.verdicts).as_str().to_string()),
        ("failed_rules", failed.to_string()),
    ]);
    row.extend(pages.map(|pages| ("pages", pages.to_string())));
    row.extend(document.confidence().map(|sure| ("confidence", share(sure))));
    row.extend(cells(&document.header, DOCUMENT));
    row
}

fn line(line: &Line, ordinal: usize) -> Row {
    let mut row = numbered(&line.group, LINE, ordinal);
    let sum = |charges| super::rules::sum_of(&line.allowances, charges);
    let sums = [("allowances", sum(false)), ("charges", sum(true))];
    row.extend(sums.into_iter().filter_map(|(name, sum)| Some((name, sum?.text(2)))));
    row
}

fn numbered(group: &Group, terms: &'static [Term], ordinal: usize) -> Row {
    let mut row = vec![("ordinal", ordinal.to_string())];
    row.extend(cells(group, terms));
    row
}

fn cells<'a>(group: &'a Group, terms: &'static [Term]) -> impl Iterator<Item = (&'static str, String)> + 'a {
    terms.iter().filter_map(|term| Some((term.name, group.cell(term.name)?.to_string())))
}

fn field(subject: String, found: &Field) -> Row {
    let mut row = vec![
        ("subject", subject),
        ("name", found.term.name.to_string()),
        ("term", found.term.term.to_string()),
        ("raw", found.raw.clone()),
        ("confidence", share(found.confidence)),
        ("place", found.place.clone()),
    ];
    row.extend(found.value.as_ref().map(|value| ("value", value.clone())));
    row
}

fn rule(verdict: &Verdict) -> Row {
    let mut row = vec![
        ("rule", verdict.rule.clone()),
        ("subject", verdict.subject.clone()),
        ("verdict", verdict.outcome.as_str().to_string()),
    ];
    let text = |number: Decimal| number.text(2);
    row.extend(verdict.stated.map(|number| ("stated", text(number))));
    row.extend(verdict.computed.map(|number| ("computed", text(number))));
    row
}

/// A confidence with three digits.
fn share(sure: f64) -> String {
    format!("{sure:.3}")
}
