//! The truth about the estate: questions in SQL and the answers that the world gives.

mod approvals;
mod budgets;
mod duty;
mod finance;
mod hr;
mod hub;
mod services;

pub(super) use crate::demo::truth::duty::Tally;

use crate::demo::calendar;
use crate::demo::force::{FORCES, Force};
use crate::demo::service::Request;
use crate::demo::world::{Ledger, People};
use crate::demo::write::Received;
use crate::error::{Error, Result};
use serde_json::{Value, json};

/// What is known of one force.
#[derive(Debug)]
pub(super) struct Facts {
    /// The force.
    pub force: &'static Force,
    /// Its people.
    pub people: People,
    /// Its finances.
    pub ledger: Ledger,
    /// Its duties, counted as they were made.
    pub duty: Tally,
    /// What the hub must find it received of each source.
    pub received: Vec<(String, Vec<Received>)>,
}

/// A question that some user may ask, and its answer.
#[derive(Debug)]
pub(super) struct Question {
    name: String,
    user: &'static str,
    sql: String,
    rows: Vec<Vec<Cell>>,
}

/// One cell of an answer: as the column's type prints, or null.
type Cell = Option<String>;

/// Every question about people and their duties.
pub(super) fn of_people(facts: &[Facts]) -> Vec<Question> {
    let mut asked = Asked::default();
    hr::ask(&mut asked, facts);
    duty::ask(&mut asked, facts);
    asked.questions
}

/// Every question about finances, and about what the hub knows of itself.
pub(super) fn of_finances(facts: &[Facts]) -> Vec<Question> {
    let mut asked = Asked::default();
    finance::ask(&mut asked, facts);
    hub::ask(&mut asked, facts);
    asked.questions
}

/// Every question about what is approved on the phone.
pub(super) fn of_approvals(facts: &Facts) -> Vec<Question> {
    let mut asked = Asked::default();
    approvals::ask(&mut asked, facts);
    asked.questions
}

/// Every question about budgets.
pub(super) fn of_budgets(facts: &Facts) -> Vec<Question> {
    let mut asked = Asked::default();
    budgets::ask(&mut asked, facts);
    asked.questions
}

/// Every question about what a council has published of `ledger`.
pub(super) fn of_published(ledger: &Ledger) -> Vec<Question> {
    let mut asked = Asked::default();
    budgets::ask_published(&mut asked, ledger);
    asked.questions
}

/// Every question about what is asked of councils.
pub(super) fn of_services(requests: &[Request]) -> Vec<Question> {
    let mut asked = Asked::default();
    services::ask(&mut asked, requests);
    asked.questions
}

/// The file that the check reads.
pub(super) fn json(questions: &[Question]) -> Result<String> {
    let list: Vec<Value> = questions
        .iter()
        .map(|q| json!({ "name": q.name, "user": q.user, "sql": q.sql, "rows": q.rows }))
        .collect();
    let text = serde_json::to_string_pretty(&list);
    text.map_err(|e| Error::internal("cannot write the truth as JSON").because(e))
}

/// Questions as they are collected.
#[derive(Debug, Default)]
struct Asked {
    questions: Vec<Question>,
}

impl Asked {
    /// A question by the hub's user.
    fn hub(&mut self, name: &str, sql: &str, rows: Vec<Vec<Cell>>) {
        self.user("hub", name, sql, rows);
    }

    /// A question by `user`. The SQL is put on one line.
    fn user(&mut self, user: &'static str, name: &str, sql: &str, rows: Vec<Vec<Cell>>) {
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        self.questions.push(Question { name: name.to_owned(), user, sql, rows });
    }

    /// The same question by each force's user about their own force.
    fn each(&mut self, name: &str, sql: &str, facts: &[Facts], answer: impl Fn(&Facts) -> Vec<Vec<Cell>>) {
        for facts in facts {
            let code = facts.force.code;
            self.user(code, &format!("{name}, seen by {code}"), sql, answer(facts));
        }
    }
}

/// A row of an answer.
fn row<const N: usize>(cells: [String; N]) -> Vec<Cell> {
    cells.into_iter().map(Some).collect()
}

/// A whole number.
fn int(n: impl TryInto<i128>) -> String {
    n.try_into().map(|n| n.to_string()).unwrap_or_default()
}

/// A decimal given in units of its last digit.
fn decimal(units: i64, scale: u32) -> String {
    crate::demo::write::decimal_text(units, scale)
}

/// A day.
fn date(day: calendar::Day) -> String {
    calendar::iso(day)
}

/// A truth value.
fn flag(value: bool) -> String {
    value.to_string()
}

/// The code of the force at `index`.
fn code(index: usize) -> String {
    FORCES[index].code.to_owned()
}
