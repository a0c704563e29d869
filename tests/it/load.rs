//! Under load: many clients, one monster, a storm of listings, and what is asked again.

use crate::flight::{Client, ask, fetch};
use crate::flight_cancel::{Own, endless, request, ticket, until};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::CommandGetTables;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use futures::future::join_all;
use muster::policy::roles::Principal;
use muster::serve::desk::Desk;
use muster::serve::statement::{Asker, Request, Statement};
use std::sync::Arc;
use tonic::Code;

const SMALL: &str = "\n[hub.limits]\nstatements = 3\nstatements_per_user = 2\nwaiting = 40\n";

/// What a client got for a statement of its own.
enum Got {
    Answer(i64),
    ComeBack,
}

/// Asks for a number that nobody else asks for, so that nothing is answered from what is kept.
async fn number(client: &mut Client, number: i64) -> Got {
    let sql = format!("select count(*) + {number} from conformed.widget w, generate_series(1, 20000) s");
    let info = match client.execute(sql, None).await {
        Ok(info) => info,
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("too many statements"), "{error}");
            return Got::ComeBack;
        }
    };
    let redeemed = request(client, ticket(&info));
    let rows = match client.inner_mut().do_get(redeemed).await {
        Ok(rows) => rows.into_inner(),
        Err(status) => return come_back(&status),
    };
    let rows =
        FlightRecordBatchStream::new_from_flight_data(rows.map_err(|e| FlightError::Tonic(Box::new(e))));
    match rows.try_collect::<Vec<_>>().await {
        Ok(rows) => Got::Answer(rows[0].column(0).as_primitive::<Int64Type>().value(0)),
        Err(FlightError::Tonic(status)) => come_back(&status),
        Err(other) => panic!("{other}"),
    }
}

fn come_back(status: &tonic::Status) -> Got {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("too many statements"), "{status:?}");
    Got::ComeBack
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_the_clients_are_answered_or_told_to_come_back() {
    let own = Own::start_with(SMALL).await;
    let (mut hub, mut beds) = (own.log_in("hub").await, own.log_in("beds").await);
    // Statements of one user that run and wait are 12; 120 come at once.
    let storm = (0..120).map(|n| {
        let mut client = hub.clone();
        async move { number(&mut client, n).await }
    });
    let listings = join_all((0..40).map(|_| {
        let mut client = hub.clone();
        async move {
            let wanted = CommandGetTables { include_schema: true, ..Default::default() };
            let info = client.get_tables(wanted).await.unwrap();
            fetch(&mut client, info).await.unwrap().num_rows()
        }
    }));
    let other = async {
        let mut answered = 0;
        for n in 0..10 {
            if let Got::Answer(got) = number(&mut beds, n).await {
                assert_eq!(got, 40_000 + n);
                answered += 1;
            }
        }
        answered
    };
    let (got, listed, other) = tokio::join!(join_all(storm), listings, other);
    let mut answered = 0;
    for (n, got) in (0..).zip(got) {
        if let Got::Answer(got) = got {
            assert_eq!(got, 80_000 + n);
            answered += 1;
        }
    }
    eprintln!("{answered} of 120 answered, the others told to come back; {other} of 10 of another user");
    assert!((10..120).contains(&answered), "{answered}");
    assert_eq!(other, 10, "one user's storm does not push out another");
    assert!(listed.iter().all(|tables| *tables == listed[0] && *tables > 2), "listings wait for nobody");
    assert!(matches!(number(&mut hub, 1000).await, Got::Answer(81_000)), "after the storm");
    until("no memory reserved", || own.hub.engine.reserved_bytes() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monster_leaves_small_statements_answered() {
    let own = Own::start_with(SMALL).await;
    let (mut hub, mut beds) = (own.log_in("hub").await, own.log_in("beds").await);
    let info = hub.execute(endless("monster"), None).await.unwrap();
    let monster = {
        let mut client = hub.clone();
        let ticket = request(&client, ticket(&info));
        tokio::spawn(async move {
            client.inner_mut().do_get(ticket).await?.into_inner().try_collect::<Vec<_>>().await
        })
    };
    until("the monster has memory", || own.hub.engine.reserved_bytes() > 1 << 20).await;
    for n in 0..20 {
        assert!(matches!(number(&mut beds, n).await, Got::Answer(got) if got == 40_000 + n));
    }
    let half = 2 << 30;
    assert!(own.hub.engine.reserved_bytes() <= half, "one statement leaves half of the memory to others");
    monster.abort();
    until("no memory reserved", || own.hub.engine.reserved_bytes() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_without_memory_answers_no_statement_and_stays_alive() {
    // Less than the process has when it starts.
    let own = Own::start_with("\n[hub.limits]\nmemory_mib = 16\n").await;
    let mut hub = own.log_in("hub").await;
    let mut refused = String::new();
    for n in 0..200 {
        let asked = ask(&mut hub, &format!("select {n}, count(*) from conformed.widget")).await;
        if let Err(error) = asked {
            refused = error;
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(refused, "the hub has no memory for another statement at the moment");
    let info = hub.get_tables(CommandGetTables::default()).await.unwrap();
    assert!(fetch(&mut hub, info).await.unwrap().num_rows() > 2, "listings take next to nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_again_runs_once_and_belongs_to_a_release_and_a_visibility() {
    let dir = tempfile::tempdir().unwrap();
    crate::hub::write(dir.path());
    crate::hub::release(dir.path()).await;
    let hub = Arc::new(crate::hub::open(dir.path()).await);
    let desk = Desk::new(Arc::clone(&hub)).unwrap();
    let ask = async |user: &str, sql: &str| {
        let principal = match user {
            "operator" => Principal::operator(),
            name => Principal::resolve(&hub.project.users[name], &hub.project.roles).unwrap(),
        };
        let asker = Asker { principal, peer: "test".into() };
        let planned = Statement::plan(&desk, &asker, Request::text(sql)).await.unwrap();
        let rows: Vec<_> = planned.run("test").await.unwrap().try_collect().await.unwrap();
        rows
    };
    let sql = "select force, count(*) as n from conformed.widget group by force order by force";
    let first = ask("hub", sql).await;
    let pointer =
        |rows: &[datafusion::arrow::array::RecordBatch]| rows[0].column(0).to_data().buffers()[0].as_ptr();
    assert_eq!(pointer(&ask("hub", sql).await), pointer(&first), "the very same rows");
    let beds = ask("beds", sql).await;
    assert_eq!((first[0].num_rows(), beds[0].num_rows()), (2, 1), "another visibility");
    let all = join_all((0..16).map(|_| ask("operator", "select random() as r, 1 as n"))).await;
    let randoms: std::collections::BTreeSet<String> =
        all.iter().map(|rows| format!("{:?}", rows[0])).collect();
    assert_eq!(randoms.len(), 16, "what is of the moment is not kept");
    assert_ne!(
        format!("{:?}", ask("hub", "select user()").await),
        format!("{:?}", ask("operator", "select user()").await)
    );
    let widgets: Vec<String> = ('a'..='h').map(|name| format!("conformed.widget {name}")).collect();
    let slow = format!("select count(*), max(a.price + h.price) from {}", widgets.join(", "));
    let together = join_all((0..8).map(|_| ask("hub", &slow))).await;
    let runs: std::collections::BTreeSet<_> = together.iter().map(|rows| pointer(rows)).collect();
    assert_eq!(runs.len(), 1, "eight who ask at once share one run");
    std::fs::write(
        dir.path().join("drop/beds/widget_2.csv"),
        "id,label,price,made_on\nb9,nine,9.00,2026-03-01\n",
    )
    .unwrap();
    crate::hub::release(dir.path()).await;
    let later = ask("hub", sql).await;
    assert_ne!(format!("{later:?}"), format!("{first:?}"), "another release");
}
