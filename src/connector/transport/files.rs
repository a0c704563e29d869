//! Files in a local folder.

use crate::connector::contract::{Contract, FileLayout};
use crate::connector::format;
use crate::connector::transport::{place, start};
use crate::connector::{Extract, Item, Snapshot, SourceFile};
use crate::error::{Error, Result};
use crate::project::Source;
use bytes::Bytes;
use glob::{MatchOptions, Pattern};
use object_store::local::LocalFileSystem;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Vendors change the case of names between releases; hidden files are half-written ones.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: false,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files of `folder` (not of folders in it) that match the entity's layout, by name.
pub(super) async fn discover(source: &Source, contract: &Contract, folder: &Path) -> Result<Vec<Snapshot>> {
    let layout = layout_of(source, contract)?;
    let at = place(source, contract);
    let pattern = Pattern::new(&layout.matching).map_err(|error| {
        Error::config(format!("'{}' is not a file name pattern", layout.matching)).at(&at).because(error)
    })?;
    let failed = |error: object_store::Error| {
        Error::source("the folder could not be read")
            .at(&at)
            .hint(format!("see whether '{}' exists and can be read", folder.display()))
            .because(error)
    };
    let store = LocalFileSystem::new_with_prefix(folder).map_err(failed)?;
    let mut found: Vec<(String, ObjectMeta)> = Vec::new();
    for meta in store.list_with_delimiter(None).await.map_err(failed)?.objects {
        match meta.location.filename() {
            Some(name) if pattern.matches_with(name, MATCHING) => found.push((name.to_string(), meta)),
            _ => {}
        }
    }
    found.sort_by(|one, two| one.0.cmp(&two.0));
    let mut snapshots = Vec::with_capacity(found.len());
    for (name, meta) in found {
        let bytes = fetch(&store, &meta).await.map_err(|error| error.at(format!("{at} in '{name}'")))?;
        snapshots.push(Snapshot { file: Some(signed(name, bytes).await?) });
    }
    Ok(snapshots)
}

/// Starts reading one file.
pub(super) fn read(source: &Source, contract: &Contract, snapshot: Snapshot) -> Result<Extract> {
    let layout = layout_of(source, contract)?.clone();
    let Some(file) = snapshot.file else {
        return Err(Error::internal("a snapshot of a folder has no file").at(place(source, contract)));
    };
    let (at, contract) = (format!("{} in '{}'", place(source, contract), file.name), contract.clone());
    Ok(start(move |outlet| {
        let mut emit = |batch| outlet.blocking_send(Ok(Item::Batch(batch))).is_ok();
        format::read(&contract, &layout, &file, &at, &mut emit)
    }))
}

/// The bytes of a file that nobody wrote to in the meantime.
async fn fetch(store: &LocalFileSystem, listed: &ObjectMeta) -> Result<Bytes> {
    let failed = |error: object_store::Error| Error::source("the file could not be read").because(error);
    let bytes = store.get(&listed.location).await.map_err(failed)?.bytes().await.map_err(failed)?;
    let now = store.head(&listed.location).await.map_err(failed)?;
    if now.e_tag != listed.e_tag || now.size != bytes.len() as u64 {
        return Err(Error::source("the file changed while it was read")
            .hint("it may still be arriving: write it under another name and rename it at the end"));
    }
    Ok(bytes)
}

/// The file with its SHA-256.
async fn signed(name: String, bytes: Bytes) -> Result<SourceFile> {
    let data = bytes.clone();
    let sha256 = tokio::task::spawn_blocking(move || {
        Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    })
    .await
    .map_err(|error| Error::internal("hashing a file failed").because(error))?;
    Ok(SourceFile { name, sha256, bytes })
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
