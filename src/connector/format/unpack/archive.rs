//! The members of a zip archive.

use super::{Part, copied};
use crate::connector::contract::Member;
use crate::error::{Error, Result};
use glob::{MatchOptions, Pattern};
use std::io::{Read, Seek};
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

/// The most members of an archive, whether they are wanted or not.
const MOST_MEMBERS: usize = 10_000;

/// The most members that are read of one: each is a temporary file.
const MOST_READ: usize = 100;

/// What a Mac adds to every archive.
const MAC: &str = "__MACOSX/";

const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: false,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// An archive, opened.
pub(in crate::connector::format) fn opened<R: Read + Seek>(packed: R) -> Result<ZipArchive<R>> {
    let archive = ZipArchive::new(packed).map_err(broken)?;
    if archive.len() > MOST_MEMBERS {
        return Err(Error::contract(format!("the archive has more than {MOST_MEMBERS} members")));
    }
    match archive.has_duplicate_names() {
        true => Err(Error::contract("two members of the archive have the same name")
            .hint("nobody can tell which of them is meant")),
        false => Ok(archive),
    }
}

/// A member of an archive, ready to be read.
pub(in crate::connector::format) fn member<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    index: usize,
) -> Result<ZipFile<'_, R>> {
    archive.by_index(index).map_err(broken)
}

/// All members of an archive.
pub(in crate::connector::format) fn every_member(packed: impl Read + Seek) -> Result<Vec<Part>> {
    members(&Member::All("*".into()), packed)
}

/// The wanted members of an archive.
pub(super) fn members(wanted: &Member, packed: impl Read + Seek) -> Result<Vec<Part>> {
    let mut archive = opened(packed)?;
    let mut found = Vec::new();
    let mut passed_over = Vec::new();
    let pattern = wanted.pattern().map(|text| {
        Pattern::new(text)
            .map_err(|error| Error::config(format!("'{text}' is not a pattern of names")).because(error))
    });
    let pattern = pattern.transpose()?;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        if entry.is_dir() || name.starts_with(MAC) {
            continue;
        }
        let base = name.rsplit(['/', '\\']).next().unwrap_or(&name);
        match pattern.as_ref().is_none_or(|pattern| pattern.matches_with(base, MATCHING)) {
            true => found.push((index, name)),
            false => passed_over.push(name),
        }
    }
    match (wanted, found.len()) {
        (_, 0) => {
            return Err(Error::contract("the archive has no such member").hint(shown("it has", &passed_over)));
        }
        (Member::Only | Member::One(_), 2..) => {
            let names: Vec<String> = found.into_iter().map(|(_, name)| name).collect();
            return Err(Error::contract("the archive has several members that may be meant")
                .hint(shown("name one by `member`, or all by `members`: it has", &names)));
        }
        (_, MOST_READ..) => return Err(Error::contract(format!("more than {MOST_READ} members are wanted"))),
        _ => {}
    }
    found.into_iter().map(|(index, name)| part(&mut archive, index, name)).collect()
}

fn part<R: Read + Seek>(archive: &mut ZipArchive<R>, index: usize, name: String) -> Result<Part> {
    let mut read = || {
        let mut packed = member(archive, index)?;
        let bytes = packed.compressed_size();
        copied(&mut packed, bytes)
    };
    let file = read().map_err(|error| match error.place() {
        Some(_) => error,
        None => error.at(format!("member '{name}'")),
    })?;
    Ok(Part { member: Some(name), file })
}

fn shown(what: &str, names: &[String]) -> String {
    const MOST: usize = 8;
    let list: Vec<&str> = names.iter().take(MOST).map(String::as_str).collect();
    let more = if names.len() > MOST { ", …" } else { "" };
    match list.is_empty() {
        true => "it is empty".into(),
        false => format!("{what} {}{more}", list.join(", ")),
    }
}

/// An archive that cannot be read.
fn broken(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => super::damaged(error),
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => {
            Error::contract("the archive is encrypted").hint("ask for it without a password")
        }
        ZipError::CompressionMethodNotSupported(_) | ZipError::UnsupportedArchive(_) => {
            Error::contract("the archive is packed in a way that is not read")
                .hint("ask for an ordinary zip (deflate)")
                .because(error)
        }
        error => {
            Error::contract("the archive is damaged or cut").hint("ask for the file again").because(error)
        }
    }
}
