//! Log-ins that fail make the next ones wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// After a wrong password, the same name from the same address waits: twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// Failures are forgotten after this long.
const FAILURE_MEMORY: Duration = Duration::from_secs(300);
const FAILURES_KEPT: usize = 10_000;

/// Those that wait; more are sent away.
const WAITING: usize = 256;

/// Who tries to log in, and from where.
pub(super) type Key = (String, Option<IpAddr>);

/// Remembers log-ins that failed. An attempt counts as failed until it has succeeded, so that
/// attempts made at the same time wait like those made one after another.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: Mutex<HashMap<Key, Failures>>,
    kept: usize,
    waiting: Semaphore,
    /// Wakes those that wait when the right password has been sent: a client that opens many
    /// connections at once is no attacker.
    forgiven: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            failures: Mutex::default(),
            kept: FAILURES_KEPT,
            waiting: Semaphore::new(WAITING),
            forgiven: Notify::new(),
        }
    }
}

impl Backoff {
    /// Counts an attempt, and completes when its password may be looked at; `false` when too many
    /// wait already.
    pub(super) async fn admit(&self, key: &Key) -> bool {
        let deadline = tokio::time::Instant::now() + self.attempt(key);
        let Ok(_place) = self.waiting.try_acquire() else { return false };
        loop {
            // Before the look at the map, so that nothing is missed in between.
            let forgiven = self.forgiven.notified();
            if !self.failures().contains_key(key) {
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return true,
                () = forgiven => {}
            }
        }
    }

    /// Counts an attempt as failed; gives how long those before it make it wait.
    fn attempt(&self, key: &Key) -> Duration {
        let mut failures = self.failures();
        let now = Instant::now();
        let count = match failures.get(key) {
            Some(failed) if now.duration_since(failed.last) < FAILURE_MEMORY => failed.count,
            _ => 0,
        };
        if !failures.contains_key(key) && failures.len() >= self.kept {
            let oldest = failures.iter().min_by_key(|(_, failed)| failed.last).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| failures.remove(&oldest));
        }
        failures.insert(key.clone(), Failures { count: count.saturating_add(1), last: now });
        match count {
            0 => Duration::ZERO,
            n => FIRST_WAIT.saturating_mul(1 << (n - 1).min(16)).min(LONGEST_WAIT),
        }
    }

    /// Notes that an admitted attempt failed: another may have been forgiven in the meantime.
    pub(super) fn failed(&self, key: &Key) {
        self.failures().entry(key.clone()).or_insert(Failures { count: 1, last: Instant::now() });
    }

    /// Notes that an admitted attempt succeeded.
    pub(super) fn forgive(&self, key: &Key) {
        self.failures().remove(key);
        self.forgiven.notify_waiters();
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Key, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        (name.into(), None)
    }

    fn waits(backoff: &Backoff, name: &str, attempts: usize) -> Vec<u128> {
        (0..attempts).map(|_| backoff.attempt(&key(name)).as_millis()).collect()
    }

    #[test]
    fn attempts_at_the_same_time_wait_for_one_another() {
        let backoff = Backoff::default();
        assert_eq!(waits(&backoff, "anna", 8), [0, 250, 500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(waits(&backoff, "bert", 1), [0]);
    }

    #[test]
    fn many_names_push_out_the_oldest_only() {
        let backoff = Backoff { kept: 2, ..Backoff::default() };
        waits(&backoff, "first", 3);
        waits(&backoff, "anna", 3);
        waits(&backoff, "another", 1);
        assert_eq!(waits(&backoff, "anna", 1), [1000]);
        assert_eq!(waits(&backoff, "first", 1), [0]);
    }

    #[tokio::test]
    async fn the_right_password_lets_the_others_in_at_once() {
        let backoff = Backoff::default();
        waits(&backoff, "anna", 20);
        let anna = key("anna");
        let started = Instant::now();
        let (waited, ()) = tokio::join!(backoff.admit(&anna), async { backoff.forgive(&anna) });
        assert!(waited && started.elapsed() < LONGEST_WAIT / 2);
        assert_eq!(waits(&backoff, "anna", 1), [0]);
    }

    #[tokio::test]
    async fn those_that_wait_are_few() {
        let backoff = Backoff { waiting: Semaphore::new(0), ..Backoff::default() };
        assert!(!backoff.admit(&key("anna")).await);
    }
}
