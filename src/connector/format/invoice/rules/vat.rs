//! BR-CO-17 and, for each VAT category, rules 08 (its base) and 09 (its tax).

use super::{Outcome, Slack, UNIT, Verdict};
use crate::connector::format::invoice::decimal::Decimal;
use crate::connector::format::invoice::document::{Group, InvoiceDocument, Syntax, is_charge};

/// A VAT category.
struct Category {
    code: &'static str,
    /// The ids of its rules begin with it.
    rules: &'static str,
    /// Whether its breakdown is by rate and its tax is computed; otherwise there is no tax.
    is_taxed: bool,
}

const fn category(code: &'static str, rules: &'static str, is_taxed: bool) -> Category {
    Category { code, rules, is_taxed }
}

const CATEGORIES: [Category; 9] = [
    category("S", "BR-S", true),
    category("Z", "BR-Z", false),
    category("E", "BR-E", false),
    category("AE", "BR-AE", false),
    category("K", "BR-IC", false),
    category("G", "BR-G", false),
    category("O", "BR-O", false),
    category("L", "BR-AF", true),
    category("M", "BR-AG", true),
];

pub(super) fn check(document: &InvoiceDocument) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = document.vat.iter().map(|rate| tax(document, rate)).collect();
    if verdicts.is_empty() {
        verdicts.push(Verdict::new("BR-CO-17", "document", Outcome::NotApplicable));
    }
    for category in &CATEGORIES {
        let mut rates =
            document.vat.iter().filter(|rate| rate.get("vat_category") == Some(category.code)).peekable();
        if rates.peek().is_none() {
            for rule in ["08", "09"] {
                let id = format!("{}-{rule}", category.rules);
                verdicts.push(Verdict::new(&id, "document", Outcome::NotApplicable));
            }
        }
        verdicts
            .extend(rates.flat_map(|rate| [base(document, category, rate), category_tax(category, rate)]));
    }
    verdicts
}

/// `vat S 19`.
fn subject(rate: &Group) -> String {
    let parts = [rate.get("vat_category"), rate.get("vat_rate")];
    parts.into_iter().flatten().fold("vat".into(), |name, part| format!("{name} {part}"))
}

/// BR-CO-17: the tax is the base at the rate, give or take one; without a rate there is no tax.
fn tax(document: &InvoiceDocument, rate: &Group) -> Verdict {
    let (tax, percent) = (rate.number("vat_amount").map(Decimal::abs), rate.number("vat_rate"));
    let is_nothing =
        percent.and_then(|percent| percent.rounded(0)).is_none_or(|percent| percent == Decimal::ZERO);
    if is_nothing {
        // The published test rounds the tax to whole units here.
        let rounded = tax.and_then(|tax| tax.rounded(0));
        let verdict =
            Verdict::compared("BR-CO-17", &subject(rate), rounded, Some(Decimal::ZERO), Slack::None);
        return Verdict { stated: rate.number("vat_amount"), ..verdict };
    }
    let slack = match document.syntax {
        Syntax::Cii => Slack::UpTo(Decimal::ONE),
        Syntax::Ubl | Syntax::Text | Syntax::Scan => UNIT,
    };
    Verdict::compared("BR-CO-17", &subject(rate), tax, at_rate(rate), slack)
}

/// What a base makes at its rate, without sign.
fn at_rate(rate: &Group) -> Option<Decimal> {
    rate.number("vat_base")?.abs().times(rate.number("vat_rate")?)?.percent()?.rounded(2)
}

/// Rule 09.
fn category_tax(category: &Category, rate: &Group) -> Verdict {
    let id = format!("{}-09", category.rules);
    let tax = rate.number("vat_amount");
    match category.is_taxed {
        true => Verdict::compared(&id, &subject(rate), tax.map(Decimal::abs), at_rate(rate), UNIT),
        false => Verdict::compared(&id, &subject(rate), tax, Some(Decimal::ZERO), Slack::None),
    }
}

/// Rule 08: the base is what the lines, charges and allowances of the category make; for taxed
/// ones, of the category at this rate.
fn base(document: &InvoiceDocument, category: &Category, rate: &Group) -> Verdict {
    let id = format!("{}-08", category.rules);
    let percent = rate.number("vat_rate");
    let is_mine = |group: &&Group| {
        group.get("vat_category") == Some(category.code)
            && (!category.is_taxed || group.number("vat_rate") == percent)
    };
    let lines: Vec<&Group> = document.lines.iter().map(|line| &line.group).filter(is_mine).collect();
    let others: Vec<&Group> = document.allowances.iter().filter(is_mine).collect();
    let stated = rate.number("vat_base");
    if !document.syntax.is_complete() {
        return Verdict { stated, ..Verdict::new(&id, &subject(rate), Outcome::NotApplicable) };
    }
    let made_of_nothing = lines.is_empty() && others.is_empty();
    let sum = || {
        let nets = Decimal::sum(lines.iter().map(|line| line.number("net")).collect::<Option<Vec<_>>>()?)?;
        others.iter().try_fold(nets, |sum, other| match is_charge(other) {
            true => sum.plus(other.number("amount")?),
            false => sum.minus(other.number("amount")?),
        })
    };
    let slack = match (document.syntax, category.is_taxed) {
        (Syntax::Ubl, false) => Slack::None,
        _ => UNIT,
    };
    let verdict = Verdict::compared(&id, &subject(rate), stated, sum(), slack);
    match category.is_taxed && made_of_nothing {
        true => Verdict { outcome: Outcome::Fail, ..verdict },
        false => verdict,
    }
}
