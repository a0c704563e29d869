//! Writes the first inputs of a target into a folder: the fixtures of the built-in systems, the files
//! of `fuzz/odd`, and what else is named, one input for each contract that may read a file.
//!
//! `seeds TARGET FOLDER [FILE …]`

// What is instrumented calls its runtime.
use libfuzzer_sys as _;
use muster::project::lay_out_builtin;
use muster_fuzz::definitions::FILES;
use muster_fuzz::files::{Family, Reader};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [target, folder, more @ ..] = args.as_slice() else { return Err("TARGET FOLDER [FILE …]".into()) };
    let (folder, more) = (Path::new(folder), more.iter().map(PathBuf::from).collect());
    fs::create_dir_all(folder)?;
    let library = tempfile::tempdir()?;
    lay_out_builtin(library.path())?;
    match target.as_str() {
        "delimited" => files(Family::Delimited, library.path(), more, folder),
        "fixed_width" => files(Family::FixedWidth, library.path(), more, folder),
        "xml" => files(Family::Xml, library.path(), more, folder),
        "pdf" => files(Family::Pdf, library.path(), more, folder),
        "definitions" => definitions(library.path(), folder),
        _ => Err(format!("there is no target {target}").into()),
    }
}

/// A fixture is read by the contract of its name; another file by each that might.
fn files(family: Family, library: &Path, more: Vec<PathBuf>, to: &Path) -> Result<(), Box<dyn Error>> {
    let reader = Reader::new(family);
    let odd = below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("odd"))?;
    let is_pdf = |path: &Path| path.extension().is_some_and(|extension| extension == "pdf");
    for (choice, contract) in reader.contracts() {
        let fixtures = below(&library.join("connectors").join(&contract.system).join("fixtures"))?;
        let is_invoice = contract.system == "invoice_documents";
        let own = fixtures.iter().chain(&odd).filter(|path| {
            path.file_stem().is_some_and(|stem| stem == contract.entity.as_str())
                || (is_invoice && (family == Family::Pdf) == is_pdf(path))
        });
        let others = more.iter().filter(|_| is_invoice || family != Family::Pdf);
        for (number, path) in own.chain(others).enumerate() {
            let bytes = fs::read(path)?;
            let name = format!("{}.{}.{number}", contract.system, contract.entity);
            fs::write(to.join(name), [&[choice], bytes.as_slice()].concat())?;
        }
    }
    Ok(())
}

/// Every definition of the library, as the file of its kind.
fn definitions(library: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let sound = FILES.iter().map(|(path, text)| (path.to_string(), text.as_bytes().to_vec()));
    let mut texts: Vec<(String, Vec<u8>)> = sound.collect();
    for path in below(library)? {
        let name = path.strip_prefix(library)?.display().to_string();
        texts.push((name, fs::read(&path)?));
    }
    for (name, text) in texts {
        let kind = FILES.iter().zip(0_u8..).find(|((like, _), _)| is_like(&name, like));
        if let Some((_, choice)) = kind {
            fs::write(to.join(name.replace('/', ".")), [&[choice], text.as_slice()].concat())?;
        }
    }
    Ok(())
}

/// Whether two paths name the same kind of definition.
fn is_like(path: &str, other: &str) -> bool {
    let kind = |path: &str| -> Option<(String, String, String)> {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let kind = folder.rsplit_once('/').map_or(folder, |(_, last)| last);
        let kind = if file == "connector.toml" { "connectors" } else { kind };
        let root = folder.split('/').next()?;
        Some((root.into(), kind.into(), file.rsplit_once('.')?.1.into()))
    };
    kind(path) == kind(other)
}

fn below(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(found) };
    for entry in entries {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(below(&path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}
