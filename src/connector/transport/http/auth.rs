//! Who asks.

use crate::connector::transport::http::client::told;
use crate::error::{Error, Result};
use crate::project::{Auth, Secret};
use base64::Engine;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Request};
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

/// A token is not used for so long before it expires: the request has to arrive, too.
const MARGIN: Duration = Duration::from_secs(30);

/// How long a token holds that does not say so.
const UNSAID: Duration = Duration::from_secs(300);

/// The longest answer of who gives out tokens.
const MOST_BYTES: usize = 1 << 20;

/// What a source is shown, with the token that holds now.
#[derive(Debug)]
pub(super) struct Credentials {
    auth: Option<Auth>,
    token: Mutex<Option<Token>>,
}

struct Token {
    text: String,
    until: Instant,
}

/// Never shows the token.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// The answer of who gives out tokens.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: Option<serde_json::Value>,
}

impl Credentials {
    pub(super) fn new(auth: Option<Auth>) -> Self {
        Self { auth, token: Mutex::new(None) }
    }

    /// Shows on `request` who asks.
    pub(super) async fn show(&self, client: &Client, request: &mut Request) -> Result<()> {
        let (name, value) = match &self.auth {
            None => return Ok(()),
            Some(Auth::QueryKey(name, key)) => {
                let key = key.read()?;
                request.url_mut().query_pairs_mut().append_pair(name, &key);
                return Ok(());
            }
            Some(Auth::HeaderKey(name, key)) => {
                let name = HeaderName::try_from(name.as_str());
                (name.map_err(|_| Error::config("the key has no header"))?, key.read()?)
            }
            Some(Auth::Bearer(token)) => (AUTHORIZATION, format!("Bearer {}", token.read()?)),
            Some(Auth::Basic { user, password }) => (AUTHORIZATION, basic(user, password)?),
            Some(Auth::ClientCredentials { .. }) => {
                (AUTHORIZATION, format!("Bearer {}", self.token(client).await?))
            }
        };
        request.headers_mut().insert(name, sensitive(value)?);
        Ok(())
    }

    /// Whether another token may be accepted where this one was refused; the old one is forgotten.
    pub(super) async fn renew(&self) -> bool {
        matches!(self.auth, Some(Auth::ClientCredentials { .. })) && self.token.lock().await.take().is_some()
    }

    /// The token that holds now. Whoever needs one while it is asked for waits for it.
    async fn token(&self, client: &Client) -> Result<String> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| Instant::now() < token.until) {
            return Ok(token.text.clone());
        }
        let (text, holds) = self.given(client).await?;
        *held = Some(Token { text: text.clone(), until: Instant::now() + holds.saturating_sub(MARGIN) });
        Ok(text)
    }

    /// Asks for a token; how long it holds.
    async fn given(&self, client: &Client) -> Result<(String, Duration)> {
        let Some(Auth::ClientCredentials { token_url, client_id, client_secret, scope, in_body }) =
            &self.auth
        else {
            return Err(Error::internal("a token was asked for where there is none"));
        };
        let mut pairs = vec![("grant_type", "client_credentials".to_string())];
        pairs.extend(scope.iter().map(|scope| ("scope", scope.clone())));
        let mut request = client.post(Url::clone(token_url));
        if *in_body {
            pairs.extend([("client_id", client_id.clone()), ("client_secret", client_secret.read()?)]);
        } else {
            request = request.header(AUTHORIZATION, sensitive(basic(client_id, client_secret)?)?);
        }
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        let unreached = |error| {
            Error::source("no token was given to the source")
                .hint("see whether its `token_url` can be reached from here")
                .because(told(error))
        };
        let mut answer = request.send().await.map_err(unreached)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(Error::source(format!("whoever gives out tokens answered {status}"))
                .hint("see `client_id`, `client_secret`, `scope` and `send` of the source's auth"));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreached)? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_BYTES {
                return Err(Error::source("the answer to the question for a token is too long"));
            }
        }
        // Its error would show the token.
        let given: Given = serde_json::from_slice(&body).map_err(|_| {
            Error::source("the answer to the question for a token holds none")
                .hint("`token_url` of the source's auth must answer as RFC 6749 says")
        })?;
        let seconds = given.expires_in.and_then(|said| match said {
            serde_json::Value::String(text) => text.parse().ok(),
            said => said.as_u64(),
        });
        Ok((given.access_token, seconds.map_or(UNSAID, Duration::from_secs)))
    }
}

fn basic(user: &str, password: &Secret) -> Result<String> {
    let pair = format!("{user}:{}", password.read()?);
    Ok(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

fn sensitive(value: String) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| Error::config("the source's secret holds characters that no header can"))?;
    value.set_sensitive(true);
    Ok(value)
}
