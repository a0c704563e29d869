//! Landing many small files of a log in one commit: a commit costs as much as reading ten of them.
//!
//! Each file is a load of its own, counted, checked and recorded as if it had come alone. They are
//! landed all or none; whoever finds that one of them cannot be landed lands them one by one.

use super::diff::{Differ, Stamp};
use super::known::{self, Known, OpenRows};
use super::{Covers, Outcome, Task, commit, guard, is_mixed, schema};
use crate::connector::{self, Extract, SourceFile};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::raw::{self, Load};
use chrono::Utc;
use datafusion::arrow::record_batch::RecordBatch;
use fail::fail_point;
use futures::stream;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many files are read ahead of the one whose rows are compared.
const AHEAD: usize = 2;

/// Lands files of one log that have never been landed, none of which may hold what another one does
/// byte for byte; `open` starts to read one. The tasks differ in their files only. `None`, and
/// nothing is landed, when more is known than can be compared in memory.
///
/// An error is that of the first file that cannot be landed, and nothing is landed.
pub async fn land_together<'t>(
    lake: &Lake,
    tasks: &'t [Task<'t>],
    open: impl Fn(&SourceFile) -> Result<Extract> + Send,
) -> Result<Option<Vec<Load>>> {
    let Some(Task { place, contract, .. }) = tasks.first() else { return Ok(Some(Vec::new())) };
    let table = lake.table(&place.table());
    let version = table.version(None).await?;
    let last = raw::last_load(lake, place).await?;
    let rehash = |batch: &RecordBatch| connector::row_hashes(contract, batch);
    let rehash = is_mixed(contract, last.as_ref()).then_some(&rehash as _);
    let known = match known::open_rows(version.as_ref(), contract, &Covers::New, rehash).await? {
        OpenRows::Memory(known) => known,
        OpenRows::Shards(_) => return Ok(None),
    };
    let stamp = Stamp {
        schema: schema::raw_schema(contract, version.as_ref(), place)?,
        load: table.transaction(&place.table(), None).await?.unwrap_or(0),
        loaded_at: Utc::now(),
    };
    let schema = Arc::clone(&stamp.schema);
    fail_point!("land::before-write", |_| Err(Error::lake("failpoint: before the files are written")));
    let mut joint = Joint {
        tasks,
        open,
        next: 0,
        ahead: VecDeque::new(),
        stamp,
        at: At::Between(known),
        done: Vec::new(),
    };
    let rows = Box::pin(stream::unfold(&mut joint, |joint| async move {
        joint.next().await.map(|batch| (batch, joint))
    }));
    let files = table.write(&schema, None, rows).await?;
    if let Err(refused) = joint.done.iter().try_for_each(|(task, _, outcome)| guard::check(task, outcome)) {
        table.discard(&files).await;
        return Err(refused);
    }
    fail_point!("land::after-files", |_| Err(Error::lake("failpoint: after the files are written")));
    let mut loads: Vec<Load> = Vec::with_capacity(tasks.len());
    for (task, stamp, outcome) in &joint.done {
        loads.push(outcome.load(task, stamp, loads.last().or(last.as_ref())));
    }
    commit(&table, &schema, files, &loads).await?;
    let rows: u64 = loads.iter().map(|load| load.received_rows).sum();
    let (force, source, entity) = (&place.force, &place.source, &place.entity);
    tracing::info!(force, source, entity, files = loads.len(), rows, "landed");
    Ok(Some(loads))
}

/// The rows of all files, one file after the other.
struct Joint<'t, O> {
    tasks: &'t [Task<'t>],
    open: O,
    /// The file that is opened next.
    next: usize,
    /// Files that are being read.
    ahead: VecDeque<Extract>,
    /// That of the newest load that has begun.
    stamp: Stamp,
    at: At<'t>,
    /// What was counted of the files that are through.
    done: Vec<(&'t Task<'t>, Stamp, Outcome)>,
}

enum At<'t> {
    /// Between two files, with what is known there.
    Between(Known),
    /// In a file.
    In(Box<Differ<'t>>),
    /// Behind an error.
    Lost,
}

impl<'t, O: Fn(&SourceFile) -> Result<Extract>> Joint<'t, O> {
    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        loop {
            let step = match std::mem::replace(&mut self.at, At::Lost) {
                At::Lost => return None,
                At::Between(known) => match self.begin(known).await {
                    Ok(None) => return None,
                    Ok(Some(differ)) => Ok(At::In(differ)),
                    Err(error) => Err(error),
                },
                At::In(mut differ) => match differ.next().await {
                    Some(Ok(rows)) => {
                        self.at = At::In(differ);
                        return Some(Ok(rows));
                    }
                    Some(Err(error)) => Err(error),
                    None => self.end(differ).map(At::Between),
                },
            };
            match step {
                Ok(at) => self.at = at,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Begins the next file; `None` when there is none.
    async fn begin(&mut self, known: Known) -> Result<Option<Box<Differ<'t>>>> {
        while self.ahead.len() < AHEAD
            && let Some(task) = self.tasks.get(self.next)
        {
            let file = task.file.ok_or_else(|| Error::internal("a task without a file"))?;
            self.ahead.push_back((self.open)(file)?);
            self.next += 1;
        }
        let (Some(extract), Some(task)) = (self.ahead.pop_front(), self.tasks.get(self.done.len())) else {
            return Ok(None);
        };
        self.stamp = Stamp { load: self.stamp.load + 1, loaded_at: Utc::now(), ..self.stamp.clone() };
        let (known, mode) = (OpenRows::Memory(known), &task.contract.mode);
        let differ = Differ::new(known, extract, self.stamp.clone(), mode, &Covers::New).await?;
        Ok(Some(Box::new(differ)))
    }

    fn end(&mut self, differ: Box<Differ<'_>>) -> Result<Known> {
        let (outcome, known) = differ.hand_on()?;
        self.done.push((&self.tasks[self.done.len()], self.stamp.clone(), outcome));
        Ok(known)
    }
}
