//! Random statements, each asked by the same client of two hubs.

use super::grammar::{Asked, Grammar};
use super::oracle::{Client, Difference, Question, Seen};
use super::world::{ASH, Birch, World, Worlds};
use futures::future::join_all;
use std::collections::BTreeMap;
use std::fmt;

/// How often a difference is looked at again. What a hub says now so and now so tells nothing of
/// another one.
const AGAIN: usize = 10;

/// How many statements of one's own follow one that is first asked by somebody who reads everything.
const PRIMED: u64 = 25;

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Statements, over all pairs of hubs.
    pub statements: u64,
    pub seed: u64,
    /// Whether a pair is left at its first violation.
    pub until_caught: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    pub asked: u64,
    pub succeeded: u64,
    pub with_rows: u64,
    /// Errors by their first words, with an example each.
    pub refusals: BTreeMap<String, (u64, String)>,
    /// Statements whose answer changes from call to call in the same hub.
    pub fickle: Vec<String>,
    pub violations: Vec<String>,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.succeeded += other.succeeded;
        self.with_rows += other.with_rows;
        self.fickle.extend(other.fickle);
        self.violations.extend(other.violations);
        for (error, (count, example)) in other.refusals {
            self.refusals.entry(error).or_insert((0, example)).0 += count;
        }
    }

    fn count(&mut self, question: &Question, seen: &Seen) {
        self.asked += 1;
        self.with_rows += u64::from(seen.rows() > 0);
        match &seen.refusal {
            None => self.succeeded += 1,
            Some((code, text)) => {
                let start: String = text.chars().take(28).collect();
                let key = format!("{code:?} {start}");
                self.refusals.entry(key).or_insert_with(|| (0, format!("{question:?}: {text}"))).0 += 1;
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |part: u64| part as f64 * 100.0 / self.asked.max(1) as f64;
        writeln!(
            f,
            "{} statements, {:.1} % succeeded, {:.1} % with rows, {} fickle, {} violations",
            self.asked,
            share(self.succeeded),
            share(self.with_rows),
            self.fickle.len(),
            self.violations.len()
        )?;
        for fickle in self.fickle.iter().take(5) {
            writeln!(f, "fickle: {fickle}")?;
        }
        if std::env::var_os("MUSTER_FUZZ_VERBOSE").is_some() {
            let mut refusals: Vec<_> = self.refusals.iter().collect();
            refusals.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
            for (error, (count, example)) in refusals {
                writeln!(f, "{count:6} {error}\n         {example}")?;
            }
        }
        Ok(())
    }
}

/// The first of `worlds` beside each of the others.
pub async fn run(worlds: &Worlds, plan: Plan) -> Report {
    let Some((first, others)) = worlds.all.split_first() else { return Report::default() };
    let all: u64 = others.iter().map(|world| share(world.birch)).sum();
    let runs = others.iter().zip(ASH).enumerate().map(|(n, (other, user))| {
        let statements = plan.statements * share(other.birch) / all;
        let plan = Plan { statements, seed: plan.seed.wrapping_add(n as u64), ..plan };
        beside(first, other, user, plan, &worlds.instants)
    });
    let mut report = Report::default();
    for of_pair in join_all(runs).await {
        report.add(of_pair);
    }
    report
}

/// How many of the statements go to a pair: the most to the hub that differs most.
fn share(birch: Birch) -> u64 {
    match birch {
        Birch::Present | Birch::Rebuilt => 1,
        Birch::Unknown => 4,
        Birch::Absent => 6,
        Birch::Different => 9,
    }
}

/// One pair of hubs. Both get the same statements of `user` in the same order, so that their sessions
/// and records must stay alike.
async fn beside(first: &World, other: &World, user: &str, plan: Plan, instants: &[String]) -> Report {
    let mut grammar = Grammar::new(plan.seed, instants);
    let mut pair = Pair { first: first.log_in(user).await, other: other.log_in(user).await };
    let mut all = Pair { first: first.log_in("hubert").await, other: other.log_in("hubert").await };
    let mut report = Report::default();
    for number in 0..plan.statements {
        let asked = grammar.next();
        if number % PRIMED == 0 && matches!(asked.question, Question::Rows(..)) {
            all.ask(&asked.question).await;
        }
        let (seen, verdict) = pair.judge(&asked).await;
        report.count(&asked.question, &seen);
        let told =
            |what: String| format!("{:?}, statement {number}: {what}: {:?}", other.birch, asked.question);
        match verdict {
            Verdict::Alike => {}
            Verdict::Fickle(what) => report.fickle.push(told(what)),
            Verdict::Interferes(what) => {
                report.violations.push(told(what));
                if plan.until_caught {
                    break;
                }
            }
        }
    }
    report
}

enum Verdict {
    Alike,
    /// The hubs differ from themselves as they do from each other.
    Fickle(String),
    Interferes(String),
}

/// The same user in two hubs.
struct Pair {
    first: Client,
    other: Client,
}

impl Pair {
    async fn ask(&mut self, question: &Question) -> (Seen, Seen) {
        tokio::join!(self.first.ask(question), self.other.ask(question))
    }

    /// What the first hub answers, and whether the other can be told from it.
    async fn judge(&mut self, asked: &Asked) -> (Seen, Verdict) {
        let (ours, theirs) = self.ask(&asked.question).await;
        if let Some(what) = ours.betrays(&asked.question).or_else(|| theirs.betrays(&asked.question)) {
            return (ours, Verdict::Interferes(what));
        }
        let Some(difference) = ours.differs(&theirs, asked.ordered).await else {
            return (ours, Verdict::Alike);
        };
        let (what, is_cut) = match difference {
            Difference::Said(what) => (what, false),
            Difference::Cut(what) => (what, true),
        };
        for time in 1..=AGAIN {
            // What is remembered comes again as it was first cut.
            let question = if is_cut { asked.question.anew(time) } else { asked.question.clone() };
            let (again, theirs_again) = self.ask(&question).await;
            let differs = again.differs(&theirs_again, asked.ordered).await.is_some();
            if !differs || ours.differs(&again, asked.ordered).await.is_some() {
                return (ours, Verdict::Fickle(what));
            }
        }
        (ours, Verdict::Interferes(what))
    }
}
