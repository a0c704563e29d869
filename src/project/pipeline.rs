//! `pipelines/<name>.toml` → [`Pipeline`].

use super::problem::{Doc, Found};
use super::reader;
use super::{Pipeline, Source};
use crate::error::known;
use std::collections::BTreeMap;

/// The pipeline that `doc` describes; what is wrong with it is in `found`.
pub(super) fn check(name: &str, doc: &Doc, sources: &BTreeMap<String, Source>, found: &Found) -> Pipeline {
    const MOST_RETRIES: u32 = 10;
    reader::read(doc, found, |mut root| {
        let description = root.required("description", "\"every source, every night\"");
        let given = root.texts("sources");
        if !root.has("sources") {
            root.wrong(format!("pipeline \"{name}\" has no sources"), "sources = [\"*\"] or a list of names");
        }
        for source in given.iter().filter(|s| s.value != "*" && !sources.contains_key(s.value)) {
            let hint = known("sources", source.value, sources.keys().map(String::as_str));
            root.problem(source.span.clone(), format!("unknown source \"{}\"", source.value), hint);
        }
        let retries = root.number("retries").unwrap_or(2);
        if retries > MOST_RETRIES {
            root.problem(root.place("retries"), format!("{retries} retries are too many"), "10 at most");
        }
        root.finish();
        let all = given.iter().any(|source| source.value == "*");
        Pipeline {
            name: name.into(),
            description: description.map_or("", |d| d.value).into(),
            sources: match all {
                true => sources.keys().cloned().collect(),
                false => given.iter().map(|source| source.value.into()).collect(),
            },
            retries,
        }
    })
}
