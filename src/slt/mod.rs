//! Runs `.slt` files: real SQL, real connectors, small inputs, and the rows that must come out.
//!
//! Beside a staging mapping, `raw.<entity>` holds the good rows of the connector's fixtures, read
//! by the connector itself, and `staging.<name>` is the mapping's result. Beside a model, the
//! layers are empty, `reference.*` is loaded, and the statement `build conformed.person` runs the
//! model over the inputs that the test has made. Each file has a session to itself; nothing
//! touches a lake.

mod fixtures;
mod session;

use crate::error::{Error, Result};
use crate::model::Model;
use crate::project::{self, Library, Project};
use session::Session;
use sqllogictest::{DefaultColumnType, Record, Runner, parse_with_name};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// The project that the built-in library is when it stands alone.
const ALONE: &str = "[hub]\nname = \"built-in\"\n";

/// The tests of one folder of definitions.
#[derive(Debug)]
pub struct Suite {
    project: Arc<Project>,
    /// What stands before the paths of its tests wherever they are shown.
    prefix: &'static str,
    tests: Vec<String>,
    /// Where the files of the built-in library are for as long as they are tested.
    _folder: Option<TempDir>,
}

impl Suite {
    /// The tests in the folder of `project`, which see its definitions and the built-in ones
    /// behind them.
    pub fn of(project: Project) -> Result<Self> {
        let tests = find(&project.dir, "")?;
        Ok(Self { project: Arc::new(project), prefix: "", tests, _folder: None })
    }

    /// The tests of the built-in library, which see nothing but the built-in library.
    pub fn builtin() -> Result<Self> {
        let failed = |e| Error::internal("the built-in library cannot be laid out in a folder").because(e);
        let folder = tempfile::tempdir().map_err(failed)?;
        project::lay_out_builtin(folder.path()).map_err(failed)?;
        std::fs::write(folder.path().join(project::FILE), ALONE).map_err(failed)?;
        // It is its own project: what is tested is the folder, with no second library behind it.
        let project = project::load_with(folder.path(), &Library::empty())?;
        let prefix = project::BUILT_IN;
        let tests = find(&project.dir, prefix)?;
        Ok(Self { project: Arc::new(project), prefix, tests, _folder: Some(folder) })
    }

    /// The names of the tests, which are their paths, in order.
    pub fn tests(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(String::as_str)
    }

    /// The SQL files of the folder that have no `.slt` beside them.
    pub fn untested(&self) -> impl Iterator<Item = &str> {
        let models = self.project.staging.iter().chain(&self.project.models);
        let own = models.filter(|model| !model.file.starts_with(project::BUILT_IN));
        let bare = |model: &&Model| !self.project.dir.join(&model.file).with_extension("slt").is_file();
        own.filter(bare).map(|model| model.file.as_str())
    }

    /// The entities of the folder's connectors that have no fixture, `connectors/<system>: <entity>`:
    /// the tests of their mappings see no row of them.
    pub async fn without_fixture(&self) -> Result<Vec<String>> {
        let mut bare = Vec::new();
        for (name, system) in &self.project.systems {
            let connector = format!("connectors/{name}");
            let folder = self.project.dir.join(&connector);
            if !folder.join("connector.toml").is_file() {
                continue;
            }
            let folder = folder.join("fixtures");
            for contract in system.entities.values() {
                if !folder.is_dir() || !fixtures::has(&folder, contract).await? {
                    bare.push(format!("{connector}: {}", contract.entity));
                }
            }
        }
        Ok(bare)
    }

    /// Runs a test to its end or to what fails first: the error has the line, and what was
    /// expected and found.
    pub async fn run(&self, test: &str) -> Result<()> {
        let path = test.strip_prefix(self.prefix).unwrap_or(test);
        let text = std::fs::read_to_string(self.project.dir.join(path));
        let text = text.map_err(|e| Error::model(format!("the test cannot be read: {e}")).at(test))?;
        let records = records(&text, test)?;
        let session = Session::open(&self.project, path).await;
        let session = session.map_err(|e| Error::model(told(&e)).at(test))?;
        let mut runner = Runner::new(|| async { Ok(session.clone()) });
        let ran = runner.run_multi_async(records).await;
        ran.map_err(|e| Error::model(e.kind().to_string()).at(e.location()))
    }
}

/// The `.slt` files where definitions are, in order: `prefix` and the path inside `dir`.
fn find(dir: &Path, prefix: &str) -> Result<Vec<String>> {
    let failed = |e: glob::GlobError| Error::config("the tests cannot be listed").because(e);
    let mut tests = Vec::new();
    for folder in ["connectors", "sql"] {
        let pattern = dir.join(folder).display().to_string();
        let pattern = format!("{}/**/*.slt", glob::Pattern::escape(&pattern));
        let paths = glob::glob(&pattern).map_err(|e| Error::internal("a pattern").because(e))?;
        for path in paths {
            let path = path.map_err(failed)?;
            let inside = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
            tests.push(format!("{prefix}{}", inside.replace('\\', "/")));
        }
    }
    Ok(tests)
}

/// What the file asks for; an error if it asks for nothing, or for something other than SQL.
fn records(text: &str, test: &str) -> Result<Vec<Record<DefaultColumnType>>> {
    let records = parse_with_name::<DefaultColumnType>(text, test);
    let records = records.map_err(|e| Error::model(format!("parse error: {}", e.kind())).at(e.location()))?;
    for record in &records {
        let (word, at) = match record {
            Record::System { loc, .. } => ("system", loc),
            Record::Include { loc, .. } => ("include", loc),
            _ => continue,
        };
        return Err(Error::model(format!("a test is one file of SQL, without \"{word}\"")).at(at));
    }
    if !records.iter().any(|r| matches!(r, Record::Statement { .. } | Record::Query { .. })) {
        return Err(Error::model("the file tests nothing: it has no statement and no query").at(test));
    }
    Ok(records)
}

/// An error with its causes and advice as one text, for where nothing else of it is kept.
fn told(error: &Error) -> String {
    let text = [vec![error.to_string()], error.causes()].concat().join(": ");
    match error.advice() {
        Some(hint) => format!("{text} ({hint})"),
        None => text,
    }
}
