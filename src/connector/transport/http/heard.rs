//! What a queue has answered, as far as it must be known before it is landed.

use crate::connector::contract::{Contract, FileFormat};
use crate::connector::format::json;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// An answer that says in words that there is nothing is no longer than this.
const MOST_BYTES: u64 = 64 << 10;

/// What an answer holds.
#[derive(Debug)]
pub enum Heard {
    /// Rows.
    Rows,
    /// No rows, as the source itself says.
    Nothing,
    /// It is cut, or not what was expected.
    Broken(Error),
}

/// What the answer at `path` holds.
pub(in crate::connector) fn heard(contract: &Contract, path: &Path) -> Result<Heard> {
    let request = contract.http.as_ref().ok_or_else(|| Error::internal("an answer without a request"))?;
    let FileFormat::Json { rows, .. } = &request.layout.format else {
        return Err(Error::internal("an answer that is no JSON"));
    };
    let counted = json::counted(contract, &request.layout, rows.as_deref(), path);
    Ok(match counted {
        Ok(0) => Heard::Nothing,
        Ok(_) => Heard::Rows,
        Err(error) => match request.queue.as_ref().and_then(|queue| queue.empty.as_deref()) {
            Some(empty) if says(path, empty)? => Heard::Nothing,
            _ => Heard::Broken(error),
        },
    })
}

fn says(path: &Path, words: &str) -> Result<bool> {
    let unreadable = |error| Error::lake("the answer cannot be read").at(path.display()).because(error);
    let mut head = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut head).map_err(unreadable)?;
    Ok(head.len() as u64 <= MOST_BYTES && String::from_utf8_lossy(&head).contains(words))
}
