//! What is special about SFTP servers: who enters, who is entered, and what a server can do wrong.

use super::files::{fetched, id, names, offers};
use super::keepers::{SftpServer, keygen, write};
use super::servers::PASSWORD;
use crate::connector;
use crate::connector::transport::conformance::{Bench, Case, proxied};
use crate::error::{Error, Kind};
use crate::project::{Address, Secret, Source};
use futures::{FutureExt, TryStreamExt};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::Duration;

/// Cases of a server that is entered with a key.
pub(super) const CASES: &[Case] = &[
    ("private_keys_of_every_kind_let_in", |bench| private_keys_of_every_kind_let_in(bench).boxed_local()),
    ("a_strange_key_is_refused", |bench| a_strange_key_is_refused(bench).boxed_local()),
    ("only_known_hosts_are_entered", |bench| only_known_hosts_are_entered(bench).boxed_local()),
    ("links_lead_to_files_of_the_folder_only", |bench| {
        links_lead_to_files_of_the_folder_only(bench).boxed_local()
    }),
    ("names_that_are_not_text_are_errors", |bench| names_that_are_not_text_are_errors(bench).boxed_local()),
    ("what_may_not_be_read_is_told", |bench| what_may_not_be_read_is_told(bench).boxed_local()),
    ("folders_that_are_not_there_are_told", |bench| folders_that_are_not_there_are_told(bench).boxed_local()),
    ("folders_may_begin_at_home", |bench| folders_may_begin_at_home(bench).boxed_local()),
    ("a_killed_server_is_an_error", |bench| a_killed_server_is_an_error(bench).boxed_local()),
    ("a_cut_wire_is_an_error", |bench| a_cut_wire_is_an_error(bench).boxed_local()),
    ("a_silent_server_is_given_up_on", |bench| a_silent_server_is_given_up_on(bench).boxed_local()),
];

fn server(bench: &Bench) -> &SftpServer {
    match bench {
        Bench::Sftp(server) => server,
        other => panic!("{other:?} is no SFTP server"),
    }
}

async fn refused(source: &Source) -> Error {
    connector::open(source).await.map(drop).unwrap_err()
}

fn told(error: &Error) -> String {
    format!("{error} / {}", error.advice().unwrap_or_default())
}

fn key(server: &SftpServer, name: &str) -> Option<Secret> {
    Some(Secret::File(server.own(name)))
}

async fn private_keys_of_every_kind_let_in(bench: &Bench) {
    let server = server(bench);
    let mut source = bench.source();
    for name in ["user", "rsa", "ecdsa"] {
        source.access.key = key(server, name);
        connector::open(&source).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    source.access.key = key(server, "sealed");
    let error = refused(&source).await;
    assert_eq!(error.kind(), Kind::Config);
    assert!(told(&error).starts_with("beds_s: the source's key is encrypted / passphrase = "), "{error:?}");
    write(&server.own("passphrase"), PASSWORD);
    source.access.passphrase = key(server, "passphrase");
    connector::open(&source).await.unwrap();
    write(&server.own("passphrase"), "incorrect horse");
    let error = refused(&source).await;
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Config, "beds_s: the source's key cannot be read")
    );
    assert!(!format!("{error:?}").contains("incorrect horse"), "{error:?}");
}

async fn a_strange_key_is_refused(bench: &Bench) {
    let mut source = bench.source();
    source.access.key = key(server(bench), "stranger");
    let error = refused(&source).await;
    assert_eq!(error.kind(), Kind::Source);
    let shown = told(&error);
    assert!(shown.contains("refused user '") && shown.contains("with the source's key"), "{shown}");
    assert!(shown.ends_with("the server takes: publickey"), "{shown}");
}

async fn only_known_hosts_are_entered(bench: &Bench) {
    let (server, mut source) = (server(bench), bench.source());
    let port = server.running.port;
    let fingerprint = Command::new("ssh-keygen").arg("-lf").arg(server.own("host.pub")).output().unwrap();
    let fingerprint = String::from_utf8(fingerprint.stdout).unwrap();
    let fingerprint = fingerprint.split_whitespace().nth(1).unwrap();
    assert!(fingerprint.starts_with("SHA256:"));
    let public = |name: &str| fs::read_to_string(server.own(name)).unwrap();
    let (host, stranger) = (public("host.pub"), public("stranger.pub"));
    let seen = format!("ssh-ed25519 {fingerprint}");
    source.access.known_hosts = Some(server.own("hosts"));
    let listed = async |text: String| {
        fs::write(server.own("hosts"), text).unwrap();
        connector::open(&source).await.map(drop)
    };
    for (text, told_as) in [
        (format!("# [127.0.0.1]:{port} {host}"), "is not known"),
        (format!("127.0.0.1 {host}"), "is not known"),
        (format!("[127.0.0.1]:{port} {stranger}"), "shows another host key than before"),
        (format!("[127.0.0.1]:{port} {host}@revoked * {host}"), "shows a revoked host key"),
    ] {
        let error = listed(text).await.unwrap_err();
        assert_eq!((error.kind(), error.place()), (Kind::Source, Some("beds_s")));
        let shown = error.to_string();
        assert!(shown.contains(told_as) && shown.contains(&seen), "{shown}");
        assert!(error.advice().unwrap().contains("hosts'"), "{error:?}");
    }
    // A second key of another kind, which the server does not have, stands before the right one.
    listed(format!("[127.0.0.1]:{port} {}[127.0.0.1]:{port},b {host}", public("rsa.pub"))).await.unwrap();
    let hashed = format!("[127.0.0.1]:{port} {host}");
    fs::write(server.own("hosts"), hashed).unwrap();
    assert!(
        Command::new("ssh-keygen")
            .args(["-q", "-H", "-f"])
            .arg(server.own("hosts"))
            .status()
            .unwrap()
            .success()
    );
    let hashed = fs::read_to_string(server.own("hosts")).unwrap();
    assert!(hashed.starts_with("|1|"), "{hashed}");
    listed(hashed).await.unwrap();
    source.access.known_hosts = Some(server.own("nowhere"));
    assert_eq!(refused(&source).await.kind(), Kind::Config);
}

async fn links_lead_to_files_of_the_folder_only(bench: &Bench) {
    bench.clear().await;
    let server = server(bench);
    bench.put("data", "ID\ndata\n").await;
    symlink("data", server.drop().join("E_1.csv")).unwrap();
    symlink("not there yet", server.drop().join("E_2.csv")).unwrap();
    assert_eq!(names(bench, &id()).await, (vec!["E_1.csv".into()], vec!["E_2.csv".into()]));
    let (found, _) = offers(&bench.source(), &id()).await.unwrap();
    assert_eq!(fetched(&bench.source(), &id(), &found[0]).await.unwrap(), b"ID\ndata\n");
    // Beside the folder, with a name that begins like the folder's.
    fs::create_dir_all(server.own("drop of others")).unwrap();
    for outside in ["secret", "drop of others/secret"] {
        fs::write(server.own(outside), "ID\ndata\n").unwrap();
        fs::remove_file(server.drop().join("E_1.csv")).unwrap();
        symlink(server.own(outside), server.drop().join("E_1.csv")).unwrap();
        let error = fetched(&bench.source(), &id(), &found[0]).await.unwrap_err();
        assert_eq!(error.to_string(), "beds_s.e in 'E_1.csv': the file changed while it was read");
        let error = offers(&bench.source(), &id()).await.unwrap_err();
        assert_eq!(error.to_string(), "beds_s.e: file \"E_1.csv\" is a link that leads out of the folder");
    }
}

async fn names_that_are_not_text_are_errors(bench: &Bench) {
    bench.clear().await;
    fs::write(server(bench).drop().join(OsStr::from_bytes(b"E_\xff.csv")), "ID\n").unwrap();
    let error = offers(&bench.source(), &id()).await.unwrap_err();
    assert_eq!((error.kind(), error.place()), (Kind::Contract, Some("beds_s.e")));
    assert!(error.to_string().ends_with("is not UTF-8"), "{error}");
}

async fn what_may_not_be_read_is_told(bench: &Bench) {
    bench.clear().await;
    let drop = server(bench).drop();
    bench.put("E_1.csv", "ID\n1\n").await;
    fs::set_permissions(drop.join("E_1.csv"), fs::Permissions::from_mode(0o000)).unwrap();
    let (found, _) = offers(&bench.source(), &id()).await.unwrap();
    let error = fetched(&bench.source(), &id(), &found[0]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Source);
    assert_eq!(
        told(&error),
        "beds_s.e in 'E_1.csv': the file could not be read / the user of the address needs the right to read it"
    );
    fs::set_permissions(&drop, fs::Permissions::from_mode(0o000)).unwrap();
    let error = offers(&bench.source(), &id()).await.unwrap_err();
    fs::set_permissions(&drop, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(error.kind(), Kind::Source);
    assert!(
        told(&error).contains("could not be read / the user of the address needs the right"),
        "{error:?}"
    );
}

/// The bench's source with another folder.
fn at(bench: &Bench, folder: &str) -> Source {
    let mut source = bench.source();
    let Address::Sftp(remote) = &mut source.address else { panic!("an SFTP server") };
    remote.folder = folder.into();
    source
}

async fn folders_that_are_not_there_are_told(bench: &Bench) {
    let error = refused(&at(bench, "/nowhere/at/all")).await;
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Source, "beds_s: the folder could not be read")
    );
    assert!(told(&error).contains("'/nowhere/at/all'"), "{error:?}");
    let file = server(bench).own("host.pub");
    let error = refused(&at(bench, file.to_str().unwrap())).await;
    assert!(told(&error).contains("of the server is a file"), "{error:?}");
}

async fn folders_may_begin_at_home(bench: &Bench) {
    // The account of a server may have no home: then it begins at the root.
    let drop = server(bench).drop();
    let relative = drop.to_str().unwrap().trim_start_matches('/');
    for folder in [".", relative] {
        match connector::open(&at(bench, folder)).await {
            Ok(_) => {}
            Err(error) => assert!(told(&error).contains(folder), "{error:?}"),
        }
    }
}

async fn a_killed_server_is_an_error(bench: &Bench) {
    bench.clear().await;
    bench.put("E_1.csv", vec![b'x'; 64 << 20]).await;
    let source = bench.source();
    let (found, _) = offers(&source, &id()).await.unwrap();
    let mut session = connector::open(&source).await.unwrap();
    let mut bytes = session.fetch(&id(), &found[0]).await.unwrap();
    assert!(bytes.try_next().await.unwrap().is_some());
    server(bench).kill_sessions();
    let error = bytes.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Source);
    assert_eq!(error.to_string(), "beds_s.e in 'E_1.csv': the file could not be read");
    assert_eq!(session.offers(&id()).await.unwrap_err().kind(), Kind::Source);
    // The next pull enters anew.
    assert_eq!(names(bench, &id()).await.0, ["E_1.csv"]);
}

async fn a_cut_wire_is_an_error(bench: &Bench) {
    bench.clear().await;
    bench.put("E_1.csv", vec![b'x'; 16 << 20]).await;
    for bytes in [10, 2_500, 1_000_000, 10_000_000] {
        let source = proxied(&bench.source(), bytes, true).await;
        let read = async {
            let mut session = connector::open(&source).await?;
            let connector::Offer::Files { ready, .. } = session.offers(&id()).await? else { panic!("files") };
            session.fetch(&id(), &ready[0]).await?.try_collect::<Vec<_>>().await
        };
        let error = read.await.map(|all| all.len()).unwrap_err();
        assert_eq!(error.kind(), Kind::Source, "{bytes}");
        assert!(error.place().unwrap().starts_with("beds_s"), "{bytes}: {error:?}");
    }
}

async fn a_silent_server_is_given_up_on(bench: &Bench) {
    bench.clear().await;
    bench.put("E_1.csv", vec![b'x'; 16 << 20]).await;
    for (bytes, told_as) in [(10, "did not answer within 1s"), (10_000_000, "said nothing for 1s")] {
        let mut source = proxied(&bench.source(), bytes, false).await;
        source.access.idle_timeout = Duration::from_secs(1);
        let read = async {
            let mut session = connector::open(&source).await?;
            let connector::Offer::Files { ready, .. } = session.offers(&id()).await? else { panic!("files") };
            session.fetch(&id(), &ready[0]).await?.try_collect::<Vec<_>>().await
        };
        let error = read.await.map(|all| all.len()).unwrap_err();
        assert_eq!(error.kind(), Kind::Source);
        assert!(told(&error).contains(told_as), "{error:?}");
    }
}

/// A server that is entered with a password.
pub(super) async fn passwords_let_in(entered: SftpServer) {
    let bench = Bench::Sftp(entered);
    let (server, mut source) = (server(&bench), bench.source());
    bench.put("E_1.csv", "ID\n1\n").await;
    let (found, _) = offers(&source, &id()).await.unwrap();
    assert_eq!(fetched(&source, &id(), &found[0]).await.unwrap(), b"ID\n1\n");

    write(&server.own("password"), "incorrect horse");
    let error = refused(&source).await;
    assert_eq!((error.kind(), error.place()), (Kind::Source, Some("beds_s")));
    let shown = told(&error);
    assert!(shown.contains("refused user 'reader' with the source's password"), "{shown}");
    assert!(!format!("{error:?}").contains("incorrect horse"), "{error:?}");

    // A key that nobody knows does not keep the password from being tried.
    write(&server.own("password"), PASSWORD);
    keygen(server.running.folder(), "stranger", &["ed25519"], "");
    source.access.key = key(server, "stranger");
    connector::open(&source).await.unwrap();
}
