//! What sources that forget have answered: on the disk before anything else happens, and there
//! until it is landed.
//!
//! `files/<force>/<source>/queue/<entity>/` holds an answer in three states, told by its name:
//! `….part` while it arrives, `….json` when all of it is on the disk, and `….kept` when it cannot
//! be read and waits for somebody.

use crate::connector::{Bytes, SourceFile};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::raw::Place;
use crate::landing::keep::kept;
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use fail::fail_point;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;

/// While an answer arrives.
const ARRIVING: &str = "part";
/// When all of it is on the disk.
const WHOLE: &str = "json";
/// When it cannot be read.
const KEPT: &str = "kept";

/// How a name begins: the instant of the arrival.
const ARRIVED: &str = "%Y%m%dT%H%M%S%.6fZ";

/// The answers of one entity that wait. Only one process at a time has those of a source; the lock
/// ends with its process, however that ends.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    _lock: File,
}

/// An answer that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    path: PathBuf,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
}

impl Spool {
    /// The answers of an entity; `None` while another process has those of its source.
    pub fn open(lake: &Lake, place: &Place) -> Result<Option<Self>> {
        let queue = lake.root().join(format!("files/{}/{}/queue", place.force, place.source));
        let folder = queue.join(&place.entity);
        let failed = failed("the spool cannot be opened", &folder);
        fs::create_dir_all(&folder).map_err(&failed)?;
        // The folders themselves must be found again.
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(lake.root())) {
            synced(folder).map_err(&failed)?;
        }
        let lock = File::options().create(true).truncate(false).write(true).open(queue.join(".lock"));
        let lock = lock.map_err(&failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { folder: folder.clone(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The answers that are on the disk and not landed, oldest first.
    pub fn waiting(&self) -> Result<Vec<Spooled>> {
        self.named(WHOLE)
    }

    /// The answers whose arrival was interrupted, oldest first.
    pub fn interrupted(&self) -> Result<Vec<Spooled>> {
        self.named(ARRIVING)
    }

    fn named(&self, state: &str) -> Result<Vec<Spooled>> {
        let failed = failed("the spool cannot be listed", &self.folder);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(&failed)? {
            let path = entry.map_err(&failed)?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let asked_at =
                stem.split_once('-').and_then(|(at, _)| NaiveDateTime::parse_from_str(at, ARRIVED).ok());
            if let Some(asked_at) = asked_at.filter(|_| path.extension().is_some_and(|e| e == state)) {
                found.push(Spooled { path, asked_at: asked_at.and_utc() });
            }
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    /// Writes an answer to the disk while it arrives. Nobody may do anything about it before it is
    /// all there; when it is cut, what has come of it stays.
    pub async fn receive(&self, mut bytes: Bytes) -> Result<Spooled> {
        let asked_at = Utc::now();
        let path = self.folder.join(format!(
            "{}-{:08x}.{ARRIVING}",
            asked_at.format(ARRIVED),
            rand::random::<u32>()
        ));
        let failed = failed("the answer cannot be written", &path);
        let mut file = tokio::fs::File::create_new(&path).await.map_err(&failed)?;
        synced(&self.folder).map_err(&failed)?;
        while let Some(chunk) = bytes.try_next().await? {
            file.write_all(&chunk).await.map_err(&failed)?;
        }
        file.flush().await.map_err(&failed)?;
        fail_point!("queue::before-sync", |_| Err(Error::lake(
            "failpoint: before the answer is on the disk"
        )));
        file.sync_all().await.map_err(&failed)?;
        drop(file);
        let received = self.complete(Spooled { path: path.clone(), asked_at })?;
        fail_point!("queue::after-sync", |_| Err(Error::lake("failpoint: after the answer is on the disk")));
        Ok(received)
    }

    /// Declares an answer whole.
    pub fn complete(&self, spooled: Spooled) -> Result<Spooled> {
        let failed = failed("the answer cannot be kept", &spooled.path);
        File::open(&spooled.path).and_then(|file| file.sync_all()).map_err(failed)?;
        self.moved(spooled, WHOLE)
    }

    /// Lays an answer aside that cannot be read; it stays for somebody to look at.
    pub fn set_aside(&self, spooled: Spooled) -> Result<Spooled> {
        self.moved(spooled, KEPT)
    }

    fn moved(&self, spooled: Spooled, state: &str) -> Result<Spooled> {
        let path = spooled.path.with_extension(state);
        let moved = fs::rename(&spooled.path, &path).and_then(|()| synced(&self.folder));
        moved.map_err(failed("the answer cannot be named", &path))?;
        Ok(Spooled { path, ..spooled })
    }

    /// The answer as a file like any other that was received, in the lake for good.
    pub fn file(&self, lake: &Lake, place: &Place, spooled: &Spooled) -> Result<SourceFile> {
        let failed = failed("the answer cannot be kept", &spooled.path);
        let sha256 = hashed(&spooled.path).map_err(&failed)?;
        let path = kept(lake, place, &sha256);
        match fs::hard_link(&spooled.path, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked.map_err(&failed)?,
        }
        synced(path.parent().unwrap_or(lake.root())).map_err(&failed)?;
        let tag = spooled.asked_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        Ok(SourceFile { name: spooled.name(), tag, sha256, path })
    }

    /// Forgets an answer that is landed.
    pub fn done(&self, spooled: Spooled) -> Result<()> {
        let removed = fs::remove_file(&spooled.path).and_then(|()| synced(&self.folder));
        removed.map_err(failed("the answer cannot be removed from the spool", &spooled.path))
    }
}

impl Spooled {
    /// Its name, which no other answer has.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Puts the names in a folder on the disk.
fn synced(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn hashed(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hash.update(&buffer[..read]),
        }
    }
}

fn failed<'p>(message: &'static str, path: &'p Path) -> impl Fn(io::Error) -> Error + use<'p> {
    move |error| Error::lake(message).at(path.display()).because(error)
}
