//! BR-CO-10 to BR-CO-16: the totals of the document.

use super::{Outcome, Slack, Verdict, sum_of};
use crate::connector::format::invoice::decimal::Decimal;
use crate::connector::format::invoice::document::{InvoiceDocument, Syntax, is_charge};

pub(super) fn check(document: &InvoiceDocument) -> Vec<Verdict> {
    vec![
        line_total(document),
        allowances("BR-CO-11", "allowance_total", false, document),
        allowances("BR-CO-12", "charge_total", true, document),
        net(document),
        vat(document),
        gross(document),
        payable(document),
    ]
}

/// The sum of the lines.
fn line_total(document: &InvoiceDocument) -> Verdict {
    let nets = || document.lines.iter().map(|line| line.group.number("net")).collect::<Option<Vec<_>>>();
    let is_known = document.syntax.is_complete() || !document.lines.is_empty();
    let sum = is_known.then(nets).flatten().and_then(Decimal::sum);
    compared("BR-CO-10", document.header.number("line_total"), sum)
}

/// The sum of the document's allowances, or of its charges.
fn allowances(rule: &str, total: &str, charges: bool, document: &InvoiceDocument) -> Verdict {
    let stated = document.header.number(total);
    let are_there = document.allowances.iter().any(|one| is_charge(one) == charges);
    if !document.syntax.is_complete() || (stated.is_none() && !are_there) {
        return Verdict { stated, ..Verdict::new(rule, "document", Outcome::NotApplicable) };
    }
    let sum = sum_of(&document.allowances, charges);
    match stated {
        Some(_) => compared(rule, stated, sum),
        None => Verdict { computed: sum, ..Verdict::new(rule, "document", Outcome::Fail) },
    }
}

/// Lines, less allowances, plus charges.
fn net(document: &InvoiceDocument) -> Verdict {
    let header = &document.header;
    let net = || {
        let net = header.number("line_total")?.plus(or_zero(document, "charge_total")?)?;
        net.minus(or_zero(document, "allowance_total")?)
    };
    compared("BR-CO-13", header.number("net_total"), net())
}

/// The VAT of all rates.
fn vat(document: &InvoiceDocument) -> Verdict {
    let taxes = || document.vat.iter().map(|rate| rate.number("vat_amount")).collect::<Option<Vec<_>>>();
    let sum = (!document.vat.is_empty()).then(taxes).flatten().and_then(Decimal::sum);
    compared("BR-CO-14", document.header.number("vat_total"), sum)
}

/// Net and VAT.
fn gross(document: &InvoiceDocument) -> Verdict {
    const RULE: &str = "BR-CO-15";
    let header = &document.header;
    let (stated, net) = (header.number("gross_total"), header.number("net_total"));
    match (header.number("vat_total"), document.syntax) {
        (Some(_), Syntax::Cii) if stated == net => compared(RULE, stated, net),
        (Some(vat), _) => compared(RULE, stated, net.and_then(|net| net.plus(vat))),
        // CII may leave out a VAT of nothing; UBL must say it.
        (None, Syntax::Cii) => compared(RULE, stated, net),
        (None, Syntax::Ubl) => Verdict { stated, ..Verdict::new(RULE, "document", Outcome::Fail) },
        (None, Syntax::Text | Syntax::Scan) => compared(RULE, stated, None),
    }
}

/// Gross, less what was paid, plus rounding.
fn payable(document: &InvoiceDocument) -> Verdict {
    let header = &document.header;
    let payable = || {
        let rest = header.number("gross_total")?.minus(or_zero(document, "prepaid")?)?;
        rest.plus(or_zero(document, "rounding")?)
    };
    compared("BR-CO-16", header.number("payable"), payable())
}

/// An amount that may be left out; `None` when it is there and unreadable.
fn or_zero(document: &InvoiceDocument, name: &str) -> Option<Decimal> {
    match document.header.has(name) {
        true => document.header.number(name),
        false => Some(Decimal::ZERO),
    }
}

/// A total and what it is made of, rounded to the penny.
fn compared(rule: &str, stated: Option<Decimal>, computed: Option<Decimal>) -> Verdict {
    Verdict::compared(rule, "document", stated, computed.and_then(|sum| sum.rounded(2)), Slack::None)
}
