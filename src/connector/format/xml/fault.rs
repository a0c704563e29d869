//! What is wrong with documents.

use crate::error::Error;

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
