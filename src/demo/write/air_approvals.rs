//! Air Approvals: a SQLite database. Requests bear local time, decisions UTC.

use crate::demo::calendar::{self, DAY, Minute, Style};
use crate::demo::world::Ledger;
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{Format, Layout, int, number, text};
use crate::error::Result;
use std::path::Path;

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "request",
        name: "AIR_REQUEST",
        trailer: None,
        columns: &[
            text("request_id", 0),
            text("doc_type", 0),
            text("doc_ref", 0),
            int("revision", 0),
            text("company", 0),
            text("raised_by", 0),
            text("raised_ts", 0),
            text("action_before", 0),
            number("value", 0),
            text("currency", 0),
            text("priority", 0),
            text("supplier", 0),
        ],
    },
    Layout {
        entity: "decision",
        name: "AIR_DECISION",
        trailer: None,
        columns: &[
            text("request_id", 0),
            int("seq", 0),
            text("approver_id", 0),
            text("delegated_from", 0),
            text("decision", 0),
            text("decided_ts", 0),
            text("channel", 0),
            text("comment", 0),
        ],
    },
];

/// What became of the request for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum Decision {
    Waiting,
    Approved,
    Rejected,
}

/// What became of the request for the order at `position`.
pub(in crate::demo) fn decision(ledger: &Ledger, position: usize) -> Decision {
    match (ledger.orders[position].status, position % 23) {
        ("cancelled", _) => Decision::Rejected,
        ("open", 0) => Decision::Waiting,
        _ => Decision::Approved,
    }
}

/// Writes a request for each order of the ledger into `path`, and what was decided.
pub(in crate::demo) fn write(ledger: &Ledger, path: &Path) -> Result<Vec<Received>> {
    let mut store = Store::open(path, Format::Database, LAYOUTS)?;
    let mut row = Row::default();
    for (position, order) in ledger.orders.iter().enumerate() {
        let id = format!("R{:07}", position + 1);
        let raised = Minute::from(order.ordered) * DAY + 9 * 60 + (position % 400) as Minute;
        let supplier = &ledger.suppliers[order.supplier];
        row.clear()
            .text(&id)
            .text("PO")
            .text(&order.id)
            .int(1)
            .text("BE")
            .text(&format!("U{:03}", position % 90))
            .time(raised, Style::Slash)
            .day(order.ordered + 14, Style::Slash)
            .money(order.net)
            .text("GBP")
            .text(["High", "Medium", "Medium", "Low"][position % 4])
            .text(&supplier.name);
        store.put(0, &row)?;
        let decision = match decision(ledger, position) {
            Decision::Waiting => continue,
            Decision::Approved => "APPROVE",
            Decision::Rejected => "REJECT",
        };
        let took = 20 + (position * 37 % 4_000) as Minute;
        let delegated = if position % 31 == 0 { "M001" } else { "" };
        row.clear()
            .text(&id)
            .int(1)
            .text(&format!("M{:03}", position % 40 + 2))
            .text(delegated)
            .text(decision)
            .time(calendar::utc(raised) + took, Style::Iso)
            .text(["MOBILE", "MOBILE", "WEB", "EMAIL"][position % 4])
            .blank();
        store.put(1, &row)?;
    }
    store.finish()
}
