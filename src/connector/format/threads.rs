//! One thread cuts blocks, some read them, the caller takes the pages in the order of the file.

use crate::connector::format::Reader;
use crate::connector::format::blocks::{Block, Blocks};
use crate::connector::format::pages::{Page, Pages};
use crate::connector::rows::Sheet;
use crate::error::Result;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// How many blocks, and how many pages, wait for each reader.
const WAITING: usize = 1;

/// Some pages of a block, then `None` for its end.
type Pageful = Result<Option<Page>>;

/// Reads all `blocks`; `false` when `take` did not want more. Blocks are dealt in turn, and their
/// pages are collected in the same turn: that keeps the order.
pub(super) fn run(
    blocks: Blocks,
    readers: Vec<(Reader, Sheet)>,
    take: impl FnMut(Page) -> Result<bool>,
) -> Result<bool> {
    thread::scope(|scope| {
        let (mut inlets, mut outlets) = (Vec::new(), Vec::new());
        for (mut reader, mut sheet) in readers {
            let (inlet, blocks) = sync_channel(WAITING);
            let (pages, outlet) = sync_channel(WAITING);
            inlets.push(inlet);
            outlets.push(outlet);
            scope.spawn(move || read(&mut reader, &mut sheet, &blocks, &pages));
        }
        scope.spawn(move || deal(blocks, &inlets));
        // Whoever stops drops its ends of the channels, and so stops the others.
        collect(outlets, take)
    })
}

fn deal(mut blocks: Blocks, inlets: &[SyncSender<Result<Block>>]) {
    for inlet in inlets.iter().cycle() {
        let Some(next) = blocks.next().transpose() else { return };
        let is_last = next.is_err();
        if inlet.send(next).is_err() || is_last {
            return;
        }
    }
}

fn read(
    reader: &mut Reader,
    sheet: &mut Sheet,
    blocks: &Receiver<Result<Block>>,
    outlet: &SyncSender<Pageful>,
) {
    let mut send = |page| outlet.send(Ok(Some(page))).is_ok();
    let mut pages = Pages::new(sheet, &mut send);
    for block in blocks {
        let end = match block.and_then(|block| reader.read(block, &mut pages)) {
            Ok(true) => Ok(None),
            Ok(false) => return,
            Err(error) => Err(error),
        };
        if outlet.send(end).is_err() {
            return;
        }
    }
}

fn collect(outlets: Vec<Receiver<Pageful>>, mut take: impl FnMut(Page) -> Result<bool>) -> Result<bool> {
    for outlet in outlets.iter().cycle() {
        loop {
            match outlet.recv() {
                Ok(Ok(Some(page))) => {
                    if !take(page)? {
                        return Ok(false);
                    }
                }
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Err(error),
                // The one whose turn it is got no block: there are no more.
                Err(_) => return Ok(true),
            }
        }
    }
    Ok(true)
}
