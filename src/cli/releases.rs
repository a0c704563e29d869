//! `muster releases`: what was released when, and what changed.

use super::query::{self, Format, When};
use crate::error::Result;
use std::path::Path;

/// One line for each release that the user may see of.
const LIST: &str = "select release, published_at, run, \
    count(*) filter (where status = 'fresh') as fresh, count(*) filter (where status = 'stale') as stale, \
    count(*) filter (where status = 'failed') as failed, count(*) filter (where status = 'missing') as missing \
    from hub.releases group by release, published_at, run order by release desc";

/// Arguments of `muster releases`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// See what this user of the project sees.
    #[arg(long)]
    user: Option<String>,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) async fn run(project: &Path, args: Args) -> Result<bool> {
    let query = query::Args {
        sql: LIST.to_string(),
        user: args.user,
        format: args.format,
        output: None,
        when: When::default(),
    };
    query::run(project, query).await
}
