//! `muster init`.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::error::{Error, Result};
use crate::project;
use std::path::{Path, PathBuf};

/// Arguments of `muster init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to make; it must be empty if it is there.
    dir: PathBuf,
}

pub(super) async fn run(args: Args) -> Result<bool> {
    let dir = &args.dir;
    if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::config("the folder is not empty")
            .at(dir.display())
            .hint("name a new folder, for example: muster init my-hub"));
    }
    for (path, text) in project::STARTER {
        write(&dir.join(path), text).map_err(|error| {
            Error::config("the project cannot be written").at(dir.join(path).display()).because(error)
        })?;
        println!("{}", dir.join(path).display());
    }
    println!("next: edit {}, then muster --project {} check", project::FILE, dir.display());
    Ok(true)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
