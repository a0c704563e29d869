//! Scanned pages through Tesseract, where it is installed: what it sees is words with places and
//! confidences, and from there a page is a page.

use super::document::Syntax;
use super::kept::Reading;
use super::page::{Word, located};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const PROGRAM: &str = "tesseract";

/// The languages of the label rules, as Tesseract calls them.
const LANGUAGES: [&str; 2] = ["eng", "deu"];

/// The longest that a page may take, and the most pages of one document.
const LONGEST: Duration = Duration::from_secs(120);
const MOST_PAGES: usize = 20;

/// The most that is taken of what Tesseract says.
const MOST_ANSWER: u64 = 32 << 20;

/// The image of a page, in any file that Leptonica opens: PNG, JPEG, TIFF, PNM.
pub(super) struct Image<'a> {
    pub(super) page: usize,
    pub(super) bytes: &'a [u8],
}

/// An installed Tesseract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tesseract {
    /// Such as `5.3.0`.
    pub(super) version: String,
    /// Those of [`LANGUAGES`] that it knows; never empty.
    pub(super) languages: Vec<&'static str>,
}

static INSTALLED: LazyLock<Result<Tesseract, String>> = LazyLock::new(detect);

/// The Tesseract of this machine, or what is missing. Looked for once.
pub(super) fn installed() -> Result<&'static Tesseract, String> {
    INSTALLED.as_ref().map_err(Clone::clone)
}

fn detect() -> Result<Tesseract, String> {
    let said = |argument: &str| {
        let output = Command::new(PROGRAM).arg(argument).stdin(Stdio::null()).output();
        let output = output
            .map_err(|_| format!("pages are read by {PROGRAM}, which is not installed on this machine"))?;
        // Older releases answer on the other channel.
        Ok::<_, String>(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let version = said("--version")?;
    let version = version.split_whitespace().nth(1).unwrap_or("of unknown version").to_string();
    let known = said("--list-langs")?;
    let languages: Vec<_> =
        LANGUAGES.into_iter().filter(|name| known.lines().any(|line| line.trim() == *name)).collect();
    match languages.is_empty() {
        true => Err(format!(
            "{PROGRAM} {version} is installed without any of the languages {}",
            LANGUAGES.join(", ")
        )),
        false => Ok(Tesseract { version, languages }),
    }
}

/// Reads an invoice from the images of its pages; `Err` says in words why there is none.
pub(super) fn read(images: &[Image<'_>]) -> Result<Reading, String> {
    let tesseract = installed()?;
    if images.len() > MOST_PAGES {
        return Err(format!("it has {} scanned pages, and at most {MOST_PAGES} are read", images.len()));
    }
    let mut words = Vec::new();
    for image in images {
        words.extend(tesseract.words(image)?);
    }
    let document = located(words, Syntax::Scan)?;
    Ok(Reading { document, reader: tesseract.name(), pages: Some(images.len()) })
}

impl Tesseract {
    /// Such as `tesseract 5.3.0 (eng)`.
    pub(super) fn name(&self) -> String {
        format!("{PROGRAM} {} ({})", self.version, self.languages.join("+"))
    }

    fn words(&self, image: &Image<'_>) -> Result<Vec<Word>, String> {
        let failed = |error: std::io::Error| format!("{PROGRAM} could not be run: {error}");
        // A file of its own: Tesseract reads some formats only from files that it can seek in.
        let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
        file.write_all(image.bytes).map_err(failed)?;
        let languages = self.languages.join("+");
        let arguments = ["stdout", "-l", &languages, "--psm", "6", "tsv"].map(OsString::from);
        let mut child = Command::new(PROGRAM)
            .arg(file.path())
            .args(arguments)
            // One page on one core: the other entities have work too.
            .env("OMP_THREAD_LIMIT", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let answer = child.stdout.take().map(|out| {
            std::thread::spawn(move || {
                let mut text = String::new();
                out.take(MOST_ANSWER).read_to_string(&mut text).map(|_| text)
            })
        });
        let is_done = wait(&mut child).map_err(failed)?;
        let answer = answer.and_then(|answer| answer.join().ok()).transpose().map_err(failed)?;
        match (is_done, answer) {
            (true, Some(answer)) => Ok(parsed(&answer, image.page)),
            _ => Err(format!("{PROGRAM} could not read page {}", image.page)),
        }
    }
}

/// Whether the program ended well and in time; it is ended otherwise.
#[expect(clippy::disallowed_methods, reason = "a reader's own thread waits for another program")]
fn wait(child: &mut Child) -> std::io::Result<bool> {
    let end = Instant::now() + LONGEST;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The words of Tesseract's table: one row each, with twelve columns, under the row of their line.
fn parsed(table: &str, page: usize) -> Vec<Word> {
    const LINE: &str = "4";
    const WORD: &str = "5";
    let mut words = Vec::new();
    let mut size = 0.0;
    for row in table.lines() {
        let cells: Vec<&str> = row.split('\t').collect();
        let [level, _, _, _, _, _, left, top, width, height, sure, text] = cells[..] else { continue };
        let number = |cell: &str| cell.parse::<f64>().ok().filter(|number| number.is_finite());
        let (Some(left), Some(top), Some(width), Some(height)) =
            (number(left), number(top), number(width), number(height))
        else {
            continue;
        };
        if level == LINE {
            // The box of a word says nothing of its letters' size: "no" is lower than "No".
            size = height;
        }
        if level == WORD && !text.trim().is_empty() {
            words.push(Word {
                page,
                left,
                right: left + width,
                base: top + height,
                size,
                text: text.trim().to_string(),
                confidence: number(sure).unwrap_or_default().clamp(0.0, 100.0) / 100.0,
            });
        }
    }
    words
}
