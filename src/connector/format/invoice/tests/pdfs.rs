//! Small PDFs, made on the spot.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use lopdf::encryption::crypt_filters::{Aes256CryptFilter, CryptFilter};
use lopdf::{
    Dictionary, Document, EncryptionState, EncryptionVersion, Object, Permissions, Stream, dictionary,
};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// A PDF with one page for each content, which may use `resources`.
fn document(contents: Vec<Stream>, resources: impl Fn(&mut Document, usize) -> Dictionary) -> Document {
    let mut document = Document::with_version("1.7");
    let pages = document.new_object_id();
    let mut kids = Vec::new();
    for (nth, content) in contents.into_iter().enumerate() {
        let content = document.add_object(content);
        let resources = resources(&mut document, nth);
        let page = dictionary! {
            "Type" => "Page",
            "Parent" => pages,
            "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
            "Contents" => content,
            "Resources" => resources,
        };
        kids.push(Object::Reference(document.add_object(page)));
    }
    let count = kids.len() as i64;
    document
        .objects
        .insert(pages, dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count }.into());
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages });
    document.trailer.set("Root", catalog);
    document
}

fn saved(mut document: Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

fn stream(content: impl Into<Vec<u8>>) -> Stream {
    Stream::new(Dictionary::new(), content.into())
}

fn text(text: &str) -> Document {
    let content = stream(format!("BT /F1 10 Tf 1 0 0 1 50 700 Tm ({text}) Tj ET"));
    document(vec![content], |_, _| {
        let font = dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => "WinAnsiEncoding" };
        dictionary! { "Font" => dictionary! { "F1" => font } }
    })
}

/// One line of text on a page.
pub(super) fn of_text(line: &str) -> Vec<u8> {
    saved(text(line))
}

/// A page for each JPEG of 1654 by 2339 dots, as a scanner makes them.
pub(super) fn scanned(images: &[Vec<u8>]) -> Vec<u8> {
    let contents = images.iter().map(|_| stream("q 595 0 0 842 0 0 cm /Im Do Q")).collect();
    saved(document(contents, |document, nth| {
        let image = dictionary! {
            "Type" => "XObject", "Subtype" => "Image", "Width" => 1654, "Height" => 2339,
            "ColorSpace" => "DeviceRGB", "BitsPerComponent" => 8, "Filter" => "DCTDecode",
        };
        let image = document.add_object(Stream::new(image, images[nth].clone()).with_compression(false));
        dictionary! { "XObject" => dictionary! { "Im" => image } }
    }))
}

/// A drawing that draws itself.
pub(super) fn calling_itself() -> Vec<u8> {
    saved(document(vec![stream("/Fm Do")], |document, _| {
        let id = document.new_object_id();
        let resources = dictionary! { "XObject" => dictionary! { "Fm" => id } };
        let form = dictionary! { "Type" => "XObject", "Subtype" => "Form", "Resources" => resources.clone() };
        document.objects.insert(id, Stream::new(form, b"/Fm Do".to_vec()).into());
        resources
    }))
}

/// A few kilobytes that unpack to 100 MB.
pub(super) fn bomb() -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    (0..100).for_each(|_| packed.write_all(&vec![b' '; 1 << 20]).unwrap());
    let packed = Stream::new(dictionary! { "Filter" => "FlateDecode" }, packed.finish().unwrap());
    saved(document(vec![packed], |_, _| Dictionary::new()))
}

/// Text that opens with a password only.
pub(super) fn encrypted() -> Vec<u8> {
    let mut document = text("Invoice No 77");
    let filter: Arc<dyn CryptFilter> = Arc::new(Aes256CryptFilter);
    let state = EncryptionState::try_from(EncryptionVersion::V5 {
        encrypt_metadata: true,
        crypt_filters: BTreeMap::from([(b"StdCF".to_vec(), filter)]),
        file_encryption_key: &[7; 32],
        stream_filter: b"StdCF".to_vec(),
        string_filter: b"StdCF".to_vec(),
        owner_password: "owner",
        user_password: "user",
        permissions: Permissions::all(),
    });
    document.encrypt(&state.unwrap()).unwrap();
    saved(document)
}
