//! `muster demo`.
use crate::error::{Error, Result};

/// Arguments of `muster demo`.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) async fn run(_args: Args) -> Result<bool> {
    Err(Error::internal("not built yet"))
}
