//! Pulling a source that forgets what it has answered: what it gave is landed before it is asked
//! again, and it is asked once.

use super::entity::{Pulled, landing_of, place};
use super::pull::Pull;
use crate::connector::contract::Contract;
use crate::connector::{self, Heard, Session, Span};
use crate::error::{Error, Result};
use crate::lake::raw::{self, Place};
use crate::landing::{self, Spool, Spooled, Task};
use crate::project::Source;
use chrono::SecondsFormat;
use tracing::Instrument;

/// Lands what waits of a queue, then what it gives now.
pub(super) async fn pull(
    pull: &Pull<'_>,
    source: &Source,
    contract: &Contract,
    session: &mut Session,
) -> Result<Pulled> {
    let place = place(source, contract);
    let at = format!("{}.{}", source.name, contract.entity);
    let Some(spool) = Spool::open(&pull.hub.lake, &place)? else {
        return Err(Error::source("another process is reading a queue of this source")
            .at(&at)
            .hint("a queue has one reader at a time; a later pull takes what comes next"));
    };
    let queue = Queue { pull, source, contract, place: &place, spool: &spool };
    let mut pulled = Pulled::default();
    for spooled in spool.interrupted()? {
        match connector::heard(contract, spooled.path())? {
            Heard::Broken(_) => queue.set_aside(&mut pulled, spooled)?,
            Heard::Rows | Heard::Nothing => _ = spool.complete(spooled)?,
        }
    }
    for spooled in spool.waiting()? {
        match connector::heard(contract, spooled.path())? {
            Heard::Broken(_) => queue.set_aside(&mut pulled, spooled)?,
            heard => queue.land(&mut pulled, spooled, heard).await?,
        }
    }
    let bytes = session.ask(contract, &Span::Whole).await?;
    let spooled = spool.receive(bytes).await?;
    match connector::heard(contract, spooled.path())? {
        Heard::Broken(error) => {
            let name = spool.set_aside(spooled)?.name();
            Err(Error::contract(error.to_string()).at(at).hint(format!(
                "what the queue gave is kept as {name} in the lake; {}",
                error.advice().unwrap_or("see it")
            )))
        }
        heard => {
            queue.land(&mut pulled, spooled, heard).await?;
            Ok(pulled)
        }
    }
}

/// One queue while it is pulled.
struct Queue<'a> {
    pull: &'a Pull<'a>,
    source: &'a Source,
    contract: &'a Contract,
    place: &'a Place,
    spool: &'a Spool,
}

impl Queue<'_> {
    /// Lands an answer in a load of its own; then it need not wait any longer.
    async fn land(&self, pulled: &mut Pulled, spooled: Spooled, heard: Heard) -> Result<()> {
        let Self { pull, source, contract, place, spool } = *self;
        let lake = &pull.hub.lake;
        let name = spooled.name();
        let landed = raw::loads(lake, place, None).await?;
        // Whoever landed it died before it could be forgotten.
        let is_landed = landed.iter().any(|load| load.file.as_deref() == Some(name.as_str()));
        if matches!(heard, Heard::Rows) && !is_landed {
            let file = spool.file(lake, place, &spooled)?;
            let extract = connector::read_file(source, contract, &file)?;
            let covers = landing::covered(&contract.mode, &file.name);
            let task =
                Task { place, contract, covers, file: Some(&file), accept_drop: pull.wish.accept_drop };
            pulled.add(landing::land(lake, task, extract).instrument(landing_of(place)).await?);
        }
        spool.done(spooled)
    }

    /// Lays an answer aside that is cut or cannot be read, and says so.
    fn set_aside(&self, pulled: &mut Pulled, spooled: Spooled) -> Result<()> {
        let asked_at = spooled.asked_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let name = self.spool.set_aside(spooled)?.name();
        let note =
            format!("what the queue gave at {asked_at} cannot be read; it is kept as {name} in the lake");
        let Place { force, source, .. } = self.place;
        tracing::error!(force, source, note, "an answer of a queue was laid aside");
        pulled.notes.push(note);
        Ok(())
    }
}
