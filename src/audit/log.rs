//! Many statements, one commit: what they write at once is appended together and made durable
//! together, by one thread.

use super::chain::Head;
use super::entry::{Ended, Event, Outcome, Query, now};
use super::writer::{Locked, Writer};
use crate::error::{Error, Result};
use crate::state::State;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, WeakUnboundedSender};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{sleep, timeout};

/// A file of the record that has grown to this is followed by another.
const SEGMENT_BYTES: u64 = 64 << 20;

/// The most lines of one commit.
const MOST_LINES: usize = 1024;

/// How many statements may wait for their record. A statement takes 130 KiB at most.
const MOST_WAITING: usize = 1024;

/// How long a statement waits for its record: the disk may be slow, or another process may hold
/// the lock.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the newest line is kept in the state database.
const ANCHOR_EVERY: Duration = Duration::from_secs(1);

/// The record of reads of one lake. Cheap to clone. Opens nothing before the first statement.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    segment_bytes: u64,
    state: State,
    /// Tells the heads of this opening from those of others.
    writer: String,
    waiting: Semaphore,
    jobs: Mutex<Option<UnboundedSender<Job>>>,
}

/// Why a line could not be written; many may have waited for it.
type Failure = Arc<io::Error>;

type Answer<T> = oneshot::Sender<Result<T, Failure>>;

enum Job {
    /// To be durable before it is answered. Whoever asked may have gone away by then: the statement
    /// is dropped with the answer, which ends it.
    Begin {
        event: String,
        open: Open,
        answer: Answer<Open>,
    },
    End {
        event: String,
        answer: Option<Answer<()>>,
    },
    /// Asks for the newest line, durable.
    Sync {
        answer: Answer<Head>,
    },
}

impl Log {
    /// The record in `folder`, whose heads are kept in `state`.
    pub fn new(folder: PathBuf, state: State) -> Self {
        Self::with_segments(folder, state, SEGMENT_BYTES)
    }

    /// The same in files of about so many bytes.
    pub fn with_segments(folder: PathBuf, state: State, segment_bytes: u64) -> Self {
        let writer = format!("{:016x}", rand::random::<u64>());
        let (waiting, jobs) = (Semaphore::new(MOST_WAITING), Mutex::default());
        Self { shared: Arc::new(Shared { folder, segment_bytes, state, writer, waiting, jobs }) }
    }

    /// Where the record is.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Records that a statement is about to run; it is durable when this returns. Without this
    /// record it must not run.
    pub async fn begin(&self, query: &Query) -> Result<Open> {
        let event = Event::begin(query).json()?;
        let began = Instant::now();
        let begun = async {
            let _permit = self.shared.waiting.acquire().await.map_err(io::Error::other)?;
            let jobs = self.jobs()?;
            let (answer, answered) = oneshot::channel();
            let open = Open { jobs: jobs.clone(), seq: None, began };
            jobs.send(Job::Begin { event, open, answer }).map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        };
        let begun = timeout(PATIENCE, begun).await.unwrap_or_else(|_| Err(late()));
        begun.map_err(|cause| {
            Error::internal("the statement was refused because it cannot be recorded")
                .hint("check that the folder \"audit\" of the lake can be written and that its disk is not full")
                .because(cause)
        })
    }

    /// Keeps the newest line in the state database, so that it shows if the record is cut off
    /// before it. Does nothing when nothing was recorded. To be called before a process exits;
    /// while it lives this happens about once a second.
    pub async fn anchor(&self) {
        let jobs = self.lock().clone();
        if let Some(jobs) = jobs {
            self.shared.anchor(&jobs).await;
        }
    }

    /// Starts the thread that writes, once.
    fn jobs(&self) -> Result<UnboundedSender<Job>, Failure> {
        let mut started = self.lock();
        if let Some(jobs) = &*started {
            return Ok(jobs.clone());
        }
        let (jobs, received) = mpsc::unbounded_channel();
        let writer = Writer::new(self.shared.folder.clone(), self.shared.segment_bytes);
        let written = Arc::new(Notify::new());
        let heard = Arc::clone(&written);
        let thread = std::thread::Builder::new().name("audit".into());
        thread.spawn(move || work(writer, received, &written)).map_err(Arc::new)?;
        tokio::spawn(keep_anchoring(Arc::downgrade(&self.shared), jobs.downgrade(), heard));
        Ok(started.insert(jobs).clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<UnboundedSender<Job>>> {
        self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("folder", &self.shared.folder).finish_non_exhaustive()
    }
}

impl Shared {
    async fn anchor(&self, jobs: &UnboundedSender<Job>) {
        let (answer, answered) = oneshot::channel();
        jobs.send(Job::Sync { answer }).ok();
        // What cannot be written has been said where it was tried.
        let Ok(Ok(head)) = answered.await else { return };
        if head == Head::START {
            return;
        }
        if let Err(error) = self.state.keep_head(&self.writer, head.seq, &head.hash.to_string()).await {
            tracing::warn!(%error, "the newest line of the record of reads is not kept");
        }
    }
}

/// Keeps heads in the state database until the log is dropped.
async fn keep_anchoring(
    shared: std::sync::Weak<Shared>,
    jobs: WeakUnboundedSender<Job>,
    written: Arc<Notify>,
) {
    loop {
        written.notified().await;
        sleep(ANCHOR_EVERY).await;
        let (Some(shared), Some(jobs)) = (shared.upgrade(), jobs.upgrade()) else { return };
        shared.anchor(&jobs).await;
    }
}

/// A statement that has been recorded and has not ended. Dropping it records that it was cancelled.
pub struct Open {
    jobs: UnboundedSender<Job>,
    /// The number of its line: there is one, and its end has not been sent.
    seq: Option<u64>,
    began: Instant,
}

impl Open {
    /// The number of its line in the record.
    pub fn seq(&self) -> u64 {
        self.seq.unwrap_or_default()
    }

    /// Completes the record. It is written when this returns, but not durable: a crash of the
    /// machine leaves a statement without an end.
    pub async fn end(mut self, outcome: Outcome, rows: u64, bytes: u64) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.send(outcome, rows, bytes, Some(answer))?;
        let written =
            timeout(PATIENCE, answered).await.map_or_else(|_| Err(late()), |got| got.map_err(|_| gone())?);
        written.map_err(|cause| {
            Error::internal("the end of the statement cannot be recorded")
                .hint("check that the folder \"audit\" of the lake can be written and that its disk is not full")
                .because(cause)
        })
    }

    /// Completes the record of a statement whose client went away; waits for nothing.
    pub fn abandon(mut self, rows: u64, bytes: u64) {
        self.cancelled(rows, bytes);
    }

    fn cancelled(&mut self, rows: u64, bytes: u64) {
        if let Err(error) = self.send(Outcome::Cancelled, rows, bytes, None) {
            tracing::error!(%error, "cancelled statement not recorded");
        }
    }

    fn send(&mut self, outcome: Outcome, rows: u64, bytes: u64, answer: Option<Answer<()>>) -> Result<()> {
        let Some(of) = self.seq.take() else { return Ok(()) };
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let event = Event::end(of, Ended { at: now(), outcome, rows, bytes, micros }).json()?;
        // Without a thread the answer is dropped as well, which its receiver takes for an error.
        self.jobs.send(Job::End { event, answer }).ok();
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.cancelled(0, 0);
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("seq", &self.seq).finish_non_exhaustive()
    }
}

/// Writes until nobody can send any more.
fn work(mut writer: Writer, mut jobs: UnboundedReceiver<Job>, written: &Notify) {
    let mut batch = Vec::new();
    while jobs.blocking_recv_many(&mut batch, MOST_LINES) > 0 {
        let is_news = !batch.iter().all(|job| matches!(job, Job::Sync { .. }));
        let mut parts = Parts::default();
        batch.drain(..).for_each(|job| parts.add(job));
        match writer.lock() {
            Ok(locked) => parts.write(locked),
            Err(error) => parts.fail(error),
        }
        if is_news {
            written.notify_one();
        }
    }
    written.notify_one();
}

/// What is written together.
#[derive(Default)]
struct Parts {
    ends: Vec<(String, Option<Answer<()>>)>,
    begins: Vec<(String, Open, Answer<Open>)>,
    syncs: Vec<Answer<Head>>,
}

impl Parts {
    fn add(&mut self, job: Job) {
        match job {
            Job::End { event, answer } => self.ends.push((event, answer)),
            Job::Begin { event, open, answer } => self.begins.push((event, open, answer)),
            Job::Sync { answer } => self.syncs.push(answer),
        }
    }

    /// The ends go first: nobody who waits for one waits for the disk.
    fn write(self, mut locked: Locked<'_>) {
        let ended = locked.append(self.ends.iter().map(|(event, _)| event.as_str())).map_err(shared);
        for answer in self.ends.into_iter().filter_map(|(_, answer)| answer) {
            answer.send(ended.clone()).ok();
        }
        let first = locked.head().seq + 1;
        let durable = match self.begins.is_empty() && self.syncs.is_empty() {
            true => Ok(()),
            false => {
                locked.append_durably(self.begins.iter().map(|(event, ..)| event.as_str())).map_err(shared)
            }
        };
        let head = locked.head();
        drop(locked);
        for (seq, (_, mut open, answer)) in (first..).zip(self.begins) {
            let begun = durable.clone().map(|()| {
                open.seq = Some(seq);
                open
            });
            answer.send(begun).ok();
        }
        for answer in self.syncs {
            answer.send(durable.clone().map(|()| head)).ok();
        }
    }

    fn fail(self, error: io::Error) {
        let failure = shared(error);
        for answer in self.ends.into_iter().filter_map(|(_, answer)| answer) {
            answer.send(Err(Arc::clone(&failure))).ok();
        }
        for (_, _, answer) in self.begins {
            answer.send(Err(Arc::clone(&failure))).ok();
        }
        for answer in self.syncs {
            answer.send(Err(Arc::clone(&failure))).ok();
        }
    }
}

/// Says once what went wrong for all who waited.
fn shared(error: io::Error) -> Failure {
    tracing::error!(%error, "the record of reads cannot be written");
    Arc::new(error)
}

fn gone() -> Failure {
    Arc::new(io::Error::other("the writer of the record has ended"))
}

fn late() -> Failure {
    Arc::new(io::Error::new(io::ErrorKind::TimedOut, "the record was not written in time"))
}
