//! Files in a folder of this machine.
//!
//! Not read through `object_store`: it cannot name every file that a folder can hold. One name with
//! a line break fails its whole listing, and a name that ends in `#1` is passed over in silence.

use super::names::Names;
use super::{Found, changed, chunks};
use crate::connector::{Bytes, Listed};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use std::fs::{self, DirEntry, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A folder, by its path without links.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let is_folder = |path: PathBuf| match path.is_dir() {
            true => Ok(path),
            false => Err(io::Error::from(ErrorKind::NotADirectory)),
        };
        folder.canonicalize().and_then(is_folder).map(Self).map_err(|error| unreadable(folder, error))
    }

    /// The files that `names` wants, in no particular order.
    pub(super) async fn list(&self, names: &Names) -> Result<Vec<Found>> {
        let (folder, names) = (self.0.clone(), names.clone());
        let listed = tokio::task::spawn_blocking(move || list(&folder, &names));
        listed.await.map_err(|error| Error::internal("listing a folder").because(error))?
    }

    /// The bytes of a file. What is open is compared with what was listed, not its name, which may
    /// have become a link to somewhere else.
    pub(super) async fn read(&self, file: &Listed) -> Result<Bytes> {
        let failed = |error| Error::source("the file could not be read").because(error);
        let opened = match tokio::fs::File::open(self.path(file)?).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(changed()),
            opened => opened.map_err(failed)?,
        };
        if tag(&opened.metadata().await.map_err(failed)?) != file.tag {
            return Err(changed());
        }
        Ok(chunks(opened))
    }

    pub(super) async fn is_as_listed(&self, file: &Listed) -> Result<bool> {
        match tokio::fs::metadata(self.path(file)?).await {
            Ok(metadata) => Ok(tag(&metadata) == file.tag),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::source("the file could not be read").because(error)),
        }
    }

    fn path(&self, file: &Listed) -> Result<PathBuf> {
        match file.name.contains('/') {
            true => Err(Error::internal("a file's name holds a folder")),
            false => Ok(self.0.join(&file.name)),
        }
    }
}

fn unreadable(folder: &Path, error: io::Error) -> Error {
    Error::source("the folder could not be read")
        .hint(format!("see whether '{}' exists and can be read", folder.display()))
        .because(error)
}

fn list(folder: &Path, names: &Names) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let entry = entry.map_err(|error| unreadable(folder, error))?;
        let name = entry.file_name();
        if !names.wants(&name.to_string_lossy()) {
            continue;
        }
        let name = name.into_string().map_err(|name| {
            Error::contract(format!("the name of file {name:?} is not UTF-8")).hint("rename the file")
        })?;
        match find(folder, &entry, name.clone()) {
            Ok(file) => found.extend(file?),
            // It has gone since the folder was read.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Error::source(format!("file {name:?} could not be read")).because(error));
            }
        }
    }
    Ok(found)
}

/// The file behind an entry; `None` for what is no file.
fn find(folder: &Path, entry: &DirEntry, name: String) -> io::Result<Result<Option<Found>>> {
    let mut path = entry.path();
    if entry.file_type()?.is_symlink() {
        path = match path.canonicalize() {
            Ok(target) if target.starts_with(folder) => target,
            // Whoever may write here could otherwise have the hub read whatever it can read, and
            // land it as this force's.
            Ok(_) => {
                return Ok(Err(Error::source(format!(
                    "file {name:?} is a link that leads out of the folder"
                ))
                .hint("put the file itself there")));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Ok(Some(Found { name, size: 0, tag: String::new(), changed: None })));
            }
            Err(error) => return Err(error),
        };
    }
    let metadata = fs::symlink_metadata(path)?;
    let found = metadata.is_file().then(|| Found {
        name,
        size: metadata.len(),
        tag: tag(&metadata),
        changed: Some(last_change(&metadata)),
    });
    Ok(Ok(found))
}

/// The time of the last change counts beside that of the last write, because programs that copy
/// files set the latter to what it was elsewhere; nobody can set the former.
fn last_change(metadata: &Metadata) -> DateTime<Utc> {
    let written = (metadata.mtime(), metadata.mtime_nsec());
    let (secs, nanos) = written.max((metadata.ctime(), metadata.ctime_nsec()));
    DateTime::from_timestamp(secs, nanos as u32).unwrap_or(DateTime::UNIX_EPOCH)
}

fn tag(metadata: &Metadata) -> String {
    format!(
        "{:x}-{:x}-{}.{:09}-{}.{:09}",
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec()
    )
}
