//! `muster pull`: what lands in which mode, what is refused, what is replayed.

use crate::pulled::{COLUMNS, Story, Teller, till};
use muster::lake::Lake;
use muster::lake::raw::Load;
use muster::pipeline::pull::Wish;
use muster::pipeline::{Replayed, replay, run};
use muster::project::{self, Library};

fn full() -> Wish {
    Wish { full: true, ..Wish::default() }
}

impl Teller {
    /// Pulls and returns the load that was made, if one was.
    async fn pulled(&self, wish: Wish) -> Option<Load> {
        let before = self.loads().await.len();
        let lake = Lake::open(&self.lake()).unwrap();
        self.pull_with(lake, wish).await.unwrap();
        let mut loads = self.loads().await;
        (loads.len() > before).then(|| loads.remove(0))
    }

    /// Why a pull fails.
    async fn refused(&self) -> String {
        self.pull().await.unwrap_err()
    }

    async fn replayed(&self) -> Replayed {
        let hub = self.hub(Lake::open(&self.lake()).unwrap()).await;
        let contract = &hub.project.systems["till"].entities["payment"];
        replay(&hub, &hub.project.sources["beds_till"], contract).await.unwrap()
    }
}

/// Inserted, changed, deleted, quarantined.
fn counts(load: &Load) -> [u64; 4] {
    [load.inserted_rows, load.changed_rows, load.deleted_rows, load.quarantined_rows]
}

const CURSOR: &str =
    "table = \"PAYMENT\"\nkey = [\"id\"]\nmode = \"cursor\"\ncursor = \"seen\"\nlag = 2\nsweep = \"900d\"\n";

#[tokio::test]
async fn a_cursor_reads_what_has_moved_and_a_sweep_finds_the_rest() {
    let teller = Story::Cursor.begin().await;
    teller.agree(CURSOR, COLUMNS);
    teller.sql("insert into PAYMENT values (1,1,'a',1), (2,1,'b',2), (3,1,'c',3), (4,1,'d',5)").await;
    let first = teller.pulled(Wish::default()).await.unwrap();
    assert_eq!((counts(&first), first.whole, first.high.as_deref()), ([4, 0, 0, 0], true, Some("5")));

    // Committed late, stamped early: within the lag. The others come again and are known.
    teller.sql("insert into PAYMENT values (5,1,'late',4), (6,1,'same moment',5)").await;
    let late = teller.pulled(Wish::default()).await.unwrap();
    assert_eq!((counts(&late), late.received_rows, late.whole), ([2, 0, 0, 0], 4, false));
    assert!(teller.pulled(Wish::default()).await.is_none(), "nothing new, nothing landed");

    // Deleted, changed without the cursor, committed later than the lag: only a sweep sees them.
    teller.sql("delete from PAYMENT where ID = 2; update PAYMENT set PAYEE = 'A' where ID = 1").await;
    teller.sql("insert into PAYMENT values (7,1,'far too late',1)").await;
    assert!(teller.pulled(Wish::default()).await.is_none());
    let swept = teller.pulled(full()).await.unwrap();
    assert_eq!((counts(&swept), swept.whole), ([1, 1, 1, 0], true));

    // One tombstone for one deletion; the key may come back.
    let again = teller.pulled(full()).await.unwrap();
    assert_eq!(counts(&again), [0, 0, 0, 0], "a sweep that finds nothing is recorded as such");
    teller.sql("insert into PAYMENT values (2,9,'back',6)").await;
    let back = teller.pulled(Wish::default()).await.unwrap();
    assert_eq!((counts(&back), back.high.as_deref()), ([1, 0, 0, 0], Some("6")));
}

#[tokio::test]
async fn a_thousand_rows_on_one_cursor_value_come_once() {
    let teller = Story::Cursor.begin().await;
    teller.agree(CURSOR, COLUMNS);
    let rows: Vec<String> = (1..=1000).map(|id| format!("({id}, 1, 'p', 7)")).collect();
    teller.sql(&format!("insert into PAYMENT values {}", rows.join(", "))).await;
    assert_eq!(teller.pulled(Wish::default()).await.unwrap().inserted_rows, 1000);
    teller
        .sql("insert into PAYMENT values (1001, 1, 'p', 7); update PAYMENT set PAYEE = 'q' where ID = 9")
        .await;
    let load = teller.pulled(Wish::default()).await.unwrap();
    assert_eq!((counts(&load), load.received_rows), ([1, 1, 0, 0], 1001));
}

#[tokio::test]
async fn since_reads_from_a_value_and_deletes_nothing() {
    let teller = Story::Cursor.begin().await;
    teller.agree(CURSOR, COLUMNS);
    teller.sql("insert into PAYMENT values (1,1,'a',1), (2,1,'b',20), (3,1,'c',30)").await;
    teller.pulled(Wish::default()).await.unwrap();
    teller.sql("delete from PAYMENT where ID = 1; update PAYMENT set PAYEE = 'B' where ID = 2").await;
    assert!(teller.pulled(Wish::default()).await.is_none());
    let since = |value: &str| Wish { since: Some(value.into()), ..Wish::default() };
    let load = teller.pulled(since("20")).await.unwrap();
    assert_eq!((counts(&load), load.received_rows), ([0, 1, 0, 0], 2));

    // Later than where a pull goes on anyway: what lies between would never be read.
    teller.sql("insert into PAYMENT values (4,1,'d',29), (5,1,'e',40)").await;
    let load = teller.pulled(since("40")).await.unwrap();
    assert_eq!(
        (counts(&load), load.received_rows),
        ([2, 0, 0, 0], 3),
        "from 28 on, the last end minus the lag"
    );
    let lake = Lake::open(&teller.lake()).unwrap();
    let why = teller.pull_with(lake, since("yesterday")).await.unwrap_err();
    assert!(why.contains("\"yesterday\" is not a value of the entity's cursor"), "{why}");
}

#[tokio::test]
async fn a_new_column_is_no_storm_of_changes() {
    let contract = "table = \"PAYMENT\"\nkey = [\"id\"]\n";
    let teller = Story::Diff.begin().await;
    teller.agree(contract, COLUMNS);
    let rows: Vec<String> = (1..=50).map(|id| format!("({id}, 1, 'p', {id})")).collect();
    teller.sql(&format!("insert into PAYMENT values {}", rows.join(", "))).await;
    assert_eq!(teller.pulled(Wish::default()).await.unwrap().inserted_rows, 50);
    teller.sql("alter table PAYMENT add column NOTE; update PAYMENT set NOTE = 'n' where ID = 3").await;
    teller.agree(contract, &format!("{COLUMNS}note = {{ type = \"text\" }}\n"));
    let load = teller.pulled(Wish::default()).await.unwrap();
    assert_eq!(counts(&load), [0, 1, 0, 0], "only the row that has a value in it");
    teller.agree(contract, &COLUMNS.replace("payee = { type = \"text\" }\n", ""));
    assert!(teller.pulled(Wish::default()).await.is_none(), "a column that goes changes no row");
    // From here on the table holds hashes with and without the column that went.
    for changed in 1..=2 {
        teller.sql(&format!("update PAYMENT set AMOUNT = 2 where ID = {changed}")).await;
        let load = teller.pulled(Wish::default()).await.unwrap();
        assert_eq!((counts(&load), load.mixed), ([0, 1, 0, 0], true));
        assert!(teller.pulled(Wish::default()).await.is_none(), "the rows that did not change are known");
    }
}

#[tokio::test]
async fn a_source_that_shrinks_is_refused_until_somebody_says_so() {
    let teller = Story::Diff.begin().await;
    teller.agree("table = \"PAYMENT\"\nkey = [\"id\"]\nmin_rows = 20\nmax_drop = 0.3\n", COLUMNS);
    let rows: Vec<String> = (1..=200).map(|id| format!("({id}, 1, 'p', {id})")).collect();
    teller.sql(&format!("insert into PAYMENT values {}", rows.join(", "))).await;
    teller.pulled(Wish::default()).await.unwrap();
    teller.sql("delete from PAYMENT where ID > 100").await;
    let why = teller.refused().await;
    assert!(why.contains("100 of 200 known rows are gone, more than max_drop = 0.3 allows"), "{why}");
    teller.sql("delete from PAYMENT where ID > 19").await;
    let why = teller.refused().await;
    assert!(why.contains("19 rows, fewer than min_rows = 20"), "{why}");
    teller.sql("delete from PAYMENT").await;
    assert!(teller.refused().await.contains("0 rows"), "an empty answer replaces nothing");
    assert_eq!(teller.loads().await.len(), 1);
    let load = teller.pulled(Wish { accept_drop: true, ..Wish::default() }).await.unwrap();
    assert_eq!(counts(&load), [0, 0, 200, 0]);
}

#[tokio::test]
async fn replaying_lands_what_a_corrected_contract_accepts_once() {
    for story in [Story::Diff, Story::States, Story::Additions] {
        let teller = story.begin().await;
        let [contract, key] = match story {
            Story::Diff => ["table = \"PAYMENT\"\nkey = [\"id\"]\n", ""],
            Story::States => {
                ["file = { match = \"pay_*.csv\", format = \"csv\", settle = \"0s\" }\n", "key = [\"id\"]\n"]
            }
            _ => [
                "file = { match = \"pay_*.csv\", format = \"csv\", settle = \"0s\" }\nmode = \"log\"\n",
                "key = [\"_file\", \"_row\"]\n",
            ],
        };
        let contract = format!("{contract}{key}");
        teller.agree(&contract, COLUMNS);
        teller.sql("create table if not exists PAYMENT (ID integer, AMOUNT, PAYEE, SEEN integer)").await;
        teller.sql("insert into PAYMENT values (1,'1.00','a',1), (2,'n/a','b',2), (3,'oops','c',3)").await;
        teller.write("drop/pay_1.csv", "id,amount,payee,seen\n1,1.00,a,1\n2,n/a,b,2\n3,oops,c,3\n");
        let first = teller.pulled(Wish::default()).await.unwrap();
        assert_eq!(counts(&first), [3, 0, 0, 2], "{story:?}");
        assert_eq!(
            teller.replayed().await,
            Replayed { quarantined: 2, released: 0 },
            "nothing was corrected"
        );

        let corrected = COLUMNS.replace("\"decimal(18,2)\"", "\"decimal(18,2)\", null = [\"n/a\"]");
        teller.agree(&contract, &corrected);
        assert_eq!(teller.replayed().await, Replayed { quarantined: 2, released: 1 }, "{story:?}");
        let load = teller.loads().await.remove(0);
        assert_eq!((load.accepted_rows, load.in_quarantine_rows), (1, 1), "{story:?}");
        assert_eq!(teller.replayed().await, Replayed { quarantined: 1, released: 0 }, "once");
        let rows = teller.rows().await.join("\n");
        assert_eq!(rows.matches(" upsert ").count(), 4, "{story:?}\n{rows}");
        // The source still says what it said: nothing more to land.
        if let Some(load) = teller.pulled(Wish::default()).await {
            assert_eq!(counts(&load), [0, 0, 0, 1], "{story:?}");
        }
    }
}

#[tokio::test]
async fn a_replay_does_not_make_the_past_news() {
    let teller = Story::States.begin().await;
    teller.write("drop/pay_1.csv", "id,amount,payee,seen\n1,1.00,a,1\n2,n/a,b,2\n");
    teller.pulled(Wish::default()).await.unwrap();
    teller.write("drop/pay_2.csv", "id,amount,payee,seen\n1,1.00,a,1\n2,n/a,b,2\n3,3.00,c,3\n");
    assert_eq!(counts(&teller.pulled(Wish::default()).await.unwrap()), [1, 0, 0, 1]);

    // The row of the first file is replayed; the second file is still what the source says.
    let contract = "key = [\"id\"]\nfile = { match = \"pay_*.csv\", format = \"csv\", settle = \"0s\" }\n";
    teller.agree(contract, &COLUMNS.replace("\"decimal(18,2)\"", "\"decimal(18,2)\", null = [\"n/a\"]"));
    assert_eq!(teller.replayed().await, Replayed { quarantined: 1, released: 1 });
    let landed = teller.loads().await.len();
    teller.pulled(Wish::default()).await;
    for load in teller.loads().await.iter().rev().skip(landed) {
        assert_eq!(load.file.as_deref(), Some("pay_2.csv"), "an older state is past");
        assert_eq!(counts(load), [0, 0, 0, 0], "and the newest is known");
    }
}

#[tokio::test]
async fn a_log_has_no_sweep() {
    let teller = Story::Cursor.begin().await;
    teller.agree(&CURSOR.replace("\"cursor\"\ncursor", "\"log\"\ncursor"), COLUMNS);
    let problems = project::load_with(teller.dir(), &Library::empty()).unwrap_err().plain();
    assert!(problems.contains("mode \"log\" has no sweep"), "{problems}");
    teller
        .agree(&CURSOR.replace("\"cursor\"\ncursor", "\"log\"\ncursor").replace("sweep", "# sweep"), COLUMNS);
    project::load_with(teller.dir(), &Library::empty())
        .unwrap_or_else(|problems| panic!("{}", problems.plain()));
}

#[tokio::test]
async fn one_pull_at_a_time() {
    let teller = Story::Diff.begin().await;
    teller.sql("insert into PAYMENT values (1,1,'a',1)").await;
    let hub = teller.hub(Lake::open(&teller.lake()).unwrap()).await;
    let sources: Vec<_> = hub.project.sources.values().collect();
    let pull = || run::pull(&hub, &sources, 0, Wish::default(), &|_| {});
    let (one, two) = tokio::join!(pull(), pull());
    let failed: Vec<String> =
        [one, two].into_iter().filter_map(|end| end.err()).map(|e| e.to_string()).collect();
    assert!(failed.len() <= 1, "{failed:?}");
    assert!(failed.iter().all(|why| why.contains("another run is working on this lake")), "{failed:?}");
    assert_eq!(teller.loads().await.len(), 1, "whoever came second landed nothing");
    assert_eq!(till().table(), "raw/beds/beds_till/payment");
}

#[tokio::test]
async fn a_period_of_the_past_is_read_again_and_deletes_nothing() {
    let teller = Story::Cursor.begin().await;
    teller.agree(CURSOR, COLUMNS);
    teller.sql("insert into PAYMENT values (1,1,'a',1), (2,1,'b',2), (3,1,'c',3), (4,1,'d',9)").await;
    teller.pulled(Wish::default()).await.unwrap();
    // All of this happens further back than the lag reaches.
    teller.sql("update PAYMENT set PAYEE = 'B' where ID = 2; delete from PAYMENT where ID = 3").await;
    teller.sql("insert into PAYMENT values (5,1,'e',3), (6,1,'f',1), (7,1,'g',null)").await;
    let between = || Wish { between: Some(("2".into(), "3".into())), ..Wish::default() };
    let load = teller.pulled(between()).await.unwrap();
    assert_eq!((counts(&load), load.received_rows, load.whole), ([1, 1, 0, 0], 2, false));
    assert_eq!(load.high.as_deref(), Some("9"), "the next pull goes on where the last one ended");
    assert!(teller.pulled(between()).await.is_none());
}

const REFUNDS: &str = "
[entities.refund]
optional = true
table = \"REFUND\"
key = [\"id\"]
columns.id = { type = \"int\", required = true }

[entities.receipt]
optional = true
file = { match = \"receipt_*.csv\", format = \"csv\" }
key = [\"id\"]
columns.id = { type = \"int\", required = true }
";

#[tokio::test]
async fn an_optional_entity_is_missed_once_it_was_there() {
    let teller = Story::Diff.begin().await;
    let payment = "table = \"PAYMENT\"\nkey = [\"id\"]\n";
    teller.agree(payment, &format!("{COLUMNS}{REFUNDS}"));
    teller.change(0).await;
    teller.pull().await.unwrap();
    assert_eq!(teller.loads().await.len(), 1);

    teller.sql("create table REFUND (ID integer); insert into REFUND values (1)").await;
    teller.pull().await.unwrap();
    teller.sql("drop table REFUND").await;
    assert_eq!(teller.refused().await, "beds_till.refund: table 'REFUND' is missing");

    // Not optional: a problem before anything is read.
    teller.agree(payment, &format!("{COLUMNS}{}", REFUNDS.replace("optional = true\n", "")));
    let problems = project::load_with(teller.dir(), &Library::empty()).unwrap_err().to_string();
    assert!(problems.contains("system \"till\" has entities without a table: receipt"), "{problems}");
}
