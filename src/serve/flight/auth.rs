//! Who calls: Basic becomes a bearer token once, and the token a principal at every call.

use super::backoff::Backoff;
use super::session::{self, Call, Session};
use super::shelf::Shelf;
use crate::error::Result;
use crate::hub::Hub;
use crate::policy::roles::{Principal, User};
use crate::release::as_of::{self, Pin};
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
    /// What the sessions of log-ins read.
    tokens: Shelf<Pin>,
    /// The same for clients that keep cookies. A log-in gives both; a client that shows its cookie
    /// has a session apart from others with the same token.
    cookies: Shelf<Pin>,
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
            cookies: Shelf::new(TOKEN_IDLE, TOKENS_PER_USER).with_life(TOKEN_LIFE),
            decoy: password::hash(&BASE64_STANDARD.encode(rand::random::<[u8; 16]>()))?,
            verifying: Semaphore::new(VERIFICATIONS_AT_ONCE),
            waiting: Semaphore::new(VERIFICATIONS_WAITING),
            backoff: Backoff::default(),
        })
    }

    /// Answers a handshake: a new token for a name and password, the same one for a token that is
    /// still good; and a new session for clients that keep cookies.
    pub(super) async fn handshake<T>(&self, request: &Request<T>) -> Result<LogIn, Status> {
        let (owner, token) = match credentials(request) {
            Some(Credentials::Basic { name, password }) => {
                let address = request.remote_addr().map(|a| a.ip());
                let token = self.log_in(name.clone(), password, address).await?;
                (name, token)
            }
            Some(Credentials::Bearer(token)) => {
                let (_, owner, _) = self.session(&token)?;
                (owner, token)
            }
            None => return Err(Status::unauthenticated("log in with a user name and a password")),
        };
        let cookie = BASE64_URL_SAFE_NO_PAD.encode(self.cookies.put(&owner, Pin::Newest));
        Ok(LogIn { token, cookie })
    }

    /// Who sent `request`, with the roles as they are now, and what the call reads.
    pub(super) async fn call<T>(&self, request: &Request<T>) -> Result<Call, Status> {
        let Some(Credentials::Bearer(token)) = credentials(request) else {
            return Err(Status::unauthenticated("log in first: no bearer token was sent"));
        };
        let (mut session, owner, mut pin) = self.session(&token)?;
        let principal = self.user(&owner).and_then(|user| Principal::resolve(user, &self.hub.project.roles));
        let principal = principal.ok_or_else(|| Status::unauthenticated("log in again"))?;
        let peer = request.remote_addr().map_or_else(|| "unknown".into(), |address| address.to_string());
        if let Some(cookie) = session::cookie(request.metadata()) {
            let key = decode(cookie);
            pin = self.cookies.get(&owner, &key).ok_or_else(|| {
                // To go on without the session could answer with other releases than it was told to.
                Status::unauthenticated("log in again: the session has expired")
            })?;
            session = Session::Cookie(key);
        }
        let header = session::header(request.metadata())?;
        if let Some(instant) = header {
            let moment = as_of::current(&self.hub.lake, instant).await.map_err(super::status)?;
            pin = Pin::AsOf(moment);
        }
        let types = session::types(request.metadata());
        Ok(Call { asker: Asker { principal, peer }, pin, is_pinned: header.is_some(), types, session })
    }

    /// What the session of `call` reads from now on.
    pub(super) fn set(&self, call: &Call, pin: Pin) -> Result<(), Status> {
        let owner = &call.asker.principal.name;
        let set = match &call.session {
            Session::Token(key) => self.tokens.replace(owner, key, pin),
            Session::Cookie(key) => self.cookies.replace(owner, key, pin),
        };
        set.ok_or_else(|| Status::unauthenticated("log in again: the session has expired"))
    }

    /// Ends the session of `call`, so that whoever goes on with it is refused and does not read
    /// another release than before.
    pub(super) fn close(&self, call: &Call) {
        let owner = &call.asker.principal.name;
        match &call.session {
            Session::Token(key) => self.tokens.remove(owner, key),
            Session::Cookie(key) => self.cookies.remove(owner, key),
        }
    }

    fn user(&self, name: &str) -> Option<&User> {
        self.hub.project.users.get(name)
    }

    /// The session of a token, whose it is, and what it reads.
    fn session(&self, token: &str) -> Result<(Session, String, Pin), Status> {
        let key = decode(token);
        let found = self.tokens.find(&key);
        found
            .map(|(owner, pin)| (Session::Token(key), owner, pin))
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
            return Ok(BASE64_URL_SAFE_NO_PAD.encode(self.tokens.put(&name, Pin::Newest)));
        }
        self.backoff.failed(&key);
        tracing::warn!(user = name, "log-in refused");
        Err(Status::unauthenticated("unknown user or wrong password"))
    }
}

/// What a log-in gives.
pub(super) struct LogIn {
    /// The bearer token.
    pub(super) token: String,
    /// The session for clients that keep cookies.
    pub(super) cookie: String,
}

fn decode(key: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(key).unwrap_or_default()
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
