//! Questions about budgets, and about what is published of payments.

use super::{Asked, Facts, decimal, int, row};
use crate::demo::world::Ledger;
use crate::demo::write::{planning, published};

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

/// Asks about the list of payments that a council has published of `ledger`.
pub(super) fn ask_published(asked: &mut Asked, ledger: &Ledger) {
    let (mut lines, mut amount) = (0, 0);
    for payment in published::published(ledger) {
        (lines, amount) = (lines + 2, amount + payment.amount);
    }
    asked.hub(
        "published payments, each over the threshold as a whole",
        "select force, is_over_threshold, count(*) as lines, cast(sum(amount) as decimal(18, 2)) as amount
         from conformed.published_payment group by force, is_over_threshold",
        vec![row(["staffordshire".into(), "true".into(), int(lines), decimal(amount, 2)])],
    );
}
