//! The files of the record: their names, their lines, their ends.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The longest line: a text and parameters of 64 KiB each, six bytes for each of theirs, and room.
/// What is longer was not written by a hub and is handed out in pieces.
const MAX_LINE_BYTES: u64 = 4 << 20;

/// How much is read at once.
const BLOCK_BYTES: usize = 1 << 20;

/// How much of the end of a file is looked at first for its last line.
const TAIL_BYTES: u64 = 16 << 10;

/// A file of the record.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// The number of its first line, by its name.
    pub(super) first: u64,
    pub(super) path: PathBuf,
    /// Its length when it was listed.
    pub(super) len: u64,
}

/// The name of the file whose first line is `first`.
pub(super) fn name(first: u64) -> String {
    format!("{first:020}.log")
}

/// The files in `folder`, in order; none when there is no folder.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry?;
        let file = entry.file_name();
        let first = file.to_str().and_then(|file| file.strip_suffix(".log")?.parse().ok());
        if let Some(first) = first.filter(|first| file.to_str() == Some(&name(*first))) {
            segments.push(Segment { first, path: entry.path(), len: entry.metadata()?.len() });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// The same at a moment when nobody writes, so that every file ends with a whole line unless its
/// writer died. A folder without the lock, such as a copy, has no writers.
pub(super) fn list_quietly(folder: &Path) -> io::Result<Vec<Segment>> {
    let lock = File::open(folder.join(LOCK)).ok();
    if let Some(lock) = &lock {
        lock.lock_shared()?;
    }
    // The lock ends with its file.
    list(folder)
}

/// The file that whoever appends locks.
pub(super) const LOCK: &str = "lock";

/// The lines of a part of a file.
#[derive(Debug)]
pub(super) struct Lines {
    reader: BufReader<Take<File>>,
    line: Vec<u8>,
}

/// A line without its end, or what comes after the last whole one.
pub(super) struct Raw<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) is_whole: bool,
}

impl Lines {
    /// The lines between two offsets.
    pub(super) fn open(path: &Path, from: u64, to: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let part = file.take(to.saturating_sub(from));
        Ok(Self { reader: BufReader::with_capacity(BLOCK_BYTES, part), line: Vec::new() })
    }

    /// The next line, until there is none.
    pub(super) fn next(&mut self) -> io::Result<Option<Raw<'_>>> {
        self.line.clear();
        let read = self.reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line)?;
        Ok((read > 0).then(|| match self.line.strip_suffix(b"\n") {
            Some(bytes) => Raw { bytes, is_whole: true },
            None => Raw { bytes: &self.line, is_whole: false },
        }))
    }
}

/// The end of a file.
pub(super) struct Tail {
    /// The last whole line, without its end; `None` in a file without lines.
    pub(super) line: Option<Vec<u8>>,
    /// The offset behind it.
    pub(super) whole: u64,
}

/// The end of the first `len` bytes of a file.
pub(super) fn tail(file: &File, len: u64) -> io::Result<Tail> {
    let mut size = TAIL_BYTES;
    loop {
        let from = len.saturating_sub(size);
        let mut bytes = vec![0; usize::try_from(len - from).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, from)?;
        let end = memchr::memrchr(b'\n', &bytes);
        let start = end.and_then(|end| memchr::memrchr(b'\n', &bytes[..end]));
        match (start, end) {
            (Some(start), Some(end)) => {
                return Ok(Tail { line: Some(bytes[start + 1..end].to_vec()), whole: from + end as u64 + 1 });
            }
            (None, Some(end)) if from == 0 => {
                return Ok(Tail { line: Some(bytes[..end].to_vec()), whole: end as u64 + 1 });
            }
            (None, None) if from == 0 => return Ok(Tail { line: None, whole: 0 }),
            _ => size *= 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name(7));
        let long = "x".repeat(100_000);
        for (text, line, whole) in [
            ("", None, 0),
            ("torn", None, 0),
            ("a\n", Some("a"), 2),
            ("a\nb\ntorn", Some("b"), 4),
            (&format!("a\n{long}\n"), Some(long.as_str()), 100_003),
            (&format!("a\nb\n{long}"), Some("b"), 4),
            (&long, None, 0),
        ] {
            fs::write(&path, text).unwrap();
            let tail = tail(&File::open(&path).unwrap(), text.len() as u64).unwrap();
            assert_eq!((tail.line.as_deref(), tail.whole), (line.map(str::as_bytes), whole));
        }
        for other in ["7.log", "lock", "0000000000000000000x.log", "00000000000000000007.log.bak"] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        assert_eq!(list(folder.path()).unwrap().iter().map(|s| s.first).collect::<Vec<_>>(), [7]);
        assert!(list_quietly(&folder.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn a_line_without_an_end_comes_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name(1));
        fs::write(&path, [vec![b'x'; MAX_LINE_BYTES as usize + 1], b"\ny".to_vec()].concat()).unwrap();
        let mut lines = Lines::open(&path, 0, u64::MAX).unwrap();
        let mut seen = Vec::new();
        while let Some(raw) = lines.next().unwrap() {
            seen.push((raw.bytes.len() as u64, raw.is_whole));
        }
        assert_eq!(seen, [(MAX_LINE_BYTES, false), (1, true), (1, false)]);
    }
}
