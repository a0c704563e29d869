//! What reads what. Table names in the SQL are the graph; nothing else declares it.

use super::header::Fault;
use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The tables that a statement reads, as written (`layer.name`), sorted; the names of its own
/// CTEs are left out. The text must be one query.
pub fn reads(sql: &str) -> Result<Vec<String>, Fault> {
    let mut statements = DFParser::parse_sql(sql).map_err(|error| syntax(sql, &error))?;
    let whole = statement_start(sql)..sql.len();
    let fault = |message: &str| Fault {
        span: whole.clone(),
        message: message.into(),
        hint: "a model is one query: select … or with … select …".into(),
    };
    let statement = statements.pop_front().ok_or_else(|| fault("the file has no statement"))?;
    if !statements.is_empty() {
        return Err(fault("the file has more than one statement"));
    }
    match &statement {
        Statement::Statement(inner) if matches!(**inner, SqlStatement::Query(_)) => {}
        _ => return Err(fault("the statement is not a query")),
    }
    let (tables, _) = resolve_table_references(&statement, true).map_err(|error| syntax(sql, &error))?;
    Ok(tables.iter().map(ToString::to_string).collect::<BTreeSet<_>>().into_iter().collect())
}

/// An order in which every table comes after those it reads, and the cycles that forbid one,
/// each as a path that ends where it began. Names that are not keys of `reads` are ignored.
pub fn order(reads: &BTreeMap<String, Vec<String>>) -> (Vec<String>, Vec<Vec<String>>) {
    let mut walk =
        Walk { reads, path: Vec::new(), done: BTreeSet::new(), order: Vec::new(), cycles: Vec::new() };
    for table in reads.keys() {
        walk.visit(table);
    }
    (walk.order, walk.cycles)
}

/// Whether `from` is `to` or reads it, directly or through others.
pub fn reaches(reads: &BTreeMap<String, Vec<String>>, from: &str, to: &str) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(table) = next.pop() {
        if table == to {
            return true;
        }
        if seen.insert(table) {
            next.extend(reads.get(table).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

struct Walk<'a> {
    reads: &'a BTreeMap<String, Vec<String>>,
    path: Vec<&'a str>,
    done: BTreeSet<&'a str>,
    order: Vec<String>,
    cycles: Vec<Vec<String>>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, table: &'a str) {
        if let Some(start) = self.path.iter().position(|on_path| *on_path == table) {
            let cycle = self.path[start..].iter().copied().chain([table]).map(String::from).collect();
            return self.cycles.push(cycle);
        }
        let Some(tables) = self.reads.get(table).filter(|_| !self.done.contains(table)) else { return };
        self.path.push(table);
        for read in tables {
            self.visit(read);
        }
        self.path.pop();
        self.done.insert(table);
        self.order.push(table.into());
    }
}

/// The bytes of line and column (from 1, in characters) of `text`, to the end of the word there.
pub fn word_at(text: &str, line: usize, column: usize) -> Range<usize> {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let line_start: usize = lines.map(str::len).sum();
    let rest = &text[line_start..];
    let in_line = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
    let start = line_start + in_line;
    let word = text[start..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len() - start);
    let first = text[start..].chars().next().map_or(0, char::len_utf8);
    start..start + word.max(first)
}

fn statement_start(sql: &str) -> usize {
    sql.len() - sql.trim_start().len()
}

/// A parser's error; its place is at the end of its text: `… at Line: 3, Column: 5`.
fn syntax(sql: &str, error: &DataFusionError) -> Fault {
    let text = match error.find_root() {
        DataFusionError::SQL(parser, _) => parser.to_string(),
        other => other.strip_backtrace(),
    };
    let text = text.trim_start_matches("sql parser error: ");
    let (message, place) = text.rsplit_once(" at Line: ").unwrap_or((text, ""));
    let place = place.split_once(", Column: ");
    let place = place.and_then(|(line, column)| Some((line.parse().ok()?, column.parse().ok()?)));
    let span = place.map_or(statement_start(sql)..sql.len(), |(line, column)| word_at(sql, line, column));
    let message = format!("not valid sql: {}", message.replace('\n', " ").replace("Expected:", "expected"));
    Fault { span, message, hint: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_tables_of_a_statement_without_its_ctes() {
        let sql =
            "with post as (select * from staging.employment), person as (select * from conformed.person)
            select * from post join person using (id) where code in (select code from reference.rank)";
        assert_eq!(reads(sql).unwrap(), ["conformed.person", "reference.rank", "staging.employment"]);
    }

    #[test]
    fn syntax_errors_have_a_place() {
        let sql = "select a\nform b.c";
        let fault = reads(sql).unwrap_err();
        assert_eq!(&sql[fault.span.clone()], "b", "{fault:?}");
        assert_eq!(reads("drop table x").unwrap_err().message, "the statement is not a query");
        assert_eq!(reads("select 1; select 2").unwrap_err().message, "the file has more than one statement");
    }

    #[test]
    fn tables_follow_what_they_read_and_cycles_are_paths() {
        let graph = |edges: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
            edges.iter().map(|(t, r)| (t.to_string(), r.iter().map(|r| r.to_string()).collect())).collect()
        };
        let (order, cycles) = super::order(&graph(&[("a", &["b", "x"]), ("b", &["c"]), ("c", &[])]));
        assert_eq!((order, cycles), (vec!["c".into(), "b".into(), "a".into()], vec![]));
        let (_, cycles) = super::order(&graph(&[("a", &["b"]), ("b", &["a"]), ("c", &["a", "c"])]));
        assert_eq!(cycles, [vec!["a", "b", "a"], vec!["c", "c"]]);
        let chain = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &[])]);
        assert!(reaches(&chain, "a", "c") && !reaches(&chain, "c", "a"));
    }
}
