//! The real documents, where they are: all are read, forms of one invoice agree, and the rules say
//! what `tests/python/invoice_rules.py` says without them.

use super::decimal::Decimal;
use super::document::Syntax;
use super::kept::Kept;
use super::rules::Outcome;
use super::{ocr, page, pdf};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the real documents; `None`, said aloud, where it is not.
fn documents() -> Option<PathBuf> {
    let folder = PathBuf::from("../shared/data/invoices");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not here", folder.display());
        return None;
    }
    Some(folder)
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The six that exist in every form.
const SIX: [&str; 6] = [
    "EN16931_1_Teilrechnung",
    "EN16931_Einfach",
    "EN16931_Gutschrift",
    "EN16931_Miete",
    "EN16931_Rabatte",
    "EN16931_Reisekostenabrechnung",
];

/// Every value by subject and name.
fn values(kept: &Kept) -> BTreeMap<String, Vec<String>> {
    let reading = kept.reading.as_ref().unwrap();
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (subject, field) in reading.document.fields() {
        let value =
            field.value.clone().unwrap_or_else(|| panic!("{subject} {}: {:?}", field.term.name, field.raw));
        values.entry(format!("{subject} {}", field.term.name)).or_default().push(value);
    }
    values
}

/// What two forms of one invoice say differently.
fn differences(one: &Kept, other: &Kept) -> Vec<String> {
    let (one, other) = (values(one), values(other));
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differing = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    differing.map(|key| format!("{key}: {:?} and {:?}", one.get(key), other.get(key))).collect()
}

#[test]
fn the_six_agree_as_ubl_as_cii_and_as_pdf() {
    let Some(folder) = documents() else { return };
    for name in SIX {
        let of = |path: String| Kept::of(&bytes(&folder.join(path)));
        let cii = of(format!("cii/{name}.cii.xml"));
        let attached = of(format!("facturx/{name}.pdf"));
        assert_eq!(differences(&cii, &attached), [""; 0], "{name}");
        let ubl = of(format!("ubl/{name}.ubl.xml"));
        // The two syntaxes name the specification they follow differently.
        let mut differing = differences(&ubl, &cii);
        differing.retain(|difference| !difference.starts_with("document profile:"));
        assert_eq!(differing, [""; 0], "{name}");
        assert!(values(&cii).len() > 40, "{name}");
    }
}

/// What fails, as `tests/python/invoice_rules.py` found it; every other rule passes or does not
/// apply. The prices of the first are for 1273 pieces where one is billed; line 20 of the examples
/// says minus what its numbers make; and the partial invoice is six cents off in line 4. Peppol
/// wants a percentage where a base is given, and only Peppol's documents are asked for it.
const FAILING: [(&str, &[&str]); 6] = [
    (
        "cii/CII_business_example_01.xml",
        &[
            "PEPPOL-EN16931-R120 line 1",
            "PEPPOL-EN16931-R120 line 2",
            "PEPPOL-EN16931-R120 line 3",
            "PEPPOL-EN16931-R120 line 4",
            "PEPPOL-EN16931-R120 line 5",
        ],
    ),
    ("cii/CII_example1.xml", &["PEPPOL-EN16931-R120 line 20"]),
    ("cii/EN16931_1_Teilrechnung.cii.xml", &["PEPPOL-EN16931-R120 line 4"]),
    (
        "ubl/EN16931_1_Teilrechnung.ubl.xml",
        &[
            "PEPPOL-EN16931-R042 allowance 1",
            "PEPPOL-EN16931-R042 allowance 2",
            "PEPPOL-EN16931-R042 allowance 3",
            "PEPPOL-EN16931-R120 line 4",
        ],
    ),
    (
        "ubl/EN16931_Rabatte.ubl.xml",
        &[
            "PEPPOL-EN16931-R042 allowance 1",
            "PEPPOL-EN16931-R042 allowance 2",
            "PEPPOL-EN16931-R042 allowance 3",
        ],
    ),
    ("ubl/ubl-tc434-example1.xml", &["PEPPOL-EN16931-R120 line 20"]),
];

/// The rules that apply to every document with lines, VAT and totals.
const ALWAYS: [&str; 7] =
    ["BR-CO-10", "BR-CO-13", "BR-CO-14", "BR-CO-15", "BR-CO-16", "BR-CO-17", "PEPPOL-EN16931-R120"];

fn failing(kept: &Kept) -> Vec<String> {
    let failed = kept.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Fail);
    failed.map(|verdict| format!("{} {}", verdict.rule, verdict.subject)).collect()
}

#[test]
fn every_document_has_the_verdict_that_was_worked_out_for_it() {
    let Some(folder) = documents() else { return };
    let mut seen = 0;
    for kind in ["cii", "peppol", "ubl"] {
        for entry in fs::read_dir(folder.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{kind}/{}", path.file_name().unwrap().to_string_lossy());
            let kept = Kept::of(&bytes(&path));
            let expect =
                FAILING.iter().find(|(file, _)| *file == name).map_or(&[""; 0][..], |(_, rules)| rules);
            assert_eq!(failing(&kept), expect, "{name}");
            for rule in ALWAYS {
                let applies = |verdict: &&super::rules::Verdict| {
                    verdict.rule == rule && verdict.outcome != Outcome::NotApplicable
                };
                assert!(
                    kept.verdicts.iter().any(|verdict| applies(&verdict)),
                    "{rule} was not applied to {name}"
                );
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 24);
}

/// A handwritten invoice that keeps every rule.
fn fencing() -> String {
    String::from_utf8(bytes(Path::new("connectors/invoice_documents/fixtures/marsh_lane_fencing.xml")))
        .unwrap()
}

#[test]
fn a_wrong_number_fails_the_rules_that_it_is_in() {
    assert_eq!(failing(&Kept::of(fencing().as_bytes())), [""; 0]);
    let amount = |name: &str, number: &str| format!("<cbc:{name} currencyID=\"GBP\">{number}</cbc:{name}>");
    let total = |name, was, is| (amount(name, was), amount(name, is));
    let rate = "<cbc:ID>S</cbc:ID><cbc:Percent>20</cbc:Percent>\n        <cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>\n      </cac:TaxCategory>\n    </cac:TaxSubtotal>";
    for ((was, is), expect) in [
        (total("LineExtensionAmount", "990.00", "990.01"), vec!["BR-CO-10 document", "BR-CO-13 document"]),
        (total("ChargeTotalAmount", "25.00", "24.99"), vec!["BR-CO-12 document", "BR-CO-13 document"]),
        (total("TaxExclusiveAmount", "1015.00", "1015.01"), vec!["BR-CO-13 document", "BR-CO-15 document"]),
        (total("TaxInclusiveAmount", "1210.00", "1210.01"), vec!["BR-CO-15 document", "BR-CO-16 document"]),
        (total("PayableAmount", "1210.00", "1209.99"), vec!["BR-CO-16 document"]),
        // Off by less than one is rounding, by one it is not.
        (total("TaxableAmount", "975.00", "975.99"), vec![]),
        (total("TaxableAmount", "975.00", "976.00"), vec!["BR-S-08 vat S 20"]),
        (total("TaxableAmount", "40.00", "40.01"), vec!["BR-Z-08 vat Z 0"]),
        (total("TaxAmount", "0.00", "0.40"), vec!["BR-CO-14 document", "BR-Z-09 vat Z 0"]),
        (
            total("Amount", "50.00", "49.97"),
            vec!["PEPPOL-EN16931-R120 line 1", "PEPPOL-EN16931-R040 line 1 allowance 1"],
        ),
        (total("Amount", "50.00", "49.98"), vec![]),
        (total("LineExtensionAmount", "40.00", "40.000"), vec!["BR-DEC-23 document"]),
        (
            (rate.into(), rate.replace("20", "17.5")),
            vec!["BR-CO-17 vat S 17.5", "BR-S-08 vat S 17.5", "BR-S-09 vat S 17.5"],
        ),
        (
            (amount("Amount", "25.00"), amount("Amount", "25.00") + &amount("BaseAmount", "100.00")),
            vec!["PEPPOL-EN16931-R042 allowance 1"],
        ),
    ] {
        assert!(fencing().contains(&was), "{was}");
        let mut found = failing(&Kept::of(fencing().replacen(&was, &is, 1).as_bytes()));
        let mut expect: Vec<String> = expect.into_iter().map(str::to_string).collect();
        found.sort();
        expect.sort();
        assert_eq!(found, expect, "{was} became {is}");
    }
}

#[test]
fn a_verdict_shows_its_numbers() {
    let kept = Kept::of(fencing().replace("1210.00</cbc:TaxInc", "1210.01</cbc:TaxInc").as_bytes());
    let gross = kept.verdicts.iter().find(|verdict| verdict.rule == "BR-CO-15").unwrap();
    assert_eq!((gross.stated, gross.computed), (Decimal::parse("1210.01"), Decimal::parse("1210")));
}

/// Fields that a payment rests on.
const PRINTED: [&str; 8] =
    ["number", "issued_on", "line_total", "net_total", "vat_total", "gross_total", "prepaid", "payable"];

#[test]
fn the_text_of_the_six_says_what_is_attached_to_them() {
    let Some(folder) = documents() else { return };
    let (mut right, mut all) = (0, 0);
    for name in SIX {
        let file = bytes(&folder.join(format!("facturx/{name}.pdf")));
        let kept = Kept::of(&file);
        let attached = &kept.reading.as_ref().unwrap().document.header;
        let printed = page::located(pdf::words(&file).unwrap(), Syntax::Text).unwrap().header;
        for field in PRINTED {
            all += 1;
            match printed.get(field) == attached.get(field) {
                true => right += 1,
                false => {
                    eprintln!("{name} {field}: {:?}, attached {:?}", printed.get(field), attached.get(field))
                }
            }
        }
        assert!(printed.fields.iter().all(|field| field.confidence > 0.0 && field.confidence < 1.0));
    }
    eprintln!("read from text: {right} of {all} fields as attached");
    assert_eq!((right, all), (48, 48));
}

#[test]
fn a_scanned_page_is_read_where_tesseract_is() {
    let Some(folder) = documents() else { return };
    if let Err(reason) = ocr::installed() {
        return eprintln!("skipped: {reason}");
    }
    let scans = tempfile::tempdir().unwrap();
    let pdf = folder.join("facturx/EN16931_Einfach.pdf");
    let made = Command::new("pdftoppm")
        .args(["-r", "200", "-jpeg"])
        .arg(&pdf)
        .arg(scans.path().join("page"))
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return eprintln!("skipped: pdftoppm of poppler-utils is not here");
    }
    let page = |number: u8| bytes(&scans.path().join(format!("page-{number}.jpg")));
    let first = Kept::of(&page(1)).reading.unwrap();
    assert_eq!(first.document.syntax, Syntax::Scan);
    assert_eq!(first.document.header.get("number"), Some("471102"));
    // Both pages as a scanner puts them into a PDF.
    let whole = Kept::of(&pdfs::scanned(&[page(1), page(2)])).reading.unwrap();
    assert!(whole.reader.starts_with("tesseract "), "{}", whole.reader);
    let said = |name: &str| whole.document.header.get(name);
    assert_eq!(
        (said("number"), said("issued_on"), said("gross_total")),
        (Some("471102"), Some("2018-03-05"), Some("529.87"))
    );
    let sure = whole.document.confidence().unwrap();
    assert!(sure > 0.3 && sure < 1.0, "{sure}");
}

#[test]
fn what_cannot_be_read_says_why() {
    let reason = |bytes: &[u8]| Kept::of(bytes).reading.map(|reading| reading.reader).unwrap_err();
    let minutes = bytes(Path::new("connectors/invoice_documents/fixtures/minutes.xml"));
    assert_eq!(reason(&minutes), "the XML is no invoice: its root is \"minutes\" of \"urn:example:minutes\"");
    assert_eq!(reason(b""), "the file is empty");
    assert_eq!(reason(b"PK\x03\x04"), "the file is no XML, no PDF and no image of a page");
    assert!(reason(b"%PDF-1.7 and nothing more").starts_with("the PDF is damaged"));
    assert_eq!(reason(&pdfs::of_text("Tel. 1")), "the PDF has neither text nor images of pages");
    assert!(
        reason(&pdfs::of_text(&"Minutes of a meeting. ".repeat(9))).starts_with("no label of an invoice")
    );
    assert_eq!(reason(&pdfs::encrypted()), "the PDF is encrypted and opens with a password only");
    assert_eq!(reason(&pdfs::calling_itself()), "the PDF has drawings in more than 16 levels");
    assert_eq!(reason(&pdfs::bomb()), "the PDF unpacks to more than 256 MB");
    let mut cut = pdfs::of_text("Invoice No 77");
    cut.truncate(cut.len() / 2);
    assert!(Kept::of(&cut).reading.is_err());
}

#[test]
fn damaged_documents_are_read_or_refused() {
    let folder = Path::new("connectors/invoice_documents/fixtures");
    let mut state = 7u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for (name, times) in
        [("marsh_lane_fencing.xml", 300), ("brook_signs.pdf", 100), ("ouse_valley_credit_note.pdf", 50)]
    {
        let whole = bytes(&folder.join(name));
        for _ in 0..times {
            let mut damaged = whole.clone();
            for _ in 0..=random(8) {
                let at = random(damaged.len());
                match random(4) {
                    0 => damaged.truncate(at.max(1)),
                    1 => drop(damaged.splice(at..at, [b'<', b'/'])),
                    _ => damaged[at] = random(256) as u8,
                }
            }
            let kept = Kept::of(&damaged);
            assert!(kept.reading.is_ok() || kept.verdicts.is_empty());
        }
    }
}

#[test]
fn the_account_is_never_kept_whole() {
    let kept = Kept::of(fencing().as_bytes());
    let document = &kept.reading.as_ref().unwrap().document;
    let shown = format!(
        "{:?}",
        document.fields().iter().map(|(_, field)| (&field.value, &field.raw)).collect::<Vec<_>>()
    );
    assert!(shown.contains("GB…5678") && !shown.contains("00012345678"), "{shown}");
}

mod pdfs;
