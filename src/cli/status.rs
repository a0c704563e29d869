//! `muster status`, `muster quarantine`, `muster releases`.
use crate::error::{Error, Result};
use std::path::Path;

/// Arguments of `muster status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {}
/// Arguments of `muster quarantine`.
#[derive(Debug, clap::Args)]
pub struct QuarantineArgs {}
/// Arguments of `muster releases`.
#[derive(Debug, clap::Args)]
pub struct ReleasesArgs {}

pub(super) async fn status(_project: &Path, _args: StatusArgs) -> Result<bool> {
    Err(Error::internal("not built yet"))
}
pub(super) async fn quarantine(_project: &Path, _args: QuarantineArgs) -> Result<bool> {
    Err(Error::internal("not built yet"))
}
pub(super) async fn releases(_project: &Path, _args: ReleasesArgs) -> Result<bool> {
    Err(Error::internal("not built yet"))
}
