//! How the lines of the record hang together.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The digits of a hash.
const DIGITS: usize = 64;

/// What the JSON of every line starts with.
const START: &str = "{\"seq\":";

/// The hash of a line: 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, std::hash::Hash)]
pub struct Hash([u8; DIGITS]);

impl Hash {
    /// What the first line follows.
    const NONE: Hash = Hash([b'0'; DIGITS]);

    /// The hash of the line that follows this one and says `json`.
    pub(super) fn next(&self, json: &[u8]) -> Hash {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let digest = Sha256::new().chain_update(self.0).chain_update(json).finalize();
        let mut digits = [0; DIGITS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        Hash(digits)
    }

    fn read(digits: &[u8]) -> Option<Hash> {
        let digits: [u8; DIGITS] = digits.try_into().ok()?;
        digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(Hash(digits))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A place in the record: the number and the hash of a line. It stands for all lines up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, std::hash::Hash)]
pub struct Head {
    /// The number of the line.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// Before the first line.
    pub(super) const START: Head = Head { seq: 0, hash: Hash::NONE };

    /// Writes the line after this one to `text`. `event` is a JSON object with at least one member.
    pub(super) fn append(self, event: &str, text: &mut Vec<u8>) -> Head {
        let seq = self.seq + 1;
        let json = format!("{START}{seq},{}", event.strip_prefix('{').unwrap_or(event));
        let hash = self.hash.next(json.as_bytes());
        text.extend_from_slice(&hash.0);
        text.push(b' ');
        text.extend_from_slice(json.as_bytes());
        text.push(b'\n');
        Head { seq, hash }
    }

    /// Whether `line` comes right after this one and says what its hash says.
    pub(super) fn precedes(self, line: &Line<'_>) -> bool {
        line.head.seq == self.seq + 1 && line.head.hash == self.hash.next(line.json)
    }
}

/// `SEQ:HASH`, as `muster audit head` prints it.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (seq, hash) = text.trim().split_once(':')?;
            Some(Head { seq: seq.parse().ok()?, hash: Hash::read(hash.as_bytes())? })
        };
        read().ok_or_else(|| {
            Error::config("this is not the head of a record")
                .hint("write SEQ:HASH, as `muster audit head` prints it")
        })
    }
}

/// A line of the record, taken apart but not verified.
pub(super) struct Line<'a> {
    pub(super) head: Head,
    pub(super) json: &'a [u8],
}

impl<'a> Line<'a> {
    /// Takes apart a line without its end; `None` when it has not the form of one.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (digits, rest) = bytes.split_at_checked(DIGITS)?;
        let json = rest.strip_prefix(b" ")?;
        let number = json.strip_prefix(START.as_bytes())?;
        let number = &number[..memchr::memchr(b',', &number[..number.len().min(21)])?];
        let seq = str::from_utf8(number).ok()?.parse().ok()?;
        let is_canonical = matches!(number.first(), Some(b'1'..=b'9'));
        is_canonical.then_some(Self { head: Head { seq, hash: Hash::read(digits)? }, json })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_verified_with_any_sha256() {
        let mut text = Vec::new();
        let first = Head::START.append(r#"{"kind":"healed"}"#, &mut text);
        let second = first.append(r#"{"kind":"end"}"#, &mut text);
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(&lines[1][64..], r#" {"seq":2,"kind":"end"}"#);
        let hashed = Sha256::digest(format!("{}{}", &lines[0][..64], &lines[1][65..]));
        let digits: String = hashed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(&lines[1][..64], digits);
        assert_eq!(second, format!("2:{digits}").parse().unwrap());
        let read: Vec<Line<'_>> = lines.iter().map(|line| Line::read(line.as_bytes()).unwrap()).collect();
        assert!(Head::START.precedes(&read[0]) && first.precedes(&read[1]) && !first.precedes(&read[0]));
    }

    #[test]
    fn what_is_not_a_line_or_a_head_is_none() {
        let hash = "a".repeat(64);
        for wrong in [
            "",
            &hash,
            &format!("{hash} {{\"seq\":,"),
            &format!("{hash} {{\"seq\":+1,"),
            &format!("{hash} {{\"seq\":01,"),
            &format!("{hash} {{\"seq\":0,"),
            &format!("{hash} {{\"seq\":99999999999999999999,"),
            &format!("{hash} {{\"seq\":1"),
            &format!("{} {{\"seq\":1,", "A".repeat(64)),
        ] {
            assert!(Line::read(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert!(Line::read(format!("{hash} {{\"seq\":18446744073709551615,").as_bytes()).is_some());
        for wrong in ["", "1", "1:", "x:y", &format!("-1:{hash}"), &format!("1:{hash}0")] {
            assert!(wrong.parse::<Head>().is_err(), "{wrong}");
        }
    }
}
