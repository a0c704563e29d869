//! Definition files: the first byte of an input chooses which file of a project it is.

use muster::project::{self, Library};
use std::fs;
use tempfile::TempDir;

/// The files that an input may take the place of, and what they are otherwise.
pub const FILES: [(&str, &str); 7] = [
    ("muster.toml", include_str!("../odd/project/muster.toml")),
    ("connectors/acme/connector.toml", include_str!("../odd/project/connector.toml")),
    ("connectors/acme/staging/thing.sql", include_str!("../odd/project/staging.sql")),
    ("sql/conformed/thing.sql", include_str!("../odd/project/conformed.sql")),
    ("sql/marts/things.sql", include_str!("../odd/project/mart.sql")),
    ("sql/reference/kind.csv", include_str!("../odd/project/kind.csv")),
    ("pipelines/nightly.toml", include_str!("../odd/project/nightly.toml")),
];

/// A project with one small file of each kind.
#[derive(Debug)]
pub struct Project(TempDir);

impl Project {
    /// A sound one, in the temporary folder of the process.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in FILES {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let project = Self(folder);
        project.load().unwrap_or_else(|problems| panic!("{problems}"));
        project
    }

    /// Reads the project with one file replaced; panics when a problem cannot be shown.
    pub fn check(&self, input: &[u8]) {
        let Some((choice, bytes)) = input.split_first() else { return };
        let (path, text) = FILES[usize::from(*choice) % FILES.len()];
        let path = self.0.path().join(path);
        fs::write(&path, bytes).expect("a file");
        self.load().err();
        fs::write(&path, text).expect("a file");
    }

    fn load(&self) -> Result<(), String> {
        let problems = match project::load_with(self.0.path(), &Library::empty()) {
            Ok(_) => return Ok(()),
            Err(problems) => problems,
        };
        assert!(!problems.is_empty(), "a project is refused for a reason");
        let (plain, pretty) = (problems.plain(), problems.pretty(false));
        assert!(!pretty.is_empty());
        assert!(!plain.contains("not a fault of yours"), "{plain}");
        Err(plain)
    }
}

impl Default for Project {
    fn default() -> Self {
        Self::new()
    }
}
