//! Whose turn it is: one run at a time works on a lake.
//!
//! A lease in the state database says who; it has an epoch, and it expires when its holder stops
//! renewing it. The lock of a file in the lake, which ends with its process however that ends, says
//! whether a holder on this machine is alive.

use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::state::State;
use crate::state::leases::{Claim, Lease};
use chrono::{DateTime, SecondsFormat, Utc};
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;

/// The name of the lease.
const LEASE: &str = "run";

/// How long a lease holds without being renewed.
const TTL: Duration = Duration::from_secs(60);

/// How many times a lease is renewed before it would expire.
const BEATS: u32 = 4;

/// The right to work on the lake, until [`Turn::end`] or for as long as its owner lives.
#[derive(Debug)]
pub(super) struct Turn {
    state: State,
    lease: Lease,
    /// Held unless the turn was taken from a process that is only asleep.
    lock: Option<File>,
    began: SystemTime,
    beat: JoinHandle<()>,
}

/// Whether it is one's turn.
#[derive(Debug)]
pub(super) enum Asked {
    /// It is.
    Mine(Turn),
    /// Somebody else is at work.
    Taken {
        /// Who, and until when at least; `None` when only the lake's lock tells.
        by: Option<(String, DateTime<Utc>)>,
    },
}

impl Turn {
    /// Takes the turn, or tells that it is another's.
    pub(super) async fn ask(hub: &Hub) -> Result<Asked> {
        let (began, lock) = (SystemTime::now(), lock(hub)?);
        let holder = format!("process {} at {}", std::process::id(), hostname());
        let claim = match (&lock, hub.state.is_local()) {
            // Whoever had the lease on this machine is dead, and nobody elsewhere uses this database.
            (Some(_), true) => Some(hub.state.seize(LEASE, &holder, ttl()).await?),
            // Whoever has the lock is at work, about to seize the lease, or asleep.
            (None, true) => hub.state.take_over(LEASE, &holder, ttl()).await?,
            (_, false) => Some(hub.state.acquire(LEASE, &holder, ttl()).await?),
        };
        let lease = match claim {
            Some(Claim::Held(lease)) => lease,
            Some(Claim::Taken { by, until }) => return Ok(Asked::Taken { by: Some((by, until)) }),
            None => return Ok(Asked::Taken { by: None }),
        };
        if lock.is_none() && !lease.took_over {
            // A hub with another state database, or upkeep, works on the lake.
            hub.state.give_back(lease).await?;
            return Ok(Asked::Taken { by: None });
        }
        let beat = tokio::spawn(beats(hub.state.clone(), lease.clone()));
        Ok(Asked::Mine(Self { state: hub.state.clone(), lease, lock, began, beat }))
    }

    /// The turn, or an error that says who has it.
    pub(super) async fn take(hub: &Hub) -> Result<Self> {
        match Self::ask(hub).await? {
            Asked::Mine(turn) => Ok(turn),
            Asked::Taken { by } => Err(busy(hub, by)),
        }
    }

    /// Does `work` in a turn during which nobody else can be writing, then gives the turn back.
    pub(super) async fn alone<T>(hub: &Hub, work: impl Future<Output = Result<T>>) -> Result<T> {
        let turn = Self::take(hub).await?;
        let done = match turn.abandoned_before() {
            Some(_) => work.await,
            None => Err(busy(hub, None)),
        };
        let given_back = turn.end().await;
        let done = done?;
        given_back.map(|()| done)
    }

    /// Which acquisition of the lease this is.
    pub(super) fn epoch(&self) -> u64 {
        self.lease.epoch
    }

    /// What is older than this and looks abandoned is so and may be deleted: its writer is dead.
    /// `None` while a sleeper may wake up and commit its files. What is younger may be the work of a
    /// run that took this turn over while this process was asleep.
    pub(super) fn abandoned_before(&self) -> Option<SystemTime> {
        self.lock.as_ref().map(|_| self.began)
    }

    /// An error when the turn was taken over while this process was asleep: nothing that it has
    /// made may be published.
    pub(super) async fn still(&self) -> Result<()> {
        let unfenced = fail::eval("plant::no-fence", |_| ()).is_some();
        match self.state.renew(&self.lease, ttl()).await? || unfenced {
            true => Ok(()),
            false => Err(Error::lake(format!(
                "this run's lease (epoch {}) expired and was taken over by another run",
                self.lease.epoch
            ))
            .hint("nothing of this run was published; the other run's release stands")),
        }
    }

    /// Gives the turn back.
    pub(super) async fn end(self) -> Result<()> {
        self.beat.abort();
        self.state.give_back(self.lease.clone()).await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.beat.abort();
    }
}

/// Renews the lease until it is lost.
async fn beats(state: State, lease: Lease) {
    loop {
        tokio::time::sleep(ttl() / BEATS).await;
        match state.renew(&lease, ttl()).await {
            Ok(true) => {}
            Ok(false) => return tracing::warn!(epoch = lease.epoch, "the run's lease was lost"),
            // The database may be back before the lease expires.
            Err(error) => tracing::warn!(%error, "the run's lease was not renewed"),
        }
    }
}

/// An error that says who is at work.
pub(super) fn busy(hub: &Hub, by: Option<(String, DateTime<Utc>)>) -> Error {
    let error = Error::lake("another run is working on this lake").at(lock_file(hub).display());
    error.hint(match by {
        Some((by, until)) => format!(
            "{by} has the lease until {} at least; wait for it to end, `muster runs` shows it",
            until.to_rfc3339_opts(SecondsFormat::Secs, true)
        ),
        None => "wait for it to end; `muster status` shows what is released".to_string(),
    })
}

/// The lake's lock; `None` while another process has it.
fn lock(hub: &Hub) -> Result<Option<File>> {
    let path = lock_file(hub);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let failed = |e| Error::lake("the run's lock cannot be opened").at(path.display()).because(e);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(failed(e)),
    }
}

fn lock_file(hub: &Hub) -> PathBuf {
    hub.lake.root().join(".run.lock")
}

fn hostname() -> String {
    std::fs::read_to_string("/etc/hostname").map_or_else(|_| "this machine".into(), |name| name.trim().into())
}

/// [`TTL`], or less where a test cannot wait.
fn ttl() -> Duration {
    let shorter =
        fail::eval("run::lease", |text| text.and_then(|ms| ms.parse().ok()).map(Duration::from_millis));
    shorter.flatten().unwrap_or(TTL)
}
