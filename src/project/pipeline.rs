//! `pipelines/<name>.toml` → [`Pipeline`]: what runs together, when, and who is told.

use super::problem::{Doc, Found};
use super::reader::{self, SPAN, Section, Text, Value};
use super::{Secret, Setting, Source, TlsMode, secret};
use crate::error::known;
use crate::model::{Model, graph};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use url::Url;

/// What runs together.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The file's name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The sources to pull, by name.
    pub sources: Vec<String>,
    /// The models to build and all that they need, as `layer.name`; empty: every model.
    pub build: Vec<String>,
    /// When it runs by itself; `None`: only when somebody asks.
    pub schedule: Option<Schedule>,
    /// How often a step that fails is tried again within the run.
    pub retries: u32,
    /// The longest time of a run; `None`: no limit.
    pub timeout: Option<Duration>,
    /// The longest time of a step; `None`: no limit but the run's.
    pub step_timeout: Option<Duration>,
    /// How many forces are worked on at once.
    pub parallel: usize,
    /// How old a dataset's newest data may be, by `layer.name`; older data is late.
    pub fresh: BTreeMap<String, Duration>,
    /// Who is told when something is wrong.
    pub alarm: Option<Alarm>,
}

/// When a pipeline runs by itself.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

impl Schedule {
    /// Reads a cron expression of five fields for the clocks of `zone`; what is wrong with it in words.
    pub fn new(cron: &str, zone: Tz) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(cron).map_err(|error| error.to_string())?;
        let schedule = Self { cron, zone };
        match schedule.after(Utc::now()) {
            Some(_) => Ok(schedule),
            None => Err("no day is ever like this".into()),
        }
    }

    /// The first slot after an instant; `None`: there is none any more.
    ///
    /// A time of day that the clocks jump over is taken right after the jump, one that they show
    /// twice is taken the first time. An expression of several hours or minutes follows the clock:
    /// what is jumped over does not happen, what is shown twice happens twice.
    pub fn after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.cron.find_next_occurrence(&at.with_timezone(&self.zone), false);
        next.ok().map(|next| next.with_timezone(&Utc))
    }

    /// The last slot before an instant, by the same rule; `None`: there was none.
    pub fn before(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let last = self.cron.find_previous_occurrence(&at.with_timezone(&self.zone), false);
        last.ok().map(|last| last.with_timezone(&Utc))
    }
}

/// The expression and its zone.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.cron.pattern, self.zone)
    }
}

/// Who is told when something is wrong.
#[derive(Debug, Clone)]
pub struct Alarm {
    /// The address that alarms are posted to.
    pub webhook: Setting,
    /// The value of the header `authorization`.
    pub authorization: Option<Secret>,
    /// What is worth an alarm.
    pub on: BTreeSet<Occasion>,
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// A run ended without a release.
    Failed,
    /// A run left some sources or forces at their last good data.
    Partial,
    /// A dataset is older than `fresh` allows.
    Late,
    /// A slot passed while nobody was there to run it.
    Missed,
}

impl Occasion {
    /// Every occasion.
    pub const ALL: [Occasion; 4] = [Occasion::Failed, Occasion::Partial, Occasion::Late, Occasion::Missed];

    /// The word in definitions and alarms.
    pub fn word(self) -> &'static str {
        match self {
            Occasion::Failed => "failed",
            Occasion::Partial => "partial",
            Occasion::Late => "late",
            Occasion::Missed => "missed",
        }
    }
}

/// What a pipeline speaks of.
pub(super) struct Parts<'a> {
    pub(super) dir: &'a Path,
    pub(super) sources: &'a BTreeMap<String, Source>,
    /// In dependency order.
    pub(super) models: &'a [Model],
}

/// The pipeline that `doc` describes; what is wrong with it is in `found`.
pub(super) fn check(name: &str, doc: &Doc, parts: &Parts<'_>, found: &Found) -> Pipeline {
    let mut doc = doc.clone();
    secret::hide(&mut doc);
    reader::read(&doc, found, |mut root| {
        let description = root.required("description", "\"every source, every night\"");
        let (timeout, step_timeout) = (root.limit("timeout"), root.limit("step_timeout"));
        if let (Some(run), Some(step)) = (timeout, step_timeout)
            && step > run
        {
            root.problem(root.place("step_timeout"), "a step may take longer than its run", ());
        }
        let pipeline = Pipeline {
            name: name.into(),
            description: description.map_or("", |d| d.value).into(),
            sources: sources(name, &mut root, parts.sources),
            build: build(&mut root, parts.models),
            schedule: root.section("schedule").and_then(schedule),
            retries: at_most(&mut root, "retries", "retries", 10).unwrap_or(2),
            timeout,
            step_timeout,
            parallel: parallel(&mut root),
            fresh: root.section("fresh").map(|section| fresh(section, parts.models)).unwrap_or_default(),
            alarm: root.section("alarm").and_then(|section| alarm(parts.dir, section)),
        };
        root.finish();
        pipeline
    })
}

fn sources(name: &str, root: &mut Section<'_>, sources: &BTreeMap<String, Source>) -> Vec<String> {
    let given = root.texts("sources");
    if !root.has("sources") {
        root.wrong(format!("pipeline \"{name}\" has no sources"), "sources = [\"*\"] or a list of names");
    }
    for source in given.iter().filter(|s| s.value != "*" && !sources.contains_key(s.value)) {
        let hint = known("sources", source.value, sources.keys().map(String::as_str));
        root.problem(source.span.clone(), format!("unknown source \"{}\"", source.value), hint);
    }
    match given.iter().any(|source| source.value == "*") {
        true => sources.keys().cloned().collect(),
        false => given.iter().map(|source| source.value.into()).collect(),
    }
}

/// The models that a list of names and patterns (`*`, `marts.*`) asks for, with what they read.
fn build(root: &mut Section<'_>, models: &[Model]) -> Vec<String> {
    let tables: Vec<String> = models.iter().map(Model::table).collect();
    let patterns = root.texts("build");
    if root.has("build") && patterns.is_empty() {
        root.problem(root.place("build"), "nothing would be built", "\"muster pull\" pulls without building");
    }
    let mut wanted = BTreeSet::new();
    for pattern in patterns {
        let fits = |table: &&String| match pattern.value.strip_suffix('*') {
            Some(start) => (start.is_empty() || start.ends_with('.')) && table.starts_with(start),
            None => **table == pattern.value,
        };
        let before = wanted.len();
        wanted.extend(tables.iter().filter(fits));
        if wanted.len() == before && !tables.iter().any(|table| fits(&table)) {
            unknown_model(root, &pattern, &tables);
        }
    }
    let reads =
        models.iter().map(|model| (model.table(), model.looks_into().into_iter().collect())).collect();
    let needed = |table: &&String| wanted.iter().any(|from| graph::reaches(&reads, from, table));
    let needed: Vec<String> = tables.iter().filter(needed).cloned().collect();
    if needed.len() == tables.len() { Vec::new() } else { needed }
}

fn unknown_model(section: &Section<'_>, name: &Text<'_>, tables: &[String]) {
    let hint = known("models", name.value, tables.iter().map(String::as_str));
    section.problem(name.span.clone(), format!("there is no model \"{}\"", name.value), hint);
}

fn schedule(mut section: Section<'_>) -> Option<Schedule> {
    let cron = section.required("cron", "\"0 2 * * *\"");
    let zone = section.required("zone", "\"Europe/London\"");
    let zone = zone.and_then(|zone| match zone.value.parse::<Tz>() {
        Ok(zone) => Some(zone),
        Err(_) => {
            let message = format!("unknown time zone \"{}\"", zone.value);
            let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
            section.problem(zone.span, message, known("zones", zone.value, names));
            None
        }
    });
    let schedule = cron.and_then(|cron| match Schedule::new(cron.value, zone.unwrap_or(Tz::UTC)) {
        Ok(schedule) => Some(schedule),
        Err(why) => {
            let hint = "minute, hour, day, month and weekday, for example \"0 2 * * *\" or \"*/15 6-22 * * mon-fri\"";
            section.problem(cron.span, format!("not a cron expression: {why}"), hint);
            None
        }
    });
    section.finish();
    schedule
}

fn parallel(root: &mut Section<'_>) -> usize {
    let given = at_most(root, "parallel", "forces at once", 64);
    if given == Some(0) {
        root.problem(root.place("parallel"), "no force would ever be worked on", "1 or more");
    }
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    given.map_or_else(cores, |given| given.max(1) as usize)
}

fn at_most(root: &mut Section<'_>, key: &'static str, noun: &str, most: u32) -> Option<u32> {
    let given = root.number(key)?;
    if given > most {
        root.problem(root.place(key), format!("{given} {noun} are too many"), format!("{most} at most"));
    }
    Some(given)
}

fn fresh(mut section: Section<'_>, models: &[Model]) -> BTreeMap<String, Duration> {
    let tables: Vec<String> = models.iter().map(Model::table).collect();
    let mut fresh = BTreeMap::new();
    for (name, value) in section.all(SPAN) {
        if !tables.iter().any(|table| table == name.value) {
            unknown_model(&section, &name, &tables);
        }
        let age = match &value {
            Value::Text(text) => humantime::parse_duration(text.value).ok(),
            Value::Table(_) => None,
        };
        match age {
            Some(age) => _ = fresh.insert(name.value.to_string(), age),
            None => {
                let hint = "a name with a dot stands in quotes: \"marts.spend\" = \"26h\"";
                section.problem(name.span, format!("\"{}\" must be {SPAN}", name.value), hint);
            }
        }
    }
    fresh
}

fn alarm(dir: &Path, mut section: Section<'_>) -> Option<Alarm> {
    let webhook = match section.is_table("webhook") {
        true => secret::check(dir, &mut section, "webhook").map(Setting::Secret),
        false => section.required("webhook", "\"https://alarms.example/muster\"").map(|text| {
            webhook(&section, &text);
            Setting::Plain(text.value.into())
        }),
    };
    let authorization = secret::check(dir, &mut section, "authorization");
    let mut on = BTreeSet::new();
    for word in section.texts("on") {
        match Occasion::ALL.into_iter().find(|occasion| occasion.word() == word.value) {
            Some(occasion) => _ = on.insert(occasion),
            None => {
                let hint = known("occasions", word.value, Occasion::ALL.map(Occasion::word));
                section.problem(word.span, format!("unknown occasion \"{}\"", word.value), hint);
            }
        }
    }
    if !section.has("on") {
        on.extend(Occasion::ALL);
    }
    section.finish();
    Some(Alarm { webhook: webhook?, authorization, on })
}

/// An alarm says which force has trouble with which system: it leaves this machine encrypted.
fn webhook(section: &Section<'_>, text: &Text<'_>) {
    let url = Url::parse(text.value).ok();
    let fits = url.is_some_and(|url| match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => true,
        ("http", Some(host)) => TlsMode::default_for(host) == TlsMode::Off,
        _ => false,
    });
    if !fits {
        let hint =
            "for example \"https://alarms.example/muster\", or { env = \"…\" } when the address is a secret";
        section.problem(text.span.clone(), "not an address that alarms can be posted to", hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slots that follow, as UTC.
    fn slots(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::new(cron, zone.parse().unwrap()).unwrap();
        let mut at = from.parse::<DateTime<Utc>>().unwrap();
        let mut next = || {
            at = schedule.after(at).unwrap();
            at.format("%m-%d %H:%M").to_string()
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn a_time_that_is_jumped_over_is_taken_after_the_jump_and_one_shown_twice_once() {
        let london = |cron, from| slots(cron, "Europe/London", from, 3);
        // 01:00 becomes 02:00 on 29 March 2026.
        assert_eq!(
            london("30 1 * * *", "2026-03-28T00:00:00Z"),
            ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
        );
        assert_eq!(
            london("0 2 * * *", "2026-03-28T00:00:00Z"),
            ["03-28 02:00", "03-29 01:00", "03-30 01:00"]
        );
        // 02:00 becomes 01:00 on 25 October 2026.
        assert_eq!(
            london("30 1 * * *", "2026-10-24T00:00:00Z"),
            ["10-24 00:30", "10-25 00:30", "10-26 01:30"]
        );
        let sydney = |cron, from| slots(cron, "Australia/Sydney", from, 3);
        // 02:00 becomes 03:00 on 4 October 2026, and 03:00 becomes 02:00 on 5 April.
        assert_eq!(
            sydney("30 2 * * *", "2026-10-02T20:00:00Z"),
            ["10-03 16:00", "10-04 15:30", "10-05 15:30"]
        );
        assert_eq!(
            sydney("30 2 * * *", "2026-04-03T20:00:00Z"),
            ["04-04 15:30", "04-05 16:30", "04-06 16:30"]
        );
    }

    #[test]
    fn what_repeats_follows_the_clock() {
        let spring = slots("30 * * * *", "Europe/London", "2026-03-29T00:00:00Z", 3);
        assert_eq!(spring, ["03-29 00:30", "03-29 01:30", "03-29 02:30"]);
        let autumn = slots("30 * * * *", "Europe/London", "2026-10-24T23:00:00Z", 4);
        assert_eq!(autumn, ["10-24 23:30", "10-25 00:30", "10-25 01:30", "10-25 02:30"]);
    }

    #[test]
    fn expressions_that_never_come_are_refused() {
        for cron in ["0 0 30 2 *", "61 * * * *", "0 2 * *", "0 0 2 * * *", "", "nightly"] {
            assert!(Schedule::new(cron, Tz::UTC).is_err(), "{cron}");
        }
        assert_eq!(
            Schedule::new("0 2 * * MON", Tz::Europe__London).unwrap().to_string(),
            "0 2 * * 1 Europe/London"
        );
    }
}
