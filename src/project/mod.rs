//! A project folder, read and checked once. After this module there is no unchecked definition.
//!
//! Files are found in the project first and in the built-in library second; each is read key by
//! key, then models are linked to what they read, ordered and planned over empty tables. Every
//! step adds what it finds to one list, so that [`load`] returns either a checked [`Project`] or
//! all that is wrong with it.

mod access;
mod column;
mod connector;
mod drift;
mod formats;
mod header;
mod http;
mod hub;
mod keep;
mod layout;
mod library;
mod limits;
mod mode;
mod models;
mod odbc;
mod pattern;
mod pipeline;
mod plan;
mod problem;
mod reader;
mod recast;
mod reference;
mod secret;
mod sftp;
mod source;
mod tables;

pub use access::{Access, Remote, Server, Setting, TlsMode};
pub use http::Auth;
pub use library::{BUILT_IN, Library, builtin, lay_out_builtin};
pub use limits::Limits;
pub use odbc::{Odbc, Product};
pub use pipeline::{Alarm, Occasion, Pipeline, Schedule};
pub use problem::{Problem, Problems, count};
pub(crate) use reader::is_slug;
pub use secret::Secret;
pub(crate) use source::is_loopback;

use crate::connector::contract::Contract;
use crate::model::{Layer, Model};
use crate::policy::roles::{People, Role, User};
use crate::release::keep::Rules;
use problem::{Doc, Found};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// The file that makes a folder a project.
pub const FILE: &str = "muster.toml";

/// The files of the project that `muster init` writes, by path.
pub const STARTER: [(&str, &str); 5] = [
    (FILE, include_str!("starter/muster.toml")),
    (".gitignore", include_str!("starter/gitignore")),
    ("pipelines/nightly.toml", include_str!("starter/nightly.toml")),
    ("sql/marts/leavers.sql", include_str!("starter/leavers.sql")),
    ("sql/marts/leavers.slt", include_str!("starter/leavers.slt")),
];

/// Reads and checks the project in `dir`, with the built-in library behind it.
pub fn load(dir: &Path) -> Result<Project, Problems> {
    load_with(dir, &builtin())
}

/// Reads and checks the project in `dir`, with `library` behind it.
pub fn load_with(dir: &Path, library: &Library) -> Result<Project, Problems> {
    let found = Found::default();
    let project = read(dir, library, &found);
    match (project, found.into_problems()) {
        (Some(project), None) => Ok(project),
        (_, problems) => Err(problems.unwrap_or_default()),
    }
}

fn read(dir: &Path, library: &Library, found: &Found) -> Option<Project> {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    let text = std::fs::read_to_string(dir.join(FILE));
    let message = |error| {
        found.whole(
            FILE,
            1,
            format!("cannot be read in {}: {error}", dir.display()),
            "\"muster init <folder>\" writes a project to start from",
        )
    };
    let mut settings = Doc::new(FILE, text.map_err(message).ok()?);
    secret::hide(&mut settings);

    let files = Library::read(&dir, found);
    let search = library::Search { project: &files, builtin: library };
    search.misplaced(found);
    let connectors = search.connectors(found);
    let lists = search.files("sql/reference/", "csv", found);
    let reference =
        lists.iter().map(|(name, doc)| (name.clone(), reference::check(name, doc, found))).collect();
    let systems = systems(&connectors, &reference, found);

    let mut drafts = models::read(&search, &connectors, found);
    let mut tables: BTreeSet<String> = drafts.iter().map(|draft| draft.model.table()).collect();
    tables.extend(lists.keys().map(|name| format!("reference.{name}")));
    let hub::Settings { hub, keep, forces, sources, people: People { users, roles } } =
        hub::check(&dir, &settings, &systems, &tables, found);
    models::link(&mut drafts, &systems, &tables, found);
    let order = models::order(&drafts, found);
    let lineage = tables::check(&drafts, &order, &systems, &reference, found)
        .map_err(|error| found.whole(FILE, 1, error.to_string(), ()))
        .ok()?;
    for (index, traces) in lineage {
        drafts[index].model.lineage = traces;
    }

    let models: Vec<Model> = order.iter().map(|index| drafts[*index].model.clone()).collect();
    let parts = pipeline::Parts { dir: &dir, sources: &sources, models: &models };
    let pipelines = search.files("pipelines/", "toml", found).into_iter();
    let pipelines =
        pipelines.map(|(name, doc)| (name.clone(), pipeline::check(&name, doc, &parts, found))).collect();
    let staging = drafts.into_iter().map(|draft| draft.model).filter(|m| m.layer == Layer::Staging).collect();
    Some(Project {
        dir,
        hub,
        keep,
        forces,
        sources,
        systems,
        staging,
        models,
        reference,
        pipelines,
        roles,
        users,
    })
}

/// Reads and checks who may log in and what they may read in `settings`, a later text of
/// `muster.toml` in `dir`. Nothing else is looked at: a mistake in a source or a model must not
/// keep anybody in.
pub fn people(dir: &Path, settings: String) -> Result<People, Problems> {
    let mut settings = Doc::new(FILE, settings);
    secret::hide(&mut settings);
    // A table exists if there is a file for it, whatever is wrong in that file.
    let elsewhere = Found::default();
    let (files, builtin) = (Library::read(dir, &elsewhere), builtin());
    let tables = library::Search { project: &files, builtin: &builtin }.tables(&elsewhere);
    let found = Found::default();
    let people = hub::check_people(&settings, &tables, &found);
    match found.into_problems() {
        None => Ok(people),
        Some(problems) => Err(problems),
    }
}

/// The source at an address that somebody types, before there is a contract for it. Its password, if
/// it needs one, is in a variable of the environment.
pub fn source_at(dir: &Path, address: &str, password: Option<&str>) -> Result<Source, Problems> {
    const NAME: &str = "new";
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut text = format!("force = \"{NAME}\"\nsystem = \"{NAME}\"\naddress = {}\n", quoted(address));
    if let Some(variable) = password {
        text.push_str(&format!("password = {{ env = {} }}\n", quoted(variable)));
    }
    let (doc, found) = (Doc::new("--from", text), Found::default());
    let force = Force { code: NAME.into(), name: NAME.into(), ons_code: None };
    let system = System { name: NAME.into(), vendor: NAME.into(), entities: BTreeMap::new() };
    let (forces, systems) = ([(NAME.into(), force)].into(), [(NAME.into(), system)].into());
    let name = reader::Text { value: NAME, span: 0..0 };
    let source = reader::read(&doc, &found, |root| source::check(dir, &name, root, &forces, &systems));
    match (source, found.into_problems()) {
        (Some((_, source)), None) => Ok(source),
        (_, problems) => Err(problems.unwrap_or_default()),
    }
}

fn systems(
    connectors: &[library::Connector<'_>],
    lists: &recast::Lists,
    found: &Found,
) -> BTreeMap<String, System> {
    let mut systems = BTreeMap::new();
    for library::Connector { name, toml, file, .. } in connectors {
        if !reader::is_slug(name) {
            found.whole(file, 1, format!("the system name \"{name}\" is not a slug"), reader::SLUG);
        }
        match toml {
            Some(doc) => _ = systems.insert(name.clone(), connector::check(name, doc, lists, found)),
            None => {
                let message = format!("connector \"{name}\" has no connector.toml");
                found.whole(
                    file,
                    1,
                    message,
                    "a connector folder of the project replaces the built-in one whole",
                );
            }
        }
    }
    systems
}

/// Everything a project folder and the built-in library define, checked.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder that holds `muster.toml`.
    pub dir: PathBuf,
    /// `[hub]`.
    pub hub: Hub,
    /// `[keep]`: which releases are kept.
    pub keep: Rules,
    /// The member bodies, by code.
    pub forces: BTreeMap<String, Force>,
    /// The sources, by name.
    pub sources: BTreeMap<String, Source>,
    /// The vendor systems in use or built in, by name.
    pub systems: BTreeMap<String, System>,
    /// Staging mappings (one per system and entity), in no particular order.
    pub staging: Vec<Model>,
    /// Conformed models and marts in dependency order.
    pub models: Vec<Model>,
    /// Code lists: name → CSV text (UTF-8, header row, every column text).
    pub reference: BTreeMap<String, Reference>,
    /// Pipelines, by name.
    pub pipelines: BTreeMap<String, Pipeline>,
    /// Roles, by name.
    pub roles: BTreeMap<String, Role>,
    /// Users, by name.
    pub users: BTreeMap<String, User>,
}

impl Project {
    /// Who may log in, and what each role allows.
    pub fn people(&self) -> People {
        People { users: self.users.clone(), roles: self.roles.clone() }
    }

    /// How old the newest data of each dataset may be: the least that a pipeline allows.
    pub fn fresh(&self) -> BTreeMap<&str, Duration> {
        let mut fresh = BTreeMap::new();
        for (name, age) in self.pipelines.values().flat_map(|pipeline| &pipeline.fresh) {
            let least = fresh.entry(name.as_str()).or_insert(*age);
            *least = (*least).min(*age);
        }
        fresh
    }
}

/// `[hub]` and `[serve]` of `muster.toml`.
#[derive(Debug, Clone)]
pub struct Hub {
    /// The display name.
    pub name: String,
    /// The lake's root folder, absolute.
    pub lake: PathBuf,
    /// The state database: SQLite or PostgreSQL.
    pub state: Address,
    /// How the state database is entered.
    pub state_access: Access,
    /// Where Flight SQL listens: `127.0.0.1:32010`.
    pub flight: String,
    /// Where numbers for Prometheus are served, if anywhere: `127.0.0.1:9464`.
    pub metrics: Option<String>,
    /// PEM files of the server's certificate chain and key, absolute.
    pub tls: Option<Tls>,
    /// How much the server does at once.
    pub limits: Limits,
}

/// The server's certificate.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
    /// The authority that signs the certificates of clients, PEM; with one, a client without a
    /// certificate is not let in.
    pub client_ca: Option<PathBuf>,
}

/// A member body.
#[derive(Debug, Clone)]
pub struct Force {
    /// The slug: `beds`.
    pub code: String,
    /// The display name.
    pub name: String,
    /// The ONS police force area code, if it has one.
    pub ons_code: Option<String>,
}

/// One system at one force, with an address.
#[derive(Debug, Clone)]
pub struct Source {
    /// The source's name: `beds_finance`.
    pub name: String,
    /// The force's code.
    pub force: String,
    /// The system's name.
    pub system: String,
    /// Where it is.
    pub address: Address,
    /// How it is entered.
    pub access: Access,
}

/// Where a source is; a closed set, one variant per transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `sqlite:path`, absolute.
    Sqlite(PathBuf),
    /// `postgres://user@host:port/database`.
    Postgres(Server),
    /// `mysql://user@host:port/database`: MySQL or MariaDB.
    Mysql(Server),
    /// `odbc:Driver=…;Server=…` or `odbc:NAME`: a database behind a driver of the machine.
    Odbc(Odbc),
    /// `file:path`: a local folder, absolute.
    Folder(PathBuf),
    /// A folder in an object store: `s3://bucket/path`, `az://container/path`, `gs://bucket/path`,
    /// `https://host/path` (WebDAV).
    Store(Url),
    /// `sftp://user@host:port/folder`.
    Sftp(Remote),
    /// `https://host/path`: a REST interface, for systems whose entities are asked for over HTTP.
    Rest(Url),
}

impl Address {
    /// What the source offers, and so what its entities' contracts must describe.
    pub fn offers(&self) -> Offers {
        match self {
            Address::Sqlite(_) | Address::Postgres(_) | Address::Mysql(_) | Address::Odbc(_) => {
                Offers::Tables
            }
            Address::Folder(_) | Address::Store(_) | Address::Sftp(_) => Offers::Files,
            Address::Rest(_) => Offers::Answers,
        }
    }

    /// Whether the source offers tables.
    pub fn is_database(&self) -> bool {
        self.offers() == Offers::Tables
    }

    /// Whether `contract` says what the entity looks like at such an address.
    pub fn has_layout(&self, contract: &Contract) -> bool {
        match self.offers() {
            Offers::Tables => contract.table.is_some(),
            Offers::Files => contract.file.is_some(),
            Offers::Answers => contract.http.is_some(),
        }
    }
}

/// What a source offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offers {
    /// Tables of a database.
    Tables,
    /// Files of a folder.
    Files,
    /// Answers of a REST interface.
    Answers,
}

/// A vendor system: one folder in `connectors/`.
#[derive(Debug, Clone)]
pub struct System {
    /// The folder's name.
    pub name: String,
    /// The vendor's product name, for people.
    pub vendor: String,
    /// Its entities, by name.
    pub entities: BTreeMap<String, Contract>,
}

/// A code list.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The table's name in schema `reference`.
    pub name: String,
    /// The CSV text, without a byte order mark.
    pub csv: String,
    /// The names in its header row.
    pub columns: Vec<String>,
    /// The first column, if no two rows share a value of it.
    pub key: Option<String>,
    /// Where it was found, as shown in messages.
    pub file: String,
}
