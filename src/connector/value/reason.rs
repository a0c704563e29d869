//! The reasons why a cell or a row is refused.

use crate::connector::value::number::Fault;
use std::borrow::Cow;
use std::fmt;

/// What is wrong with a cell or row; the first word of a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Required,
    NotABool,
    NotANumber,
    TooManyDigits,
    NotADate,
    NotATime,
    NotATimestamp,
    AmbiguousTime,
    NotAccepted,
    Unmapped,
    Undecodable,
    TooLong,
    UnclosedQuote,
    RaggedRow,
    DuplicateKey,
}

impl Code {
    /// The word that people and queries see.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Code::Required => "required",
            Code::NotABool => "not_a_bool",
            Code::NotANumber => "not_a_number",
            Code::TooManyDigits => "too_many_digits",
            Code::NotADate => "not_a_date",
            Code::NotATime => "not_a_time",
            Code::NotATimestamp => "not_a_timestamp",
            Code::AmbiguousTime => "ambiguous_time",
            Code::NotAccepted => "not_accepted",
            Code::Unmapped => "unmapped",
            Code::Undecodable => "undecodable",
            Code::TooLong => "too_long",
            Code::UnclosedQuote => "unclosed_quote",
            Code::RaggedRow => "ragged_row",
            Code::DuplicateKey => "duplicate_key",
        }
    }
}

/// Why a row is bad, as `code column: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// What is wrong.
    pub(crate) code: Code,
    /// Where, and the value received.
    text: String,
}

impl Reason {
    /// A reason about `column`; `row` stands for the row as a whole.
    pub(crate) fn new(code: Code, column: &str, message: impl fmt::Display) -> Self {
        Self { code, text: format!("{} {column}: {message}", code.as_str()) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Fault> for Code {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotANumber => Code::NotANumber,
            Fault::TooManyDigits => Code::TooManyDigits,
        }
    }
}

/// A received value as messages show it: in quotes, control characters escaped, not too long.
pub(super) fn quoted(text: &str) -> String {
    let text = excerpt(text);
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push('"');
    for char in text.chars() {
        match char.is_control() {
            true => shown.extend(char.escape_default()),
            false => shown.push(char),
        }
    }
    shown.push('"');
    shown
}

/// The beginning of a long text.
pub(super) fn excerpt(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
