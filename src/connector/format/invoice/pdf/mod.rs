//! PDFs: the invoice that is attached to one, its text, or the images of its pages.
//!
//! Two crates read a PDF here. `lopdf` opens it first, under limits, and finds attachments and
//! images; what it lets through is given to `pdf-extract`, which knows fonts and has no limits of
//! its own. Both may panic on odd files, so they work on a thread of their own: a panic ends that
//! thread and becomes a reason, and whoever waits for it stops waiting in the end. A process of its
//! own would hold even a stack overflow or a hang; what could cause these is refused beforehand
//! (see [`guard`]), and a process would need a program to start, which a library has not.

mod attached;
mod guard;
mod images;
mod text;

use super::document::Syntax;
use super::kept::Reading;
use super::page::{Word, located};
use super::{ocr, structured};
use lopdf::{Document, LoadOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::Duration;

/// The longest that anybody waits for a PDF. The text of a page takes milliseconds.
const LONGEST: Duration = Duration::from_secs(60);

/// The stack of the thread: what may nest is bounded, but not small.
const STACK_BYTES: usize = 64 << 20;

/// The name of the threads, by which their panics are told apart.
const THREAD: &str = "pdf";

/// Fewer letters than this are no text of an invoice but the stamp of a scanner.
const LEAST_LETTERS: usize = 40;

/// What is in a PDF.
enum Content {
    /// An attached invoice, and how it is called.
    Attached { name: String, xml: Vec<u8>, pages: usize },
    /// Letters.
    Text { words: Vec<Word>, pages: usize },
    /// Ink.
    Images { images: Vec<images::Image>, pages: usize },
}

/// Reads an invoice; `Err` says in words why there is none.
pub(super) fn read(bytes: &[u8]) -> Result<Reading, String> {
    let bytes = bytes.to_vec();
    match isolated(move || content(&bytes))?? {
        Content::Attached { name, xml, pages } => {
            let document = structured::read(&xml).map_err(|reason| format!("{name} in the PDF: {reason}"))?;
            Ok(Reading { document, reader: format!("{name} in a pdf"), pages: Some(pages) })
        }
        Content::Text { words, pages } => {
            let document = located(words, Syntax::Text)?;
            Ok(Reading { document, reader: "text of a pdf".into(), pages: Some(pages) })
        }
        Content::Images { images, pages } => {
            let images: Vec<ocr::Image<'_>> = images.iter().map(images::Image::for_ocr).collect();
            let reading = ocr::read(&images).map_err(|reason| format!("the PDF has no text: {reason}"))?;
            Ok(Reading { pages: Some(pages), ..reading })
        }
    }
}

/// The words of a PDF's text, whatever is attached to it.
#[cfg(test)]
pub(super) fn words(bytes: &[u8]) -> Result<Vec<Word>, String> {
    let bytes = bytes.to_vec();
    isolated(move || text::words(&bytes))?
}

fn content(bytes: &[u8]) -> Result<Content, String> {
    let document = open(bytes)?;
    let pages = guard::check(&document)?;
    if let Some((name, xml)) = attached::invoice(&document)? {
        return Ok(Content::Attached { name, xml, pages });
    }
    let words = text::words(bytes)?;
    let letters: usize = words.iter().map(|word| word.text.chars().count()).sum();
    if letters >= LEAST_LETTERS {
        return Ok(Content::Text { words, pages });
    }
    let images = images::of_pages(&document)?;
    match images.is_empty() {
        true => Err("the PDF has neither text nor images of pages".into()),
        false => Ok(Content::Images { images, pages }),
    }
}

fn open(bytes: &[u8]) -> Result<Document, String> {
    let options = LoadOptions::with_max_decompressed_size(guard::MOST_STREAM_BYTES);
    let document = Document::load_mem_with_options(bytes, options);
    let document = document.map_err(|error| match error {
        lopdf::Error::InvalidPassword | lopdf::Error::Decryption(_) => ENCRYPTED.to_string(),
        error => format!("the PDF is damaged: {error}"),
    })?;
    if document.is_encrypted() { Err(ENCRYPTED.into()) } else { Ok(document) }
}

const ENCRYPTED: &str = "the PDF is encrypted and opens with a password only";

/// Does `work` on a thread of its own; `Err` when it panicked or took too long.
fn isolated<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    quieten();
    let (done, wait) = channel();
    let started = Builder::new().name(THREAD.into()).stack_size(STACK_BYTES).spawn(move || {
        // Nobody may be waiting any more.
        done.send(catch_unwind(AssertUnwindSafe(work))).ok();
    });
    started.map_err(|error| format!("no thread could be started to read the PDF: {error}"))?;
    match wait.recv_timeout(LONGEST) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
            Err("the PDF is made in a way that the reader does not know".into())
        }
        Err(RecvTimeoutError::Timeout) => {
            Err(format!("reading the PDF took more than {} s", LONGEST.as_secs()))
        }
    }
}

/// Keeps panics of these threads, which quote what they found, out of the log.
fn quieten() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name() != Some(THREAD) {
                others(panic);
            }
        }));
    });
}
