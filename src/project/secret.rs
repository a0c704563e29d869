//! Secrets are references, to the environment or to a file. Their values are never shown.

use super::problem::Doc;
use super::reader::Section;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// A reference to a secret. Its value is read when it is needed and never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In this variable of the environment.
    Env(String),
    /// The content of this file, absolute, without the line end behind it.
    File(PathBuf),
}

impl Secret {
    /// The secret itself; never to be shown.
    pub fn read(&self) -> Result<String> {
        match self {
            Secret::Env(name) => std::env::var(name).map_err(|_| {
                Error::config(format!("the secret \"{name}\" is not in the environment"))
                    .hint("set the variable before muster starts")
            }),
            Secret::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_string()),
                Err(error) => {
                    Err(Error::config("the secret file cannot be read").at(path.display()).because(error))
                }
            },
        }
    }
}

const EXAMPLE: &str = "for example { env = \"BEDS_EFIN_PASSWORD\" } or { file = \"beds.secret\" }";

/// The reference to a secret behind `key`, if it is given; it must lead somewhere.
pub(super) fn check(dir: &Path, section: &mut Section<'_>, key: &'static str) -> Option<Secret> {
    if !section.is_table(key) && section.has(key) {
        section.asked(key);
        let message = format!("\"{key}\" must be a reference to a secret");
        section.problem(section.place(key), message, EXAMPLE);
        return None;
    }
    section.section(key).and_then(|secret| reference(dir, key, secret))
}

/// The reference that `secret`, the table of `key`, holds.
pub(super) fn reference(dir: &Path, key: &str, mut secret: Section<'_>) -> Option<Secret> {
    let (env, file) = (secret.text("env"), secret.text("file"));
    let found = match (env, file) {
        (Some(env), None) => {
            if std::env::var_os(env.value).is_none_or(|value| value.is_empty()) {
                let message = format!("the secret \"{}\" is not in the environment", env.value);
                secret.problem(env.span, message, "set the variable before muster starts");
            }
            Some(Secret::Env(env.value.into()))
        }
        (None, Some(file)) => {
            let path = dir.join(file.value);
            if !path.is_file() {
                let message = format!("there is no secret file \"{}\"", file.value);
                secret.problem(file.span, message, "paths start at the project folder");
            }
            Some(Secret::File(path))
        }
        _ => {
            secret.wrong(format!("\"{key}\" must name either env or file"), EXAMPLE);
            None
        }
    };
    secret.finish();
    found
}

/// Stars out what may be a secret in the text that messages show of `doc`.
pub(super) fn hide(doc: &mut Doc) {
    let mut shown = doc.text.to_string().into_bytes();
    let (root, _) = DeTable::parse_recoverable(&doc.text);
    hide_in(root.get_ref(), &mut shown);
    doc.shown = String::from_utf8_lossy(&shown).into();
}

fn hide_in(table: &DeTable<'_>, shown: &mut [u8]) {
    for (key, value) in table {
        let name = key.get_ref().to_lowercase();
        let named = ["authorization", "pass", "pwd", "secret", "token", "webhook"]
            .iter()
            .any(|word| name.contains(word));
        // An address may carry `user:password@` or `Pwd=`.
        let carries =
            |text: &str, words: &[&str]| words.iter().any(|word| text.to_lowercase().contains(word));
        let secret = |text: &str| {
            named
                || (text.contains("://") && text.contains('@'))
                || text.contains("PRIVATE KEY-----")
                || carries(text, &["pwd=", "password="])
        };
        let span = value.span();
        let hidden = match value.get_ref() {
            DeValue::Table(table) => {
                hide_in(table, shown);
                continue;
            }
            // The quotes stay: they show that there is a text.
            DeValue::String(text) if secret(text) => span.start + 1..span.end.saturating_sub(1),
            DeValue::String(_) => continue,
            _ if named => span,
            _ => continue,
        };
        for byte in shown.get_mut(hidden).into_iter().flatten().filter(|byte| **byte != b'\n') {
            *byte = b'*';
        }
    }
}
