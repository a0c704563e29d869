//! A kept file and what could be read from it.

use super::document::InvoiceDocument;
use super::rules::{self, Verdict};
use super::{MOST_BYTES, ocr, pdf, structured};
use sha2::{Digest, Sha256};

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Xml,
    Pdf,
    Image,
    Unknown,
}

impl Container {
    fn of(bytes: &[u8]) -> Self {
        // Some writers put bytes of their own in front of a PDF, and readers let them.
        const PDF_BEGINS_WITHIN: usize = 1024;
        let starts = |mark: &[u8]| bytes.starts_with(mark);
        let is_image =
            starts(b"\x89PNG\r\n\x1a\n") || starts(b"\xff\xd8\xff") || starts(b"II*\0") || starts(b"MM\0*");
        let head = &bytes[..bytes.len().min(PDF_BEGINS_WITHIN)];
        if is_image {
            Container::Image
        } else if memchr::memmem::find(head, b"%PDF-").is_some() {
            Container::Pdf
        } else if starts(b"\xff\xfe<") || starts(b"\xfe\xff\0<") || first_letter(head) == Some(b'<') {
            Container::Xml
        } else {
            Container::Unknown
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Container::Xml => "xml",
            Container::Pdf => "pdf",
            Container::Image => "image",
            Container::Unknown => "unknown",
        }
    }
}

fn first_letter(head: &[u8]) -> Option<u8> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    head.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// An invoice, who read it, and from how many pages.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) document: InvoiceDocument,
    /// What read it, in words: `xml`, `xml in a pdf`, `tesseract 5.3.0 (eng)`.
    pub(super) reader: String,
    pub(super) pages: Option<usize>,
}

/// A file and what could be read from it.
#[derive(Debug)]
pub(super) struct Kept {
    /// The SHA-256 of the bytes: the document's id in every part.
    pub(super) id: String,
    pub(super) container: Container,
    /// The invoice, or why there is none.
    pub(super) reading: Result<Reading, String>,
    /// The verdict of every rule; none without an invoice.
    pub(super) verdicts: Vec<Verdict>,
}

impl Kept {
    /// Reads the bytes of a file.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let id = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let container = Container::of(bytes);
        let reading = match container {
            _ if bytes.len() as u64 > MOST_BYTES => {
                Err(format!("the file is larger than {} MB", MOST_BYTES >> 20))
            }
            _ if bytes.is_empty() => Err("the file is empty".into()),
            Container::Xml => structured::read(bytes).map(|document| Reading {
                document,
                reader: "xml".into(),
                pages: None,
            }),
            Container::Pdf => pdf::read(bytes),
            Container::Image => ocr::read(&[ocr::Image { page: 1, bytes }]),
            Container::Unknown => Err("the file is no XML, no PDF and no image of a page".into()),
        };
        let verdicts = reading.as_ref().map(|reading| rules::check(&reading.document)).unwrap_or_default();
        Self { id, container, reading, verdicts }
    }
}
