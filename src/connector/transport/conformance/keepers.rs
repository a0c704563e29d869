//! Private servers that keep files: SFTP servers and object stores, each with one folder that
//! tests write to.

use super::servers::{PASSWORD, Running, command, folder, free_port, program, run};
use crate::project::{Access, Address, Remote, Secret, Setting, Source};
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential, MicrosoftAzureBuilder};
use object_store::client::{HttpConnector, HttpRequestBody, ReqwestConnector};
use object_store::path::Path as ObjectPath;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use url::Url;

/// The place of every store: a bucket or a container.
const BUCKET: &str = "drop-of-beds";

/// The folder in it, between others.
const FOLDER: &str = "in/beds drop";

/// An SFTP server.
#[derive(Debug)]
pub(super) struct SftpServer {
    pub(super) running: Running,
    user: String,
    access: Access,
}

impl SftpServer {
    /// The folder of the source.
    pub(super) fn drop(&self) -> PathBuf {
        self.running.folder().join("drop")
    }

    /// A file that belongs to the server or to its user.
    pub(super) fn own(&self, name: &str) -> PathBuf {
        self.running.folder().join(name)
    }

    pub(super) fn source(&self) -> Source {
        let remote = Remote {
            host: "127.0.0.1".into(),
            port: self.running.port,
            user: self.user.clone(),
            folder: self.drop().to_str().unwrap().into(),
        };
        source(Address::Sftp(remote), self.access.clone())
    }

    /// Kills whoever serves a client now, and keeps the server.
    pub(super) fn kill_sessions(&self) {
        let mut family = vec![self.running.process().to_string()];
        let mut at = 0;
        while let Some(parent) = family.get(at) {
            let children = Command::new("ps").args(["-o", "pid=", "--ppid", parent]).output().unwrap();
            let children = String::from_utf8(children.stdout).unwrap();
            family.extend(children.split_whitespace().map(str::to_string));
            at += 1;
        }
        assert!(family.len() > 1, "nobody is served");
        assert!(Command::new("kill").arg("-9").args(&family[1..]).status().unwrap().success());
    }
}

fn source(address: Address, access: Access) -> Source {
    Source { name: "beds_s".into(), force: "beds".into(), system: "s".into(), address, access }
}

/// Writes a file that only whoever runs a server may read.
pub(super) fn write(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let owner = path.parent().unwrap().metadata().unwrap();
    chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// Makes a key pair in `folder`: `name` and `name.pub`.
pub(super) fn keygen(folder: &Path, name: &str, kind: &[&str], passphrase: &str) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.current_dir(folder).args(["-q", "-N", passphrase, "-C", "", "-f", name, "-t"]).args(kind);
    run(keygen);
    write(&folder.join(name), std::fs::read(folder.join(name)).unwrap());
}

/// What both servers begin with: a folder, a host key, and `known_hosts`.
fn prepared() -> (tempfile::TempDir, u16) {
    let (folder, port) = (folder(), free_port());
    keygen(folder.path(), "host", &["ed25519"], "");
    let public = std::fs::read_to_string(folder.path().join("host.pub")).unwrap();
    std::fs::write(folder.path().join("known_hosts"), format!("# of tests\n[127.0.0.1]:{port} {public}"))
        .unwrap();
    std::fs::create_dir(folder.path().join("drop")).unwrap();
    (folder, port)
}

async fn greeted(running: &Running) {
    let started = Instant::now();
    loop {
        let mut greeting = [0; 4];
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", running.port)).await
            && stream.read_exact(&mut greeting).await.is_ok()
        {
            assert_eq!(&greeting, b"SSH-");
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "the server did not start: {}", running.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A private OpenSSH server, entered with a key by the user it runs as; `None`: not installed.
pub(super) async fn openssh() -> Option<SftpServer> {
    let sshd = program("sshd")?;
    let (folder, port) = prepared();
    let path = folder.path();
    let kinds: [(&str, &[&str], &str); 4] = [
        ("user", &["ed25519"], ""),
        ("rsa", &["rsa", "-b", "3072"], ""),
        ("ecdsa", &["ecdsa"], ""),
        ("sealed", &["ed25519"], PASSWORD),
    ];
    let mut authorized = String::new();
    for (name, kind, passphrase) in kinds {
        keygen(path, name, kind, passphrase);
        authorized += &std::fs::read_to_string(path.join(format!("{name}.pub"))).unwrap();
    }
    keygen(path, "stranger", &["ed25519"], "");
    write(&path.join("authorized_keys"), authorized);
    let shown = path.display();
    // The account of a server has no password, and only PAM lets in an account without one.
    let settings = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host\nPidFile none\nStrictModes no\n\
         AuthorizedKeysFile {shown}/authorized_keys\nUsePAM yes\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nPrintMotd no\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
    );
    std::fs::write(path.join("sshd_config"), settings).unwrap();
    let mut serve = command(&sshd, path);
    serve.args(["-D", "-e", "-f"]).arg(path.join("sshd_config"));
    let user = uzers::get_user_by_uid(path.metadata().unwrap().uid()).unwrap();
    let access = Access {
        key: Some(Secret::File(path.join("user"))),
        known_hosts: Some(path.join("known_hosts")),
        ..Access::default()
    };
    let running = Running::start(folder, serve, port);
    greeted(&running).await;
    Some(SftpServer { running, user: user.name().to_str().unwrap().into(), access })
}

/// A private ProFTPD, entered with [`PASSWORD`] by a user that only it knows; `methods` are the ways
/// in which it asks. `None`: not installed.
pub(super) async fn proftpd(methods: &str) -> Option<SftpServer> {
    let (proftpd, openssl) = (program("proftpd")?, program("openssl")?);
    let modules = glob::glob("/usr/lib/proftpd/mod_sftp.so").unwrap().next()?.unwrap();
    let (folder, port) = prepared();
    let path = folder.path();
    let hash = Command::new(openssl).args(["passwd", "-5", PASSWORD]).output().unwrap().stdout;
    let (hash, owner) = (String::from_utf8(hash).unwrap(), path.metadata().unwrap());
    let (uid, gid, shown) = (owner.uid(), owner.gid(), path.display());
    write(&path.join("users"), format!("reader:{}:{uid}:{gid}::{shown}:/bin/false\n", hash.trim()));
    write(&path.join("password"), PASSWORD);
    let settings = format!(
        "ModulePath {}\nLoadModule mod_tls.c\nLoadModule mod_sftp.c\nServerType standalone\n\
         ServerName tests\nDefaultAddress 127.0.0.1\nUseIPv6 off\nPort {port}\nUser #{uid}\nGroup #{gid}\n\
         AuthOrder mod_auth_file.c\nAuthUserFile {shown}/users\nRequireValidShell off\nWtmpLog off\n\
         ScoreboardFile none\nPidFile {shown}/pid\nSystemLog {shown}/system.log\nTransferLog none\n\
         DelayEngine off\nUseReverseDNS off\nSFTPEngine on\nSFTPHostKey {shown}/host\n\
         SFTPAuthMethods {methods}\nMaxLoginAttempts 10\n",
        modules.parent().unwrap().display()
    );
    std::fs::write(path.join("proftpd.conf"), settings).unwrap();
    let mut serve = command(&proftpd, path);
    serve.args(["-n", "-c"]).arg(path.join("proftpd.conf"));
    let access = Access {
        password: Some(Secret::File(path.join("password"))),
        known_hosts: Some(path.join("known_hosts")),
        ..Access::default()
    };
    let running = Running::start(folder, serve, port);
    greeted(&running).await;
    Some(SftpServer { running, user: "reader".into(), access })
}

/// An object store with an empty bucket.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) running: Running,
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
    Some(Store { running, client: Some(client), endpoint, scheme: "s3", options })
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
    Some(Store { running, client: Some(client), endpoint, scheme: "az", options })
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
    Some(Store { running, client: None, endpoint, scheme: "gs", options })
}
