//! Compares a source with a contract by looking at it; nothing is landed.

use crate::connector::contract::{Contract, Drift, Policy};
use crate::connector::names::{self, Named};
use crate::connector::{Bytes, Extract, Matter, Offer, Session, SourceFile, Span, read_file};
use crate::error::{Error, Kind, Result};
use crate::project::Source;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::io::Write;

/// Of more than this share of the rows, a reason tells of the contract and not of the rows.
const OF_THE_CONTRACT: f64 = 0.05;

/// How a source differs from a contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// What a pull would stumble over, each with what to do about it.
    pub wrong: Vec<(String, Option<String>)>,
    /// What is only worth knowing.
    pub notes: Vec<String>,
}

impl Differences {
    fn refuse(&mut self, error: &Error) {
        self.wrong.push((error.to_string(), error.advice().map(str::to_string)));
    }
}

/// Looks at what `session` offers of `contract`: a table's columns and first rows, or the newest of
/// its files. An error is one of the source itself.
pub async fn look(session: &mut Session, source: &Source, contract: &Contract) -> Result<Differences> {
    let mut found = Differences::default();
    // Everything is to be told at once, so nothing is refused on the way.
    let drift = Drift { new: Some(Policy::Discard), missing: Policy::Evolve, changed: Policy::Evolve };
    let lenient = Contract { drift, ..contract.clone() };
    let extract = match session.offers(contract).await {
        Ok(Offer::Table) => session.read(&lenient, &Span::Whole).await.map(|extract| (extract, None)),
        Ok(Offer::Files { ready, arriving }) => {
            if !arriving.is_empty() {
                found.notes.push(format!("still arriving: {}", arriving.join(", ")));
            }
            let Some(newest) = ready.last() else {
                let patterns = contract.file.as_ref().map(|file| file.matching.join("\" or \""));
                let pattern = patterns.unwrap_or_default();
                let message = format!("no file matches \"{pattern}\"");
                match contract.optional || !arriving.is_empty() {
                    true => found.notes.push(message),
                    false => found.wrong.push((
                        message,
                        Some(
                            "see `match` of the entity and `address` of the source; an entity that a source may be \
                             without is `optional`"
                                .into(),
                        ),
                    )),
                }
                return Ok(found);
            };
            found.notes.push(format!("{} of {} files looked at: {}", 1, ready.len(), newest.name));
            let kept = kept(session.fetch(contract, newest).await?).await?;
            let (name, tag) = (newest.name.clone(), newest.tag.clone());
            let file = SourceFile { name, tag, sha256: String::new(), path: kept.path().to_path_buf() };
            read_file(source, &lenient, &file).map(|extract| (extract, Some(kept)))
        }
        Ok(Offer::Answer) if contract.is_queue() => {
            found.notes.push("a queue is not looked at: looking empties it".into());
            return Ok(found);
        }
        Ok(Offer::Answer) => match session.ask(contract, &Span::Whole).await {
            Ok(bytes) => {
                let kept = kept(bytes).await?;
                let (name, tag) = (format!("{}.json", contract.entity), String::new());
                let file = SourceFile { name, tag, sha256: String::new(), path: kept.path().to_path_buf() };
                read_file(source, &lenient, &file).map(|extract| (extract, Some(kept)))
            }
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match extract {
        Ok((extract, kept)) => rows(extract, contract, kept.is_some(), &mut found).await?,
        Err(error) => judged(error, &mut found)?,
    }
    Ok(found)
}

/// What arrives, in a file that is gone when nobody reads it any more.
async fn kept(mut bytes: Bytes) -> Result<tempfile::NamedTempFile> {
    let mut kept = tempfile::NamedTempFile::new().map_err(unusable)?;
    while let Some(chunk) = bytes.try_next().await? {
        kept.write_all(&chunk).map_err(unusable)?;
    }
    kept.flush().map_err(unusable)?;
    Ok(kept)
}

/// Reads a file to its end, or a table as far as its first rows, and tells what is not as the
/// contract says.
async fn rows(
    mut extract: Extract,
    contract: &Contract,
    is_file: bool,
    found: &mut Differences,
) -> Result<()> {
    let (mut count, mut reasons) = (0, BTreeMap::new());
    loop {
        match extract.next().await {
            Some(Ok(batch)) => {
                count += batch.num_rows() as u64;
                tally(&batch, &mut reasons);
                if !is_file {
                    break;
                }
            }
            Some(Err(error)) => return judged(error, found),
            None => break,
        }
    }
    for (reason, rows) in reasons {
        let message = format!("{reason}: {rows} of {count} rows");
        match rows as f64 > OF_THE_CONTRACT * count as f64 {
            true => found.wrong.push((message, Some("does the column say what the source sends?".into()))),
            false => found.notes.push(message),
        }
    }
    if is_file {
        for finding in extract.totals()?.findings {
            let column = finding.column.map(|column| format!(" {column}")).unwrap_or_default();
            let message = format!("{}{column}: {}", finding.matter.as_str(), finding.message);
            tell(finding.matter, message, contract, found);
        }
        return Ok(());
    }
    columns(extract.columns(), contract, found);
    Ok(())
}

/// Tells which columns of a table are new, and which are missing.
fn columns(known: &[String], contract: &Contract, found: &mut Differences) {
    let Ok(named) = Named::of(contract, known) else { return };
    let new: Vec<String> = named.unnamed(known).into_iter().map(|(_, name)| name).collect();
    if !new.is_empty() {
        let message = format!("new_column: {} not in the contract: {}", new.len(), names::list(&new));
        tell(Matter::NewColumn, message, contract, found);
    }
    for column in named.missing(contract) {
        let message = format!("missing_column {}: '{}' is missing", column.name, column.from.join("' or '"));
        tell(Matter::MissingColumn, message, contract, found);
    }
}

/// Sorts a difference by what the contract makes of it.
fn tell(matter: Matter, message: String, contract: &Contract, found: &mut Differences) {
    let refused = match matter {
        Matter::NewColumn => contract.drift.new == Some(Policy::Freeze),
        Matter::MissingColumn => contract.drift.missing == Policy::Freeze,
        Matter::ChangedType => true,
        Matter::DestroyedValues | Matter::Unmapped | Matter::Skipped | Matter::Header => false,
    };
    match refused {
        true => found.wrong.push((message, Some("correct the contract, or let its `drift` allow it".into()))),
        false => found.notes.push(message),
    }
}

/// An error about the data is a difference; one of the source is none.
fn judged(error: Error, found: &mut Differences) -> Result<()> {
    match error.kind() {
        Kind::Source => Err(error),
        _ => {
            found.refuse(&error);
            Ok(())
        }
    }
}

/// Counts the rows of a batch by reason, as `code column`.
fn tally(batch: &RecordBatch, reasons: &mut BTreeMap<String, u64>) {
    let errors = batch.column_by_name("_errors").and_then(|errors| errors.as_list_opt::<i32>());
    let texts = errors.and_then(|errors| errors.values().as_string_opt::<i32>());
    for reason in texts.into_iter().flatten().flatten() {
        let what = reason.split_once(": ").map_or(reason, |(what, _)| what);
        *reasons.entry(what.to_string()).or_default() += 1;
    }
}

fn unusable(error: std::io::Error) -> Error {
    Error::internal("a file could not be kept to be looked at").because(error)
}
