//! Questions about what the hub knows of itself: loads, bad rows and coverage.

use super::{Asked, Cell, Facts, hr, int, row};
use crate::demo::write::Received;
use std::collections::BTreeMap;

/// Asks about loads, quarantine and coverage.
pub(super) fn ask(asked: &mut Asked, facts: &[Facts]) {
    quarantine(asked, facts);
    loads(asked, facts);
    coverage(asked, facts);
}

/// The entities of a force with their sources, in the order of their names.
fn entities(f: &Facts) -> Vec<(&str, &Received)> {
    let mut entities: Vec<_> = f
        .received
        .iter()
        .flat_map(|(source, received)| received.iter().map(move |r| (source.as_str(), r)))
        .collect();
    entities.sort_by_key(|(source, received)| (*source, received.entity));
    entities
}

fn quarantine(asked: &mut Asked, facts: &[Facts]) {
    let reasons = |f: &Facts| -> Vec<Vec<Cell>> {
        let mut rows = Vec::new();
        for (source, received) in entities(f) {
            let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
            for reason in received.bad.iter().copied().flatten() {
                *counts.entry(reason).or_default() += 1;
            }
            rows.extend(counts.into_iter().map(|(reason, bad)| {
                row([f.force.code, source, received.entity, reason, &bad.to_string()].map(str::to_owned))
            }));
        }
        rows
    };
    let sql = "select force, source, entity, reason, count(*) as bad from hub.quarantine
               group by force, source, entity, reason order by force, source, entity, reason";
    asked.hub("quarantined rows by reason", sql, facts.iter().flat_map(reasons).collect());
    asked.each("own quarantined rows by reason", sql, facts, reasons);
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for reason in facts.iter().flat_map(entities).flat_map(|(_, r)| r.bad.iter().copied().flatten().copied())
    {
        *counts.entry(reason).or_default() += 1;
    }
    asked.hub(
        "every reason for which rows are quarantined",
        "select reason, count(*) as bad from hub.quarantine group by reason order by reason",
        counts.into_iter().map(|(reason, bad)| row([reason.into(), int(bad)])).collect(),
    );
    asked.hub(
        "rows with more than one reason",
        "select force, source, entity, count(*) as bad from (
             select force, source, entity, load, \"row\" from hub.quarantine
             group by force, source, entity, load, \"row\" having count(*) > 1
         ) as several group by force, source, entity order by force, source, entity",
        facts
            .iter()
            .flat_map(|f| {
                let entities = entities(f).into_iter();
                entities.map(move |(source, r)| {
                    (f, source, r.entity, r.bad.iter().filter(|b| b.len() > 1).count())
                })
            })
            .filter(|(_, _, _, several)| *several > 0)
            .map(|(f, source, entity, several)| {
                row([f.force.code.into(), source.into(), entity.into(), int(several as i64)])
            })
            .collect(),
    );
}

fn loads(asked: &mut Asked, facts: &[Facts]) {
    let of = |f: &Facts| -> Vec<Vec<Cell>> {
        let entities = entities(f).into_iter();
        entities
            .map(|(source, received)| {
                let (rows, bad) = (received.rows as i64, received.bad.len() as i64);
                let name = [f.force.code, source, received.entity].map(str::to_owned);
                let [force, source, entity] = name;
                row([force, source, entity, int(rows), int(rows - bad), int(bad)])
            })
            .collect()
    };
    let sources: Vec<_> =
        facts.iter().flat_map(|f| &f.received).map(|(name, _)| format!("'{name}'")).collect();
    let sql = format!(
        "select force, source, entity, received_rows, accepted_rows, quarantined_rows from hub.loads
         where source in ({}) order by force, source, entity",
        sources.join(", ")
    );
    asked.hub("what was received of every entity", &sql, facts.iter().flat_map(of).collect());
    asked.each("what was received of own entities", &sql, facts, of);
    asked.hub(
        "loads that differ from what the source says it sent",
        "select count(*) as loads from hub.loads where source_rows <> received_rows",
        vec![row([int(0)])],
    );
}

fn coverage(asked: &mut Asked, facts: &[Facts]) {
    let of = |f: &Facts| -> Vec<Vec<Cell>> {
        let (people, ledger) = (&f.people, &f.ledger);
        [
            ("conformed.absence", people.absences.iter().filter(|a| !a.cancelled).count()),
            ("conformed.duty", f.duty.duties()),
            ("conformed.employment", hr::terms(people).len()),
            ("conformed.invoice", ledger.invoices.len()),
            ("conformed.journal_line", ledger.lines.len()),
            ("conformed.overtime", f.duty.overtime()),
            ("conformed.payment", ledger.payments.len()),
            ("conformed.person", people.people.len()),
            ("conformed.purchase_order", ledger.orders.len()),
            ("conformed.supplier", ledger.suppliers.len()),
        ]
        .into_iter()
        .filter(|(_, rows)| *rows > 0)
        .map(|(dataset, rows)| row([f.force.code.into(), dataset.into(), "fresh".into(), int(rows as i64)]))
        .collect()
    };
    let sql = "select force, dataset, status, \"rows\" from hub.coverage where \"rows\" > 0 and dataset in (
               'conformed.absence', 'conformed.duty', 'conformed.employment', 'conformed.invoice',
               'conformed.journal_line', 'conformed.overtime', 'conformed.payment', 'conformed.person',
               'conformed.purchase_order', 'conformed.supplier') order by force, dataset";
    asked.hub("rows of every dataset", sql, facts.iter().flat_map(of).collect());
    asked.each("rows of own datasets", sql, facts, of);
}
