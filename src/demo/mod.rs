//! A generated estate: three forces and their nine legacy systems, or many more bodies with one of
//! every system that the hub knows; and the truth about them.
//!
//! A world of people, invoices and duties is made first; each system then writes down its part of
//! it in its own layout, with the faults such systems have; and the truth is computed from the
//! world, never by the engine that it will be compared with. The same staff and seed give the
//! same estate on every machine.

mod absences;
mod calendar;
mod duty;
mod finance;
mod force;
mod full;
mod ledger;
mod moved;
mod names;
mod people;
mod posts;
mod project;
pub mod rest;
mod server;
mod service;
mod truth;
mod world;
mod write;

pub use crate::demo::server::{PASSWORD, Server};

use crate::demo::duty::Event;
use crate::demo::force::{FORCES, Force};
use crate::demo::project::Body;
use crate::demo::truth::{Facts, Tally};
use crate::demo::world::Identity;
use crate::demo::write::Duties;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// How many bodies an estate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Three forces, each with an HR, a finance and a duty system.
    #[default]
    Forces,
    /// Beside them a force that replaced its finance system in the middle of a year, a government
    /// department that did, and ten councils on one contact centre system: every system that the
    /// hub knows at least once, some of them over REST.
    Full,
}

/// An estate of forces and other bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estate {
    /// How many bodies there are.
    pub extent: Extent,
    /// How many people serve in the three forces on the census day; at least 200, so that every
    /// planted fault has a place.
    pub staff: usize,
    /// What makes one estate differ from another of the same size.
    pub seed: u64,
}

/// What an estate is beside its data: where it will be served, and who may ask.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The address of the hub.
    pub flight: &'a str,
    /// The address of the systems that speak REST, see [`rest::serve`].
    pub rest: &'a str,
    /// The password of each user in PHC form; users without one are left out.
    pub password_hashes: &'a BTreeMap<String, String>,
    /// Where the systems that are databases are made; otherwise they are SQLite files.
    pub server: Option<&'a Server>,
}

/// As many staff as the three forces really have officers for.
impl Default for Estate {
    fn default() -> Self {
        Self { extent: Extent::Forces, staff: 8_000, seed: 1 }
    }
}

impl Estate {
    /// The users of the estate: the hub's own, and one for each body.
    pub fn users(&self) -> Vec<&'static str> {
        std::iter::once("hub").chain(self.bodies().iter().map(|body| body.code)).collect()
    }

    fn bodies(&self) -> Vec<Body> {
        let forces = FORCES.iter().map(Body::from);
        match self.extent {
            Extent::Forces => forces.collect(),
            Extent::Full => forces.chain(full::bodies()).collect(),
        }
    }

    /// Writes `muster.toml`, the systems and `truth.json` into `dir`, replacing what is there.
    pub async fn write(&self, dir: &Path, setting: Setting<'_>) -> Result<()> {
        if self.staff < 200 {
            let error = Error::config(format!("an estate of {} staff is too small", self.staff));
            return Err(error.hint("use at least 200"));
        }
        std::fs::create_dir_all(dir).map_err(|e| failed(dir, e))?;
        // The largest force beside the other two: about the same work on each of two cores.
        let ((beds, cambs), herts) =
            tokio::try_join!(self.forces(dir, &FORCES[0], &FORCES[1]), self.force(dir, &FORCES[2]))?;
        let mut facts = vec![beds, cambs, herts];
        let mut sources: Vec<project::Source> = FORCES.iter().flat_map(project::sources).collect();
        let mut questions = truth::of_people(&facts);
        let name = match self.extent {
            Extent::Forces => "Bedfordshire, Cambridgeshire and Hertfordshire",
            Extent::Full => "Three forces and their neighbours",
        };
        if self.extent == Extent::Full {
            let (estate, place, rest) = (*self, dir.to_path_buf(), setting.rest.to_string());
            let written = move || full::write(&estate, &place, &rest, facts);
            let more = tokio::task::spawn_blocking(written).await;
            let more =
                more.map_err(|e| Error::internal("generating the full estate stopped").because(e))??;
            facts = more.facts;
            // Answers are listed in the order of the forces' codes.
            facts.sort_by_key(|f| f.force.code);
            sources.extend(more.sources);
            questions.extend(more.questions);
        }
        questions.extend(truth::of_finances(&facts));
        if let Some(server) = setting.server {
            for source in &mut sources {
                source.move_to(server, dir).await?;
            }
        }
        let manifest =
            project::manifest(name, setting.flight, &self.bodies(), &sources, setting.password_hashes);
        save(&dir.join("muster.toml"), &manifest)?;
        save(&dir.join("truth.json"), &truth::json(&questions)?)
    }

    async fn forces(&self, dir: &Path, one: &'static Force, other: &'static Force) -> Result<(Facts, Facts)> {
        Ok((self.force(dir, one).await?, self.force(dir, other).await?))
    }

    async fn force(&self, dir: &Path, force: &'static Force) -> Result<Facts> {
        let (estate, dir) = (*self, dir.join("systems").join(force.code));
        tokio::task::spawn_blocking(move || estate.generate(&dir, force))
            .await
            .map_err(|e| Error::internal(format!("generating force '{}' stopped", force.code)).because(e))?
    }

    /// Makes the world of one force and writes its systems below `dir`.
    fn generate(&self, dir: &Path, force: &'static Force) -> Result<Facts> {
        let Self { staff, seed, .. } = *self;
        let shared: Vec<Identity> = people::shared(staff, seed)
            .into_iter()
            .filter(|(forces, _)| forces.contains(&force.index))
            .map(|(_, identity)| identity)
            .collect();
        let people = people::people(force, staff, seed, &shared);
        let ledger = finance::finances(force, staff, seed);
        let mut received = vec![write::people(force, &people, dir)?, write::ledger(force, &ledger, dir)?];
        let mut duties = Duties::open(force, dir)?;
        let mut tally = Tally::default();
        duty::duties(force, &people, seed, &mut |event| match event {
            Event::Holder(holder) => duties.holder(&holder),
            Event::Shift(shift) => {
                tally.shift(&people, &shift);
                duties.shift(&shift)
            }
            Event::Claim(claim) => {
                tally.claim(&people, &claim);
                duties.claim(&claim)
            }
        })?;
        received.push(duties.finish()?);
        let sources = project::sources(force).map(|source| source.name);
        let received = sources.into_iter().zip(received).collect();
        Ok(Facts { force, people, ledger, duty: tally, received })
    }
}

fn save(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|e| failed(path, e))
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::internal(format!("cannot write '{}'", path.display())).because(error)
}

#[cfg(test)]
mod tests;
