//! What a build's result depends on, as one hash: when it has not changed, nothing is built.

use crate::hub::Hub;
use crate::lake::delta::Version;
use crate::lake::raw::Load;
use crate::model::Scope;
use crate::model::staging::Bound;
use crate::release::hex;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A hash over everything in the definitions that decides what models of this scope make.
pub(super) fn code_hash(hub: &Hub, scope: Scope) -> String {
    let mut hash = Sha256::new();
    for model in hub.project.staging.iter().chain(&hub.project.models).filter(|m| m.scope == scope) {
        let text = format!(
            "{}|{:?}|{}|{:?}|{:?};",
            model.table(),
            model.system,
            model.sql,
            model.grain,
            model.checks
        );
        hash.update(text);
    }
    for system in hub.project.systems.values() {
        hash.update(format!("{:?}", system.entities));
    }
    hex(&hash.finalize())
}

/// The raw tables behind a source, and when they were last landed: a table that was deleted and
/// landed again may have the number of the old one.
pub(super) fn raw_inputs(bound: &Bound, loads: &BTreeMap<(String, String), Load>) -> Vec<String> {
    let of_entity = |(entity, version): (&String, &Arc<Version>)| {
        let landed = loads.get(&(bound.source.clone(), entity.clone())).map_or(0, |load| load.loaded_at);
        format!("{}/{}/{}/{entity}@{}:{landed};", bound.force, bound.source, bound.system, version.number)
    };
    bound.raw.iter().map(of_entity).collect()
}

/// A hash over the program's version and everything given. An upgrade may change what SQL means.
pub(super) fn fingerprint<'a>(
    texts: impl Iterator<Item = &'a str>,
    inputs: impl Iterator<Item = String>,
) -> String {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    texts.for_each(|text| hash.update(text));
    inputs.for_each(|input| hash.update(input));
    hex(&hash.finalize())
}
