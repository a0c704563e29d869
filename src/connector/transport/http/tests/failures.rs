//! REST interfaces as they fail.

use super::*;
use crate::connector::contract::Queue;
use crate::project::TlsMode;
use axum::body::Body;
use axum::http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_busy_or_failing_source_is_asked_again() {
    let server = Server::start(|_, _, before| match before {
        0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], ""),
        1 => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], ""),
        2 => (StatusCode::BAD_GATEWAY, [("x", "")], "<html>"),
        _ => (StatusCode::OK, [("x", "")], EMPTY),
    })
    .await;
    assert_eq!(ask(&server.source(), &single()).await.unwrap(), EMPTY);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_fault_that_stays_and_a_wish_that_is_too_long_are_told() {
    let server = Server::start(|_, _, _| StatusCode::INTERNAL_SERVER_ERROR).await;
    let error = ask(&server.source(), &single()).await.unwrap_err();
    assert_eq!((error.kind(), server.asked().len()), (Kind::Source, 5));
    assert!(error.to_string().contains("500"), "{error}");
    let server = Server::start(|_, _, _| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "86400")])).await;
    let error = ask(&server.source(), &single()).await.unwrap_err();
    assert_eq!(server.asked().len(), 1);
    assert!(shown(&error).contains("asked again in 1day"), "{}", shown(&error));
    for status in [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN] {
        let server = Server::start(move |_, _, _| status).await;
        let error = ask(&server.source(), &single()).await.unwrap_err();
        assert_eq!((error.kind(), server.asked().len()), (Kind::Source, 1), "{error}");
    }
}

fn queue() -> Contract {
    with(|request| request.queue = Some(Queue { empty: Some("No Events Found".into()) }))
}

#[tokio::test]
async fn a_queue_is_asked_once() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TOO_MANY_REQUESTS] {
        let server = Server::start(move |_, _, _| (status, [("retry-after", "0")])).await;
        ask(&server.source(), &queue()).await.unwrap_err();
        assert_eq!(server.asked().len(), 1);
    }
    // What it gives is handed on, whatever it is.
    let server = Server::start(|_, _, _| ([("content-type", "text/html")], "<html>")).await;
    assert_eq!(ask(&server.source(), &queue()).await.unwrap(), "<html>");
}

#[test]
fn what_a_queue_gave_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answer.json");
    for (text, expect) in [
        (r#"{"items": [{"id": 1}]}"#, "Rows"),
        (r#"{"items": []}"#, "Nothing"),
        (r#"{"message": "No Events Found"}"#, "Nothing"),
        ("No Events Found", "Nothing"),
        (r#"{"message": "Internal Error"}"#, "Broken"),
        (r#"{"items": [{"id": 1}"#, "Broken"),
        ("<html>", "Broken"),
        ("", "Broken"),
    ] {
        std::fs::write(&path, text).unwrap();
        let heard = format!("{:?}", heard(&queue(), &path).unwrap());
        assert!(heard.starts_with(expect), "{text}: {heard}");
    }
}

#[tokio::test]
async fn redirects_are_followed_but_not_for_ever() {
    let server = Server::start(|place, _, _| match place {
        "/api/E" => (StatusCode::FOUND, [("location", "/moved")], ""),
        _ => (StatusCode::OK, [("x", "")], EMPTY),
    })
    .await;
    assert_eq!(ask(&server.source(), &single()).await.unwrap(), EMPTY);
    let circle = |place: &str, _: &HeaderMap, _| {
        let to = if place == "/api/E" { "/other" } else { "/api/E" };
        (StatusCode::TEMPORARY_REDIRECT, [("location", to)])
    };
    let far =
        |_: &str, _: &HeaderMap, before: usize| (StatusCode::SEE_OTHER, [("location", format!("/{before}"))]);
    for (server, expect) in
        [(Server::start(circle).await, "in a circle"), (Server::start(far).await, "again and again")]
    {
        let error = ask(&server.source(), &single()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Source);
        assert!(error.to_string().contains(expect), "{error}");
        assert!(server.asked().len() < 8, "{:?}", server.asked());
    }
}

#[tokio::test]
async fn another_server_is_not_shown_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let other =
        Server::start(|_, headers: &HeaderMap, _| format!("[\"{}\"]", header(headers, "authorization")))
            .await;
    let to = other.base.join("/theirs").unwrap().to_string();
    let server = Server::start(move |_, headers: &HeaderMap, _| {
        assert_eq!(header(headers, "authorization"), "Bearer s3cret");
        (StatusCode::FOUND, [("location", to.clone())])
    })
    .await;
    let auth = Some(Auth::Bearer(secret(&folder, "s3cret")));
    let source = source(server.base.clone(), Access { auth, ..Access::default() });
    assert_eq!(ask(&source, &single()).await.unwrap(), "[\"\"]");
    assert_eq!(other.asked(), ["/theirs"]);
}

/// A server that sends these bytes to each connection and then hangs, or closes it.
async fn raw(bytes: &'static str, hangs: bool) -> (Url, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api/", listener.local_addr().unwrap()).parse().unwrap();
    let served = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut connection, _)) = listener.accept().await {
            assert!(connection.read(&mut [0; 4096]).await.unwrap() > 0);
            connection.write_all(bytes.as_bytes()).await.unwrap();
            if hangs {
                open.push(connection);
            }
        }
    });
    (base, served)
}

#[tokio::test]
async fn a_source_that_falls_silent_is_given_up_on() {
    let idle_timeout = Duration::from_millis(200);
    for bytes in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"items\": ["] {
        let (base, served) = raw(bytes, true).await;
        for paging in [Paging::Single, Paging::Link] {
            let access = Access { idle_timeout, ..Access::default() };
            let contract = with(|request| request.paging = paging);
            let error = ask(&source(base.clone(), access), &contract).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Source);
            assert!(error.to_string().contains("said nothing for 200ms"), "{error}");
        }
        let access = Access { timeout: Duration::from_millis(150), ..Access::default() };
        let error = ask(&source(base, access), &single()).await.unwrap_err();
        assert!(error.to_string().contains("had not come within 150ms"), "{error}");
        served.abort();
    }
}

#[tokio::test]
async fn a_cut_answer_is_an_error() {
    let (base, served) = raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"items\": []}", false).await;
    for paging in [Paging::Single, Paging::Link] {
        let contract = with(|request| request.paging = paging);
        let error = ask(&source(base.clone(), Access::default()), &contract).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Source);
        assert!(error.to_string().contains("the answer was cut"), "{error}");
    }
    served.abort();
}

#[tokio::test]
async fn a_page_for_people_is_no_answer() {
    for paging in [Paging::Single, Paging::Link] {
        let page = |_: &str, _: &HeaderMap, _: usize| {
            ([("content-type", "text/html; charset=utf-8")], "<html>Miller")
        };
        let server = Server::start(page).await;
        let error = ask(&server.source(), &with(|request| request.paging = paging)).await.unwrap_err();
        assert_eq!((error.kind(), error.place()), (Kind::Source, Some("beds_s.e")));
        assert!(error.to_string().contains("a web page instead of JSON"), "{error}");
        assert!(!shown(&error).contains("Miller"));
    }
}

#[tokio::test]
async fn plain_http_stays_on_this_machine() {
    let far = source("http://api.example/".parse().unwrap(), Access::default());
    let error = ask(&far, &single()).await.unwrap_err();
    assert_eq!((error.kind(), error.place()), (Kind::Config, Some("beds_s")));
    assert!(shown(&error).contains("allow_http"));
}

/// A server with a certificate of this machine that holds until then.
async fn encrypted(folder: &TempDir, until: i32) -> Url {
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_string()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}/api/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let Ok(mut connection) = acceptor.accept(connection).await else { continue };
            assert!(connection.read(&mut [0; 4096]).await.unwrap() > 0);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{EMPTY}", EMPTY.len());
            connection.write_all(answer.as_bytes()).await.unwrap();
            connection.shutdown().await.ok();
        }
    });
    base
}

#[tokio::test]
async fn certificates_must_be_known_and_hold() {
    let folder = tempfile::tempdir().unwrap();
    let verified = |ca| Access { ca, tls: TlsMode::Verify, ..Access::default() };
    let known = || Some(folder.path().join("ca.pem"));
    let base = encrypted(&folder, 2999).await;
    assert_eq!(ask(&source(base.clone(), verified(known())), &single()).await.unwrap(), EMPTY);
    let unknown = ask(&source(base.clone(), verified(None)), &single()).await.unwrap_err();
    let required = Access { tls: TlsMode::Require, ..Access::default() };
    assert_eq!(ask(&source(base, required), &single()).await.unwrap(), EMPTY);
    let base = encrypted(&folder, 2020).await;
    let expired = ask(&source(base, verified(known())), &single()).await.unwrap_err();
    for (error, expect) in [(unknown, "UnknownIssuer"), (expired, "expired")] {
        assert_eq!(error.kind(), Kind::Source);
        assert!(error.to_string().contains("the server's certificate is not accepted"), "{error}");
        assert!(error.to_string().to_lowercase().contains(&expect.to_lowercase()), "{error}");
    }
}

#[tokio::test]
async fn an_answer_of_chunks_is_whole() {
    let server = Server::start(|_, _, _| {
        let chunks = ["{\"items\"", ": [", "]}"].map(Ok::<_, std::io::Error>);
        Response::new(Body::from_stream(futures::stream::iter(chunks)))
    })
    .await;
    assert_eq!(ask(&server.source(), &single()).await.unwrap(), EMPTY);
}
