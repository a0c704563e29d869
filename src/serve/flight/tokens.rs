//! Service tokens at the gate: looked up in the state database, which is asked again after a few
//! seconds, so that one that was revoked is refused soon and a busy one costs little.

use super::backoff::{Backoff, Key};
use super::login::busy;
use super::{auth, status};
use crate::hub::Hub;
use crate::serve::token::Presented;
use crate::state::tokens::Token;
use chrono::Utc;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tonic::Status;

/// How long the database is not asked again. What it says must be in force within 10 seconds.
const FRESH: Duration = Duration::from_secs(4);

/// The service tokens that have been used.
#[derive(Debug)]
pub(super) struct Tokens {
    hub: Arc<Hub>,
    /// By id; only tokens that were good when they were read, so that guesses take no memory.
    known: Mutex<HashMap<String, Known>>,
    backoff: Arc<Backoff>,
}

#[derive(Debug, Clone)]
struct Known {
    token: Arc<Token>,
    read_at: Instant,
}

impl Tokens {
    pub(super) fn new(hub: Arc<Hub>, backoff: Arc<Backoff>) -> Self {
        Self { hub, known: Mutex::default(), backoff }
    }

    /// The token that was presented, if it is good at this moment.
    pub(super) async fn verify(
        &self,
        presented: &Presented,
        address: Option<IpAddr>,
    ) -> Result<Arc<Token>, Status> {
        let known = self.known().get(&presented.id).filter(|known| presented.is(&known.token)).cloned();
        if let Some(Known { token, read_at }) = known {
            // Whoever has shown the right secret before waits for nobody else's wrong ones.
            return match read_at.elapsed() < FRESH && token.is_good_at(Utc::now()) {
                true => Ok(token),
                false => self.read(presented).await?.ok_or_else(auth::expired),
            };
        }
        let key = Key::token(address);
        if !self.backoff.admit(&key).await {
            return Err(busy());
        }
        match self.read(presented).await? {
            Some(token) => {
                self.backoff.forgive(&key);
                Ok(token)
            }
            None => {
                self.backoff.failed(&key);
                tracing::warn!(?address, "service token refused");
                Err(auth::expired())
            }
        }
    }

    /// Asks the database.
    async fn read(&self, presented: &Presented) -> Result<Option<Arc<Token>>, Status> {
        let now = Utc::now();
        let Some(token) = self.hub.state.token(&presented.id).await.map_err(status)? else {
            self.known().remove(&presented.id);
            return Ok(None);
        };
        if !presented.is(&token) {
            return Ok(None);
        }
        if !token.is_good_at(now) {
            self.known().remove(&presented.id);
            return Ok(None);
        }
        if token.used_on != Some(now.date_naive())
            && let Err(error) = self.hub.state.token_used(&token.id, now.date_naive()).await
        {
            // When it was last used is for people who tidy up; it stops no work.
            tracing::warn!(%error, token = token.id, "the use of a service token was not noted");
        }
        let token = Arc::new(token);
        let known = Known { token: Arc::clone(&token), read_at: Instant::now() };
        self.known().insert(presented.id.clone(), known);
        Ok(Some(token))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        // Every change is a single call on the map, so a panic elsewhere leaves it whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
