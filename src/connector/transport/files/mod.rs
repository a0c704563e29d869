//! Files in a folder: on this machine, on an SFTP server or in an object store.
//!
//! The folder is listed, files that are still being written are left for later, and the others are
//! offered in the order that their names declare. A file is read only as it was listed: when it
//! turns out to have changed in the meantime, its bytes end with an error and nothing is landed.

mod folder;
mod names;
mod package;
mod settle;
mod sftp;
mod store;
#[cfg(test)]
mod tests;

pub use names::FileOrder;

use crate::connector::contract::{Contract, FileFormat, FileLayout};
use crate::connector::format;
use crate::connector::transport::{place, start};
use crate::connector::{Bytes, Extract, Item, Listed, Offer, SourceFile};
use crate::error::{Error, Result};
use crate::project::{Remote, Source};
use bytes::BytesMut;
use chrono::{DateTime, Utc};
use folder::Folder;
use futures::{StreamExt, TryStreamExt, stream};
use names::Names;
use sftp::Sftp;
use std::path::Path;
use std::time::Duration;
use store::Store;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout};
use url::Url;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// A folder, opened.
#[derive(Debug, Clone)]
pub(in crate::connector) struct Session {
    source: Source,
    keeper: Keeper,
}

/// Whoever keeps the files.
#[derive(Debug, Clone)]
enum Keeper {
    Folder(Folder),
    Sftp(Sftp),
    Store(Store),
}

/// A file that is there.
#[derive(Debug, Clone)]
struct Found {
    name: String,
    size: u64,
    /// See [`Listed::tag`].
    tag: String,
    /// When it was last changed, by the clock of its keeper; `None` for a link that leads nowhere
    /// yet.
    changed: Option<DateTime<Utc>>,
}

/// Opens a local folder.
pub(super) fn open_folder(source: &Source, folder: &Path) -> Result<Session> {
    let keeper = Folder::open(folder).map(Keeper::Folder).map_err(|error| error.at(&source.name))?;
    Ok(Session { source: source.clone(), keeper })
}

/// Opens a folder of an object store. The store itself is not asked anything yet.
pub(super) fn open_store(source: &Source, url: &Url) -> Result<Session> {
    let keeper = store::open(source, url).map(Keeper::Store).map_err(|error| error.at(&source.name))?;
    Ok(Session { source: source.clone(), keeper })
}

/// Enters an SFTP server and opens a folder of it.
pub(super) async fn open_sftp(source: &Source, remote: &Remote) -> Result<Session> {
    let keeper = sftp::open(source, remote).await.map(Keeper::Sftp);
    Ok(Session { source: source.clone(), keeper: keeper.map_err(|error| error.at(&source.name))? })
}

/// Where a file of this name stands among the files of its entity.
pub(super) fn order(contract: &Contract, name: &str) -> Result<FileOrder> {
    match &contract.file {
        Some(layout) => Names::new(layout)?.order(name),
        None => Ok(FileOrder::by_name(name)),
    }
}

impl Session {
    /// The files of the folder (not of folders in it) that match the entity's layout, in order.
    pub(super) async fn offers(&mut self, contract: &Contract) -> Result<Offer> {
        let at = place(&self.source, contract);
        self.offered(layout_of(&self.source, contract)?).await.map_err(|error| error.at(at))
    }

    async fn offered(&self, layout: &FileLayout) -> Result<Offer> {
        let names = Names::new(layout)?;
        let list = || self.in_time(self.keeper.list(&names));
        let (complete, arriving) = settle::parted(list, &names, layout).await?;
        let mut ready = Vec::with_capacity(complete.len());
        for Found { name, size, tag, .. } in complete {
            ready.push((names.order(&name)?, Listed { name, size, tag }));
        }
        ready.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Offer::Files { ready: ready.into_iter().map(|(_, listed)| listed).collect(), arriving })
    }

    /// The bytes of a file that nobody wrote to in the meantime.
    pub(super) async fn fetch(&mut self, contract: &Contract, file: &Listed) -> Result<Bytes> {
        let at = format!("{} in '{}'", place(&self.source, contract), file.name);
        let bytes = match &layout_of(&self.source, contract)?.format {
            FileFormat::Bicc(layout) => package::fetch(self, &layout.pvo, file).await,
            _ => self.bytes(file).await,
        };
        Ok(bytes.map_err(|error| error.at(&at))?.map_err(move |error| error.at(&at)).boxed())
    }

    /// The bytes of a file as it was listed.
    async fn bytes(&self, file: &Listed) -> Result<Bytes> {
        let opened = self.in_time(self.keeper.read(file)).await?;
        let reading = Reading {
            bytes: opened,
            received: 0,
            idle: self.source.access.idle_timeout,
            end: Instant::now() + self.source.access.timeout,
            file: file.clone(),
            keeper: self.keeper.clone(),
        };
        Ok(stream::try_unfold(reading, Reading::next).boxed())
    }

    /// What `asked` answers, unless the source says nothing for too long.
    async fn in_time<T>(&self, asked: impl Future<Output = Result<T>>) -> Result<T> {
        let idle = self.source.access.idle_timeout;
        timeout(idle, asked).await.map_err(|_| silent(idle))?
    }
}

impl Keeper {
    async fn list(&self, names: &Names) -> Result<Vec<Found>> {
        match self {
            Keeper::Folder(folder) => folder.list(names).await,
            Keeper::Sftp(sftp) => sftp.list(names).await,
            Keeper::Store(store) => store.list(names).await,
        }
    }

    /// The bytes of a file, which is still as it was listed.
    async fn read(&self, file: &Listed) -> Result<Bytes> {
        match self {
            Keeper::Folder(folder) => folder.read(file).await,
            Keeper::Sftp(sftp) => sftp.read(file).await,
            Keeper::Store(store) => store.read(file).await,
        }
    }

    /// Whether a file is still as it was listed.
    async fn is_as_listed(&self, file: &Listed) -> Result<bool> {
        match self {
            Keeper::Folder(folder) => folder.is_as_listed(file).await,
            Keeper::Sftp(sftp) => sftp.is_as_listed(file).await,
            Keeper::Store(store) => store.is_as_listed(file).await,
        }
    }
}

/// A file that is being read.
struct Reading {
    bytes: Bytes,
    received: u64,
    /// The longest time without a byte.
    idle: Duration,
    /// When all of it must have been read.
    end: Instant,
    file: Listed,
    keeper: Keeper,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(bytes::Bytes, Self)>> {
        let left = self.end.saturating_duration_since(Instant::now());
        let patience = self.idle.min(left);
        match timeout(patience, self.bytes.try_next()).await {
            Err(_) if left < self.idle => {
                Err(Error::source("reading took too long").hint("raise the source's `timeout`"))
            }
            Err(_) => Err(silent(self.idle)),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Some(chunk))) => {
                self.received += chunk.len() as u64;
                Ok(Some((chunk, self)))
            }
            Ok(Ok(None)) => {
                let same = timeout(self.idle, self.keeper.is_as_listed(&self.file));
                let same = same.await.map_err(|_| silent(self.idle))??;
                if same && self.received == self.file.size { Ok(None) } else { Err(changed()) }
            }
        }
    }
}

/// The bytes of what is open, a chunk at a time.
fn chunks(opened: impl AsyncRead + Send + Unpin + 'static) -> Bytes {
    let bytes = stream::try_unfold(opened, |mut opened| async move {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = opened.read_buf(&mut chunk).await;
        let read = read.map_err(|error| Error::source("the file could not be read").because(error))?;
        Ok((read > 0).then(|| (chunk.freeze(), opened)))
    });
    bytes.boxed()
}

fn silent(idle: Duration) -> Error {
    Error::source(format!("the source said nothing for {}", humantime::format_duration(idle)))
        .hint("see whether it hangs; if it is only slow, raise the source's `idle_timeout`")
}

fn changed() -> Error {
    Error::source("the file changed while it was read").hint("pull again when it is complete")
}

/// Starts reading one file.
pub(super) fn read(source: &Source, contract: &Contract, file: &SourceFile) -> Result<Extract> {
    let layout = layout_of(source, contract)?.clone();
    let (at, contract) = (format!("{} in '{}'", place(source, contract), file.name), contract.clone());
    let file = file.clone();
    Ok(start(move |outlet| {
        let mut emit = |batch| outlet.blocking_send(Ok(Item::Batch(batch))).is_ok();
        format::read(&contract, &layout, &file, &at, &mut emit)
    }))
}

fn layout_of<'a>(source: &Source, contract: &'a Contract) -> Result<&'a FileLayout> {
    contract.file.as_ref().ok_or_else(|| {
        Error::config(format!(
            "entity '{}' of system '{}' has no file layout",
            contract.entity, contract.system
        ))
        .at(format!("source '{}'", source.name))
        .hint("give the entity a `file`, or the source the address of a database")
    })
}
