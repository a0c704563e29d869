//! What is wrong with documents.

use crate::connector::contract::XmlPath;
use crate::error::Error;
use quick_xml::events::BytesStart;

/// Text where there is no element.
pub(super) fn outside() -> Error {
    Error::contract("something stands outside of the root element")
        .hint("the file may hold several documents, one after the other; one file is one document")
}

/// What the parser says of text that is no XML, without the text.
pub(super) fn malformed(error: &quick_xml::Error) -> Error {
    use quick_xml::Error as Xml;
    let what = match error {
        Xml::Syntax(error) => error.to_string(),
        Xml::IllFormed(error) => error.to_string(),
        Xml::InvalidAttr(_) => "an attribute is not written name=\"value\"".into(),
        Xml::Encoding(_) => "bytes are malformed in the encoding of the document".into(),
        Xml::Escape(_) => "a reference has no meaning".into(),
        Xml::Namespace(_) => "a namespace cannot be declared so".into(),
        Xml::Io(_) => "the document could not be read".into(),
    };
    Error::contract(format!("the document is not well-formed: {what}"))
        .hint("nothing of it was landed; ask for the file again")
}

/// A document that cannot have rows; one that has none today is sound.
pub(super) fn nowhere(rows: &XmlPath) -> Error {
    let around: String = rows.steps.iter().rev().skip(1).rev().map(|step| format!("/{step}")).collect();
    Error::contract(format!("the document has no element '{around}', in which its rows should be")).hint(
        "see `rows` of the contract, and the namespaces that it declares: an element may have been renamed",
    )
}

/// A document whose root is not `wanted`.
pub(super) fn another_root(found: &BytesStart<'_>, namespace: Option<String>, wanted: &str) -> Error {
    let mut name: String = found.local_name().as_ref().chars().take(40).collect();
    let hint = match name.eq_ignore_ascii_case("html") {
        true => "this is a web page, perhaps of somebody who wants a password",
        false => "see the row path of the contract, and the namespaces that it declares",
    };
    if let Some(namespace) = namespace {
        name = format!("{{{namespace}}}{name}");
    }
    Error::contract(format!("the root element is '{name}' and not '{wanted}'")).hint(hint)
}
