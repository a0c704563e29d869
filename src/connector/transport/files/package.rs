//! A manifest and the files that it names, received as one.

use super::names::Names;
use super::{Found, Session};
use crate::connector::format::bicc::MOST_MANIFEST;
use crate::connector::format::bicc::bundle::{self, END};
use crate::connector::format::bicc::manifest::{self, Manifest};
use crate::connector::{Bytes, Listed};
use crate::error::{Error, Result};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::HashMap;

/// The bytes of a package: its manifest and those of its files whose names match `pattern`. An
/// error when one of them is not there.
pub(super) async fn fetch(session: &Session, pattern: &str, manifest: &Listed) -> Result<Bytes> {
    if manifest.size > MOST_MANIFEST {
        return Err(Error::contract(format!("the manifest has more than {} MiB", MOST_MANIFEST >> 20))
            .hint("`match` must name manifests only, such as \"MANIFEST*.MF\""));
    }
    let text = session.bytes(manifest).await?.try_collect::<Vec<_>>().await?.concat();
    let mut files: Vec<Listed> = Vec::new();
    let named = Manifest::parse(&text)?;
    let mut there = there(session).await?;
    for file in named.of(pattern)? {
        files.push(there.remove(&file.name).ok_or_else(|| manifest::missing(&file.name))?);
    }
    let head = [bundle::header(&manifest.name, text.len() as u64), text].concat();
    let head = [head, bundle::padding(manifest.size)].concat();
    let session = session.clone();
    let bodies = stream::iter(files).map(Ok::<_, Error>).and_then(move |file: Listed| {
        let session = session.clone();
        async move {
            let (head, tail) = (bundle::header(&file.name, file.size), bundle::padding(file.size));
            Ok(piece(head).chain(session.bytes(&file).await?).chain(piece(tail)))
        }
    });
    Ok(piece(head).chain(bodies.try_flatten()).chain(piece(END.to_vec())).boxed())
}

fn piece(bytes: Vec<u8>) -> Bytes {
    stream::iter([Ok(bytes::Bytes::from(bytes))]).boxed()
}

/// Every file of the folder, by name.
async fn there(session: &Session) -> Result<HashMap<String, Listed>> {
    let found = session.in_time(session.keeper.list(&Names::all()?)).await?;
    let listed = |Found { name, size, tag, .. }: Found| (name.clone(), Listed { name, size, tag });
    Ok(found.into_iter().map(listed).collect())
}
