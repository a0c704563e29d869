//! Unit4 Business World: browser queries saved as files, by the names of the product's own tables.

use crate::demo::calendar::{DAY, Day, Minute, Style};
use crate::demo::world::{Account, Invoice, Ledger, Line, Payment};
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{CSV, Column, Format, Layout, int, number, text};
use crate::error::Result;
use std::path::Path;

/// The tree that holds the CIPFA subjectives.
const TREE: i64 = 30;

/// The columns of open and of settled items.
const ITEMS: &[Column] = &[
    text("client", 0),
    text("apar_id", 0),
    text("voucher_no", 0),
    int("sequence_no", 0),
    text("voucher_type", 0),
    text("voucher_date", 0),
    text("due_date", 0),
    text("arrival_date", 0),
    number("amount", 0),
    number("rest_amount", 0),
    text("status", 0),
    text("pay_method", 0),
    text("ext_inv_ref", 0),
    text("orig_reference", 0),
    text("order_id", 0),
];

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "gl_code",
        name: "aglaccounts",
        trailer: None,
        columns: &[text("Client", 0), text("Account", 0), text("Account(T)", 0), text("Status", 0)],
    },
    Layout {
        entity: "tree",
        name: "acrtrees",
        trailer: None,
        columns: &[
            text("client", 0),
            int("att_agrid", 0),
            text("cat_1", 0),
            text("dim_a", 0),
            text("dim_b", 0),
        ],
    },
    Layout {
        entity: "gl_trans",
        name: "agltransact",
        trailer: None,
        columns: &[
            text("Client", 0),
            text("Account", 0),
            text("Account(T)", 0),
            text("Costc", 0),
            text("TransNo", 0),
            int("Seq No", 0),
            text("TT", 0),
            text("TransType", 0),
            text("Period", 0),
            text("Trans.date", 0),
            text("Text", 0),
            number("Amount", 0),
            text("Updated", 0),
        ],
    },
    Layout {
        entity: "supplier",
        name: "asuheader",
        trailer: None,
        columns: &[
            text("client", 0),
            text("apar_id", 0),
            text("apar_name", 0),
            text("vat_reg_no", 0),
            text("zip_code", 0),
            text("status", 0),
        ],
    },
    Layout { entity: "supplier_open", name: "asutrans", trailer: None, columns: ITEMS },
    Layout { entity: "supplier_settled", name: "asuhistr", trailer: None, columns: ITEMS },
    Layout {
        entity: "order",
        name: "apoheader",
        trailer: None,
        columns: &[
            text("client", 0),
            text("order_id", 0),
            text("apar_id", 0),
            text("order_date", 0),
            int("amend_no", 0),
            text("status", 0),
        ],
    },
    Layout {
        entity: "order_line",
        name: "apodetail",
        trailer: None,
        columns: &[
            text("client", 0),
            text("order_id", 0),
            int("line_no", 0),
            int("sequence_no", 0),
            text("art_descr", 0),
            text("account", 0),
            text("dim_1", 0),
            number("amount", 0),
        ],
    },
];

const FILES: Format = Format::Delimited(CSV);

/// Places of [`LAYOUTS`].
const OPEN: usize = 4;
const SETTLED: usize = 5;

/// The ledger as Unit4 can tell it: VAT is a posting, a document is parked instead of cancelled
/// and not matched before it is approved, and a payment is undone by its opposite.
pub(in crate::demo) fn told(mut ledger: Ledger) -> Ledger {
    let account = ledger.accounts.len();
    ledger.accounts.push(Account { code: "9910".into(), name: "VAT control", subjective: "unmapped" });
    for invoice in &mut ledger.invoices {
        invoice.status = match invoice.status {
            "matched" => "registered",
            "cancelled" => "queried",
            other => other,
        };
    }
    ledger.lines.extend(ledger.invoices.iter().filter(|i| i.vat != 0).map(|i| tax(i, account)));
    let undone: Vec<Payment> = ledger.payments.iter().filter(|p| p.void).map(opposite).collect();
    ledger.payments.extend(undone);
    ledger
}

/// The posting of an invoice's VAT, on the day on which it came.
fn tax(invoice: &Invoice, account: usize) -> Line {
    let posted = Minute::from(invoice.received) * DAY + 10 * 60;
    let (fin_year, period) = crate::demo::calendar::period_of(invoice.received);
    Line {
        journal: invoice.id.clone(),
        number: 1,
        fin_year,
        period,
        posted,
        dated: invoice.received,
        account,
        cost_centre: 0,
        amount: invoice.vat,
        source: "PI",
        narrative: "VAT".into(),
    }
}

fn opposite(payment: &Payment) -> Payment {
    Payment {
        id: format!("9{}", payment.id),
        paid: payment.paid + 3,
        amount: -payment.amount,
        ..payment.clone()
    }
}

/// Writes a ledger that is [`told`] into `folder`.
pub(in crate::demo) fn write(ledger: &Ledger, folder: &Path) -> Result<Vec<Received>> {
    let mut store = Store::open(folder, FILES, LAYOUTS)?;
    codes(ledger, &mut store)?;
    lines(ledger, &mut store)?;
    suppliers(ledger, &mut store)?;
    documents(ledger, &mut store)?;
    payments(ledger, &mut store)?;
    orders(ledger, &mut store)?;
    store.finish()
}

fn codes(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for account in &ledger.accounts {
        row.clear().text("CH").text(&account.code).text(account.name).text("N");
        store.put(0, &row)?;
        let heading = super::agresso::heading(account);
        row.clear().text("CH").int(TREE).text(heading).text(&account.code).blank();
        store.put(1, &row)?;
    }
    Ok(())
}

fn lines(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for line in &ledger.lines {
        let account = &ledger.accounts[line.account];
        let kind = if account.name == "VAT control" { "TX" } else { "GL" };
        row.clear()
            .text("CH")
            .text(&account.code)
            .text(account.name)
            .text(&ledger.cost_centres[line.cost_centre])
            .text(&line.journal)
            .int(line.number)
            .text(line.source)
            .text(kind)
            .text(&format!("{}{:02}", line.fin_year, line.period))
            .day(line.dated, Style::Slash)
            .text(&line.narrative)
            .ledger(line.amount)
            .minute(Some(line.posted), Style::Slash);
        store.put(2, &row)?;
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
            .text("CH")
            .text(&supplier.id)
            .text(&supplier.name)
            .text(&supplier.vat)
            .text(&supplier.postcode)
            .text(status);
        store.put(3, &row)?;
    }
    Ok(())
}

fn documents(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for invoice in &ledger.invoices {
        let (status, place) = match invoice.status {
            "registered" => ("N", OPEN),
            "queried" => ("P", OPEN),
            "approved" => ("R", OPEN),
            _ => ("C", SETTLED),
        };
        let rest = if place == OPEN { invoice.gross() } else { 0 };
        row.clear()
            .text("CH")
            .text(&ledger.suppliers[invoice.supplier].id)
            .text(&invoice.id)
            .int(1)
            .text(if invoice.credit { "CN" } else { "IN" })
            .day(invoice.dated, Style::Slash)
            .day(invoice.due, Style::Slash)
            .day(invoice.received, Style::Slash)
            .ledger(invoice.gross())
            .ledger(rest)
            .text(status)
            .text("IP")
            .text(&invoice.reference)
            .blank()
            .text(invoice.order.map_or("", |order| &ledger.orders[order].id));
        store.put(place, &row)?;
    }
    Ok(())
}

fn payments(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for (seq, payment) in (1..).zip(&ledger.payments) {
        let invoice = &ledger.invoices[payment.invoice];
        row.clear()
            .text("CH")
            .text(&ledger.suppliers[invoice.supplier].id)
            .text(&payment.id)
            .int(seq)
            .text("PY")
            .day(payment.paid as Day, Style::Slash)
            .blank()
            .blank()
            .ledger(-payment.amount)
            .ledger(0)
            .text("C")
            .text(payment.method)
            .blank()
            .text(&invoice.id)
            .blank();
        store.put(SETTLED, &row)?;
    }
    Ok(())
}

fn orders(ledger: &Ledger, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for order in &ledger.orders {
        let status = match order.status {
            "open" => "O",
            "closed" => "F",
            _ => "T",
        };
        row.clear()
            .text("CH")
            .text(&order.id)
            .text(&ledger.suppliers[order.supplier].id)
            .day(order.ordered, Style::Slash)
            .int(0)
            .text(status);
        store.put(6, &row)?;
        row.clear()
            .text("CH")
            .text(&order.id)
            .int(1)
            .int(0)
            .text("As ordered")
            .blank()
            .blank()
            .ledger(order.net);
        store.put(7, &row)?;
    }
    Ok(())
}
