//! The real documents, where they are, and what their numbers must say.

use super::kept::Kept;
use super::rules::Outcome;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The folder of the real documents; `None`, said aloud, where it is not.
fn documents() -> Option<PathBuf> {
    let folder = PathBuf::from("../shared/data/invoices");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not here", folder.display());
        return None;
    }
    Some(folder)
}

fn kept(path: &std::path::Path) -> Kept {
    Kept::of(&std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The six that exist in every form.
const SIX: [&str; 6] = [
    "EN16931_1_Teilrechnung",
    "EN16931_Einfach",
    "EN16931_Gutschrift",
    "EN16931_Miete",
    "EN16931_Rabatte",
    "EN16931_Reisekostenabrechnung",
];

/// Every value with its subject and name.
fn values(kept: &Kept) -> BTreeMap<String, Vec<String>> {
    let reading = kept.reading.as_ref().unwrap();
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (subject, field) in reading.document.fields() {
        let value = field.value.clone().unwrap_or_else(|| panic!("{subject} {}: {:?}", field.term.name, field.raw));
        values.entry(format!("{subject} {}", field.term.name)).or_default().push(value);
    }
    values
}

#[test]
fn the_six_agree_as_ubl_and_as_cii() {
    let Some(folder) = documents() else { return };
    let mut differences = Vec::new();
    for name in SIX {
        let ubl = values(&kept(&folder.join(format!("ubl/{name}.ubl.xml"))));
        let cii = values(&kept(&folder.join(format!("cii/{name}.cii.xml"))));
        for key in ubl.keys().chain(cii.keys()).collect::<std::collections::BTreeSet<_>>() {
            if ubl.get(key) != cii.get(key) {
                differences.push(format!("{name} {key}: {:?} {:?}", ubl.get(key), cii.get(key)));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn verdicts_for_now() {
    let Some(folder) = documents() else { return };
    for kind in ["ubl", "cii", "peppol"] {
        let mut files: Vec<_> = std::fs::read_dir(folder.join(kind)).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for path in files {
            let kept = kept(&path);
            if let Err(reason) = &kept.reading { eprintln!("{}: {reason}", path.display()); }
            let failed: Vec<String> = kept.verdicts.iter().filter(|v| v.outcome == Outcome::Fail).map(|v| format!("{} {} {:?} {:?}", v.rule, v.subject, v.stated.map(|d| d.text(2)), v.computed.map(|d| d.text(2)))).collect();
            eprintln!("{}: {} pass, fail: {}", path.display(), kept.verdicts.iter().filter(|v| v.outcome == Outcome::Pass).count(), failed.join("; "));
        }
    }
}
