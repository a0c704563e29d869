//! `muster init`.
use crate::error::{Error, Result};

/// Arguments of `muster init`.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) async fn run(_args: Args) -> Result<bool> {
    Err(Error::internal("not built yet"))
}
