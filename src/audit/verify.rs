//! Finds what was edited, deleted, moved or cut off, without reading what the lines say.

use super::chain::{Hash, Head, Line};
use super::entry::Event;
use super::segment::{self, Lines, Raw, Segment};
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many lines there are.
    pub entries: u64,
    /// How many files.
    pub files: usize,
    /// When the first and the last line were written: microseconds since 1970, UTC.
    pub period: Option<(i64, i64)>,
    /// The last line; `None` without lines.
    pub head: Option<Head>,
    /// How many of the given heads are in the record.
    pub heads: usize,
    /// What a process that died, or one that is writing now, has left of a line: nobody waited for it.
    pub unfinished_bytes: u64,
    /// What is wrong, in the order of the record; none: the record is whole.
    pub problems: Vec<Problem>,
}

/// Something that nobody could have done by using the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// In the lines.
    Lines {
        /// The name of the file.
        file: String,
        /// The first line of the file that is not as it should be, from 1.
        line: u64,
        /// The last one of those that follow one another.
        last: u64,
        /// What is wrong with them.
        wrong: Wrong,
    },
    /// The file could not be read, or not to its end.
    Unreadable {
        /// Its name.
        file: String,
        /// What the system says.
        why: String,
    },
    /// A head that somebody kept lies behind the last line.
    CutOff {
        /// The head.
        head: Head,
        /// The last line of the record.
        end: u64,
    },
    /// A head that somebody kept has another hash than the line of its number, or there is no such
    /// line: it or one before it is not what it was.
    Rewritten {
        /// The head.
        head: Head,
    },
}

/// What is wrong with lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The content and the hash do not belong together, or what is there is no line.
    Edited,
    /// Some are missing before them.
    Missing {
        /// The number of the first one.
        first: u64,
        /// The number of the last one.
        last: u64,
    },
    /// They are not where they were written, or are there twice.
    OutOfOrder,
}

/// The place, what is wrong there, on one line.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Lines { file, line, last, wrong } => {
                match line == last {
                    true => write!(f, "{file} line {line}: ")?,
                    false => write!(f, "{file} lines {line} to {last}: ")?,
                }
                match wrong {
                    Wrong::Edited => f.write_str("edited"),
                    Wrong::OutOfOrder => f.write_str("out of order, or there twice"),
                    Wrong::Missing { first, last } if first == last => {
                        write!(f, "entry {first} is missing before it")
                    }
                    Wrong::Missing { first, last } => {
                        write!(f, "entries {first} to {last} are missing before it")
                    }
                }
            }
            Problem::Unreadable { file, why } => write!(f, "{file}: cannot be read: {why}"),
            Problem::CutOff { head, end } => {
                write!(f, "head {head}: the record ends at entry {end}; the entries after it were cut off")
            }
            Problem::Rewritten { head } => {
                write!(f, "head {head}: not in the record; entry {} or one before it was rewritten", head.seq)
            }
        }
    }
}

/// Verifies the record in `folder`, and that it holds each of `heads`. Reads the files side by
/// side, one to a processor. Blocks.
pub fn verify(folder: &Path, heads: &[Head]) -> Result<Report> {
    let unreadable =
        |e: io::Error| Error::lake("the record of reads cannot be read").at(folder.display()).because(e);
    let segments = segment::list_quietly(folder).map_err(unreadable)?;
    let mut wanted: HashMap<u64, Vec<Hash>> = HashMap::new();
    for head in heads {
        wanted.entry(head.seq).or_default().push(head.hash);
    }
    let mut report = Report {
        entries: 0,
        files: segments.len(),
        period: period(&segments).ok().flatten(),
        head: None,
        heads: 0,
        unfinished_bytes: 0,
        problems: Vec::new(),
    };
    let mut found = HashSet::new();
    for scan in scans(&segments, &wanted) {
        report.entries += scan.lines;
        report.problems.extend(scan.problems);
        report.unfinished_bytes += scan.unfinished;
        report.head = scan.last.or(report.head);
        found.extend(scan.found);
    }
    let end = report.head.map_or(0, |head| head.seq);
    for head in heads {
        match (found.contains(head), head.seq > end) {
            (true, _) => report.heads += 1,
            (false, true) => report.problems.push(Problem::CutOff { head: *head, end }),
            (false, false) => report.problems.push(Problem::Rewritten { head: *head }),
        }
    }
    Ok(report)
}

/// The newest line in `folder`, durable.
pub fn head(folder: &Path) -> Result<Option<Head>> {
    let newest = |segment: &Segment| -> io::Result<Option<Head>> {
        let file = File::open(&segment.path)?;
        let Some(line) = segment::tail(&file, segment.len)?.line else { return Ok(None) };
        let line = Line::read(&line).ok_or_else(|| io::Error::other("its last line was edited"))?;
        // What is kept elsewhere must not be lost here.
        file.sync_data()?;
        Ok(Some(line.head))
    };
    let read = || {
        let segments = segment::list_quietly(folder)?;
        // The newest file may have no line yet.
        segments.iter().rev().find_map(|segment| newest(segment).transpose()).transpose()
    };
    read().map_err(|e| Error::lake("the record of reads cannot be read").at(folder.display()).because(e))
}

/// When the first and the last line were written, if they can be read.
fn period(segments: &[Segment]) -> io::Result<Option<(i64, i64)>> {
    let at = |line: &[u8]| -> Option<i64> {
        Some(serde_json::from_slice::<Event<'_>>(Line::read(line)?.json).ok()?.at())
    };
    let (Some(first), Some(last)) = (segments.first(), segments.iter().rfind(|segment| segment.len > 0))
    else {
        return Ok(None);
    };
    let began = Lines::open(&first.path, 0, first.len)?.next()?.and_then(|raw| at(raw.bytes));
    let ended = segment::tail(&File::open(&last.path)?, last.len)?.line.and_then(|line| at(&line));
    Ok(began.zip(ended))
}

/// Scans every file, side by side; what was found in each.
fn scans<'a>(segments: &'a [Segment], wanted: &'a HashMap<u64, Vec<Hash>>) -> Vec<Scan<'a>> {
    let left = Mutex::new(segments.iter().enumerate());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut done = Vec::new();
        while let Some((at, segment)) = next() {
            let before = at.checked_sub(1).and_then(|before| segments.get(before));
            done.push((at, Scan::whole(segment, before, at + 1 == segments.len(), wanted)));
        }
        done
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(segments.len());
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // A panic must not pass for a file in which nothing is wrong.
        let joined =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.flatten().collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, scan)| scan).collect()
}

/// One file on the way through it.
struct Scan<'a> {
    file: String,
    wanted: &'a HashMap<u64, Vec<Hash>>,
    /// The line before, as it says itself.
    before: Head,
    /// Its hash as it should be: a hash that was edited spoils its own line only.
    computed: Hash,
    /// The highest number so far.
    newest: u64,
    lines: u64,
    last: Option<Head>,
    unfinished: u64,
    found: Vec<Head>,
    problems: Vec<Problem>,
}

impl<'a> Scan<'a> {
    fn whole(
        segment: &Segment,
        before: Option<&Segment>,
        is_last: bool,
        wanted: &'a HashMap<u64, Vec<Hash>>,
    ) -> Self {
        let file = segment::name(segment.first);
        let mut scan = Self {
            file,
            wanted,
            before: Head::START,
            computed: Head::START.hash,
            newest: 0,
            lines: 0,
            last: None,
            unfinished: 0,
            found: Vec::new(),
            problems: Vec::new(),
        };
        if let Err(error) = scan.read(segment, before, is_last) {
            scan.problems.push(Problem::Unreadable { file: scan.file.clone(), why: error.to_string() });
        }
        scan
    }

    fn read(&mut self, segment: &Segment, before: Option<&Segment>, is_last: bool) -> io::Result<()> {
        if let Some(before) = before {
            let line = segment::tail(&File::open(&before.path)?, before.len)?.line;
            // Without one, what is missing counts from the name of this file.
            let head = line.as_deref().and_then(Line::read).map(|line| line.head);
            self.before = head.unwrap_or(Head { seq: segment.first.saturating_sub(1), ..Head::START });
            (self.computed, self.newest) = (self.before.hash, self.before.seq);
        }
        let (mut lines, mut read) = (Lines::open(&segment.path, 0, segment.len)?, 0);
        while let Some(raw) = lines.next()? {
            read += raw.bytes.len() as u64 + u64::from(raw.is_whole);
            if !raw.is_whole && is_last && read == segment.len {
                self.unfinished = raw.bytes.len() as u64;
                break;
            }
            self.check(&raw);
        }
        Ok(())
    }

    fn check(&mut self, raw: &Raw<'_>) {
        self.lines += 1;
        let Some(line) = Line::read(raw.bytes).filter(|_| raw.is_whole) else {
            return self.note(Wrong::Edited);
        };
        let by_before = self.before.hash.next(line.json);
        let is_right = by_before == line.head.hash
            || (self.computed != self.before.hash && self.computed.next(line.json) == line.head.hash);
        let expected = self.newest.saturating_add(1);
        match line.head.seq {
            seq if seq < expected => self.note(Wrong::OutOfOrder),
            seq if seq > expected => self.note(Wrong::Missing { first: expected, last: seq - 1 }),
            _ if !is_right => self.note(Wrong::Edited),
            _ => {}
        }
        if self.wanted.get(&line.head.seq).is_some_and(|hashes| hashes.contains(&line.head.hash)) {
            self.found.push(line.head);
        }
        self.newest = self.newest.max(line.head.seq);
        self.computed = by_before;
        self.before = line.head;
        self.last = Some(line.head);
    }

    /// Notes what is wrong with the present line; lines in a row are one problem.
    fn note(&mut self, now: Wrong) {
        let at = self.lines;
        match self.problems.last_mut() {
            Some(Problem::Lines { last, wrong, .. }) if *last + 1 == at => {
                *last = at;
                if now == Wrong::OutOfOrder {
                    *wrong = now;
                }
            }
            _ => {
                self.problems.push(Problem::Lines { file: self.file.clone(), line: at, last: at, wrong: now })
            }
        }
    }
}
