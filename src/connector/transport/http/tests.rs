//! REST interfaces as they are, at servers of this process.

mod failures;

use super::*;
use crate::connector::contract::{Cursor, Lag, Mode, PageSize, PathPart, Since, Type};
use crate::connector::testing::{contract, request, timestamp};
use crate::error::Kind;
use crate::project::{Access, Address, Auth, Secret};
use axum::extract::Request as Asked;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server that answers as its test says, and remembers what it was asked.
struct Server {
    base: Url,
    asked: Arc<Mutex<Vec<String>>>,
    served: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl Server {
    /// `answer` is given the path with its query, the headers and how often it was asked before.
    async fn start<R: IntoResponse>(
        answer: impl Fn(&str, &HeaderMap, usize) -> R + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api/", listener.local_addr().unwrap()).parse().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        let answered = move |request: Asked| {
            let place = request.uri().path_and_query().map_or("/", |place| place.as_str()).to_string();
            let mut log = log.lock().unwrap();
            log.push(place.clone());
            let answer = answer(&place, request.headers(), log.len() - 1).into_response();
            async move { answer }
        };
        let router = axum::Router::new().fallback(answered);
        let served = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, asked, served }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn source(&self) -> Source {
        source(self.base.clone(), Access::default())
    }
}

fn source(base: Url, access: Access) -> Source {
    let address = Address::Rest(base);
    Source { name: "beds_s".into(), force: "beds".into(), system: "s".into(), address, access }
}

fn with(change: impl FnOnce(&mut Request)) -> Contract {
    let mut contract = contract(&[("id", Type::Text), ("at", timestamp())]);
    contract.columns[1].optional = true;
    let mut request = Request { paging: Paging::Single, ..request() };
    change(&mut request);
    contract.http = Some(request);
    contract
}

fn single() -> Contract {
    with(|_| {})
}

async fn ask(source: &Source, contract: &Contract) -> Result<String> {
    ask_for(source, contract, &Span::Whole).await
}

async fn ask_for(source: &Source, contract: &Contract, span: &Span) -> Result<String> {
    let Address::Rest(base) = &source.address else { panic!("no REST interface") };
    let answer = open(source, base)?.ask(contract, span).await?;
    let chunks: Vec<bytes::Bytes> = answer.try_collect().await?;
    Ok(String::from_utf8(chunks.concat()).unwrap())
}

/// An error as its reader sees it, with all causes.
fn shown(error: &Error) -> String {
    format!("{error} / {} / {error:?}", error.advice().unwrap_or_default())
}

fn secret(folder: &TempDir, text: &str) -> Secret {
    let path = folder.path().join("secret");
    std::fs::write(&path, text).unwrap();
    Secret::File(path)
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map_or(String::new(), |value| value.to_str().unwrap().to_string())
}

const EMPTY: &str = r#"{"items": []}"#;

#[tokio::test]
async fn everybody_shows_who_they_are_in_their_own_way() {
    let folder = tempfile::tempdir().unwrap();
    let seen = |place: &str, headers: &HeaderMap, _| {
        format!("[\"{place}|{}|{}\"]", header(headers, "authorization"), header(headers, "iPublicKey"))
    };
    let server = Server::start(seen).await;
    let secret = || secret(&folder, "s3 cr&t");
    for (auth, expect) in [
        (None, "[\"/api/E||\"]"),
        (Some(Auth::Bearer(secret())), "[\"/api/E|Bearer s3 cr&t|\"]"),
        (Some(Auth::HeaderKey("iPublicKey".into(), secret())), "[\"/api/E||s3 cr&t\"]"),
        (Some(Auth::QueryKey("key".into(), secret())), "[\"/api/E?key=s3+cr%26t||\"]"),
        (
            Some(Auth::Basic { user: "reader".into(), password: secret() }),
            "[\"/api/E|Basic cmVhZGVyOnMzIGNyJnQ=|\"]",
        ),
    ] {
        let source = source(server.base.clone(), Access { auth, ..Access::default() });
        assert_eq!(ask(&source, &single()).await.unwrap(), expect);
    }
}

fn client_credentials(server: &Server, folder: &TempDir) -> Auth {
    Auth::ClientCredentials {
        token_url: server.base.join("/token").unwrap(),
        client_id: "hub".into(),
        client_secret: secret(folder, "s3cret"),
        scope: Some("read all".into()),
        in_body: false,
    }
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_again_when_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|place, headers, before| match place {
        "/token" => {
            assert_eq!(header(headers, "authorization"), "Basic aHViOnMzY3JldA==");
            (StatusCode::OK, format!(r#"{{"access_token": "t{before}", "expires_in": "3600"}}"#))
        }
        // The first token expires before its time.
        _ if header(headers, "authorization") == "Bearer t0" && before > 2 => {
            (StatusCode::UNAUTHORIZED, String::new())
        }
        _ => (StatusCode::OK, format!("[\"{}\"]", header(headers, "authorization"))),
    })
    .await;
    let auth = Some(client_credentials(&server, &folder));
    let source = source(server.base.clone(), Access { auth, ..Access::default() });
    let mut session = open(&source, &server.base).unwrap();
    let mut answers = Vec::new();
    for _ in 0..3 {
        let answer = session.ask(&single(), &Span::Whole).await.unwrap();
        let chunks: Vec<bytes::Bytes> = answer.try_collect().await.unwrap();
        answers.push(String::from_utf8(chunks.concat()).unwrap());
    }
    assert_eq!(answers, ["[\"Bearer t0\"]", "[\"Bearer t0\"]", "[\"Bearer t4\"]"]);
    assert_eq!(server.asked(), ["/token", "/api/E", "/api/E", "/api/E", "/token", "/api/E"]);
}

#[tokio::test]
async fn a_refused_secret_is_told_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _, _| (StatusCode::UNAUTHORIZED, "s3cret is wrong")).await;
    let secret = || secret(&folder, "s3cret");
    for auth in [
        Auth::Bearer(secret()),
        Auth::QueryKey("key".into(), secret()),
        Auth::Basic { user: "reader".into(), password: secret() },
        client_credentials(&server, &folder),
    ] {
        let source = source(server.base.clone(), Access { auth: Some(auth), ..Access::default() });
        let error = ask(&source, &single()).await.unwrap_err();
        assert_eq!((error.kind(), error.place()), (Kind::Source, Some("beds_s.e")));
        assert!(error.to_string().contains("401"), "{error}");
        assert!(!shown(&error).contains("s3cret"), "{}", shown(&error));
    }
}

/// What a server with five rows is asked, page by page.
async fn paged(paging: Paging, answer: fn(&str) -> String) -> (Vec<String>, String) {
    let server = Server::start(move |place, _, _| answer(place)).await;
    let answer = ask(&server.source(), &with(|request| request.paging = paging)).await.unwrap();
    (server.asked(), answer)
}

fn size(rows: u64) -> PageSize {
    PageSize { parameter: Some("limit".into()), rows: Some(rows) }
}

#[tokio::test]
async fn pages_by_number_end_with_a_short_one_or_when_the_source_says_so() {
    let page = |place: &str| match place.contains("page=3") {
        true => r#"{"items": [5], "last": false}"#.to_string(),
        false => r#"{"items": [1, 2], "last": true}"#.to_string(),
    };
    let parameter = || "page".to_string();
    let short = Paging::PageNumber { parameter: parameter(), first: 1, size: size(2), more: None };
    let (asked, answer) = paged(short, page).await;
    assert_eq!(asked, ["/api/E?page=1&limit=2", "/api/E?page=2&limit=2", "/api/E?page=3&limit=2"]);
    let full = r#"{"items": [1, 2], "last": true}"#;
    assert_eq!(answer, format!(r#"{full}{full}{{"items": [5], "last": false}}"#));
    let none = PageSize { parameter: None, rows: None };
    let said = Paging::PageNumber { parameter: parameter(), first: 2, size: none, more: Some("last".into()) };
    assert_eq!(paged(said, page).await.0, ["/api/E?page=2", "/api/E?page=3"]);
}

#[tokio::test]
async fn pages_by_offset_go_on_by_the_rows_that_came() {
    let page = |place: &str| match place {
        place if place.contains("offset=0") => r#"{"items": [1, 2, 3], "hasMore": true}"#.to_string(),
        place if place.contains("offset=3") => r#"{"items": [4, 5], "hasMore": false}"#.to_string(),
        _ => panic!("{place}"),
    };
    for more in [Some("hasMore".to_string()), None] {
        let paging = Paging::Offset { parameter: "offset".into(), size: size(3), more };
        assert_eq!(paged(paging, page).await.0, ["/api/E?offset=0&limit=3", "/api/E?offset=3&limit=3"]);
    }
}

#[tokio::test]
async fn pages_by_mark_end_without_one() {
    let page = |place: &str| match place.contains("after=b%26c") {
        true => r#"{"items": [2], "meta": {"next": null}}"#.to_string(),
        false => r#"{"items": [1], "meta": {"next": "b&c"}}"#.to_string(),
    };
    let paging = Paging::Cursor { parameter: "after".into(), next: "meta.next".into() };
    assert_eq!(paged(paging, page).await.0, ["/api/E", "/api/E?after=b%26c"]);
}

#[tokio::test]
async fn pages_by_header_and_by_address_in_the_body() {
    let server = Server::start(|place: &str, _: &HeaderMap, _| {
        let link = match place {
            "/api/E" => r#"</first>; rel="first", </api/E?p=2>; title="x"; rel="prev next""#,
            _ => r#"</api/E>; rel=first"#,
        };
        ([("link", link)], EMPTY)
    })
    .await;
    ask(&server.source(), &with(|request| request.paging = Paging::Link)).await.unwrap();
    assert_eq!(server.asked(), ["/api/E", "/api/E?p=2"]);

    let odata = |place: &str| match place {
        "/api/E" => r#"{"items": [], "@odata.nextLink": "E?$skiptoken=2"}"#.to_string(),
        _ => EMPTY.to_string(),
    };
    let paging = Paging::NextUrl { next: "@odata.nextLink".into() };
    assert_eq!(paged(paging, odata).await.0, ["/api/E", "/api/E?$skiptoken=2"]);

    let links = |place: &str| match place {
        "/api/E" => {
            r#"{"items": [], "links": [{"rel": "self", "href": "/x"}, {"rel": "next", "href": "/y"}]}"#.into()
        }
        _ => r#"{"items": [], "links": []}"#.to_string(),
    };
    let paging = Paging::NextUrl { next: "$.links[?@.rel=='next'].href".into() };
    assert_eq!(paged(paging, links).await.0, ["/api/E", "/y"]);
}

#[tokio::test]
async fn pages_neither_leave_the_source_nor_lead_in_a_circle() {
    for (next, expect) in [
        ("http://elsewhere.example/api/E", "at another server"),
        ("//127.0.0.1:1/api/E", "at another server"),
        ("/api/E", "in a circle"),
        ("http://[", "cannot be read"),
    ] {
        let server = Server::start(move |_, _, _| format!(r#"{{"items": [], "next": "{next}"}}"#)).await;
        let contract = with(|request| request.paging = Paging::NextUrl { next: "next".into() });
        let error = ask(&server.source(), &contract).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Source);
        assert!(error.to_string().contains(expect), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
    let more = |_: &str, _: &HeaderMap, _| r#"{"items": [], "more": true}"#;
    let server = Server::start(more).await;
    let paging = Paging::Offset { parameter: "offset".into(), size: size(3), more: Some("more".into()) };
    let error = ask(&server.source(), &with(|request| request.paging = paging)).await.unwrap_err();
    assert!(error.to_string().contains("page 1: a page without rows says that there are more"), "{error}");
}

#[tokio::test]
async fn children_are_asked_for_by_their_parents() {
    let server = Server::start(|place, _, _| match place {
        "/api/E?status=all" => r#"{"items": [{"no": "F/1 ü"}, {"no": 2.50}]}"#,
        "/api/E/F%2F1%20%C3%BC/notes" => r#"{"notes": [1]}"#,
        "/api/E/2.50/notes" => r#"{"notes": []}"#,
        _ => panic!("{place}"),
    })
    .await;
    let parent =
        Request { paging: Paging::Single, query: vec![("status".into(), "all".into())], ..request() };
    let child = |parent: Request| {
        with(|request| {
            let literal = |text: &str| PathPart::Literal(text.into());
            request.path = vec![literal("E/"), PathPart::Field("no".into()), literal("/notes")];
            request.parent = Some(Box::new(Parent { entity: "e".into(), request: parent }));
        })
    };
    let answer = ask(&server.source(), &child(parent.clone())).await.unwrap();
    let expect = "{\"_parent\":{\"no\": \"F/1 ü\"}}\n{\"notes\": [1]}\n{\"_parent\":{\"no\": 2.50}}\n{\"notes\": []}\n";
    assert_eq!(answer, expect);
    for no in ["\"..\"", "\"\"", "null", "[1]"] {
        let server = Server::start(move |_, _, _| format!(r#"{{"items": [{{"no": {no}}}]}}"#)).await;
        let error = ask(&server.source(), &child(parent.clone())).await.unwrap_err();
        assert!(error.to_string().contains("no \"no\" that a path can hold"), "{error}");
        assert_eq!(server.asked().len(), 1, "{no}");
    }
}

#[tokio::test]
async fn what_has_changed_is_asked_for_in_the_words_of_the_source() {
    let server = Server::start(|_, _, _| EMPTY).await;
    let since = |pattern: Option<&str>, zone| Since {
        parameter: "from".into(),
        pattern: pattern.map(Into::into),
        zone,
    };
    let low = Span::Since("2026-07-01 12:00:00.000000".into());
    for (since, expect) in [
        (since(None, None), "2026-07-01T11%3A00%3A00.000000Z"),
        (since(Some("%Y-%m-%d %H:%M"), None), "2026-07-01+11%3A00"),
        (since(Some("%Y-%m-%d %H:%M"), Some(chrono_tz::Tz::Europe__London)), "2026-07-01+12%3A00"),
    ] {
        let mut contract = with(|request| request.since = Some(since));
        let lag = Lag::Time(Duration::ZERO);
        contract.mode = Mode::Cursor(Some(Cursor { column: "at".into(), lag, sweep: None }));
        ask_for(&server.source(), &contract, &low).await.unwrap();
        assert_eq!(server.asked().last().unwrap(), &format!("/api/E?from={expect}"));
        ask(&server.source(), &contract).await.unwrap();
        assert_eq!(server.asked().last().unwrap(), "/api/E");
    }
}
