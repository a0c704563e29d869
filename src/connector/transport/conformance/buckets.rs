//! Private object stores, each with one folder that tests write to.

use super::keepers::source;
use super::servers::{PASSWORD, Running, free_port};
use crate::project::{Access, Address, Setting, Source};
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential, MicrosoftAzureBuilder};
use object_store::client::{HttpConnector, HttpRequestBody, ReqwestConnector};
use object_store::path::Path as ObjectPath;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;

/// The place of every store: a bucket or a container.
const BUCKET: &str = "drop-of-beds";

/// The folder in it, between others.
const FOLDER: &str = "in/beds drop";

/// An object store with an empty bucket.
#[derive(Debug)]
pub(super) struct Store {
    _running: Running,
    /// For writing; nothing where uploads have another way.
    client: Option<Arc<dyn ObjectStore>>,
    endpoint: String,
    scheme: &'static str,
    options: BTreeMap<String, Setting>,
}

impl Store {
    pub(super) fn source(&self) -> Source {
        let url = Url::parse(&format!("{}://{BUCKET}/{}", self.scheme, FOLDER.replace(' ', "%20"))).unwrap();
        let access = Access { options: self.options.clone(), ..Access::default() };
        source(Address::Store(url), access)
    }

    /// Writes an object of the folder.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) {
        let path = format!("{FOLDER}/{name}");
        match &self.client {
            Some(client) => {
                client.put(&ObjectPath::parse(path).unwrap(), bytes.into()).await.unwrap();
            }
            None => {
                let url = self.upload("upload/storage/v1/b/drop-of-beds/o");
                let url = Url::parse_with_params(&url, [("uploadType", "media"), ("name", &path)]).unwrap();
                let answer = reqwest::Client::new().post(url).body(bytes).send().await.unwrap();
                assert!(answer.status().is_success(), "{answer:?}");
            }
        }
    }

    /// Removes what is in the folder, or only the objects of this name.
    pub(super) async fn remove(&self, name: Option<&str>) {
        let folder = ObjectPath::parse(FOLDER).unwrap();
        let Some(client) = &self.client else {
            let url = self.upload("storage/v1/b/drop-of-beds/o");
            let listed = reqwest::get(&url).await.unwrap().bytes().await.unwrap();
            let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
            for item in listed["items"].as_array().into_iter().flatten() {
                let path = item["name"].as_str().unwrap();
                if name.is_none_or(|name| path == format!("{FOLDER}/{name}")) {
                    let mut url = Url::parse(&url).unwrap();
                    url.path_segments_mut().unwrap().push(path);
                    reqwest::Client::new().delete(url).send().await.unwrap();
                }
            }
            return;
        };
        let listed: Vec<_> = client.list(Some(&folder)).try_collect().await.unwrap();
        for meta in listed {
            if name.is_none_or(|name| meta.location.as_ref() == format!("{FOLDER}/{name}")) {
                client.delete(&meta.location).await.unwrap();
            }
        }
    }

    fn upload(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }
}

/// What a program of the tests is called in the environment; says so when it is absent.
fn installed(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable);
    if found.is_none() {
        eprintln!("skipped: {variable} does not name a server; tests/run installs one");
    }
    found.map(PathBuf::from)
}

/// Tries until it works: a server takes a moment to listen.
async fn first<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(
    running: &Running,
    attempt: impl Fn() -> F,
) -> T {
    let started = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(
                started.elapsed() < Duration::from_secs(60),
                "the store does not start: {error:?}\n{}",
                running.log()
            ),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn options(all: &[(&str, &str)]) -> BTreeMap<String, Setting> {
    all.iter().map(|(name, value)| (name.to_string(), Setting::Plain(value.to_string()))).collect()
}

/// SeaweedFS, which speaks S3.
pub(super) async fn s3() -> Option<Store> {
    let weed = installed("MUSTER_TEST_SEAWEEDFS")?;
    let folder = tempfile::tempdir().unwrap();
    let identities = format!(
        r#"{{"identities": [{{"name": "hub", "actions": ["Admin", "Read", "Write", "List"],
            "credentials": [{{"accessKey": "hub", "secretKey": "{PASSWORD}"}}]}}]}}"#
    );
    std::fs::write(folder.path().join("identities.json"), identities).unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let flags = [
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "s3.port.iceberg",
        "s3.port.lance",
        "s3.port",
    ];
    // All are taken at once, so that no two are the same.
    let ports = flags.map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let ports = ports.map(|listener| listener.local_addr().unwrap().port());
    let mut serve = Command::new(weed);
    serve.current_dir(folder.path()).args(["server", "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
    serve.args([
        "-master.telemetry=false",
        "-s3",
        "-s3.iam=false",
        "-s3.config=identities.json",
        "-volume.max=8",
    ]);
    serve.args(flags.iter().zip(ports).map(|(flag, port)| format!("-{flag}={port}")));
    let port = ports[flags.len() - 1];
    let running = Running::start(folder, serve, port);
    let endpoint = format!("http://127.0.0.1:{port}");
    let client = AmazonS3Builder::new()
        .with_endpoint(&endpoint)
        .with_bucket_name(BUCKET)
        .with_region("us-east-1")
        .with_access_key_id("hub")
        .with_secret_access_key(PASSWORD)
        .with_allow_http(true);
    let client: Arc<dyn ObjectStore> = Arc::new(client.build().unwrap());
    // In this server a bucket is a folder, and any object makes it.
    let elsewhere = ObjectPath::from("elsewhere");
    first(&running, || client.put(&elsewhere, "yes".into())).await;
    let options = options(&[
        ("endpoint", &endpoint),
        ("region", "us-east-1"),
        ("allow_http", "true"),
        ("access_key_id", "hub"),
        ("secret_access_key", PASSWORD),
    ]);
    Some(Store { _running: running, client: Some(client), endpoint, scheme: "s3", options })
}

/// The account of a private Azurite, and its key.
const ACCOUNT: (&str, &str) = ("beds", "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ==");

/// Azurite, which speaks Azure Blob; over TLS with a certificate, which `ca` has signed.
pub(super) async fn azure(certificate: Option<(&str, &str, &Path)>) -> Option<Store> {
    let azurite = installed("MUSTER_TEST_AZURITE")?;
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let (account, key) = ACCOUNT;
    let mut serve = Command::new(azurite);
    serve.current_dir(folder.path()).env("AZURITE_ACCOUNTS", format!("{account}:{key}"));
    serve.args(["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1"]);
    serve.args(["--location", "data", "--blobPort", &port.to_string()]);
    let mut behaviour = ClientOptions::new().with_allow_http(true);
    let mut scheme = "http";
    if let Some((certificate, key, ca)) = certificate {
        std::fs::write(folder.path().join("certificate.pem"), certificate).unwrap();
        std::fs::write(folder.path().join("key.pem"), key).unwrap();
        serve.args(["--cert", "certificate.pem", "--key", "key.pem"]);
        let ca = object_store::Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
        (behaviour, scheme) =
            (behaviour.with_root_certificate(ca).with_allow_invalid_certificates(true), "https");
    }
    let running = Running::start(folder, serve, port);
    let endpoint = format!("{scheme}://127.0.0.1:{port}/{account}");
    let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(key).unwrap());
    let plain = ReqwestConnector::default().connect(&behaviour).unwrap();
    let made = first(&running, || {
        let url = format!("{endpoint}/{BUCKET}?restype=container");
        let mut request = http::Request::put(url).body(HttpRequestBody::empty()).unwrap();
        AzureAuthorizer::new(&credential, account).authorize(&mut request);
        plain.execute(request)
    });
    assert_eq!(made.await.status(), 201);
    let client = MicrosoftAzureBuilder::new()
        .with_endpoint(endpoint.clone())
        .with_account(account)
        .with_access_key(key)
        .with_container_name(BUCKET)
        .with_client_options(behaviour);
    let client: Arc<dyn ObjectStore> = Arc::new(client.build().unwrap());
    let allow_http = if scheme == "http" { "true" } else { "false" };
    let options = options(&[
        ("endpoint", &endpoint),
        ("account_name", account),
        ("access_key", key),
        ("allow_http", allow_http),
    ]);
    Some(Store { _running: running, client: Some(client), endpoint, scheme: "az", options })
}

/// An emulator of Google's store, which asks for no key.
pub(super) async fn gcs() -> Option<Store> {
    let emulator = installed("MUSTER_TEST_GCS")?;
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut serve = Command::new(emulator);
    serve.current_dir(folder.path()).args(["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]);
    serve.args([
        "-log-level",
        "warn",
        "-public-host",
        &format!("127.0.0.1:{port}"),
        "-port",
        &port.to_string(),
    ]);
    let running = Running::start(folder, serve, port);
    let endpoint = format!("http://127.0.0.1:{port}");
    let bucket = format!("{{\"name\": \"{BUCKET}\"}}");
    let url = format!("{endpoint}/storage/v1/b");
    first(&running, || reqwest::Client::new().post(&url).body(bucket.clone()).send()).await;
    let options = options(&[("base_url", &endpoint), ("skip_signature", "true"), ("allow_http", "true")]);
    Some(Store { _running: running, client: None, endpoint, scheme: "gs", options })
}
