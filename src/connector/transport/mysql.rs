//! MySQL and MariaDB.

use crate::connector::contract::Contract;
use crate::connector::{Extract, Span};
use crate::error::{Error, Result};
use crate::project::{Server, Source};

#[derive(Debug)]
pub(in crate::connector) struct Session;

pub(super) async fn open(source: &Source, _server: &Server) -> Result<Session> {
    Err(Error::source("this transport is not written yet").at(&source.name))
}

impl Session {
    pub(super) async fn read(&mut self, contract: &Contract, _span: &Span) -> Result<Extract> {
        Err(Error::source("this transport is not written yet").at(&contract.entity))
    }
}
