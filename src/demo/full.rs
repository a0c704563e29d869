//! What the full estate has beside the three forces.

use crate::demo::Estate;
use crate::demo::calendar;
use crate::demo::force::{CHESHIRE, CHESHIRE_SINCE, HOME_OFFICE, HOME_OFFICE_SINCE};
use crate::demo::moved::{self, Move};
use crate::demo::project::{Body, Source, quoted};
use crate::demo::rest;
use crate::demo::service::{self, COUNCILS, WITH_JOBS};
use crate::demo::truth::{self, Facts, Question, Tally};
use crate::demo::world::People;
use crate::demo::write::{
    abavus, air_approvals, fusion, lg45, oracle_ebs, planning, proactis, published, unit4,
};
use crate::error::Result;
use std::path::{Path, PathBuf};

/// The day on which Cheshire's new finance system took over, in the middle of a financial year.
const CHESHIRE_MOVED: (i32, u32, u32) = (2025, 10, 1);

/// The day on which Metis took over from Adelphi.
const METIS_BEGAN: (i32, u32, u32) = (2025, 4, 1);

/// What was written.
pub(super) struct More {
    /// The facts of all bodies with finances, the three forces first.
    pub(super) facts: Vec<Facts>,
    /// The further sources.
    pub(super) sources: Vec<Source>,
    /// The further questions.
    pub(super) questions: Vec<Question>,
}

/// The further bodies.
pub(super) fn bodies() -> impl Iterator<Item = Body> {
    [&CHESHIRE, &HOME_OFFICE].map(Body::from).into_iter().chain(COUNCILS.iter().map(Body::from))
}

/// Writes the systems below `dir`; those that speak REST are at `rest`.
pub(super) fn write(estate: &Estate, dir: &Path, rest: &str, mut facts: Vec<Facts>) -> Result<More> {
    let mut sources = Vec::new();
    let mut questions = Vec::new();
    facts.push(cheshire(estate, dir, &mut sources)?);
    facts.push(home_office(estate, dir, &mut sources)?);
    let requests = service::requests(estate.staff, estate.seed);
    councils(&requests, dir, rest, &mut sources)?;
    questions.extend(truth::of_services(&requests));
    let beds = &mut facts[0];
    let name = "beds_air_approvals";
    let received = air_approvals::write(&beds.ledger, &systems(dir, "beds").join("air_approvals.db"))?;
    beds.received.push((name.into(), received));
    sources.push(Source::new(
        name.into(),
        "beds",
        "air_approvals",
        "sqlite:systems/beds/air_approvals.db".into(),
    ));
    questions.extend(truth::of_approvals(&facts[0]));
    let cambs = &mut facts[1];
    let name = "cambs_collaborative_planning";
    let folder = systems(dir, "cambs").join("collaborative_planning");
    cambs.received.push((name.into(), planning::write(&cambs.ledger, &folder)?));
    let address = "file:systems/cambs/collaborative_planning".into();
    sources.push(Source::new(name.into(), "cambs", "collaborative_planning", address));
    questions.extend(truth::of_budgets(&facts[1]));
    // What a council publishes has suppliers and amounts like those of any ledger.
    let ledger = &facts[2].ledger;
    published::write(ledger, &systems(dir, "staffordshire").join("spend_over_500"))?;
    let address = "file:systems/staffordshire/spend_over_500".into();
    sources.push(Source::new("staffordshire_spend".into(), "staffordshire", "spend_over_500", address));
    questions.extend(truth::of_published(ledger));
    Ok(More { facts, sources, questions })
}

/// The folder of a body's systems.
fn systems(dir: &Path, body: &str) -> PathBuf {
    dir.join("systems").join(body)
}

/// Cheshire: Oracle until October 2025, Unit4 since then, and Proactis in front of the latter.
fn cheshire(estate: &Estate, dir: &Path, sources: &mut Vec<Source>) -> Result<Facts> {
    let (year, month, day) = CHESHIRE_MOVED;
    let moved = Move { force: CHESHIRE, then: CHESHIRE_SINCE, on: calendar::day(year, month, day) };
    let [old, new] = moved.parts(estate.staff, estate.seed);
    let new = unit4::told(new);
    let folder = systems(dir, CHESHIRE.code);
    let written = [
        ("oracle_ebs", oracle_ebs::write(&CHESHIRE, &old, &folder)?),
        ("unit4", unit4::write(&new, &folder.join("unit4"))?),
        ("proactis", proactis::write(&new, &folder.join("proactis"))?),
    ];
    let mut received = Vec::new();
    for (system, entities) in written {
        let name = format!("cheshire_{system}");
        let address = format!("file:systems/cheshire/{system}");
        sources.push(Source::new(name.clone(), CHESHIRE.code, system, address));
        received.push((name, entities));
    }
    let (people, duty) = (People::default(), Tally::default());
    Ok(Facts { force: &CHESHIRE, people, ledger: moved::joined([old, new]), duty, received })
}

/// The Home Office: Adelphi until April 2025, Metis since then.
fn home_office(estate: &Estate, dir: &Path, sources: &mut Vec<Source>) -> Result<Facts> {
    let (year, month, day) = METIS_BEGAN;
    let moved = Move { force: HOME_OFFICE, then: HOME_OFFICE_SINCE, on: calendar::day(year, month, day) };
    let [old, new] = moved.parts(estate.staff, estate.seed);
    let new = fusion::told(new);
    let folder = systems(dir, HOME_OFFICE.code);
    let written = [
        ("oracle_ebs", oracle_ebs::write(&HOME_OFFICE, &old, &folder)?),
        ("oracle_fusion", fusion::write(&new, &folder.join("oracle_fusion"))?),
    ];
    let mut received = Vec::new();
    for (system, entities) in written {
        let name = format!("home_office_{system}");
        let address = format!("file:systems/home_office/{system}");
        sources.push(Source::new(name.clone(), HOME_OFFICE.code, system, address));
        received.push((name, entities));
    }
    let (people, duty) = (People::default(), Tally::default());
    Ok(Facts { force: &HOME_OFFICE, people, ledger: moved::joined([old, new]), duty, received })
}

/// The councils: each sees its own cases of the contact centre; one has its jobs elsewhere.
fn councils(requests: &[service::Request], dir: &Path, rest: &str, sources: &mut Vec<Source>) -> Result<()> {
    for (position, council) in COUNCILS.iter().enumerate() {
        lg45::write(position, requests, &systems(dir, council.code).join("lg45"))?;
        let address = format!("file:systems/{}/lg45", council.code);
        sources.push(Source::new(format!("{}_lg45", council.code), council.code, "lg45", address));
    }
    abavus::write(requests, &dir.join(rest::FOLDER).join("abavus"))?;
    let code = COUNCILS[WITH_JOBS].code;
    let name = format!("{code}_abavus");
    let auth = format!(
        "\n[sources.{name}.auth]\nkind = \"api_key\"\nheader = \"iPublicKey\"\nkey = {{ file = {} }}\n",
        quoted(rest::KEY_FILE)
    );
    sources.push(Source::new(name, code, "abavus", format!("{rest}/abavus")).with(auth));
    Ok(())
}
