//! `muster new connector`: a first contract, from real data.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use super::{invented, sketched};
use crate::connector::infer::{self, Sketch};
use crate::error::{Error, Result};
use crate::project::{self, count};
use std::path::{Path, PathBuf};

/// Arguments of `muster new`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Look at real data and write a first contract for it, to be edited.
    Connector(ConnectorArgs),
}

/// Arguments of `muster new connector`.
#[derive(Debug, clap::Args)]
struct ConnectorArgs {
    /// The system's name, that of its folder in connectors/: lowercase letters, digits and "_".
    name: String,
    /// Files that belong together, or the address of a database, such as sqlite:hr.db.
    #[arg(long, required = true, num_args = 1..)]
    from: Vec<String>,
    /// The table, if --from is a database.
    #[arg(long)]
    table: Option<String>,
    /// The environment variable that holds the password of the database's user.
    #[arg(long, value_name = "VARIABLE")]
    password_env: Option<String>,
}

pub(super) async fn run(project: &Path, args: Args) -> Result<bool> {
    let What::Connector(args) = args.what;
    connector(project, args).await
}

async fn connector(project: &Path, args: ConnectorArgs) -> Result<bool> {
    if !project::is_slug(&args.name) {
        return Err(Error::config(format!("\"{}\" cannot be the name of a system", args.name))
            .hint("use lowercase letters, digits and \"_\", a letter first"));
    }
    let folder = project.join("connectors").join(&args.name);
    if folder.exists() {
        return Err(Error::config("there is a connector of this name")
            .at(folder.display())
            .hint("choose another name; what is there is not touched"));
    }
    let sketch = match (&args.table, args.from.as_slice()) {
        (Some(table), [address]) => {
            let source = project::source_at(project, address, args.password_env.as_deref())?;
            infer::table(&source, table).await?
        }
        (Some(_), _) => return Err(Error::config("a table is in one database").hint("name one --from")),
        (None, paths) => {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            infer::files(&paths)?
        }
    };
    let entity = args.table.as_deref().map_or(args.name.clone(), slug);
    let (extension, fixture) = invented::fixture(&sketch)?;
    let files = [
        (
            folder.join("connector.toml"),
            sketched::contract(&args.name, &entity, args.table.as_deref(), &sketch).into_bytes(),
        ),
        (folder.join("fixtures").join(format!("{entity}.{extension}")), fixture),
    ];
    for (path, bytes) in files {
        write(&path, &bytes)?;
        println!("{}", path.display());
    }
    told(&args.name, &address(project, &args), &sketch);
    Ok(true)
}

/// Where a source finds what was looked at: the database, or the folder of the files, as the project
/// sees it.
fn address(project: &Path, args: &ConnectorArgs) -> String {
    let first = args.from.first().map(String::as_str).unwrap_or_default();
    if args.table.is_some() {
        return first.into();
    }
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let file = whole(Path::new(first));
    let folder = file.parent().unwrap_or(&file);
    let folder = folder.strip_prefix(whole(project)).unwrap_or(folder);
    format!("file:{}", if folder.as_os_str().is_empty() { Path::new(".") } else { folder }.display())
}

fn slug(table: &str) -> String {
    let name = table.rsplit('.').next().unwrap_or(table).to_lowercase();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_lowercase()) { name } else { format!("t_{name}") }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written =
        path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, bytes));
    written
        .map_err(|error| Error::config("the connector cannot be written").at(path.display()).because(error))
}

fn told(name: &str, address: &str, sketch: &Sketch) {
    let columns = count(sketch.columns.len(), "column");
    let rows = count(usize::try_from(sketch.rows).unwrap_or(usize::MAX), "row");
    println!("{columns} of {rows} looked at; what is not certain is written beside it");
    println!(
        "next: read connector.toml and correct it; replace the invented rows of the fixture; then, in {}:\n\
         \n[sources.<name>]\nforce = \"<force>\"\nsystem = \"{name}\"\naddress = \"{address}\"\n\n\
         and run muster check, muster check --source <name>, muster pull <name>",
        project::FILE
    );
}
