//! Files in a local folder.

use crate::connector::contract::{Contract, FileLayout};
use crate::connector::format;
use crate::connector::transport::{place, start};
use crate::connector::{Extract, Item, Snapshot, SourceFile, file_order};
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
    found.sort_by_key(|(name, _)| file_order(name));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::contract::Type;
    use crate::connector::testing::*;
    use crate::project::Address;

    fn source(folder: &Path) -> Source {
        let address = Address::Folder(folder.into());
        Source { name: "beds_s".into(), force: "beds".into(), system: "s".into(), address }
    }

    #[tokio::test]
    async fn matching_files_come_by_name_with_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("E_0.csv")).unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let names =
            ["E_2.csv", "e_1.CSV", "E_10 (copy) £.csv", ".E_3.csv", "E_4.csv.part", "F_1.csv", "sub/E_5.csv"];
        for name in names {
            std::fs::write(dir.path().join(name), format!("ID\n{name}\n")).unwrap();
        }
        let (source, contract) = (source(dir.path()), contract(&[("id", Type::Text)]));
        let found = discover(&source, &contract, dir.path()).await.unwrap();
        let files: Vec<&SourceFile> = found.iter().map(|snapshot| snapshot.file.as_ref().unwrap()).collect();
        let found_names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(found_names, ["e_1.CSV", "E_10 (copy) £.csv", "E_2.csv"]);
        assert_eq!(files[2].bytes, "ID\nE_2.csv\n");
        assert_eq!(files[2].sha256, "f99409f90f8d39375eca94b44ecc73d957a42abdca62866add4732e4e4ae5ada");
        let got = drain(read(&source, &contract, found[1].clone()).unwrap()).await.unwrap();
        assert_eq!(got.rows(), ["2: E_10 (copy) £.csv"]);
    }

    #[tokio::test]
    async fn an_empty_folder_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let contract = contract(&[("id", Type::Text)]);
        assert!(discover(&source(dir.path()), &contract, dir.path()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("E_1.csv"), "").unwrap();
        let (source, contract) = (source(dir.path()), contract(&[("id", Type::Text)]));
        let found = discover(&source, &contract, dir.path()).await.unwrap();
        let error = drain(read(&source, &contract, found[0].clone()).unwrap()).await.unwrap_err();
        assert_eq!(error.to_string(), "beds_s.e in 'E_1.csv': the file is empty");
    }
}
