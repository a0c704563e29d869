//! Files as received, in the lake.

use crate::connector::{Bytes, Listed, SourceFile};
use crate::error::Result;
use crate::lake::raw::Place;
use crate::lake::{Lake, Writer};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Keeps a file as received, byte for byte, before anything is said about it. The same bytes are
/// kept once.
pub async fn keep(lake: &Lake, place: &Place, file: &Listed, bytes: Bytes) -> Result<SourceFile> {
    let incoming = format!("{}/{:032x}", incoming(&place.force, &place.source), rand::random::<u128>());
    let mut writer = lake.writer(&incoming);
    let sha256 = match copied(&mut writer, bytes).await {
        Ok(sha256) => sha256,
        Err(error) => {
            writer.abort().await;
            return Err(error);
        }
    };
    writer.finish().await?;
    lake.rename_if_absent(&incoming, &name(place, &sha256)).await?;
    let path = kept(lake, place, &sha256);
    Ok(SourceFile { name: file.name.clone(), tag: file.tag.clone(), sha256, path })
}

/// Where the bytes of a kept file are.
pub fn kept(lake: &Lake, place: &Place, sha256: &str) -> PathBuf {
    lake.root().join(name(place, sha256))
}

fn name(place: &Place, sha256: &str) -> String {
    format!("files/{}/{}/{sha256}", place.force, place.source)
}

/// Where files of the source are while they arrive: what an unfinished pull left there is nobody's.
pub(super) fn incoming(force: &str, source: &str) -> String {
    format!("files/{force}/{source}/incoming")
}

async fn copied(writer: &mut Writer, mut bytes: Bytes) -> Result<String> {
    let mut hash = Sha256::new();
    while let Some(chunk) = bytes.try_next().await? {
        hash.update(&chunk);
        writer.put(chunk).await?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
