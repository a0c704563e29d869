//! How many statements run at the same time: for one principal, so that none takes all, and for
//! the hub. The others wait in line, and when the line is long they are told to come back.

use crate::error::{Error, Result};
use crate::project;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// How long a statement waits for its turn: as long as people wait before they ask what is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much may go on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Statements of one principal that run.
    pub(super) own: usize,
    /// Statements that run.
    pub(super) all: usize,
    /// Statements of one principal that wait for their turn.
    pub(super) own_waiting: usize,
    /// Statements that wait for their turn.
    pub(super) all_waiting: usize,
    /// How long a statement waits.
    pub(super) patience: Duration,
}

impl From<project::Limits> for Limits {
    fn from(given: project::Limits) -> Self {
        Self {
            own: given.statements_per_user,
            all: given.statements,
            own_waiting: given.waiting.div_ceil(4),
            all_waiting: given.waiting,
            patience: PATIENCE,
        }
    }
}

/// Plans that are made at the same time, for each core: planning waits for files now and then.
const PLANNERS_PER_CORE: usize = 2;

/// The places for statements that are planned, and for those that run.
#[derive(Debug)]
pub(super) struct Lanes {
    limits: Limits,
    planners: Semaphore,
    planning: AtomicUsize,
    all: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Names of principals come from the project, so there are few.
    own: Mutex<HashMap<String, Own>>,
    running: Arc<Running>,
    is_closed: AtomicBool,
}

#[derive(Debug, Clone)]
struct Own {
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    planning: Arc<AtomicUsize>,
}

/// The statements that run.
#[derive(Debug, Default)]
struct Running {
    next: AtomicUsize,
    by_number: Mutex<BTreeMap<usize, Arc<Use>>>,
}

/// What a statement that runs uses.
#[derive(Debug, Default)]
pub(super) struct Use {
    /// The bytes that it has reserved.
    pub(super) reserved: AtomicUsize,
    /// Tells it to stop, because the process needs its memory.
    pub(super) stop: Notify,
}

/// A place, given back when dropped.
pub(super) struct Lane {
    /// What the statement in it uses.
    pub(super) usage: Arc<Use>,
    number: usize,
    running: Arc<Running>,
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Lanes {
    pub(super) fn new(limits: Limits) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            limits,
            planners: Semaphore::new(cores * PLANNERS_PER_CORE),
            planning: AtomicUsize::new(0),
            all: Arc::new(Semaphore::new(limits.all)),
            waiting: Arc::default(),
            own: Mutex::default(),
            running: Arc::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Waits for a turn to plan, in order, so that a storm of statements delays each a little. An error
    /// when the line is full.
    pub(super) async fn plan(&self, principal: &str) -> Result<SemaphorePermit<'_>> {
        let own = self.own(principal);
        let _own = Waiting::stand(&own.planning, self.limits.own_waiting)?;
        let _all = Waiting::stand(&self.planning, self.limits.all_waiting)?;
        self.planners.acquire().await.map_err(|_| full())
    }

    /// Waits in line for a place. An error when the line is full, when the wait is long, or while the
    /// process has no memory to give.
    pub(super) async fn enter(&self, principal: &str) -> Result<Lane> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Error::busy("the hub has no memory for another statement at the moment")
                .hint("try again in a few seconds"));
        }
        let Limits { own_waiting, all_waiting, patience, .. } = self.limits;
        let own = self.own(principal);
        // The own place first: who waits for it must not hold one that others could use.
        let places = async {
            let mine = Waiting::stand(&own.waiting, own_waiting)?;
            let place = Arc::clone(&own.places).acquire_owned().await.map_err(|_| full())?;
            drop(mine);
            let line = Waiting::stand(&self.waiting, all_waiting)?;
            let everyone = Arc::clone(&self.all).acquire_owned().await.map_err(|_| full())?;
            drop(line);
            Ok::<_, Error>((place, everyone))
        };
        let (own, all) = timeout(patience, places).await.map_err(|_| full())??;
        let (usage, running) = (Arc::<Use>::default(), Arc::clone(&self.running));
        let number = running.next.fetch_add(1, Ordering::Relaxed);
        running.lock().insert(number, Arc::clone(&usage));
        Ok(Lane { usage, number, running, _own: own, _all: all })
    }

    /// Lets no further statement in, or lets them in again.
    pub(super) fn close(&self, is_closed: bool) {
        self.is_closed.store(is_closed, Ordering::Relaxed);
    }

    /// Stops the statement that has reserved the most memory; the bytes, if there is one.
    pub(super) fn stop_largest(&self) -> Option<usize> {
        let running = self.running.lock();
        let largest = running.values().max_by_key(|usage| usage.reserved.load(Ordering::Relaxed))?;
        largest.stop.notify_one();
        Some(largest.reserved.load(Ordering::Relaxed))
    }

    fn own(&self, principal: &str) -> Own {
        let mut lanes = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Own {
            places: Arc::new(Semaphore::new(self.limits.own)),
            waiting: Arc::default(),
            planning: Arc::default(),
        };
        lanes.entry(principal.into()).or_insert_with(make).clone()
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<Use>>> {
        self.by_number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.running.lock().remove(&self.number);
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("usage", &self.usage).finish_non_exhaustive()
    }
}

/// One who stands in a line, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn stand(line: &'a AtomicUsize, most: usize) -> Result<Self> {
        let waiting = Self(line);
        match line.fetch_add(1, Ordering::Relaxed) < most {
            true => Ok(waiting),
            false => Err(full()),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn full() -> Error {
    Error::busy("too many statements are running")
        .hint("read or close the answers that are open, then try again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const HURRY: Limits =
        Limits { own: 4, all: 16, own_waiting: 2, all_waiting: 8, patience: Duration::from_millis(20) };

    fn is_full(entered: Result<Lane>) -> bool {
        entered.unwrap_err().kind() == Kind::Busy
    }

    #[tokio::test]
    async fn one_principal_does_not_take_the_places_of_others() {
        let lanes = Lanes::new(HURRY);
        let mut held = Vec::new();
        for _ in 0..HURRY.own {
            held.push(lanes.enter("anna").await.unwrap());
        }
        assert!(is_full(lanes.enter("anna").await));
        lanes.enter("bert").await.unwrap();
        held.pop();
        lanes.enter("anna").await.unwrap();
    }

    #[tokio::test]
    async fn all_places_are_bounded() {
        let lanes = Lanes::new(HURRY);
        let mut held = Vec::new();
        for n in 0..HURRY.all {
            held.push(lanes.enter(&format!("user {n}")).await.unwrap());
        }
        assert!(is_full(lanes.enter("one more").await));
        held.pop();
        lanes.enter("one more").await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_gets_the_next_place_in_order() {
        let lanes = Lanes::new(Limits { own: 1, patience: Duration::from_secs(60), ..HURRY });
        let order = Mutex::new(Vec::new());
        let held = lanes.enter("anna").await.unwrap();
        let wait = async |name: &'static str| {
            let lane = lanes.enter("anna").await.unwrap();
            order.lock().unwrap().push(name);
            drop(lane);
        };
        tokio::join!(wait("first"), wait("second"), async { drop(held) });
        assert_eq!(*order.lock().unwrap(), ["first", "second"]);
    }

    #[tokio::test]
    async fn a_line_that_is_full_sends_away_at_once() {
        let lanes = Lanes::new(Limits { own: 1, patience: Duration::from_secs(60), ..HURRY });
        let held = lanes.enter("anna").await.unwrap();
        let waits = async { lanes.enter("anna").await.map(drop) };
        let sent_away = async {
            let refused = lanes.enter("anna").await;
            drop(held);
            is_full(refused)
        };
        let (first, second, refused) =
            tokio::join!(waits, async { lanes.enter("anna").await.map(drop) }, sent_away);
        assert!(first.is_ok() && second.is_ok() && refused);
    }

    #[tokio::test]
    async fn without_memory_nobody_enters_and_the_largest_is_stopped() {
        let lanes = Lanes::new(HURRY);
        assert_eq!(lanes.stop_largest(), None);
        let (small, large) = (lanes.enter("anna").await.unwrap(), lanes.enter("bert").await.unwrap());
        small.usage.reserved.store(10, Ordering::Relaxed);
        large.usage.reserved.store(20, Ordering::Relaxed);
        lanes.close(true);
        assert!(is_full(lanes.enter("carl").await));
        assert_eq!(lanes.stop_largest(), Some(20));
        large.usage.stop.notified().await;
        drop(large);
        assert_eq!(lanes.stop_largest(), Some(10));
        lanes.close(false);
        lanes.enter("carl").await.unwrap();
    }
}
