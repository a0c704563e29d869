//! Things kept for a principal under a random key, for a while: tokens, tickets, prepared
//! statements.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A bounded map. Keys are random and 256 bits long; only their hashes are kept, so that a dump
/// of memory or a slow comparison gives none away.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    items: Mutex<HashMap<[u8; 32], Item<T>>>,
    idle: Duration,
    life: Duration,
    per_owner: usize,
}

#[derive(Debug)]
struct Item<T> {
    owner: String,
    value: T,
    put_at: Instant,
    used_at: Instant,
}

impl<T: Clone> Shelf<T> {
    /// Keeps at most `per_owner` things for a principal, each until it was not used for `idle`.
    pub(super) fn new(idle: Duration, per_owner: usize) -> Self {
        Self { items: Mutex::default(), idle, life: Duration::MAX, per_owner }
    }

    /// Keeps nothing for longer than `life`, however often it is used.
    pub(super) fn with_life(self, life: Duration) -> Self {
        Self { life, ..self }
    }

    /// Keeps `value` for `owner`, in the place of the owner's least recently used thing when
    /// there are too many. Gives its key.
    pub(super) fn put(&self, owner: &str, value: T) -> Bytes {
        let key: [u8; 32] = rand::random();
        let mut items = self.items();
        let now = Instant::now();
        items.retain(|_, item| self.is_alive(item));
        let mine: Vec<_> = items.iter().filter(|(_, item)| item.owner == owner).collect();
        if mine.len() >= self.per_owner {
            let oldest = mine.iter().min_by_key(|(_, item)| item.used_at).map(|(hash, _)| **hash);
            if let Some(oldest) = oldest {
                items.remove(&oldest);
            }
        }
        items.insert(hash(&key), Item { owner: owner.into(), value, put_at: now, used_at: now });
        Bytes::copy_from_slice(&key)
    }

    /// The owner and the value under `key`.
    pub(super) fn find(&self, key: &[u8]) -> Option<(String, T)> {
        let mut items = self.items();
        let item = items.get_mut(&hash(key)).filter(|item| self.is_alive(item))?;
        item.used_at = Instant::now();
        Some((item.owner.clone(), item.value.clone()))
    }

    /// The value under `key` if it is `owner`'s.
    pub(super) fn get(&self, owner: &str, key: &[u8]) -> Option<T> {
        self.find(key).filter(|(holder, _)| holder == owner).map(|(_, value)| value)
    }

    /// Puts `value` in the place of the one under `key`, if that is `owner`'s.
    pub(super) fn replace(&self, owner: &str, key: &[u8], value: T) -> Option<()> {
        let mut items = self.items();
        let item = items.get_mut(&hash(key)).filter(|item| item.owner == owner)?;
        item.value = value;
        Some(())
    }

    /// Forgets what is under `key` if it is `owner`'s.
    pub(super) fn remove(&self, owner: &str, key: &[u8]) {
        let mut items = self.items();
        if items.get(&hash(key)).is_some_and(|item| item.owner == owner) {
            items.remove(&hash(key));
        }
    }

    fn is_alive(&self, item: &Item<T>) -> bool {
        item.used_at.elapsed() < self.idle && item.put_at.elapsed() < self.life
    }

    fn items(&self) -> MutexGuard<'_, HashMap<[u8; 32], Item<T>>> {
        // Every change is a single call on the map, so a panic elsewhere leaves it whole.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is kept of a key.
pub(super) fn hash(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn only_the_owner_finds_a_thing() {
        let shelf = Shelf::new(HOUR, 8);
        let key = shelf.put("anna", 1);
        assert_eq!(shelf.get("anna", &key), Some(1));
        assert_eq!(shelf.get("bert", &key), None);
        assert_eq!(shelf.replace("bert", &key, 2), None);
        shelf.remove("bert", &key);
        assert_eq!(shelf.get("anna", &key), Some(1));
        shelf.remove("anna", &key);
        assert_eq!(shelf.get("anna", &key), None);
    }

    #[test]
    fn one_owner_does_not_push_out_another() {
        let shelf = Shelf::new(HOUR, 2);
        let keys: Vec<_> = (0..3).map(|n| shelf.put("anna", n)).collect();
        let other = shelf.put("bert", 9);
        let left: Vec<_> = keys.iter().map(|key| shelf.get("anna", key)).collect();
        assert_eq!(left, [None, Some(1), Some(2)]);
        assert_eq!(shelf.get("bert", &other), Some(9));
    }

    #[test]
    fn things_expire() {
        let shelf = Shelf::new(Duration::ZERO, 8);
        let key = shelf.put("anna", 1);
        assert_eq!(shelf.get("anna", &key), None);
    }

    #[test]
    fn things_in_use_expire_too() {
        let shelf = Shelf::new(HOUR, 8).with_life(Duration::ZERO);
        let key = shelf.put("anna", 1);
        assert_eq!(shelf.get("anna", &key), None);
    }
}
