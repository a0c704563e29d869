//! A body that replaced its finance system in the middle of a year: one history, the first part
//! under the numbers of one system, the rest under those of another.

use crate::demo::calendar::{DAY, Day};
use crate::demo::finance;
use crate::demo::force::{Force, Numbers};
use crate::demo::world::Ledger;
use std::collections::{BTreeMap, BTreeSet};

/// A body and the day on which its new finance system took over.
#[derive(Debug)]
pub(super) struct Move {
    /// The body, with the numbers of its old system.
    pub force: Force,
    /// The numbers of the new one.
    pub then: Numbers,
    /// The first day of the new one.
    pub on: Day,
}

impl Move {
    /// What the old system keeps and what the new one keeps. They have their suppliers in common,
    /// under different numbers. A payment is where its invoice is, and so is the order that an
    /// invoice quotes: the old system stays open until all of it is settled.
    pub(super) fn parts(&self, staff: usize, seed: u64) -> [Ledger; 2] {
        let new = Force { numbers: self.then, ..self.force };
        [
            part(finance::finances(&self.force, staff, seed), |day| day < self.on),
            part(finance::finances(&new, staff, seed), |day| day >= self.on),
        ]
    }
}

/// What `all` says of the days that are kept.
fn part(all: Ledger, keeps: impl Fn(Day) -> bool) -> Ledger {
    let Ledger { accounts, cost_centres, suppliers, orders, invoices, mut payments, mut lines } = all;
    let quoted: BTreeSet<usize> = invoices.iter().filter_map(|invoice| invoice.order).collect();
    let invoices = invoices.into_iter().enumerate().filter(|(_, invoice)| keeps(invoice.received));
    let (places, mut invoices) = renumbered(invoices);
    let of_invoices: BTreeSet<usize> = invoices.iter().filter_map(|invoice| invoice.order).collect();
    let orders = orders
        .into_iter()
        .enumerate()
        .filter(|(at, order)| of_invoices.contains(at) || (!quoted.contains(at) && keeps(order.ordered)));
    let (order_places, orders) = renumbered(orders);
    for invoice in &mut invoices {
        invoice.order = invoice.order.and_then(|order| order_places.get(&order).copied());
    }
    payments.retain_mut(|payment| {
        let place = places.get(&payment.invoice);
        payment.invoice = place.copied().unwrap_or_default();
        place.is_some()
    });
    lines.retain(|line| keeps(line.posted.div_euclid(DAY) as Day));
    Ledger { accounts, cost_centres, suppliers, orders, invoices, payments, lines }
}

/// What `items` holds, and where each of its places has gone.
fn renumbered<T>(items: impl Iterator<Item = (usize, T)>) -> (BTreeMap<usize, usize>, Vec<T>) {
    let (old, kept): (Vec<usize>, Vec<T>) = items.unzip();
    (old.into_iter().zip(0..).collect(), kept)
}

/// Both parts as the consolidated view shows them.
pub(super) fn joined([mut all, new]: [Ledger; 2]) -> Ledger {
    let Ledger { accounts, cost_centres, suppliers, orders, invoices, payments, lines } = new;
    let (accounts_before, centres_before) = (all.accounts.len(), all.cost_centres.len());
    let (suppliers_before, orders_before, invoices_before) =
        (all.suppliers.len(), all.orders.len(), all.invoices.len());
    all.accounts.extend(accounts);
    all.cost_centres.extend(cost_centres);
    all.suppliers.extend(suppliers);
    all.orders.extend(orders.into_iter().map(|mut order| {
        order.supplier += suppliers_before;
        order
    }));
    all.invoices.extend(invoices.into_iter().map(|mut invoice| {
        invoice.supplier += suppliers_before;
        invoice.order = invoice.order.map(|order| order + orders_before);
        invoice
    }));
    all.payments.extend(payments.into_iter().map(|mut payment| {
        payment.invoice += invoices_before;
        payment
    }));
    all.lines.extend(lines.into_iter().map(|mut line| {
        line.account += accounts_before;
        line.cost_centre += centres_before;
        line
    }));
    all
}
