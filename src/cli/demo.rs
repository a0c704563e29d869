//! `muster demo`: three forces' systems, consolidated and served, with one command.
#![expect(clippy::print_stdout, reason = "the command line prints")]

use super::query::{self, Format, When};
use super::run::run_pipeline;
use crate::demo::{Estate, Extent, Server, Setting, rest};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::pipeline::run::Outcome;
use crate::project::{self, Address, Project};
use crate::serve::{self, password};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// Passwords, kept between starts.
const PASSWORDS: &str = ".passwords.json";

/// What a client needs to connect, written once the server answers.
const CONNECT: &str = "connect.json";

/// Arguments of `muster demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The project folder; a second demo on the same folder continues from where it was.
    #[arg(long, default_value = "muster-demo")]
    dir: PathBuf,
    /// How many bodies there are (a new folder only).
    #[arg(long, value_enum, default_value_t = Size::Forces)]
    estate: Size,
    /// Staff of the three forces together (a new folder only).
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(200..=200_000))]
    staff: u32,
    /// The same seed makes the same estate (a new folder only).
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The port for Arrow Flight SQL on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 32010)]
    flight_port: u16,
    /// The port for those systems of the full estate that speak REST, on 127.0.0.1; 0 takes a free one
    /// (a new folder only).
    #[arg(long, default_value_t = 32012)]
    rest_port: u16,
    /// Make the systems that are databases on this PostgreSQL server instead of in SQLite files; the
    /// user's password is taken from MUSTER_DEMO_PASSWORD (a new folder only).
    #[arg(long, value_name = "URL", conflicts_with = "mysql")]
    postgres: Option<Url>,
    /// The same on a MySQL or MariaDB server.
    #[arg(long, value_name = "URL")]
    mysql: Option<Url>,
    /// Stop after the release.
    #[arg(long)]
    no_serve: bool,
}

/// How many bodies an estate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Size {
    /// Three forces, nine systems
    Forces,
    /// One of every system: more forces, a department, ten councils; REST systems included
    Full,
}

/// The file that tells clients where and as whom.
#[derive(Debug, Serialize, Deserialize)]
struct Connect {
    flight: String,
    ca: PathBuf,
    users: BTreeMap<String, String>,
}

pub(super) async fn run(args: Args) -> Result<bool> {
    if !args.dir.join("muster.toml").exists() {
        make(&args).await?;
    }
    let dir = args.dir.canonicalize().map_err(|e| failed(&args.dir, e))?;
    // A port that is taken is better known now than after the run.
    let listener = match args.no_serve {
        true => None,
        false => Some(listen(args.flight_port).await?),
    };
    // Whoever waits for this file must not find the one of an earlier start.
    fs::remove_file(dir.join(CONNECT)).or_else(ignore_missing).map_err(|e| failed(&dir, e))?;
    let project = project::load(&dir)?;
    let rest = rest_systems(&project, &dir).await?;
    let hub = Arc::new(Hub::open(project).await?);
    let report = run_pipeline(&hub, "nightly").await?;
    summary(&dir).await?;
    let complete = report.outcome == Outcome::Succeeded;
    if let Some(listener) = listener {
        serve_until_stopped(hub, &dir, listener).await?;
    }
    if let Some(rest) = rest {
        rest.abort();
    }
    Ok(complete)
}

/// Starts the systems of the estate that speak REST, if it has any, where its sources look for them.
async fn rest_systems(project: &Project, dir: &Path) -> Result<Option<JoinHandle<Result<()>>>> {
    let mut ports = project.sources.values().filter_map(|source| match &source.address {
        Address::Rest(url) => url.port(),
        _ => None,
    });
    let Some(port) = ports.next() else { return Ok(None) };
    let key_file = dir.join(rest::KEY_FILE);
    let key = fs::read_to_string(&key_file).map_err(|e| failed(&key_file, e))?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|e| {
        Error::config(format!("port {port} cannot be used by the REST systems of the demo"))
            .hint("stop what uses it, or make another demo with --rest-port")
            .because(e)
    })?;
    let dir = dir.to_path_buf();
    Ok(Some(tokio::spawn(async move { rest::serve(&dir, key.trim(), listener).await })))
}

async fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|e| {
        Error::config(format!("port {port} cannot be used"))
            .hint("name another with --flight-port; 0 takes a free one")
            .because(e)
    })
}

/// Generates the estate beside its final place and moves it there when it is whole.
async fn make(args: &Args) -> Result<()> {
    if fs::read_dir(&args.dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::config("the folder is not empty and holds no muster.toml")
            .at(args.dir.display())
            .hint("name another folder with --dir"));
    }
    let name = args.dir.file_name().ok_or_else(|| {
        Error::config("the demo needs a folder with a name of its own").at(args.dir.display())
    })?;
    let partial = args.dir.with_file_name(format!(".{}.muster-partial", name.to_string_lossy()));
    fs::remove_dir_all(&partial).or_else(ignore_missing).map_err(|e| failed(&partial, e))?;
    fs::create_dir_all(&partial).map_err(|e| failed(&partial, e))?;
    let extent = match args.estate {
        Size::Forces => Extent::Forces,
        Size::Full => Extent::Full,
    };
    let estate = Estate { extent, staff: args.staff as usize, seed: args.seed };
    let users = estate.users();
    println!("generating {} bodies with {} staff (seed {}) …", users.len() - 1, args.staff, args.seed);
    let passwords: BTreeMap<String, String> =
        users.iter().map(|user| ((*user).to_string(), format!("{:032x}", rand::random::<u128>()))).collect();
    let mut hashes = BTreeMap::new();
    for (user, word) in &passwords {
        hashes.insert(user.clone(), password::hash(word)?);
    }
    let server = match (&args.postgres, &args.mysql) {
        (Some(url), _) => Some(Server::Postgres(url.clone())),
        (None, Some(url)) => Some(Server::Mysql(url.clone())),
        (None, None) => None,
    };
    let flight = format!("127.0.0.1:{}", args.flight_port);
    let rest_port = match args.rest_port {
        0 => listen(0).await?.local_addr().map_err(|e| failed(&partial, e))?.port(),
        port => port,
    };
    let rest = format!("http://127.0.0.1:{rest_port}");
    let setting = Setting { flight: &flight, rest: &rest, password_hashes: &hashes, server: server.as_ref() };
    estate.write(&partial, setting).await?;
    certificate(&partial.join("tls"))?;
    let key = format!("{:032x}", rand::random::<u128>());
    let key_file = partial.join(rest::KEY_FILE);
    private(&key_file)
        .and_then(|mut file| file.write_all(key.as_bytes()))
        .map_err(|e| failed(&key_file, e))?;
    write_private(&partial.join(PASSWORDS), &passwords)?;
    fs::remove_dir(&args.dir).or_else(ignore_missing).map_err(|e| failed(&args.dir, e))?;
    fs::rename(&partial, &args.dir).map_err(|e| failed(&args.dir, e))
}

/// A certificate authority of the demo's own and a server certificate for this machine.
fn certificate(dir: &Path) -> Result<()> {
    let made = || -> std::result::Result<(String, String, String), rcgen::Error> {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "Muster demo authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_string);
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name.push(DnType::CommonName, "Muster demo server");
        server.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &authority)?;
        Ok((authority.as_ref().pem(), certificate.pem(), key.serialize_pem()))
    };
    let (authority, certificate, key) =
        made().map_err(|e| Error::internal("the demo's certificate cannot be made").because(e))?;
    fs::create_dir_all(dir).map_err(|e| failed(dir, e))?;
    for (name, text) in [("ca.pem", &authority), ("server.pem", &certificate)] {
        fs::write(dir.join(name), text).map_err(|e| failed(dir, e))?;
    }
    let key_file = dir.join("server.key");
    private(&key_file).and_then(|mut file| file.write_all(key.as_bytes())).map_err(|e| failed(&key_file, e))
}

/// A small consolidated table per force, and how fresh each is.
async fn summary(dir: &Path) -> Result<()> {
    println!();
    for sql in [
        "select c.force, max(case when c.status <> 'missing' then c.status end) as status, s.month_end, s.officers_fte, s.all_staff, p.spend, w.worked_hours \
         from hub.coverage c \
         join (select force, month_end, sum(case when worker_type = 'police officer' then fte end) as officers_fte, \
               sum(headcount) as all_staff from marts.strength \
               where month_end = (select max(month_end) from marts.strength) group by force, month_end) s on s.force = c.force \
         join (select force, sum(amount) as spend from marts.spend where fin_year = 2025 group by force) p on p.force = c.force \
         join (select force, sum(worked_hours) as worked_hours from marts.worked_hours group by force) w on w.force = c.force \
         group by c.force, s.month_end, s.officers_fte, s.all_staff, p.spend, w.worked_hours order by c.force",
        "select force, source, count(distinct entity) as entities, sum(received_rows) as received, \
         sum(accepted_rows) as accepted, sum(quarantined_rows) as quarantined \
         from hub.loads group by force, source order by force, source",
    ] {
        let format = Format::Table;
        let when = When::default();
        query::run(dir, query::Args { sql: sql.into(), user: None, format, output: None, when }).await?;
    }
    Ok(())
}

async fn serve_until_stopped(hub: Arc<Hub>, dir: &Path, listener: TcpListener) -> Result<()> {
    let port = listener.local_addr().map_err(|e| failed(dir, e))?.port();
    let passwords = fs::read(dir.join(PASSWORDS)).map_err(|e| failed(&dir.join(PASSWORDS), e))?;
    let users: BTreeMap<String, String> = serde_json::from_slice(&passwords)
        .map_err(|e| Error::config("the demo's passwords cannot be read").at(dir.display()).because(e))?;
    let connect =
        Connect { flight: format!("grpc+tls://127.0.0.1:{port}"), ca: dir.join("tls/ca.pem"), users };
    // The socket listens already: a client that comes early waits in its queue.
    write_private(&dir.join(CONNECT), &connect)?;
    greet(dir, &connect);
    let audit = hub.audit.clone();
    let served = serve::run(hub, listener, super::serve::stop()).await;
    audit.anchor().await;
    served
}

fn greet(dir: &Path, connect: &Connect) {
    println!();
    println!("serving    {}", connect.flight);
    println!("authority  {}", connect.ca.display());
    for (user, word) in &connect.users {
        println!("user       {user:<6} password {word}");
    }
    println!("all of it  {}", dir.join(CONNECT).display());
    println!(
        "ask here   muster --project {} query \"select * from marts.strength limit 5\" --user beds",
        dir.display()
    );
    println!("stop       Ctrl-C");
}

/// Writes `value` as JSON that only its owner can read, whole or not at all.
fn write_private(path: &Path, value: &impl Serialize) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|e| Error::internal("JSON").because(e))?;
    let partial = path.with_extension("json.partial");
    let written = private(&partial).and_then(|mut file| file.write_all(&bytes));
    written.and_then(|()| fs::rename(&partial, path)).map_err(|e| failed(path, e))
}

fn private(path: &Path) -> std::io::Result<fs::File> {
    OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)
}

fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

fn failed(path: &Path, cause: std::io::Error) -> Error {
    Error::config("the demo's folder cannot be used").at(path.display()).because(cause)
}
