//! `muster.toml` → the hub, its forces, sources, roles and users.

use super::problem::{Doc, Found};
use super::reader::{self, SLUG, Section, Text, is_slug};
use super::{
    Access, Address, Force, Hub, Limits, Source, System, Tls, TlsMode, keep, limits, secret, source,
};
use crate::error::known;
use crate::policy::roles::{Forces, People, Principal, Role, User};
use crate::release::keep::Rules;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What `muster.toml` says.
pub(super) struct Settings {
    pub(super) hub: Hub,
    pub(super) keep: Rules,
    pub(super) forces: BTreeMap<String, Force>,
    pub(super) sources: BTreeMap<String, Source>,
    pub(super) people: People,
}

/// Reads `muster.toml`; `tables` are the names (`layer.name`) that a role can grant.
pub(super) fn check(
    dir: &Path,
    doc: &Doc,
    systems: &BTreeMap<String, System>,
    tables: &BTreeSet<String>,
    found: &Found,
) -> Settings {
    reader::read(doc, found, |mut root| {
        let hub = match root.section("hub") {
            Some(section) => hub(dir, section),
            None => {
                no_hub(doc, found);
                Hub::at(dir)
            }
        };
        let keep = keep::check(root.section("keep"));
        let forces: BTreeMap<_, _> = root.sections("forces", "force").into_iter().map(force).collect();
        let sources = root.sections("sources", "source").into_iter();
        let sources: BTreeMap<_, _> = sources
            .filter_map(|(name, section)| source::check(dir, &name, section, &forces, systems))
            .collect();
        let people = people(&mut root, &forces, tables);
        root.finish();
        Settings { hub, keep, forces, sources, people }
    })
}

/// Reads users and roles, and of the rest only what they are made of.
pub(super) fn check_people(doc: &Doc, tables: &BTreeSet<String>, found: &Found) -> People {
    reader::read(doc, found, |mut root| {
        if !root.has("hub") {
            // A file that was cut off must not pass for one in which everybody was removed.
            no_hub(doc, found);
        }
        let forces = root.sections("forces", "force").into_iter().map(force).collect();
        people(&mut root, &forces, tables)
    })
}

fn no_hub(doc: &Doc, found: &Found) {
    found.whole(&doc.file, 1, "there is no [hub]", "for example: [hub] with name = \"My hub\"");
}

fn people(root: &mut Section<'_>, forces: &BTreeMap<String, Force>, tables: &BTreeSet<String>) -> People {
    let roles = root.sections("roles", "role").into_iter();
    let roles: BTreeMap<_, _> = roles.map(|(name, section)| role(&name, section, forces, tables)).collect();
    let users = root.sections("users", "user").into_iter();
    let users = users.map(|(name, section)| user(&name, section, &roles)).collect();
    People { users, roles }
}

impl Hub {
    /// A hub with every setting at its default.
    fn at(dir: &Path) -> Self {
        Self {
            name: String::new(),
            lake: dir.join("lake"),
            state: Address::Sqlite(dir.join("state.db")),
            state_access: Access::default(),
            flight: "127.0.0.1:32010".into(),
            metrics: None,
            tls: None,
            limits: Limits::default(),
        }
    }
}

fn hub(dir: &Path, mut section: Section<'_>) -> Hub {
    let mut hub = Hub::at(dir);
    if let Some(name) = section.required("name", "\"My hub\"") {
        hub.name = name.value.into();
    }
    if let Some(lake) = section.text("lake") {
        if let Some((scheme, _)) = lake.value.split_once("://") {
            let message = format!("a lake at \"{scheme}://\" is not available in this build yet");
            section.problem(lake.span, message, "use a folder");
        } else {
            hub.lake = dir.join(lake.value);
        }
    }
    if let Some(state) = section.text("state") {
        hub.state = self::state(dir, &section, &state).unwrap_or(hub.state);
    }
    hub.state_access = state_access(dir, &mut section, &hub.state);
    hub.flight = listener(&mut section, "flight", "127.0.0.1:32010").unwrap_or(hub.flight);
    hub.metrics = listener(&mut section, "metrics", "127.0.0.1:9464");
    hub.limits = limits::check(section.section("limits"));
    hub.tls = section.section("tls").and_then(|tls| self::tls(dir, tls));
    section.finish();
    hub
}

/// The address and port of a key.
fn listener(section: &mut Section<'_>, key: &'static str, example: &str) -> Option<String> {
    let text = section.text(key)?;
    let port = text.value.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() {
        section.problem(text.span, "not an address and port", format!("for example \"{example}\""));
    }
    Some(text.value.into())
}

fn state(dir: &Path, section: &Section<'_>, text: &Text<'_>) -> Option<Address> {
    match text.value.split_once(':') {
        Some(("sqlite", path)) => Some(Address::Sqlite(dir.join(path))),
        Some(("postgres" | "postgresql", _)) => source::server(section, text, 5432).map(Address::Postgres),
        _ => {
            let example = "for example \"sqlite:state.db\" or \"postgres://muster@db.hub.example/state\"";
            section.problem(text.span.clone(), "SQLite or PostgreSQL keep the state", example);
            None
        }
    }
}

fn state_access(dir: &Path, section: &mut Section<'_>, address: &Address) -> Access {
    let Address::Postgres(server) = address else {
        // Not asked for, so that they are reported as unknown.
        return Access::default();
    };
    let password = secret::check(dir, section, "state_password");
    let tls = source::tls(section, "state_tls").unwrap_or_else(|| TlsMode::default_for(&server.host));
    Access { password, tls, ca: source::file(dir, section, "state_ca"), ..Access::default() }
}

fn tls(dir: &Path, mut section: Section<'_>) -> Option<Tls> {
    let file = |section: &Section<'_>, path: Text<'_>| -> PathBuf {
        let full = dir.join(path.value);
        if !full.is_file() {
            section.problem(
                path.span,
                format!("there is no file \"{}\"", path.value),
                "paths start at the project folder",
            );
        }
        full
    };
    let certificate = section.required("certificate", "\"server.pem\"").map(|path| file(&section, path));
    let key = section.required("key", "\"server.key\"").map(|path| file(&section, path));
    let client_ca = section.text("client_ca").map(|path| file(&section, path));
    section.finish();
    Some(Tls { certificate: certificate?, key: key?, client_ca })
}

fn force((code, mut section): (Text<'_>, Section<'_>)) -> (String, Force) {
    if !is_slug(code.value) {
        section.wrong(format!("the force code \"{}\" is not a slug", code.value), SLUG);
    }
    let force = Force {
        code: code.value.into(),
        name: section
            .required("name", "\"Bedfordshire Police\"")
            .map_or(code.value, |name| name.value)
            .into(),
        ons_code: section.text("ons_code").map(|code| code.value.into()),
    };
    section.finish();
    (force.code.clone(), force)
}

fn role(
    name: &Text<'_>,
    mut section: Section<'_>,
    forces: &BTreeMap<String, Force>,
    tables: &BTreeSet<String>,
) -> (String, Role) {
    let given = section.texts("forces");
    if !section.has("forces") {
        section.wrong(format!("role \"{}\" has no forces", name.value), "forces = [\"beds\"] or [\"*\"]");
    }
    let all = given.iter().any(|force| force.value == "*");
    for force in given.iter().filter(|f| f.value != "*" && !forces.contains_key(f.value)) {
        let hint = known("forces", force.value, forces.keys().map(String::as_str));
        section.problem(force.span.clone(), format!("unknown force \"{}\"", force.value), hint);
    }
    let patterns = section.texts("tables");
    if !section.has("tables") {
        section.wrong(format!("role \"{}\" has no tables", name.value), "tables = [\"marts.*\"]");
    }
    for pattern in &patterns {
        table_pattern(&section, pattern, tables);
    }
    section.finish();
    let only = given.iter().map(|force| force.value.into()).collect();
    let role = Role {
        name: name.value.into(),
        forces: if all { Forces::All } else { Forces::Only(only) },
        tables: patterns.iter().map(|pattern| pattern.value.into()).collect(),
    };
    (role.name.clone(), role)
}

fn table_pattern(section: &Section<'_>, pattern: &Text<'_>, tables: &BTreeSet<String>) {
    const LAYERS: [&str; 7] = ["raw", "quarantine", "staging", "conformed", "marts", "reference", "hub"];
    let value = pattern.value;
    if value == "*" {
        return;
    }
    let Some((layer, name)) = value.split_once('.').filter(|(layer, _)| LAYERS.contains(layer)) else {
        let hint = "write \"*\", \"marts.*\" or \"marts.spend\"; layers: ".to_string() + &LAYERS.join(", ");
        section.problem(pattern.span.clone(), format!("\"{value}\" names no table"), hint);
        return;
    };
    let listed = matches!(layer, "conformed" | "marts" | "reference");
    if name != "*" && listed && !tables.contains(value) {
        let same = |table: &&str| table.split('.').next() == Some(layer);
        let hint = known("tables", value, tables.iter().map(String::as_str).filter(same));
        section.problem(pattern.span.clone(), format!("there is no table \"{value}\""), hint);
    }
}

fn user(name: &Text<'_>, mut section: Section<'_>, roles: &BTreeMap<String, Role>) -> (String, User) {
    if name.value == Principal::operator().name {
        // The record of statements must tell the two apart.
        section.wrong(
            format!("the user name \"{}\" is reserved", name.value),
            "whoever runs `muster` on the hub's own machine is recorded under it; choose another name",
        );
    }
    let given = section.texts("roles");
    if given.is_empty() {
        section.wrong(format!("user \"{}\" has no roles", name.value), "without a role nothing can be read");
    }
    for role in given.iter().filter(|role| !roles.contains_key(role.value)) {
        let hint = known("roles", role.value, roles.keys().map(String::as_str));
        section.problem(role.span.clone(), format!("unknown role \"{}\"", role.value), hint);
    }
    let hash = section.required("password_hash", "\"$argon2id$…\"");
    if let Some(hash) = &hash
        && (!hash.value.starts_with("$argon2id$") || argon2::PasswordHash::new(hash.value).is_err())
    {
        let message = format!("user \"{}\" has something else than an argon2id hash", name.value);
        section.problem(hash.span.clone(), message, "\"muster user\" writes the hash of a password");
    }
    section.finish();
    let user = User {
        name: name.value.into(),
        password_hash: hash.map_or("", |hash| hash.value).into(),
        roles: given.iter().map(|role| role.value.into()).collect(),
    };
    (user.name.clone(), user)
}

#[cfg(test)]
mod tests {
    use crate::project::{Library, load_with};

    #[test]
    fn the_name_of_the_operator_is_reserved() {
        let dir = tempfile::tempdir().unwrap();
        let settings = "[hub]\nname = \"x\"\n[users.operator]\nroles = []\npassword_hash = \"x\"\n";
        std::fs::write(dir.path().join("muster.toml"), settings).unwrap();
        let problems = load_with(dir.path(), &Library::empty()).unwrap_err().plain();
        assert!(problems.contains("the user name \"operator\" is reserved"), "{problems}");
    }
}
