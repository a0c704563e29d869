//! What a line of the record says.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, Serializer};
use std::borrow::Cow;
use std::io;

/// What is known of a statement before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Who asks.
    pub principal: String,
    /// The address of the client, or `local`.
    pub peer: String,
    /// The text, as received; the beginning of a very long one.
    pub statement: String,
    /// The values bound to its parameters, a JSON list of rows; `None` when there are none.
    pub parameters: Option<String>,
    /// The release that answers; 0 when the statement never got that far.
    pub release: u64,
    /// The tables that the plan reads, `layer.name`.
    pub tables: Vec<String>,
    /// The forces whose rows the principal may read, or `*`.
    pub forces: Vec<String>,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The client received every row.
    Succeeded,
    /// The client received an error.
    Failed,
    /// The client went away before the end.
    Cancelled,
}

impl Outcome {
    /// The word in the record and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        }
    }
}

/// The end of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Microseconds since 1970, UTC.
    pub at: i64,
    /// How.
    pub outcome: Outcome,
    /// How many rows were sent.
    pub rows: u64,
    /// How many bytes they took in memory.
    pub bytes: u64,
    /// How long it took, by a clock that nobody sets.
    pub micros: u64,
}

/// What happened, as the JSON of a line says it after the line's number. Instants are microseconds
/// since 1970, UTC.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Event<'a> {
    /// A statement is about to run.
    Begin {
        at: i64,
        principal: Cow<'a, str>,
        peer: Cow<'a, str>,
        statement: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameters: Option<Cow<'a, str>>,
        release: u64,
        tables: Cow<'a, [String]>,
        forces: Cow<'a, [String]>,
    },
    /// The statement that line `of` began has ended.
    End { at: i64, of: u64, outcome: Outcome, rows: u64, bytes: u64, micros: u64 },
    /// A process died while it wrote: so many bytes of a line that nobody waited for were removed.
    Healed { at: i64, bytes: u64 },
}

impl<'a> Event<'a> {
    pub(super) fn begin(query: &'a Query) -> Self {
        Event::Begin {
            at: now(),
            principal: query.principal.as_str().into(),
            peer: query.peer.as_str().into(),
            statement: query.statement.as_str().into(),
            parameters: query.parameters.as_deref().map(Cow::Borrowed),
            release: query.release,
            tables: query.tables.as_slice().into(),
            forces: query.forces.as_slice().into(),
        }
    }

    pub(super) fn end(of: u64, ended: Ended) -> Self {
        let Ended { at, outcome, rows, bytes, micros } = ended;
        Event::End { at, of, outcome, rows, bytes, micros }
    }

    pub(super) fn healed(bytes: u64) -> Self {
        Event::Healed { at: now(), bytes }
    }

    pub(super) fn at(&self) -> i64 {
        match self {
            Event::Begin { at, .. } | Event::End { at, .. } | Event::Healed { at, .. } => *at,
        }
    }

    /// One line of JSON that no terminal, editor or parser of lines takes for anything else.
    pub(super) fn json(&self) -> Result<String> {
        let mut json = Vec::new();
        let written = self.serialize(&mut Serializer::with_formatter(&mut json, Harmless));
        written
            .map_err(io::Error::from)
            .and_then(|()| String::from_utf8(json).map_err(io::Error::other))
            .map_err(|e| Error::internal("the statement cannot be written down").because(e))
    }
}

/// The present, in microseconds since 1970, UTC.
pub(super) fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// Whether a character can make a terminal or an editor show something else than what is there:
/// controls, what turns the direction of writing around, what takes no space.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Compact JSON whose texts have every harmful character as `\uXXXX`.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_harmful(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn query(statement: &str) -> Query {
        Query {
            principal: "anna".into(),
            peer: "local".into(),
            statement: statement.into(),
            parameters: None,
            release: 7,
            tables: vec!["marts.spend".into(), "marts.strength".into()],
            forces: vec!["beds".into()],
        }
    }

    fn json(event: &Event<'_>) -> String {
        let json = event.json().unwrap();
        json.replace(&event.at().to_string(), "…")
    }

    #[test]
    fn events_are_one_line_of_json() {
        expect![[r#"{"kind":"begin","at":…,"principal":"anna","peer":"local","statement":"select \"é\"\r\n1","release":7,"tables":["marts.spend","marts.strength"],"forces":["beds"]}"#]]
            .assert_eq(&json(&Event::begin(&query("select \"é\"\r\n1"))));
        let ended = Ended { at: now(), outcome: Outcome::Cancelled, rows: 3, bytes: 24, micros: 1700 };
        expect![[r#"{"kind":"end","at":…,"of":1,"outcome":"cancelled","rows":3,"bytes":24,"micros":1700}"#]]
            .assert_eq(&json(&Event::end(1, ended)));
        expect![[r#"{"kind":"healed","at":…,"bytes":12}"#]].assert_eq(&json(&Event::healed(12)));
    }

    #[test]
    fn harmful_characters_are_escaped_and_come_back() {
        let nasty: String = (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| is_harmful(*c)).collect();
        assert!(
            "\0\n\r\u{1b}\u{7f}\u{9b}\u{202e}\u{2066}\u{200e}\u{2028}".chars().all(|c| nasty.contains(c))
        );
        let text = format!("select 'Łódź 警 🚓'{nasty}");
        let json = Event::begin(&query(&text)).json().unwrap();
        assert!(!json.chars().any(is_harmful));
        assert!(json.contains("Łódź 警 🚓") && json.contains(r"\u202e") && json.contains(r"\udb40\udc01"));
        match serde_json::from_str(&json).unwrap() {
            Event::Begin { statement, .. } => assert_eq!(statement, text),
            other => panic!("{other:?}"),
        }
    }
}
