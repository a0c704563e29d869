//! Questions about suppliers, orders, invoices, payments and the ledger.

use super::{Asked, Cell, Facts, date, decimal, flag, int, row};
use crate::demo::calendar;
use crate::demo::ledger::is_late;
use crate::demo::names::AWKWARD_FIRMS;
use crate::demo::world::{Invoice, Ledger, Line, Payment};
use std::collections::{BTreeMap, BTreeSet};

/// Asks about everything that is bought and posted.
pub(super) fn ask(asked: &mut Asked, facts: &[Facts]) {
    suppliers(asked, facts);
    common_suppliers(asked, facts);
    orders(asked, facts);
    invoices(asked, facts);
    payments(asked, facts);
    duplicates(asked, facts);
    journals(asked, facts);
    spend(asked, facts);
}

/// Rows of a count and amounts by some words, for each force: `select force, words…, count, sums…`.
fn grouped<'a, const W: usize, const S: usize>(
    f: &Facts,
    items: impl Iterator<Item = ([&'a str; W], [i64; S])>,
) -> Vec<Vec<Cell>> {
    let mut groups: BTreeMap<[&str; W], (i64, [i64; S])> = BTreeMap::new();
    for (words, amounts) in items {
        let (count, sums) = groups.entry(words).or_insert((0, [0; S]));
        *count += 1;
        for (sum, amount) in sums.iter_mut().zip(amounts) {
            *sum += amount;
        }
    }
    groups
        .into_iter()
        .map(|(words, (count, sums))| {
            let mut cells = row([f.force.code.to_owned()]);
            cells.extend(words.map(|word| Some(word.to_owned())));
            cells.push(Some(int(count)));
            cells.extend(sums.map(|pence| Some(decimal(pence, 2))));
            cells
        })
        .collect()
}

fn suppliers(asked: &mut Asked, facts: &[Facts]) {
    asked.hub(
        "suppliers by force and status",
        "select force, status, count(*) as suppliers from conformed.supplier group by force, status
         order by force, status",
        facts.iter().flat_map(|f| grouped(f, f.ledger.suppliers.iter().map(|s| ([s.status], [])))).collect(),
    );
    asked.hub(
        "suppliers without a VAT number by force",
        "select force, count(*) as suppliers from conformed.supplier where vat_number is null
         group by force order by force",
        facts
            .iter()
            .flat_map(|f| {
                grouped(f, f.ledger.suppliers.iter().filter(|s| s.vat.is_empty()).map(|_| ([], [])))
            })
            .collect(),
    );
    // Ids of two systems, one of which replaced the other, have no common order.
    for f in facts.iter().filter(|f| f.force.hr.is_some()) {
        asked.hub(
            &format!("names that delimiters and quotes would break at {}", f.force.code),
            &format!(
                "select supplier_id, name from conformed.supplier
                 where force = '{}' and supplier_id <= '{}' order by supplier_id",
                f.force.code,
                f.ledger.suppliers[AWKWARD_FIRMS.len() - 1].id
            ),
            f.ledger.suppliers[..AWKWARD_FIRMS.len()]
                .iter()
                .map(|s| row([s.id.clone(), s.name.clone()]))
                .collect(),
        );
    }
    asked.each(
        "own suppliers",
        "select force, count(*) as suppliers from conformed.supplier group by force",
        facts,
        |f| vec![row([f.force.code.into(), int(f.ledger.suppliers.len() as i64)])],
    );
}

/// A VAT number without blanks, in capitals.
fn vat(typed: &str) -> String {
    typed.replace(' ', "").to_uppercase()
}

fn common_suppliers(asked: &mut Asked, facts: &[Facts]) {
    let mut known: BTreeMap<String, Vec<(&Facts, usize)>> = BTreeMap::new();
    for f in facts {
        for (position, supplier) in f.ledger.suppliers.iter().enumerate() {
            known.entry(vat(&supplier.vat)).or_default().push((f, position));
        }
    }
    let forces =
        |at: &[(&Facts, usize)]| at.iter().map(|(f, _)| f.force.index).collect::<BTreeSet<_>>().len();
    known.retain(|vat, at| !vat.is_empty() && forces(at) > 1);
    asked.hub(
        "suppliers that more than one force knows",
        "select vat_number, force, supplier_id from conformed.supplier where vat_number in (
             select vat_number from conformed.supplier group by vat_number having count(distinct force) > 1
         ) order by vat_number, force, supplier_id",
        known
            .iter()
            .flat_map(|(vat, at)| {
                at.iter().map(|(f, position)| {
                    row([vat.clone(), f.force.code.into(), f.ledger.suppliers[*position].id.clone()])
                })
            })
            .collect(),
    );
    let invoiced = |(f, position): &(&Facts, usize)| -> i64 {
        let invoices = f.ledger.invoices.iter();
        invoices.filter(|i| i.supplier == *position && i.status != "cancelled").map(Invoice::gross).sum()
    };
    asked.hub(
        "what suppliers of more than one force have invoiced",
        "select vat_number, forces, suppliers, invoice_gross from marts.supplier_overlap order by vat_number",
        known
            .iter()
            .map(|(vat, at)| {
                let gross = at.iter().map(invoiced).sum();
                row([vat.clone(), int(forces(at) as i64), int(at.len() as i64), decimal(gross, 2)])
            })
            .collect(),
    );
}

fn orders(asked: &mut Asked, facts: &[Facts]) {
    let of = |f: &Facts| grouped(f, f.ledger.orders.iter().map(|o| ([o.status], [o.net])));
    let sql = "select force, status, count(*) as orders, cast(sum(net) as decimal(18, 2)) as net
               from conformed.purchase_order group by force, status order by force, status";
    asked.hub("purchase orders by force and status", sql, facts.iter().flat_map(of).collect());
    asked.each("own purchase orders by status", sql, facts, of);
}

fn document(invoice: &Invoice) -> &'static str {
    if invoice.credit { "credit note" } else { "invoice" }
}

fn invoices(asked: &mut Asked, facts: &[Facts]) {
    let by_status = |f: &Facts| {
        let invoices = f.ledger.invoices.iter();
        grouped(f, invoices.map(|i| ([document(i), i.status], [i.net, i.vat, i.gross()])))
    };
    let sql =
        "select force, document_type, status, count(*) as documents, cast(sum(net) as decimal(18, 2)) as net,
               cast(sum(vat) as decimal(18, 2)) as vat, cast(sum(gross) as decimal(18, 2)) as gross
               from conformed.invoice group by force, document_type, status
               order by force, document_type, status";
    asked.hub(
        "invoices and credit notes by force and status",
        sql,
        facts.iter().flat_map(by_status).collect(),
    );
    asked.each("own invoices and credit notes by status", sql, facts, by_status);
    asked.each("forces seen in invoices", "select distinct force from conformed.invoice", facts, |f| {
        vec![row([f.force.code.into()])]
    });
    asked.hub(
        "invoices without an order by force",
        "select force, count(*) as invoices, cast(sum(gross) as decimal(18, 2)) as gross from conformed.invoice
         where order_id is null group by force order by force",
        facts
            .iter()
            .flat_map(|f| {
                let invoices = f.ledger.invoices.iter().filter(|i| i.order.is_none());
                grouped(f, invoices.map(|i| ([], [i.gross()])))
            })
            .collect(),
    );
    asked.hub(
        "invoices paid within thirty days of receipt, by force",
        "select force, count(*) as invoices, cast(sum(gross) as decimal(18, 2)) as gross from conformed.invoice
         where paid_on <= received_on + interval '30 days' group by force order by force",
        facts
            .iter()
            .flat_map(|f| {
                let paid = paid_on(&f.ledger);
                let invoices = f.ledger.invoices.iter().enumerate();
                let quick = invoices.filter(|(n, i)| paid.get(n).is_some_and(|day| *day <= i.received + 30));
                grouped(f, quick.map(|(_, i)| ([], [i.gross()])).collect::<Vec<_>>().into_iter())
            })
            .collect(),
    );
}

/// The day of the last payment of each invoice that was not stopped.
fn paid_on(ledger: &Ledger) -> BTreeMap<usize, calendar::Day> {
    let mut paid = BTreeMap::new();
    for payment in ledger.payments.iter().filter(|p| !p.void) {
        let day = paid.entry(payment.invoice).or_insert(payment.paid);
        *day = payment.paid.max(*day);
    }
    paid
}

fn payments(asked: &mut Asked, facts: &[Facts]) {
    let of = |f: &Facts| -> Vec<Vec<Cell>> {
        let void = |p: &Payment| if p.void { "true" } else { "false" };
        grouped(f, f.ledger.payments.iter().map(|p| ([p.method, void(p)], [p.amount])))
    };
    let sql =
        "select force, method, is_void, count(*) as payments, cast(sum(amount) as decimal(18, 2)) as amount
               from conformed.payment group by force, method, is_void order by force, method, is_void";
    asked.hub(
        "payments by force, method and whether they were stopped",
        sql,
        facts.iter().flat_map(of).collect(),
    );
    asked.each("own payments by method and whether they were stopped", sql, facts, of);
    asked.hub(
        "payments that settle more than one invoice, by force",
        "select force, count(*) as payments from (
             select force, payment_id from conformed.payment group by force, payment_id having count(*) > 1
         ) as several group by force order by force",
        facts
            .iter()
            .map(|f| {
                let mut invoices: BTreeMap<&str, i64> = BTreeMap::new();
                for payment in &f.ledger.payments {
                    *invoices.entry(&payment.id).or_default() += 1;
                }
                row([f.force.code.into(), int(invoices.values().filter(|n| **n > 1).count() as i64)])
            })
            .collect(),
    );
}

fn duplicates(asked: &mut Asked, facts: &[Facts]) {
    let of = |f: &Facts| -> Vec<Vec<Cell>> {
        let mut same: BTreeMap<(usize, &str, i64), Vec<&Payment>> = BTreeMap::new();
        for payment in f.ledger.payments.iter().filter(|p| !p.void && p.amount != 0) {
            let invoice = &f.ledger.invoices[payment.invoice];
            same.entry((invoice.supplier, &invoice.reference, payment.amount)).or_default().push(payment);
        }
        let mut rows = Vec::new();
        for payments in same.values_mut() {
            let invoice = |p: &Payment| f.ledger.invoices[p.invoice].id.clone();
            payments.sort_by_key(|p| (p.id.clone(), invoice(p)));
            rows.extend(payments.iter().skip(1).map(|p| {
                row([f.force.code.into(), p.id.clone(), invoice(p), date(p.paid), decimal(p.amount, 2)])
            }));
        }
        rows.sort();
        rows
    };
    let sql =
        "select force, payment_id, invoice_id, paid_on, amount from conformed.payment where is_duplicate
               order by force, payment_id, invoice_id";
    asked.hub("payments made twice", sql, facts.iter().flat_map(of).collect());
    asked.each("own payments made twice", sql, facts, of);
}

fn subjective<'a>(f: &'a Facts, line: &Line) -> &'a str {
    f.ledger.accounts[line.account].subjective
}

fn journals(asked: &mut Asked, facts: &[Facts]) {
    let months = calendar::months();
    asked.hub(
        "journal lines by force and financial year",
        "select force, cast(fin_year as varchar) as fin_year, count(*) as lines,
         cast(sum(amount) as decimal(18, 2)) as amount from conformed.journal_line
         group by force, fin_year order by force, fin_year",
        facts
            .iter()
            .flat_map(|f| {
                let year = |l: &Line| if l.fin_year == 2024 { "2024" } else { "2025" };
                grouped(f, f.ledger.lines.iter().map(|l| ([year(l)], [l.amount])))
            })
            .collect(),
    );
    asked.hub(
        "late postings by force",
        "select force, count(*) as lines, cast(sum(amount) as decimal(18, 2)) as amount
         from conformed.journal_line where is_late group by force order by force",
        facts
            .iter()
            .flat_map(|f| {
                let late = f.ledger.lines.iter().filter(|l| is_late(l, &months));
                grouped(f, late.map(|l| ([], [l.amount])))
            })
            .collect(),
    );
    let midnight = |l: &&Line| l.narrative.starts_with("Posted after midnight");
    asked.hub(
        "a posting that is late in London but not in UTC",
        "select force, amount, is_late from conformed.journal_line
         where narrative = 'Posted after midnight, summer time' order by force",
        facts
            .iter()
            .flat_map(|f| f.ledger.lines.iter().filter(midnight).map(move |l| (f, l)))
            .map(|(f, l)| row([f.force.code.into(), decimal(l.amount, 2), flag(is_late(l, &months))]))
            .collect(),
    );
    asked.hub(
        "journal lines of accounts that nobody mapped",
        "select force, account, count(*) as lines, cast(sum(amount) as decimal(18, 2)) as amount
         from conformed.journal_line where subjective = 'unmapped' group by force, account
         order by force, account",
        facts
            .iter()
            .flat_map(|f| {
                let lines = f.ledger.lines.iter().filter(|l| subjective(f, l) == "unmapped");
                grouped(f, lines.map(|l| ([f.ledger.accounts[l.account].code.as_str()], [l.amount])))
            })
            .collect(),
    );
    asked.each(
        "own journal lines by period",
        "select fin_year, period, count(*) as lines, cast(sum(amount) as decimal(18, 2)) as amount
         from conformed.journal_line group by fin_year, period order by fin_year, period",
        facts,
        |f| {
            let mut periods: BTreeMap<(i32, u32), (i64, i64)> = BTreeMap::new();
            for line in &f.ledger.lines {
                let (lines, amount) = periods.entry((line.fin_year, line.period)).or_default();
                (*lines, *amount) = (*lines + 1, *amount + line.amount);
            }
            let periods = periods.into_iter();
            periods.map(|((y, p), (n, sum))| row([int(y), int(p), int(n), decimal(sum, 2)])).collect()
        },
    );
}

fn spend(asked: &mut Asked, facts: &[Facts]) {
    let months = calendar::months();
    let late = |l: &Line| if is_late(l, &months) { l.amount } else { 0 };
    let of = |f: &Facts, wanted: &dyn Fn(&Line) -> bool| -> Vec<Vec<Cell>> {
        let lines = f.ledger.lines.iter().filter(|l| wanted(l));
        grouped(f, lines.map(|l| ([subjective(f, l)], [l.amount, late(l)])))
    };
    let sql = |wanted: &str| {
        format!(
            "select force, subjective, cast(sum(lines) as bigint) as lines,
             cast(sum(amount) as decimal(18, 2)) as amount,
             cast(sum(late_amount) as decimal(18, 2)) as late_amount
             from marts.spend where {wanted} group by force, subjective order by force, subjective"
        )
    };
    asked.hub(
        "spend of 2025/26 by force and heading",
        &sql("fin_year = 2025"),
        facts.iter().flat_map(|f| of(f, &|l| l.fin_year == 2025)).collect(),
    );
    asked.each("own spend of 2024/25 by heading", &sql("fin_year = 2024"), facts, |f| {
        of(f, &|l| l.fin_year == 2024)
    });
    asked.hub(
        "spend of June 2024, with a late bill, by force and heading",
        &sql("fin_year = 2024 and period = 3"),
        facts.iter().flat_map(|f| of(f, &|l| l.fin_year == 2024 && l.period == 3)).collect(),
    );
    asked.hub(
        "year-end adjustments by force and heading",
        &sql("period = 13"),
        facts.iter().flat_map(|f| of(f, &|l| l.period == 13)).collect(),
    );
}
