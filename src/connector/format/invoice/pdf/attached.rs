//! The invoice that Factur-X, ZUGFeRD and XRechnung attach to a PDF.

use super::guard::MOST_STREAM_BYTES;
use lopdf::{Dictionary, Document, Object, decode_text_string};

/// How the attachment is called, in any case.
const NAMES: [&str; 4] = ["factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml", "order-x.xml"];

/// The attached invoice and its name.
pub(super) fn invoice(document: &Document) -> Result<Option<(String, Vec<u8>)>, String> {
    // Wherever it hangs, in the name tree, the associated files or an annotation, it is an object.
    let files = document.objects.values().filter_map(|object| object.as_dict().ok());
    for (name, file) in files.filter_map(|file| Some((name(file)?, file))) {
        if NAMES.contains(&name.to_lowercase().as_str()) {
            return bytes(document, file)
                .map(|bytes| Some((name.clone(), bytes)))
                .map_err(|why| format!("{name} in the PDF: {why}"));
        }
    }
    Ok(None)
}

/// The name of a file specification.
fn name(file: &Dictionary) -> Option<String> {
    file.get(b"EF").ok()?;
    let named = [b"UF".as_slice(), b"F"].into_iter().find_map(|key| file.get(key).ok())?;
    decode_text_string(named).ok()
}

fn bytes(document: &Document, file: &Dictionary) -> Result<Vec<u8>, String> {
    let stream = || {
        let (_, files) = document.dereference(file.get(b"EF")?)?;
        let files = files.as_dict()?;
        let (_, stream) = document.dereference(files.get(b"F").or_else(|_| files.get(b"UF"))?)?;
        stream.as_stream()?.get_plain_content_with_limit(MOST_STREAM_BYTES)
    };
    stream().map_err(|error: lopdf::Error| error.to_string())
}

/// A number of a dictionary.
pub(super) fn number(dictionary: &Dictionary, key: &[u8]) -> Option<i64> {
    dictionary.get(key).ok().and_then(|value| Object::as_i64(value).ok())
}
