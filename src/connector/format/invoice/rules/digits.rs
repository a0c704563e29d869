//! BR-DEC: amounts have two digits behind the point at most, as they are written.

use super::{Outcome, Verdict};
use crate::connector::format::invoice::document::{Group, InvoiceDocument, is_charge};

/// Where an amount stands.
enum At {
    Document,
    /// In the document's allowances, or in its charges.
    Allowance,
    Charge,
    Vat,
    Line,
    LineAllowance,
    LineCharge,
}

const RULES: [(&str, At, &str); 21] = [
    ("BR-DEC-01", At::Allowance, "amount"),
    ("BR-DEC-02", At::Allowance, "base"),
    ("BR-DEC-05", At::Charge, "amount"),
    ("BR-DEC-06", At::Charge, "base"),
    ("BR-DEC-09", At::Document, "line_total"),
    ("BR-DEC-10", At::Document, "allowance_total"),
    ("BR-DEC-11", At::Document, "charge_total"),
    ("BR-DEC-12", At::Document, "net_total"),
    ("BR-DEC-13", At::Document, "vat_total"),
    ("BR-DEC-14", At::Document, "gross_total"),
    ("BR-DEC-15", At::Document, "vat_total_in_vat_currency"),
    ("BR-DEC-16", At::Document, "prepaid"),
    ("BR-DEC-17", At::Document, "rounding"),
    ("BR-DEC-18", At::Document, "payable"),
    ("BR-DEC-19", At::Vat, "vat_base"),
    ("BR-DEC-20", At::Vat, "vat_amount"),
    ("BR-DEC-23", At::Line, "net"),
    ("BR-DEC-24", At::LineAllowance, "amount"),
    ("BR-DEC-25", At::LineAllowance, "base"),
    ("BR-DEC-27", At::LineCharge, "amount"),
    ("BR-DEC-28", At::LineCharge, "base"),
];

pub(super) fn check(document: &InvoiceDocument) -> Vec<Verdict> {
    let verdict = |(rule, at, name): &(&str, At, &str)| match document.syntax.is_complete() {
        true => verdict(rule, &groups(document, at), name),
        // A printed amount has no other digits than those that are shown.
        false => Verdict::new(rule, "document", Outcome::NotApplicable),
    };
    RULES.iter().map(verdict).collect()
}

fn verdict(rule: &str, groups: &[&Group], name: &str) -> Verdict {
    let fields = groups.iter().flat_map(|group| group.fields.iter().filter(|field| field.term.name == name));
    let digits: Vec<usize> = fields
        .map(|field| field.raw.trim().split_once('.').map_or(0, |(_, fraction)| fraction.len()))
        .collect();
    let outcome = match digits.iter().max() {
        None => Outcome::NotApplicable,
        Some(..=2) => Outcome::Pass,
        Some(_) => Outcome::Fail,
    };
    Verdict::new(rule, "document", outcome)
}

fn groups<'a>(document: &'a InvoiceDocument, at: &At) -> Vec<&'a Group> {
    let of_lines = || document.lines.iter().flat_map(|line| &line.allowances);
    match at {
        At::Document => vec![&document.header],
        At::Allowance => document.allowances.iter().filter(|one| !is_charge(one)).collect(),
        At::Charge => document.allowances.iter().filter(|one| is_charge(one)).collect(),
        At::Vat => document.vat.iter().collect(),
        At::Line => document.lines.iter().map(|line| &line.group).collect(),
        At::LineAllowance => of_lines().filter(|one| !is_charge(one)).collect(),
        At::LineCharge => of_lines().filter(|one| is_charge(one)).collect(),
    }
}
