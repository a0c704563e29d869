//! Sources on SFTP servers: the address, and what shows who enters and who is entered.

use super::reader::{Section, Text};
use super::source::{decoded, file, unbracketed};
use super::{Remote, Secret, secret};
use std::path::{Path, PathBuf};
use url::Url;

const EXAMPLE: &str = "for example \"sftp://reader@files.beds.example:22/drop\"";

/// The part of a path that stands for the user's home.
const HOME: &str = "~";

/// What shows who enters, besides a password, and who is entered.
#[derive(Debug, Default)]
pub(super) struct Login {
    pub(super) key: Option<Secret>,
    pub(super) passphrase: Option<Secret>,
    pub(super) known_hosts: Option<PathBuf>,
}

/// The folder that `text` names.
pub(super) fn address(section: &Section<'_>, text: &Text<'_>) -> Option<Remote> {
    let problem = |message: &str, hint: &str| {
        section.problem(text.span.clone(), message, hint);
        None
    };
    let Ok(url) = Url::parse(text.value) else {
        return problem("not an address of a folder on a server", EXAMPLE);
    };
    if url.password().is_some() {
        return problem("the address holds a password", "secrets are references: password = { env = \"…\" }");
    }
    let user = decoded(url.username()).filter(|user| !user.is_empty());
    let (Some(host), Some(user), Some(path)) = (url.host_str(), user, decoded(url.path())) else {
        return problem("the address needs a user, a host and a folder", EXAMPLE);
    };
    // Without the case: nothing else compares hosts with the names in `known_hosts`.
    let host = unbracketed(host).to_lowercase();
    Some(Remote { host, port: url.port().unwrap_or(22), user, folder: folder(&path) })
}

/// The folder of a path as a server takes it: from its root, or from the home of the user.
fn folder(path: &str) -> String {
    let inside = path.trim_matches('/');
    match inside.strip_prefix(HOME) {
        Some("") => ".".into(),
        Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/').into(),
        _ => format!("/{inside}"),
    }
}

/// Reads what `section` says about keys; what the server cannot be entered without is reported.
pub(super) fn login(dir: &Path, section: &mut Section<'_>) -> Login {
    let key = secret::check(dir, section, "key");
    let passphrase = secret::check(dir, section, "passphrase");
    if !section.has("key") && !section.has("password") {
        let hint = "key = { file = \"beds.key\" }, or password = { env = \"BEDS_DROP_PASSWORD\" }";
        section.wrong("the source has neither \"key\" nor \"password\"", hint);
    }
    if !section.has("key") && section.has("passphrase") {
        section.problem(section.place("passphrase"), "\"passphrase\" is for a \"key\"", ());
    }
    if !section.has("known_hosts") {
        let hint = "known_hosts = \"known_hosts\", a file that holds what `ssh-keyscan HOST` prints, \
                    compared with what the owner of the server says";
        section.wrong("the source has no \"known_hosts\": any server could pass for its own", hint);
    }
    Login { key, passphrase, known_hosts: file(dir, section, "known_hosts") }
}

#[cfg(test)]
mod tests {
    use super::folder;

    #[test]
    fn folders_begin_at_the_root_or_at_home() {
        let cases = [("/drop/hr/", "/drop/hr"), ("", "/"), ("/", "/"), ("/~", "."), ("/~/drop", "drop")];
        for (path, wanted) in cases.into_iter().chain([("/~other/a", "/~other/a"), ("//etc", "/etc")]) {
            assert_eq!(folder(path), wanted, "{path}");
        }
    }
}
