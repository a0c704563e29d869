//! The one writer behind seven systems: a layout says which columns a table or file has, a store
//! renders rows of text cells as SQLite tables, delimited files or fixed-width files, counts what
//! the control records need, and plants bad rows.

pub(super) mod abavus;
mod agresso;
pub(super) mod air_approvals;
mod carm;
mod crown_dms;
mod efinancials;
mod files;
pub(super) mod fusion;
mod itrent;
pub(super) mod lg45;
pub(super) mod oracle_ebs;
pub(super) mod planning;
pub(super) mod proactis;
pub(super) mod published;
mod row;
mod sap_hcm;
mod sqlite;
mod store;
pub(super) mod unit4;

pub(super) use crate::demo::write::row::decimal_text;
pub(super) use crate::demo::write::store::Received;

use crate::demo::duty::{Claim, Holder, Shift};
use crate::demo::force::{Force, HrSystem};
use crate::demo::world::{Ledger, People};
use crate::error::{Error, Result};
use std::path::Path;

/// One column of a legacy layout.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    kind: Kind,
    width: usize,
}

/// What a column holds, which decides its SQLite affinity and its side in a fixed-width cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
    Number,
}

const fn text(name: &'static str, width: usize) -> Column {
    Column { name, kind: Kind::Text, width }
}

const fn int(name: &'static str, width: usize) -> Column {
    Column { name, kind: Kind::Int, width }
}

const fn number(name: &'static str, width: usize) -> Column {
    Column { name, kind: Kind::Number, width }
}

/// One entity of a system: its table or file, its control record and its columns.
#[derive(Debug)]
struct Layout {
    /// The entity's name in the connector.
    entity: &'static str,
    /// The table, or the file's name before the date.
    name: &'static str,
    /// Columns summed in the control record, with their digits behind the point; `None` for a
    /// file without a control record.
    trailer: Option<&'static [(&'static str, u32)]>,
    columns: &'static [Column],
}

/// How a system is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Tables of a SQLite database.
    Database,
    /// Files of separated cells.
    Delimited(Delimited),
    /// Files of cells at fixed places.
    Fixed,
}

/// The habits of a system's delimited files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Delimited {
    extension: &'static str,
    delimiter: char,
    newline: &'static str,
    header: bool,
    windows_1252: bool,
    byte_order_mark: bool,
}

/// The habits that most have.
const CSV: Delimited = Delimited {
    extension: "csv",
    delimiter: ',',
    newline: "\r\n",
    header: true,
    windows_1252: false,
    byte_order_mark: false,
};

/// A row that breaks its contract: the entity's first row with some cells replaced.
#[derive(Debug)]
struct Fault {
    entity: &'static str,
    cells: &'static [(&'static str, &'static str)],
    /// Cells too many (1) or too few (-1).
    ragged: i8,
    reasons: &'static [&'static str],
}

/// A row with unacceptable cells; `cells` also gives it a key of its own.
const fn bad(
    entity: &'static str,
    cells: &'static [(&'static str, &'static str)],
    reasons: &'static [&'static str],
) -> Fault {
    Fault { entity, cells, ragged: 0, reasons }
}

/// The entity's first row once more.
const fn twice(entity: &'static str) -> Fault {
    Fault { entity, cells: &[], ragged: 0, reasons: &["duplicate_key"] }
}

/// A row with a cell too many or too few.
const fn ragged(entity: &'static str, cells: &'static [(&'static str, &'static str)], by: i8) -> Fault {
    Fault { entity, cells, ragged: by, reasons: &["ragged_row"] }
}

/// Stands for one byte that is not UTF-8.
const UNDECODABLE: char = '\u{e0e9}';

/// Writes the force's HR system below `dir`.
pub(super) fn people(force: &Force, people: &People, dir: &Path) -> Result<Vec<Received>> {
    match force.hr {
        Some(HrSystem::Itrent) => itrent::write(force, people, dir),
        Some(HrSystem::SapHcm) => sap_hcm::write(force, people, dir),
        None => Err(homeless(force)),
    }
}

fn homeless(force: &Force) -> Error {
    Error::internal(format!("force '{}' has no HR system to write its people into", force.code))
}

/// Writes the force's finance system below `dir`.
pub(super) fn ledger(force: &Force, ledger: &Ledger, dir: &Path) -> Result<Vec<Received>> {
    match force.code {
        "beds" => efinancials::write(force, ledger, dir),
        "cambs" => agresso::write(force, ledger, dir),
        _ => oracle_ebs::write(force, ledger, dir),
    }
}

/// The force's duty system, open for rows: too many to hold them all in memory.
pub(super) enum Duties {
    /// CARM, as files or as a database.
    Carm(carm::Carm),
    /// Crown DMS.
    CrownDms(crown_dms::CrownDms),
}

impl Duties {
    /// Starts the force's duty system below `dir`.
    pub(super) fn open(force: &Force, dir: &Path) -> Result<Self> {
        Ok(match force.hr {
            Some(HrSystem::Itrent) => Duties::Carm(carm::Carm::open(force, dir)?),
            Some(HrSystem::SapHcm) => Duties::CrownDms(crown_dms::CrownDms::open(dir)?),
            None => return Err(homeless(force)),
        })
    }

    /// One holder of a collar number.
    pub(super) fn holder(&mut self, holder: &Holder) -> Result<()> {
        match self {
            Duties::Carm(carm) => carm.holder(holder),
            Duties::CrownDms(crown) => crown.holder(holder),
        }
    }

    /// One duty.
    pub(super) fn shift(&mut self, shift: &Shift) -> Result<()> {
        match self {
            Duties::Carm(carm) => carm.shift(shift),
            Duties::CrownDms(crown) => crown.shift(shift),
        }
    }

    /// One overtime claim.
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<()> {
        match self {
            Duties::Carm(carm) => carm.claim(claim),
            Duties::CrownDms(crown) => crown.claim(claim),
        }
    }

    /// Plants the bad rows and closes the system.
    pub(super) fn finish(self) -> Result<Vec<Received>> {
        match self {
            Duties::Carm(carm) => carm.finish(),
            Duties::CrownDms(crown) => crown.finish(),
        }
    }
}
