use super::{Word, located};
use crate::connector::format::invoice::document::{InvoiceDocument, Syntax};

/// Words on one page: each line is a number of cells, written with their distance from the left.
fn page(lines: &[&[(f64, &str)]]) -> Vec<Word> {
    let mut words = Vec::new();
    for (line, nth) in lines.iter().zip(1..) {
        for (left, text) in line.iter() {
            let mut left = *left;
            for word in text.split(' ') {
                let right = left + 5.0 * word.chars().count() as f64;
                words.push(Word {
                    page: 1,
                    left,
                    right,
                    base: 14.0 * f64::from(nth),
                    size: 10.0,
                    text: word.into(),
                    confidence: 0.9,
                });
                left = right + 5.0;
            }
        }
    }
    words
}

fn shown(document: &InvoiceDocument) -> Vec<String> {
    let field = |field: &super::super::document::Field| {
        format!(
            "{} {} {:.2} {}",
            field.term.name,
            field.value.as_deref().unwrap_or("-"),
            field.confidence,
            field.place
        )
    };
    document.header.fields.iter().map(field).collect()
}

#[test]
fn a_british_invoice() {
    let words = page(&[
        &[(40.0, "Marsh Lane Fencing Ltd"), (300.0, "TAX INVOICE")],
        &[(300.0, "Invoice No"), (400.0, "MLF-20417")],
        &[(300.0, "Invoice Date"), (400.0, "3 September 2024")],
        &[(300.0, "Your Order No:"), (400.0, "PO100231")],
        &[(40.0, "VAT Reg No: GB123456789")],
        &[(300.0, "Due Date"), (400.0, "Sub Total")],
        &[(300.0, "03/10/2024"), (400.0, "£1,000.00")],
        &[(300.0, "VAT @ 20%"), (400.0, "£200.00")],
        &[(300.0, "Total"), (400.0, "£1,200.00")],
        &[(300.0, "Amount Due"), (400.0, "£1,200.00")],
    ]);
    let document = located(words, Syntax::Text).unwrap();
    let expect = [
        "currency GBP 0.63 page 1 at 400,98",
        "due_on 2024-10-03 0.69 page 1 at 300,98",
        "gross_total 1200.00 0.77 page 1 at 400,126",
        "issued_on 2024-09-03 0.85 page 1 at 400,42",
        "number MLF-20417 0.85 page 1 at 400,28",
        "order_reference PO100231 0.77 page 1 at 400,56",
        "payable 1200.00 0.81 page 1 at 400,140",
        "supplier_vat_id GB123456789 0.54 page 1 at 40,70",
        "type_code 380 0.54 page 1 at 300,14",
        "vat_total 200.00 0.72 page 1 at 400,112",
    ];
    assert_eq!(shown(&document), expect);
}

#[test]
fn a_page_without_labels_is_no_invoice() {
    let words = page(&[&[(40.0, "Minutes of the meeting of 3 September 2024")]]);
    assert!(located(words, Syntax::Text).unwrap_err().starts_with("no label of an invoice was found"));
}
