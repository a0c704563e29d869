//! A small hub of two forces, served over TLS for all tests of this binary.

use muster::hub::Hub;
use muster::serve::password as hashing;
use muster::telemetry::Shown;
use muster::{pipeline, project, serve};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Once, mpsc};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// A server that runs until the tests end.
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate that signed the server's, PEM.
    pub authority: String,
    _dir: TempDir,
}

impl Served {
    /// A new connection.
    pub async fn channel(&self) -> Channel {
        channel(self.address, &self.authority).await
    }
}

/// A connection to a server whose certificate `authority` signed.
pub async fn channel(address: SocketAddr, authority: &str) -> Channel {
    let tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)).domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap().tls_config(tls).unwrap();
    endpoint.connect().await.unwrap()
}

/// The password of a user of the hub.
pub fn password(user: &str) -> String {
    format!("password of {user}")
}

/// The server, started by whoever asks first.
pub fn served() -> &'static Served {
    static SERVED: LazyLock<Served> = LazyLock::new(start);
    &SERVED
}

fn start() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let authority = write(dir.path());
    let address = serve_after(dir.path(), |folder| async move { release(&folder).await });
    Served { address, authority, _dir: dir }
}

/// Runs the pipeline in the project as a new process would, with its definitions as they are now.
pub async fn release(folder: &Path) -> u64 {
    let hub = open(folder).await;
    let report = pipeline::run::run(&hub, &hub.project.pipelines["widgets"], &|_| {}).await.unwrap();
    report.release.release
}

/// Opens the project as a new process would.
pub async fn open(folder: &Path) -> Hub {
    let project = project::load_with(folder, &project::Library::default());
    Hub::open(project.map_err(|e| e.to_string()).unwrap()).await.unwrap()
}

/// Serves the project after `prepare`, in a thread of its own and until the tests end: outside of
/// every test's own runtime, which ends with its test.
pub fn serve_after<T, F: Future<Output = T>>(
    folder: &Path,
    prepare: impl FnOnce(PathBuf) -> F + Send + 'static,
) -> SocketAddr {
    static TELEMETRY: Once = Once::new();
    TELEMETRY.call_once(|| muster::telemetry::init(Shown::InTheLog));
    let folder = folder.to_path_buf();
    let (started, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            prepare(folder.clone()).await;
            let hub = open(&folder).await;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            started.send(listener.local_addr().unwrap()).unwrap();
            serve::run(Arc::new(hub), listener, std::future::pending::<()>()).await.unwrap();
        });
    });
    address.recv().unwrap()
}

/// Writes the project; gives the certificate that signed the server's.
pub fn write(dir: &Path) -> String {
    let mut settings = String::from(SETTINGS);
    for (user, role) in [("hub", "all"), ("beds", "beds"), ("narrow", "narrow")] {
        let hash = hashing::hash(&password(user)).unwrap();
        settings += &format!("[users.{user}]\nroles = [\"{role}\"]\npassword_hash = \"{hash}\"\n");
    }
    let (authority, certificate, key) = certificates();
    for (file, text) in [
        ("muster.toml", settings.as_str()),
        ("tls/server.pem", &certificate),
        ("tls/server.key", &key),
        ("pipelines/widgets.toml", "description = \"All of it.\"\nsources = [\"*\"]\nretries = 0\n"),
        ("connectors/acme/connector.toml", CONTRACT),
        ("connectors/acme/staging/widget.sql", STAGING),
        ("sql/conformed/widget.sql", WIDGET),
        ("sql/conformed/gadget.sql", GADGET),
        (
            "drop/beds/widget_1.csv",
            "id,label,price,made_on\nb1,one,1.50,2026-01-31\nb2,two,2.00,2026-02-28\n",
        ),
        ("drop/cambs/widget_1.csv", "id,label,price,made_on\nc1,secret,3.25,2026-03-31\nc2,secret,0.01,\n"),
    ] {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    authority
}

/// An authority, a certificate for `localhost` that it signed, and its key.
pub fn certificates() -> (String, String, String) {
    let mut authority = CertificateParams::default();
    // OpenSSL takes a certificate whose issuer has its own name for one that signed itself.
    authority.distinguished_name.push(DnType::CommonName, "authority of the tests");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server =
        CertificateParams::new(["localhost".to_string()]).unwrap().signed_by(&key, &authority).unwrap();
    (authority.as_ref().pem(), server.pem(), key.serialize_pem())
}

const SETTINGS: &str = r#"
[hub]
name = "Two forces"

[hub.tls]
certificate = "tls/server.pem"
key = "tls/server.key"

[forces.beds]
name = "Bedfordshire Police"

[forces.cambs]
name = "Cambridgeshire Constabulary"

[sources.beds_acme]
force = "beds"
system = "acme"
address = "file:drop/beds"

[sources.cambs_acme]
force = "cambs"
system = "acme"
address = "file:drop/cambs"

[roles.all]
forces = ["*"]
tables = ["*"]

[roles.beds]
forces = ["beds"]
tables = ["conformed.*", "hub.*"]

[roles.narrow]
forces = ["beds"]
tables = ["conformed.widget"]

"#;

const CONTRACT: &str = r#"
system = "acme"
vendor = "Acme"

[entities.widget]
key = ["id"]

[entities.widget.file]
match = "widget_*.csv"
format = "csv"

[entities.widget.columns]
id = { type = "text", required = true }
label = { type = "text" }
price = { type = "decimal(18,2)" }
made_on = { type = "date", format = "yyyy-MM-dd" }
"#;

const STAGING: &str = r#"/*
One row per widget.
grain: widget_id
*/
select
    id as widget_id,
    label,
    price,
    made_on
from raw.widget
"#;

const WIDGET: &str = r#"/*
One row per widget.
grain: force, widget_id
scope: force
columns:
  widget_id: the number on the box
checks:
  unique: force, widget_id
*/
select
    widget_id,
    label,
    price,
    made_on
from staging.widget
"#;

const GADGET: &str = r#"/*
One row per dear widget.
grain: force, widget_id
scope: force
checks:
  unique: force, widget_id
*/
select
    widget_id,
    price
from conformed.widget
where price > 1
"#;
