//! What a PDF may hold: enough for any invoice, and little enough that the readers behind this, one
//! of which knows no limits, come to an end.

use lopdf::content::Content;
use lopdf::{Dictionary, Document, Object, Stream};

const MOST_OBJECTS: usize = 200_000;
const MOST_PAGES: usize = 200;

/// The most bytes that one stream may unpack to, and all of them together.
pub(super) const MOST_STREAM_BYTES: usize = 64 << 20;
const MOST_BYTES: usize = 256 << 20;

/// How deep drawings may stand in drawings, and how many there may be in all.
const MOST_NESTED: usize = 16;
const MOST_DRAWINGS: usize = 5_000;

/// How many steps lead from a page to the root of its tree.
const MOST_PARENTS: usize = 64;

/// Checks the limits; the number of pages.
pub(super) fn check(document: &Document) -> Result<usize, String> {
    if document.objects.len() > MOST_OBJECTS {
        return Err(format!("the PDF has more than {MOST_OBJECTS} objects"));
    }
    let pages: Vec<_> = document.get_pages().into_values().collect();
    if pages.is_empty() || pages.len() > MOST_PAGES {
        return Err(format!("the PDF has {} pages, and 1 to {MOST_PAGES} are read", pages.len()));
    }
    unpacked(document)?;
    let mut left = MOST_DRAWINGS;
    for page in &pages {
        let page_dictionary = document.get_dictionary(*page).map_err(damaged)?;
        let resources = resources(document, page_dictionary)?;
        let content = document.get_page_content_with_limit(*page, MOST_STREAM_BYTES).map_err(damaged)?;
        drawing(document, &content, resources, MOST_NESTED, &mut left)?;
    }
    Ok(pages.len())
}

/// Whether everything together unpacks to a bounded size. Images are left packed.
fn unpacked(document: &Document) -> Result<(), String> {
    let mut left = MOST_BYTES;
    let streams = document.objects.values().filter_map(|object| object.as_stream().ok());
    for stream in streams.filter(|stream| !is_a(stream, b"Image")) {
        match stream.get_plain_content_with_limit(left.min(MOST_STREAM_BYTES)) {
            Ok(bytes) => left = left.saturating_sub(bytes.len()),
            Err(lopdf::Error::Decompress(error)) if is_limit(&error) => {
                return Err(format!("the PDF unpacks to more than {} MB", MOST_BYTES >> 20));
            }
            // A stream that nobody can unpack may be one that nobody needs.
            Err(_) => {}
        }
        if left == 0 {
            return Err(format!("the PDF unpacks to more than {} MB", MOST_BYTES >> 20));
        }
    }
    Ok(())
}

fn is_limit(error: &lopdf::DecompressError) -> bool {
    matches!(error, lopdf::DecompressError::MemoryLimitExceeded { .. })
}

/// Follows the drawings that a drawing calls: one that calls itself would never end.
fn drawing(
    document: &Document,
    content: &[u8],
    resources: Option<&Dictionary>,
    depth: usize,
    left: &mut usize,
) -> Result<(), String> {
    *left = left.checked_sub(1).ok_or_else(|| format!("the PDF calls more than {MOST_DRAWINGS} drawings"))?;
    let deeper = depth
        .checked_sub(1)
        .ok_or_else(|| format!("the PDF has drawings in more than {MOST_NESTED} levels"))?;
    let content = Content::decode(content).map_err(damaged)?;
    let called = content.operations.iter().filter(|operation| operation.operator == "Do");
    for name in called.filter_map(|operation| operation.operands.first()?.as_name().ok()) {
        let Some(form) = resources.and_then(|resources| form(document, resources, name)) else { continue };
        let own =
            form.dict.get(b"Resources").ok().and_then(|own| document.dereference(own).ok()?.1.as_dict().ok());
        let content = form.get_plain_content_with_limit(MOST_STREAM_BYTES).map_err(damaged)?;
        drawing(document, &content, own.or(resources), deeper, left)?;
    }
    Ok(())
}

fn form<'d>(document: &'d Document, resources: &'d Dictionary, name: &[u8]) -> Option<&'d Stream> {
    let drawings = document.get_dict_in_dict(resources, b"XObject").ok()?;
    let (_, drawing) = document.dereference(drawings.get(name).ok()?).ok()?;
    drawing.as_stream().ok().filter(|stream| is_a(stream, b"Form"))
}

/// What a page may use: its own, or what it inherits; the way up is walked for every key that may
/// be inherited, so that a tree that is a circle is found.
fn resources<'d>(document: &'d Document, page: &'d Dictionary) -> Result<Option<&'d Dictionary>, String> {
    let (mut node, mut found) = (page, None);
    for _ in 0..MOST_PARENTS {
        if found.is_none() {
            found =
                node.get(b"Resources").ok().and_then(|own| document.dereference(own).ok()?.1.as_dict().ok());
        }
        let Ok(parent) = node.get(b"Parent").and_then(Object::as_reference) else { return Ok(found) };
        node = document.get_dictionary(parent).map_err(damaged)?;
    }
    Err("the PDF has pages whose tree is a circle".into())
}

/// Whether a stream is an image or a form.
fn is_a(stream: &Stream, kind: &[u8]) -> bool {
    stream.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|subtype| subtype == kind)
}

fn damaged(error: lopdf::Error) -> String {
    format!("the PDF is damaged: {error}")
}
