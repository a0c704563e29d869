//! Who calls: Basic becomes a bearer token once, and a bearer token a principal at every call.

use super::backoff::Backoff;
use super::headers::Properties;
use super::login::Passwords;
use super::session::{self, Call, Session, Settings};
use super::shelf::Shelf;
use super::tokens::Tokens;
use crate::error::Result;
use crate::hub::Hub;
use crate::policy::access::Access;
use crate::policy::roles::Principal;
use crate::release::as_of::{self, Pin};
use crate::serve::statement::Asker;
use crate::serve::token::Presented;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Status};

/// A log-in that is not used for this long is forgotten: a working day.
const LOG_IN_IDLE: Duration = Duration::from_secs(8 * 3600);
/// A log-in is forgotten after this long even when it is used: whoever stole its token loses it.
const LOG_IN_LIFE: Duration = Duration::from_secs(12 * 3600);
const LOG_INS_PER_USER: usize = 256;

/// Knows who calls.
#[derive(Debug)]
pub(super) struct Gate {
    hub: Arc<Hub>,
    /// Who may come in, as it is now.
    pub(super) access: Arc<Access>,
    passwords: Passwords,
    tokens: Tokens,
    log_ins: Shelf<LoggedIn>,
    /// Sessions of clients that keep cookies. A log-in gives both; a client that shows its cookie
    /// has a session apart from others with the same token.
    cookies: Shelf<Settings>,
}

/// What is kept under the bearer token of a log-in.
#[derive(Debug, Clone)]
struct LoggedIn {
    settings: Settings,
    /// The hash that the password was verified against: another password ends the session.
    password_hash: String,
}

/// What a handshake gives.
pub(super) struct LogIn {
    /// The bearer token.
    pub(super) token: String,
    /// The session for clients that keep cookies.
    pub(super) cookie: String,
}

/// Whom a bearer token belongs to.
struct Bearer {
    principal: Principal,
    session: Session,
    settings: Settings,
    /// The name of a service token.
    label: Option<String>,
}

impl Gate {
    pub(super) fn new(hub: Arc<Hub>, access: Arc<Access>) -> Result<Self> {
        let backoff = Arc::new(Backoff::default());
        Ok(Self {
            passwords: Passwords::new(Arc::clone(&access), Arc::clone(&backoff))?,
            tokens: Tokens::new(Arc::clone(&hub), backoff),
            log_ins: Shelf::new(LOG_IN_IDLE, LOG_INS_PER_USER).with_life(LOG_IN_LIFE),
            cookies: Shelf::new(LOG_IN_IDLE, LOG_INS_PER_USER).with_life(LOG_IN_LIFE),
            hub,
            access,
        })
    }

    /// Answers a handshake: a new token for a name and password, the same one for a token that is
    /// still good; and a new session for clients that keep cookies.
    pub(super) async fn handshake<T>(&self, request: &Request<T>) -> Result<LogIn, Status> {
        let address = request.remote_addr().map(|address| address.ip());
        let (owner, token) = match credentials(request) {
            Some(Credentials::Basic { name, password }) => {
                let user = self.passwords.verify(&name, password, address).await?;
                let kept = LoggedIn { settings: Settings::default(), password_hash: user.password_hash };
                let token = BASE64_URL_SAFE_NO_PAD.encode(self.log_ins.put(&user.name, kept));
                (user.name, token)
            }
            Some(Credentials::Bearer(token)) => (self.bearer(&token, address).await?.principal.name, token),
            None => return Err(Status::unauthenticated("log in with a user name and a password")),
        };
        // A property that cannot be obeyed is better known when the connection is made.
        Properties::read(request.metadata())?;
        let cookie = BASE64_URL_SAFE_NO_PAD.encode(self.cookies.put(&owner, Settings::default()));
        Ok(LogIn { token, cookie })
    }

    /// Who sent `request`, with the roles as they are now, and what the call reads.
    pub(super) async fn call<T>(&self, request: &Request<T>) -> Result<Call, Status> {
        let Some(Credentials::Bearer(token)) = credentials(request) else {
            return Err(Status::unauthenticated("log in first: no bearer token was sent"));
        };
        let address = request.remote_addr();
        let bearer = self.bearer(&token, address.map(|address| address.ip())).await?;
        let Bearer { principal, mut session, settings: mut kept, label } = bearer;
        let address = address.map_or_else(|| "unknown".into(), |address| address.to_string());
        let peer = label.map_or(address.clone(), |label| format!("{address} (token {label})"));
        if let Some(cookie) = session::cookie(request.metadata()) {
            let key = decode(cookie);
            kept = self.cookies.get(&principal.name, &key).ok_or_else(|| {
                // To go on without the session could answer with other releases than it was told to.
                Status::unauthenticated("log in again: the session has expired")
            })?;
            session = Session::Cookie(key);
        }
        let headers = Properties::read(request.metadata())?;
        let pin = match headers.as_of {
            Some((_, instant)) => {
                Pin::AsOf(as_of::current(&self.hub.lake, instant).await.map_err(super::status)?)
            }
            None => kept.pin,
        };
        let schema = headers.schema.clone().or_else(|| kept.schema.clone());
        Ok(Call { asker: Asker { principal, peer }, pin, schema, headers, session, kept })
    }

    /// What the session of `call` keeps from now on.
    pub(super) fn set(&self, call: &Call, settings: Settings) -> Result<(), Status> {
        let owner = &call.asker.principal.name;
        let set = match &call.session {
            Session::Token(key) => self
                .log_ins
                .get(owner, key)
                .and_then(|kept| self.log_ins.replace(owner, key, LoggedIn { settings, ..kept })),
            Session::Cookie(key) => self.cookies.replace(owner, key, settings),
            Session::None => {
                return Err(Status::failed_precondition(
                    "a service token has no session, because several programs may use it \
                     (hint: send the headers as_of and schema with each call, or keep the cookie of the handshake)",
                ));
            }
        };
        set.ok_or_else(|| Status::unauthenticated("log in again: the session has expired"))
    }

    /// Ends the session of `call`, so that whoever goes on with it is refused and does not read
    /// another release than before.
    pub(super) fn close(&self, call: &Call) {
        let owner = &call.asker.principal.name;
        match &call.session {
            Session::Token(key) => self.log_ins.remove(owner, key),
            Session::Cookie(key) => self.cookies.remove(owner, key),
            Session::None => {}
        }
    }

    /// Whose token `text` is. Whatever is wrong with it, the answer is the same.
    async fn bearer(&self, text: &str, address: Option<IpAddr>) -> Result<Bearer, Status> {
        let (owner, session, settings, label) = match Presented::read(text) {
            Some(presented) => {
                let token = self.tokens.verify(&presented, address).await?;
                (token.principal.clone(), Session::None, Settings::default(), Some(token.label.clone()))
            }
            None => {
                let key = decode(text);
                let (owner, kept) = self.log_ins.find(&key).ok_or_else(expired)?;
                if self.access.user(&owner).is_none_or(|user| user.password_hash != kept.password_hash) {
                    return Err(expired());
                }
                (owner, Session::Token(key), kept.settings, None)
            }
        };
        let principal = self.access.principal(&owner).ok_or_else(expired)?;
        Ok(Bearer { principal, session, settings, label })
    }
}

/// The one answer to a token that is not good: unknown, expired, revoked, or of a user who is gone.
pub(super) fn expired() -> Status {
    Status::unauthenticated("log in again: the token has expired")
}

fn decode(key: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(key).unwrap_or_default()
}

/// Without `Debug`: a password must not come into a log by accident.
#[cfg_attr(test, derive(Debug))]
#[derive(PartialEq)]
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
    use base64::prelude::BASE64_STANDARD;

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
