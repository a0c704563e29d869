//! The project folder's `muster.toml`.

use crate::demo::force::Force;
use crate::demo::server::{PASSWORD, Server};
use crate::demo::service::Council;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// A source of the demo.
pub(super) struct Source {
    pub(super) name: String,
    force: &'static str,
    system: &'static str,
    address: String,
    /// Whether the server's user has a password.
    has_password: bool,
    /// Further lines of its section.
    settings: String,
}

/// A member of the hub.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body {
    /// The slug.
    pub code: &'static str,
    /// The display name.
    pub name: &'static str,
    /// The code in a national register.
    pub ons_code: &'static str,
}

impl From<&Force> for Body {
    fn from(force: &Force) -> Self {
        Self { code: force.code, name: force.name, ons_code: force.ons_code }
    }
}

impl From<&Council> for Body {
    fn from(council: &Council) -> Self {
        Self { code: council.code, name: council.name, ons_code: council.ons_code }
    }
}

/// The sources of a force: HR, finance and duty.
pub(super) fn sources(force: &'static Force) -> [Source; 3] {
    let systems = match force.code {
        "beds" => [("itrent", true), ("efinancials", true), ("northgate_dms", false)],
        "cambs" => [("itrent", false), ("agresso", false), ("northgate_dms", true)],
        _ => [("sap_hcm", false), ("oracle_ebs", false), ("crown_dms", false)],
    };
    systems.map(|(system, database)| {
        let path = format!("systems/{}/{system}", force.code);
        let address = if database { format!("{SQLITE}{path}.db") } else { format!("file:{path}") };
        let name = format!("{}_{system}", force.code);
        Source::new(name, force.code, system, address)
    })
}

const SQLITE: &str = "sqlite:";

impl Source {
    /// A source of the body `force` at `address`.
    pub(super) fn new(name: String, force: &'static str, system: &'static str, address: String) -> Self {
        Self { name, force, system, address, has_password: false, settings: String::new() }
    }

    /// The source with further lines in its section.
    pub(super) fn with(self, settings: String) -> Self {
        Self { settings, ..self }
    }

    /// Moves the source's database, if it is one, from below `dir` to a server.
    pub(super) async fn move_to(&mut self, server: &Server, dir: &Path) -> Result<()> {
        let Some(path) = self.address.strip_prefix(SQLITE).map(|path| dir.join(path)) else { return Ok(()) };
        self.address = server.take(&self.name, &path).await?;
        self.has_password = std::env::var_os(PASSWORD).is_some();
        std::fs::remove_file(&path).map_err(|e| {
            Error::internal("the moved database cannot be deleted").at(path.display()).because(e)
        })
    }
}

/// The text of `muster.toml`.
pub(super) fn manifest(
    name: &str,
    flight: &str,
    bodies: &[Body],
    sources: &[Source],
    password_hashes: &BTreeMap<String, String>,
) -> String {
    let mut toml = format!(
        r#"# Written by `muster demo`: {count} bodies, each with legacy systems of its own.

[hub]
name = {name}
lake = "lake"
state = "sqlite:state.db"
flight = {flight}

[hub.tls]
certificate = "tls/server.pem"
key = "tls/server.key"
"#,
        count = bodies.len(),
        name = quoted(name),
        flight = quoted(flight)
    );
    for force in bodies {
        // Writing to a string cannot fail.
        let _ = write!(
            toml,
            "\n[forces.{}]\nname = {}\nons_code = {}\n",
            force.code,
            quoted(force.name),
            quoted(force.ons_code)
        );
    }
    for Source { name, force, system, address, has_password, settings } in sources {
        let _ = write!(
            toml,
            "\n[sources.{name}]\nforce = {}\nsystem = {}\naddress = {}\n",
            quoted(force),
            quoted(system),
            quoted(address)
        );
        if *has_password {
            let _ = writeln!(toml, "password = {{ env = {} }}", quoted(PASSWORD));
        }
        toml.push_str(settings);
    }
    toml.push_str("\n# Sees everything.\n[roles.hub]\nforces = [\"*\"]\ntables = [\"*\"]\n");
    for force in bodies {
        let _ = write!(
            toml,
            "\n# Sees the rows of {}, wherever they are.\n[roles.{}]\nforces = [{}]\n\
             tables = [\"conformed.*\", \"marts.*\", \"reference.*\", \"hub.*\", \"quarantine.*\"]\n",
            force.name,
            force.code,
            quoted(force.code)
        );
    }
    for user in std::iter::once("hub").chain(bodies.iter().map(|body| body.code)) {
        if let Some(hash) = password_hashes.get(user) {
            let _ = write!(
                toml,
                "\n[users.{user}]\npassword_hash = {}\nroles = [{}]\n",
                quoted(hash),
                quoted(user)
            );
        }
    }
    toml
}

/// A TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::force::FORCES;

    #[test]
    fn the_manifest_is_toml() {
        let hashes = [("hub".to_owned(), "$argon2id$v=19$m=1\"".to_owned())].into();
        let sources: Vec<Source> = FORCES.iter().flat_map(sources).collect();
        let bodies = FORCES.each_ref().map(Body::from);
        let toml: toml::Table =
            manifest("Three", "127.0.0.1:32010", &bodies, &sources, &hashes).parse().unwrap();
        assert_eq!(toml["sources"].as_table().unwrap().len(), 9);
        assert_eq!(toml["sources"]["beds_itrent"]["address"].as_str(), Some("sqlite:systems/beds/itrent.db"));
        assert_eq!(toml["sources"]["cambs_itrent"]["address"].as_str(), Some("file:systems/cambs/itrent"));
        assert_eq!(toml["roles"].as_table().unwrap().len(), 4);
        assert_eq!(toml["users"]["hub"]["password_hash"].as_str(), Some("$argon2id$v=19$m=1\""));
        assert_eq!(toml["users"].as_table().unwrap().len(), 1);
    }
}
