//! The words of a PDF's text, with their places.

use crate::connector::format::invoice::page::Word;
use pdf_extract::{Document, MediaBox, Object, OutputDev, OutputError, Transform, output_doc_page};
use std::time::{Duration, Instant};

/// The longest that letters are collected, and the most of them.
const LONGEST: Duration = Duration::from_secs(30);
const MOST_LETTERS: usize = 2_000_000;

/// A wider gap than this share of the letters' size parts two words.
const WORD_GAP: f64 = 0.22;

/// The words of all pages. What cannot be read of one page does not hide the others.
pub(super) fn words(bytes: &[u8]) -> Result<Vec<Word>, String> {
    let mut document = Document::load_mem(bytes).map_err(|error| format!("the PDF is damaged: {error}"))?;
    empty_images(&mut document);
    let mut letters = Letters { end: Instant::now() + LONGEST, page: 0, height: 0.0, all: Vec::new() };
    let pages: Vec<u32> = document.get_pages().into_keys().collect();
    for page in pages {
        let of_page = std::panic::AssertUnwindSafe(|| output_doc_page(&document, &mut letters, page));
        // A font that the reader does not know panics; a page without text is no news.
        let _is_read = std::panic::catch_unwind(of_page);
        if letters.is_over() {
            return Err("the PDF has more text than an invoice".into());
        }
    }
    Ok(letters.into_words())
}

/// An image is drawn like a drawing, and the reader would take its pixels for instructions.
fn empty_images(document: &mut Document) {
    for object in document.objects.values_mut() {
        let Object::Stream(stream) = object else { continue };
        let subtype = stream.dict.get(b"Subtype").and_then(Object::as_name);
        if subtype.is_ok_and(|subtype| subtype == b"Image") {
            stream.content.clear();
            stream.dict.remove(b"Filter");
        }
    }
}

/// A letter, or what a font draws at once.
struct Letter {
    page: usize,
    left: f64,
    right: f64,
    base: f64,
    size: f64,
    text: String,
}

/// Collects the letters in the order in which they are drawn.
struct Letters {
    end: Instant,
    page: usize,
    height: f64,
    all: Vec<Letter>,
}

impl Letters {
    fn is_over(&self) -> bool {
        self.all.len() >= MOST_LETTERS || Instant::now() > self.end
    }

    fn into_words(self) -> Vec<Word> {
        let mut letters = self.all;
        let is_same_line =
            |a: &Letter, b: &Letter| a.page == b.page && (a.base - b.base).abs() < 0.3 * a.size.max(b.size);
        letters.sort_by(|a, b| a.page.cmp(&b.page).then(a.base.total_cmp(&b.base)));
        let mut words: Vec<Word> = Vec::new();
        for line in letters.chunk_by_mut(is_same_line) {
            line.sort_by(|a, b| a.left.total_cmp(&b.left));
            let mut open = false;
            for letter in line {
                if letter.text.trim().is_empty() {
                    open = false;
                    continue;
                }
                match words.last_mut() {
                    Some(word) if open && letter.left - word.right < WORD_GAP * letter.size => {
                        word.text.push_str(&letter.text);
                        word.right = word.right.max(letter.right);
                    }
                    _ => words.push(Word {
                        page: letter.page,
                        left: letter.left,
                        right: letter.right,
                        base: letter.base,
                        size: letter.size,
                        text: letter.text.clone(),
                        confidence: 1.0,
                    }),
                }
                open = true;
            }
        }
        words
    }
}

impl OutputDev for Letters {
    fn begin_page(
        &mut self,
        page: u32,
        media: &MediaBox,
        _art: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        (self.page, self.height) = (page as usize, media.ury);
        Ok(())
    }

    fn output_character(
        &mut self,
        at: &Transform,
        width: f64,
        _spacing: f64,
        size: f64,
        text: &str,
    ) -> Result<(), OutputError> {
        if self.is_over() {
            return Err(OutputError::FormatError(std::fmt::Error));
        }
        let (across, up) = (at.m11.hypot(at.m12) * size, at.m21.hypot(at.m22) * size);
        let is_placed = [at.m31, at.m32, across, up].into_iter().all(f64::is_finite);
        if is_placed && up > 0.0 {
            let right = at.m31 + width.max(0.0) * across;
            self.all.push(Letter {
                page: self.page,
                left: at.m31,
                right,
                base: self.height - at.m32,
                size: up,
                text: text.into(),
            });
        }
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}
