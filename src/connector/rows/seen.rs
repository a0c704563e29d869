//! Which hashes came before: exact, in memory that does not grow with their number.
//!
//! Up to a number of hashes they are all in memory. Beyond it, they are in a file, and a filter in
//! memory tells "certainly new" from "perhaps seen": whoever gets the second answer asks again at
//! the end, when one pass over the file answers all such questions.

use crate::error::{Error, Result};
use parquet::bloom_filter::Sbbf;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};

/// How many hashes are kept in memory: 34 MB.
pub(super) const IN_MEMORY: usize = 500_000;

/// Bits for each hash of a filter, at least: one or two in a thousand are then taken for another.
const BITS: usize = 15;

/// The bytes of a block of a filter, by its format.
const BLOCK_BYTES: usize = 32;

/// The most bytes of all filters. Beyond some 30 million hashes they answer "perhaps" more often,
/// which costs time and room on disk, but no memory and no row.
const MOST_FILTER_BYTES: usize = 64 << 20;

/// A hash and its value in the file.
const ENTRY_BYTES: usize = 24;

/// The hashes that came so far, each with a value.
#[derive(Debug)]
pub(super) enum Seen {
    /// All in memory, as long as there are no more than the first number; the second one is how
    /// many are expected, if known.
    Few(HashMap<u128, i64>, usize, Option<usize>),
    /// In a file.
    Many(Box<Many>),
}

/// Hashes in a file, and what tells most questions about them without reading it.
#[derive(Debug)]
pub(super) struct Many {
    filters: Vec<Filter>,
    file: BufWriter<File>,
}

/// A filter and how many more hashes it is made for. All bits of a hash are in one line of the
/// processor's cache, which is what its speed depends on.
#[derive(Debug)]
struct Filter {
    bits: Sbbf,
    room: usize,
}

/// Whether a hash came before.
#[derive(Debug)]
pub(super) enum Sighting<'a> {
    /// It did not, and it is now kept with its value.
    New,
    /// It did, with this value.
    Before(&'a mut i64),
    /// It may have; nothing was kept.
    Perhaps,
}

impl Seen {
    /// Nothing has been seen; `expected` is how many hashes will come, if known.
    pub(super) fn new(in_memory: usize, expected: Option<u64>) -> Self {
        let expected = expected.and_then(|expected| usize::try_from(expected).ok());
        Seen::Few(HashMap::new(), in_memory, expected)
    }

    /// Looks for a hash and keeps it with `value` if it is new.
    pub(super) fn see(&mut self, hash: u128, value: i64) -> Result<Sighting<'_>> {
        if let Seen::Few(known, most, expected) = self
            && known.len() >= *most
            && !known.contains_key(&hash)
        {
            let many = Many::new(known, *expected)?;
            *self = Seen::Many(Box::new(many));
        }
        match self {
            Seen::Few(known, ..) => Ok(match known.entry(hash) {
                Entry::Occupied(entry) => Sighting::Before(entry.into_mut()),
                Entry::Vacant(entry) => {
                    entry.insert(value);
                    Sighting::New
                }
            }),
            Seen::Many(many) => many.see(hash, value),
        }
    }

    /// Adds to `wanted` the values of those of its hashes that were kept.
    pub(super) fn recall(&mut self, wanted: &mut HashMap<u128, Option<i64>>) -> Result<()> {
        match self {
            Seen::Few(known, ..) => {
                for (hash, value) in wanted {
                    *value = known.get(hash).copied();
                }
                Ok(())
            }
            Seen::Many(many) => many.recall(wanted).map_err(unusable),
        }
    }
}

impl Many {
    fn new(known: &HashMap<u128, i64>, expected: Option<usize>) -> Result<Self> {
        let room = expected.unwrap_or(4 * known.len()).max(known.len()) + 1;
        let file = BufWriter::with_capacity(1 << 16, tempfile::tempfile().map_err(unusable)?);
        let mut many = Self { filters: vec![Filter::new(room, MOST_FILTER_BYTES)], file };
        for (hash, value) in known {
            many.insert(*hash, *value)?;
        }
        Ok(many)
    }

    fn see(&mut self, hash: u128, value: i64) -> Result<Sighting<'_>> {
        let short = short(hash);
        if self.filters.iter().any(|filter| filter.bits.check(&short)) {
            return Ok(Sighting::Perhaps);
        }
        self.insert(hash, value)?;
        Ok(Sighting::New)
    }

    fn insert(&mut self, hash: u128, value: i64) -> Result<()> {
        let used: usize = self.filters.iter().map(Filter::bytes).sum();
        if let Some(last) = self.filters.last_mut() {
            last.bits.insert(&short(hash));
            last.room = last.room.saturating_sub(1);
            let wanted = 2 * last.bytes();
            if last.room == 0 && used + wanted <= MOST_FILTER_BYTES {
                self.filters.push(Filter::new(8 * wanted / BITS, wanted));
            }
        }
        let mut entry = [0; ENTRY_BYTES];
        entry[..16].copy_from_slice(&hash.to_le_bytes());
        entry[16..].copy_from_slice(&value.to_le_bytes());
        self.file.write_all(&entry).map_err(unusable)
    }

    fn recall(&mut self, wanted: &mut HashMap<u128, Option<i64>>) -> std::io::Result<()> {
        self.file.flush()?;
        self.file.get_mut().rewind()?;
        let mut entries = BufReader::with_capacity(1 << 16, self.file.get_mut());
        let mut entry = [0; ENTRY_BYTES];
        loop {
            match entries.read_exact(&mut entry) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
            let (mut hash, mut value) = ([0; 16], [0; 8]);
            hash.copy_from_slice(&entry[..16]);
            value.copy_from_slice(&entry[16..]);
            if let Some(found) = wanted.get_mut(&u128::from_le_bytes(hash)) {
                *found = Some(i64::from_le_bytes(value));
            }
        }
    }
}

impl Filter {
    fn new(room: usize, most_bytes: usize) -> Self {
        let bytes = room.saturating_mul(BITS).div_ceil(8).min(most_bytes);
        Self { bits: Sbbf::new_with_num_of_bytes(bytes), room }
    }

    fn bytes(&self) -> usize {
        self.bits.num_blocks() * BLOCK_BYTES
    }
}

/// The part of a hash that a filter takes.
fn short(hash: u128) -> u64 {
    // The hashes are uniform in every part.
    hash as u64
}

/// An error of a file of our own.
pub(super) fn unusable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let folder = std::env::temp_dir();
    Error::internal("keys could not be compared in a temporary file")
        .hint(format!("see whether '{}' can be written and has room", folder.display()))
        .because(error)
}
