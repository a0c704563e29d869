//! Questions about what is asked of councils.

use super::{Asked, Cell, int, row};
use crate::demo::service::{COUNCILS, Request};
use std::collections::BTreeMap;

/// Asks about requests, by council and together.
pub(super) fn ask(asked: &mut Asked, requests: &[Request]) {
    let by_status = |wanted: &dyn Fn(&Request) -> bool| -> Vec<Vec<Cell>> {
        let mut counts: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
        for request in requests.iter().filter(|request| wanted(request)) {
            let key = (COUNCILS[request.council].code, channel(request), request.status());
            *counts.entry(key).or_default() += 1;
        }
        let counts = counts.into_iter();
        counts
            .map(|((force, channel, status), n)| row([force.into(), channel.into(), status.into(), int(n)]))
            .collect()
    };
    let sql = "select force, channel, status, count(*) as requests from conformed.service_request
               group by force, channel, status order by force, channel, status";
    asked.hub("service requests by council, channel and status", sql, by_status(&|_| true));
    for (position, council) in COUNCILS.iter().enumerate() {
        let name = format!("own service requests, seen by {}", council.code);
        asked.user(council.code, &name, sql, by_status(&|request| request.council == position));
    }
    let count = |wanted: &dyn Fn(&Request) -> bool| {
        int(requests.iter().filter(|request| wanted(request)).count() as i64)
    };
    asked.hub(
        "requests taken for another council, and answered at once",
        "select count(*) as requests, sum(case when is_first_contact then 1 else 0 end) as at_once
         from conformed.service_request where on_behalf_of is not null",
        vec![row([
            count(&|r| r.behalf.is_some() && !r.is_job()),
            count(&|r| r.behalf.is_some() && !r.is_job() && r.at_once),
        ])],
    );
    asked.hub(
        "changes of status that came out of a queue",
        "select count(*) as events from conformed.service_event where is_time_of_receipt",
        vec![row([count(&|r| r.is_job() && r.closed.is_some())])],
    );
}

/// The channel in the consolidated view.
fn channel(request: &Request) -> &'static str {
    match request.channel {
        "PHONE" => "phone",
        "F2F" => "in person",
        "WEB" => "web",
        "EMAIL" => "email",
        _ => "mobile",
    }
}
