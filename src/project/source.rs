//! `[sources.<name>]` of `muster.toml`: one system at one force, with an address.

use super::http;
use super::reader::{SLUG, Section, Text, Value, is_slug};
use super::{Access, Address, Force, Offers, Server, Setting, Source, System, TlsMode, odbc, secret, sftp};
use crate::connector::contract::Contract;
use crate::error::known;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// Longer than the slowest nightly extract that anybody has waited for.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2 * 3600);

/// A source that says nothing for this long has gone.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

const EXAMPLE: &str =
    "for example \"sqlite:hr.db\", \"file:drop\" or \"postgres://reader@db.beds.example/efin\"";

/// The source called `name`.
pub(super) fn check(
    dir: &Path,
    name: &Text<'_>,
    mut section: Section<'_>,
    forces: &BTreeMap<String, Force>,
    systems: &BTreeMap<String, System>,
) -> Option<(String, Source)> {
    if !is_slug(name.value) {
        section.wrong(format!("the source name \"{}\" is not a slug", name.value), SLUG);
    }
    let force = named(&mut section, "force", forces);
    let system = named(&mut section, "system", systems);
    let address = section.required("address", "\"file:drop\"");
    let address = address.and_then(|address| self::address(dir, &mut section, &address));
    let is_asked = |system: &System| system.entities.values().any(|contract| contract.http.is_some());
    let address = match (address, system.and_then(|name| systems.get(name))) {
        (Some(Address::Store(url)), Some(system)) if url.scheme().starts_with("http") && is_asked(system) => {
            Some(Address::Rest(url))
        }
        (address, _) => address,
    };
    let access = access(dir, &mut section, address.as_ref());
    if let (Some(system), Some(address)) = (system.and_then(|name| systems.get(name)), &address) {
        reachable(&section, system, address);
    }
    section.finish();
    let (force, system) = (force?.into(), system?.into());
    Some((name.value.into(), Source { name: name.value.into(), force, system, address: address?, access }))
}

/// The text of a key that must be one of the names in `all`.
fn named<'a, T>(section: &mut Section<'a>, key: &'static str, all: &BTreeMap<String, T>) -> Option<&'a str> {
    let hint = |wanted| known(&format!("{key}s"), wanted, all.keys().map(String::as_str));
    if !section.has(key) {
        section.wrong(format!("the source has no \"{key}\""), hint(""));
    }
    let text = section.text(key)?;
    if !all.contains_key(text.value) {
        section.problem(text.span, format!("unknown {key} \"{}\"", text.value), hint(text.value));
    }
    Some(text.value)
}

fn address(dir: &Path, section: &mut Section<'_>, text: &Text<'_>) -> Option<Address> {
    // The rest of an address may hold a password; only its scheme is ever shown.
    let (scheme, rest) = text.value.split_once(':').unwrap_or((text.value, ""));
    if scheme == "odbc" {
        return odbc::address(section, text, rest);
    }
    let path = dir.join(rest.strip_prefix("//").unwrap_or(rest));
    let problem = |message: String, hint: &str| {
        section.problem(text.span.clone(), message, hint);
        None
    };
    match scheme {
        "sqlite" | "file" if rest.is_empty() => problem(format!("\"{scheme}:\" needs a path"), EXAMPLE),
        "sqlite" => Some(Address::Sqlite(path)),
        "file" => Some(Address::Folder(path)),
        "postgres" | "postgresql" => server(section, text, 5432).map(Address::Postgres),
        "mysql" | "mariadb" => server(section, text, 3306).map(Address::Mysql),
        "sftp" => sftp::address(section, text).map(Address::Sftp),
        "s3" | "az" | "gs" | "http" | "https" => match Url::parse(text.value) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => problem(
                "the address holds a user or a password".into(),
                "object stores take them as [sources.<name>.options], secrets as references",
            ),
            Ok(url) if url.host_str().is_some() => Some(Address::Store(url)),
            _ => problem(format!("\"{scheme}:\" needs a place"), "for example \"s3://bucket/folder\""),
        },
        _ => problem("not an address of a source".into(), EXAMPLE),
    }
}

/// The server and database that `text` names.
pub(super) fn server(section: &Section<'_>, text: &Text<'_>, port: u16) -> Option<Server> {
    let example = "for example \"postgres://reader@db.beds.example:5432/efin\"";
    let problem = |message: &str, hint: &str| {
        section.problem(text.span.clone(), message, hint);
        None
    };
    let Ok(url) = Url::parse(text.value) else { return problem("not an address of a database", example) };
    if url.password().is_some() {
        return problem("the address holds a password", "secrets are references: password = { env = \"…\" }");
    }
    let user = decoded(url.username()).filter(|user| !user.is_empty());
    let database = decoded(url.path().trim_start_matches('/')).filter(|name| !name.is_empty());
    let (Some(host), Some(user), Some(database)) = (url.host_str(), user, database) else {
        return problem("the address needs a user, a host and a database", example);
    };
    Some(Server { host: unbracketed(host), port: url.port().unwrap_or(port), user, database })
}

/// A part of an address without its percent signs.
pub(super) fn decoded(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().map(|text| text.into_owned()).ok()
}

/// A host as one connects to it: addresses of version 6 stand in brackets.
pub(super) fn unbracketed(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_string()
}

fn access(dir: &Path, section: &mut Section<'_>, address: Option<&Address>) -> Access {
    let password = secret::check(dir, section, "password");
    let tls = tls(section, "tls");
    let ca = file(dir, section, "ca");
    let server = address.and_then(|address| match address {
        Address::Postgres(server) | Address::Mysql(server) => Some(server),
        Address::Sqlite(_)
        | Address::Odbc(_)
        | Address::Folder(_)
        | Address::Store(_)
        | Address::Sftp(_)
        | Address::Rest(_) => None,
    });
    let is_sftp = matches!(address, Some(Address::Sftp(_)));
    // A driver has ways of its own to encrypt, which its attributes name.
    let elsewhere: &[&str] = match address {
        Some(Address::Sftp(_) | Address::Odbc(_)) => &["password"],
        Some(Address::Store(_)) => &["ca"],
        Some(Address::Rest(_)) => &["tls", "ca"],
        _ => &[],
    };
    for key in ["password", "tls", "ca"].into_iter().filter(|key| section.has(key)) {
        if address.is_some() && server.is_none() && !elsewhere.contains(&key) {
            section.problem(section.place(key), format!("\"{key}\" is for databases on a server"), ());
        }
    }
    let sftp::Login { key, passphrase, known_hosts } = match is_sftp {
        true => sftp::login(dir, section),
        // Not asked for, so that they are reported as unknown.
        false => sftp::Login::default(),
    };
    Access {
        auth: http::auth(dir, section, address),
        password,
        key,
        passphrase,
        known_hosts,
        tls: tls.unwrap_or_else(|| TlsMode::default_for(server.map_or("", |server| &server.host))),
        ca,
        timeout: section.duration("timeout").unwrap_or(TIMEOUT),
        idle_timeout: section.duration("idle_timeout").unwrap_or(IDLE_TIMEOUT),
        options: options(dir, section),
    }
}

/// The mode of encryption of a key.
pub(super) fn tls(section: &mut Section<'_>, key: &'static str) -> Option<TlsMode> {
    section.text(key).map(|text| match text.value {
        "verify" => TlsMode::Verify,
        "require" => TlsMode::Require,
        "off" => TlsMode::Off,
        other => {
            let hint = known("modes", other, ["verify", "require", "off"]);
            section.problem(text.span, format!("unknown tls mode \"{other}\""), hint);
            TlsMode::Verify
        }
    })
}

/// The file that a key names; it must be there.
pub(super) fn file(dir: &Path, section: &mut Section<'_>, key: &'static str) -> Option<PathBuf> {
    section.text(key).map(|text| {
        let path: PathBuf = dir.join(text.value);
        if !path.is_file() {
            let message = format!("there is no file \"{}\"", text.value);
            section.problem(text.span, message, "paths start at the project folder");
        }
        path
    })
}

fn options(dir: &Path, section: &mut Section<'_>) -> BTreeMap<String, Setting> {
    let Some(mut options) = section.section("options") else { return BTreeMap::new() };
    let setting = |(name, value): (Text<'_>, Value<'_>)| {
        let setting = match value {
            Value::Text(text) => Setting::Plain(text.value.into()),
            Value::Table(table) => Setting::Secret(secret::reference(dir, name.value, table)?),
        };
        Some((name.value.into(), setting))
    };
    options.all("a text or a secret").into_iter().filter_map(setting).collect()
}

/// Whether `host` is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl TlsMode {
    /// Plain text stays on this machine.
    pub(super) fn default_for(host: &str) -> Self {
        if is_loopback(host) { TlsMode::Off } else { TlsMode::Verify }
    }
}

/// Reports the entities of `system` that cannot be read over the source's transport.
fn reachable(section: &Section<'_>, system: &System, address: &Address) {
    let missing = |contract: &&Contract| !contract.optional && !address.has_layout(contract);
    let names: Vec<&str> =
        system.entities.values().filter(missing).map(|contract| contract.entity.as_str()).collect();
    if !names.is_empty() {
        let what = match address.offers() {
            Offers::Tables => "table",
            Offers::Files => "file",
            Offers::Answers => "[http] section",
        };
        let message =
            format!("system \"{}\" has entities without a {what}: {}", system.name, names.join(", "));
        let hint = format!(
            "such a source needs a {what} in the contract of every entity that is not `optional = true`"
        );
        section.problem(section.place("address"), message, hint);
    }
}
