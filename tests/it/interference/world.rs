//! Hubs made from one project that differ only in what the force `birch` has delivered.

use crate::hub::{self, certificates, password};
use arrow_flight::sql::client::FlightSqlServiceClient;
use chrono::{SecondsFormat, Utc};
use muster::serve::password as hashing;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;

/// A word that every cell of the other force has, and no cell of one's own.
pub const FOREIGN: &str = "kestrel";

/// A word in those of one's own cells that cannot be converted: no error may quote it.
pub const OWN: &str = "wren";

/// The users with the role of the force `ash`: all alike, so that each client has a record of its own.
pub const ASH: [&str; 6] = ["anna", "ash0", "ash1", "ash2", "ash3", "ash4"];

/// What the force `birch` has delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Birch {
    /// Some rows, good and bad.
    Present,
    /// The same in another hub: what differs from it is chance and the clock.
    Rebuilt,
    /// Nothing: its sources have no files.
    Absent,
    /// Nobody has heard of it.
    Unknown,
    /// Fifty times as many rows with other values; more bad ones, more loads, a check that blocks it.
    Different,
}

/// How the force `ash` fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ash {
    /// Each of its deliveries is released.
    Released,
    /// A check blocks it from the first delivery on.
    Blocked,
}

/// One of the hubs.
pub struct World {
    pub birch: Birch,
    pub address: SocketAddr,
    pub dir: TempDir,
    authority: String,
}

/// Hubs with three releases each, and an instant after each release.
pub struct Worlds {
    pub all: Vec<World>,
    pub instants: [String; 3],
}

impl Worlds {
    /// Builds and serves one hub for each of `kinds`. They are released in step, so that an instant
    /// between two releases is between them everywhere.
    pub async fn new(kinds: &[Birch]) -> Self {
        Self::where_ash(Ash::Released, kinds).await
    }

    /// The same where `ash` fares otherwise.
    pub async fn where_ash(ash: Ash, kinds: &[Birch]) -> Self {
        let (authority, certificate, key) = certificates();
        let hash = hashing::hash(&password("anyone")).unwrap();
        let dirs: Vec<(Birch, TempDir)> =
            kinds.iter().map(|birch| (*birch, tempfile::tempdir().unwrap())).collect();
        for (birch, dir) in &dirs {
            define(dir.path(), *birch, &hash);
            write(dir.path(), "tls/server.pem", &certificate);
            write(dir.path(), "tls/server.key", &key);
        }
        let mut instants = Vec::new();
        for stage in 1..=3 {
            for (birch, dir) in &dirs {
                deliver(dir.path(), ash, *birch, stage);
                assert_eq!(hub::release(dir.path()).await, stage, "{birch:?}");
            }
            instants.push(Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true));
        }
        let serve = |(birch, dir): (Birch, TempDir)| World {
            birch,
            address: hub::serve_after(dir.path(), |_| async {}),
            dir,
            authority: authority.clone(),
        };
        let all = dirs.into_iter().map(serve).collect();
        Self { all, instants: instants.try_into().unwrap() }
    }

    pub fn world(&self, birch: Birch) -> &World {
        self.all.iter().find(|world| world.birch == birch).unwrap()
    }
}

impl World {
    /// A connection of `user`, who has logged in: the client and its bearer token.
    pub async fn log_in(&self, user: &str) -> super::oracle::Client {
        let channel = hub::channel(self.address, &self.authority).await;
        let mut client = FlightSqlServiceClient::new(channel);
        client.handshake(user, &password("anyone")).await.unwrap();
        let token = client.token().unwrap().clone();
        super::oracle::Client::new(client.into_inner(), &token)
    }
}

/// The definitions; without the other force and all that names it, if nobody has heard of it.
fn define(dir: &Path, birch: Birch, hash: &str) {
    let known = birch != Birch::Unknown;
    let mut settings = String::from(HUB);
    if known {
        settings += BIRCH;
    }
    let all = ASH.map(|name| (name, "ash"));
    let others = [("hubert", "everything"), ("nobody", "nothing"), ("nick", "narrow"), ("bert", "birch")];
    for (user, role) in all.into_iter().chain(others).filter(|(user, _)| known || *user != "bert") {
        write!(settings, "[users.{user}]\nroles = [\"{role}\"]\npassword_hash = \"{hash}\"\n").unwrap();
    }
    for (name, text) in [
        ("muster.toml", settings.as_str()),
        ("pipelines/widgets.toml", PIPELINE),
        ("connectors/acme/connector.toml", ACME),
        ("connectors/acme/staging/widget.sql", STAGED_WIDGET),
        ("connectors/acme/staging/part.sql", STAGED_PART),
        ("connectors/beta/connector.toml", BETA),
        ("connectors/beta/staging/badge.sql", STAGED_BADGE),
        ("sql/conformed/widget.sql", WIDGET),
        ("sql/conformed/part.sql", PART),
        ("sql/conformed/badge.sql", BADGE),
        ("sql/marts/spend.sql", SPEND),
        ("sql/marts/league.sql", LEAGUE),
        ("sql/reference/shade.csv", "code,name\n1,pale\n2,dark\n3,grey\n"),
    ] {
        write(dir, name, text);
    }
    for folder in ["ash", "birch", "badges"] {
        fs::create_dir_all(dir.join("drop").join(folder)).unwrap();
    }
}

/// What arrives before release `stage`. Something changes for `ash` in each, so that each is a
/// release whatever the others do.
fn deliver(dir: &Path, ash: Ash, birch: Birch, stage: u64) {
    write(dir, &format!("drop/ash/widget_{stage}.csv"), &ash_widgets(ash, stage));
    if stage == 1 {
        write(dir, "drop/ash/part_1.csv", &parts("a", 60, "wren"));
    }
    if stage == 3 {
        write(dir, "sql/reference/shade.csv", "code,name\n1,pale\n2,black\n3,grey\n4,white\n");
    }
    let rows = match birch {
        Birch::Present | Birch::Rebuilt => 30,
        Birch::Different => 1500,
        Birch::Absent | Birch::Unknown => return,
    };
    if stage < 3 || birch == Birch::Different {
        write(dir, &format!("drop/birch/widget_{stage}.csv"), &birch_widgets(birch, stage, rows));
    }
    if stage == 1 {
        write(dir, "drop/birch/part_1.csv", &parts("k", rows, FOREIGN));
        write(dir, "drop/badges/badge_1.csv", "id,holder\nkestrel1,kestrel\nkestrel2,kestrel too\n");
    }
}

const HEADER: &str = "id,label,price,made_on,stock,code,note,is_new,seen_at\n";

/// Labels are numbers, codes are dates, stock is small and prices are not zero: what converts,
/// divides or adds them works on every row of one's own and on hardly any other.
fn ash_widgets(ash: Ash, stage: u64) -> String {
    let mut text = String::from(HEADER);
    for n in (1..=36 + stage).filter(|n| stage < 2 || *n != 3) {
        let label = if n % 11 == 0 { String::new() } else { (n % 9).to_string() };
        let price = if stage == 2 && n % 5 == 0 { n + 1 } else { n };
        let made_on = if n % 7 == 0 { String::new() } else { format!("2026-01-{:02}", n % 28 + 1) };
        let bool = if n % 2 == 0 { "true" } else { "false" };
        writeln!(
            text,
            "a{n:02},{label},{price}.25,{made_on},{},2026-02-{:02},{OWN} {},{bool},2026-03-{:02} 08:30:00",
            if ash == Ash::Blocked { -1 } else { n as i64 * 3 },
            n % 27 + 1,
            n % 5,
            n % 30 + 1,
        )
        .unwrap();
    }
    text + "a98,1,1.00,31-31-2026,1,2026-02-01,wren bad,true,2026-03-01 08:30:00\n"
}

fn birch_widgets(birch: Birch, stage: u64, rows: u64) -> String {
    let mut text = String::from(HEADER);
    // Below zero, a check blocks the force.
    let stock = if birch == Birch::Different && stage == 2 { "-1" } else { "9223372036854775807" };
    for n in 1..=rows + stage {
        let price = if n % 3 == 0 { "0.00".into() } else { format!("{}.99", 777_000 + n) };
        writeln!(
            text,
            "kestrel{n},kestrel {n},{price},1999-12-31,{stock},kestrel,kestrel (,true,1999-12-31 23:59:59"
        )
        .unwrap();
    }
    for n in 0..rows / 30 * 2 {
        writeln!(
            text,
            "kestrel bad {n},kestrel,kestrel,1999-12-31,1,kestrel,kestrel,true,1999-12-31 23:59:59"
        )
        .unwrap();
    }
    text
}

fn parts(owner: &str, rows: u64, note: &str) -> String {
    let id = if owner == "a" { "a" } else { FOREIGN };
    let mut text = String::from("id,widget_id,cost,amount,note\n");
    for n in 1..=rows {
        writeln!(text, "{id}p{n:03},{id}{:02},{}.50,{},{note} {}", n % 40 + 1, n % 13 + 1, n % 6, n % 4)
            .unwrap();
    }
    text
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const HUB: &str = r#"
[hub]
name = "Trees"

[hub.tls]
certificate = "tls/server.pem"
key = "tls/server.key"

[forces.ash]
name = "Ash"

[sources.ash_acme]
force = "ash"
system = "acme"
address = "file:drop/ash"

[roles.ash]
forces = ["ash"]
tables = ["conformed.*", "marts.*", "reference.*", "hub.*", "quarantine.*"]

[roles.narrow]
forces = ["ash"]
tables = ["conformed.widget"]

[roles.nothing]
forces = []
tables = ["conformed.*", "marts.*", "hub.*"]

[roles.everything]
forces = ["*"]
tables = ["*"]

"#;

const BIRCH: &str = r#"
[forces.birch]
name = "Birch"

[sources.birch_acme]
force = "birch"
system = "acme"
address = "file:drop/birch"

[sources.birch_beta]
force = "birch"
system = "beta"
address = "file:drop/badges"

[roles.birch]
forces = ["birch"]
tables = ["*"]

"#;

const PIPELINE: &str = r#"
description = "All of it."
sources = ["*"]
retries = 0

[fresh]
"conformed.widget" = "1 day"
"#;

const ACME: &str = r#"
system = "acme"
vendor = "Acme"

[entities.widget]
key = ["id"]
totals = ["price"]

[entities.widget.file]
match = "widget_*.csv"
format = "csv"
settle = "0s"

[entities.widget.columns]
id = { type = "text", required = true }
label = { type = "text" }
price = { type = "decimal(18,2)" }
made_on = { type = "date", format = "yyyy-MM-dd" }
stock = { type = "int" }
# Of other codes one finding tells.
code = { type = "text", map = { "2026-02-01" = "2026-02-01" } }
note = { type = "text" }
is_new = { type = "bool" }
seen_at = { type = "timestamp", format = "yyyy-MM-dd HH:mm:ss", zone = "UTC" }

[entities.part]
key = ["id"]

[entities.part.file]
match = "part_*.csv"
format = "csv"
settle = "0s"

[entities.part.columns]
id = { type = "text", required = true }
widget_id = { type = "text" }
cost = { type = "decimal(18,2)" }
amount = { type = "int" }
note = { type = "text" }
"#;

const BETA: &str = r#"
system = "beta"
vendor = "Beta"

[entities.badge]
key = ["id"]

[entities.badge.file]
match = "badge_*.csv"
format = "csv"
settle = "0s"

[entities.badge.columns]
id = { type = "text", required = true }
holder = { type = "text" }
"#;

const STAGED_WIDGET: &str = "/*\nOne row per widget.\ngrain: widget_id\n*/\nselect id as widget_id, label, price, \
    made_on, stock, code, note, is_new, seen_at\nfrom raw.widget\n";

const STAGED_PART: &str = "/*\nOne row per part.\ngrain: part_id\n*/\nselect id as part_id, widget_id, cost, amount, \
    note\nfrom raw.part\n";

const STAGED_BADGE: &str =
    "/*\nOne row per badge.\ngrain: badge_id\n*/\nselect id as badge_id, holder\nfrom raw.badge\n";

const WIDGET: &str = r#"/*
One row per widget.
grain: force, widget_id
scope: force
columns:
  widget_id: the number on the box
checks:
  unique: force, widget_id
  accept cheap: price < 30  (warn)
  not_null: label  (warn)
  accept stock: stock >= 0
*/
select widget_id, label, price, made_on, stock, code, note, is_new, seen_at
from staging.widget
"#;

const PART: &str = r#"/*
One row per part.
grain: force, part_id
scope: force
checks:
  unique: force, part_id
*/
select part_id, widget_id, cost, amount, note
from staging.part
"#;

const BADGE: &str = r#"/*
One row per badge.
grain: force, badge_id
scope: force
checks:
  unique: force, badge_id
*/
select badge_id, holder
from staging.badge
"#;

const SPEND: &str = r#"/*
One row per label.
grain: force, label
scope: force
checks:
  unique: force, label
*/
select
    coalesce(label, 'none') as label,
    count(*) as widgets,
    cast(sum(price) as decimal(18, 2)) as price
from conformed.widget
group by coalesce(label, 'none')
"#;

const LEAGUE: &str = r#"/*
Widgets by force.
grain: home
scope: hub
checks:
  unique: home
*/
select force as home, count(*) as widgets
from conformed.widget
group by force
"#;
