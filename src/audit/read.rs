//! The statements of a record, each with its end.

use super::chain::Line;
use super::entry::{Ended, Event, Query};
use super::segment::{self, Lines, Segment};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

/// A statement that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number among those of its principal, from 1.
    pub number: i64,
    /// When it began: microseconds since 1970, UTC.
    pub started_at: i64,
    /// What was asked.
    pub query: Query,
    /// How it ended; `None` while it runs, or when the machine or the process died first.
    pub ended: Option<Ended>,
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A statement.
    Statement(Box<Recorded>),
    /// A line that somebody has spoiled.
    Unreadable,
}

/// Reads a record once, in bounded memory: a statement comes when its end is found, and those
/// without one come last. Blocks.
#[derive(Debug)]
pub struct Statements {
    files: std::vec::IntoIter<Segment>,
    lines: Option<Lines>,
    /// Only those of this principal.
    principal: Option<String>,
    /// How many each principal has asked.
    numbers: HashMap<String, i64>,
    /// Those whose end has not been found, by the number of their line.
    open: BTreeMap<u64, Recorded>,
}

impl Statements {
    /// The statements recorded in `folder` so far: of one principal, or all of them.
    pub fn open(folder: &Path, principal: Option<&str>) -> Result<Self> {
        Ok(Self {
            files: segment::list(folder).map_err(unreadable)?.into_iter(),
            lines: None,
            principal: principal.map(str::to_string),
            numbers: HashMap::new(),
            open: BTreeMap::new(),
        })
    }

    fn step(&mut self) -> io::Result<Option<Found>> {
        loop {
            let Some(lines) = &mut self.lines else {
                let Some(file) = self.files.next() else {
                    let left = self.open.pop_first();
                    return Ok(left.map(|(_, recorded)| Found::Statement(recorded.into())));
                };
                self.lines = Some(Lines::open(&file.path, 0, file.len)?);
                continue;
            };
            match lines.next()? {
                None => self.lines = None,
                // Somebody is writing it.
                Some(raw) if !raw.is_whole => {}
                Some(raw) => {
                    let line = Line::read(raw.bytes);
                    let read =
                        line.and_then(|line| Some((line.head.seq, serde_json::from_slice(line.json).ok()?)));
                    match read {
                        Some((seq, event)) => {
                            if let Some(ended) = self.take(seq, event) {
                                return Ok(Some(Found::Statement(ended.into())));
                            }
                        }
                        // Nobody knows whose it was.
                        None if self.principal.is_none() => return Ok(Some(Found::Unreadable)),
                        None => {}
                    }
                }
            }
        }
    }

    /// The statement that `event` ends.
    fn take(&mut self, seq: u64, event: Event<'_>) -> Option<Recorded> {
        match event {
            Event::Begin { at, principal, peer, statement, parameters, release, tables, forces } => {
                if self.principal.as_deref().is_some_and(|only| only != principal) {
                    return None;
                }
                let principal = principal.into_owned();
                let number = self.numbers.entry(principal.clone()).or_default();
                *number += 1;
                let query = Query {
                    principal,
                    peer: peer.into_owned(),
                    statement: statement.into_owned(),
                    parameters: parameters.map(String::from),
                    release,
                    tables: tables.into_owned(),
                    forces: forces.into_owned(),
                };
                self.open.insert(seq, Recorded { number: *number, started_at: at, query, ended: None });
                None
            }
            Event::End { at, of, outcome, rows, bytes, micros } => {
                let mut recorded = self.open.remove(&of)?;
                recorded.ended = Some(Ended { at, outcome, rows, bytes, micros });
                Some(recorded)
            }
            Event::Healed { .. } => None,
        }
    }
}

impl Iterator for Statements {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().map_err(unreadable).transpose()
    }
}

fn unreadable(cause: io::Error) -> Error {
    Error::lake("the record of reads cannot be read").because(cause)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Outcome;
    use super::super::writer::Writer;
    use super::*;
    use std::fs;

    fn begin(principal: &str, statement: &str) -> String {
        let query = Query {
            principal: principal.into(),
            peer: "local".into(),
            statement: statement.into(),
            parameters: None,
            release: 1,
            tables: Vec::new(),
            forces: vec!["*".into()],
        };
        Event::begin(&query).json().unwrap()
    }

    fn end(of: u64) -> String {
        let ended = Ended { at: 5, outcome: Outcome::Failed, rows: 1, bytes: 8, micros: 2 };
        Event::end(of, ended).json().unwrap()
    }

    fn shown(folder: &Path, principal: Option<&str>) -> Vec<String> {
        let shown = |found| match found {
            Found::Unreadable => "unreadable".into(),
            Found::Statement(it) => {
                let outcome = it.ended.map_or("running", |ended| ended.outcome.word());
                format!("{} {} {} {outcome}", it.query.principal, it.number, it.query.statement)
            }
        };
        Statements::open(folder, principal).unwrap().map(|found| shown(found.unwrap())).collect()
    }

    #[test]
    fn statements_come_with_their_ends() {
        let dir = tempfile::tempdir().unwrap();
        assert!(shown(dir.path(), None).is_empty());
        // Files of a few lines, so that ends are in others than their beginnings.
        let mut writer = Writer::new(dir.path().into(), 300);
        let events = [
            begin("anna", "a\r\n1"),
            begin("ben", "b1"),
            end(2),
            begin("anna", "a2"),
            end(99),
            end(1),
            end(1),
        ];
        for event in &events {
            writer.lock().unwrap().append([event.as_str()]).unwrap();
        }
        assert!(segment::list(dir.path()).unwrap().len() > 2);
        assert_eq!(shown(dir.path(), None), ["ben 1 b1 failed", "anna 1 a\r\n1 failed", "anna 2 a2 running"]);
        assert_eq!(shown(dir.path(), Some("anna")), ["anna 1 a\r\n1 failed", "anna 2 a2 running"]);
        let last = segment::list(dir.path()).unwrap().pop().unwrap().path;
        let text = fs::read_to_string(&last).unwrap();
        fs::write(&last, format!("spoiled\n{text}torn")).unwrap();
        assert_eq!(shown(dir.path(), None).iter().filter(|found| *found == "unreadable").count(), 1);
        assert_eq!(shown(dir.path(), Some("ben")), ["ben 1 b1 failed"]);
    }
}
