//! Drop folders in object stores, against a server of its own: SeaweedFS speaks S3 and WebDAV.

use crate::files::{AT_ONCE, FileProject, LOG};
use object_store::ObjectStoreExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as ObjectPath;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BUCKET: &str = "drop-of-beds";
const USER: &str = "hub";
const KEY: &str = "key of the tests";

/// A server; it ends with its test.
struct Server {
    process: Child,
    s3: String,
    webdav: String,
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Server {
    /// A server with an empty bucket, or `None` where it is not installed: `tests/run` does that.
    async fn start() -> Option<Self> {
        let Some(weed) = std::env::var_os("MUSTER_TEST_SEAWEEDFS") else {
            eprintln!("skipped: MUSTER_TEST_SEAWEEDFS does not name an object store; tests/run installs one");
            return None;
        };
        for _ in 0..5 {
            if let Some(server) = Self::on_free_ports(&weed).await {
                return Some(server);
            }
        }
        panic!("the object store gave up five times");
    }

    async fn on_free_ports(weed: &OsStr) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let identities = format!(
            r#"{{"identities": [{{"name": "{USER}", "actions": ["Admin", "Read", "Write", "List"],
                "credentials": [{{"accessKey": "{USER}", "secretKey": "{KEY}"}}]}}]}}"#
        );
        fs::write(folder.path().join("identities.json"), identities).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let ports = free_ports::<10>();
        let flags = [
            "-master.port",
            "-master.port.grpc",
            "-volume.port",
            "-volume.port.grpc",
            "-filer.port",
            "-filer.port.grpc",
            "-s3.port.iceberg",
            "-s3.port.lance",
            "-s3.port",
            "-webdav.port",
        ];
        let mut command = Command::new(weed);
        command.arg("server").args([
            "-dir=data",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
        ]);
        command.args(["-s3", "-s3.iam=false", "-s3.config=identities.json", "-webdav", "-volume.max=8"]);
        command.args(flags.iter().zip(ports).map(|(flag, port)| format!("{flag}={port}")));
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = command.current_dir(folder.path()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut server = Self {
            process,
            s3: format!("http://127.0.0.1:{}", ports[8]),
            webdav: format!("http://127.0.0.1:{}", ports[9]),
            folder,
        };
        server.ready().await.then_some(server)
    }

    /// Waits until the server answers; `false` when it gave up, because somebody took one of its
    /// ports in the meantime.
    async fn ready(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(60);
        // In this server a bucket is a folder, and any object makes it.
        while let Err(error) = self.store().put(&ObjectPath::from("ready"), "yes".into()).await {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the object store does not start: {error}\n{}", log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        true
    }

    fn store(&self) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_endpoint(&self.s3)
            .with_bucket_name(BUCKET)
            .with_region("us-east-1")
            .with_access_key_id(USER)
            .with_secret_access_key(KEY)
            .with_allow_http(true)
            .build()
            .unwrap()
    }

    async fn put(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        let path = ObjectPath::parse(name).unwrap();
        self.store().put(&path, bytes.into().into()).await.unwrap();
    }

    /// The address of the folder `in/beds`, as `muster.toml` writes it, with this key.
    fn source(&self, force: &str) -> String {
        format!(
            "address = \"s3://{BUCKET}/in/beds\"\n[sources.{force}.options]\nendpoint = \"{}\"\nregion = \"us-east-1\"\n\
             allow_http = \"true\"\naccess_key_id = \"{USER}\"\nsecret_access_key = {{ file = \"{force}.secret\" }}",
            self.s3
        )
    }
}

/// Ports that nobody listens at now.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

#[tokio::test]
async fn a_bucket_is_read_like_a_folder() {
    let Some(server) = Server::start().await else { return };
    let sources = [("beds", server.source("beds")), ("herts", "address = \"file:drop\"".into())];
    let sources = sources.each_ref().map(|(force, text)| (*force, text.as_str()));
    let project = FileProject::new(&sources, LOG, AT_ONCE);
    project.write("beds.secret", format!("{KEY}\n"));
    let files = ["pay_1.csv", "pay_ä b+c&d='#%41.csv", "PAY_10.CSV"];
    for (at, name) in files.iter().enumerate() {
        let text = format!("id,amount\n{name} {at},1.50\n\"second\",\n");
        server.put(&format!("in/beds/{name}"), text.clone()).await;
        project.write(&format!("drop/{name}"), text);
    }
    // Neighbours are not in the folder.
    for name in ["in/pay_0.csv", "in/beds/sub/pay_0.csv", "in/beds2/pay_0.csv", "in/beds/other.csv"] {
        server.put(name, "id,amount\nneighbour,1\n").await;
    }
    assert_eq!(project.pull().await.failures.into_iter().collect::<Vec<_>>(), []);
    let rows = project.rows("beds").await;
    assert_eq!(rows.len(), 6);
    assert_eq!(rows, project.rows("herts").await);
    let names =
        async |source| project.loads(source).await.into_iter().map(|load| load.file).collect::<Vec<_>>();
    assert_eq!(names("beds").await, names("herts").await);

    // Known files are not even fetched; a changed one is a new load.
    project.pull().await;
    assert_eq!(project.loads("beds").await.len(), 3);
    server.put("in/beds/pay_1.csv", "id,amount\nanother,1.50\n").await;
    assert_eq!(project.pull().await.failures.into_iter().collect::<Vec<_>>(), []);
    assert_eq!(project.loads("beds").await.len(), 4);
    assert!(project.rows("beds").await.contains(&"pay_1.csv:2 another".to_string()));
}

#[tokio::test]
async fn a_store_that_refuses_or_is_down_fails_alone_and_keeps_its_secret() {
    let Some(server) = Server::start().await else { return };
    let sources = [("beds", server.source("beds")), ("herts", "address = \"file:drop\"".into())];
    let sources = sources.each_ref().map(|(force, text)| (*force, text.as_str()));
    let project = FileProject::new(&sources, LOG, AT_ONCE);
    server.put("in/beds/pay_1.csv", "id,amount\na,1.50\n").await;

    project.write("beds.secret", "not the key");
    project.write("drop/pay_1.csv", "id,amount\na,1.50\n");
    let refused = project.pull().await.failures;
    assert_eq!(refused["beds"], "beds.payment: the store refused the source's key");
    assert_eq!((refused.len(), project.rows("herts").await.len()), (1, 1));

    project.write("beds.secret", KEY);
    assert_eq!(project.pull().await.failures.len(), 0);
    drop(server);
    project.write("drop/pay_2.csv", "id,amount\nb,1.50\n");
    let down = project.pull().await.failures;
    assert_eq!(down["beds"], "beds.payment: the store could not be read");
    assert!(down.len() == 1 && !format!("{down:?}").contains(KEY));
    assert_eq!((project.rows("beds").await.len(), project.rows("herts").await.len()), (1, 2));
}

#[tokio::test]
async fn an_http_server_with_webdav_is_read_like_a_folder() {
    let Some(server) = Server::start().await else { return };
    let address = format!(
        "address = \"{}/buckets/{BUCKET}/in\"\n[sources.beds.options]\nallow_http = \"true\"",
        server.webdav
    );
    let project = FileProject::new(&[("beds", &address)], LOG, AT_ONCE);
    for name in ["pay_1.csv", "pay_ä b.csv", "sub/pay_2.csv"] {
        server.put(&format!("in/{name}"), format!("id,amount\n{name},1.50\n")).await;
    }
    assert_eq!(project.pull().await.failures.into_iter().collect::<Vec<_>>(), []);
    assert_eq!(project.rows("beds").await, ["pay_1.csv:2 pay_1.csv", "pay_ä b.csv:2 pay_ä b.csv"]);
    project.pull().await;
    assert_eq!(project.loads("beds").await.len(), 2);
}
