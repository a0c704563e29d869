//! Two releases row by row, for one principal: as statements, which are recorded and under policy.

use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::policy::enforce::Granted;
use crate::release::change::{self, Change};
use crate::serve::desk::Desk;
use crate::serve::statement::{Asker, Request, Statement};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, SchemaRef};
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// How one force's rows of one table differ from an earlier release to a later one.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// `layer.name`.
    pub table: String,
    /// The force; `None` for a table without forces.
    pub force: Option<String>,
    /// Rows that only the later release has.
    pub added: i64,
    /// Rows that only the earlier one has.
    pub removed: i64,
    /// Rows of the same grain with other values; 0 for a table whose grain is not known, where a
    /// changed row is one removed and one added.
    pub changed: i64,
    /// Columns that were added (`+`), removed (`-`) or changed their type (`~`); their values are
    /// not compared.
    pub columns: String,
    /// What the rows were made from that differs: `data`, `contract`, `sql`, `reference`,
    /// `program`.
    pub why: Vec<&'static str>,
}

/// How the rows that `asker` may read differ from release `before` to release `after`, by table
/// and force; of one `table` if it is named. Only what is stored in other files is compared.
pub async fn releases(
    desk: &Arc<Desk>,
    asker: &Asker,
    before: u64,
    after: u64,
    table: Option<&str>,
) -> Result<Vec<Difference>> {
    let hub = desk.hub();
    let (old, new) = (
        Granted::open(hub, &asker.principal, before).await?,
        Granted::open(hub, &asker.principal, after).await?,
    );
    if let Some(table) = table
        && columns(&old, table).await?.or(columns(&new, table).await?).is_none()
    {
        return Err(Error::query(format!("table 'muster.{table}' not found")));
    }
    let changes = change::changes(&hub.lake, old.manifest(), new.manifest()).await?;
    let mut differences = Vec::new();
    for mut change in changes.into_iter().filter(|change| table.is_none_or(|table| table == change.table)) {
        let forces = asker.principal.forces_for(&change.table);
        change.parts.retain(|force, _| match (force, &forces) {
            (Some(force), Some(granted)) => granted.contains(force),
            (None, Some(_)) => true,
            (_, None) => false,
        });
        if change.parts.is_empty() {
            continue;
        }
        let (old, new) = (columns(&old, &change.table).await?, columns(&new, &change.table).await?);
        let Some(compared) = Compared::of(hub, &change, [(before, old), (after, new)]) else { continue };
        compare(desk, asker, &change, &compared, &mut differences).await?;
    }
    Ok(differences)
}

/// The columns of a table; `None` when the principal may not read it or it is not there.
async fn columns(granted: &Granted<'_>, table: &str) -> Result<Option<SchemaRef>> {
    match table.split_once('.') {
        Some((schema, name)) => Ok(granted.table(schema, name).await?.map(|table| table.schema())),
        None => Ok(None),
    }
}

/// Runs the comparison of one table.
async fn compare(
    desk: &Arc<Desk>,
    asker: &Asker,
    change: &Change,
    compared: &Compared,
    differences: &mut Vec<Difference>,
) -> Result<()> {
    let statement = Statement::plan(desk, asker, Request::text(compared.sql(change))).await?;
    let batches: Vec<RecordBatch> = statement.run(&asker.peer).await?.try_collect().await?;
    let mut counted: BTreeMap<Option<String>, [i64; 3]> = BTreeMap::new();
    for batch in &batches {
        let forces = batch.column(0).as_string::<i32>();
        let [added, removed, changed] =
            [1, 2, 3].map(|column| batch.column(column).as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            let force = forces.is_valid(row).then(|| forces.value(row).to_string());
            counted.insert(force, [added.value(row), removed.value(row), changed.value(row)]);
        }
    }
    for (force, why) in &change.parts {
        let [added, removed, changed] = counted.remove(force).unwrap_or_default();
        if added + removed + changed > 0 || !compared.changed_columns.is_empty() {
            differences.push(Difference {
                table: change.table.clone(),
                force: force.clone(),
                added,
                removed,
                changed,
                columns: compared.changed_columns.clone(),
                why: why.clone(),
            });
        }
    }
    Ok(())
}

/// How a table is compared.
struct Compared {
    /// The release on each side, and whether the table is in it.
    sides: [(u64, bool); 2],
    /// The columns that both sides have in the same type.
    columns: Vec<String>,
    /// What identifies a row, if that is known; the force included.
    grain: Vec<String>,
    has_force: bool,
    changed_columns: String,
}

impl Compared {
    /// `None` when neither side can be read.
    fn of(hub: &Hub, change: &Change, sides: [(u64, Option<SchemaRef>); 2]) -> Option<Self> {
        let [(before, old), (after, new)] = sides;
        let sides = [(before, old.is_some()), (after, new.is_some())];
        let is_both = old.is_some() && new.is_some();
        let (old, new) = (old.clone().or_else(|| new.clone())?, new.or(old)?);
        let mut columns = Vec::new();
        let mut changed = Vec::new();
        for field in new.fields() {
            match old.field_with_name(field.name()) {
                Ok(same) if same.data_type() == field.data_type() => columns.push(field.name().clone()),
                Ok(_) => changed.push(format!("~{}", field.name())),
                Err(_) => changed.push(format!("+{}", field.name())),
            }
        }
        let gone = old.fields().iter().filter(|field| new.field_with_name(field.name()).is_err());
        changed.extend(gone.map(|field| format!("-{}", field.name())));
        let has_force = change.parts.keys().any(Option::is_some);
        let model = hub.project.models.iter().find(|model| model.table() == change.table);
        let mut grain: Vec<String> = model.map(|model| model.grain.clone()).unwrap_or_default();
        if !grain.iter().all(|column| columns.contains(column)) {
            grain.clear();
        }
        if has_force && !grain.is_empty() && !grain.iter().any(|column| column == "force") {
            grain.push("force".into());
        }
        let changed_columns = if is_both { changed.join(", ") } else { String::new() };
        Some(Self { sides, columns, grain, has_force, changed_columns })
    }

    /// Counts by force. Both sides are put together and grouped by all their columns, which needs
    /// no more memory than there is: joins could not spill. What is not on both sides as often is
    /// then grouped by the grain.
    fn sql(&self, change: &Change) -> String {
        let columns = quoted(&self.columns);
        let forces: Vec<String> = change.parts.keys().flatten().map(|force| format!("'{force}'")).collect();
        let mut both = Vec::new();
        for (side, (release, is_there)) in self.sides.iter().enumerate() {
            if *is_there {
                let filter = match self.has_force {
                    true => format!(" where force in ({})", forces.join(", ")),
                    false => String::new(),
                };
                let table = &change.table;
                both.push(format!(
                    "select {columns}, {side} as _side from {table} version as of {release}{filter}"
                ));
            }
        }
        let mut sql = format!(
            "with _rows as (select {columns}, sum(_side) as _new, sum(1 - _side) as _old from ({}) as _both \
             group by {columns} having sum(_side) <> sum(1 - _side)), ",
            both.join(" union all ")
        );
        let per_grain = match self.grain.is_empty() {
            true => columns,
            false => quoted(&self.grain),
        };
        let matched = if self.grain.is_empty() { "0" } else { "least(_added, _removed)" };
        let (force, group) = match self.has_force {
            true => ("force", " group by force"),
            false => ("cast(null as varchar) as force", ""),
        };
        write!(
            sql,
            "_grains as (select {per_grain}, sum(greatest(_new - _old, 0)) as _added, \
             sum(greatest(_old - _new, 0)) as _removed from _rows group by {per_grain}) \
             select {force}, cast(coalesce(sum(_added - {matched}), 0) as bigint) as added, \
             cast(coalesce(sum(_removed - {matched}), 0) as bigint) as removed, \
             cast(coalesce(sum({matched}), 0) as bigint) as changed from _grains{group}"
        )
        .ok();
        sql
    }
}

fn quoted(columns: &[String]) -> String {
    let quoted = columns.iter().map(|column| format!("\"{}\"", column.replace('"', "\"\"")));
    quoted.collect::<Vec<_>>().join(", ")
}
