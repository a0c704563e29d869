//! Servers of sources, and how they are entered.

use super::{Auth, Secret, source};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who reads; a role that may only read.
    pub user: String,
    /// The database's name.
    pub database: String,
}

/// A folder on a server that speaks SFTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who reads; an account that may only read.
    pub user: String,
    /// The folder: from the server's root, or without a slash at its beginning from the user's home.
    pub folder: String,
}

/// How a source is entered, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The password of the user of a database or an SFTP server.
    pub password: Option<Secret>,
    /// The private key of the user of an SFTP server.
    pub key: Option<Secret>,
    /// What the private key is encrypted with.
    pub passphrase: Option<Secret>,
    /// The host keys that SFTP servers may show, in the format of OpenSSH, absolute; always given for
    /// such a source.
    pub known_hosts: Option<PathBuf>,
    /// What a REST interface is shown to know who asks.
    pub auth: Option<Auth>,
    /// Whether and how a connection to a server is encrypted.
    pub tls: TlsMode,
    /// The certificate authority of a server, PEM, absolute; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// The longest time that reading one entity may take.
    pub timeout: Duration,
    /// The longest time without a byte from the source.
    pub idle_timeout: Duration,
    /// What an object store needs besides its address, by the names of the `object_store` crate:
    /// `region`, `endpoint`, `access_key_id`, `secret_access_key`, …
    pub options: BTreeMap<String, Setting>,
}

impl Default for Access {
    /// Of a source on this machine: nothing is asked, nothing is encrypted.
    fn default() -> Self {
        Self {
            password: None,
            key: None,
            passphrase: None,
            known_hosts: None,
            auth: None,
            tls: TlsMode::Off,
            ca: None,
            timeout: source::TIMEOUT,
            idle_timeout: source::IDLE_TIMEOUT,
            options: BTreeMap::new(),
        }
    }
}

/// Whether and how a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Plain text; the default on this machine only.
    Off,
    /// Encrypted, whoever answers.
    Require,
    /// Encrypted, and the certificate must be valid for the host.
    Verify,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// As it is written.
    Plain(String),
    /// A reference.
    Secret(Secret),
}
