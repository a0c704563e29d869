//! Oracle Fusion: one package of BI Cloud Connector, a zip for each view object and their manifest.

use crate::demo::calendar::{self, DAY, Minute, Style};
use crate::demo::world::Ledger;
use crate::demo::write::oracle_ebs::heading;
use crate::demo::write::row::Row;
use crate::demo::write::store::Received;
use crate::error::{Error, Result};
use csv::Writer;
use md5::{Digest, Md5};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The view objects of payables and of the ledger, of purchasing, and of suppliers.
const FINANCE: &str = "fscmtopmodelam_finextractam_apbiccextractam";
const LEDGER: &str = "fscmtopmodelam_finextractam_glbiccextractam";
const ORDERS: &str = "fscmtopmodelam_prcextractam_pobiccextractam";
const SUPPLIERS: &str = "fscmtopmodelam_prcextractam_pozbiccextractam";

/// The rows of one view object.
struct Extract {
    entity: &'static str,
    object: String,
    rows: u64,
    csv: Writer<Vec<u8>>,
}

impl Extract {
    fn new(entity: &'static str, module: &str, object: &str, columns: &[&str]) -> Result<Self> {
        let mut csv = Writer::from_writer(Vec::new());
        csv.write_record(columns).map_err(unwritable)?;
        Ok(Self { entity, object: format!("file_{module}_{object}extractpvo"), rows: 0, csv })
    }

    fn put(&mut self, row: &Row) -> Result<()> {
        self.rows += 1;
        self.csv.write_record(row.cells()).map_err(unwritable)
    }
}

fn unwritable(error: csv::Error) -> Error {
    Error::internal("a row cannot be written as CSV").because(error)
}

/// The ledger as Fusion can tell it: an invoice is matched when and only when it quotes an order,
/// and a journal has one period, one source and one moment of posting.
pub(in crate::demo) fn told(mut ledger: Ledger) -> Ledger {
    for invoice in &mut ledger.invoices {
        invoice.status = match (invoice.status, invoice.order) {
            ("registered" | "matched", Some(_)) => "matched",
            ("registered" | "matched", None) => "registered",
            (other, _) => other,
        };
    }
    let (mut journals, mut before) = (0_u32, None);
    let mut number = 0;
    for line in &mut ledger.lines {
        let journal = (line.journal.clone(), line.fin_year, line.period, line.posted, line.source);
        if before.as_ref() != Some(&journal) {
            (journals, number) = (journals + 1, 0);
        }
        before = Some(journal);
        number += 1;
        (line.journal, line.number) = (format!("30030{journals:07}"), number);
    }
    ledger
}

/// Writes a ledger that is [`told`] into `folder`.
pub(in crate::demo) fn write(ledger: &Ledger, folder: &Path) -> Result<Vec<Received>> {
    let [suppliers, orders, order_lines] = purchasing(ledger)?;
    let [invoices, invoice_lines, schedules] = invoices(ledger)?;
    let [checks, payments] = payments(ledger)?;
    let [codes, headers, lines] = journals(ledger)?;
    let extracts = [
        suppliers,
        orders,
        order_lines,
        invoices,
        invoice_lines,
        schedules,
        checks,
        payments,
        codes,
        headers,
        lines,
    ];
    let failed = |e| Error::internal(format!("cannot write '{}'", folder.display())).because(e);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let (mut manifest, mut received) = (String::new(), Vec::new());
    for (document, Extract { entity, object, rows, csv }) in (4711..).zip(extracts) {
        let name = format!("{object}-batch1-20260401_000000");
        let csv = csv.into_inner().map_err(|e| Error::internal("CSV in memory").because(e.into_error()))?;
        let zip = zipped(&format!("{name}.csv"), &csv)?;
        manifest.push_str(&format!("{name}.zip;{document};{:x}\n", Md5::digest(&zip)));
        std::fs::write(folder.join(format!("{name}.zip")), zip).map_err(failed)?;
        received.push(Received { entity, rows, bad: Vec::new() });
    }
    // What a package does not hold has not changed: it is received without rows.
    received.extend(["ap_approval", "ap_supplier_site"].map(|entity| Received {
        entity,
        rows: 0,
        bad: Vec::new(),
    }));
    // The manifest comes last: it says that the package is complete.
    std::fs::write(folder.join("MANIFEST_20260401.MF"), manifest).map_err(failed)?;
    Ok(received)
}

fn zipped(name: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let failed = |e: zip::result::ZipError| Error::internal("a zip in memory").because(e);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, SimpleFileOptions::default()).map_err(failed)?;
    zip.write_all(bytes).map_err(|e| Error::internal("a zip in memory").because(e))?;
    Ok(zip.finish().map_err(failed)?.into_inner())
}

fn purchasing(ledger: &Ledger) -> Result<[Extract; 3]> {
    let columns =
        ["vendor_id", "vendor_name", "vat_registration_num", "enabled_flag", "hold_all_payments_flag"];
    let mut suppliers = Extract::new("ap_supplier", SUPPLIERS, "supplier", &columns)?;
    let mut row = Row::default();
    for supplier in &ledger.suppliers {
        row.clear()
            .text(&supplier.id)
            .text(&supplier.name)
            .text(&supplier.vat)
            .flag(supplier.status != "closed")
            .flag(supplier.status == "held");
        suppliers.put(&row)?;
    }
    let columns = ["po_header_id", "vendor_id", "creation_date", "closed_code", "cancel_flag"];
    let mut orders = Extract::new("po_header", ORDERS, "purchasingdocumentheader", &columns)?;
    let columns = ["po_line_id", "po_header_id", "line_num", "quantity", "unit_price", "cancel_flag"];
    let mut lines = Extract::new("po_line", ORDERS, "purchasingdocumentline", &columns)?;
    for order in &ledger.orders {
        row.clear()
            .text(&order.id)
            .text(&ledger.suppliers[order.supplier].id)
            .time(Minute::from(order.ordered) * DAY + 12 * 60, Style::Iso)
            .text(if order.status == "closed" { "CLOSED" } else { "OPEN" })
            .flag(order.status == "cancelled");
        orders.put(&row)?;
        row.clear()
            .text(&format!("{}1", order.id))
            .text(&order.id)
            .int(1)
            .int(1)
            .money(order.net)
            .flag(false);
        lines.put(&row)?;
    }
    Ok([suppliers, orders, lines])
}

fn invoices(ledger: &Ledger) -> Result<[Extract; 3]> {
    let columns = [
        "invoice_id",
        "vendor_id",
        "invoice_num",
        "invoice_type_lookup_code",
        "invoice_amount",
        "invoice_date",
        "invoice_received_date",
        "cancelled_date",
        "payment_status_flag",
        "wfapproval_status",
        "creation_date",
    ];
    let mut invoices = Extract::new("ap_invoice", FINANCE, "invoiceheader", &columns)?;
    let columns = ["invoice_id", "line_number", "line_type_lookup_code", "amount", "po_header_id"];
    let mut lines = Extract::new("ap_invoice_line", FINANCE, "invoiceline", &columns)?;
    let columns = ["invoice_id", "payment_num", "due_date", "gross_amount"];
    let mut schedules = Extract::new("ap_payment_schedule", FINANCE, "invoicepaymentschedule", &columns)?;
    let mut row = Row::default();
    for invoice in &ledger.invoices {
        let approval = match invoice.status {
            "queried" => "REJECTED",
            "approved" | "paid" => "WFAPPROVED",
            _ => "REQUIRED",
        };
        let created = invoice.stages[0].unwrap_or(Minute::from(invoice.received) * DAY + 12 * 60);
        row.clear()
            .text(&invoice.id)
            .text(&ledger.suppliers[invoice.supplier].id)
            .text(&invoice.reference)
            .text(if invoice.credit { "CREDIT" } else { "STANDARD" })
            .money(invoice.gross())
            .day(invoice.dated, Style::Iso)
            .day(invoice.received, Style::Iso)
            .day_or((invoice.status == "cancelled").then_some(invoice.received + 5), Style::Iso, "")
            .text(if invoice.status == "paid" { "Y" } else { "N" })
            .text(approval)
            .time(calendar::utc(created), Style::Iso);
        invoices.put(&row)?;
        let order = invoice.order.map_or("", |order| &ledger.orders[order].id);
        row.clear().text(&invoice.id).int(1).text("ITEM").money(invoice.net).text(order);
        lines.put(&row)?;
        if invoice.vat != 0 {
            row.clear().text(&invoice.id).int(2).text("TAX").money(invoice.vat).blank();
            lines.put(&row)?;
        }
        row.clear().text(&invoice.id).int(1).day(invoice.due, Style::Iso).money(invoice.gross());
        schedules.put(&row)?;
    }
    Ok([invoices, lines, schedules])
}

fn payments(ledger: &Ledger) -> Result<[Extract; 2]> {
    let columns = ["check_id", "check_date", "vendor_id", "amount", "payment_method_code", "void_date"];
    let mut checks = Extract::new("ap_check", FINANCE, "disbursementheader", &columns)?;
    let columns = ["invoice_payment_id", "invoice_id", "check_id", "amount"];
    let mut parts = Extract::new("ap_invoice_payment", FINANCE, "paiddisbursementschedule", &columns)?;
    let mut amounts: BTreeMap<&str, i64> = BTreeMap::new();
    for payment in &ledger.payments {
        *amounts.entry(&payment.id).or_default() += payment.amount;
    }
    let mut row = Row::default();
    for (number, payment) in (1..).zip(&ledger.payments) {
        let invoice = &ledger.invoices[payment.invoice];
        if let Some(amount) = amounts.remove(payment.id.as_str()) {
            row.clear()
                .text(&payment.id)
                .day(payment.paid, Style::Iso)
                .text(&ledger.suppliers[invoice.supplier].id)
                .money(amount)
                .text(payment.method)
                .day_or(payment.void.then_some(payment.paid + 3), Style::Iso, "");
            checks.put(&row)?;
        }
        row.clear().int(number).text(&invoice.id).text(&payment.id).money(payment.amount);
        parts.put(&row)?;
    }
    Ok([checks, parts])
}

/// The number of an account together with a cost centre.
fn combination(account: usize, cost_centre: usize) -> i64 {
    (account * 1_000 + cost_centre + 1) as i64
}

fn journals(ledger: &Ledger) -> Result<[Extract; 3]> {
    let columns = ["code_combination_id", "segment2", "segment3", "attribute1"];
    let mut codes = Extract::new("gl_code_combination", LEDGER, "codecombination", &columns)?;
    let mut row = Row::default();
    for (at, account) in ledger.accounts.iter().enumerate() {
        for (centre, name) in ledger.cost_centres.iter().enumerate() {
            row.clear().int(combination(at, centre)).text(name).text(&account.code).text(heading(account));
            codes.put(&row)?;
        }
    }
    let columns = ["je_header_id", "period_name", "je_source", "actual_flag", "status", "posted_date"];
    let mut headers = Extract::new("gl_je_header", LEDGER, "journalheader", &columns)?;
    let columns = [
        "je_header_id",
        "je_line_num",
        "code_combination_id",
        "effective_date",
        "accounted_dr",
        "accounted_cr",
        "description",
    ];
    let mut lines = Extract::new("gl_je_line", LEDGER, "journalline", &columns)?;
    for line in &ledger.lines {
        if line.number == 1 {
            row.clear()
                .text(&line.journal)
                .text(&super::oracle_ebs::period_name(line))
                .text(line.source)
                .text("A")
                .text("P")
                .time(calendar::utc(line.posted), Style::Iso);
            headers.put(&row)?;
        }
        row.clear()
            .text(&line.journal)
            .int(line.number)
            .int(combination(line.account, line.cost_centre))
            .day(line.dated, Style::Iso);
        match line.amount < 0 {
            true => row.blank().money(-line.amount),
            false => row.money(line.amount).blank(),
        };
        row.text(&line.narrative);
        lines.put(&row)?;
    }
    Ok([codes, headers, lines])
}
