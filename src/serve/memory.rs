//! The memory of statements: each may reserve a part of what all share, and the process as a whole
//! is watched, because not all memory is reserved before it is used.

use super::desk::Desk;
use super::lanes::Use;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The part of the shared memory that one statement may reserve: with the rest, others go on.
const SHARE: usize = 2;

/// How often the process is looked at: a statement can fill a gigabyte in a second.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The part of the machine's memory, in hundredths, that the process may use when nothing says
/// otherwise, and the part of that below which statements are let in again.
const OF_MACHINE: u64 = 75;
const CALM: u64 = 90;

/// The part of the shared memory that one statement may reserve.
#[derive(Debug)]
pub(super) struct Share {
    shared: Arc<dyn MemoryPool>,
    usage: Arc<Use>,
    most: usize,
}

impl Share {
    /// A part of `shared`, counted in `usage`.
    pub(super) fn of(shared: &Arc<dyn MemoryPool>, usage: &Arc<Use>) -> Self {
        let most = match shared.memory_limit() {
            MemoryLimit::Finite(bytes) => bytes / SHARE,
            _ => usize::MAX,
        };
        Self { shared: Arc::clone(shared), usage: Arc::clone(usage), most }
    }
}

impl MemoryPool for Share {
    fn name(&self) -> &str {
        "statement"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.usage.reserved.fetch_add(additional, Ordering::Relaxed);
        self.shared.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.usage.reserved.fetch_sub(shrink, Ordering::Relaxed);
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let before = self.usage.reserved.fetch_add(additional, Ordering::Relaxed);
        let granted = match before.saturating_add(additional) <= self.most {
            true => self.shared.try_grow(reservation, additional),
            false => Err(DataFusionError::ResourcesExhausted("the statement's share is used up".into())),
        };
        granted.inspect_err(|_| {
            self.usage.reserved.fetch_sub(additional, Ordering::Relaxed);
        })
    }

    fn reserved(&self) -> usize {
        self.usage.reserved.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.most)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement({} of {} bytes)", self.reserved(), self.most)
    }
}

/// Keeps the process below its limit for as long as it is polled: above it, what is kept for
/// statements that come again is given up, no further statement is let in, and the largest is stopped.
/// Does nothing where the system does not tell what a process uses.
pub(super) async fn watch(desk: &Desk) -> Infallible {
    let limit = match desk.hub.project.hub.limits.memory {
        Some(limit) => Some(limit),
        None => default_limit().await,
    };
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut is_full = false;
    loop {
        looks.tick().await;
        let (Some(limit), Some(used)) = (limit, resident().await) else {
            tracing::warn!("the memory of the process is not watched: the system does not tell it");
            return std::future::pending().await;
        };
        let before = is_full;
        is_full = used > if before { limit / 100 * CALM } else { limit };
        if is_full != before {
            tracing::warn!(used, limit, is_full, "memory of the process");
            desk.lanes.close(is_full);
        }
        if used > limit {
            desk.forget_answers();
            if let Some(reserved) = desk.lanes.stop_largest() {
                tracing::warn!(used, limit, reserved, "the largest statement is stopped");
            }
        }
    }
}

/// What the process may use when nothing says otherwise: a part of the machine, or of the control
/// group that it runs in; `None` where the system does not tell.
async fn default_limit() -> Option<u64> {
    let group = tokio::fs::read_to_string("/sys/fs/cgroup/memory.max").await.ok();
    let group = group.and_then(|text| text.trim().parse::<u64>().ok());
    let machine = tokio::fs::read_to_string("/proc/meminfo").await.ok()?;
    let line = machine.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024;
    Some(group.map_or(machine, |group| group.min(machine)) / 100 * OF_MACHINE)
}

/// The bytes of memory that the process uses.
async fn resident() -> Option<u64> {
    let status = tokio::fs::read_to_string("/proc/self/status").await.ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    #[test]
    fn one_statement_leaves_a_part_to_others() {
        let shared: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1000));
        let (monster, usage) = (Arc::<Use>::default(), Arc::<Use>::default());
        let pool: Arc<dyn MemoryPool> = Arc::new(Share::of(&shared, &monster));
        let large = MemoryConsumer::new("large").register(&pool);
        large.try_grow(500).unwrap();
        assert!(large.try_grow(1).is_err());
        assert_eq!((monster.reserved.load(Ordering::Relaxed), shared.reserved()), (500, 500));
        let other: Arc<dyn MemoryPool> = Arc::new(Share::of(&shared, &usage));
        let small = MemoryConsumer::new("small").register(&other);
        small.try_grow(400).unwrap();
        large.shrink(200);
        drop(small);
        assert_eq!((pool.reserved(), other.reserved(), shared.reserved()), (300, 0, 300));
    }

    #[tokio::test]
    async fn the_process_uses_less_than_the_machine_has() {
        assert!(resident().await.unwrap() < default_limit().await.unwrap());
    }
}
