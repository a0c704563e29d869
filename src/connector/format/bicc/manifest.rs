//! The manifest of a package: its files and their hashes.

use crate::error::{Error, Result};
use glob::{MatchOptions, Pattern};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::io::Read;

const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: false,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// What a manifest says.
#[derive(Debug)]
pub(in crate::connector) struct Manifest {
    files: Vec<Named>,
}

/// A file of the package.
#[derive(Debug)]
pub(in crate::connector) struct Named {
    /// The file's name.
    pub(in crate::connector) name: String,
    /// The hash of its bytes, in lowercase hex.
    hash: String,
    algorithm: Algorithm,
}

#[derive(Debug)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Manifest {
    /// Reads lines such as `name;document;md5` or `name;document;sha256`. The older manifests begin
    /// with a line `PLV_KEY=…`.
    pub(in crate::connector) fn parse(text: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(text).map_err(|_| wrong("it is not text"))?;
        let mut files = Vec::new();
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let line = line.trim();
            if line.is_empty() || (line.contains('=') && !line.contains(';')) {
                continue;
            }
            let named =
                parsed(line).ok_or_else(|| wrong(&format!("line {number} is not name;document;hash")))?;
            files.push(named);
        }
        Ok(Self { files })
    }

    /// The files whose names match `pattern`.
    pub(in crate::connector) fn of(&self, pattern: &str) -> Result<Vec<&Named>> {
        let pattern = Pattern::new(pattern).map_err(|error| {
            Error::config(format!("'{pattern}' is not a pattern of names")).because(error)
        })?;
        Ok(self.files.iter().filter(|file| pattern.matches_with(&file.name, MATCHING)).collect())
    }
}

fn parsed(line: &str) -> Option<Named> {
    let (name, rest) = line.split_once(';')?;
    let hash = rest.rsplit(';').next()?.trim().to_lowercase();
    let algorithm = match hash.len() {
        32 => Algorithm::Md5,
        64 => Algorithm::Sha256,
        _ => return None,
    };
    let name = name.trim();
    let is_name = !name.is_empty() && !name.contains(['/', '\\']);
    let is_hash = hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_name && is_hash).then(|| Named { name: name.into(), hash, algorithm })
}

impl Named {
    /// An error when these are not the bytes that the manifest means.
    pub(super) fn verify(&self, bytes: impl Read) -> Result<()> {
        let hash = match self.algorithm {
            Algorithm::Md5 => hashed::<Md5>(bytes),
            Algorithm::Sha256 => hashed::<Sha256>(bytes),
        };
        match hash? == self.hash {
            true => Ok(()),
            false => Err(Error::contract(format!(
                "'{}' is not what the manifest says: its hash differs",
                self.name
            ))
            .hint("it was damaged or replaced on its way: have it sent again")),
        }
    }
}

fn hashed<D: Digest>(mut bytes: impl Read) -> Result<String> {
    let (mut hash, mut buffer) = (D::new(), vec![0; 1 << 18]);
    loop {
        match bytes.read(&mut buffer).map_err(super::unreadable)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// A file that the manifest names and nobody has.
pub(in crate::connector) fn missing(name: &str) -> Error {
    Error::contract(format!("the manifest names '{name}', which is not there"))
        .hint("the package is not complete: have it sent again, the manifest last")
}

fn wrong(what: &str) -> Error {
    Error::contract(format!("the manifest cannot be read: {what}"))
        .hint("`match` must name manifests only, such as \"MANIFEST*.MF\"")
}
