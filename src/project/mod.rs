//! A project folder, read and checked once. After this module there is no unchecked definition.

use crate::connector::contract::Contract;
use crate::model::Model;
use crate::policy::roles::{Role, User};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything a project folder and the built-in library define, checked.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder that holds `muster.toml`.
    pub dir: PathBuf,
    /// `[hub]`.
    pub hub: Hub,
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

/// `[hub]` and `[serve]` of `muster.toml`.
#[derive(Debug, Clone)]
pub struct Hub {
    /// The display name.
    pub name: String,
    /// The lake's root folder, absolute.
    pub lake: PathBuf,
    /// The SQLite file of the state database, absolute.
    pub state: PathBuf,
    /// Where Flight SQL listens: `127.0.0.1:32010`.
    pub flight: String,
    /// PEM files of the server's certificate chain and key, absolute.
    pub tls: Option<Tls>,
}

/// The server's certificate.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
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
    /// The source's name: `beds_efinancials`.
    pub name: String,
    /// The force's code.
    pub force: String,
    /// The system's name.
    pub system: String,
    /// Where it is.
    pub address: Address,
}

/// Where a source is; a closed set, one variant per transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `sqlite:path`, absolute.
    Sqlite(PathBuf),
    /// `file:path`: a local folder, absolute.
    Folder(PathBuf),
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
    /// The CSV text.
    pub csv: String,
    /// Where it was found, as shown in messages.
    pub file: String,
}

/// What runs together.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The file's name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The sources to pull, by name.
    pub sources: Vec<String>,
    /// How often a source that fails is tried again within the run.
    pub retries: u32,
}
