//! The arithmetic of EN 16931, rule by rule, under the ids of its published Schematron: what an
//! invoice says is compared with what its own numbers make. Exact decimals throughout.
//!
//! Tolerances are those of the Schematron: totals agree to the penny; VAT and its bases may be off
//! by less than one unit of the currency, where the published test says so.
//! <https://github.com/ConnectingEurope/eInvoicing-EN16931>,
//! <https://github.com/OpenPEPPOL/peppol-bis-invoice-3>

mod digits;
mod lines;
mod totals;
mod vat;

use super::decimal::Decimal;
use super::document::{Group, InvoiceDocument, is_charge};

/// How a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Pass,
    Fail,
    /// The document has nothing that the rule speaks of, or it was not found on the page.
    NotApplicable,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::NotApplicable => "not applicable",
        }
    }
}

/// What one rule says about one thing.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    /// The id, such as `BR-CO-10`.
    pub(super) rule: String,
    /// What it looked at: `document`, `line 2`, `vat S 19`.
    pub(super) subject: String,
    pub(super) outcome: Outcome,
    /// What the document says.
    pub(super) stated: Option<Decimal>,
    /// What its other numbers make.
    pub(super) computed: Option<Decimal>,
}

/// How far two numbers may be apart.
#[derive(Debug, Clone, Copy)]
enum Slack {
    /// Not at all.
    None,
    /// By less than this.
    Below(Decimal),
    /// By this at most.
    UpTo(Decimal),
}

/// A unit of the currency: what rounding line by line may add up to.
const UNIT: Slack = Slack::Below(Decimal::ONE);

/// Two pence: what the price of a line may lose in rounding.
const PENCE: Slack = Slack::UpTo(Decimal::hundredths(2));

impl Slack {
    fn allows(self, stated: Decimal, computed: Decimal) -> bool {
        let apart = stated.minus(computed).map(Decimal::abs);
        apart.is_some_and(|apart| match self {
            Slack::None => apart == Decimal::ZERO,
            Slack::Below(limit) => apart < limit,
            Slack::UpTo(limit) => apart <= limit,
        })
    }
}

impl Verdict {
    fn new(rule: &str, subject: &str, outcome: Outcome) -> Self {
        Self { rule: rule.into(), subject: subject.into(), outcome, stated: None, computed: None }
    }

    /// The verdict on two numbers; not applicable where one of them is unknown.
    fn compared(
        rule: &str,
        subject: &str,
        stated: Option<Decimal>,
        computed: Option<Decimal>,
        slack: Slack,
    ) -> Self {
        let outcome = match (stated, computed) {
            (Some(stated), Some(computed)) if slack.allows(stated, computed) => Outcome::Pass,
            (Some(_), Some(_)) => Outcome::Fail,
            _ => Outcome::NotApplicable,
        };
        Self { stated, computed, ..Self::new(rule, subject, outcome) }
    }
}

/// The verdict of every rule.
pub(super) fn check(document: &InvoiceDocument) -> Vec<Verdict> {
    let mut verdicts = totals::check(document);
    verdicts.extend(vat::check(document));
    verdicts.extend(lines::check(document));
    verdicts.extend(digits::check(document));
    verdicts
}

/// The worst of them: one failure fails the document.
pub(super) fn overall(verdicts: &[Verdict]) -> Outcome {
    let any = |outcome| verdicts.iter().any(|verdict| verdict.outcome == outcome);
    match (any(Outcome::Fail), any(Outcome::Pass)) {
        (true, _) => Outcome::Fail,
        (false, true) => Outcome::Pass,
        (false, false) => Outcome::NotApplicable,
    }
}

/// The sum of the allowances among `all`, or of the charges.
pub(super) fn sum_of(all: &[Group], charges: bool) -> Option<Decimal> {
    let mine = all.iter().filter(|one| is_charge(one) == charges);
    Decimal::sum(mine.map(|one| one.number("amount")).collect::<Option<Vec<_>>>()?)
}
