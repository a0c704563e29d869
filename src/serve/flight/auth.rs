//! Who calls: Basic becomes a bearer token once, and the token a principal at every call.

use super::backoff::Backoff;
use super::shelf::Shelf;
use crate::error::Result;
use crate::hub::Hub;
use crate::policy::roles::{Principal, User};
use crate::serve::password;
use crate::serve::statement::Asker;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tonic::{Request, Status};

/// A token that is not used for this long is forgotten: a working day.
const TOKEN_IDLE: Duration = Duration::from_secs(8 * 3600);
/// A token is forgotten after this long even when it is used: whoever stole one loses it.
const TOKEN_LIFE: Duration = Duration::from_secs(12 * 3600);
const TOKENS_PER_USER: usize = 256;

/// Each verification takes 19 MiB and some tens of milliseconds of one processor.
const VERIFICATIONS_AT_ONCE: usize = 2;
/// Those that wait for one; more are sent away.
const VERIFICATIONS_WAITING: usize = 64;

/// Knows who calls.
#[derive(Debug)]
pub(super) struct Gate {
    hub: Arc<Hub>,
    tokens: Shelf<()>,
    /// A hash that belongs to nobody, so that an unknown name costs as much as a known one.
    decoy: String,
    verifying: Semaphore,
    waiting: Semaphore,
    backoff: Backoff,
}

impl Gate {
    pub(super) fn new(hub: Arc<Hub>) -> Result<Self> {
        Ok(Self {
            hub,
            tokens: Shelf::new(TOKEN_IDLE, TOKENS_PER_USER).with_life(TOKEN_LIFE),
            decoy: password::hash(&BASE64_STANDARD.encode(rand::random::<[u8; 16]>()))?,
            verifying: Semaphore::new(VERIFICATIONS_AT_ONCE),
            waiting: Semaphore::new(VERIFICATIONS_WAITING),
            backoff: Backoff::default(),
        })
    }

    /// The bearer token for a handshake: a new one for a name and password, the same one for a
    /// token that is still good.
    pub(super) async fn handshake<T>(&self, request: &Request<T>) -> Result<String, Status> {
        match credentials(request) {
            Some(Credentials::Basic { name, password }) => {
                let address = request.remote_addr().map(|a| a.ip());
                self.log_in(name, password, address).await
            }
            Some(Credentials::Bearer(token)) => self.owner(&token).map(|_| token),
            None => Err(Status::unauthenticated("log in with a user name and a password")),
        }
    }

    /// Who sent `request`, with the roles as they are now.
    pub(super) fn asker<T>(&self, request: &Request<T>) -> Result<Asker, Status> {
        let Some(Credentials::Bearer(token)) = credentials(request) else {
            return Err(Status::unauthenticated("log in first: no bearer token was sent"));
        };
        let owner = self.owner(&token)?;
        let principal = self.user(&owner).and_then(|user| Principal::resolve(user, &self.hub.project.roles));
        let principal = principal.ok_or_else(|| Status::unauthenticated("log in again"))?;
        let peer = request.remote_addr().map_or_else(|| "unknown".into(), |address| address.to_string());
        Ok(Asker { principal, peer })
    }

    fn user(&self, name: &str) -> Option<&User> {
        self.hub.project.users.get(name)
    }

    fn owner(&self, token: &str) -> Result<String, Status> {
        let key = BASE64_URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
        let found = self.tokens.find(&key);
        found
            .map(|(owner, ())| owner)
            .ok_or_else(|| Status::unauthenticated("log in again: the token has expired"))
    }

    async fn log_in(
        &self,
        name: String,
        password: String,
        address: Option<IpAddr>,
    ) -> Result<String, Status> {
        let busy = || Status::resource_exhausted("too many log-ins at once, try again");
        let key = (name.clone(), address);
        // Those who wait for a wrong password hold no place that others need.
        if !self.backoff.admit(&key).await {
            return Err(busy());
        }
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let hash = self.user(&name).map_or_else(|| self.decoy.clone(), |user| user.password_hash.clone());
        let turn = self.verifying.acquire().await.map_err(|_| busy())?;
        let verified = tokio::task::spawn_blocking(move || password::verify(&password, &hash)).await;
        drop(turn);
        // The decoy's password is unknown to everyone; the second look costs nothing.
        if verified.unwrap_or(false) && self.user(&name).is_some() {
            self.backoff.forgive(&key);
            return Ok(BASE64_URL_SAFE_NO_PAD.encode(self.tokens.put(&name, ())));
        }
        self.backoff.failed(&key);
        tracing::warn!(user = name, "log-in refused");
        Err(Status::unauthenticated("unknown user or wrong password"))
    }
}

#[derive(Debug, PartialEq)]
enum Credentials {
    Basic { name: String, password: String },
    Bearer(String),
}

fn credentials<T>(request: &Request<T>) -> Option<Credentials> {
    parse(request.metadata().get("authorization")?.to_str().ok()?)
}

fn parse(header: &str) -> Option<Credentials> {
    let (scheme, rest) = header.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(Credentials::Bearer(rest.trim().into())),
        "basic" => {
            // Go's Flight client, and so every driver made from it, sends no padding.
            let unpadded = rest.trim().trim_end_matches('=');
            let decoded = String::from_utf8(BASE64_STANDARD_NO_PAD.decode(unpadded).ok()?).ok()?;
            let (name, password) = decoded.split_once(':')?;
            Some(Credentials::Basic { name: name.into(), password: password.into() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_without_regard_to_case() {
        let basic = parse(&format!("basic {}", BASE64_STANDARD.encode("anna:a:b"))).unwrap();
        assert_eq!(basic, Credentials::Basic { name: "anna".into(), password: "a:b".into() });
        let unpadded = parse(&format!("Basic {}", BASE64_STANDARD_NO_PAD.encode("anna:abc"))).unwrap();
        assert_eq!(unpadded, Credentials::Basic { name: "anna".into(), password: "abc".into() });
        assert_eq!(parse("BEARER abc"), Some(Credentials::Bearer("abc".into())));
        for bad in
            ["", "Basic", "Basic ???", "Digest x", &format!("Basic {}", BASE64_STANDARD.encode("no colon"))]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
