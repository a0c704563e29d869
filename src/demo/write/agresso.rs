//! Agresso: UTF-8 files with semicolons, dates with dots and numbers as ledgers print them.

use crate::demo::calendar::Style;
use crate::demo::force::Force;
use crate::demo::world::{Account, Ledger};
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{Delimited, Fault, Format, Layout, bad, int, number, ragged, text, twice};
use crate::error::Result;
use std::path::Path;

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "gl_code",
        name: "aglaccounts",
        trailer: None,
        columns: &[text("account", 0), text("description", 0), text("cipfa", 0), text("status", 0)],
    },
    Layout {
        entity: "gl_trans",
        name: "agltransact",
        trailer: Some(&[("amount", 2)]),
        columns: &[
            text("voucher_no", 0),
            int("sequence_no", 0),
            text("period", 0),
            text("voucher_type", 0),
            text("ext_ref", 0),
            text("voucher_date", 0),
            text("last_update", 0),
            text("account", 0),
            text("dim_1", 0),
            number("amount", 0),
            text("description", 0),
        ],
    },
    Layout {
        entity: "supplier",
        name: "asuheader",
        trailer: None,
        columns: &[
            text("apar_id", 0),
            text("apar_name", 0),
            text("zip_code", 0),
            text("vat_reg_no", 0),
            text("status", 0),
        ],
    },
    Layout {
        entity: "purchase_order",
        name: "apoheader",
        trailer: None,
        columns: &[
            text("order_id", 0),
            text("apar_id", 0),
            text("order_date", 0),
            number("amount", 0),
            text("status", 0),
        ],
    },
    Layout {
        entity: "invoice",
        name: "apinvoice",
        trailer: None,
        columns: &[
            text("voucher_no", 0),
            text("doc_class", 0),
            text("apar_id", 0),
            text("ext_inv_ref", 0),
            text("invoice_date", 0),
            text("arrival_date", 0),
            text("registered_at", 0),
            text("matched_at", 0),
            text("approved_at", 0),
            text("due_date", 0),
            number("net", 0),
            number("vat", 0),
            number("gross", 0),
            text("order_id", 0),
            text("status", 0),
        ],
    },
    Layout {
        entity: "payment",
        name: "appayment",
        trailer: None,
        columns: &[
            text("pay_id", 0),
            text("voucher_no", 0),
            text("pay_method", 0),
            text("pay_date", 0),
            text("apar_id", 0),
            number("amount", 0),
            text("cancelled", 0),
        ],
    },
];

const FILES: Format = Format::Delimited(Delimited {
    extension: "csv",
    delimiter: ';',
    newline: "\n",
    header: true,
    windows_1252: false,
    byte_order_mark: true,
});

const FAULTS: &[Fault] = &[
    bad("gl_code", &[("account", "9001"), ("status", "Z")], &["not_accepted"]),
    bad("gl_trans", &[("voucher_no", "69000001"), ("voucher_date", "31.06.2025")], &["not_a_date"]),
    bad("gl_trans", &[("voucher_no", "69000002"), ("amount", "1.O5O,00")], &["not_a_number"]),
    bad("gl_trans", &[("voucher_no", "69000003"), ("account", "")], &["required"]),
    bad("gl_trans", &[("voucher_no", "69000004"), ("last_update", "26.10.2025 01:30")], &["ambiguous_time"]),
    bad("gl_trans", &[("voucher_no", "69000005"), ("sequence_no", "one")], &["not_a_number"]),
    twice("gl_trans"),
    bad("supplier", &[("apar_id", "190001"), ("apar_name", "Caf\u{e0e9} Royal")], &["undecodable"]),
    bad("supplier", &[("apar_id", "190002"), ("status", "?")], &["not_accepted"]),
    ragged("supplier", &[("apar_id", "190003")], 1),
    ragged("supplier", &[("apar_id", "190004")], -1),
    bad("purchase_order", &[("order_id", "59000001"), ("amount", "12.345")], &["too_many_digits"]),
    bad("purchase_order", &[("order_id", "59000002"), ("order_date", "soon")], &["not_a_date"]),
    bad("invoice", &[("voucher_no", "39000001"), ("net", "12OO.50-")], &["not_a_number"]),
    bad(
        "invoice",
        &[("voucher_no", "39000002"), ("status", "W"), ("due_date", "")],
        &["required", "not_accepted"],
    ),
    bad("invoice", &[("voucher_no", "39000003"), ("matched_at", "45.01.2025 10:00")], &["not_a_timestamp"]),
    twice("invoice"),
    bad("payment", &[("pay_id", "49000001"), ("cancelled", "J")], &["not_a_bool"]),
    bad("payment", &[("pay_id", "49000002"), ("pay_date", "2025-07-01")], &["not_a_date"]),
    twice("payment"),
];

/// Writes the force's finances.
pub(super) fn write(_: &Force, ledger: &Ledger, dir: &Path) -> Result<Vec<Received>> {
    let mut store = Store::open(&dir.join("agresso"), FILES, LAYOUTS)?;
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
        row.clear().text(&account.code).text(account.name).text(heading(account)).text("N");
        store.put(0, &row)?;
    }
    Ok(())
}

/// The CIPFA heading of an account.
pub(super) fn heading(account: &Account) -> &'static str {
    match account.subjective {
        "officer_pay" => "E01",
        "staff_pay" => "E02",
        "pcso_pay" => "E03",
        "officer_overtime" => "E04",
        "staff_overtime" => "E05",
        "premises" => "E06",
        "transport" => "E07",
        "supplies_services" => "E08",
        "third_party" => "E09",
        "income" => "I01",
        _ => "X99",
    }
}

fn lines(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for line in &ledger.lines {
        row.clear()
            .text(&line.journal)
            .int(line.number)
            .text(&format!("{}{:02}", line.fin_year, line.period))
            .text(line.source)
            .blank()
            .day(line.dated, Style::Dot)
            .minute(Some(line.posted), Style::Dot)
            .text(&ledger.accounts[line.account].code)
            .text(&ledger.cost_centres[line.cost_centre])
            .ledger(line.amount)
            .text(&line.narrative);
        store.put(1, &row)?;
    }
    Ok(())
}

fn suppliers(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for supplier in &ledger.suppliers {
        let status = match supplier.status {
            "active" => "N",
            "held" => "P",
            _ => "C",
        };
        row.clear()
            .text(&supplier.id)
            .text(&supplier.name)
            .text(&supplier.postcode)
            .text(&supplier.vat)
            .text(status);
        store.put(2, &row)?;
    }
    Ok(())
}

fn orders(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for (n, order) in ledger.orders.iter().enumerate() {
        let status = match order.status {
            "open" => ["N", "O"][n % 2],
            "closed" => "F",
            _ => "C",
        };
        row.clear()
            .text(&order.id)
            .text(&ledger.suppliers[order.supplier].id)
            .day(order.ordered, Style::Dot)
            .ledger(order.net)
            .text(status);
        store.put(3, &row)?;
    }
    Ok(())
}

fn invoices(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for invoice in &ledger.invoices {
        let status = match invoice.status {
            "registered" => "N",
            "matched" => "M",
            "queried" => "Q",
            "approved" => "A",
            "paid" => "P",
            _ => "C",
        };
        let [registered, matched, approved] = invoice.stages;
        row.clear()
            .text(&invoice.id)
            .text(if invoice.credit { "CN" } else { "IN" })
            .text(&ledger.suppliers[invoice.supplier].id)
            .text(&invoice.reference)
            .day(invoice.dated, Style::Dot)
            .day(invoice.received, Style::Dot)
            .minute(registered, Style::Dot)
            .minute(matched, Style::Dot)
            .minute(approved, Style::Dot)
            .day(invoice.due, Style::Dot)
            .ledger(invoice.net)
            .ledger(invoice.vat)
            .ledger(invoice.gross())
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
            .day(payment.paid, Style::Dot)
            .text(&ledger.suppliers[invoice.supplier].id)
            .ledger(payment.amount)
            .flag(payment.void);
        store.put(5, &row)?;
    }
    Ok(())
}
