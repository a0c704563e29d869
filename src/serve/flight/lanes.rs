//! How many statements run at the same time: for one principal, so that none takes all, and for
//! the hub.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

const PER_PRINCIPAL: usize = 4;
const AT_ONCE: usize = 16;

/// How long a statement waits for its turn.
const PATIENCE: Duration = Duration::from_secs(60);

/// The places for statements that run.
#[derive(Debug)]
pub(super) struct Lanes {
    all: Arc<Semaphore>,
    /// Names of principals come from the project, so there are few.
    own: Mutex<HashMap<String, Arc<Semaphore>>>,
    patience: Duration,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(super) struct Lane {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), own: Mutex::default(), patience: PATIENCE }
    }
}

impl Lanes {
    /// Waits in line for a place.
    pub(super) async fn enter(&self, principal: &str) -> Result<Lane, Status> {
        let own = {
            let mut lanes = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            let lane =
                lanes.entry(principal.into()).or_insert_with(|| Arc::new(Semaphore::new(PER_PRINCIPAL)));
            Arc::clone(lane)
        };
        let all = Arc::clone(&self.all);
        // The own place first: who waits for it must not hold one that others could use.
        let places = async {
            Some(Lane { _own: own.acquire_owned().await.ok()?, _all: all.acquire_owned().await.ok()? })
        };
        let place = tokio::time::timeout(self.patience, places).await;
        place.ok().flatten().ok_or_else(|| {
            Status::resource_exhausted(
                "too many statements are running (hint: read or close the answers that are open, then try again)",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_principal_does_not_take_the_places_of_others() {
        let lanes = Lanes { patience: Duration::from_millis(20), ..Lanes::default() };
        let mut held = Vec::new();
        for _ in 0..PER_PRINCIPAL {
            held.push(lanes.enter("anna").await.unwrap());
        }
        assert_eq!(lanes.enter("anna").await.unwrap_err().code(), tonic::Code::ResourceExhausted);
        lanes.enter("bert").await.unwrap();
        held.pop();
        lanes.enter("anna").await.unwrap();
    }

    #[tokio::test]
    async fn all_places_are_bounded() {
        let lanes = Lanes { patience: Duration::from_millis(20), ..Lanes::default() };
        let mut held = Vec::new();
        for n in 0..AT_ONCE {
            held.push(lanes.enter(&format!("user {n}")).await.unwrap());
        }
        assert!(lanes.enter("one more").await.is_err());
        held.pop();
        lanes.enter("one more").await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_gets_the_next_place() {
        let lanes = Lanes::default();
        let mut held = Vec::new();
        for _ in 0..PER_PRINCIPAL {
            held.push(lanes.enter("anna").await.unwrap());
        }
        let (entered, ()) = tokio::join!(lanes.enter("anna"), async { drop(held.pop()) });
        entered.unwrap();
    }
}
