//! `muster audit`: whether the record of reads is whole, and what to keep elsewhere to know it.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::audit::chain::Head;
use crate::audit::verify::{self, Report};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::project::{self, count};
use chrono::{DateTime, SecondsFormat};
use std::fmt::Write;
use std::path::Path;

/// Arguments of `muster audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Find what was edited, deleted, moved or cut off; exit code 1 when something was.
    Verify {
        /// What `muster audit head` printed once; may be given several times.
        #[arg(long = "head", value_name = "SEQ:HASH")]
        heads: Vec<Head>,
    },
    /// Print the newest entry's number and hash, to be kept where nobody who can change the record can
    /// change it.
    Head,
}

pub(super) async fn run(folder: &Path, args: Args) -> Result<bool> {
    let hub = Hub::open(project::load(folder)?).await?;
    match args.command {
        Command::Verify { heads } => verify(&hub, heads).await,
        Command::Head => {
            let head = verify::head(hub.audit.folder())?;
            let head = head.ok_or_else(|| Error::query("nothing has been recorded yet"))?;
            println!("{head}");
            Ok(true)
        }
    }
}

async fn verify(hub: &Hub, given: Vec<Head>) -> Result<bool> {
    let kept = hub.state.heads().await?;
    let mut heads = given;
    for (seq, hash) in &kept {
        heads.push(format!("{seq}:{hash}").parse()?);
    }
    heads.sort_by_key(|head| head.seq);
    heads.dedup();
    let log = hub.audit.folder().to_path_buf();
    let wanted = heads.clone();
    let verified = tokio::task::spawn_blocking(move || verify::verify(&log, &wanted)).await;
    let report = verified.map_err(|e| Error::internal("the verification was broken off").because(e))??;
    print!("{}", told(&report, heads.len()));
    Ok(report.problems.is_empty())
}

fn told(report: &Report, heads: usize) -> String {
    let mut text = String::new();
    let instant = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let shown = |micros| instant(micros).to_rfc3339_opts(SecondsFormat::Secs, true);
    let period = report.period.map(|(first, last)| format!(", from {} to {}", shown(first), shown(last)));
    let (entries, files) = (report.entries, count(report.files, "file"));
    let mut line = |line: String| writeln!(text, "{line}").unwrap_or_default();
    line(format!("{entries} entries in {files}{}", period.unwrap_or_default()));
    if let Some(head) = report.head {
        line(format!("newest: {head}"));
    }
    line(format!("{} kept elsewhere, {} of them in the record", count(heads, "head"), report.heads));
    if report.unfinished_bytes > 0 {
        line(format!(
            "the last {} bytes are of an entry that is being written, or whose writer died",
            report.unfinished_bytes
        ));
    }
    report.problems.iter().for_each(|problem| line(format!("wrong: {problem}")));
    line(match report.problems.len() {
        0 => "the record is whole".to_string(),
        problems => format!("{} found", count(problems, "problem")),
    });
    text
}
