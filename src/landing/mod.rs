//! 2 LANDING. Appends a load to raw: rows good and bad, control totals and transaction id, in one
//! commit. A crash at any point means that the load happened once or not at all.

mod diff;

use crate::connector::contract::{Contract, Mode};
use crate::connector::{Bytes, Extract, Listed, SourceFile, Totals};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::delta::{Change, Commit, Version};
use crate::lake::raw::{self, Load, Place, RECORDED};
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use diff::Differ;
use futures::{TryStreamExt, stream};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Open rows from which on the share of disappearing rows is guarded; a list of three that loses
/// two is ordinary.
const GUARDED_FROM: u64 = 100;

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
pub async fn land(
    lake: &Lake,
    place: &Place,
    contract: &Contract,
    file: Option<&SourceFile>,
    extract: Extract,
) -> Result<Landed> {
    let table = lake.table(&place.table());
    let open = table.version(None).await?;
    let schema = raw_schema(contract, open.as_ref(), place)?;
    let app = place.table();
    let load = table.transaction(&app, None).await?.unwrap_or(0) + 1;
    let loaded_at = Utc::now();
    let open_rows = raw::open_state(open.as_ref()).await?;
    let mut differ =
        Differ::new(open_rows, extract, Arc::clone(&schema), load, loaded_at, contract.mode.clone());
    let rows = Box::pin(stream::unfold(&mut differ, |differ| async move {
        differ.next().await.map(|batch| (batch, differ))
    }));
    let files = table.write(&schema, None, rows).await?;
    let outcome = differ.finish()?;
    if let Err(refused) = guard(place, contract, &outcome) {
        table.discard(&files).await;
        return Err(refused);
    }
    // Not "the table exists": a crash may have left a table that no load has reached.
    let known = load > 1;
    if files.is_empty() && file.is_none() && known {
        return Ok(Landed::Unchanged { received_rows: outcome.totals.received_rows });
    }
    let load = outcome.load(place, contract, file, load, loaded_at);
    let recorded = serde_json::to_value(&load).map_err(|e| Error::internal("a load's record").because(e))?;
    let commit = Commit {
        change: Change::Append(files),
        transaction: Some((app, load.load)),
        metadata: vec![(RECORDED.to_string(), recorded)],
    };
    table.commit(&schema, false, commit).await?;
    tracing::info!(
        force = place.force,
        source = place.source,
        entity = place.entity,
        rows = load.received_rows,
        "landed"
    );
    Ok(Landed::Load(Box::new(load)))
}

/// What a differ counted.
#[derive(Debug)]
struct Outcome {
    totals: Totals,
    open_before: u64,
    accepted: u64,
    quarantined: u64,
    inserted: u64,
    changed: u64,
    deleted: u64,
    withheld: u64,
}

impl Outcome {
    fn load(
        &self,
        place: &Place,
        contract: &Contract,
        file: Option<&SourceFile>,
        load: i64,
        loaded_at: DateTime<Utc>,
    ) -> Load {
        let sums = self.totals.sums.iter();
        Load {
            load,
            force: place.force.clone(),
            source: place.source.clone(),
            entity: place.entity.clone(),
            loaded_at: loaded_at.timestamp_micros(),
            file: file.map(|f| f.name.clone()),
            sha256: file.map(|f| f.sha256.clone()),
            tag: file.map(|f| f.tag.clone()),
            contract: contract.fingerprint(),
            source_rows: self.totals.source_rows,
            received_rows: self.totals.received_rows,
            accepted_rows: self.accepted,
            quarantined_rows: self.quarantined,
            inserted_rows: self.inserted,
            changed_rows: self.changed,
            deleted_rows: self.deleted,
            withheld_rows: self.withheld,
            sums: sums
                .map(|(column, sum)| (column.clone(), sum.source.clone(), sum.received.clone()))
                .collect(),
        }
    }
}

/// Refuses a load that does not balance, and one that would close too much of what was open.
fn guard(place: &Place, contract: &Contract, outcome: &Outcome) -> Result<()> {
    let received = outcome.totals.received_rows;
    let counted = outcome.accepted + outcome.quarantined;
    if received != counted || outcome.totals.source_rows.is_some_and(|rows| rows != received) {
        let at_source = outcome.totals.source_rows.map_or("not counted".to_string(), |n| n.to_string());
        return Err(Error::contract(format!(
            "the load does not balance: {at_source} rows at the source, {received} received, {counted} accepted or quarantined"
        ))
        .at(format!("{}.{}", place.source, place.entity))
        .hint("pull again; the last good data is kept"));
    }
    let share = outcome.deleted as f64 / (outcome.open_before.max(1)) as f64;
    let emptied = received == 0 && outcome.open_before > 0 && contract.max_drop < 1.0;
    if !emptied && (outcome.open_before < GUARDED_FROM || share <= contract.max_drop) {
        return Ok(());
    }
    let at = format!("{}.{}", place.source, place.entity);
    if !emptied && outcome.deleted == outcome.open_before && outcome.inserted == received {
        return Err(Error::contract("no key of the extract matches a known row")
            .at(at)
            .hint("has the key in the contract changed, or the way the source writes it? the last good data is kept"));
    }
    Err(Error::contract(format!(
        "the source shrank: {} of {} known rows are gone, more than max_drop = {} allows",
        outcome.deleted, outcome.open_before, contract.max_drop
    ))
    .at(at)
    .hint("if they are really gone, set max_drop = 1 in the entity's contract for one run; the last good data is kept"))
}

/// Keeps a file as received, byte for byte, before anything is said about it. The same bytes are
/// kept once.
pub async fn keep(lake: &Lake, place: &Place, file: &Listed, mut bytes: Bytes) -> Result<SourceFile> {
    let folder = format!("files/{}/{}", place.force, place.source);
    let incoming = format!("{folder}/incoming/{:032x}", rand::random::<u128>());
    let mut hash = Sha256::new();
    let mut writer = lake.writer(&incoming);
    while let Some(chunk) = bytes.try_next().await? {
        hash.update(&chunk);
        writer.put(chunk).await?;
    }
    writer.finish().await?;
    let sha256: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = format!("{folder}/{sha256}");
    lake.rename_if_absent(&incoming, &kept).await?;
    let path = lake.root().join(&kept);
    Ok(SourceFile { name: file.name.clone(), tag: file.tag.clone(), sha256, path })
}

/// The columns of a raw table: the hub's own, the contract's, then those that the contract no
/// longer names but older loads carry.
fn raw_schema(contract: &Contract, open: Option<&Version>, place: &Place) -> Result<SchemaRef> {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let errors = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    let mut fields = vec![
        Field::new("_load", DataType::Int64, true),
        Field::new("_row", DataType::Int64, true),
        Field::new("_op", DataType::Utf8, true),
        Field::new("_key_hash", DataType::Binary, true),
        Field::new("_row_hash", DataType::Binary, true),
        Field::new("_loaded_at", instant, true),
        Field::new("_file", DataType::Utf8, true),
        Field::new("_errors", errors, true),
        Field::new("_raw", DataType::Utf8, true),
    ];
    fields.extend(contract.schema().fields().iter().map(|f| f.as_ref().clone()));
    for old in open.iter().flat_map(|version| version.schema.fields()) {
        match fields.iter().find(|f| f.name() == old.name()) {
            None => fields.push(old.as_ref().clone()),
            Some(new) if contract.column(new.name()).is_some() && new.data_type() != old.data_type() => {
                return Err(Error::contract(format!(
                    "column \"{}\" was {} in earlier loads and is {} now",
                    new.name(),
                    old.data_type(),
                    new.data_type()
                ))
                .at(format!("{}.{}", place.source, place.entity))
                .hint("raw is never rewritten: give the column another name in the contract and map it with `from`"));
            }
            Some(_) => {}
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// Whether rows of this mode land only where they differ.
fn lands_differences(mode: &Mode) -> bool {
    match mode {
        Mode::Diff | Mode::Cursor(_) | Mode::Log(_) => true,
        Mode::Replace => false,
    }
}
