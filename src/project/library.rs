//! Finds definitions: in the project folder first, then in the library built into the program.
//! The first name wins, as a whole unit; nothing is merged, so that one file tells the truth.

use super::problem::{Doc, Found};
use crate::error::known;
use include_dir::{Dir, DirEntry, include_dir};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::path::Path;

/// What stands before the path of a file that is built in, wherever it is shown.
pub const BUILT_IN: &str = "built-in/";

static FOLDERS: [(&str, Dir<'_>); 3] = [
    ("connectors", include_dir!("$CARGO_MANIFEST_DIR/connectors")),
    ("pipelines", include_dir!("$CARGO_MANIFEST_DIR/pipelines")),
    ("sql", include_dir!("$CARGO_MANIFEST_DIR/sql")),
];

/// The definition files of one folder, by path with `/` between the parts.
#[derive(Debug, Clone, Default)]
pub struct Library {
    files: BTreeMap<String, Doc>,
}

/// The connectors, pipelines and SQL that travel inside the program.
pub fn builtin() -> Library {
    let mut library = Library::default();
    for (folder, dir) in &FOLDERS {
        library.embed(folder, dir);
    }
    library
}

/// Writes the built-in library to the folder `to`, tests and fixtures included.
pub fn lay_out_builtin(to: &Path) -> std::io::Result<()> {
    for (folder, dir) in &FOLDERS {
        std::fs::create_dir_all(to.join(folder))?;
        dir.extract(to.join(folder))?;
    }
    Ok(())
}

impl Library {
    /// A library with nothing in it, for a project that stands alone.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The text of the file at `path`, such as `sql/marts/spend.sql`.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|doc| &*doc.text)
    }

    /// The paths of all definition files.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Reads the definition files below `dir`.
    pub(super) fn read(dir: &Path, found: &Found) -> Self {
        let mut library = Self::default();
        for (folder, _) in &FOLDERS {
            library.walk(&dir.join(folder), folder, found);
        }
        library
    }

    fn embed(&mut self, folder: &str, dir: &Dir<'_>) {
        for entry in dir.entries() {
            match entry {
                DirEntry::Dir(dir) => self.embed(folder, dir),
                DirEntry::File(file) => {
                    let path = format!("{folder}/{}", file.path().display()).replace('\\', "/");
                    if let (true, Some(text)) = (is_definition(&path), file.contents_utf8()) {
                        self.files.insert(path.clone(), Doc::new(format!("{BUILT_IN}{path}"), text));
                    }
                }
            }
        }
    }

    fn walk(&mut self, dir: &Path, path: &str, found: &Found) {
        // A project without one of the folders is fine.
        let Ok(entries) = std::fs::read_dir(dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let (file, path) = (entry.path(), format!("{path}/{name}"));
            if file.is_dir() {
                self.walk(&file, &path, found);
            } else if is_definition(&path) {
                match std::fs::read_to_string(&file) {
                    Ok(text) => {
                        self.files.insert(path.clone(), Doc::new(path, text));
                    }
                    Err(error) => {
                        found.whole(&path, 1, format!("cannot be read: {error}"), "save it as UTF-8")
                    }
                }
            }
        }
    }
}

/// Whether a path is one that this module reads; fixtures and tests beside it are not.
fn is_definition(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|e| e.to_str());
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        (parts.as_slice(), extension),
        (["connectors", _, "connector.toml"], _)
            | (["connectors", _, "staging", ..], Some("sql"))
            | (["pipelines", ..], Some("toml"))
            | (["sql", ..], Some("sql" | "csv"))
    )
}

/// The search path `[project, built-in]`.
pub(super) struct Search<'a> {
    pub(super) project: &'a Library,
    pub(super) builtin: &'a Library,
}

/// One connector folder.
pub(super) struct Connector<'a> {
    pub(super) name: String,
    pub(super) toml: Option<&'a Doc>,
    /// Its mappings, by entity.
    pub(super) staging: BTreeMap<String, &'a Doc>,
    /// The path of `connector.toml`, also when it is missing.
    pub(super) file: String,
}

impl<'a> Search<'a> {
    /// The connector folders, each from the first library that has it.
    pub(super) fn connectors(&self, found: &Found) -> Vec<Connector<'a>> {
        let mut names: BTreeMap<String, &'a Library> = BTreeMap::new();
        for library in [self.builtin, self.project] {
            for name in library.paths().filter_map(|p| p.strip_prefix("connectors/")?.split('/').next()) {
                names.insert(name.to_string(), library);
            }
        }
        let connector = |(name, library): (String, &'a Library)| {
            let folder = format!("connectors/{name}/");
            let staging = unique(library, &format!("{folder}staging/"), "sql", found);
            let file = format!("{folder}connector.toml");
            Connector { name, toml: library.files.get(&file), staging, file }
        };
        names.into_iter().map(connector).collect()
    }

    /// The files below `folder` with this extension by name, each from the first library that has it.
    pub(super) fn files(&self, folder: &str, extension: &str, found: &Found) -> BTreeMap<String, &'a Doc> {
        let mut files = unique(self.builtin, folder, extension, found);
        files.extend(unique(self.project, folder, extension, found));
        files
    }

    /// The tables that can be granted one by one, by the names of their files alone.
    pub(super) fn tables(&self, found: &Found) -> BTreeSet<String> {
        let layers = [("conformed", "sql"), ("marts", "sql"), ("reference", "csv")];
        let names = layers.into_iter().flat_map(|(layer, extension)| {
            let files = self.files(&format!("sql/{layer}/"), extension, found);
            files.into_keys().map(move |name| format!("{layer}.{name}"))
        });
        names.collect()
    }

    /// Reports files of `sql/` that are in no layer's folder.
    pub(super) fn misplaced(&self, found: &Found) {
        const FOLDERS: [&str; 3] = ["reference", "conformed", "marts"];
        for (path, doc) in &self.project.files {
            let Some(rest) = path.strip_prefix("sql/") else { continue };
            let folder = rest.split('/').next().unwrap_or_default();
            let fits = match folder {
                "reference" => path.ends_with(".csv"),
                _ => FOLDERS.contains(&folder) && path.ends_with(".sql"),
            };
            if !fits {
                let hint = format!(
                    "sql/conformed and sql/marts hold .sql, sql/reference .csv; {}",
                    known("folders", folder, FOLDERS)
                );
                found.whole(&doc.file, 1, "not in the folder of a layer", hint);
            }
        }
    }
}

/// The files of one library below `folder` by name; sub-folders only sort them, so two files of
/// one name are a mistake.
fn unique<'a>(
    library: &'a Library,
    folder: &str,
    extension: &str,
    found: &Found,
) -> BTreeMap<String, &'a Doc> {
    let noun = match extension {
        "sql" => "models",
        "csv" => "code lists",
        _ => "pipelines",
    };
    let mut files: BTreeMap<String, &'a Doc> = BTreeMap::new();
    for (path, doc) in library.files.range(folder.to_string()..).take_while(|(p, _)| p.starts_with(folder)) {
        let path = Path::new(path);
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if path.extension().and_then(|e| e.to_str()) != Some(extension) {
            continue;
        }
        if !super::reader::is_slug(stem) {
            found.whole(&doc.file, 1, format!("the name \"{stem}\" is not a slug"), super::reader::SLUG);
        }
        match files.entry(stem.to_lowercase()) {
            Entry::Vacant(free) => _ = free.insert(doc),
            Entry::Occupied(first) => found.whole(
                &doc.file,
                1,
                format!("two {noun} are called \"{stem}\": the other is {}", first.get().file),
                "sub-folders are not part of a name; rename one of them",
            ),
        }
    }
    files
}
