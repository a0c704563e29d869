//! How a plan becomes rows: on threads of its own, a little ahead of whoever reads them, and once
//! for all who ask the same of the same release.
//!
//! Threads of their own, because a plan computes for milliseconds at a time, and those who ask for
//! something small would wait behind it for every message.

use super::desk::{Desk, Key};
use super::memory::Share;
use super::statement::{self, Planned, Rows};
use crate::error::{Error, Result};
use crate::serve::{fault, wire};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::BatchCoalescer;
use datafusion::arrow::error::ArrowError;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::execute_stream;
use futures::stream;
use futures::{StreamExt, TryStreamExt};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// The largest answer that is kept, and how far a plan runs ahead of a slow reader: whether an answer
/// is to be kept is known before its reader can delay those who wait for it.
const AHEAD_BYTES: usize = 4 << 20;

/// How many rows a batch has at least half of, but for the last: many streams of few rows each make
/// small ones, and each costs a message.
const BATCH_ROWS: usize = 8192;

/// The memory for answers that are kept.
const KEPT_BYTES: u64 = 256 << 20;
/// About how many they are.
const KEPT: usize = 4096;

/// The threads on which plans run.
#[derive(Debug)]
pub(super) struct Workers(Option<Runtime>);

impl Workers {
    pub(super) fn start(threads: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("query")
            .enable_all()
            .build()
            .map_err(|e| Error::internal("the threads for queries cannot be started").because(e))?;
        Ok(Self(Some(runtime)))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // To wait for its threads, as a runtime does that is dropped, is not allowed in another one.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The answers that are kept.
#[derive(Debug)]
pub(super) struct Answers(Cache<Arc<Key>, Known, Weight>);

/// What is known of an answer.
#[derive(Debug, Clone)]
enum Known {
    Whole(Arc<[RecordBatch]>),
    /// It is not kept: each who asks has a run of their own.
    TooLarge,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Arc<Key>, Known> for Weight {
    fn weight(&self, key: &Arc<Key>, known: &Known) -> u64 {
        let rows = match known {
            Known::Whole(batches) => batches.iter().map(RecordBatch::get_array_memory_size).sum(),
            Known::TooLarge => 0,
        };
        (key.text.len() + rows + 512) as u64
    }
}

impl Default for Answers {
    fn default() -> Self {
        Self(Cache::with_weighter(KEPT, KEPT_BYTES, Weight))
    }
}

impl Answers {
    pub(super) fn clear(&self) {
        self.0.clear();
    }

    fn whole(&self, key: &Arc<Key>) -> Option<Arc<[RecordBatch]>> {
        match self.0.get(key)? {
            Known::Whole(batches) => Some(batches),
            Known::TooLarge => None,
        }
    }
}

/// The answer of `planned` for `principal`. Dropping it ends the run.
pub(super) fn rows(desk: &Arc<Desk>, planned: &Arc<Planned>, principal: &str) -> Rows {
    if let Some(batches) = planned.key.as_ref().and_then(|key| desk.answers.whole(key)) {
        return stream::iter((0..batches.len()).map(move |n| Ok(batches[n].clone()))).boxed();
    }
    let (outlet, inlet) = ahead();
    let run =
        Run { desk: Arc::clone(desk), planned: Arc::clone(planned), principal: principal.into(), outlet };
    let mut task = JoinSet::new();
    if let Some(workers) = &desk.workers.0 {
        task.spawn_on(run.answer(), workers.handle());
    }
    follow(inlet, task)
}

/// What comes from `inlet`; the end of the task that sends it tells whether it came to its end.
fn follow(inlet: UnboundedReceiver<Passed>, task: JoinSet<Result<()>>) -> Rows {
    let open = stream::unfold((inlet, task), |(mut inlet, mut task)| async move {
        match inlet.recv().await {
            Some(Passed { batch, .. }) => Some((Ok(batch), (inlet, task))),
            None => match task.join_next().await? {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some((Err(error), (inlet, task))),
                Err(panic) => {
                    let error = Error::internal("the hub could not answer the statement").because(panic);
                    Some((Err(error), (inlet, task)))
                }
            },
        }
    });
    open.boxed()
}

/// A run of a plan.
struct Run {
    desk: Arc<Desk>,
    planned: Arc<Planned>,
    principal: String,
    outlet: Outlet,
}

impl Run {
    /// Sends the answer: the one that is kept, the one that another run is about to make, or its own.
    async fn answer(self) -> Result<()> {
        let known = match &self.planned.key {
            Some(key) => self.desk.answers.0.get_value_or_guard_async(key).await,
            None => Ok(Known::TooLarge),
        };
        match known {
            Ok(Known::Whole(batches)) => {
                for batch in batches.iter() {
                    self.outlet.send(batch.clone()).await;
                }
                Ok(())
            }
            Ok(Known::TooLarge) => self.run(Keeping::nothing()).await,
            Err(guard) => {
                let keep = |known| {
                    // Refused when all has been given up meanwhile; then this is not kept either.
                    guard.insert(known).ok();
                };
                self.run(Keeping { keep: Some(Box::new(keep)), made: Vec::new(), bytes: 0 }).await
            }
        }
    }

    /// Runs the plans, one after the other, in a place of its own.
    async fn run(&self, mut keeping: Keeping<'_>) -> Result<()> {
        let lane = self.desk.lanes.enter(&self.principal).await?;
        let Planned { state, plans, schema, .. } = &*self.planned;
        let shared = state.runtime_env();
        let pool = Share::of(&shared.memory_pool, &lane.usage);
        let runtime = RuntimeEnv { memory_pool: Arc::new(pool), ..RuntimeEnv::clone(shared) };
        let context = Arc::new(TaskContext::from(state).with_runtime(Arc::new(runtime)));
        let work = async {
            let mut gathered = BatchCoalescer::new(Arc::clone(schema), BATCH_ROWS)
                .with_biggest_coalesce_batch_size(Some(BATCH_ROWS / 2));
            for plan in plans {
                let physical = statement::physical(state, plan).await?;
                let rows = execute_stream(physical, Arc::clone(&context)).map_err(|e| fault::running(&e))?;
                let mut rows = rows.map_err(|e| fault::running(&e));
                while let Some(batch) = rows.try_next().await? {
                    gathered.push_batch(wire::conform(&batch, schema)?).map_err(ungathered)?;
                    self.pass(&mut gathered, &mut keeping).await;
                }
            }
            gathered.finish_buffered_batch().map_err(ungathered)?;
            self.pass(&mut gathered, &mut keeping).await;
            keeping.finish();
            Ok(())
        };
        tokio::select! {
            done = work => done,
            () = lane.usage.stop.notified() => Err(Error::query("the statement needs more memory than the hub has")
                .hint("select fewer columns or rows, or group by fewer values")),
        }
    }

    /// Sends the batches that are ready.
    async fn pass(&self, gathered: &mut BatchCoalescer, keeping: &mut Keeping<'_>) {
        while let Some(batch) = gathered.next_completed_batch() {
            keeping.add(&batch);
            self.outlet.send(batch).await;
        }
    }
}

fn ungathered(cause: ArrowError) -> Error {
    Error::internal("the rows of an answer cannot be gathered").because(cause)
}

/// An answer that is to be kept, while it is made.
struct Keeping<'a> {
    keep: Option<Box<dyn FnOnce(Known) + Send + 'a>>,
    made: Vec<RecordBatch>,
    bytes: usize,
}

impl Keeping<'_> {
    fn nothing() -> Self {
        Self { keep: None, made: Vec::new(), bytes: 0 }
    }

    fn add(&mut self, batch: &RecordBatch) {
        if self.keep.is_none() {
            return;
        }
        self.bytes += batch.get_array_memory_size();
        self.made.push(batch.clone());
        if self.bytes > AHEAD_BYTES
            && let Some(keep) = self.keep.take()
        {
            self.made = Vec::new();
            keep(Known::TooLarge);
        }
    }

    fn finish(self) {
        if let Some(keep) = self.keep {
            keep(Known::Whole(self.made.into()));
        }
    }
}

/// A batch on its way, and its room.
struct Passed {
    batch: RecordBatch,
    _room: Option<OwnedSemaphorePermit>,
}

/// Where batches go: as many as have room.
struct Outlet {
    sender: UnboundedSender<Passed>,
    room: Arc<Semaphore>,
}

/// A way for batches that holds [`AHEAD_BYTES`].
fn ahead() -> (Outlet, UnboundedReceiver<Passed>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Outlet { sender, room: Arc::new(Semaphore::new(AHEAD_BYTES)) }, receiver)
}

impl Outlet {
    /// Waits for room. Whoever does not read any more has ended the run, so nobody is told.
    async fn send(&self, batch: RecordBatch) {
        let bytes = batch.get_array_memory_size().min(AHEAD_BYTES);
        let room = Arc::clone(&self.room).acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.sender.send(Passed { batch, _room: room.await.ok() }).ok();
    }
}
