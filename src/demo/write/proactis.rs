//! Proactis: files of separated cells, clocks in UTC, one document for each invoice.

use crate::demo::calendar::{self, DAY, Minute, Style};
use crate::demo::world::{Invoice, Ledger};
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{CSV, Format, Layout, int, number, text};
use crate::error::Result;
use std::path::Path;

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "document",
        name: "pr_document",
        trailer: None,
        columns: &[
            text("doc_id", 0),
            text("body", 0),
            text("channel", 0),
            text("received_ts", 0),
            text("format", 0),
            int("pages", 0),
            text("sha256", 0),
            text("image_uri", 0),
            text("ocr_engine", 0),
            number("ocr_confidence", 0),
            text("supplier_ref_raw", 0),
            text("invoice_no_raw", 0),
            text("invoice_date_raw", 0),
            text("net_raw", 0),
            text("vat_raw", 0),
            text("gross_raw", 0),
            text("po_raw", 0),
            text("currency", 0),
            text("ledger_doc_no", 0),
        ],
    },
    Layout {
        entity: "status_event",
        name: "pr_status_event",
        trailer: None,
        columns: &[text("doc_id", 0), int("seq", 0), text("status", 0), text("ts", 0), text("actor", 0)],
    },
    Layout {
        entity: "exception",
        name: "pr_exception",
        trailer: None,
        columns: &[
            text("doc_id", 0),
            text("code", 0),
            text("opened_ts", 0),
            text("closed_ts", 0),
            text("resolution", 0),
            text("owner", 0),
        ],
    },
];

const FILES: Format = Format::Delimited(CSV);

/// How a document came and what it is made of; the last two are read off a picture.
const WAYS: [(&str, &str); 5] =
    [("PEPPOL", "UBL"), ("EDI", "EDIFACT"), ("PORTAL", "CII"), ("EMAIL", "PDF"), ("SCAN", "TIFF")];

/// How the document of the invoice at `position` came, and whether it was read off a picture.
fn way(position: usize) -> (&'static str, &'static str, bool) {
    let at = position * 7 % WAYS.len();
    let (channel, format) = WAYS[at];
    (channel, format, at >= 3)
}

/// Writes a document for each invoice of the ledger into `folder`.
pub(in crate::demo) fn write(ledger: &Ledger, folder: &Path) -> Result<Vec<Received>> {
    let mut store = Store::open(folder, FILES, LAYOUTS)?;
    let mut row = Row::default();
    for (position, invoice) in ledger.invoices.iter().enumerate() {
        let id = format!("DOC{:07}", position + 1);
        document(ledger, position, invoice, &id, &mut row);
        store.put(0, &row)?;
        let statuses = ["RECEIVED", "CAPTURED", "MATCHED", "APPROVED"];
        let stages =
            std::iter::once(Some(received(invoice))).chain(invoice.stages.map(|at| at.map(calendar::utc)));
        for (seq, (status, at)) in (1..).zip(statuses.into_iter().zip(stages)) {
            let Some(at) = at else { continue };
            row.clear().text(&id).int(seq).text(status).time(at, Style::Iso).text("robot");
            store.put(1, &row)?;
        }
        if invoice.status == "queried" {
            let code = ["NO_PO", "PRICE_TOL", "SUPPLIER_UNKNOWN"][position % 3];
            row.clear()
                .text(&id)
                .text(code)
                .time(received(invoice) + 60, Style::Iso)
                .blank()
                .blank()
                .text("AP");
            store.put(2, &row)?;
        }
    }
    store.finish()
}

/// Six in the morning of the day on which it came, UTC.
fn received(invoice: &Invoice) -> Minute {
    Minute::from(invoice.received) * DAY + 6 * 60
}

fn document(ledger: &Ledger, position: usize, invoice: &Invoice, id: &str, row: &mut Row) {
    let (channel, format, is_read) = way(position);
    row.clear().text(id).text("CH").text(channel).time(received(invoice), Style::Iso).text(format);
    match is_read {
        true => row.int(1).blank().blank().text("tesseract").decimal(8_000 + (position % 1_900) as i64, 4),
        false => row.blank().blank().blank().blank().blank(),
    };
    row.text(&ledger.suppliers[invoice.supplier].name)
        .text(&invoice.reference)
        .day(invoice.dated, if is_read { Style::Slash } else { Style::Iso });
    for pence in [invoice.net, invoice.vat, invoice.gross()] {
        match is_read {
            true => row.ledger(pence),
            false => row.money(pence),
        };
    }
    row.text(invoice.order.map_or("", |order| &ledger.orders[order].id)).text("GBP").text(&invoice.id);
}
