//! Log-ins that fail make the next ones wait: those for the same name from the same network, and,
//! when they are many, all from that network. Nobody is locked out by what a stranger does from
//! somewhere else.

use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// After a wrong password, the same name from the same network waits: twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// Failures of one network under whatever name before it waits as a whole. Behind one address can
/// be a gateway with many people.
const FREE_FAILURES: u32 = 32;
/// Failures are forgotten after this long.
const FAILURE_MEMORY: Duration = Duration::from_secs(300);
const FAILURES_KEPT: usize = 10_000;

/// Those that wait, in all and from one network; more are sent away.
const WAITING: usize = 1024;
const WAITING_FROM_ONE: usize = 256;

/// Who tries to come in, and from where. Names are kept as hashes, which are as short as the next
/// whatever a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    attempt: [u8; 32],
    from: Option<IpAddr>,
    /// Whether a failure counts against everyone from there.
    is_shared: bool,
}

impl Key {
    /// A log-in as `name`.
    pub(super) fn user(name: &str, address: Option<IpAddr>) -> Self {
        Self::new("user", name, address, true)
    }

    /// A service token that is not known yet. Nobody guesses one, but a program that goes on with
    /// an old one must not keep people from the same network waiting.
    pub(super) fn token(address: Option<IpAddr>) -> Self {
        Self::new("token", "", address, false)
    }

    fn new(kind: &str, name: &str, address: Option<IpAddr>, is_shared: bool) -> Self {
        let from = address.map(network);
        Self { attempt: Sha256::digest(format!("{kind} {from:?} {name}")).into(), from, is_shared }
    }

    /// The network that fails as a whole.
    fn network(&self) -> Option<IpAddr> {
        self.from.filter(|_| self.is_shared)
    }
}

/// What one customer of a provider has many addresses of.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// Remembers log-ins that failed. An attempt counts as failed until it has succeeded, so that
/// attempts made at the same time wait like those made one after another.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: Mutex<Failures>,
    waiting: Semaphore,
    /// Wakes those that wait when the right password has been sent: a client that opens many
    /// connections at once is no attacker.
    forgiven: Notify,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { failures: Mutex::default(), waiting: Semaphore::new(WAITING), forgiven: Notify::new() }
    }
}

impl Backoff {
    /// Counts an attempt, and completes when its password may be looked at; `false` when too many
    /// wait already.
    pub(super) async fn admit(&self, key: &Key) -> bool {
        let wait = self.failures().attempt(key);
        if wait.is_zero() {
            // Needs no place, so that those who wait take it from nobody.
            return true;
        }
        let deadline = tokio::time::Instant::now() + wait;
        let Ok(_place) = self.waiting.try_acquire() else { return false };
        let Some(_turn) = Turn::take(self, key) else { return false };
        loop {
            // Before the look at the map, so that nothing is missed in between.
            let forgiven = self.forgiven.notified();
            if !self.failures().holds(key) {
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return true,
                () = forgiven => {}
            }
        }
    }

    /// Notes that an admitted attempt failed: another may have been forgiven in the meantime.
    pub(super) fn failed(&self, key: &Key) {
        let mut failures = self.failures();
        if !failures.attempts.0.contains_key(&key.attempt) {
            failures.attempt(key);
        }
    }

    /// Notes that an admitted attempt succeeded.
    pub(super) fn forgive(&self, key: &Key) {
        self.failures().forgive(key);
        self.forgiven.notify_waiters();
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one that waits among those of its network.
struct Turn<'a> {
    backoff: &'a Backoff,
    from: Option<IpAddr>,
}

impl<'a> Turn<'a> {
    fn take(backoff: &'a Backoff, key: &Key) -> Option<Self> {
        let mut failures = backoff.failures();
        let waiting = failures.waiting.entry(key.from).or_default();
        if *waiting >= WAITING_FROM_ONE {
            return None;
        }
        *waiting += 1;
        Some(Self { backoff, from: key.from })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut failures = self.backoff.failures();
        if let Some(waiting) = failures.waiting.get_mut(&self.from) {
            *waiting -= 1;
            if *waiting == 0 {
                failures.waiting.remove(&self.from);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Failures {
    attempts: Tallies<[u8; 32]>,
    /// The sum over the attempts from each network.
    networks: Tallies<IpAddr>,
    /// No more entries than there are places to wait.
    waiting: HashMap<Option<IpAddr>, usize>,
}

impl Failures {
    /// Counts an attempt as failed; gives how long those before it make it wait.
    fn attempt(&mut self, key: &Key) -> Duration {
        let alone = wait(self.attempts.count(key.attempt));
        let together = key.network().map_or(0, |network| self.networks.count(network));
        alone.max(wait(together.saturating_sub(FREE_FAILURES)))
    }

    /// Whether an attempt has to wait.
    fn holds(&self, key: &Key) -> bool {
        let network = key.network().and_then(|network| self.networks.0.get(&network));
        self.attempts.0.contains_key(&key.attempt) || network.is_some_and(|tally| tally.count > FREE_FAILURES)
    }

    /// Takes back every attempt under `key`, and no other of the same network: who has one good
    /// password may not guess others for it.
    fn forgive(&mut self, key: &Key) {
        let Some(forgiven) = self.attempts.0.remove(&key.attempt) else { return };
        if let Some(tally) = key.network().and_then(|network| self.networks.0.get_mut(&network)) {
            tally.count = tally.count.saturating_sub(forgiven.count);
        }
    }
}

fn wait(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        n => FIRST_WAIT.saturating_mul(1 << (n - 1).min(16)).min(LONGEST_WAIT),
    }
}

/// Failures by whoever made them, at most so many of them.
#[derive(Debug)]
struct Tallies<K>(HashMap<K, Tally>, usize);

#[derive(Debug, Clone, Copy)]
struct Tally {
    count: u32,
    last: Instant,
}

impl<K> Default for Tallies<K> {
    fn default() -> Self {
        Self(HashMap::new(), FAILURES_KEPT)
    }
}

impl<K: Copy + Eq + Hash> Tallies<K> {
    /// Adds a failure; gives how many there were before.
    fn count(&mut self, key: K) -> u32 {
        let Self(tallies, kept) = self;
        let now = Instant::now();
        let count = match tallies.get(&key) {
            Some(tally) if now.duration_since(tally.last) < FAILURE_MEMORY => tally.count,
            _ => 0,
        };
        if !tallies.contains_key(&key) && tallies.len() >= *kept {
            let oldest = tallies.iter().min_by_key(|(_, tally)| tally.last).map(|(key, _)| *key);
            oldest.and_then(|oldest| tallies.remove(&oldest));
        }
        tallies.insert(key, Tally { count: count.saturating_add(1), last: now });
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::user(name, Some([10, 0, 0, 1].into()))
    }

    fn waits(backoff: &Backoff, name: &str, attempts: usize) -> Vec<u128> {
        (0..attempts).map(|_| backoff.failures().attempt(&key(name)).as_millis()).collect()
    }

    #[test]
    fn attempts_at_the_same_time_wait_for_one_another() {
        let backoff = Backoff::default();
        assert_eq!(waits(&backoff, "anna", 8), [0, 250, 500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(waits(&backoff, "bert", 1), [0]);
    }

    #[test]
    fn many_names_push_out_the_oldest_only() {
        let backoff = Backoff::default();
        backoff.failures().attempts.1 = 2;
        waits(&backoff, "first", 3);
        waits(&backoff, "anna", 3);
        waits(&backoff, "another", 1);
        assert_eq!(waits(&backoff, "anna", 1), [1000]);
        assert_eq!(waits(&backoff, "first", 1), [0]);
    }

    #[test]
    fn one_password_tried_on_many_names_waits_too() {
        let backoff = Backoff::default();
        let name = |n: u32| waits(&backoff, &format!("user {n}"), 1)[0];
        assert!((0..=FREE_FAILURES).map(name).all(|wait| wait == 0));
        assert_eq!((FREE_FAILURES + 1..FREE_FAILURES + 4).map(name).collect::<Vec<_>>(), [250, 500, 1000]);
        let elsewhere = Key::user("user 1", Some([10, 0, 0, 2].into()));
        assert_eq!(backoff.failures().attempt(&elsewhere), Duration::ZERO, "nobody else is kept out");
        backoff.forgive(&key("user 1"));
        assert!(name(99) > 0, "one good password forgives its own failures only");
    }

    #[test]
    fn a_network_is_one_whatever_its_address() {
        let name = |address: &str| Key::user("anna", Some(address.parse().unwrap()));
        assert_eq!(name("2001:db8::1"), name("2001:db8::ffff:2"));
        assert_ne!(name("2001:db8::1"), name("2001:db8:0:1::1"));
        assert_eq!(name("::ffff:10.0.0.1"), name("10.0.0.1"));
        assert_ne!(name("10.0.0.1"), name("10.0.0.2"));
        assert_ne!(Key::token(None), Key::user("", None));
    }

    #[tokio::test]
    async fn the_right_password_lets_the_others_in_at_once() {
        let backoff = Backoff::default();
        waits(&backoff, "anna", 100);
        let anna = key("anna");
        let started = Instant::now();
        let (waited, ()) = tokio::join!(backoff.admit(&anna), async { backoff.forgive(&anna) });
        assert!(waited && started.elapsed() < LONGEST_WAIT / 2);
        assert_eq!(waits(&backoff, "anna", 1), [0]);
    }

    #[tokio::test]
    async fn those_that_wait_are_few_and_keep_nobody_else_out() {
        let backoff = Backoff { waiting: Semaphore::new(0), ..Backoff::default() };
        waits(&backoff, "anna", 1);
        assert!(!backoff.admit(&key("anna")).await);
        assert!(backoff.admit(&key("bert")).await);
        let backoff = Backoff::default();
        waits(&backoff, "anna", 1);
        let turns: Vec<_> =
            (0..WAITING_FROM_ONE).map(|_| Turn::take(&backoff, &key("anna")).unwrap()).collect();
        assert!(!backoff.admit(&key("anna")).await);
        drop(turns);
        assert!(backoff.failures().waiting.is_empty());
    }
}
