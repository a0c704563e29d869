//! `muster checks`: what the checks found when each model was last checked, and the rows that fail.

use super::status::{View, show};
use crate::error::Result;
use std::path::Path;

/// Arguments of `muster checks`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this force.
    #[arg(long)]
    force: Option<String>,
    /// The rows of this model that fail, instead of the findings.
    #[arg(long, value_name = "MODEL")]
    failures: Option<String>,
    #[command(flatten)]
    view: View,
}

/// The findings of the newest run that checked each force and model.
const FINDINGS: &str = "select c.force, c.model, c.rule, c.severity, c.failing, c.checked, c.run \
    from hub.checks as c join (select force, model, max(run) as run from hub.checks group by force, model) as n \
    on c.run = n.run and c.model = n.model and c.force is not distinct from n.force";

pub(super) async fn run(project: &Path, args: Args) -> Result<bool> {
    let is = |column: &str, value: &str| format!("{column} = '{}'", value.replace('\'', "''"));
    let sql = match &args.failures {
        None => {
            let filter = args.force.map_or("true".into(), |force| is("c.force", &force));
            format!("{FINDINGS} where {filter} order by c.force, c.model, c.failing desc, c.rule")
        }
        Some(model) => {
            let filter = args.force.map_or("true".into(), |force| is("force", &force));
            format!(
                "select force, rule, severity, failed_at, row from hub.check_failures \
                 where {} and {filter} order by force, rule, row",
                is("model", model)
            )
        }
    };
    show(project, &sql, &args.view).await
}
