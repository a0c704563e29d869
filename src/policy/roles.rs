//! Principals and the roles that say what they may read.

use std::collections::{BTreeMap, BTreeSet};

/// What a role allows. What is not granted does not exist for its holders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The role's name.
    pub name: String,
    /// The forces whose rows it may read.
    pub forces: Forces,
    /// Table patterns: `conformed.*`, `marts.spend`. A hub-scope table must be named exactly,
    /// unless the role reads every force.
    pub tables: Vec<String>,
}

/// A set of forces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forces {
    /// Every force, also those that join later.
    All,
    /// These forces.
    Only(BTreeSet<String>),
}

impl Forces {
    /// Whether `force` belongs to the set.
    pub fn contains(&self, force: &str) -> bool {
        match self {
            Forces::All => true,
            Forces::Only(set) => set.contains(force),
        }
    }
}

/// A user declared in `muster.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name used at log-in.
    pub name: String,
    /// The argon2id hash of the password, in PHC form.
    pub password_hash: String,
    /// Names of roles.
    pub roles: Vec<String>,
}

/// Who may log in, and what each role allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// Users, by name.
    pub users: BTreeMap<String, User>,
    /// Roles, by name.
    pub roles: BTreeMap<String, Role>,
}

/// Who asks: a name and the union of the roles' grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user's name.
    pub name: String,
    /// The roles, resolved.
    pub roles: Vec<Role>,
}

impl Principal {
    /// The person at the keyboard of the hub itself (`muster query` without `--user`).
    pub fn operator() -> Self {
        let role = Role { name: "operator".into(), forces: Forces::All, tables: vec!["*".into()] };
        Self { name: "operator".into(), roles: vec![role] }
    }

    /// The principal for `user`, or `None` when a role does not exist any more: fails closed.
    pub fn resolve(user: &User, roles: &BTreeMap<String, Role>) -> Option<Self> {
        let roles = user.roles.iter().map(|r| roles.get(r).cloned()).collect::<Option<_>>()?;
        Some(Self { name: user.name.clone(), roles })
    }

    /// The forces whose rows of `table` (`layer.name`) the principal may read; `None` when no
    /// role grants the table at all.
    pub fn forces_for(&self, table: &str) -> Option<Forces> {
        let mut granted = BTreeSet::new();
        let mut any = false;
        for role in self.roles.iter().filter(|r| r.tables.iter().any(|p| matches(p, table))) {
            any = true;
            match &role.forces {
                Forces::All => return Some(Forces::All),
                Forces::Only(set) => granted.extend(set.iter().cloned()),
            }
        }
        any.then_some(Forces::Only(granted))
    }

    /// Whether the principal may read a hub-scope table: by its exact name, or as one who reads
    /// every force.
    pub fn may_read_hub_table(&self, table: &str) -> bool {
        self.roles.iter().any(|role| {
            role.tables.iter().any(|p| p == table)
                || (role.forces == Forces::All && role.tables.iter().any(|p| matches(p, table)))
        })
    }
}

/// Whether the pattern (`*`, `layer.*` or `layer.name`) covers `table`.
fn matches(pattern: &str, table: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => table.starts_with(prefix),
        None => pattern == table,
    }
}
