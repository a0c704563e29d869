//! The comment at the head of a SQL file: its contract and its documentation.
//!
//! ```text
//! /*
//! One row per person and day they hold a post.
//! grain: employment_id
//! scope: force
//! columns:
//!   ni_token: joins people across systems  [pii]
//! checks:
//!   unique: employment_id
//!   not_null: employment_id, started_on
//!   accept fte: fte between 0 and 1.5
//!   relate rank_code: reference.rank.code      (warn, <= 0.5 %)
//!   row_count: within 20 %
//! */
//! ```
//!
//! A line that is indented deeper than the entry before it continues that entry.

use super::rules::{is_name, list};
use super::{Check, ColumnDoc, Scope, rules};
use crate::error::known;
use std::ops::Range;

/// What a header says, with the places of its entries in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The first sentence.
    pub description: String,
    /// The columns that identify a row.
    pub grain: Vec<String>,
    /// Where the grain stands; where it should stand, if there is none.
    pub grain_at: Range<usize>,
    /// Whether the model runs per force.
    pub scope: Scope,
    /// Documented columns.
    pub columns: Vec<(Range<usize>, ColumnDoc)>,
    /// The checks.
    pub checks: Vec<(Range<usize>, Check)>,
    /// Where the statement starts.
    pub end: usize,
}

/// Something wrong in a SQL file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, in bytes of the text that was given.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

const KEYS: [&str; 4] = ["grain", "scope", "columns", "checks"];

/// Reads the header at the start of `text`, with everything that is wrong with it.
pub fn parse(text: &str) -> (Header, Vec<Fault>) {
    let mut reading = Reading {
        header: Header {
            description: String::new(),
            grain: Vec::new(),
            grain_at: 0..0,
            scope: Scope::Force,
            columns: Vec::new(),
            checks: Vec::new(),
            end: 0,
        },
        faults: Vec::new(),
    };
    let start = text.len() - text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).len();
    let body = text[start..].strip_prefix("/*").and_then(|rest| Some(&rest[..rest.find("*/")?]));
    match body {
        Some(body) => {
            let at = start + "/*".len();
            reading.header.end = at + body.len() + "*/".len();
            reading.body(body, at);
        }
        None => {
            let hint = "begin with /* one sentence that says what a row is, and a line \"grain: …\" */";
            reading.fault(start..start, "the file has no header", hint);
        }
    }
    (reading.header, reading.faults)
}

/// One entry: a line and the deeper lines that continue it.
struct Entry {
    indent: usize,
    text: String,
    span: Range<usize>,
}

/// The part of a header that an entry belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Prose,
    Keys,
    Columns,
    Checks,
    /// Below a key that is not known, already reported.
    Unknown,
}

struct Reading {
    header: Header,
    faults: Vec<Fault>,
}

impl Reading {
    fn fault(&mut self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.push(Fault { span, message: message.into(), hint: hint.into() });
    }

    fn body(&mut self, body: &str, at: usize) {
        let mut part = Part::Prose;
        let mut prose = String::new();
        let mut base = 0;
        for entry in entries(body, at) {
            let (word, rest) = entry.text.split_once(':').unwrap_or((&entry.text, ""));
            let rest = rest.trim();
            let key = KEYS.contains(&word) && entry.text.contains(':');
            if key && (part == Part::Prose || entry.indent <= base) {
                base = entry.indent;
                part = self.key(word, rest, &entry);
                continue;
            }
            match part {
                Part::Prose => {
                    prose.push_str(&entry.text);
                    prose.push(' ');
                }
                Part::Columns if entry.indent > base => self.column(word, rest, &entry),
                Part::Checks if entry.indent > base => self.check(&entry),
                Part::Unknown if entry.indent > base => {}
                _ => {
                    (base, part) = (entry.indent, Part::Unknown);
                    let message = format!("unknown key \"{word}\" in the header");
                    self.fault(entry.span, message, known("keys", word, KEYS));
                }
            }
        }
        self.header.description = first_sentence(&prose);
        if self.header.description.is_empty() {
            self.fault(at..at, "the header has no description", "say in one sentence what a row is");
        }
        if self.header.grain_at.is_empty() {
            self.header.grain_at = at.saturating_sub(2)..at;
        }
    }

    fn key(&mut self, word: &str, rest: &str, entry: &Entry) -> Part {
        match word {
            "grain" => {
                self.header.grain = list(rest);
                self.header.grain_at = entry.span.clone();
            }
            "scope" => match rest {
                "force" => self.header.scope = Scope::Force,
                "hub" => self.header.scope = Scope::Hub,
                other => {
                    let hint = known("scopes", other, ["force", "hub"]);
                    self.fault(entry.span.clone(), format!("unknown scope \"{other}\""), hint);
                }
            },
            _ if !rest.is_empty() => self.fault(
                entry.span.clone(),
                format!("\"{word}:\" stands alone"),
                "put each entry on its own line, indented",
            ),
            _ => {}
        }
        match word {
            "columns" => Part::Columns,
            "checks" => Part::Checks,
            _ => Part::Keys,
        }
    }

    fn column(&mut self, name: &str, rest: &str, entry: &Entry) {
        if !is_name(name) {
            let hint = "write \"name: what it means  [tags]\"; indent a line that continues the one before";
            return self.fault(entry.span.clone(), format!("\"{name}\" is not a column"), hint);
        }
        let (text, tags) = match rest.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
            Some((text, tags)) => (text.trim(), list(tags)),
            None => (rest, Vec::new()),
        };
        let column = ColumnDoc { name: name.into(), text: text.into(), tags };
        self.header.columns.push((entry.span.clone(), column));
    }

    fn check(&mut self, entry: &Entry) {
        match rules::check(&entry.text) {
            Ok(check) => self.header.checks.push((entry.span.clone(), check)),
            Err((message, hint)) => self.fault(entry.span.clone(), message, hint),
        }
    }
}

/// The entries of a header's body, which starts at byte `at` of the file.
fn entries(body: &str, at: usize) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut start = at;
    for line in body.split_inclusive('\n') {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        let span = start + indent..start + indent + text.len();
        start += line.len();
        let key = KEYS.iter().any(|key| text.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
        match entries.last_mut() {
            _ if text.is_empty() => {}
            // Only an entry with a colon can go on: `columns:` opens a list, prose is joined anyway.
            Some(last)
                if indent > last.indent && !key && last.text.contains(':') && !last.text.ends_with(':') =>
            {
                last.text.push(' ');
                last.text.push_str(text);
            }
            _ => entries.push(Entry { indent, text: text.into(), span }),
        }
    }
    entries
}

fn first_sentence(prose: &str) -> String {
    let prose = prose.trim();
    prose.find(". ").map_or(prose, |end| &prose[..=end]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Rule, Severity};

    const EMPLOYMENT: &str = "
/*
One row per person and day they hold a post. Overlaps are
cut.
grain: employment_id
scope: force
columns:
  ni_token: joins people across systems,
    and hides who they are  [pii, secret]
  fte: full time
checks:
  unique: force, employment_id
  accept fte: fte between 0 and
    case when fte is null then 1 else 1.5 end
  relate rank_code: reference.rank.code      (warn)
*/
select 1";

    #[test]
    fn a_header_is_read_whole() {
        let (header, faults) = parse(EMPLOYMENT);
        assert_eq!(faults, []);
        assert_eq!(header.description, "One row per person and day they hold a post.");
        assert_eq!(header.grain, ["employment_id"]);
        assert_eq!(&EMPLOYMENT[header.end..], "\nselect 1");
        let (at, ni) = &header.columns[0];
        assert!(EMPLOYMENT[at.clone()].starts_with("ni_token"));
        assert_eq!(ni.text, "joins people across systems, and hides who they are");
        assert_eq!(ni.tags, ["pii", "secret"]);
        assert_eq!(header.columns[1].1.tags, Vec::<String>::new());
        let rules: Vec<_> = header.checks.iter().map(|(_, check)| (&check.rule, check.severity)).collect();
        let expression = "fte between 0 and case when fte is null then 1 else 1.5 end".to_string();
        assert_eq!(rules[0], (&Rule::Unique(vec!["force".into(), "employment_id".into()]), Severity::Block));
        assert_eq!(rules[1], (&Rule::Accept { name: "fte".into(), expression }, Severity::Block));
        let (column, table, other) = ("rank_code".into(), "reference.rank".into(), "code".into());
        assert_eq!(rules[2], (&Rule::Relate { column, table, other }, Severity::Warn));
    }

    #[test]
    fn every_fault_of_a_header_is_found() {
        let text =
            "/*\nA row.\ngrain: a\nscop: hub\nchecks:\n  uniqe: a\n  relate a: rank.code\n*/\nselect 1 as a";
        let (_, faults) = parse(text);
        let messages: Vec<_> = faults.iter().map(|f| (&text[f.span.clone()], f.message.as_str())).collect();
        assert_eq!(
            messages,
            [
                ("scop: hub", "unknown key \"scop\" in the header"),
                ("uniqe: a", "\"uniqe: a\" is not a check"),
                ("relate a: rank.code", "\"relate a: rank.code\" is not a check"),
            ]
        );
        assert_eq!(parse("select 1").1[0].message, "the file has no header");
    }
}
