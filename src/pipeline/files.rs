//! Pulling the files of an entity: which of them are news, and landing those.

use super::entity::{Pulled, landing_of, place};
use super::pull::Pull;
use crate::connector::contract::{Contract, Mode};
use crate::connector::{self, Listed, Session, SourceFile};
use crate::error::{Error, Kind, Result};
use crate::lake::raw::{self, Load, Place};
use crate::landing::{self, Covers, Landed, Task};
use crate::project::Source;
use tracing::Instrument;

/// Files of a log up to this size are landed together.
const SMALL_BYTES: u64 = 4 << 20;

/// How much of them at most, in bytes and in files: their keys are in memory.
const MOST_BYTES: u64 = 32 << 20;
const MOST_FILES: usize = 1000;

/// Lands those of `files` that are news, in their order.
pub(super) async fn pull(
    pull: &Pull<'_>,
    source: &Source,
    contract: &Contract,
    session: &mut Session,
    files: Vec<Listed>,
) -> Result<Pulled> {
    let place = place(source, contract);
    let mut loads = raw::loads(&pull.hub.lake, &place, None).await?;
    // A replay lands rows of files that were landed before: it is no news of any.
    loads.retain(|load| load.sha256.is_some());
    let mut intake = Intake {
        pull,
        source,
        contract,
        place,
        loads,
        waiting: Vec::new(),
        waiting_bytes: 0,
        pulled: Pulled::default(),
        refused: None,
    };
    for file in files {
        if let Err(error) = intake.take(session, file).await {
            // What has come whole is not to wait for what does not come.
            intake.land_waiting().await;
            return Err(error);
        }
    }
    intake.land_waiting().await;
    intake.refused.map_or(Ok(intake.pulled), Err)
}

/// The files of one pull of an entity on their way into raw.
struct Intake<'a> {
    pull: &'a Pull<'a>,
    source: &'a Source,
    contract: &'a Contract,
    place: Place,
    /// What has been landed, newest first.
    loads: Vec<Load>,
    /// Small files of a log that wait for more of them.
    waiting: Vec<SourceFile>,
    waiting_bytes: u64,
    pulled: Pulled,
    /// Why the first file that could not be landed was not.
    refused: Option<Error>,
}

impl Intake<'_> {
    async fn take(&mut self, session: &mut Session, listed: Listed) -> Result<()> {
        if seen(&listed, self.contract, &self.loads) {
            return Ok(());
        }
        let bytes = session.fetch(self.contract, &listed).await?;
        let file = landing::keep(&self.pull.hub.lake, &self.place, &listed, bytes).await?;
        // Whether a copy is news depends on what becomes of the other one.
        if self.waiting.iter().any(|other| other.sha256 == file.sha256) {
            self.land_waiting().await;
        }
        match news(&file, self.contract, &self.loads)? {
            News::Known => return Ok(()),
            News::Past(note) => {
                tracing::warn!(
                    force = self.place.force,
                    source = self.place.source,
                    note,
                    "file passed over"
                );
                self.pulled.notes.push(note);
                return Ok(());
            }
            News::New => {}
        }
        let is_new = || self.loads.iter().all(|load| load.file.as_deref() != Some(file.name.as_str()));
        if matches!(self.contract.mode, Mode::Log(_)) && listed.size <= SMALL_BYTES && is_new() {
            self.waiting.push(file);
            self.waiting_bytes += listed.size;
            if self.waiting.len() == MOST_FILES || self.waiting_bytes >= MOST_BYTES {
                self.land_waiting().await;
            }
            return Ok(());
        }
        self.land_waiting().await;
        self.land(&file).await;
        Ok(())
    }

    /// Lands the files that wait in one commit, or one by one where that is not possible.
    async fn land_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        if let [file] = waiting.as_slice() {
            return self.land(file).await;
        }
        let tasks: Vec<Task<'_>> = waiting.iter().map(|file| self.task(file)).collect();
        let open = |file: &SourceFile| connector::read_file(self.source, self.contract, file);
        let landed = landing::land_together(&self.pull.hub.lake, &tasks, open);
        match Box::pin(landed).instrument(landing_of(&self.place)).await {
            Ok(Some(loads)) => {
                for load in loads {
                    self.landed(Landed::Load(Box::new(load)), Covers::New);
                }
            }
            // One file's fault keeps none of the others out.
            Ok(None) => self.land_each(&waiting).await,
            Err(error) if matches!(error.kind(), Kind::Source | Kind::Contract) => {
                tracing::info!(source = self.source.name, %error, "the files are landed one by one");
                self.land_each(&waiting).await;
            }
            Err(error) => self.refuse(error),
        }
    }

    async fn land_each(&mut self, files: &[SourceFile]) {
        for file in files {
            self.land(file).await;
        }
    }

    async fn land(&mut self, file: &SourceFile) {
        let task = self.task(file);
        let landed = async {
            let extract = connector::read_file(self.source, self.contract, file)?;
            landing::land(&self.pull.hub.lake, task, extract).instrument(landing_of(&self.place)).await
        };
        match landed.await {
            Ok(landed) => self.landed(landed, landing::covered(&self.contract.mode, &file.name)),
            Err(error) => self.refuse(error),
        }
    }

    fn task<'f>(&'f self, file: &'f SourceFile) -> Task<'f> {
        Task {
            place: &self.place,
            contract: self.contract,
            covers: landing::covered(&self.contract.mode, &file.name),
            file: Some(file),
            accept_drop: self.pull.wish.accept_drop,
        }
    }

    fn landed(&mut self, landed: Landed, covers: Covers<'_>) {
        // A file that shows all of its source makes up for those before it.
        if covers == Covers::Whole {
            self.refused = None;
        }
        self.loads.splice(0..0, self.pulled.add(landed));
    }

    fn refuse(&mut self, error: Error) {
        self.refused.get_or_insert(error);
    }
}

/// Whether the file was landed under this contract and has not been touched since.
fn seen(file: &Listed, contract: &Contract, loads: &[Load]) -> bool {
    let of_name = loads.iter().find(|load| load.file.as_deref() == Some(file.name.as_str()));
    of_name.is_some_and(|load| {
        load.tag.as_deref() == Some(file.tag.as_str())
            && !file.tag.is_empty()
            && (load.contract == contract.fingerprint() || is_past(contract, load, loads))
    })
}

/// Whether a later load stands for all that this one said.
fn is_past(contract: &Contract, load: &Load, loads: &[Load]) -> bool {
    let whole = landing::covered(&contract.mode, "") == Covers::Whole;
    whole && loads.first().is_some_and(|newest| newest.load > load.load)
}

/// What a file is, compared with what has been landed.
enum News {
    /// Not landed yet.
    New,
    /// What raw holds, or a state that has been passed.
    Known,
    /// An older state that was never landed and would bring back the past.
    Past(String),
}

fn news(file: &SourceFile, contract: &Contract, loads: &[Load]) -> Result<News> {
    let same = |load: &&Load| load.sha256.as_deref() == Some(file.sha256.as_str());
    let current = contract.fingerprint();
    if let Mode::Log(_) = contract.mode {
        // The same bytes under another name are a copy, and a row is counted once.
        let of_name = loads.iter().find(|load| load.file.as_deref() == Some(file.name.as_str()));
        let known = of_name.map_or_else(|| loads.iter().find(same), |load| Some(load).filter(same));
        return Ok(match known {
            Some(load) if load.contract == current || of_name.is_none() => News::Known,
            Some(_) | None => News::New,
        });
    }
    let Some(last) = loads.first() else { return Ok(News::New) };
    let newest = last.file.as_deref().unwrap_or_default();
    let order = connector::file_order(contract, &file.name)?;
    // What was landed under another order, or from a table, is not later than anything.
    let is_older = connector::file_order(contract, newest).is_ok_and(|newest| order < newest);
    Ok(match is_older {
        true if loads.iter().any(|load| same(&load)) => News::Known,
        true => News::Past(format!("file \"{}\" is older than \"{newest}\", which is landed", file.name)),
        // A corrected contract reads the same bytes anew.
        false if same(&last) && last.contract == current => News::Known,
        false => News::New,
    })
}
