//! Service tokens: made on the command line, shown by programs, refused when they are not good.

use crate::access::{Own, answer, until};
use crate::as_of::{act, options};
use crate::flight::Client;
use crate::hub;
use chrono::{TimeDelta, Utc};
use muster::serve::token;
use muster::state::State;
use muster::state::tokens::Token;
use std::process::Command;

const COUNT: &str = "select count(*) as n from conformed.widget";
const REFUSED: &str = "log in again: the token has expired";

impl Own {
    /// What `muster token` prints, errors included.
    fn token(&self, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        let done = command.arg("--project").arg(self.dir()).arg("token").args(args).output().unwrap();
        String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap()
    }

    /// A new token of `user`; its text and its id.
    fn create(&self, user: &str, name: &str) -> (String, String) {
        let printed = self.token(&["create", "--user", user, "--expires", "90d", "--name", name]);
        let text = printed.lines().next().unwrap().to_string();
        let id = text.split('_').nth(1).unwrap_or_else(|| panic!("{printed}")).to_string();
        (text, id)
    }

    async fn with_token(&self, text: &str) -> Client {
        let mut client = self.connect().await;
        client.set_token(text.into());
        client
    }

    async fn state(&self) -> State {
        hub::open(self.dir()).await.state
    }
}

/// The handshake of drivers that were given a token; gives the cookie.
async fn handshake(client: &mut Client) -> Result<String, String> {
    let hello = futures::stream::iter([arrow_flight::HandshakeRequest::default()]);
    let mut request = tonic::Request::new(hello);
    let token = format!("Bearer {}", client.token().unwrap());
    request.metadata_mut().insert("authorization", token.parse().unwrap());
    let response = client.inner_mut().handshake(request).await.map_err(|e| e.message().to_string())?;
    Ok(response.metadata().get("set-cookie").unwrap().to_str().unwrap().to_string())
}

#[tokio::test]
async fn a_token_comes_in_as_its_user() {
    let own = Own::new();
    let (text, id) = own.create("beds", "nightly report");
    let mut client = own.with_token(&text).await;
    assert!(answer(&mut client, COUNT).await.contains("| 2 |"));
    let cookie = handshake(&mut client).await.unwrap();
    let recorded = "select count(*) as n from hub.queries \
        where principal = 'beds' and peer like '127.0.0.1:% (token nightly report)'";
    let mut auditor = own.log_in("hub").await;
    assert!(answer(&mut auditor, recorded).await.contains("| 1 |"));
    let listed = own.token(&["list"]);
    let today = Utc::now().date_naive().to_string();
    for part in [&id, "beds", "nightly report", "good until", &format!("used {today}")] {
        assert!(listed.contains(part), "{part} is not in {listed}");
    }
    let secret = text.rsplit('_').next().unwrap();
    assert!(!listed.contains(secret));
    let kept = own.state().await.token(&id).await.unwrap().unwrap();
    assert!(!kept.hash.contains(secret) && !format!("{kept:?}").contains(&kept.hash));

    // Another program with the same token must not read another release of a sudden.
    let now = Utc::now().to_rfc3339();
    let body = || options(&[("muster.as_of", Some(&now))]);
    let shared = act(&mut client, &[], "SetSessionOptions", body()).await.unwrap_err();
    assert!(shared.starts_with("a service token has no session"), "{shared}");
    assert_eq!(act(&mut client, &[("cookie", &cookie)], "SetSessionOptions", body()).await, Ok(vec![]));
    client.set_header("cookie", cookie);
    assert!(answer(&mut client, "show muster.as_of").await.contains("Z |"));
}

#[tokio::test]
async fn every_token_that_is_not_good_gets_the_same_answer() {
    let own = Own::new();
    let state = own.state().await;
    let (expired, presented) = token::new();
    let long_ago = Utc::now() - TimeDelta::days(2);
    let kept = Token {
        hash: presented.hash().into(),
        id: presented.id,
        principal: "beds".into(),
        label: "old".into(),
        created_at: long_ago,
        expires_at: long_ago + TimeDelta::days(1),
        revoked_at: None,
        used_on: None,
    };
    state.add_token(&kept).await.unwrap();
    let (text, presented) = token::new();
    let nobody = Token {
        hash: presented.hash().into(),
        id: presented.id,
        principal: "nobody".into(),
        expires_at: Utc::now() + TimeDelta::days(1),
        ..kept
    };
    state.add_token(&nobody).await.unwrap();
    let (good, id) = own.create("beds", "good");
    let foreign = good.replace(&id, &nobody.id);
    for bad in [expired, text, foreign, token::new().0, "mst_1_2".into(), "garbage".into()] {
        let mut client = own.with_token(&bad).await;
        assert_eq!(answer(&mut client, COUNT).await, REFUSED, "{bad}");
        if bad.len() < 10 {
            assert_eq!(handshake(&mut client).await.unwrap_err(), REFUSED);
        }
    }
    assert!(answer(&mut own.with_token(&good).await, COUNT).await.contains("| 2 |"));
}

#[tokio::test]
async fn a_token_ends_when_it_is_revoked_and_when_its_user_goes() {
    let own = Own::new();
    let ((first, id), (second, _)) = (own.create("beds", "first"), own.create("beds", "second"));
    let (mut revoked, mut orphaned) = (own.with_token(&first).await, own.with_token(&second).await);
    assert!(answer(&mut revoked, COUNT).await.contains("| 2 |"));
    assert!(own.token(&["revoke", &id]).contains("is revoked"));
    until(&mut revoked, COUNT, REFUSED).await;
    assert!(answer(&mut orphaned, COUNT).await.contains("| 2 |"));
    own.remove("beds");
    until(&mut orphaned, COUNT, REFUSED).await;
    let again = own.token(&["revoke", &id]);
    assert!(again.starts_with("error: no token with this id is in use"), "{again}");
    let unknown = own.token(&["create", "--user", "beds", "--expires", "90d"]);
    assert!(unknown.starts_with("error: unknown user \"beds\""), "{unknown}");
}

#[tokio::test]
async fn a_token_ends_by_itself() {
    let own = Own::new();
    let printed = own.token(&["create", "--user", "beds", "--expires", "3s"]);
    let mut client = own.with_token(printed.lines().next().unwrap()).await;
    until(&mut client, COUNT, REFUSED).await;
    let printed = own.token(&["create", "--user", "beds", "--expires", "9999d"]);
    assert!(printed.starts_with("error: a token is good for some time"), "{printed}");
}
