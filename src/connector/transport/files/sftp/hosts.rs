//! Whether a server is the one that is meant: the keys that hosts may show, in the format of
//! OpenSSH's `known_hosts`. A key that is not there is refused; none is ever added by the hub.

use crate::error::{Error, Result};
use crate::project::Remote;
use russh::Preferred;
use russh::keys::known_hosts::known_host_keys_path;
use russh::keys::{Algorithm, HashAlg, PublicKey};
use std::path::{Path, PathBuf};

/// What a line begins with that holds a key nobody may show any more.
const REVOKED: &str = "@revoked";

/// The keys that one server may show.
#[derive(Debug)]
pub(super) struct Hosts {
    server: String,
    file: PathBuf,
    keys: Vec<PublicKey>,
    /// In base64.
    revoked: Vec<String>,
}

impl Hosts {
    /// Reads what `file` says about a server.
    pub(super) fn read(file: &Path, remote: &Remote) -> Result<Self> {
        let unreadable = || Error::config("the known_hosts file cannot be read").at(file.display());
        // The library takes a missing file for an empty one.
        let text = std::fs::read_to_string(file).map_err(|error| unreadable().because(error))?;
        let revoked = text.lines().filter_map(|line| line.strip_prefix(REVOKED));
        let keys = known_host_keys_path(&remote.host, remote.port, file);
        Ok(Self {
            server: format!("{}:{}", remote.host, remote.port),
            file: file.into(),
            keys: keys
                .map_err(|error| {
                    unreadable().hint("the line of the server holds no key of SSH").because(error)
                })?
                .into_iter()
                .map(|(_, key)| key)
                .collect(),
            revoked: revoked.flat_map(str::split_whitespace).map(str::to_string).collect(),
        })
    }

    /// The kinds of keys to ask for, those that are known first: a server with several keys then
    /// shows the one by which it is known. Signatures with SHA-1 are not asked for.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let is_rsa = |kind: &Algorithm| matches!(kind, Algorithm::Rsa { .. });
        let is_known = |wanted: &Algorithm| {
            let mut known = self.keys.iter().map(PublicKey::algorithm);
            known.any(|known| known == *wanted || (is_rsa(&known) && is_rsa(wanted)))
        };
        let secure =
            Preferred::DEFAULT.key.iter().filter(|kind| !matches!(kind, Algorithm::Rsa { hash: None }));
        let (known, others): (Vec<_>, Vec<_>) = secure.cloned().partition(is_known);
        [known, others].concat()
    }

    /// Whether the server may show `key`. The error says what was seen and what to do.
    pub(super) fn check(&self, key: &PublicKey) -> Result<()> {
        let Self { server, file, .. } = self;
        let seen = format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
        let file = file.display();
        let is_revoked = key.to_openssh().is_ok_and(|line| {
            line.split_whitespace()
                .nth(1)
                .is_some_and(|base64| self.revoked.iter().any(|word| word == base64))
        });
        if is_revoked {
            return Err(Error::source(format!("the server at {server} shows a revoked host key, {seen}"))
                .hint(format!("'{file}' revokes it: whoever holds this key is not to be trusted")));
        }
        if self.keys.iter().any(|known| known.key_data() == key.key_data()) {
            return Ok(());
        }
        let ask = format!(
            "ask the server's owner for the fingerprint of its key; if it is {seen}, \
             let '{file}' hold what `ssh-keyscan` prints for it, and else do not connect"
        );
        Err(match self.keys.is_empty() {
            true => Error::source(format!("the host key of the server at {server} is not known: {seen}")),
            false => {
                Error::source(format!("the server at {server} shows another host key than before: {seen}"))
            }
        }
        .hint(ask))
    }
}
