//! Private database servers: on a free port of this machine, in a folder of their own, stopped
//! when the test ends, however it ends.

use crate::project::{Access, Address, Secret, Server, Source};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Servers refuse to run as root; nobody else is on every machine.
const NOBODY: u32 = 65_534;

/// The password of every user of a private server.
pub(super) const PASSWORD: &str = "correct horse";

/// A running server.
#[derive(Debug)]
pub(super) struct Running {
    folder: TempDir,
    process: Child,
    pub(super) port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        Command::new("kill").args(["-INT", &self.process.id().to_string()]).status().ok();
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(5) {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Running {
    /// Starts `program` with `arguments` in `folder`, whose first process has prepared it.
    pub(super) fn start(folder: TempDir, mut command: Command, port: u16) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self { process: command.spawn().unwrap(), folder, port }
    }

    /// The certificate with which the server shows who it is.
    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Where the server keeps what is its own.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's process.
    pub(super) fn process(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Tries until it works: a server takes a moment to listen.
    async fn first<C, F: Future<Output = sqlx::Result<C>>>(&self, attempt: impl Fn() -> F) -> C {
        let started = Instant::now();
        loop {
            match attempt().await {
                Ok(connection) => return connection,
                Err(error) if started.elapsed() > Duration::from_secs(60) => {
                    panic!("the server did not start: {error}\n{}", self.log())
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// A source at this server for its reader.
    pub(super) fn source(&self, address: fn(Server) -> Address) -> Source {
        let secret = self.folder.path().join("password");
        std::fs::write(&secret, PASSWORD).unwrap();
        let server = Server {
            host: "127.0.0.1".into(),
            port: self.port,
            user: "reader".into(),
            database: "source".into(),
        };
        let access = Access { password: Some(Secret::File(secret)), ..Access::default() };
        Source {
            name: "beds_s".into(),
            force: "beds".into(),
            system: "s".into(),
            address: address(server),
            access,
        }
    }
}

/// A program on the path, or where distributions keep those that are for servers.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let versions = glob::glob("/usr/lib/postgresql/*/bin").unwrap().flatten();
    places.chain(versions).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn is_root(folder: &Path) -> bool {
    folder.metadata().unwrap().uid() == 0
}

/// The command, for a user that servers accept.
pub(super) fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    // Two installers of MariaDB that share a temporary folder fail at each other's tables.
    command.current_dir("/").process_group(0).env("TMPDIR", folder);
    if folder.metadata().unwrap().uid() == NOBODY {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    if is_root(folder.path()) {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder
}

pub(super) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(super) fn run(mut command: Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A private PostgreSQL with a database `source` and a user `reader`; `None`: not installed.
pub(super) async fn postgres() -> Option<Running> {
    let (initdb, postgres) = (program("initdb")?, program("postgres")?);
    let folder = folder();
    let secret = folder.path().join("owner");
    std::fs::write(&secret, PASSWORD).unwrap();
    let data = folder.path().join("data");
    let mut prepare = command(&initdb, folder.path());
    prepare.args(["--no-sync", "--username=owner", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
    run({
        prepare.arg("--pwfile").arg(&secret).arg("-D").arg(&data);
        prepare
    });
    let port = free_port();
    let mut serve = command(&postgres, folder.path());
    let (certificate, key) = certified(&folder);
    serve.arg("-c").arg(format!("ssl_cert_file={}", certificate.display()));
    serve.arg("-c").arg(format!("ssl_key_file={}", key.display())).args(["-c", "ssl=on"]);
    serve.arg("-D").arg(&data).args(["-F", "-h", "127.0.0.1", "-k", "", "-p", &port.to_string()]);
    let running = Running::start(folder, serve, port);
    let options = owner_of(port, "postgres");
    let owner = || PgConnection::connect_with(&options);
    let mut connection = Box::pin(running.first(owner)).await;
    for script in ["create database source", "create role reader login password 'correct horse'"] {
        connection.execute(script).await.unwrap();
    }
    let mut connection = PgConnection::connect_with(&owner_of(port, "source")).await.unwrap();
    let rights = "alter default privileges grant select on tables to reader; \
                  alter default privileges grant usage on schemas to reader";
    connection.execute(rights).await.unwrap();
    Some(running)
}

/// A certificate for this machine, and its key.
fn certified(folder: &TempDir) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_string()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let owner = folder.path().metadata().unwrap().uid();
    chown(&key, Some(owner), None).unwrap();
    (certificate, key)
}

fn owner_of(port: u16, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("owner")
        .password(PASSWORD)
        .database(database)
}

/// A connection of the one who may do anything.
pub(super) async fn postgres_owner(running: &Running) -> PgConnection {
    PgConnection::connect_with(&owner_of(running.port, "source")).await.unwrap()
}

/// Runs a script at PostgreSQL, and gives the first column of its last answer as text.
pub(super) async fn at_postgres(running: &Running, script: &str) -> Vec<String> {
    let mut connection = postgres_owner(running).await;
    let rows = sqlx::raw_sql(AssertSqlSafe(script.to_string())).fetch_all(&mut connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("{script}: {error}"));
    rows.iter().map(|row| row.try_get::<String, _>(0).unwrap_or_default()).collect()
}

/// A private MariaDB with a database `source` and a user `reader`; `None`: not installed.
pub(super) async fn mariadb() -> Option<Running> {
    let (install, mariadbd) = (program("mariadb-install-db")?, program("mariadbd")?);
    let folder = folder();
    let data = folder.path().join("data");
    let mut prepare = command(&install, folder.path());
    prepare.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    run({
        prepare.arg(format!("--datadir={}", data.display()));
        prepare
    });
    let port = free_port();
    let mut serve = command(&mariadbd, folder.path());
    serve.args(["--no-defaults", "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0"]);
    serve.args(["--skip-log-bin", "--innodb-doublewrite=0", "--character-set-server=utf8mb4"]);
    serve.arg(format!("--port={port}")).arg(format!("--datadir={}", data.display()));
    serve.arg(format!("--socket={}", folder.path().join("socket").display()));
    let running = Running::start(folder, serve, port);
    let options = root_of(port);
    let root = || MySqlConnection::connect_with(&options);
    let mut connection = Box::pin(running.first(root)).await;
    for script in [
        "create database source character set utf8mb4",
        "create user reader identified by 'correct horse'",
        "grant select, show view on source.* to reader",
    ] {
        connection.execute(script).await.unwrap();
    }
    Some(running)
}

fn root_of(port: u16) -> MySqlConnectOptions {
    MySqlConnectOptions::new().host("127.0.0.1").port(port).username("root").ssl_mode(MySqlSslMode::Disabled)
}

/// Runs a script at MariaDB, and gives the first column of all its answers as text.
pub(super) async fn at_mariadb(running: &Running, script: &str) -> Vec<String> {
    let options = root_of(running.port).database("source");
    let mut connection = MySqlConnection::connect_with(&options).await.unwrap();
    connection
        .execute("set sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,ALLOW_INVALID_DATES'")
        .await
        .unwrap();
    let rows = sqlx::raw_sql(AssertSqlSafe(script.to_string())).fetch_all(&mut connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("{script}: {error}"));
    rows.iter().map(|row| row.try_get::<String, _>(0).unwrap_or_default()).collect()
}
