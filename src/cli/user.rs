//! `muster user`: who may log in.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::error::{Error, Result};
use crate::policy::roles::{Forces, Principal};
use crate::project::{self, Project};
use crate::serve::password;
use std::fs::OpenOptions;
use std::io::{BufRead, Write};
use std::path::Path;

/// Shorter passwords are guessed too easily.
const MIN_PASSWORD_CHARS: usize = 12;

/// Arguments of `muster user`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Add a user to muster.toml; asks for a password.
    Add(AddArgs),
    /// The users, and what they may read.
    List,
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The name used at log-in.
    name: String,
    /// A role of the project; may be given more than once.
    #[arg(long = "role", value_name = "ROLE", required = true)]
    roles: Vec<String>,
    /// Read the password from standard input instead of asking for it.
    #[arg(long)]
    password_stdin: bool,
}

pub(super) async fn run(folder: &Path, args: Args) -> Result<bool> {
    let project = project::load(folder)?;
    match args.command {
        Command::Add(args) => add(folder, &project, &args)?,
        Command::List => list(&project),
    }
    Ok(true)
}

fn add(folder: &Path, project: &Project, args: &AddArgs) -> Result<()> {
    check(project, &args.name, &args.roles)?;
    let password = match args.password_stdin {
        true => read_line()?,
        false => ask_twice()?,
    };
    if password.chars().count() < MIN_PASSWORD_CHARS || password.len() > password::MAX_PASSWORD_BYTES {
        return Err(Error::auth("the password is too short or too long")
            .hint(format!("at least {MIN_PASSWORD_CHARS} characters; three words will do")));
    }
    let file = folder.join(project::FILE);
    append(&file, &section(&args.name, &args.roles, &password::hash(&password)?), || {
        project::load(folder).map(drop).map_err(Error::from)
    })?;
    println!("user {} added to {}; a running server knows it within 10 seconds", args.name, file.display());
    Ok(())
}

fn check(project: &Project, name: &str, roles: &[String]) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
        return Err(Error::auth(format!("\"{name}\" cannot be a user name"))
            .hint("up to 64 letters, digits and any of . _ - @"));
    }
    if name == Principal::operator().name {
        return Err(Error::auth(format!("the user name \"{name}\" is reserved")).hint(
            "whoever runs `muster` on the hub's own machine is recorded under it; choose another name",
        ));
    }
    if project.users.contains_key(name) {
        return Err(Error::auth(format!("user \"{name}\" exists already"))
            .hint("to change a password, remove the user from muster.toml and add it again"));
    }
    match roles.iter().find(|role| !project.roles.contains_key(*role)) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<&str> = project.roles.keys().map(String::as_str).collect();
            Err(Error::auth(format!("unknown role \"{unknown}\""))
                .hint(format!("known: {}", known.join(", "))))
        }
    }
}

fn read_line() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(unread)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_string())
}

fn ask_twice() -> Result<String> {
    let password = rpassword::prompt_password("Password: ").map_err(unread)?;
    match rpassword::prompt_password("Again: ").map_err(unread)? == password {
        true => Ok(password),
        false => Err(Error::auth("the passwords differ")),
    }
}

fn unread(cause: std::io::Error) -> Error {
    Error::auth("the password cannot be read").hint("without a terminal, use --password-stdin").because(cause)
}

/// The user as it stands in muster.toml. Names and roles hold no character that TOML would escape
/// in a basic string.
fn section(name: &str, roles: &[String], hash: &str) -> String {
    let roles: Vec<String> = roles.iter().map(|role| format!("\"{role}\"")).collect();
    format!("\n[users.\"{name}\"]\nroles = [{}]\npassword_hash = \"{hash}\"\n", roles.join(", "))
}

/// Appends `text` to `file`, and takes it back when the project is then no longer `valid`.
fn append(file: &Path, text: &str, valid: impl FnOnce() -> Result<()>) -> Result<()> {
    let unwritten = |e| Error::config("the file cannot be written").at(file.display()).because(e);
    let mut open = OpenOptions::new().append(true).open(file).map_err(unwritten)?;
    let length = open.metadata().map_err(unwritten)?.len();
    open.write_all(text.as_bytes()).and_then(|()| open.sync_all()).map_err(unwritten)?;
    valid().or_else(|error| {
        open.set_len(length).map_err(unwritten)?;
        Err(error)
    })
}

fn list(project: &Project) {
    let width = project.users.keys().map(String::len).max().unwrap_or_default();
    for user in project.users.values() {
        let roles: Vec<String> = user.roles.iter().map(|role| described(project, role)).collect();
        println!("{:width$}  {}", user.name, roles.join("; "));
    }
}

/// A role with what it allows: `analyst (beds: conformed.*, marts.*)`.
fn described(project: &Project, name: &str) -> String {
    let Some(role) = project.roles.get(name) else { return format!("{name} (unknown)") };
    let forces = match &role.forces {
        Forces::All => "every force".to_string(),
        Forces::Only(codes) => codes.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    };
    format!("{name} ({forces}: {})", role.tables.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_operator_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(project::FILE), "[hub]\nname = \"x\"\n").unwrap();
        let project = project::load_with(dir.path(), &project::Library::empty()).unwrap();
        let error = check(&project, "operator", &[]).unwrap_err();
        assert_eq!(error.to_string(), "the user name \"operator\" is reserved");
        check(&project, "operators", &[]).unwrap();
    }

    #[test]
    fn a_user_is_appended_and_taken_back_when_the_project_breaks() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("muster.toml");
        std::fs::write(&file, "[hub]\nname = \"x\" # no newline").unwrap();
        let text = section("a.b@c", &["analyst".into()], "$argon2id$x");
        append(&file, &text, || Ok(())).unwrap();
        let written = std::fs::read_to_string(&file).unwrap();
        let parsed: toml::Table = written.parse().unwrap();
        assert_eq!(parsed["users"]["a.b@c"]["roles"][0].as_str(), Some("analyst"));
        append(&file, "[broken", || Err(Error::config("broken"))).unwrap_err();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), written);
    }
}
