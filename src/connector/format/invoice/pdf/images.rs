//! The images of scanned pages, in files that Tesseract opens.

use super::attached::number;
use super::guard::MOST_STREAM_BYTES;
use crate::connector::format::invoice::ocr;
use lopdf::{Document, Object, Stream};

/// Fewer dots than this across or down are a logo, not a page.
const LEAST_DOTS: i64 = 600;

/// The image of a page.
pub(super) struct Image {
    page: usize,
    bytes: Vec<u8>,
}

impl Image {
    pub(super) fn for_ocr(&self) -> ocr::Image<'_> {
        ocr::Image { page: self.page, bytes: &self.bytes }
    }
}

/// The largest image of each page; pages without one are passed over.
pub(super) fn of_pages(document: &Document) -> Result<Vec<Image>, String> {
    let mut images = Vec::new();
    for (page, id) in document.get_pages() {
        let all = document.get_page_images(id).map_err(|error| format!("the PDF is damaged: {error}"))?;
        let large = all.into_iter().filter(|image| image.width >= LEAST_DOTS && image.height >= LEAST_DOTS);
        let Some(largest) = large.max_by_key(|image| image.width.saturating_mul(image.height)) else {
            continue;
        };
        let stream = document.get_object(largest.id).and_then(Object::as_stream);
        let stream = stream.map_err(|error| format!("the PDF is damaged: {error}"))?;
        images.push(Image { page: page as usize, bytes: file(stream)? });
    }
    Ok(images)
}

/// The bytes of an image as a file of its own.
fn file(stream: &Stream) -> Result<Vec<u8>, String> {
    let filters = stream.filters().unwrap_or_default();
    match filters.as_slice() {
        // JPEG and JPEG 2000 are files as they are.
        [b"DCTDecode" | b"JPXDecode"] => Ok(stream.content.clone()),
        [] | [b"FlateDecode" | b"LZWDecode" | b"RunLengthDecode"] => dots(stream),
        [filter, ..] => Err(format!(
            "the image of a page is packed as {}, which is not read",
            String::from_utf8_lossy(filter)
        )),
    }
}

/// Plain dots as a portable any map.
fn dots(stream: &Stream) -> Result<Vec<u8>, String> {
    let of = |key: &[u8]| number(&stream.dict, key).and_then(|number| usize::try_from(number).ok());
    let (Some(width), Some(height)) = (of(b"Width"), of(b"Height")) else {
        return Err("the image of a page has no size".into());
    };
    let bits = of(b"BitsPerComponent").unwrap_or(1);
    let dots = stream
        .get_plain_content_with_limit(MOST_STREAM_BYTES * 2)
        .map_err(|error| format!("the image of a page is damaged: {error}"))?;
    let has = |row: usize| row.checked_mul(height).is_some_and(|bytes| bytes > 0 && bytes <= dots.len());
    let head = match bits {
        8 if has(width * 3) => format!("P6 {width} {height} 255\n"),
        8 if has(width) => format!("P5 {width} {height} 255\n"),
        1 if has(width.div_ceil(8)) => {
            // In a bitmap 1 is black, in a PDF white.
            let inverted = dots.iter().map(|byte| !byte);
            return Ok(format!("P4 {width} {height}\n").into_bytes().into_iter().chain(inverted).collect());
        }
        _ => return Err(format!("the image of a page has {bits} bits a dot in a way that is not read")),
    };
    Ok([head.into_bytes(), dots].concat())
}
