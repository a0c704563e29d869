//! Replaying quarantine: rows that a corrected contract accepts leave it, without the source.

use super::entity::place;
use super::turn::Turn;
use crate::connector::contract::Contract;
use crate::connector::{self, Extract, SourceFile};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::lake::raw::{self, Load, Place};
use crate::landing::{self, Damaged, Landed};
use crate::project::Source;
use std::collections::BTreeMap;

/// What a replay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Rows that were in quarantine.
    pub quarantined: u64,
    /// Rows that left it.
    pub released: u64,
}

/// Checks the quarantined rows of an entity against its contract as it is now, and lands those that
/// keep it. Reads nothing but the lake: the rows as received, or the files that are kept.
pub async fn replay(hub: &Hub, source: &Source, contract: &Contract) -> Result<Replayed> {
    Turn::alone(hub, Box::pin(replayed(hub, source, contract))).await
}

async fn replayed(hub: &Hub, source: &Source, contract: &Contract) -> Result<Replayed> {
    let place = place(source, contract);
    let mut by_load: BTreeMap<(i64, Option<String>), Vec<Damaged>> = BTreeMap::new();
    for row in landing::damaged(&hub.lake, &place).await? {
        by_load.entry((row.load, row.file.clone())).or_default().push(row);
    }
    let loads = raw::loads(&hub.lake, &place, None).await?;
    let mut replayed = Replayed::default();
    for ((load, file), rows) in by_load {
        replayed.quarantined += rows.len() as u64;
        let extract = extract(hub, source, contract, &place, &loads, (load, file), &rows)?;
        let landed = landing::repair(&hub.lake, &place, contract, &rows, extract).await?;
        if let Landed::Load(load) = landed {
            replayed.released += load.accepted_rows;
        }
    }
    Ok(replayed)
}

fn extract(
    hub: &Hub,
    source: &Source,
    contract: &Contract,
    place: &Place,
    loads: &[Load],
    (load, file): (i64, Option<String>),
    rows: &[Damaged],
) -> Result<Extract> {
    let Some(name) = file else {
        let rows = rows.iter().map(|row| (row.row, row.raw.clone())).collect();
        return connector::read_again(source, contract, rows);
    };
    let sha256 = loads.iter().find(|l| l.load == load).and_then(|l| l.sha256.clone()).ok_or_else(|| {
        Error::lake(format!("load {load} does not say which file it read")).at(place.table())
    })?;
    let path = landing::kept(&hub.lake, place, &sha256);
    connector::read_file(source, contract, &SourceFile { name, tag: String::new(), sha256, path })
}
