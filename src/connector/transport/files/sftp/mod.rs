//! Files in a folder of an SFTP server.
//!
//! The third version of the protocol, which everybody speaks, tells of a file its size and the second
//! of its last write, and no more: that is a file's tag. Two writes within a second that leave the
//! size as it was look alike; `settle` keeps such files waiting.

mod hosts;
mod login;

use super::names::Names;
use super::{Found, changed, chunks};
use crate::connector::{Bytes, Listed};
use crate::error::{Error, Result};
use crate::project::{Remote, Source};
use chrono::DateTime;
use login::Connection;
use russh_sftp::client::error::Error as Cause;
use russh_sftp::client::fs::Metadata;
use russh_sftp::client::{Config, SftpSession};
use russh_sftp::protocol::StatusCode;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// A server that has not let the source in by then is down.
const CONNECT: Duration = Duration::from_secs(30);

/// How many parts of a file are asked for ahead. Servers answer with 32 to 256 KB each, so that a
/// large file comes with a megabyte or more for each way to the server and back, and what waits
/// here stays below 8 MB.
const AHEAD: usize = 32;

/// A folder of a server, entered.
#[derive(Clone)]
pub(super) struct Sftp {
    /// Its path without links, as the server names it.
    folder: Arc<str>,
    session: Arc<SftpSession>,
    /// What the session runs on; it ends with the last who holds it.
    _connection: Arc<Connection>,
}

impl fmt::Debug for Sftp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sftp").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What stands behind a name of the folder.
enum Behind {
    File(Found),
    /// Something else, such as a folder.
    Other,
    /// A link that leads out of the folder, or to where the server does not say.
    Outside,
}

/// Enters the server and looks whether the folder is there.
pub(super) async fn open(source: &Source, remote: &Remote) -> Result<Sftp> {
    let limit = CONNECT.min(source.access.idle_timeout);
    match timeout(limit, enter(source, remote)).await {
        Ok(entered) => entered,
        Err(_) => {
            let Remote { host, port, .. } = remote;
            Err(Error::source(format!("the server at {host}:{port} could not be entered")).hint(format!(
                "it did not answer within {}; see whether it runs and can be reached from here",
                humantime::format_duration(limit)
            )))
        }
    }
}

async fn enter(source: &Source, remote: &Remote) -> Result<Sftp> {
    let connection = Box::pin(login::enter(source, remote)).await?;
    let stream = login::subsystem(&connection, remote).await?;
    let config = Config {
        max_concurrent_reads: AHEAD,
        // Whoever reads waits with the source's own limits.
        request_timeout_secs: source.access.timeout.as_secs().max(1),
        ..Config::default()
    };
    let failed = |cause| unreadable(&remote.folder, cause);
    let session = SftpSession::new_with_config(stream, config).await.map_err(failed)?;
    let folder = session.canonicalize(&remote.folder).await.map_err(failed)?;
    if !session.metadata(&folder).await.map_err(failed)?.is_dir() {
        return Err(Error::source("the folder could not be read")
            .hint(format!("'{}' of the server is a file", remote.folder)));
    }
    Ok(Sftp { folder: folder.into(), session: Arc::new(session), _connection: Arc::new(connection) })
}

impl Sftp {
    /// The files that `names` wants, in no particular order.
    pub(super) async fn list(&self, names: &Names) -> Result<Vec<Found>> {
        let listed = self.session.read_dir(&*self.folder).await;
        let entries = listed.map_err(|cause| unreadable(&self.folder, cause))?;
        let mut found = Vec::new();
        for (name, metadata) in entries.map(|entry| (entry.file_name(), entry.metadata())) {
            if !names.wants(&name) {
                continue;
            }
            // The library replaces what is not UTF-8, and nothing could be opened by such a name.
            if name.contains(char::REPLACEMENT_CHARACTER) {
                return Err(Error::contract(format!("the name of file {name:?} is not UTF-8"))
                    .hint("rename the file"));
            }
            match self.behind(&name, metadata).await {
                Ok(Behind::File(file)) => found.push(file),
                Ok(Behind::Other) => {}
                // Whoever may write there could otherwise have the hub read whatever the user can
                // read, and land it as this force's.
                Ok(Behind::Outside) => {
                    return Err(Error::source(format!(
                        "file {name:?} is a link that leads out of the folder"
                    ))
                    .hint("put the file itself there"));
                }
                // It has gone since the folder was read.
                Err(cause) if is_missing(&cause) => {}
                Err(cause) => {
                    return Err(Error::source(format!("file {name:?} could not be read")).because(cause));
                }
            }
        }
        Ok(found)
    }

    /// The bytes of a file. What is open is compared with what was listed, and so is what its name
    /// leads to by now.
    pub(super) async fn read(&self, file: &Listed) -> Result<Bytes> {
        let (same, opened) = tokio::join!(self.is_as_listed(file), self.session.open(self.path(&file.name)));
        if !same? {
            return Err(changed());
        }
        let opened = match opened {
            Err(cause) if is_missing(&cause) => return Err(changed()),
            opened => opened.map_err(unread)?,
        };
        match tag(&opened.metadata().await.map_err(unread)?) == file.tag {
            true => Ok(chunks(opened.take(file.size))),
            false => Err(changed()),
        }
    }

    pub(super) async fn is_as_listed(&self, file: &Listed) -> Result<bool> {
        let found = async {
            let metadata = self.session.symlink_metadata(self.path(&file.name)).await?;
            self.behind(&file.name, metadata).await
        };
        match found.await {
            Ok(Behind::File(found)) => Ok(found.tag == file.tag),
            Ok(Behind::Other | Behind::Outside) => Ok(false),
            Err(cause) if is_missing(&cause) => Ok(false),
            Err(cause) => Err(unread(cause)),
        }
    }

    /// What is behind a name of which the server says `metadata`.
    async fn behind(&self, name: &str, mut metadata: Metadata) -> Result<Behind, Cause> {
        let mut path = self.path(name);
        if metadata.file_type().is_other() || tag(&metadata).is_empty() {
            // Servers may leave out of a listing what they say of a file.
            metadata = self.session.symlink_metadata(&path).await?;
        }
        if metadata.file_type().is_symlink() {
            path = self.session.canonicalize(&path).await?;
            if !self.holds(&path) {
                return Ok(Behind::Outside);
            }
            metadata = match self.session.symlink_metadata(&path).await {
                // It leads nowhere yet.
                Err(cause) if is_missing(&cause) => {
                    let name = name.to_string();
                    return Ok(Behind::File(Found { name, size: 0, tag: String::new(), changed: None }));
                }
                metadata => metadata?,
            };
        }
        Ok(match metadata.file_type() {
            kind if kind.is_file() => Behind::File(Found {
                name: name.to_string(),
                size: metadata.len(),
                tag: tag(&metadata),
                changed: metadata.mtime.and_then(|mtime| DateTime::from_timestamp(mtime.into(), 0)),
            }),
            // The server has named the link itself instead of its end.
            kind if kind.is_symlink() => Behind::Outside,
            _ => Behind::Other,
        })
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder.trim_end_matches('/'))
    }

    /// Whether a path without links lies in the folder.
    fn holds(&self, path: &str) -> bool {
        path.strip_prefix(self.folder.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Size and time of the last write; empty when the server says neither.
fn tag(metadata: &Metadata) -> String {
    match (metadata.size, metadata.mtime) {
        (Some(size), Some(mtime)) => format!("{size:x}-{mtime}"),
        _ => String::new(),
    }
}

fn is_missing(cause: &Cause) -> bool {
    matches!(cause, Cause::Status(status) if status.status_code == StatusCode::NoSuchFile)
}

fn unreadable(folder: &str, cause: Cause) -> Error {
    let hint = match &cause {
        Cause::Status(status) if status.status_code == StatusCode::PermissionDenied => {
            format!("the user of the address needs the right to list and read '{folder}'")
        }
        Cause::Status(_) => format!(
            "see whether the server has '{folder}'; the path begins at its root, or with /~/ at the user's home"
        ),
        _ => "the connection was lost".into(),
    };
    Error::source("the folder could not be read").hint(hint).because(cause)
}

fn unread(cause: Cause) -> Error {
    let error = Error::source("the file could not be read");
    match &cause {
        Cause::Status(status) if status.status_code == StatusCode::PermissionDenied => {
            error.hint("the user of the address needs the right to read it")
        }
        Cause::Status(_) => error,
        _ => error.hint("the connection was lost"),
    }
    .because(cause)
}
