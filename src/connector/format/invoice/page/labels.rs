//! Label rules: which words stand beside a field, and how much that says. They are data, in
//! `labels.toml`; a new wording is a line there.

use super::written::{self, Written};
use super::{Cell, Word, lines};
use crate::connector::format::invoice::document::{Field, Group, InvoiceDocument, Syntax, document_term};
use crate::connector::format::invoice::terms::{Kind, Term};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a value below its label is worth, compared with one beside it.
const BELOW: f64 = 0.85;

/// How far below its label a value may stand, in lines.
const LINES_BELOW: usize = 2;

/// What `labels.toml` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    /// By party, the headings under which its fields stand.
    sections: BTreeMap<String, Vec<String>>,
    rules: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    field: String,
    /// Regular expressions: any of them is the label.
    labels: Vec<String>,
    confidence: f64,
    /// The heading above, if the label means the field only there.
    section: Option<String>,
    /// What the value looks like, if its kind does not say it.
    pattern: Option<String>,
    /// The value that the label itself says.
    means: Option<String>,
    /// Whether the value may stand below its label, as in tables.
    #[serde(default)]
    below: bool,
    /// Whether of several the last counts: sums come after what is carried forward.
    #[serde(default)]
    last: bool,
    /// Whether the sign is only the printer's way to say that something is taken off.
    #[serde(default)]
    unsigned: bool,
}

struct Rule {
    term: &'static Term,
    label: Regex,
    pattern: Option<Regex>,
    raw: RawRule,
}

struct Rules {
    sections: Vec<(String, Regex)>,
    rules: Vec<Rule>,
}

static RULES: LazyLock<Result<Rules, String>> = LazyLock::new(|| rules(include_str!("labels.toml")));

fn rules(text: &str) -> Result<Rules, String> {
    let written: Labels = toml::from_str(text).map_err(|error| error.to_string())?;
    let any = |patterns: &[String], around: (&str, &str)| {
        let pattern = format!("{}(?:{}){}", around.0, patterns.join("|"), around.1);
        RegexBuilder::new(&pattern).case_insensitive(true).build().map_err(|error| error.to_string())
    };
    let sections = written
        .sections
        .iter()
        .map(|(name, headings)| Ok((name.clone(), any(headings, (r"^\s*", r"\s*:?\s*$"))?)));
    let rule = |raw: RawRule| {
        let term = document_term(&raw.field).ok_or_else(|| format!("there is no field {:?}", raw.field))?;
        let pattern = raw.pattern.as_ref().map(|pattern| any(std::slice::from_ref(pattern), ("", "")));
        Ok(Rule {
            term,
            label: any(&raw.labels, ("^", r"\s*[:.#]?\s*"))?,
            pattern: pattern.transpose()?,
            raw,
        })
    };
    Ok(Rules {
        sections: sections.collect::<Result<_, String>>()?,
        rules: written.rules.into_iter().map(rule).collect::<Result<_, String>>()?,
    })
}

/// The invoice that the words of its pages make; `Err` says in words why they make none.
pub(in crate::connector::format::invoice) fn located(
    words: Vec<Word>,
    syntax: Syntax,
) -> Result<InvoiceDocument, String> {
    let rules = RULES.as_ref().map_err(|error| format!("the label rules cannot be read: {error}"))?;
    let lines = lines(words);
    let sections = sections(rules, &lines);
    let mut best: BTreeMap<&str, (Field, bool)> = BTreeMap::new();
    for rule in &rules.rules {
        for found in candidates(rule, &lines, &sections) {
            let better = best.get(rule.term.name).is_none_or(|(known, last)| {
                match found.confidence.total_cmp(&known.confidence) {
                    std::cmp::Ordering::Greater => true,
                    std::cmp::Ordering::Equal => *last,
                    std::cmp::Ordering::Less => false,
                }
            });
            if better {
                best.insert(rule.term.name, (found, rule.raw.last));
            }
        }
    }
    if !["number", "gross_total", "payable"].iter().any(|name| best.contains_key(name)) {
        return Err("no label of an invoice was found: neither its number nor what is to be paid".into());
    }
    let header = Group { fields: best.into_values().map(|(field, _)| field).collect() };
    Ok(InvoiceDocument { syntax, header, lines: Vec::new(), vat: Vec::new(), allowances: Vec::new() })
}

/// For each line, the section it is in.
fn sections<'r>(rules: &'r Rules, lines: &[Vec<Cell>]) -> Vec<Option<&'r str>> {
    let heading = |cells: &Vec<Cell>| {
        let first = &cells.first()?.text;
        rules.sections.iter().find(|(_, heading)| heading.is_match(first)).map(|(name, _)| name.as_str())
    };
    let mut section = None;
    lines
        .iter()
        .map(|cells| {
            section = heading(cells).or(section);
            section
        })
        .collect()
}

/// Every place where the rule finds its field.
fn candidates(rule: &Rule, lines: &[Vec<Cell>], sections: &[Option<&str>]) -> Vec<Field> {
    let is_here =
        |section: &Option<&str>| rule.raw.section.is_none() || rule.raw.section.as_deref() == *section;
    let mut found = Vec::new();
    for (at, cells) in lines.iter().enumerate().filter(|(at, _)| is_here(&sections[*at])) {
        for (nth, cell) in cells.iter().enumerate() {
            let Some(label) = rule.label.find(&cell.text) else { continue };
            found.extend(value_of(rule, lines, (at, nth), &cell.text[label.end()..]));
        }
    }
    found
}

/// The value of the label in the cell at `place`, behind which `rest` follows in the same cell.
fn value_of(rule: &Rule, lines: &[Vec<Cell>], (line, nth): (usize, usize), rest: &str) -> Option<Field> {
    let cells = &lines[line];
    let label = &cells[nth];
    if let Some(meant) = &rule.raw.means {
        return Some(field(rule, label, (meant.clone(), label.text.trim()), 1.0));
    }
    if let Some(value) = rule.value(rest) {
        return Some(field(rule, label, value, 1.0));
    }
    let beside = cells[nth + 1..].iter().find_map(|cell| Some((cell, rule.value(&cell.text)?)));
    if let Some((cell, value)) = beside {
        return Some(field(rule, cell, value, 1.0));
    }
    let below = lines[line + 1..].iter().take(if rule.raw.below { LINES_BELOW } else { 0 }).flatten();
    let below = below.filter(|cell| cell.page == label.page && cell.is_over(label));
    let (cell, value) = below.filter_map(|cell| Some((cell, rule.value(&cell.text)?))).next()?;
    Some(field(rule, cell, value, BELOW))
}

impl Rule {
    /// What a text says if it is a value of the rule's field.
    fn value<'t>(&self, text: &'t str) -> Option<Written<'t>> {
        let text = match &self.pattern {
            Some(pattern) => pattern.find(text)?.as_str(),
            None => text.trim(),
        };
        match self.term.kind {
            Kind::Date => written::date(text),
            Kind::Amount | Kind::Number => {
                let (number, raw) = written::amount(text)?;
                let number =
                    if self.raw.unsigned { number.trim_start_matches('-').to_string() } else { number };
                Some((number, raw))
            }
            Kind::Text | Kind::Account => (!text.is_empty()).then(|| (text.to_string(), text)),
        }
    }
}

fn field(rule: &Rule, cell: &Cell, (value, raw): Written<'_>, worth: f64) -> Field {
    let confidence = rule.raw.confidence * worth * cell.confidence(raw);
    let field = Field::read(rule.term, &value, confidence, cell.place());
    match rule.term.kind {
        Kind::Account => field,
        _ => Field { raw: raw.to_string(), ..field },
    }
}

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn the_rules_can_be_read() {
        assert_eq!(RULES.as_ref().err(), None);
    }
}
