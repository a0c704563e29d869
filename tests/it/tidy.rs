//! The style sheet as tests: caps, import rules, pairs, names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Lines of a file before its tests.
const FILE_LINES: usize = 400;

/// Lines of a function, signature and body.
const FUNCTION_LINES: usize = 70;

/// Which modules of the crate a module may import, besides itself and `error`. The command line
/// may import everything. One arrow between rooms: none of them imports a later one.
const IMPORTS: &[(&str, &[&str])] = &[
    ("audit", &["state"]),
    ("connector", &["project"]),
    ("demo", &["release"]),
    ("engine", &["idiom"]),
    ("error", &[]),
    ("hub", &["audit", "engine", "lake", "project", "state"]),
    ("idiom", &[]),
    ("lake", &["engine"]),
    ("landing", &["connector", "lake"]),
    ("model", &["connector", "engine", "lake"]),
    (
        "pipeline",
        &[
            "connector",
            "engine",
            "hub",
            "lake",
            "landing",
            "model",
            "project",
            "release",
            "state",
            "telemetry",
        ],
    ),
    ("policy", &["audit", "engine", "hub", "lake", "release", "state"]),
    ("project", &["connector", "engine", "model", "policy", "release"]),
    ("release", &["lake"]),
    ("serve", &["audit", "engine", "hub", "idiom", "policy", "project", "release", "state", "telemetry"]),
    ("slt", &["connector", "engine", "model", "project"]),
    ("state", &["project", "telemetry"]),
    ("telemetry", &[]),
];

/// Folders whose content a newcomer changes; each explains itself.
const CONTENT: [&str; 3] = ["connectors", "pipelines", "sql"];

#[test]
fn files_and_functions_are_short() {
    let mut problems = Vec::new();
    for path in files("src", "rs") {
        let text = read(&path);
        let lines = before_tests(&text).lines().count();
        if lines > FILE_LINES {
            problems
                .push(format!("{}: {lines} lines before its tests, {FILE_LINES} allowed", path.display()));
        }
        let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut functions = Functions { path: &path, problems: &mut problems };
        functions.visit_file(&file);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

struct Functions<'a> {
    path: &'a Path,
    problems: &'a mut Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, name: &syn::Ident, span: proc_macro2::Span) {
        let lines = span.end().line - span.start().line + 1;
        if lines > FUNCTION_LINES {
            let at = format!("{}:{}", self.path.display(), span.start().line);
            self.problems.push(format!("{at}: `{name}` has {lines} lines, {FUNCTION_LINES} allowed"));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        // A test is a list of cases and may be as long as the list.
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig.ident, function.sig.span().join(function.block.span()).expect("one file"));
        visit::visit_item_fn(self, function);
    }
    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig.ident, function.sig.span().join(function.block.span()).expect("one file"));
        visit::visit_impl_item_fn(self, function);
    }
}

#[test]
fn modules_import_only_what_their_place_in_the_flow_allows() {
    let mut problems = Vec::new();
    for path in files("src", "rs") {
        let module = module_of(&path);
        if ["cli", "lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let allowed = IMPORTS.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            problems.push(format!("{}: module `{module}` has no line in the import table", path.display()));
            continue;
        };
        let text = read(&path);
        let used: BTreeSet<&str> = before_tests(&text)
            .split("crate::")
            .skip(1)
            .flat_map(|rest| match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or_default().split(',').collect(),
                None => vec![rest],
            })
            .map(|name| {
                name.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
            })
            .collect();
        for name in used.into_iter().filter(|name| *name != module && *name != "error" && !name.is_empty()) {
            if !allowed.contains(&name) {
                problems.push(format!("{}: `{module}` may not import `{name}`", path.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn only_the_lake_imports_delta() {
    for path in files("src", "rs") {
        if module_of(&path) != "lake" {
            assert!(!read(&path).contains("deltalake_core::"), "{} imports delta-rs", path.display());
        }
    }
}

#[test]
fn every_sql_file_has_its_test_and_every_folder_its_readme() {
    for folder in CONTENT {
        assert!(Path::new(folder).join("README.md").is_file(), "{folder}/README.md is missing");
        for sql in files(folder, "sql") {
            assert!(sql.with_extension("slt").is_file(), "{} has no .slt beside it", sql.display());
        }
        for slt in files(folder, "slt") {
            assert!(slt.with_extension("sql").is_file(), "{} tests nothing", slt.display());
        }
    }
}

#[test]
fn every_entity_of_a_connector_has_a_fixture() {
    for path in files("connectors", "toml") {
        let parsed: toml::Table = read(&path).parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let fixtures = path.parent().expect("a folder").join("fixtures");
        for (entity, contract) in parsed["entities"].as_table().expect("entities") {
            // Documents that several entities read are named as their list of patterns says.
            let patterns = contract.get("file").and_then(|file| file["match"].as_array());
            let patterns: Vec<glob::Pattern> = (patterns.into_iter().flatten())
                .map(|pattern| glob::Pattern::new(pattern.as_str().expect("a pattern")).expect("a pattern"))
                .collect();
            let is_one = |file: &Path| {
                let name = file.file_name().expect("a name").to_string_lossy();
                file.file_stem().is_some_and(|stem| stem == entity.as_str())
                    || patterns.iter().any(|pattern| pattern.matches(&name))
            };
            let found = files_in(&fixtures).iter().any(|file| is_one(file));
            assert!(found, "{} has no fixture for {entity}", fixtures.display());
        }
    }
}

#[test]
fn no_vendor_is_named_in_the_program() {
    // Tests may read what a connector has beside it, and that is called after its folder.
    let is_tests = |path: &Path| path.components().any(|part| part.as_os_str() == "tests.rs");
    let vendors: Vec<String> = fs::read_dir("connectors")
        .expect("connectors")
        .filter_map(|entry| entry.ok().filter(|e| e.path().is_dir())?.file_name().into_string().ok())
        .collect();
    for path in files("src", "rs").into_iter().filter(|p| module_of(p) != "demo" && !is_tests(p)) {
        let text = read(&path);
        let text = before_tests(&text).to_lowercase();
        for vendor in &vendors {
            assert!(!text.contains(vendor.as_str()), "{} names the vendor {vendor}", path.display());
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    for path in files("src", "rs").into_iter().chain(files("tests", "rs")) {
        // Built from halves, so that this file does not contain them.
        for mark in [["TO", "DO"], ["FIX", "ME"], ["#[ig", "nore"]].map(|halves| halves.concat()) {
            assert!(!read(&path).contains(&mark), "{} contains {mark}", path.display());
        }
    }
}

/// The name of the module of the crate's root that a file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix("src").expect("a file of src");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_string()
}

fn before_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap_or(text)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every file below `folder` with this extension, sorted.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = files_in(Path::new(folder));
    found.retain(|path| path.extension().is_some_and(|e| e == extension));
    found.sort();
    found
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}
