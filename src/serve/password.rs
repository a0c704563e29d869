//! Passwords: argon2id in PHC form, the same cost for users that exist and for those that do not.

use crate::error::{Error, Result};
use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};

/// The longest password that is looked at.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// The argon2id hash of `password`, in PHC form, with a new salt.
pub fn hash(password: &str) -> Result<String> {
    let failed =
        |e: argon2::password_hash::Error| Error::internal("the password cannot be hashed").because(e);
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).map_err(failed)?;
    Ok(Argon2::default().hash_password(password.as_bytes(), &salt).map_err(failed)?.to_string())
}

/// Whether `password` belongs to `hash`. Takes tens of milliseconds of one processor on purpose.
pub fn verify(password: &str, hash: &str) -> bool {
    password.len() <= MAX_PASSWORD_BYTES
        && PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_belongs_to_its_hash_only() {
        let hashed = hash("correct horse").unwrap();
        assert!(hashed.starts_with("$argon2id$"));
        assert!(verify("correct horse", &hashed));
        assert!(!verify("wrong horse", &hashed));
        assert!(!verify("correct horse", "not a hash"));
    }
}
