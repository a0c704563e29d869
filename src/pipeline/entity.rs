//! Pulling one entity: which part of it to read, and landing that.

use super::pull::{Pull, Wish};
use super::{files, queue};
use crate::connector::contract::{Contract, Mode};
use crate::connector::{self, Listed, Offer, Session, Span};
use crate::error::{Kind, Result};
use crate::lake::raw::{self, Load, Place};
use crate::landing::{self, Covers, Landed, Task};
use crate::project::Source;
use chrono::{SecondsFormat, TimeDelta, Utc};
use tracing::{Instrument, info_span};

/// What pulling one entity brought.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    /// Rows received.
    pub(super) rows: u64,
    /// Those that break their contract.
    pub(super) quarantined: u64,
    /// Whether anything was landed.
    pub(super) landed: bool,
    /// What somebody should know, in words: files passed over, files still arriving.
    pub(super) notes: Vec<String>,
    /// How many findings its loads have; the first ones are noted.
    findings: usize,
}

/// How many findings the notes name; the others are counted.
const NOTED_FINDINGS: usize = 10;

impl Pulled {
    /// Notes what was found about a load.
    fn found(&mut self, load: &Load) {
        for finding in &load.findings {
            self.findings += 1;
            if self.findings <= NOTED_FINDINGS {
                let file = load.file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
                self.notes.push(format!("{file}{finding}"));
            }
        }
    }

    pub(super) fn add(&mut self, landed: Landed) -> Option<Load> {
        match landed {
            Landed::Load(load) => {
                self.found(&load);
                self.rows += load.received_rows;
                self.quarantined += load.quarantined_rows;
                self.landed = true;
                Some(*load)
            }
            Landed::Unchanged { received_rows } => {
                self.rows += received_rows;
                None
            }
        }
    }
}

/// Where raw keeps the entity.
pub(super) fn place(source: &Source, contract: &Contract) -> Place {
    Place { force: source.force.clone(), source: source.name.clone(), entity: contract.entity.clone() }
}

pub(super) fn landing_of(place: &Place) -> tracing::Span {
    let Place { force, source, entity } = place;
    info_span!("land", muster.force = force, muster.source = source, muster.entity = entity)
}

/// Lands what is news of an entity.
pub(super) async fn pull(
    pull: &Pull<'_>,
    source: &Source,
    contract: &Contract,
    session: &mut Session,
) -> Result<Pulled> {
    let mut pulled = match session.offers(contract).await? {
        Offer::Table => table(pull, source, contract, session).await?,
        Offer::Answer if contract.is_queue() => queue::pull(pull, source, contract, session).await?,
        Offer::Answer => answer(pull, source, contract, session).await?,
        Offer::Files { ready, arriving } => {
            let mut pulled = files::pull(pull, source, contract, session, ready).await?;
            if !arriving.is_empty() {
                pulled.notes.push(format!("still arriving: {}", arriving.join(", ")));
            }
            pulled
        }
    };
    if pulled.findings > NOTED_FINDINGS {
        let more = pulled.findings - NOTED_FINDINGS;
        pulled.notes.push(format!("{more} more findings are in hub.findings"));
    }
    Ok(pulled)
}

async fn table(
    pull: &Pull<'_>,
    source: &Source,
    contract: &Contract,
    session: &mut Session,
) -> Result<Pulled> {
    let place = place(source, contract);
    let last = raw::last_load(&pull.hub.lake, &place).await?;
    let span = span(source, contract, &pull.wish, last.as_ref())?;
    let extract = session.read(contract, &span).await?;
    let covers = covered(&span, &contract.mode);
    let accept_drop = pull.wish.accept_drop;
    let task = Task { place: &place, contract, covers, file: None, accept_drop };
    let mut pulled = Pulled::default();
    let landed = match landing::land(&pull.hub.lake, task, extract).instrument(landing_of(&place)).await {
        // What was never there is not missing.
        Err(error) if error.kind() == Kind::Absent && contract.optional && last.is_none() => {
            return Ok(pulled);
        }
        landed => landed?,
    };
    let load = pulled.add(landed);
    let changed = load.map_or(0, |load| load.changed_rows);
    if changed > 0 && matches!(contract.mode, Mode::Log(_)) {
        pulled.notes.push(format!("{changed} rows of a log were changed at the source"));
    }
    Ok(pulled)
}

/// Asks for rows and receives the answer like a file.
async fn answer(
    pull: &Pull<'_>,
    source: &Source,
    contract: &Contract,
    session: &mut Session,
) -> Result<Pulled> {
    let place = place(source, contract);
    let lake = &pull.hub.lake;
    let last = raw::last_load(lake, &place).await?;
    let span = span(source, contract, &pull.wish, last.as_ref())?;
    let tag = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let name = format!("{}-{}.json", contract.entity, tag.replace(['-', ':'], ""));
    let bytes = session.ask(contract, &span).await?;
    let file = landing::keep(lake, &place, &Listed { name, size: 0, tag }, bytes).await?;
    let mut pulled = Pulled::default();
    let is_same = |last: &Load| {
        last.sha256.as_deref() == Some(file.sha256.as_str()) && last.contract == contract.fingerprint()
    };
    // That a sweep has brought nothing new is worth a record: the next one is due later.
    let is_sweep = span == Span::Whole && contract.mode.cursor().is_some();
    if last.as_ref().is_some_and(is_same) && !is_sweep {
        return Ok(pulled);
    }
    let extract = connector::read_file(source, contract, &file)?;
    let covers = covered(&span, &contract.mode);
    let task =
        Task { place: &place, contract, covers, file: Some(&file), accept_drop: pull.wish.accept_drop };
    pulled.add(landing::land(lake, task, extract).instrument(landing_of(&place)).await?);
    Ok(pulled)
}

/// What is known of the rows that do not come when those of `span` are read.
fn covered<'s>(span: &'s Span, mode: &Mode) -> Covers<'s> {
    match (span, mode) {
        (Span::Since(low) | Span::Between(low, _), _) => Covers::Since(Some(low)),
        // A journal that is trimmed at its source stays whole here; without a cursor, each answer
        // holds changes.
        (Span::Whole, Mode::Log(_) | Mode::Cursor(None)) => Covers::Since(None),
        (Span::Whole, Mode::Diff | Mode::Replace | Mode::Cursor(Some(_))) => Covers::Whole,
    }
}

/// Which rows to read.
fn span(source: &Source, contract: &Contract, wish: &Wish, last: Option<&Load>) -> Result<Span> {
    span_of(contract, wish, last).map_err(|error| error.at(format!("{}.{}", source.name, contract.entity)))
}

fn span_of(contract: &Contract, wish: &Wish, last: Option<&Load>) -> Result<Span> {
    let Some(cursor) = contract.mode.cursor() else { return Ok(Span::Whole) };
    if wish.full {
        return Ok(Span::Whole);
    }
    let regular =
        |load: &Load| load.high.as_ref().map(|high| connector::lowered(high, cursor.lag)).transpose();
    if let Some((from, to)) = &wish.between {
        let (from, to) = (connector::bound(contract, from)?, connector::upper_bound(contract, to)?);
        return Ok(Span::Between(from, to));
    }
    if let Some(since) = &wish.since {
        let since = connector::bound(contract, since)?;
        // The next pull goes on from this one's end: what lies before its start must have been read.
        return Ok(Span::Since(match last.map(regular).transpose()?.flatten() {
            Some(start) => connector::earlier(contract, since, start)?,
            None => since,
        }));
    }
    let Some(last) = last else { return Ok(Span::Whole) };
    let swept = last.swept_at.and_then(chrono::DateTime::from_timestamp_micros);
    let due = |every: std::time::Duration| {
        let every = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
        swept.is_none_or(|at| Utc::now().signed_duration_since(at) >= every)
    };
    Ok(match regular(last)? {
        Some(start) if !cursor.sweep.is_some_and(due) => Span::Since(start),
        Some(_) | None => Span::Whole,
    })
}
