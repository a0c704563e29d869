//! What Peppol adds for lines, allowances and charges. EN 16931 has no rule of its own for the net
//! of a line, and every invoice must keep it: the arithmetic ones are checked for all.

use super::{Outcome, PENCE, Verdict, sum_of};
use crate::connector::format::invoice::decimal::Decimal;
use crate::connector::format::invoice::document::{Group, InvoiceDocument, Line};

const LINE_NET: &str = "PEPPOL-EN16931-R120";
const PRICE_QUANTITY: &str = "PEPPOL-EN16931-R121";
const AMOUNT: &str = "PEPPOL-EN16931-R040";
const BASE_IS_THERE: &str = "PEPPOL-EN16931-R041";
const PERCENT_IS_THERE: &str = "PEPPOL-EN16931-R042";

pub(super) fn check(document: &InvoiceDocument) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let is_peppol = document.header.get("profile").is_some_and(|profile| profile.contains("peppol.eu"));
    for (at, one) in document.allowances.iter().enumerate() {
        verdicts.extend(allowance(&format!("allowance {}", at + 1), one, is_peppol));
    }
    for (at, line) in document.lines.iter().enumerate() {
        let subject = format!("line {}", at + 1);
        verdicts.extend([net(&subject, line), price_quantity(&subject, &line.group)]);
        for (at, one) in line.allowances.iter().enumerate() {
            verdicts.extend(allowance(&format!("{subject} allowance {}", at + 1), one, is_peppol));
        }
    }
    for rule in [LINE_NET, PRICE_QUANTITY, AMOUNT, BASE_IS_THERE, PERCENT_IS_THERE] {
        if !verdicts.iter().any(|verdict| verdict.rule == rule) {
            verdicts.push(Verdict::new(rule, "document", Outcome::NotApplicable));
        }
    }
    verdicts
}

/// The net of a line is quantity by price, plus charges, less allowances. The price may be for more
/// than one: instead of dividing by their number, everything else is multiplied by it.
fn net(subject: &str, line: &Line) -> Verdict {
    let group = &line.group;
    let or = |name: &str, default: Decimal| match group.has(name) {
        true => group.number(name),
        false => Some(default),
    };
    let stated = group.number("net");
    let numbers = || {
        let per = or("price_quantity", Decimal::ONE)?;
        let per = if per == Decimal::ZERO { Decimal::ONE } else { per };
        let goods = or("quantity", Decimal::ONE)?.times(or("price", Decimal::ZERO)?)?;
        let charges = sum_of(&line.allowances, true)?.rounded(2)?;
        let extra = charges.minus(sum_of(&line.allowances, false)?.rounded(2)?)?;
        let apart = stated?.times(per)?.minus(goods.plus(extra.times(per)?)?)?.abs();
        let is_near = apart <= Decimal::hundredths(2).times(per.abs())?;
        Some((goods.over(per, 6)?.plus(extra)?, is_near))
    };
    let Some((computed, is_near)) = numbers() else {
        return Verdict { stated, ..Verdict::new(LINE_NET, subject, Outcome::NotApplicable) };
    };
    let outcome = if is_near { Outcome::Pass } else { Outcome::Fail };
    Verdict { stated, computed: Some(computed), ..Verdict::new(LINE_NET, subject, outcome) }
}

/// A price is for more than nothing.
fn price_quantity(subject: &str, line: &Group) -> Verdict {
    let stated = line.number("price_quantity");
    let outcome = match stated {
        Some(per) if per > Decimal::ZERO => Outcome::Pass,
        Some(_) => Outcome::Fail,
        None => Outcome::NotApplicable,
    };
    Verdict { stated, ..Verdict::new(PRICE_QUANTITY, subject, outcome) }
}

/// The amount is the base at the percentage; Peppol wants both or neither.
fn allowance(subject: &str, one: &Group, is_peppol: bool) -> [Verdict; 3] {
    let (base, percent) = (one.number("base"), one.number("percent"));
    let made = || base?.times(percent?)?.percent();
    let needs = |rule, given: &str, needed: &str| {
        let outcome = match (is_peppol && one.has(given), one.has(needed)) {
            (false, _) => Outcome::NotApplicable,
            (true, true) => Outcome::Pass,
            (true, false) => Outcome::Fail,
        };
        Verdict::new(rule, subject, outcome)
    };
    [
        Verdict::compared(AMOUNT, subject, one.number("amount"), made(), PENCE),
        needs(BASE_IS_THERE, "percent", "base"),
        needs(PERCENT_IS_THERE, "base", "percent"),
    ]
}
