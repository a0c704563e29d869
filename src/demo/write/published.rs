//! The list of payments over £500 that a council publishes each quarter.

use crate::demo::calendar::{Day, Style, day};
use crate::demo::world::{Ledger, Payment};
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{CSV, Delimited, Format, Layout, number, text};
use crate::error::Result;
use std::path::Path;

/// The file takes its name from the day of the extract, as all of the estate do.
const LAYOUTS: &[Layout] = &[Layout {
    entity: "payment",
    name: "spend",
    trailer: None,
    columns: &[
        text("Body Name", 0),
        text("Service Area", 0),
        text("Expenditure Category", 0),
        text("Expenditure Code", 0),
        text("Paid Date", 0),
        text("Trans No", 0),
        number("Amount", 0),
        text("Type", 0),
        text("Supplier ID", 0),
        text("Supplier Name", 0),
    ],
}];

const FILES: Format = Format::Delimited(Delimited { byte_order_mark: true, ..CSV });

/// The payments of the last quarter that had to be published: each in two lines of its own amount.
pub(in crate::demo) fn published(ledger: &Ledger) -> impl Iterator<Item = &Payment> {
    let first: Day = day(2026, 1, 1);
    ledger
        .payments
        .iter()
        .filter(move |payment| !payment.void && payment.paid >= first && payment.amount >= 50_000)
}

/// Writes what is [`published`] of `ledger` into `folder`.
pub(in crate::demo) fn write(ledger: &Ledger, folder: &Path) -> Result<Vec<Received>> {
    let mut store = Store::open(folder, FILES, LAYOUTS)?;
    let mut row = Row::default();
    for (position, payment) in published(ledger).enumerate() {
        let supplier = &ledger.suppliers[ledger.invoices[payment.invoice].supplier];
        // The smaller part of a payment is below the threshold, and published all the same.
        let part = payment.amount / 10;
        for (line, amount) in [(1, payment.amount - part), (2, part)] {
            row.clear()
                .text("Staffordshire County Council")
                .text("General Fund")
                .text("General Contracted Services")
                .text("D3401")
                .day(payment.paid, Style::Slash)
                .text(&format!("{} - {line}", 46_000_000 + position))
                .money(amount)
                .text("Revenue")
                .text(&supplier.id)
                .text(&supplier.name);
            store.put(0, &row)?;
        }
    }
    store.finish()
}
