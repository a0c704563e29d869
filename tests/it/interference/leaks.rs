//! The known ways in which rows leak, one by one. The table in `mod.rs` says which is where.

use super::grammar::Grammar;
use super::oracle::{Question, Seen};
use super::tables::{CHANCE, FORBIDDEN, SHOWN, STRANGE};
use super::world::{ASH, Ash, Birch, FOREIGN, OWN, World, Worlds};
use crate::hub;
use crate::support::analyst;
use arrow_flight::Ticket;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTables};
use bytes::Bytes;
use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::SessionContext;
use futures::future::join_all;
use muster::policy::enforce;
use muster::telemetry::metrics;
use std::fmt::Write;
use std::sync::Arc;
use tonic::Code;

const DIFFERING: [Birch; 4] = [Birch::Present, Birch::Absent, Birch::Unknown, Birch::Different];

/// Asks all hubs for all of it, as `user`: nobody can tell which hub answers. Gives what the first
/// hub says.
async fn alike(worlds: &Worlds, user: &str, questions: &[Question]) -> Vec<Seen> {
    let mut clients = Vec::new();
    for world in &worlds.all {
        clients.push((world.birch, world.log_in(user).await));
    }
    let mut first = Vec::new();
    for question in questions {
        let mut told: Option<Seen> = None;
        for (birch, client) in &mut clients {
            let seen = client.ask(question).await;
            assert_eq!(seen.betrays(question), None, "{birch:?}: {question:?}");
            let Some(told) = &told else {
                told = Some(seen);
                continue;
            };
            assert_eq!(told.differs(&seen, false).await, None, "{birch:?}: {question:?}");
        }
        first.extend(told);
    }
    first
}

fn texts(texts: &[&str]) -> Vec<Question> {
    texts.iter().map(|text| Question::text(*text)).collect()
}

fn refused(seen: &[Seen]) -> usize {
    seen.iter().filter(|seen| seen.refusal.is_some()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_expression_meets_the_rows_of_others() {
    let worlds = Worlds::new(&DIFFERING).await;
    // Every one of these fails on rows of the other force.
    let work = texts(&[
        "select count(*) from conformed.widget where 100 / price > 1",
        "select sum(cast(label as int)) from conformed.widget",
        "select widget_id from conformed.widget where force = 'birch' and 1 / 0 = 1 and stock is not null",
        "select widget_id from conformed.widget where force = 'birch' and cast(note as int) = 1",
        "select case when force = 'birch' then cast(note as int) else 0 end from conformed.widget",
        "select max(stock * stock) from conformed.widget",
        "select count(*) from conformed.widget where cast(code as timestamp) > '2026-01-01'",
        "select count(*) from conformed.widget where regexp_like(coalesce(label, ''), note)",
        "select count(*) from conformed.widget where make_array(1, 2)[stock] is null",
        "select widget_id from conformed.widget order by cast(code as date) desc limit 3",
        "select widget_id from conformed.widget order by 100 / price, widget_id limit 3",
        "select count(*) from conformed.widget group by cast(code as date) having min(100 / price) > 0",
        "select rank() over (order by cast(label as int)) from conformed.widget",
        "select w.widget_id from conformed.widget w join conformed.part p on 100 / w.price > 0 and p.widget_id = w.widget_id",
        "select w.widget_id, l.n from conformed.widget w cross join lateral \
         (select count(*) as n from conformed.part p where p.widget_id = w.widget_id) l",
        "select widget_id from conformed.widget where stock = (select max(stock) from conformed.widget)",
        "select count(*), min(price), max(stock), min(made_on), approx_distinct(label) from conformed.widget",
        "select count(*) from conformed.widget having count(*) > 100",
        "select count(*) from conformed.badge",
        "select p.part_id from conformed.part p left anti join conformed.widget w on w.widget_id = p.widget_id",
        "select p.part_id from conformed.part p full join conformed.widget w on w.widget_id = p.widget_id where w.note is null",
        "select widget_id from conformed.widget where widget_id like 'kestrel%' limit 1",
        "select try_cast(label as int), try_cast(note as int) from conformed.widget",
        "select force, count(*) from conformed.widget group by rollup(force)",
    ]);
    let seen = alike(&worlds, "anna", &work).await;
    assert_eq!(
        refused(&seen),
        0,
        "{:?}",
        seen.iter().filter_map(|seen| seen.refusal.clone()).collect::<Vec<_>>()
    );
    let fail = texts(&[
        "select cast(note as int) from conformed.widget",
        "select cast(note as date) from conformed.widget",
        "select to_timestamp(note) from conformed.widget",
        "select stock / (stock - stock) from conformed.widget",
        "select widget_id from conformed.widget where cast(note || label as decimal(5, 2)) > 1",
        "select sum(cast(note as double)) from conformed.widget",
        "select arrow_cast(note, 'Int8') from conformed.widget",
        "select regexp_like(note, '(' || label) from conformed.widget",
        "select to_date(note, '%Y') from conformed.widget",
        "select decode(note, 'hex') from conformed.widget",
        "select w.widget_id from conformed.widget w join conformed.part p on cast(w.note as int) = p.amount",
    ]);
    let seen = alike(&worlds, "anna", &fail).await;
    assert_eq!(refused(&seen), seen.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_listings_know_what_is_granted() {
    let worlds = Worlds::new(&DIFFERING).await;
    let mut questions = texts(SHOWN);
    for text in STRANGE {
        questions.push(Question::text(format!("select * from {text}")));
        questions.push(Question::Columns(format!("select count(*) from {text}")));
    }
    for sql in [
        "explain select * from conformed.widget where force = 'birch'",
        "explain select force, sum(price) from conformed.widget group by force",
        "explain select count(*) from conformed.widget",
        "explain select * from conformed.widget w join conformed.part p using (widget_id) order by 1 limit 2",
        "with widget as (select 1 as x) select * from widget",
        "with w as (select * from conformed.widget) select force, count(*) from w group by force",
        "select * exclude (note) from \"conformed\".\"widget\" as \"Größe\"",
        "select force from (select * from muster.conformed.widget) union select force from CONFORMED.part",
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) select n, force from r, marts.spend",
    ] {
        questions.push(Question::text(sql));
    }
    for include_schema in [true, false] {
        for (schema, table) in
            [(None, None), (Some("%"), Some("%")), (Some("marts"), None), (None, Some("w_dget"))]
        {
            questions.push(Question::listing(&CommandGetTables {
                catalog: None,
                db_schema_filter_pattern: schema.map(String::from),
                table_name_filter_pattern: table.map(String::from),
                table_types: vec![],
                include_schema,
            }));
        }
    }
    questions.push(Question::listing(&CommandGetDbSchemas::default()));
    for table in ["widget", "league", "nothing"] {
        let keys = CommandGetPrimaryKeys { catalog: None, db_schema: None, table: table.into() };
        questions.push(Question::listing(&keys));
    }
    for user in ["anna", "nick", "nobody"] {
        let seen = alike(&worlds, user, &questions).await;
        assert!(seen.len() - refused(&seen) > 20, "{user}: hardly anything is answered");
        for word in ["league", ".parquet"] {
            let named = questions.iter().zip(&seen).filter(|(_, seen)| seen.holds(word));
            let named: Vec<_> = named
                .map(|(question, _)| format!("{question:?}"))
                .filter(|asked| !asked.contains("league"))
                .collect();
            assert!(named.is_empty(), "{user} learns of {word}: {named:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_never_released_learns_nothing_of_those_who_were() {
    let worlds = Worlds::where_ash(Ash::Blocked, &DIFFERING).await;
    let mut questions = texts(SHOWN);
    questions.extend(texts(&[
        "select * from conformed.widget",
        "select count(*) from marts.spend",
        "select * exclude (since) from hub.coverage",
        "select release, force, status, why from hub.releases",
        "select * exclude (run, failed_at) from hub.check_failures",
    ]));
    questions
        .push(Question::listing(&CommandGetTables { include_schema: true, ..CommandGetTables::default() }));
    let seen = alike(&worlds, "anna", &questions).await;
    assert!(seen.len() - refused(&seen) > 10);
    let blocked = texts(&["select row from hub.check_failures where severity = 'block'"]);
    assert!(alike(&worlds, "anna", &blocked).await[0].rows() > 0, "ash is blocked");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_as_closed_as_the_present() {
    let worlds = Worlds::new(&DIFFERING).await;
    let mut questions = Vec::new();
    for (number, instant) in worlds.instants.iter().enumerate() {
        let local = instant.trim_end_matches('Z').replace('T', " ");
        for time in
            [format!("version as of {}", number + 1), format!("for system_time as of timestamp '{local}'")]
        {
            for sql in [
                format!(
                    "select force, count(*), sum(price), max(stock) from conformed.widget {time} group by force"
                ),
                format!("select count(*) from marts.league {time}"),
                format!("select force, dataset, rows, received_rows from hub.coverage {time}"),
                format!("select force, entity, load, received_rows from hub.loads {time}"),
                format!("select cast(label as int), 100 / price from conformed.widget {time}"),
                format!(
                    "select count(*) from conformed.widget {time} w full join conformed.widget n \
                     on w.widget_id = n.widget_id where w.price is distinct from n.price"
                ),
            ] {
                questions.push(Question::text(sql));
            }
        }
        let sql = "select force, count(*), min(price) from conformed.widget group by force";
        questions.push(Question::Rows(sql.into(), Some(instant.clone())));
        questions.push(Question::text(format!("set muster.as_of = '{instant}'")));
        questions.push(Question::text(sql));
        questions.push(Question::text("select release, force, status from hub.releases"));
        questions.push(Question::text("reset muster.as_of"));
    }
    let seen = alike(&worlds, "anna", &questions).await;
    assert_eq!(refused(&seen), 2 * worlds.instants.len(), "only the league is refused");
    let lines = seen.last().unwrap().lines().await;
    assert_eq!(lines.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_leads_to_files_or_settings() {
    let worlds = Worlds::new(&[Birch::Present, Birch::Absent, Birch::Different]).await;
    for user in ["anna", "hubert"] {
        let questions = texts(FORBIDDEN);
        let mut client = worlds.world(Birch::Present).log_in(user).await;
        for question in &questions {
            let seen = client.ask(question).await;
            let explained = format!("{question:?}").contains("explain");
            assert!(seen.refusal.is_some() || explained, "{user}: {question:?}");
            assert!(
                !seen.holds(".parquet") || format!("{question:?}").contains(".parquet"),
                "{user}: {question:?}"
            );
        }
    }
    alike(&worlds, "anna", &texts(FORBIDDEN)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_are_their_owners() {
    let worlds = Worlds::new(&[Birch::Present]).await;
    let world = worlds.world(Birch::Present);
    let (mut bert, mut anna, mut hubert) =
        (world.log_in("bert").await, world.log_in("anna").await, world.log_in("hubert").await);
    let sql = "select force, count(*) as n from conformed.widget group by force";
    let unknown = |refusal: Result<(), tonic::Status>, seen: &Seen| {
        let status = refusal.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
        assert_eq!(seen.rows(), 0);
        assert!(!status.message().contains("birch"));
        status.message().to_string()
    };
    // A ticket: another's, in other words than one that nobody ever had.
    let ticket = bert.ticket(sql).await;
    let mut words = Vec::new();
    for client in [&mut anna, &mut hubert] {
        let mut seen = Seen::default();
        words.push(unknown(client.redeem(ticket.clone(), None, &mut seen).await, &seen));
    }
    for position in [1, 7, 17, 31] {
        let mut bytes = ticket.ticket.to_vec();
        let at = bytes.len() - position;
        bytes[at] ^= 1;
        let mut seen = Seen::default();
        words.push(unknown(bert.redeem(Ticket::new(Bytes::from(bytes)), None, &mut seen).await, &seen));
    }
    assert!(words.iter().all(|word| *word == words[0]), "{words:?}");
    let mut seen = Seen::default();
    bert.redeem(ticket, None, &mut seen).await.unwrap();
    assert_eq!(seen.rows(), 1);

    // A prepared statement: run, bound and closed by its owner only.
    let handle = bert
        .prepare("select force from conformed.widget where stock > ?", &mut Seen::default())
        .await
        .unwrap();
    let values = RecordBatch::try_from_iter([("1", Arc::new(Int64Array::from(vec![0])) as _)]).unwrap();
    for client in [&mut anna, &mut hubert] {
        let mut seen = Seen::default();
        unknown(client.run(&handle, &mut seen).await, &seen);
        unknown(client.bind(&handle, &values).await, &seen);
        client.close(&handle).await.ok();
    }
    let mut guessed = handle.to_vec();
    guessed[0] ^= 0x80;
    let mut seen = Seen::default();
    unknown(bert.run(&Bytes::from(guessed), &mut seen).await, &seen);
    bert.bind(&handle, &values).await.unwrap();
    bert.run(&handle, &mut seen).await.unwrap();
    assert!(seen.rows() > 0 && seen.holds("birch"));
    bert.close(&handle).await.unwrap();
    let mut seen = Seen::default();
    unknown(bert.run(&handle, &mut seen).await, &seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_texts_are_answered_for_each_principal() {
    let worlds = Worlds::new(&[Birch::Present, Birch::Absent, Birch::Different]).await;
    let world = worlds.world(Birch::Different);
    let sql = "select force, count(*) as n, min(price) as least from conformed.widget group by force order by force";
    let league = "select * from marts.league";
    // Twice round, so that whatever is remembered of one is there when the next one asks.
    for round in 0..2 {
        for (user, forces) in [("hubert", 2), ("anna", 1), ("bert", 1), ("ash0", 1), ("nick", 1)] {
            let mut client = world.log_in(user).await;
            let (seen, prepared) =
                (client.ask(&Question::text(sql)).await, client.ask(&Question::Columns(sql.into())).await);
            assert_eq!(
                (seen.rows(), &seen.refusal, &prepared.refusal),
                (forces, &None, &None),
                "{round}: {user}"
            );
            assert_eq!(seen.holds("birch"), ["hubert", "bert"].contains(&user), "{round}: {user}");
            assert_eq!(seen.holds("ash"), !["bert", "nobody"].contains(&user), "{round}: {user}");
            let seen = client.ask(&Question::text(league)).await;
            assert_eq!(seen.refusal.is_none(), user == "hubert", "{round}: {user}");
        }
    }
    // Who asks is nobody's but the one who asks, however alike the grants.
    for user in ["anna", "ash0", "ash1", "anna"] {
        let mut client = world.log_in(user).await;
        for sql in ["select user() as name", "select distinct principal from hub.queries"] {
            let seen = client.ask(&Question::text(sql)).await;
            assert_eq!(seen.lines().await, [user], "{sql}");
        }
    }
    for user in ["anna", "ash0", "ash1"] {
        let mut client = world.log_in(user).await;
        let seen = client
            .ask(&Question::text("select count(*) from generate_series(1, ascii(right(user(), 1)))"))
            .await;
        let own = user.as_bytes()[user.len() - 1].to_string();
        assert!(seen.refusal.is_some() || seen.lines().await == [own], "{user}: {:?}", seen.lines().await);
    }
    // Equal grants, equal answers; without any force there is nothing, whatever others have.
    let (mut anna, mut ash) = (world.log_in("anna").await, world.log_in("ash0").await);
    let (one, two) = (anna.ask(&Question::text(sql)).await, ash.ask(&Question::text(sql)).await);
    assert_eq!(one.differs(&two, true).await, None);
    let mut grammar = Grammar::new(7, &worlds.instants);
    let questions: Vec<Question> = (0..150).map(|_| grammar.next().question).filter(steady).collect();
    for user in ["nobody", "nick"] {
        let seen = alike(&worlds, user, &questions).await;
        assert!(seen.len() - refused(&seen) > 10, "{user}");
    }
}

/// Whether the answer is the same whoever asked what before.
fn steady(question: &Question) -> bool {
    !format!("{question:?}").contains("hub.queries")
}

#[tokio::test(flavor = "multi_thread")]
async fn work_and_memory_do_not_depend_on_the_rows_of_others() {
    let worlds = Worlds::new(&[Birch::Present, Birch::Rebuilt, Birch::Absent, Birch::Different]).await;
    for sql in [
        "select * from conformed.widget where stock > 10",
        "select label, count(*), sum(price) from conformed.widget group by label",
        "select * from conformed.widget w join conformed.part p using (widget_id) order by seen_at, part_id",
        "select count(*) from conformed.widget",
        "select * from hub.check_failures",
        "select * from conformed.widget order by note limit 5",
    ] {
        let mut told = Vec::new();
        for world in &worlds.all {
            told.push((world.birch, work(world, sql).await, least_memory(world, sql).await));
        }
        for (birch, work, memory) in &told[1..] {
            assert_eq!((work, memory), (&told[0].1, &told[0].2), "{birch:?}: {sql}");
        }
    }
}

/// A session in one stream, so that nothing depends on which stream comes first.
async fn session(world: &World, memory: Option<usize>) -> SessionContext {
    let hub = hub::open(world.dir.path()).await;
    let pinned = enforce::session(&hub, &analyst("ash"), None).await.unwrap();
    let mut config = pinned.context.copied_config().with_target_partitions(1);
    // The session has its catalog.
    config.options_mut().catalog.create_default_catalog_and_schema = false;
    let mut state = SessionStateBuilder::new_from_existing(pinned.context.state()).with_config(config);
    if let Some(bytes) = memory {
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes)));
        state = state.with_runtime_env(runtime.build_arc().unwrap());
    }
    SessionContext::new_with_state(state.build())
}

/// What is opened, read and made of it on the way to the answer.
async fn work(world: &World, sql: &str) -> String {
    let context = session(world, None).await;
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    let shown = displayable(plan.as_ref()).indent(true).to_string();
    assert!(!shown.contains("force=birch"), "{shown}");
    collect(Arc::clone(&plan), context.task_ctx()).await.unwrap();
    let mut work = format!("{} files\n", shown.matches(".parquet").count());
    count(&plan, &mut work);
    work
}

fn count(plan: &Arc<dyn ExecutionPlan>, work: &mut String) {
    let metrics = plan.metrics().unwrap_or_default();
    let (rows, spilled) = (metrics.output_rows(), metrics.spilled_bytes());
    writeln!(work, "{}: {rows:?} rows, {spilled:?} bytes spilled", plan.name()).unwrap();
    for child in plan.children() {
        count(child, work);
    }
}

/// The least memory with which there is an answer, to the kibibyte: with less, the statement ends in
/// an error that tells of it.
async fn least_memory(world: &World, sql: &str) -> usize {
    let (mut fails, mut works) = (0, 8192);
    while works - fails > 1 {
        let middle = (fails + works) / 2;
        let context = session(world, Some(middle << 10)).await;
        match context.sql(sql).await.unwrap().collect().await {
            Ok(_) => works = middle,
            Err(_) => fails = middle,
        }
    }
    works
}

#[tokio::test(flavor = "multi_thread")]
async fn system_tables_tell_the_same() {
    let mut kinds = DIFFERING.to_vec();
    // Sizes of compressed files may agree by chance, but not in all of them.
    kinds.extend([Birch::Rebuilt; 4]);
    let worlds = Worlds::new(&kinds).await;
    let mut questions = Vec::new();
    for (table, chance) in CHANCE {
        let hidden =
            if chance.is_empty() { String::new() } else { format!(" exclude ({})", chance.join(", ")) };
        questions.push(Question::text(format!("select *{hidden} from {table}")));
        // Where there is none of what chance decides.
        for column in chance {
            questions.push(Question::text(format!("select count({column}) from {table}")));
        }
    }
    questions.push(Question::text("select count(distinct run) from hub.steps"));
    let seen = alike(&worlds, "anna", &questions).await;
    assert_eq!(refused(&seen), 0);
    let empty =
        questions.iter().zip(&seen).filter(|(_, seen)| seen.rows() == 0).map(|(question, _)| question);
    assert_eq!(empty.count(), 0, "a system table without rows shows nothing");

    // What is left out differs by chance; nothing is left out that does not.
    let mut first = worlds.world(Birch::Present).log_in("anna").await;
    let mut again = Vec::new();
    for rebuilt in worlds.all.iter().filter(|world| world.birch == Birch::Rebuilt) {
        again.push(rebuilt.log_in("anna").await);
    }
    for (table, chance) in CHANCE {
        for column in chance {
            let question = Question::text(format!("select {column} from {table}"));
            let one = first.ask(&question).await;
            let mut differs = false;
            for again in &mut again {
                let two = again.ask(&question).await;
                differs |= one.differs(&two, false).await.is_some();
            }
            assert!(differs, "{table}.{column} is the same in all");
        }
    }
    // The record of statements, which counts nobody else's.
    let mut hubert = worlds.world(Birch::Different).log_in("hubert").await;
    hubert.ask(&Question::text("select 'kestrel'")).await;
    let record = [
        "select * exclude (started_at, finished_at, duration_ms, peer) from hub.queries where principal = 'nick'",
    ];
    let seen = alike(&worlds, "nick", &texts(&record)).await;
    assert_eq!(refused(&seen), 1, "not granted");
    let record =
        texts(&["select query, principal, statement, tables, outcome, rows, bytes from hub.queries"]);
    let before = alike(&worlds, "ash4", &record).await;
    let after = alike(&worlds, "ash4", &record).await;
    assert_eq!(after[0].rows(), before[0].rows() + 1);
    // Whoever watches the numbers of the process learns of no force.
    let numbers = metrics::text(0).unwrap();
    assert!(numbers.contains("muster_query") && !numbers.contains("birch") && !numbers.contains("ash_acme"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_at_once_see_their_own() {
    let worlds = Worlds::new(&[Birch::Different]).await;
    let world = worlds.world(Birch::Different);
    let users = [&ASH[..], &["bert", "nobody", "hubert", "nick", "bert", "hubert"]].concat();
    let mut clients = Vec::new();
    for number in 0..32 {
        let user = users[number % users.len()];
        clients.push((number as u64, user, world.log_in(user).await));
    }
    let instants = &worlds.instants;
    let asked = clients.into_iter().map(|(number, user, mut client)| async move {
        let mut grammar = Grammar::new(number % 4, instants);
        let (mut rows, mut foreign) = (0, Vec::new());
        for _ in 0..40 {
            let question = grammar.next().question;
            let seen = client.ask(&question).await;
            rows += seen.rows();
            let words: &[&str] = match user {
                "hubert" => &[],
                "bert" => &[OWN],
                "nobody" => &[OWN, FOREIGN, "birch"],
                _ => &[FOREIGN, "birch"],
            };
            let said = format!("{question:?}").to_lowercase();
            foreign.extend(
                words
                    .iter()
                    .filter(|word| seen.holds(word) && !said.contains(**word))
                    .map(|word| format!("{user} sees {word}: {question:?}")),
            );
        }
        (user, rows, foreign)
    });
    for (user, rows, foreign) in join_all(asked).await {
        assert!(foreign.is_empty(), "{foreign:?}");
        assert!(rows > 0, "{user} saw no row at all");
    }
}
