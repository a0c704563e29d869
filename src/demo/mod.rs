//! A generated estate: three forces, their nine legacy systems, and the truth about them.
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
mod ledger;
mod names;
mod people;
mod posts;
mod project;
mod server;
mod truth;
mod world;
mod write;

pub use crate::demo::server::{PASSWORD, Server};

use crate::demo::duty::Event;
use crate::demo::force::{FORCES, Force};
use crate::demo::truth::{Facts, Tally};
use crate::demo::world::Identity;
use crate::demo::write::Duties;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// The estate of three forces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estate {
    /// How many people serve in the three forces on the census day; at least 200, so that every
    /// planted fault has a place.
    pub staff: usize,
    /// What makes one estate differ from another of the same size.
    pub seed: u64,
}

/// As many staff as the three forces really have officers for.
impl Default for Estate {
    fn default() -> Self {
        Self { staff: 8_000, seed: 1 }
    }
}

impl Estate {
    /// Writes `muster.toml`, the systems and `truth.json` into `dir`, replacing what is there.
    ///
    /// `flight` is the address to serve at. `password_hashes` gives each of the users `hub`,
    /// `beds`, `cambs` and `herts` a password in PHC form; users without one are left out. With a
    /// `server` the systems that are databases are made there, otherwise as SQLite files.
    pub async fn write(
        &self,
        dir: &Path,
        flight: &str,
        password_hashes: &BTreeMap<String, String>,
        server: Option<&Server>,
    ) -> Result<()> {
        if self.staff < 200 {
            let error = Error::config(format!("an estate of {} staff is too small", self.staff));
            return Err(error.hint("use at least 200"));
        }
        std::fs::create_dir_all(dir).map_err(|e| failed(dir, e))?;
        // The largest force beside the other two: about the same work on each of two cores.
        let ((beds, cambs), herts) =
            tokio::try_join!(self.forces(dir, &FORCES[0], &FORCES[1]), self.force(dir, &FORCES[2]))?;
        let truth = truth::questions(&[beds, cambs, herts]);
        let mut sources: Vec<project::Source> = FORCES.iter().flat_map(project::sources).collect();
        if let Some(server) = server {
            for source in &mut sources {
                source.move_to(server, dir).await?;
            }
        }
        save(&dir.join("muster.toml"), &project::manifest(flight, &sources, password_hashes))?;
        save(&dir.join("truth.json"), &truth::json(&truth)?)
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
        let Self { staff, seed } = *self;
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
