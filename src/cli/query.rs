//! `muster query`.
use crate::error::{Error, Result};
use std::path::Path;

/// Arguments of `muster query`.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) async fn run(_project: &Path, _args: Args) -> Result<bool> {
    Err(Error::internal("not built yet"))
}
