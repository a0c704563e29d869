//! Workbooks that are refused, and what is said of them.

use super::V::*;
use super::*;
use crate::error::Kind;
use std::io::Write;
use zip::write::SimpleFileOptions;

#[test]
fn what_is_no_workbook_is_refused_by_what_it_is() {
    let contract = spend();
    let html = "\u{feff}\r\n <HTML><body><table><tr><td>Ref</td></tr></table></body></html>";
    refused(&contract, html, ": the file is an HTML page, whatever it is called", "save it as");
    refused(&contract, "Ref,Paid,Amount\n", ": the file is no workbook, whatever it is called", "");
    refused(&contract, "<?xml version=\"1.0\"?><Workbook/>", ": the file is XML, whatever it is called", "");
    refused(&contract, "", ": the file is empty", "");
    refused(&contract, fixture("encrypted.xlsx"), ": the workbook is encrypted", "without a password");
    let whole = book(&[("S", &[HEADER])]);
    let cut = &whole[..whole.len() / 2];
    refused(&contract, cut, ": the archive is damaged or cut", "ask for the file again");
}

#[test]
fn a_damaged_workbook_is_refused_by_its_part() {
    let rows: Vec<Vec<V>> = (0..2000).map(|row| vec![N(f64::from(row)), E, N(1.0)]).collect();
    let mut rows: Vec<&[V]> = rows.iter().map(Vec::as_slice).collect();
    rows.insert(0, HEADER);
    let mut input = book(&[("S", &rows)]);
    let name = b"xl/worksheets/sheet1.xml";
    let at = input.windows(name.len()).position(|bytes| bytes == name).unwrap() + name.len() + 2000;
    input[at..at + 40].fill(0x55);
    let error = read_bytes(&spend(), input).unwrap_err();
    assert_eq!(
        (error.kind(), error.place()),
        (Kind::Contract, Some("s.e in 'F.csv' part 'xl/worksheets/sheet1.xml'"))
    );
}

#[test]
fn an_ods_that_repeats_for_ever_is_refused() {
    let ods = |repeats: &str| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        for (name, text) in [
            ("mimetype", "application/vnd.oasis.opendocument.spreadsheet".to_string()),
            ("META-INF/manifest.xml", "<manifest:manifest/>".to_string()),
            (
                "content.xml",
                format!(
                    "<office:document-content><office:body><office:spreadsheet><table:table table:name=\"S\">\
                     <table:table-row><table:table-cell office:value-type=\"string\"><text:p>Ref</text:p></table:table-cell></table:table-row>\
                     <table:table-row {repeats}><table:table-cell office:value-type=\"float\" office:value=\"1\" table:number-columns-repeated=\"100\"/></table:table-row>\
                     <table:table-row table:number-rows-repeated=\"1048000\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row>\
                     </table:table></office:spreadsheet></office:body></office:document-content>"
                ),
            ),
        ] {
            zip.start_file(name, options).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let contract = sheets(contract(&[("ref", Type::Text)]), &[], 1);
    check(&contract, ods(""), &["2: 1"]);
    refused(
        &contract,
        ods("table:number-rows-repeated=\"900000\""),
        " part 'content.xml': a sheet has more than 8000000 cells",
        "save it as .xlsx",
    );
}
