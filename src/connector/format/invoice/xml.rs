//! An XML document as a tree: bounded, without a document type, without entities of its own.

use encoding_rs::{Encoding, UTF_8};
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

/// Invoices nest some ten levels deep.
const MOST_DEPTH: usize = 64;

/// Enough for 10,000 lines of 50 elements.
const MOST_ELEMENTS: usize = 500_000;

/// An element, its own text, and what is in it. Names are without prefix.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The namespace that the element's own prefix is bound to on the element itself.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.attribute("")
    }
}

/// Reads the document; `Err` says in words why it is none.
pub(super) fn parse(bytes: &[u8]) -> Result<Element, String> {
    let text = decoded(bytes)?;
    let mut reader = Reader::from_str(&text);
    let mut tree = Tree::default();
    loop {
        let broken = |at: u64, error: quick_xml::Error| format!("the XML is broken at byte {at}: {error}");
        let event = reader.read_event().map_err(|error| broken(reader.error_position(), error))?;
        match event {
            Event::Start(start) => tree.open(element(&start)?)?,
            Event::Empty(start) => {
                tree.open(element(&start)?)?;
                tree.close();
            }
            Event::End(_) => tree.close(),
            Event::Text(text) => tree.text(&text.xml10_content()),
            Event::CData(text) => tree.text(&text.xml10_content()),
            Event::GeneralRef(entity) => match entity.resolve_char_ref() {
                Ok(Some(letter)) => tree.text(letter.encode_utf8(&mut [0; 4])),
                _ => tree.text(predefined(&entity).ok_or("the XML uses an entity of its own")?),
            },
            Event::DocType(_) => {
                return Err("the XML declares a document type, which invoices never do".into());
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return tree.finish(),
        }
    }
}

/// The elements that are open, the outermost first.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    count: usize,
}

impl Tree {
    fn open(&mut self, element: Element) -> Result<(), String> {
        self.count += 1;
        if self.open.len() >= MOST_DEPTH || self.count > MOST_ELEMENTS {
            return Err(format!("the XML has more than {MOST_DEPTH} levels or {MOST_ELEMENTS} elements"));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err("the XML has two roots".into());
        }
        self.open.push(element);
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
        }
    }

    fn close(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn finish(self) -> Result<Element, String> {
        if !self.open.is_empty() {
            return Err("the XML ends before its root does".into());
        }
        self.root.ok_or_else(|| "the XML has no element".into())
    }
}

/// The entities that every document has.
fn predefined(name: &str) -> Option<&'static str> {
    Some(match name {
        "amp" => "&",
        "apos" => "'",
        "gt" => ">",
        "lt" => "<",
        "quot" => "\"",
        _ => return None,
    })
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let name = start.name();
    let prefix = name.prefix().map_or("xmlns".to_string(), |prefix| format!("xmlns:{}", prefix.as_ref()));
    let mut element = Element { name: name.local_name().as_ref().to_string(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("the XML is broken: {error}"))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| format!("the XML is broken: {error}"))?;
        let key = attribute.key;
        // The namespace of the element itself is kept under a name that no attribute can have.
        let known = match key.0 == prefix {
            true => String::new(),
            false => key.local_name().as_ref().to_string(),
        };
        element.attributes.push((known, value.into_owned()));
    }
    Ok(element)
}

/// The text in the encoding that the byte order mark or the declaration names.
fn decoded(bytes: &[u8]) -> Result<String, String> {
    let (encoding, start) = match Encoding::for_bom(bytes) {
        Some(found) => found,
        None => (declared(bytes)?, 0),
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[start..]);
    let text = text.ok_or_else(|| format!("the XML has bytes that are malformed in {}", encoding.name()))?;
    Ok(text.into_owned())
}

fn declared(bytes: &[u8]) -> Result<&'static Encoding, String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let Some(declaration) = head.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) else {
        return Ok(UTF_8);
    };
    let Some((_, rest)) = declaration.0.split_once("encoding") else { return Ok(UTF_8) };
    let label = rest.trim_start_matches([' ', '=', '"', '\'']);
    let label = label.split(['"', '\'']).next().unwrap_or_default();
    Encoding::for_label(label.as_bytes())
        .ok_or_else(|| format!("the XML is in the unknown encoding {label:?}"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_element_has_its_text_its_attributes_and_its_children() {
        let root = parse(b"<?xml version='1.0' encoding='ISO-8859-1'?><a:r xmlns:a='urn:x' b:k='1 &amp; 2'>x<y/>\xE9&#65;&lt;<![CDATA[&]]></a:r>");
        let root = root.unwrap();
        assert_eq!(
            (root.name.as_str(), root.namespace(), root.attribute("k")),
            ("r", Some("urn:x"), Some("1 & 2"))
        );
        assert_eq!((root.text.as_str(), root.children.len()), ("x\u{e9}A<&", 1));
        let wide: Vec<u8> = "\u{feff}<r>\u{e9}</r>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(parse(&wide).unwrap().text, "\u{e9}");
    }

    #[test]
    fn what_is_no_document_says_why() {
        let deep = "<a>".repeat(65);
        for (text, reason) in [
            ("", "the XML has no element"),
            ("no xml", "the XML has no element"),
            ("<a><b></b>", "the XML ends before its root does"),
            ("<a/><b/>", "the XML has two roots"),
            (
                "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
                "the XML declares a document type, which invoices never do",
            ),
            ("<a>&b;</a>", "the XML uses an entity of its own"),
            (
                "<?xml version='1.0' encoding='klingon'?><a/>",
                "the XML is in the unknown encoding \"klingon\"",
            ),
            (&deep, "the XML has more than 64 levels or 500000 elements"),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), reason);
        }
        assert!(parse(b"<a></b>").unwrap_err().starts_with("the XML is broken at byte"));
        assert!(parse(b"<a>\xff</a>").unwrap_err().contains("malformed in UTF-8"));
    }
}
