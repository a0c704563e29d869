//! Private SFTP servers, each with one folder that tests write to.

use super::servers::{PASSWORD, Running, command, folder, free_port, program, run};
use crate::project::{Access, Address, Remote, Secret, Source};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

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

pub(super) fn source(address: Address, access: Access) -> Source {
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
