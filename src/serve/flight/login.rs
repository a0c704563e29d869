//! Names and passwords: the same answer, after the same work, for a wrong password and for a name
//! that nobody has.

use super::backoff::{Backoff, Key};
use crate::error::Result;
use crate::policy::access::Access;
use crate::policy::roles::User;
use crate::serve::password;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tonic::Status;

/// Each verification takes 19 MiB and some tens of milliseconds of one processor.
const VERIFICATIONS_AT_ONCE: usize = 2;
/// Those that wait for one; more are sent away.
const VERIFICATIONS_WAITING: usize = 256;

/// Verifies passwords.
#[derive(Debug)]
pub(super) struct Passwords {
    access: Arc<Access>,
    /// A hash that belongs to nobody, so that an unknown name costs as much as a known one.
    decoy: String,
    verifying: Arc<Semaphore>,
    waiting: Semaphore,
    backoff: Arc<Backoff>,
}

impl Passwords {
    pub(super) fn new(access: Arc<Access>, backoff: Arc<Backoff>) -> Result<Self> {
        Ok(Self {
            access,
            decoy: password::hash(&BASE64_STANDARD.encode(rand::random::<[u8; 16]>()))?,
            verifying: Arc::new(Semaphore::new(VERIFICATIONS_AT_ONCE)),
            waiting: Semaphore::new(VERIFICATIONS_WAITING),
            backoff,
        })
    }

    /// The user called `name`, if the password is theirs.
    pub(super) async fn verify(
        &self,
        name: &str,
        password: String,
        address: Option<IpAddr>,
    ) -> Result<User, Status> {
        let key = Key::user(name, address);
        // Those who wait for a wrong password hold no place that others need.
        if !self.backoff.admit(&key).await {
            return Err(busy());
        }
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let user = self.access.user(name);
        let hash = user.as_ref().map_or_else(|| self.decoy.clone(), |user| user.password_hash.clone());
        let turn = Arc::clone(&self.verifying).acquire_owned().await.map_err(|_| busy())?;
        let verified = tokio::task::spawn_blocking(move || {
            // Until the work is done, also when the client no longer waits for it.
            let _turn = turn;
            password::verify(&password, &hash)
        });
        let verified = verified.await.unwrap_or(false);
        // What was typed in the place of a name may be a password: only names of users are logged.
        let known = user.as_ref().map_or("(unknown)", |user| &user.name).to_string();
        // The decoy's password is unknown to everyone; the second look costs nothing.
        match user.filter(|_| verified) {
            Some(user) => {
                self.backoff.forgive(&key);
                Ok(user)
            }
            None => {
                self.backoff.failed(&key);
                tracing::warn!(user = known, ?address, "log-in refused");
                Err(Status::unauthenticated("unknown user or wrong password"))
            }
        }
    }
}

/// The answer when too much is to be verified.
pub(super) fn busy() -> Status {
    Status::resource_exhausted("too many log-ins at once, try again")
}
