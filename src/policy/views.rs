//! What principals see, kept between their statements. Everything of a release is immutable, so
//! whoever has the same grants sees the same tables for as long as it is asked for.

use super::enforce::{self, Granted, Pinned};
use super::roles::{Forces, Principal};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::release::{self, Manifest};
use datafusion::catalog::MemorySchemaProvider;
use fail::fail_point;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// How many pairs of release and visibility are kept.
const KEPT: usize = 64;

/// The schemas of a release with the tables that are granted, but for `hub`, whose rows depend on
/// who asks.
pub(super) type Layers = BTreeMap<String, Arc<MemorySchemaProvider>>;

/// What principals share who may see the same, whatever they and their roles are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Visibility([u8; 32]);

impl Visibility {
    /// The visibility that the grants of `principal` make.
    pub fn of(principal: &Principal) -> Self {
        fail_point!("plant::cache-without-roles", |_| Self([0; 32]));
        let grants = principal.roles.iter().map(|role| {
            let tables: BTreeSet<&str> = role.tables.iter().map(String::as_str).collect();
            let forces = match &role.forces {
                Forces::All => None,
                Forces::Only(forces) => Some(forces),
            };
            // Debug text quotes what it holds, so no two grants look alike.
            format!("{forces:?} {tables:?}")
        });
        let grants: BTreeSet<String> = grants.collect();
        Self(Sha256::digest(format!("{grants:?}")).into())
    }
}

/// What has been seen lately.
pub struct Views {
    newest: Mutex<Option<Arc<Manifest>>>,
    layers: Cache<(u64, Visibility), Arc<Layers>>,
}

/// One release as principals of one visibility see it.
pub struct Seen {
    manifest: Arc<Manifest>,
    visibility: Visibility,
    layers: Arc<Layers>,
}

impl Default for Views {
    fn default() -> Self {
        Self { newest: Mutex::default(), layers: Cache::new(KEPT) }
    }
}

impl Views {
    /// What `principal` sees of the newest release, or of `release`. An error when there is none, or
    /// when it has been given up.
    pub async fn seen(&self, hub: &Hub, principal: &Principal, release: Option<u64>) -> Result<Seen> {
        let manifest = match release {
            Some(number) => Arc::new(release::manifest(&hub.lake, number).await?),
            None => self.newest(hub).await?,
        };
        let visibility = Visibility::of(principal);
        let opened = async {
            let granted = Granted::of(hub, principal, Arc::clone(&manifest));
            let mut layers = Layers::new();
            for (layer, name) in enforce::served(&manifest) {
                if let Some(table) = granted.released(layer, name).await? {
                    enforce::add(layers.entry(layer.to_string()).or_default(), name, table)?;
                }
            }
            Ok::<_, Error>(Arc::new(layers))
        };
        let layers = self.layers.get_or_insert_async(&(manifest.release, visibility), opened).await?;
        Ok(Seen { manifest, visibility, layers })
    }

    /// The newest manifest. Releases are numbered without gaps and published once, so one look for
    /// the next number tells whether it still is.
    async fn newest(&self, hub: &Hub) -> Result<Arc<Manifest>> {
        let known = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known
            && !release::exists(&hub.lake, known.release + 1).await?
        {
            return Ok(known);
        }
        let newest = release::newest(&hub.lake).await?.map(Arc::new).ok_or_else(|| {
            Error::query("nothing has been released yet").hint("`muster run` makes the first release")
        })?;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&newest));
        Ok(newest)
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views").finish_non_exhaustive()
    }
}

impl Seen {
    /// The release.
    pub fn release(&self) -> u64 {
        self.manifest.release
    }

    /// Who else sees the same.
    pub fn visibility(&self) -> Visibility {
        self.visibility
    }

    /// A session for `principal`, whose visibility this is: a fresh one for every statement, so
    /// nothing that a statement does outlives it.
    pub fn session(&self, hub: &Hub, principal: &Principal) -> Result<Pinned> {
        let context = enforce::context(hub, principal, &self.manifest, &self.layers)?;
        Ok(Pinned { release: self.manifest.release, context })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::roles::Role;

    /// A role's name, its forces (`None`: all) and its tables.
    type Given<'a> = (&'a str, Option<&'a [&'a str]>, &'a [&'a str]);

    fn principal(roles: &[Given<'_>]) -> Principal {
        let role = |(name, forces, tables): &Given<'_>| Role {
            name: (*name).into(),
            forces: forces.map_or(Forces::All, |forces| {
                Forces::Only(forces.iter().map(|force| (*force).to_string()).collect())
            }),
            tables: tables.iter().map(|table| (*table).to_string()).collect(),
        };
        Principal { name: "anna".into(), roles: roles.iter().map(role).collect() }
    }

    #[test]
    fn the_same_grants_are_the_same_visibility_and_no_others() {
        let of = |roles: &[Given<'_>]| Visibility::of(&principal(roles));
        let beds = of(&[("a", Some(&["beds"]), &["marts.*", "conformed.*"])]);
        assert_eq!(beds, of(&[("b", Some(&["beds"]), &["conformed.*", "marts.*"])]));
        let others = [
            of(&[("a", Some(&["herts"]), &["marts.*", "conformed.*"])]),
            of(&[("a", None, &["marts.*", "conformed.*"])]),
            of(&[("a", Some(&["beds"]), &["marts.*"])]),
            of(&[("a", Some(&[]), &["marts.*", "conformed.*"])]),
            of(&[("a", Some(&["beds"]), &["marts.*"]), ("b", Some(&["herts"]), &["conformed.*"])]),
            of(&[("a", Some(&["beds"]), &["marts.*\", \"conformed.*"])]),
            of(&[]),
        ];
        for (n, other) in others.iter().enumerate() {
            assert_ne!(*other, beds);
            assert!(others.iter().skip(n + 1).all(|later| later != other));
        }
    }
}
