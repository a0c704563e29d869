//! Questions about budgets.

use super::{Asked, Facts, decimal, int, row};
use crate::demo::write::planning;

/// Asks about the budget of one force.
pub(super) fn ask(asked: &mut Asked, facts: &Facts) {
    let mut months = [(0_i64, 0_i64); 12];
    for account in 0..facts.ledger.accounts.len() {
        for centre in 0..facts.ledger.cost_centres.len() {
            for (sum, pence) in months.iter_mut().zip(planning::months(&facts.ledger, account, centre)) {
                *sum = (sum.0 + 1, sum.1 + pence);
            }
        }
    }
    asked.hub(
        "the budget of 2025/26 month by month",
        "select force, period, count(*) as lines, cast(sum(amount) as decimal(18, 2)) as amount
         from conformed.budget_line where fin_year = 2025 group by force, period order by period",
        (1..)
            .zip(months)
            .map(|(period, (lines, amount))| {
                row([facts.force.code.to_string(), int(period), int(lines), decimal(amount, 2)])
            })
            .collect(),
    );
}
