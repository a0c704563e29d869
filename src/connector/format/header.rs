//! The header of a delimited file: where it is, and where the columns of the contract are in it.
//!
//! A file begins with its header, or has a title, notes or the text of a query above it; a file that
//! somebody sorted has it in its last line. So the header is the line that names the columns.

use crate::connector::contract::{Column, Contract, Header, Origin, Policy};
use crate::connector::finding::{Finding, Matter};
use crate::connector::format::blocks::{Block, Blocks};
use crate::connector::format::delimited::{Next, Parser};
use crate::connector::format::line_ends;
use crate::connector::names::{self, Named};
use crate::error::{Error, Result};
use std::ops::Range;

/// How many lines may be above a header.
const LINES_ABOVE: usize = 60;

/// Where a record has the columns of the contract.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The number of cells of a record.
    pub(super) width: usize,
    /// The fewest cells of a record: those behind them have no name in the header.
    pub(super) least: usize,
    /// By contract column, its cell; `None` where the file has no such column.
    pub(super) cells: Vec<Option<usize>>,
    /// The cells that the contract does not name, if they are kept.
    pub(super) extra: Vec<(usize, String)>,
}

/// A line that may be the header.
struct Candidate {
    named: Named,
    names: Vec<String>,
    /// Where it is in the first block.
    record: Range<usize>,
    /// Lines above it that look like rows.
    rows_above: u64,
}

impl Places {
    /// Without a header, the contract gives the order.
    pub(super) fn of_contract(contract: &Contract) -> Self {
        let mut width = 0;
        let cell = |column: &Column| {
            let at = (column.origin == Origin::Cell).then_some(width);
            width += usize::from(at.is_some());
            at
        };
        let cells = contract.columns.iter().map(cell).collect();
        Self { width, least: width, cells, extra: Vec::new() }
    }

    fn of_header(named: Named, names: &[String], keeps_extra: bool) -> Self {
        let least = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        let extra = match keeps_extra {
            true => named.unnamed(names),
            false => Vec::new(),
        };
        Self { width: names.len(), least, cells: named.cells, extra }
    }
}

/// Finds the header of a file and takes it out of `blocks`: where its columns are, and what is to be
/// told about them.
pub(super) fn find(
    contract: &Contract,
    header: Header,
    parser: &mut Parser,
    blocks: &mut Blocks,
) -> Result<(Places, Vec<Finding>)> {
    let Head { block, candidates, ambiguous, first_cells } = head(contract, parser, blocks)?;
    let mut candidates = candidates;
    if first_cells == 0 {
        return match header {
            Header::Auto | Header::Absent => Ok((Places::of_contract(contract), Vec::new())),
            Header::Named => Err(empty()),
        };
    }
    refuse_page(&block.bytes)?;
    if let Some(at) = candidates.iter().position(|candidate| candidate.named.is_whole(contract)) {
        return accept(contract, candidates.swap_remove(at), block, blocks);
    }
    if let Some(found) = in_last_line(contract, parser, blocks)? {
        return Ok(found);
    }
    if let Some(error) = ambiguous {
        return Err(error);
    }
    // None names all columns: the one that names the most, if that is the larger part of them.
    let wanted = contract.columns.iter().filter(|column| column.origin == Origin::Cell).count();
    let best = candidates.into_iter().reduce(|best, next| match next.named.count() > best.named.count() {
        true => next,
        false => best,
    });
    match best.filter(|best| best.named.count() > 0 && is_likely(best, wanted, &block)) {
        Some(best) => {
            best.named.accepted(contract, &best.names)?;
            accept(contract, best, block, blocks)
        }
        None if header == Header::Auto && first_cells == wanted => {
            let message =
                format!("no line names the columns: the {wanted} of the contract are taken in order");
            blocks.give_back(block, None, false);
            Ok((Places::of_contract(contract), vec![Finding::of_load(Matter::Header, 0, message)]))
        }
        None => Err(unnamed(&block.bytes)),
    }
}

/// Whether a line that lacks columns is a header nevertheless: the first line is one if it names any,
/// a later one if it names more than half.
fn is_likely(candidate: &Candidate, wanted: usize, block: &Block) -> bool {
    let is_first = block.bytes[..candidate.record.start].trim_ascii().is_empty();
    is_first || 2 * candidate.named.count() > wanted
}

/// The beginning of a file.
struct Head {
    block: Block,
    /// The lines that name any column.
    candidates: Vec<Candidate>,
    /// Why a line that names columns cannot be understood.
    ambiguous: Option<Error>,
    /// The number of cells of the first line; none when there is no line.
    first_cells: usize,
}

/// Reads lines until one names all columns, or [`LINES_ABOVE`] do not.
fn head(contract: &Contract, parser: &mut Parser, blocks: &mut Blocks) -> Result<Head> {
    let block = Block { bytes: Vec::new(), line: 1 };
    let mut head = Head { block, candidates: Vec::new(), ambiguous: None, first_cells: 0 };
    let mut widths: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while widths.len() <= LINES_ABOVE {
        let (used, next) = parser.next(&head.block.bytes[at..]);
        let (Next::Record(found) | Next::Stray(found)) = next else {
            match blocks.next()? {
                Some(more) if head.block.bytes.is_empty() => head.block = more,
                Some(more) => head.block.bytes.extend(more.bytes),
                None => break,
            }
            continue;
        };
        let record = at + found.start..at + found.end;
        at += used;
        let names: Vec<String> = parser.cells().map(names::shown).collect();
        let filled = names.iter().filter(|name| !name.is_empty()).count();
        if widths.is_empty() {
            head.first_cells = names.len().max(1);
        }
        widths.push((names.len(), filled));
        let named = match Named::of(contract, &names) {
            Ok(named) => named,
            Err(error) => {
                head.ambiguous = head.ambiguous.or(Some(error));
                continue;
            }
        };
        if named.count() == 0 {
            continue;
        }
        // A title that a spreadsheet wrote has as many cells, but most of them are empty.
        let is_row = |(width, filled): &&(usize, usize)| *width == names.len() && 2 * filled > *width;
        let rows_above = widths[..widths.len() - 1].iter().filter(is_row).count() as u64;
        let is_whole = named.is_whole(contract);
        head.candidates.push(Candidate { named, names, record, rows_above });
        if is_whole {
            break;
        }
    }
    Ok(head)
}

/// Takes a header out of the first block: what is above it goes, too, unless it is rows.
fn accept(
    contract: &Contract,
    header: Candidate,
    block: Block,
    blocks: &mut Blocks,
) -> Result<(Places, Vec<Finding>)> {
    let Candidate { named, names, record, rows_above } = header;
    let mut findings = named.findings(contract, &names)?;
    let above = line_ends(&block.bytes[..record.start]);
    if rows_above > 0 {
        let message = format!("the columns are named in line {}, below rows", above + block.line);
        findings.push(Finding::of_load(Matter::Header, rows_above, message));
    } else if !block.bytes[..record.start].trim_ascii().is_empty() {
        let message =
            format!("the columns are named in line {}: what is above is no row", above + block.line);
        findings.push(Finding::of_load(Matter::Header, u64::try_from(above).unwrap_or_default(), message));
    }
    let places = Places::of_header(named, &names, contract.drift.new == Some(Policy::Evolve));
    blocks.give_back(block, Some(record), rows_above > 0);
    Ok((places, findings))
}

/// The header at the end of a file that was sorted with it; it is cut off.
fn in_last_line(
    contract: &Contract,
    parser: &mut Parser,
    blocks: &mut Blocks,
) -> Result<Option<(Places, Vec<Finding>)>> {
    let Some((start, mut line)) = blocks.last_line()? else { return Ok(None) };
    line.push('\n');
    let (_, Next::Record(_)) = parser.next(line.as_bytes()) else { return Ok(None) };
    let names: Vec<String> = parser.cells().map(names::shown).collect();
    let named = Named::of(contract, &names)?;
    if !named.is_whole(contract) {
        return Ok(None);
    }
    blocks.restart(start)?;
    let mut findings = named.findings(contract, &names)?;
    findings.push(Finding::of_load(Matter::Header, 0, "the columns are named in the last line".into()));
    Ok(Some((Places::of_header(named, &names, contract.drift.new == Some(Policy::Evolve)), findings)))
}

fn empty() -> Error {
    Error::contract("the file is empty").hint("even without rows it has a header")
}

/// Refuses what a web server sent in place of the file.
fn refuse_page(bytes: &[u8]) -> Result<()> {
    let start = bytes.trim_ascii_start();
    let begins =
        |with: &str| start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()));
    if !begins("<!doctype html") && !begins("<html") {
        return Ok(());
    }
    Err(Error::contract("the file is a web page, not a table").hint(
        "whoever fetched it was shown a page, of a login or an error perhaps: open it in a browser to see which",
    ))
}

/// No line is a header. The first one may be a row, and rows are personal: it is not shown.
fn unnamed(bytes: &[u8]) -> Error {
    let start = &bytes[..bytes.len().min(1000)];
    let hint = match 4 * start.iter().filter(|byte| **byte == 0).count() > start.len() {
        true => "every other byte is zero: the encoding may be \"utf-16\"",
        false => "the header may be missing, or the delimiter or encoding may differ from the contract",
    };
    Error::contract("the first line names none of the contract's columns").hint(hint)
}
