//! How much may come out of an archive.

use crate::error::{Error, Result};

/// The most bytes of a file without its packing.
const MOST_BYTES: u64 = 32 << 30;

/// So many bytes may come out of whatever there is: small files of blanks pack very well.
const FREE_BYTES: u64 = 64 << 20;

/// Beyond them, how many bytes may come out of one that is packed. Padded extracts reach 50,
/// a bomb of zeros 1000.
const MOST_RATIO: u64 = 200;

/// Counts what comes out of an archive.
#[derive(Debug)]
pub(in crate::connector::format) struct Meter {
    packed: u64,
    unpacked: u64,
}

impl Meter {
    /// Counts from nothing what comes out of so many bytes.
    pub(in crate::connector::format) fn new(packed: u64) -> Self {
        Self { packed, unpacked: 0 }
    }

    /// Counts `bytes` more; an error when no honest archive holds so much.
    pub(in crate::connector::format) fn count(&mut self, bytes: u64) -> Result<()> {
        self.unpacked += bytes;
        if self.unpacked > MOST_BYTES {
            return Err(Error::contract(format!(
                "more than {} GiB come out of the archive",
                MOST_BYTES >> 30
            ))
            .hint("ask for the data in several files"));
        }
        if self.unpacked > FREE_BYTES && self.unpacked / self.packed.max(1) > MOST_RATIO {
            return Err(Error::contract(format!(
                "the archive is a bomb: more than {MOST_RATIO} times its {} bytes come out of it",
                self.packed
            ))
            .hint("ask whoever sent it what it is; if it is honest, ask for it unpacked"));
        }
        Ok(())
    }
}
