//! `muster test`: every `.slt` of the project, and what has none.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::error::{Error, Result, known};
use crate::project::{self, count};
use crate::slt::Suite;
use glob::Pattern;
use std::path::Path;

/// Arguments of `muster test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only tests whose path contains this or matches it: spend, "sql/marts/*".
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// The tests of the built-in library as well, which see nothing of the project.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(project: &Path, args: Args) -> Result<bool> {
    let mut suites = vec![Suite::of(project::load(project)?)?];
    if args.all {
        suites.push(Suite::builtin()?);
    }
    let chosen = choose(&suites, &args.patterns)?;
    let mut failed = 0;
    for (suite, test) in &chosen {
        match suite.run(test).await {
            Ok(()) => println!("ok      {test}"),
            Err(error) => {
                failed += 1;
                println!("failed  {}", error.to_string().trim_end().replace('\n', "\n        "));
            }
        }
    }
    println!("{}: {} ok, {failed} failed", count(chosen.len(), "test"), chosen.len() - failed);
    if args.patterns.is_empty() {
        let untested: Vec<&str> = suites.iter().flat_map(Suite::untested).collect();
        lacking("model", "test", &untested);
        let mut bare = Vec::new();
        for suite in &suites {
            bare.extend(suite.without_fixture().await?);
        }
        lacking("entity", "fixture", &bare);
    }
    Ok(failed == 0)
}

/// Tells which of the `things` have no `what`.
fn lacking<S: AsRef<str>>(thing: &str, what: &str, things: &[S]) {
    let have = if things.len() == 1 { "has" } else { "have" };
    let names: Vec<&str> = things.iter().map(AsRef::as_ref).collect();
    if !names.is_empty() {
        println!("{} {have} no {what}: {}", count(names.len(), thing), names.join(", "));
    }
}

/// The tests that one of `patterns` names, or all of them without any; a pattern that names none
/// is an error, because a slip of the pen must not look like success.
fn choose<'a>(suites: &'a [Suite], patterns: &[String]) -> Result<Vec<(&'a Suite, &'a str)>> {
    let all = || suites.iter().flat_map(|suite| suite.tests().map(move |test| (suite, test)));
    let mut globs = Vec::new();
    for text in patterns {
        let glob = Pattern::new(text)
            .map_err(|e| Error::config(format!("\"{text}\" is not a pattern")).because(e))?;
        if !all().any(|(_, test)| names(text, &glob, test)) {
            let hint = known("tests", text, all().map(|(_, test)| test));
            return Err(Error::config(format!("no test is called \"{text}\"")).hint(hint));
        }
        globs.push((text, glob));
    }
    let wanted = |test: &str| globs.is_empty() || globs.iter().any(|(text, glob)| names(text, glob, test));
    Ok(all().filter(|(_, test)| wanted(test)).collect())
}

fn names(text: &str, glob: &Pattern, test: &str) -> bool {
    test.contains(text) || glob.matches(test)
}
