//! Appends to the record, under a lock that all processes share.

use super::chain::{Head, Line};
use super::entry::Event;
use super::segment::{self, LOCK, Lines, Segment};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The files hold what people asked for: they are their owner's only.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The end of the record as this process knows it. Other processes may append meanwhile.
#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    /// A file of at least so many bytes is not continued.
    segment_bytes: u64,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    lock: File,
    end: End,
}

/// The last file, up to its last whole line.
#[derive(Debug)]
struct End {
    file: File,
    path: PathBuf,
    /// Device and inode: what was put in the file's place is another file.
    id: (u64, u64),
    len: u64,
    head: Head,
}

impl Writer {
    /// A writer for the record in `folder`; touches nothing yet.
    pub(super) fn new(folder: PathBuf, segment_bytes: u64) -> Self {
        Self { folder, segment_bytes, open: None }
    }

    /// Waits until nobody else writes, and goes to the end of what has been written.
    pub(super) fn lock(&mut self) -> io::Result<Locked<'_>> {
        let open = match self.open.take() {
            Some(open) => {
                open.lock.lock()?;
                open
            }
            None => self.first()?,
        };
        let open = self.open.insert(open);
        let mut locked = Locked { lock: &open.lock, end: &mut open.end };
        locked.catch_up()?;
        while locked.end.len >= self.segment_bytes {
            *locked.end = locked.end.next()?;
            locked.catch_up()?;
        }
        Ok(locked)
    }

    /// Makes what is missing, locks it and finds the end.
    fn first(&self) -> io::Result<Open> {
        if !self.folder.is_dir() {
            DirBuilder::new().mode(FOLDER_MODE).recursive(true).create(&self.folder)?;
            self.folder.parent().map_or(Ok(()), durable)?;
        }
        let lock = appending(&self.folder.join(LOCK))?;
        lock.lock()?;
        let segments = segment::list(&self.folder)?;
        let end = match segments.split_last() {
            None => End::open(self.folder.join(segment::name(1)), Head::START)?,
            Some((last, before)) => End::find(last, before)?,
        };
        Ok(Open { lock, end })
    }
}

impl End {
    /// The file at `path`, made when it is missing, from its start; `head` is the line before it.
    fn open(path: PathBuf, head: Head) -> io::Result<Self> {
        let file = appending(&path)?;
        path.parent().map_or(Ok(()), durable)?;
        let metadata = file.metadata()?;
        Ok(Self { file, path, id: (metadata.dev(), metadata.ino()), len: 0, head })
    }

    /// The end of `last`, which may have no whole line yet.
    fn find(last: &Segment, before: &[Segment]) -> io::Result<Self> {
        let mut end = Self::open(last.path.clone(), Head::START)?;
        let tail = segment::tail(&end.file, last.len)?;
        end.len = tail.whole;
        let line = match (tail.line, before.last()) {
            (None, None) => return Ok(end),
            (None, Some(before)) => segment::tail(&File::open(&before.path)?, before.len)?.line,
            (line, _) => line,
        };
        let line = line.as_deref().and_then(Line::read);
        end.head = line.ok_or_else(|| unfit(&end.path, "its last line was changed or lost"))?.head;
        Ok(end)
    }

    /// The file that follows, which another process may have begun.
    fn next(&self) -> io::Result<Self> {
        Self::open(self.path.with_file_name(segment::name(self.head.seq + 1)), self.head)
    }
}

/// The end of the record while nobody else can append.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    lock: &'a File,
    end: &'a mut End,
}

impl Locked<'_> {
    /// The last line.
    pub(super) fn head(&self) -> Head {
        self.end.head
    }

    /// Appends a line for each of `events`: all of them, or none.
    pub(super) fn append<'e>(&mut self, events: impl IntoIterator<Item = &'e str>) -> io::Result<()> {
        self.write(events, |_| Ok(()))
    }

    /// The same, and they survive whatever happens to this machine.
    pub(super) fn append_durably<'e>(&mut self, events: impl IntoIterator<Item = &'e str>) -> io::Result<()> {
        self.write(events, File::sync_data)
    }

    fn write<'e>(
        &mut self,
        events: impl IntoIterator<Item = &'e str>,
        settle: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut text = Vec::new();
        let head = events.into_iter().fold(self.end.head, |head, event| head.append(event, &mut text));
        let written = self.end.file.write_all(&text).and_then(|()| settle(&self.end.file));
        match written {
            Ok(()) => {
                self.end.len += text.len() as u64;
                self.end.head = head;
                Ok(())
            }
            Err(error) => {
                // If even this fails, what is left of the lines is found when the lock is next taken.
                self.end.file.set_len(self.end.len).ok();
                Err(error)
            }
        }
    }

    /// Goes over what others have appended since, and removes what a process that died has left
    /// of a line.
    fn catch_up(&mut self) -> io::Result<()> {
        let end = &mut *self.end;
        let now = fs::metadata(&end.path)?;
        if (now.dev(), now.ino()) != end.id || now.len() < end.len {
            return Err(unfit(&end.path, "it was replaced or cut off"));
        }
        if now.len() == end.len {
            return Ok(());
        }
        let mut lines = Lines::open(&end.path, end.len, now.len())?;
        while let Some(raw) = lines.next()? {
            let behind = end.len + raw.bytes.len() as u64;
            match Line::read(raw.bytes) {
                Some(line) if raw.is_whole && end.head.precedes(&line) => {
                    end.head = line.head;
                    end.len = behind + 1;
                }
                _ if !raw.is_whole && behind == now.len() => break,
                _ => return Err(unfit(&end.path, "it was appended to by something that is not a hub")),
            }
        }
        if now.len() > end.len {
            let torn = now.len() - end.len;
            end.file.set_len(end.len)?;
            tracing::warn!(file = %end.path.display(), bytes = torn, "removed what a process that died has left");
            let healed = Event::healed(torn).json().map_err(io::Error::other)?;
            self.append([healed.as_str()])?;
        }
        Ok(())
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // It ends with the file in any case; a failure here can only delay others.
        self.lock.unlock().ok();
    }
}

fn appending(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(path)
}

/// Makes the names in a folder durable.
fn durable(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn unfit(path: &Path, why: &str) -> io::Error {
    let name = path.file_name().unwrap_or_default().display();
    io::Error::other(format!("\"{name}\" is not as it was left: {why}; `muster audit verify` says more"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verify::verify;

    const EVENT: &str = r#"{"kind":"healed","at":1,"bytes":0}"#;

    fn sound(folder: &Path) -> u64 {
        let report = verify(folder, &[]).unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        report.entries
    }

    #[test]
    fn two_writers_take_turns_over_many_files() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("lake/audit");
        let mut writers = [Writer::new(folder.clone(), 500), Writer::new(folder.clone(), 500)];
        for turn in 0..60 {
            let mut locked = writers[turn % 3 % 2].lock().unwrap();
            locked.append([EVENT, EVENT]).unwrap();
            assert_eq!(locked.head().seq, 2 * turn as u64 + 2);
        }
        assert_eq!(sound(&folder), 120);
        assert!(segment::list(&folder).unwrap().len() > 10);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(segment::name(1)))), (0o700, 0o600));
    }

    #[test]
    fn a_torn_line_is_healed_by_whoever_comes_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(segment::name(1));
        let mut writers = [Writer::new(dir.path().into(), 1 << 20), Writer::new(dir.path().into(), 1 << 20)];
        for (round, at) in [0, 1, 0].into_iter().enumerate() {
            // First one that has no line at all, then after lines.
            appending(&path).unwrap().write_all(b"0123").unwrap();
            writers[at].lock().unwrap().append([EVENT]).unwrap();
            assert_eq!(sound(dir.path()), 2 * (round as u64 + 1));
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.matches(r#""bytes":4"#).count(), round + 1);
        }
    }

    #[test]
    fn an_empty_file_is_continued() {
        let dir = tempfile::tempdir().unwrap();
        Writer::new(dir.path().into(), 1).lock().unwrap().append([EVENT]).unwrap();
        fs::write(dir.path().join(segment::name(2)), "").unwrap();
        Writer::new(dir.path().into(), 1).lock().unwrap().append([EVENT]).unwrap();
        assert_eq!(sound(dir.path()), 2);
        assert_eq!(segment::list(dir.path()).unwrap().len(), 2);
    }

    #[test]
    fn what_was_tampered_with_is_not_continued() {
        let line = |text: &str, at: usize| text.lines().nth(at).unwrap().to_string() + "\n";
        type Tamper<'a> = &'a dyn Fn(&Path, &str);
        let tampered: [(&str, Tamper<'_>); 5] = [
            ("replaced or cut off", &|path, text| fs::write(path, line(text, 0)).unwrap()),
            ("replaced or cut off", &|path, text| {
                fs::write(path.with_extension("new"), text).unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
            }),
            ("not a hub", &|path, text| fs::write(path, text.to_string() + &line(text, 1)).unwrap()),
            ("not a hub", &|path, text| fs::write(path, text.to_string() + "hello\n").unwrap()),
            ("No such file", &|path, _| fs::remove_file(path).unwrap()),
        ];
        for (expected, tamper) in tampered {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(segment::name(1));
            let mut writer = Writer::new(dir.path().into(), 1 << 20);
            writer.lock().unwrap().append([EVENT, EVENT]).unwrap();
            tamper(&path, &fs::read_to_string(&path).unwrap());
            for _ in 0..2 {
                let error = writer.lock().unwrap_err().to_string();
                assert!(error.contains(expected), "{expected}: {error}");
            }
        }
    }
}
