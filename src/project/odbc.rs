//! `odbc:` addresses of sources.

use super::Address;
use super::reader::{Section, Text};
use crate::error::known;

/// A database behind an ODBC driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odbc {
    /// The attributes of the connection, such as `Driver={…};Server=…`, without user and password.
    pub attributes: String,
    /// Who reads; a role that may only read.
    pub user: Option<String>,
    /// What the database is; `None`: what the driver says.
    pub product: Option<Product>,
}

/// A kind of database behind a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// MySQL or MariaDB.
    Mysql,
    /// Oracle.
    Oracle,
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
    /// Microsoft SQL Server.
    SqlServer,
    /// One that does what the SQL standard says.
    Other,
}

impl Product {
    /// All of them, by the names that `dialect` gives them.
    pub const ALL: [(&str, Product); 6] = [
        ("mysql", Product::Mysql),
        ("oracle", Product::Oracle),
        ("postgres", Product::Postgres),
        ("sqlite", Product::Sqlite),
        ("sqlserver", Product::SqlServer),
        ("other", Product::Other),
    ];
}

const EXAMPLE: &str = "for example \"odbc:Driver={ODBC Driver 18 for SQL Server};Server=…;Database=…\"";

/// The database that `text` reaches through a driver; `rest` is what follows its scheme.
pub(super) fn address(section: &mut Section<'_>, text: &Text<'_>, rest: &str) -> Option<Address> {
    let user = section.text("user").map(|user| user.value.to_string());
    let product = section.text("dialect").and_then(|dialect| {
        let found = Product::ALL.iter().find(|(name, _)| *name == dialect.value);
        if found.is_none() {
            let hint = known("dialects", dialect.value, Product::ALL.iter().map(|(name, _)| *name));
            section.problem(dialect.span, format!("unknown dialect \"{}\"", dialect.value), hint);
        }
        found.map(|(_, product)| *product)
    });
    let problem = |message: &str, hint: &str| {
        section.problem(text.span.clone(), message, hint);
        None
    };
    if !cfg!(feature = "odbc") {
        return problem("this build has no ODBC", "build it with the feature `odbc`");
    }
    let keys = rest.split(';').filter_map(|part| Some(part.split_once('=')?.0.trim().to_lowercase()));
    let keys: Vec<String> = keys.collect();
    if keys.iter().any(|key| ["pwd", "password"].contains(&key.as_str())) {
        return problem("the address holds a password", "secrets are references: password = { env = \"…\" }");
    }
    if keys.iter().any(|key| ["uid", "user", "username"].contains(&key.as_str())) {
        return problem("the address holds a user", "write it as user = \"…\" beside the address");
    }
    let attributes = match (rest.trim(), keys.is_empty()) {
        ("", _) => return problem("\"odbc:\" names no database", EXAMPLE),
        (name, true) => format!("DSN={name}"),
        (attributes, false) => attributes.trim_end_matches(';').to_string(),
    };
    if !attributes.split(';').any(|part| {
        part.split_once('=').is_some_and(|(key, _)| {
            ["driver", "dsn", "filedsn"].contains(&key.trim().to_lowercase().as_str())
        })
    }) {
        return problem("the address names neither a driver nor a data source", EXAMPLE);
    }
    Some(Address::Odbc(Odbc { attributes, user, product }))
}
