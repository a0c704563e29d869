//! Questions about what is approved on the phone.

use super::{Asked, Facts, decimal, int, row};
use crate::demo::write::air_approvals::{Decision, decision};
use std::collections::BTreeMap;

/// Asks about the requests for the orders of one force.
pub(super) fn ask(asked: &mut Asked, facts: &Facts) {
    let mut groups: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (position, order) in facts.ledger.orders.iter().enumerate() {
        let word = match decision(&facts.ledger, position) {
            Decision::Waiting => "waiting",
            Decision::Approved => "approved",
            Decision::Rejected => "rejected",
        };
        let (requests, value) = groups.entry(word).or_default();
        (*requests, *value) = (*requests + 1, *value + order.net);
    }
    asked.hub(
        "requests for approval by decision",
        "select force, coalesce(decision, 'waiting') as decision, count(*) as requests,
         cast(sum(value) as decimal(18, 2)) as value from conformed.approval where document_type = 'order'
         group by force, decision order by 2",
        groups
            .into_iter()
            .map(|(word, (requests, value))| {
                let force = facts.force.code.to_string();
                row([force, word.to_string(), int(requests), decimal(value, 2)])
            })
            .collect(),
    );
}
