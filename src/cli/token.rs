//! `muster token`: what programs show instead of a name and a password.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::error::{Error, Result};
use crate::project::{self, Project};
use crate::serve::token;
use crate::state::State;
use crate::state::tokens::Token;
use chrono::{DateTime, Utc};
use std::path::Path;
use std::time::Duration;

/// The longest life: whoever needs a token for longer makes a new one in time.
const LONGEST: Duration = Duration::from_secs(2 * 366 * 86_400);

/// Arguments of `muster token`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a token for a user of the project, and print it; it cannot be printed again.
    Create(CreateArgs),
    /// The tokens: whose, until when, and when they were last used.
    List,
    /// Revoke a token; a running server refuses it within 10 seconds.
    Revoke {
        /// The token's id, the part between the two underscores.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// The user as whom the token's holder comes in.
    #[arg(long)]
    user: String,
    /// How long the token is good, such as 90d.
    #[arg(long, value_parser = humantime::parse_duration)]
    expires: Duration,
    /// What the token is for; the record of statements names it.
    #[arg(long)]
    name: Option<String>,
}

pub(super) async fn run(folder: &Path, args: Args) -> Result<bool> {
    let project = project::load(folder)?;
    let state = State::open(&project.hub.state, &project.hub.state_access).await?;
    match args.command {
        Command::Create(args) => create(&project, &state, &args).await?,
        Command::List => list(&project, &state.tokens().await?),
        Command::Revoke { id } => revoke(&state, &id).await?,
    }
    Ok(true)
}

async fn create(project: &Project, state: &State, args: &CreateArgs) -> Result<()> {
    if !project.users.contains_key(&args.user) {
        let known: Vec<&str> = project.users.keys().map(String::as_str).collect();
        return Err(Error::auth(format!("unknown user \"{}\"", args.user))
            .hint(format!("known: {}; \"muster user add\" makes another", known.join(", "))));
    }
    if args.expires.is_zero() || args.expires > LONGEST {
        return Err(Error::auth("a token is good for some time, and for two years at most")
            .hint("for example --expires 90d; make the next one before this one expires"));
    }
    let (text, presented) = token::new();
    let now = Utc::now();
    let token = Token {
        label: label(args.name.as_deref().unwrap_or(&presented.id))?,
        hash: presented.hash().into(),
        id: presented.id,
        principal: args.user.clone(),
        created_at: now,
        expires_at: now + args.expires,
        revoked_at: None,
        used_on: None,
    };
    state.add_token(&token).await?;
    println!("{text}");
    println!(
        "token {} of {} is good until {}; it is not shown again",
        token.id,
        token.principal,
        minute(token.expires_at)
    );
    Ok(())
}

/// A label as it may stand in the record of statements.
fn label(name: &str) -> Result<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " ._-@".contains(c);
    match !name.trim().is_empty() && name.len() <= 64 && name.chars().all(is_plain) {
        true => Ok(name.trim().into()),
        false => Err(Error::auth("this cannot be the name of a token")
            .hint("up to 64 letters, digits, spaces and any of . _ - @")),
    }
}

async fn revoke(state: &State, id: &str) -> Result<()> {
    match state.revoke_token(id, Utc::now()).await? {
        true => println!("token {id} is revoked; a running server refuses it within 10 seconds"),
        false => {
            // Not the argument: somebody may have pasted the whole token.
            return Err(
                Error::auth("no token with this id is in use").hint("\"muster token list\" shows the ids")
            );
        }
    }
    Ok(())
}

fn list(project: &Project, tokens: &[Token]) {
    let now = Utc::now();
    let width = |column: fn(&Token) -> &str| tokens.iter().map(|t| column(t).len()).max().unwrap_or_default();
    let (users, labels) = (width(|token| &token.principal), width(|token| &token.label));
    for token in tokens {
        let Token { id, principal, label, expires_at, revoked_at, used_on, .. } = token;
        let used = used_on.map_or_else(|| "never used".to_string(), |day| format!("used {day}"));
        let state = match revoked_at {
            Some(at) => format!("revoked {}", minute(*at)),
            None if *expires_at <= now => format!("expired {}", minute(*expires_at)),
            None if !project.users.contains_key(principal) => "its user is gone".into(),
            None => format!("good until {}", minute(*expires_at)),
        };
        println!("{id}  {principal:users$}  {label:labels$}  {state}, {used}");
    }
}

fn minute(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_brings_nothing_into_the_record() {
        assert_eq!(label(" nightly report ").unwrap(), "nightly report");
        for bad in ["", " ", "a\nb", "a)b", "\u{202e}", &"x".repeat(65)] {
            label(bad).unwrap_err();
        }
    }
}
