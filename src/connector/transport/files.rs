//! Files in a local folder.

use crate::connector::contract::{Contract, FileLayout};
use crate::connector::format;
use crate::connector::transport::{place, start};
use crate::connector::{Bytes, Extract, Item, Listed, Offer, SourceFile};
use crate::error::{Error, Result};
use crate::project::Source;
use futures::{StreamExt, TryStreamExt};
use glob::{MatchOptions, Pattern};
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

/// Vendors change the case of names between releases; hidden files are half-written ones.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: false,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// A folder.
#[derive(Debug)]
pub(in crate::connector) struct Session {
    source: Source,
    folder: PathBuf,
    store: Arc<LocalFileSystem>,
}

/// Opens a local folder.
pub(super) fn open_folder(source: &Source, folder: &Path) -> Result<Session> {
    let store =
        LocalFileSystem::new_with_prefix(folder).map_err(|error| unreadable(&source.name, folder, error))?;
    Ok(Session { source: source.clone(), folder: folder.into(), store: Arc::new(store) })
}

/// Opens a folder of an object store.
pub(super) fn open_store(source: &Source, _url: &Url) -> Result<Session> {
    Err(Error::source("this transport is not written yet").at(&source.name))
}

fn unreadable(at: impl std::fmt::Display, folder: &Path, error: object_store::Error) -> Error {
    Error::source("the folder could not be read")
        .at(at)
        .hint(format!("see whether '{}' exists and can be read", folder.display()))
        .because(error)
}

impl Session {
    /// The files of the folder (not of folders in it) that match the entity's layout, in order.
    pub(super) async fn offers(&mut self, contract: &Contract) -> Result<Offer> {
        let layout = layout_of(&self.source, contract)?;
        let at = place(&self.source, contract);
        let pattern = Pattern::new(&layout.matching).map_err(|error| {
            Error::config(format!("'{}' is not a file name pattern", layout.matching)).at(&at).because(error)
        })?;
        let listed = self.store.list_with_delimiter(None).await;
        let mut ready = Vec::new();
        for meta in listed.map_err(|error| unreadable(&at, &self.folder, error))?.objects {
            match meta.location.filename() {
                Some(name) if pattern.matches_with(name, MATCHING) => {
                    let tag = meta.e_tag.clone().unwrap_or_default();
                    ready.push(Listed { name: name.to_string(), size: meta.size, tag });
                }
                _ => {}
            }
        }
        ready.sort_by_key(|file| (file.name.to_lowercase(), file.name.clone()));
        Ok(Offer::Files { ready, arriving: Vec::new() })
    }

    /// The bytes of a file that nobody wrote to in the meantime.
    pub(super) async fn fetch(&mut self, _contract: &Contract, file: &Listed) -> Result<Bytes> {
        let failed = |error: object_store::Error| Error::source("the file could not be read").because(error);
        let path = object_store::path::Path::parse(&file.name).map_err(|e| failed(e.into()))?;
        let got = self.store.get(&path).await.map_err(failed)?;
        Ok(got.into_stream().map_err(failed).boxed())
    }
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
