//! eFinancials: tables of a database.

use crate::demo::calendar::Style;
use crate::demo::force::Force;
use crate::demo::world::Ledger;
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{Fault, Format, Layout, bad, int, number, text, twice};
use crate::error::Result;
use std::path::Path;

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "gl_code",
        name: "EF_GLCODE",
        trailer: None,
        columns: &[
            text("account", 0),
            text("cost_centre", 0),
            text("description", 0),
            text("subjective", 0),
            text("status", 0),
        ],
    },
    Layout {
        entity: "gl_trans",
        name: "EF_GLTRANS",
        trailer: None,
        columns: &[
            text("journal_no", 0),
            int("line_no", 0),
            text("period", 0),
            text("source", 0),
            text("doc_ref", 0),
            text("trans_date", 0),
            text("posted_ts", 0),
            text("account", 0),
            text("cost_centre", 0),
            number("amount", 0),
            text("narrative", 0),
            text("user_id", 0),
        ],
    },
    Layout {
        entity: "supplier",
        name: "EF_SUPPLIER",
        trailer: None,
        columns: &[
            text("supplier_id", 0),
            text("name", 0),
            text("postcode", 0),
            text("vat_reg", 0),
            text("status", 0),
            text("created", 0),
            text("amended", 0),
        ],
    },
    Layout {
        entity: "purchase_order",
        name: "EF_PO",
        trailer: None,
        columns: &[
            text("po_no", 0),
            text("supplier_id", 0),
            text("order_date", 0),
            number("net", 0),
            text("status", 0),
            text("requester", 0),
        ],
    },
    Layout {
        entity: "invoice",
        name: "EF_INVOICE",
        trailer: None,
        columns: &[
            text("doc_no", 0),
            text("doc_type", 0),
            text("supplier_id", 0),
            text("supplier_ref", 0),
            text("invoice_date", 0),
            text("received_date", 0),
            text("registered_ts", 0),
            text("matched_ts", 0),
            text("approved_ts", 0),
            text("due_date", 0),
            number("net", 0),
            number("vat", 0),
            number("gross", 0),
            text("po_no", 0),
            text("status", 0),
        ],
    },
    Layout {
        entity: "payment",
        name: "EF_PAYMENT",
        trailer: None,
        columns: &[
            text("payment_no", 0),
            text("payment_run", 0),
            text("method", 0),
            text("pay_date", 0),
            text("supplier_id", 0),
            text("doc_no", 0),
            number("amount", 0),
            text("void_flag", 0),
        ],
    },
];

const FAULTS: &[Fault] = &[
    bad("gl_code", &[("account", "9001"), ("status", "Z")], &["not_accepted"]),
    bad("gl_trans", &[("journal_no", "90000001"), ("trans_date", "31/06/2025")], &["not_a_date"]),
    bad("gl_trans", &[("journal_no", "90000002"), ("amount", "1O5.00")], &["not_a_number"]),
    bad("gl_trans", &[("journal_no", "90000003"), ("account", "")], &["required"]),
    bad("gl_trans", &[("journal_no", "90000004"), ("posted_ts", "2025-10-26 01:30:00")], &["ambiguous_time"]),
    twice("gl_trans"),
    bad("supplier", &[("supplier_id", "S90001"), ("name", "")], &["required"]),
    bad("supplier", &[("supplier_id", "S90002"), ("status", "?")], &["not_accepted"]),
    bad("purchase_order", &[("po_no", "PO900001"), ("net", "12.345")], &["too_many_digits"]),
    bad("purchase_order", &[("po_no", "PO900002"), ("order_date", "soon")], &["not_a_date"]),
    bad("invoice", &[("doc_no", "D9000001"), ("net", "12OO.50")], &["not_a_number"]),
    bad(
        "invoice",
        &[("doc_no", "D9000002"), ("status", "W"), ("due_date", "")],
        &["required", "not_accepted"],
    ),
    bad("invoice", &[("doc_no", "D9000003"), ("matched_ts", "2025-13-01 10:00:00")], &["not_a_timestamp"]),
    twice("invoice"),
    bad("payment", &[("payment_no", "P9000001"), ("void_flag", "J")], &["not_a_bool"]),
    bad("payment", &[("payment_no", "P9000002"), ("method", "IOU")], &["not_accepted"]),
    twice("payment"),
];

/// Writes the force's finances.
pub(super) fn write(_: &Force, ledger: &Ledger, dir: &Path) -> Result<Vec<Received>> {
    let mut store = Store::open(&dir.join("efinancials.db"), Format::Database, LAYOUTS)?;
    codes(ledger, &mut store)?;
    lines(ledger, &mut store)?;
    suppliers(ledger, &mut store)?;
    orders(ledger, &mut store)?;
    invoices(ledger, &mut store)?;
    payments(ledger, &mut store)?;
    store.spoil(FAULTS)?;
    store.finish()
}

fn codes(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for account in &ledger.accounts {
        let subjective = match account.subjective {
            "officer_pay" => "Police Officer Pay",
            "staff_pay" => "Police Staff Pay",
            "pcso_pay" => "PCSO Pay",
            "officer_overtime" => "Officer Overtime",
            "staff_overtime" => "Staff Overtime",
            "premises" => "Premises",
            "transport" => "Transport",
            "supplies_services" => "Supplies and Services",
            "third_party" => "Third Party Payments",
            "income" => "Income",
            _ => "Suspense",
        };
        for cost_centre in &ledger.cost_centres {
            row.clear().text(&account.code).text(cost_centre).text(account.name).text(subjective).text("O");
            store.put(0, &row)?;
        }
    }
    Ok(())
}

fn lines(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for line in &ledger.lines {
        row.clear()
            .text(&line.journal)
            .int(line.number)
            .text(&format!("{}{:02}", line.fin_year, line.period))
            .text(line.source)
            .text(if line.source == "PI" { &line.narrative } else { "" })
            .day(line.dated, Style::Slash)
            .time(line.posted, Style::Iso)
            .text(&ledger.accounts[line.account].code)
            .text(&ledger.cost_centres[line.cost_centre])
            .money(line.amount)
            .text(&line.narrative)
            .text("FIN01");
        store.put(1, &row)?;
    }
    Ok(())
}

fn suppliers(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for supplier in &ledger.suppliers {
        let status = match supplier.status {
            "active" => "A",
            "held" => "H",
            _ => "X",
        };
        row.clear()
            .text(&supplier.id)
            .text(&supplier.name)
            .text(&supplier.postcode)
            .text(&supplier.vat)
            .text(status)
            .day(supplier.created, Style::Slash)
            .blank();
        store.put(2, &row)?;
    }
    Ok(())
}

fn orders(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for (n, order) in ledger.orders.iter().enumerate() {
        let status = match order.status {
            // Open, part received, received and invoiced orders are all open.
            "open" => ["O", "P", "R", "I"][n % 4],
            "closed" => "C",
            _ => "X",
        };
        row.clear()
            .text(&order.id)
            .text(&ledger.suppliers[order.supplier].id)
            .day(order.ordered, Style::Slash)
            .money(order.net)
            .text(status)
            .text("BUYER");
        store.put(3, &row)?;
    }
    Ok(())
}

fn invoices(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for invoice in &ledger.invoices {
        let status = match invoice.status {
            "registered" => "R",
            "matched" => "M",
            "queried" => "Q",
            "approved" => "A",
            "paid" => "P",
            _ => "X",
        };
        let [registered, matched, approved] = invoice.stages;
        row.clear()
            .text(&invoice.id)
            .text(if invoice.credit { "CRN" } else { "INV" })
            .text(&ledger.suppliers[invoice.supplier].id)
            .text(&invoice.reference)
            .day(invoice.dated, Style::Slash)
            .day(invoice.received, Style::Slash)
            .time_or(registered, Style::Iso)
            .time_or(matched, Style::Iso)
            .time_or(approved, Style::Iso)
            .day(invoice.due, Style::Slash)
            // The type says that a credit note is one; its amounts do not.
            .money(invoice.net.abs())
            .money(invoice.vat.abs())
            .money(invoice.gross().abs())
            .text(invoice.order.map_or("", |order| &ledger.orders[order].id))
            .text(status);
        store.put(4, &row)?;
    }
    Ok(())
}

fn payments(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for payment in &ledger.payments {
        let invoice = &ledger.invoices[payment.invoice];
        let mut run = String::from("RUN");
        crate::demo::calendar::push_day(&mut run, payment.paid, Style::Compact);
        row.clear()
            .text(&payment.id)
            .text(&run)
            .text(payment.method)
            .day(payment.paid, Style::Slash)
            .text(&ledger.suppliers[invoice.supplier].id)
            .text(&invoice.id)
            .money(payment.amount)
            .flag(payment.void);
        store.put(5, &row)?;
    }
    Ok(())
}
