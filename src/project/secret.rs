//! Secrets are references, to the environment or to a file. Their values are never shown.

use super::problem::Doc;
use super::reader::Section;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// Checks that the secret behind `key`, if it is given, is a reference to something that is there.
pub(super) fn check(dir: &Path, section: &mut Section<'_>, key: &'static str) {
    const EXAMPLE: &str = "for example { env = \"BEDS_EFIN_PASSWORD\" } or { file = \"beds.secret\" }";
    if !section.is_table(key) && section.has(key) {
        section.asked(key);
        return section.problem(
            section.place(key),
            format!("\"{key}\" must be a reference to a secret"),
            EXAMPLE,
        );
    }
    let Some(mut secret) = section.section(key) else { return };
    let (env, file) = (secret.text("env"), secret.text("file"));
    match (&env, &file) {
        (Some(env), None) if std::env::var_os(env.value).is_none_or(|value| value.is_empty()) => {
            let message = format!("the secret \"{}\" is not in the environment", env.value);
            secret.problem(env.span.clone(), message, "set the variable before muster starts");
        }
        (None, Some(file)) if !dir.join(file.value).is_file() => {
            let message = format!("there is no secret file \"{}\"", file.value);
            secret.problem(file.span.clone(), message, "paths start at the project folder");
        }
        (Some(_), None) | (None, Some(_)) => {}
        _ => secret.wrong(format!("\"{key}\" must name either env or file"), EXAMPLE),
    }
    secret.finish();
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
        let named = ["pass", "pwd", "secret", "token"].iter().any(|word| name.contains(word));
        // An address may carry `user:password@`.
        let secret = |text: &str| named || (text.contains("://") && text.contains('@'));
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
