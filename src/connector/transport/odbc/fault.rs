//! What errors of drivers mean.

use crate::connector::transport::server::Fault;
use arrow_odbc::odbc_api::{self, TooLargeBufferSize};

/// Why a driver gave no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// What it says.
    Driver(odbc_api::Error),
    /// A value is longer than its column was a moment ago.
    TooLong {
        /// The place of the column in the contract.
        column: usize,
    },
    /// The query has no rows to give.
    NoRows,
    /// The thread of the connection has ended.
    Gone,
}

impl From<odbc_api::Error> for Broken {
    fn from(error: odbc_api::Error) -> Self {
        Broken::Driver(error)
    }
}

impl From<TooLargeBufferSize> for Broken {
    fn from(error: TooLargeBufferSize) -> Self {
        Broken::Driver(error.add_context(0))
    }
}

impl Broken {
    /// What it means, and what may be shown of it.
    pub(super) fn judged(&self) -> (Fault, String) {
        match self {
            Broken::Driver(odbc_api::Error::Diagnostics { record, .. }) => {
                let (state, number) = (record.state.as_str(), record.native_error);
                let message = record.to_string();
                let fault = judge(state, number, &message);
                match fault {
                    // The message may show a value.
                    Fault::Data => (fault, format!("error {state} ({number}) of the driver")),
                    _ => (fault, message),
                }
            }
            Broken::Driver(error) => (Fault::Other, error.to_string()),
            Broken::TooLong { .. } => (Fault::Other, "a value does not fit its buffer".into()),
            Broken::NoRows => (Fault::Other, "the query has no rows to give".into()),
            Broken::Gone => (Fault::Cut, "the driver ended".into()),
        }
    }
}

/// The meaning of an SQLSTATE, of the product's own number where that says less, and of words where
/// drivers put both aside.
fn judge(state: &str, number: i32, message: &str) -> Fault {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match state {
        "28000" | "28P01" => return Fault::Refused,
        "42501" => return Fault::Denied,
        "57014" | "HYT00" | "HY008" => return Fault::Stopped,
        "55P03" => return Fault::Locked,
        _ => {}
    }
    match number {
        1044 | 1045 | 1017 | 18456 => Fault::Refused,
        1142 | 1143 | 1227 | 229 => Fault::Denied,
        1317 | 1969 | 3024 | 1013 => Fault::Stopped,
        1205 | 1222 => Fault::Locked,
        2006 | 2013 | 1927 | 3113 | 3114 => Fault::Cut,
        _ if says(&["authentication failed", "Access denied", "Login failed", "ORA-01017"]) => Fault::Refused,
        _ if says(&["permission denied", "ORA-01031", "permission was denied"]) => Fault::Denied,
        _ if says(&["statement timeout", "canceling statement"]) => Fault::Stopped,
        _ if state.starts_with("08") || state.starts_with("57P") => Fault::Cut,
        _ if says(&["server closed the connection", "Lost connection", "no connection to the server"]) => {
            Fault::Cut
        }
        _ if ["22", "23", "P0"].iter().any(|class| state.starts_with(class)) => Fault::Data,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_numbers_and_words_mean_faults() {
        assert_eq!(judge("28000", 18456, ""), Fault::Refused);
        assert_eq!(judge("08001", 101, "FATAL: password authentication failed for user"), Fault::Refused);
        assert_eq!(judge("08001", 101, "Connection refused"), Fault::Cut);
        assert_eq!(judge("42S02", 1146, "there is no table"), Fault::Other);
        assert_eq!(judge("22P02", 7, "invalid input"), Fault::Data);
        assert_eq!(judge("70100", 1969, "max_statement_time exceeded"), Fault::Stopped);
        assert_eq!(judge("HY000", 1, "ORA-01017: invalid username/password"), Fault::Refused);
    }
}
