//! Non-interference: hubs that differ only in what the force `birch` has delivered cannot be told
//! apart by those who read the force `ash`. Compared are rows, errors, plans, columns, listings and
//! the sizes of messages, over Flight; what a hub and the same hub built again do not have in common
//! (`tables::CHANCE`) is not asked for, and nothing else is left out.
//!
//! `MUSTER_FUZZ_QUERIES` and `MUSTER_FUZZ_SEED` say how many random statements and which;
//! `MUSTER_FUZZ_VERBOSE` lists what they were refused for.
//!
//! The ways in which rows leak out of other engines, and where each is looked at:
//!
//! | way | test |
//! |---|---|
//! | errors of expressions that meet hidden rows; predicates, limits, top-k and joins below the filter; counts and extremes from statistics; joins that probe | `leaks::no_expression_meets_the_rows_of_others`, fuzz |
//! | cell values in error texts | `oracle::Seen::betrays`, every test here; `serve/fault.rs` |
//! | plans: files, counts, analyze, verbose | `leaks::plans_and_listings_know_what_is_granted`, fuzz; `flight.rs` |
//! | information schema, show, describe, listings of the protocol, announced sizes | the same, fuzz |
//! | views, names, quotes, common table expressions | the same, fuzz; there are no views: `leaks::no_way_leads_to_files_or_settings` |
//! | the past: before and after a change, histories | `leaks::the_past_is_as_closed_as_the_present`; `as_of.rs` |
//! | files by function, external tables, copy; DML, DDL, set, prepare | `leaks::no_way_leads_to_files_or_settings`, fuzz |
//! | tickets and prepared handles of others, changed by a bit, closed | `leaks::handles_are_their_owners` |
//! | caches of results and plans | `leaks::equal_texts_are_answered_for_each_principal`, primed statements of the fuzz |
//! | no force, unknown force, hidden tables, names that look alike | the same; `project/hub.rs` refuses unknown forces |
//! | time, memory and spill that depend on others' rows | `leaks::work_and_memory_do_not_depend_on_the_rows_of_others` |
//! | run history, loads, quarantine, checks, lineage, record of statements, metrics | `leaks::system_tables_tell_the_same` |
//! | many clients at once | `leaks::many_clients_at_once_see_their_own` |
//! | random statements; planted mistakes | here; `planted.rs` |
//! | insert keys, exported files, masked columns, service accounts | nothing can be inserted; there are no exports and no masks |

mod expression;
mod fuzz;
mod grammar;
mod leaks;
mod oracle;
mod planted;
mod tables;
mod world;

use fuzz::{Plan, run};
use world::{Birch, Worlds};

/// The statements of a usual test run: two minutes of two cores that have other work as well.
const STATEMENTS: u64 = 10_000;

/// The same statements in every run, unless another seed is asked for.
const SEED: u64 = 20_260_331;

fn asked_for(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread")]
async fn random_statements_tell_nothing_of_others() {
    let kinds = [Birch::Present, Birch::Rebuilt, Birch::Absent, Birch::Unknown, Birch::Different];
    let began = std::time::Instant::now();
    let worlds = Worlds::new(&kinds).await;
    eprintln!("hubs built in {:.1} s", began.elapsed().as_secs_f64());
    let statements = asked_for("MUSTER_FUZZ_QUERIES", STATEMENTS);
    let seed = asked_for("MUSTER_FUZZ_SEED", SEED);
    let report = run(&worlds, Plan { statements, seed, until_caught: false }).await;
    eprintln!("{report}in {:.1} s, seed {seed}", began.elapsed().as_secs_f64());
    assert!(report.violations.is_empty(), "seed {seed}:\n{}", report.violations.join("\n"));
    assert!(report.fickle.len() as u64 * 500 <= report.asked, "seed {seed}:\n{}", report.fickle.join("\n"));
    assert!(
        report.succeeded * 10 >= report.asked * 6,
        "too few statements are answered to see anything: {report}"
    );
    assert!(report.with_rows * 10 >= report.asked * 4, "too few answers have rows to see anything: {report}");
}
