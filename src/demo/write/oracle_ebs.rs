//! Oracle E-Business Suite: UTF-8 files with bars and without headers; debits and credits apart.

use crate::demo::calendar::{MONTHS, Style};
use crate::demo::force::Force;
use crate::demo::world::{Account, Ledger, Line};
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{Delimited, Fault, Format, Layout, bad, int, number, ragged, text, twice};
use crate::error::Result;
use std::path::Path;

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "gl_code",
        name: "GL_CODE",
        trailer: None,
        columns: &[
            text("segment_account", 0),
            text("segment_cc", 0),
            text("description", 0),
            text("natural_class", 0),
            text("enabled", 0),
        ],
    },
    Layout {
        entity: "gl_line",
        name: "GL_JE_LINES",
        trailer: Some(&[("entered_dr", 2), ("entered_cr", 2)]),
        columns: &[
            int("je_header_id", 0),
            int("je_line_num", 0),
            text("period_name", 0),
            text("je_source", 0),
            text("reference", 0),
            text("effective_date", 0),
            text("posted_at", 0),
            text("account", 0),
            text("cost_centre", 0),
            number("entered_dr", 0),
            number("entered_cr", 0),
            text("description", 0),
        ],
    },
    Layout {
        entity: "supplier",
        name: "AP_SUPPLIERS",
        trailer: None,
        columns: &[
            int("vendor_id", 0),
            text("vendor_name", 0),
            text("postal_code", 0),
            text("vat_registration_num", 0),
            text("enabled", 0),
            text("hold", 0),
        ],
    },
    Layout {
        entity: "purchase_order",
        name: "PO_HEADERS",
        trailer: None,
        columns: &[
            int("po_header_id", 0),
            int("vendor_id", 0),
            text("creation_date", 0),
            number("amount", 0),
            text("closed_code", 0),
        ],
    },
    Layout {
        entity: "invoice",
        name: "AP_INVOICES",
        trailer: None,
        columns: &[
            int("invoice_id", 0),
            text("invoice_type", 0),
            int("vendor_id", 0),
            text("invoice_num", 0),
            text("invoice_date", 0),
            text("received_date", 0),
            text("created_at", 0),
            text("matched_at", 0),
            text("approved_at", 0),
            text("terms_date", 0),
            number("net_amount", 0),
            number("tax_amount", 0),
            number("invoice_amount", 0),
            int("po_header_id", 0),
            text("status", 0),
        ],
    },
    Layout {
        entity: "payment",
        name: "AP_PAYMENTS",
        trailer: None,
        columns: &[
            int("check_id", 0),
            int("invoice_id", 0),
            text("payment_method", 0),
            text("check_date", 0),
            int("vendor_id", 0),
            number("amount", 0),
            text("void_date", 0),
        ],
    },
];

const FILES: Format = Format::Delimited(Delimited {
    extension: "dat",
    delimiter: '|',
    newline: "\n",
    header: false,
    windows_1252: false,
    byte_order_mark: false,
});

const FAULTS: &[Fault] = &[
    bad("gl_code", &[("segment_account", "9001"), ("enabled", "J")], &["not_a_bool"]),
    bad("gl_line", &[("je_header_id", "9900001"), ("effective_date", "2025-06-31")], &["not_a_date"]),
    bad("gl_line", &[("je_header_id", "9900002"), ("entered_dr", "1O5.00")], &["not_a_number"]),
    bad("gl_line", &[("je_header_id", "9900003"), ("account", "")], &["required"]),
    bad("gl_line", &[("je_header_id", "9900004"), ("posted_at", "2025-10-26 01:30:00")], &["ambiguous_time"]),
    bad("gl_line", &[("je_header_id", "99OOOO5")], &["not_a_number"]),
    twice("gl_line"),
    bad("supplier", &[("vendor_id", "790001"), ("vendor_name", "Caf\u{e0e9} Royal")], &["undecodable"]),
    bad("supplier", &[("vendor_id", "790002"), ("hold", "maybe")], &["not_a_bool"]),
    bad("purchase_order", &[("po_header_id", "8900001"), ("amount", "12.345")], &["too_many_digits"]),
    bad("purchase_order", &[("po_header_id", "8900002"), ("closed_code", "LOST")], &["not_accepted"]),
    ragged("purchase_order", &[("po_header_id", "8900003")], 1),
    ragged("purchase_order", &[("po_header_id", "8900004")], -1),
    bad("invoice", &[("invoice_id", "5900001"), ("net_amount", "12OO.50")], &["not_a_number"]),
    bad(
        "invoice",
        &[("invoice_id", "5900002"), ("status", "WON"), ("terms_date", "")],
        &["required", "not_accepted"],
    ),
    bad("invoice", &[("invoice_id", "5900003"), ("matched_at", "2025-13-01 10:00:00")], &["not_a_timestamp"]),
    twice("invoice"),
    bad("payment", &[("check_id", "6900001"), ("check_date", "01/07/2025")], &["not_a_date"]),
    bad("payment", &[("check_id", "6900002"), ("vendor_id", "")], &["required"]),
    twice("payment"),
];

/// Writes the force's finances.
pub(in crate::demo) fn write(_: &Force, ledger: &Ledger, dir: &Path) -> Result<Vec<Received>> {
    let mut store = Store::open(&dir.join("oracle_ebs"), FILES, LAYOUTS)?;
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
        for cost_centre in &ledger.cost_centres {
            row.clear()
                .text(&account.code)
                .text(cost_centre)
                .text(account.name)
                .text(heading(account))
                .text("Y");
            store.put(0, &row)?;
        }
    }
    Ok(())
}

/// Oracle's heading of an account.
pub(super) fn heading(account: &Account) -> &'static str {
    match account.subjective {
        "officer_pay" => "OFFICER PAY",
        "staff_pay" => "STAFF PAY",
        "pcso_pay" => "PCSO PAY",
        "officer_overtime" => "OFFICER OT",
        "staff_overtime" => "STAFF OT",
        "premises" => "PREMISES",
        "transport" => "TRANSPORT",
        "supplies_services" => "SUPPLIES",
        "third_party" => "THIRD PARTY",
        "income" => "INCOME",
        _ => "SUSPENSE",
    }
}

/// `APR-24` for the first period of 2024, `MAR-25` for its last.
pub(super) fn period_name(line: &Line) -> String {
    let (month, year) = match line.period {
        1..=9 => (line.period + 2, line.fin_year),
        _ => (line.period - 10, line.fin_year + 1),
    };
    format!("{}-{:02}", MONTHS[month as usize % 12], year % 100)
}

fn lines(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for line in &ledger.lines {
        let source = match line.source {
            "PI" => "Payables",
            "PAY" => "Payroll",
            "PC" => "Purchasing cards",
            _ => "Manual",
        };
        row.clear()
            .text(&line.journal)
            .int(line.number)
            .text(&period_name(line))
            .text(source)
            .blank()
            .day(line.dated, Style::Iso)
            .time(line.posted, Style::Iso)
            .text(&ledger.accounts[line.account].code)
            .text(&ledger.cost_centres[line.cost_centre]);
        match line.amount < 0 {
            true => row.blank().money(-line.amount),
            false => row.money(line.amount).blank(),
        };
        row.text(&line.narrative);
        store.put(1, &row)?;
    }
    Ok(())
}

fn suppliers(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for supplier in &ledger.suppliers {
        row.clear()
            .text(&supplier.id)
            .text(&supplier.name)
            .text(&supplier.postcode)
            .text(&supplier.vat)
            .flag(supplier.status != "closed")
            .flag(supplier.status == "held");
        store.put(2, &row)?;
    }
    Ok(())
}

fn orders(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for order in &ledger.orders {
        row.clear()
            .text(&order.id)
            .text(&ledger.suppliers[order.supplier].id)
            .day(order.ordered, Style::Iso)
            .money(order.net)
            .text(&order.status.to_uppercase());
        store.put(3, &row)?;
    }
    Ok(())
}

fn invoices(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for invoice in &ledger.invoices {
        let status = match invoice.status {
            "registered" => "NEW",
            "matched" => "MATCHED",
            "queried" => "HOLD",
            "approved" => "APPROVED",
            "paid" => "PAID",
            _ => "CANCELLED",
        };
        let [created, matched, approved] = invoice.stages;
        row.clear()
            .text(&invoice.id)
            .text(if invoice.credit { "CREDIT" } else { "STANDARD" })
            .text(&ledger.suppliers[invoice.supplier].id)
            .text(&invoice.reference)
            .day(invoice.dated, Style::Iso)
            .day(invoice.received, Style::Iso)
            .time_or(created, Style::Iso)
            .time_or(matched, Style::Iso)
            .time_or(approved, Style::Iso)
            .day(invoice.due, Style::Iso)
            .money(invoice.net)
            .money(invoice.vat)
            .money(invoice.gross())
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
        row.clear()
            .text(&payment.id)
            .text(&invoice.id)
            .text(payment.method)
            .day(payment.paid, Style::Iso)
            .text(&ledger.suppliers[invoice.supplier].id)
            .money(payment.amount)
            .day_or(payment.void.then_some(payment.paid + 3), Style::Iso, "");
        store.put(5, &row)?;
    }
    Ok(())
}
