//! Refuses a load that does not balance, and one that would close too much of what was open.

use super::{Covers, Outcome, Task};
use crate::error::{Error, Result};

/// Open rows from which on the share of disappearing rows is guarded; a list of three that loses
/// two is ordinary.
const GUARDED_FROM: u64 = 100;

/// An error when the load may not be committed.
pub(super) fn check(task: &Task<'_>, outcome: &Outcome) -> Result<()> {
    balance(outcome)
        .and_then(|()| quality(task, outcome))
        .and_then(|()| size(task, outcome))
        .map_err(|error| error.at(format!("{}.{}", task.place.source, task.place.entity)))
}

fn balance(outcome: &Outcome) -> Result<()> {
    let received = outcome.totals.received_rows;
    let counted = outcome.accepted + outcome.quarantined;
    if received == counted && outcome.totals.source_rows.is_none_or(|rows| rows == received) {
        return Ok(());
    }
    let at_source = outcome.totals.source_rows.map_or("not counted".to_string(), |n| n.to_string());
    Err(Error::contract(format!(
        "the load does not balance: {at_source} rows at the source, {received} received, {counted} accepted or quarantined"
    ))
    .hint("pull again; the last good data is kept"))
}

fn quality(task: &Task<'_>, outcome: &Outcome) -> Result<()> {
    let (bad, received, most) = (outcome.quarantined, outcome.totals.received_rows, task.contract.max_bad);
    if bad as f64 <= most * received as f64 {
        return Ok(());
    }
    let message = format!("{bad} of {received} rows break their contract, more than max_bad = {most} allows");
    Err(Error::contract(message).hint(
        "nothing was landed; `muster check --source` tells how the source differs from the contract, and a \
         higher max_bad lands the rows into quarantine, where each has its reasons",
    ))
}

fn size(task: &Task<'_>, outcome: &Outcome) -> Result<()> {
    const ACCEPT: &str = "if that is right, pull once with --accept-drop; the last good data is kept";
    let contract = task.contract;
    let received = outcome.totals.received_rows;
    let is_part = matches!(task.covers, Covers::Since(_));
    if task.accept_drop || (is_part && outcome.totals.alive.is_none()) {
        return Ok(());
    }
    if received < contract.min_rows && !is_part {
        let message = format!(
            "the source has {received} rows, fewer than min_rows = {} of its contract",
            contract.min_rows
        );
        return Err(Error::contract(message).hint(ACCEPT));
    }
    let share = outcome.deleted as f64 / (outcome.open_before.max(1)) as f64;
    let emptied = received == 0 && !is_part && outcome.open_before > 0 && contract.max_drop < 1.0;
    if !emptied && (outcome.open_before < GUARDED_FROM || share <= contract.max_drop) {
        return Ok(());
    }
    if !emptied && outcome.deleted == outcome.open_before && outcome.inserted == received {
        return Err(Error::contract("no key of the extract matches a known row").hint(
            "has the key in the contract changed, or the way the source writes it? if that is right, pull once with --accept-drop; the last good data is kept",
        ));
    }
    Err(Error::contract(format!(
        "the source shrank: {} of {} known rows are gone, more than max_drop = {} allows",
        outcome.deleted, outcome.open_before, contract.max_drop
    ))
    .hint(ACCEPT))
}
