//! 2 LANDING. Appends a load to raw: rows good and bad, cursor, control totals and transaction id,
//! in one commit. A crash at any point means that the load happened once or not at all.

mod diff;
mod guard;
mod keep;
mod known;
mod repair;
mod schema;
mod spool;
mod staged;
mod together;

pub use keep::{keep, kept};
pub use repair::{Damaged, damaged, repair};
pub use spool::{Spool, Spooled};
pub use together::land_together;

use crate::connector::contract::{Contract, Mode};
use crate::connector::{self, Extract, SourceFile, Totals};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::delta::{Change, Commit, DataFile, Table};
use crate::lake::raw::{self, Load, LoadFinding, LoadSum, Place, RECORDED};
use chrono::Utc;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use diff::{Differ, Stamp};
use fail::fail_point;
use futures::stream;
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// How often a commit that failed is tried again before the load is given up.
const COMMIT_RETRIES: usize = 2;

/// How much of the source an extract shows, and so what it says of the rows that it does not bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers<'a> {
    /// All of it: rows that are missing are gone.
    Whole,
    /// What has changed since a cursor's value, if it is one: the other rows stay.
    Since(Option<&'a str>),
    /// The rows of the file of this name: those that an earlier version of it had are gone.
    File(&'a str),
    /// Rows of a file that has never been here: the other rows stay.
    New,
}

/// What is to be landed.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// Where to.
    pub place: &'a Place,
    /// What the rows must look like.
    pub contract: &'a Contract,
    /// How much of the source the extract shows.
    pub covers: Covers<'a>,
    /// The file that is read.
    pub file: Option<&'a SourceFile>,
    /// Whether somebody has said that the source may have shrunk.
    pub accept_drop: bool,
}

/// What a pull did.
#[derive(Debug, Clone)]
pub enum Landed {
    /// A commit was made.
    Load(Box<Load>),
    /// The source holds what raw holds; nothing was written.
    Unchanged {
        /// Rows received, all of them known.
        received_rows: u64,
    },
}

/// Lands what `extract` brings. Nothing is written unless the extract reaches its end; the rows
/// become visible in one commit.
pub async fn land(lake: &Lake, task: Task<'_>, extract: Extract) -> Result<Landed> {
    let Task { place, contract, covers, file, .. } = task;
    let table = lake.table(&place.table());
    let open = table.version(None).await?;
    let stamp = Stamp {
        schema: schema::raw_schema(contract, open.as_ref(), place)?,
        load: table.transaction(&place.table(), None).await?.unwrap_or(0) + 1,
        loaded_at: Utc::now(),
    };
    let last = raw::last_load(lake, place).await?;
    let rehash = |batch: &RecordBatch| connector::row_hashes(contract, batch);
    let rehash = is_mixed(contract, last.as_ref()).then_some(&rehash as _);
    let known = known::open_rows(open.as_ref(), contract, &covers, rehash).await?;
    let mut differ = Differ::new(known, extract, stamp.clone(), &contract.mode, &covers).await?;
    fail_point!("land::before-write", |_| Err(Error::lake("failpoint: before the files are written")));
    let rows = Box::pin(stream::unfold(&mut differ, |differ| async move {
        differ.next().await.map(|batch| (batch, differ))
    }));
    let files = table.write(&stamp.schema, None, rows).await?;
    let outcome = differ.finish()?;
    if let Err(refused) = guard::check(&task, &outcome) {
        table.discard(&files).await;
        return Err(refused);
    }
    fail_point!("land::after-files", |_| Err(Error::lake("failpoint: after the files are written")));
    // A sweep that found nothing is worth a record: the next one is due later. So are new findings,
    // and a first load of nothing. Not "the table exists": a crash may have left one that no load has reached.
    let swept = last.is_none() || (contract.mode.cursor().is_some() && covers == Covers::Whole);
    let has_news = last.as_ref().is_none_or(|last| last.findings != outcome.findings());
    if files.is_empty() && file.is_none() && !swept && !has_news {
        return Ok(Landed::Unchanged { received_rows: outcome.totals.received_rows });
    }
    let load = outcome.load(&task, &stamp, last.as_ref());
    commit(&table, &stamp.schema, files, std::slice::from_ref(&load)).await?;
    tracing::info!(
        force = place.force,
        source = place.source,
        entity = place.entity,
        rows = load.received_rows,
        "landed"
    );
    Ok(Landed::Load(Box::new(load)))
}

/// Commits loads, in the order of their numbers, once. An error may mean that the commit was made and
/// its answer lost: what the log says counts, and only loads that are not in it are tried again.
async fn commit(table: &Table, schema: &SchemaRef, files: Vec<DataFile>, loads: &[Load]) -> Result<()> {
    let Some(load) = loads.last() else { return Err(Error::internal("a commit without a load")) };
    let app = Place { force: load.force.clone(), source: load.source.clone(), entity: load.entity.clone() };
    let app = app.table();
    if planted("plant::cursor-first") {
        let ahead = Load { accepted_rows: 0, received_rows: 0, ..load.clone() };
        table.commit(schema, false, record(&[ahead], Vec::new(), None)?).await?;
    }
    let mut attempt = 0;
    loop {
        let made = record(loads, files.clone(), Some((app.clone(), load.load)))?;
        let failed = table.commit(schema, false, made).await.err();
        fail_point!("land::after-commit", |_| Err(Error::lake("failpoint: after the commit")));
        let landed = match planted("plant::skip-transaction-check") {
            true => failed.is_none().then(|| load.id.clone()),
            false => id_of(table, load.load).await?,
        };
        match (landed, failed) {
            (Some(id), _) if id == load.id => return Ok(()),
            (_, Some(error)) if attempt == COMMIT_RETRIES => return Err(error),
            (_, Some(error)) => {
                tracing::info!(table = app, %error, "the commit is tried again");
                tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
                attempt += 1;
            }
            // Not to be discarded: the commit may name the files.
            (None, None) => {
                return Err(Error::lake(format!(
                    "load {} was committed, but the log does not show it",
                    load.load
                ))
                .at(app)
                .hint(
                    "has somebody deleted files of _delta_log? pull again once the log can be read whole",
                ));
            }
            (Some(_), None) => {
                table.discard(&files).await;
                return Err(Error::lake("another pull landed in this table at the same time")
                    .at(app)
                    .hint("nothing of this one was landed: pull again"));
            }
        }
    }
}

fn record(loads: &[Load], files: Vec<DataFile>, transaction: Option<(String, i64)>) -> Result<Commit> {
    let recorded = match loads {
        [load] => serde_json::to_value(load),
        loads => serde_json::to_value(loads),
    };
    let recorded = recorded.map_err(|e| Error::internal("a load's record").because(e))?;
    Ok(Commit {
        change: Change::Append(files),
        transaction,
        metadata: vec![(RECORDED.to_string(), recorded)],
    })
}

/// The id of the load of this number, if the log has one.
async fn id_of(table: &Table, number: i64) -> Result<Option<String>> {
    let number_of = |load: &Value| load.get("load").and_then(Value::as_i64);
    // Numbers only grow: what is older than this load is not read.
    let found = table.recorded_lately(RECORDED, |load| number_of(load) <= Some(number)).await?;
    let found = found.filter(|load| number_of(load) == Some(number));
    Ok(found.and_then(|load| Some(load.get("id")?.as_str()?.to_string())))
}

/// Whether rows of the table that `last` was landed in have other hashes than `contract` makes:
/// those of its loads, or of loads before it, were made under a recipe that this one does not extend.
fn is_mixed(contract: &Contract, last: Option<&Load>) -> bool {
    last.is_some_and(|load| load.mixed || !connector::still_hashed(contract, &load.recipe))
}

/// Whether the tests have planted this mistake, to see that their loops find it.
fn planted(mistake: &str) -> bool {
    fail::eval(mistake, |_| ()).is_some()
}

/// What a differ counted.
#[derive(Debug, Default)]
struct Outcome {
    totals: Totals,
    open_before: u64,
    accepted: u64,
    quarantined: u64,
    inserted: u64,
    changed: u64,
    deleted: u64,
    withheld: u64,
    /// Rows that came into quarantine and that left it.
    into_quarantine: u64,
    out_of_quarantine: u64,
}

impl Outcome {
    fn load(&self, task: &Task<'_>, stamp: &Stamp, last: Option<&Load>) -> Load {
        let Task { place, contract, covers, file, .. } = *task;
        let whole = covers == Covers::Whole;
        let at = stamp.loaded_at.timestamp_micros();
        let high = self.totals.high.clone();
        Load {
            load: stamp.load,
            id: format!("{:032x}", rand::random::<u128>()),
            force: place.force.clone(),
            source: place.source.clone(),
            entity: place.entity.clone(),
            loaded_at: at,
            file: file.map(|f| f.name.clone()),
            sha256: file.map(|f| f.sha256.clone()),
            tag: file.map(|f| f.tag.clone()),
            contract: contract.fingerprint(),
            recipe: connector::recipe(contract),
            mixed: is_mixed(contract, last),
            whole,
            swept_at: if whole { Some(at) } else { last.and_then(|load| load.swept_at) },
            high: high.or_else(|| last.and_then(|load| load.high.clone())),
            source_rows: self.totals.source_rows,
            received_rows: self.totals.received_rows,
            accepted_rows: self.accepted,
            quarantined_rows: self.quarantined,
            in_quarantine_rows: match whole {
                true => self.quarantined,
                false => (last.map_or(0, |load| load.in_quarantine_rows) + self.into_quarantine)
                    .saturating_sub(self.out_of_quarantine),
            },
            inserted_rows: self.inserted,
            changed_rows: self.changed,
            deleted_rows: self.deleted,
            withheld_rows: self.withheld,
            sums: self.sums(),
            findings: self.findings(),
        }
    }

    fn findings(&self) -> Vec<LoadFinding> {
        let finding = |found: &connector::Finding| LoadFinding {
            code: found.matter.as_str().to_string(),
            column: found.column.clone(),
            rows: found.rows,
            message: found.message.clone(),
        };
        self.totals.findings.iter().map(finding).collect()
    }

    fn sums(&self) -> Vec<LoadSum> {
        let sum = |(column, sum): (&String, &connector::Sum)| LoadSum {
            column: column.clone(),
            source: sum.source.clone(),
            received: sum.received.clone(),
            accepted: sum.accepted.clone(),
        };
        self.totals.sums.iter().map(sum).collect()
    }
}

/// Deletes what unfinished pulls of a source left before `before`: files half received, and rows
/// that were written and never committed. For whoever knows that those pulls are dead.
pub fn tidy(lake: &Lake, force: &str, source: &str, before: SystemTime) -> Result<()> {
    lake.clear(&keep::incoming(force, source), before)?;
    for table in lake.tables_below(&format!("raw/{force}/{source}"))? {
        lake.table(&table).clear_orphans(before)?;
    }
    Ok(())
}

/// Whether a file that is read in this mode shows all of the source, only itself, or changes.
pub fn covered<'a>(mode: &Mode, file: &'a str) -> Covers<'a> {
    match mode {
        Mode::Diff | Mode::Replace => Covers::Whole,
        Mode::Cursor(_) => Covers::Since(None),
        Mode::Log(_) => Covers::File(file),
    }
}
