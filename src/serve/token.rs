//! Service tokens: what programs show instead of a name and a password. Their text is
//! `mst_<id>_<secret>`; the hub keeps the id and a hash.

use crate::state::tokens::Token;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

const PREFIX: &str = "mst_";

/// Digits of an id, which names a token without giving it away.
const ID_DIGITS: usize = 16;
/// Digits of a secret: 256 bits, so that its hash needs neither salt nor work.
const SECRET_DIGITS: usize = 64;

/// A token as somebody shows it.
pub struct Presented {
    /// The part that may be shown.
    pub id: String,
    hash: String,
}

/// A token that nobody has yet: its text, to be shown once, and what is kept of it.
pub fn new() -> (String, Presented) {
    let id = format!("{:016x}", rand::random::<u64>());
    let secret = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    let text = format!("{PREFIX}{id}_{secret}");
    let hash = hash(&text);
    (text, Presented { id, hash })
}

impl Presented {
    /// Takes a text apart; `None` when it cannot be a service token.
    pub fn read(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_hex = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let fits = id.len() == ID_DIGITS && secret.len() == SECRET_DIGITS && is_hex(id) && is_hex(secret);
        fits.then(|| Self { id: id.into(), hash: hash(text) })
    }

    /// Whether this is `token`; takes as long whatever differs.
    pub fn is(&self, token: &Token) -> bool {
        self.hash.as_bytes().ct_eq(token.hash.as_bytes()).into()
    }

    /// What is kept of the secret.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Without the hash.
impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("id", &self.id).finish_non_exhaustive()
    }
}

fn hash(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;

    #[test]
    fn a_token_is_known_by_its_text_only() {
        let (text, made) = new();
        let (now, hash) = (Utc::now(), made.hash().to_string());
        let kept = Token {
            id: made.id.clone(),
            principal: "anna".into(),
            label: "nightly".into(),
            hash,
            created_at: now,
            expires_at: now,
            revoked_at: None,
            used_on: None,
        };
        assert!(!text.contains(made.hash()) && !format!("{made:?}").contains(made.hash()));
        assert!(Presented::read(&text).unwrap().is(&kept));
        let last = text.chars().next_back().unwrap();
        let other = format!("{}{}", &text[..text.len() - 1], if last == '0' { '1' } else { '0' });
        assert!(!Presented::read(&other).unwrap().is(&kept));
        for garbage in
            ["", "mst_", "mst__", &text[4..], &text[..80], &text.to_uppercase(), &format!("{text}0")]
        {
            assert!(Presented::read(garbage).is_none(), "{garbage}");
        }
    }
}
