//! The one error type: what kind of thing went wrong, where, and what to do next.
//!
//! Messages are lowercase fragments that name the kind of thing and quote its name. They never
//! hold a secret, a cell value or another force's name. Rows that break their contract are not
//! errors; they are data.

use datafusion::common::utils::datafusion_strsim::levenshtein;
use std::fmt;

/// A result with the hub's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The part of the hub that an error belongs to. Decides the exit code and the Flight status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A definition (`muster.toml`, a connector, a model header, a pipeline) is wrong.
    Config,
    /// A force's system could not be read.
    Source,
    /// An extract as a whole breaks its contract (trailer, totals, missing columns).
    Contract,
    /// A source has no such table at all.
    Absent,
    /// A model cannot be planned or run.
    Model,
    /// The lake could not be read or written.
    Lake,
    /// A client's statement is wrong or not allowed.
    Query,
    /// The caller is not who they say, or may not do this.
    Auth,
    /// The hub has too much to do; the same call may succeed later.
    Busy,
    /// A bug, or something the hub did not foresee.
    Internal,
}

impl Kind {
    /// The process exit code of the command line: 2 for definitions, 1 for everything else.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Config => 2,
            _ => 1,
        }
    }
}

/// What went wrong, where, and what to do next.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    at: Option<String>,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` is a lowercase fragment without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), at: None, hint: None, source: None }
    }

    /// A wrong definition.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }
    /// A source that could not be read.
    pub fn source(message: impl Into<String>) -> Self {
        Self::new(Kind::Source, message)
    }
    /// An extract that breaks its contract as a whole.
    pub fn contract(message: impl Into<String>) -> Self {
        Self::new(Kind::Contract, message)
    }
    /// A table that its source does not have.
    pub fn absent(message: impl Into<String>) -> Self {
        Self::new(Kind::Absent, message)
    }
    /// A model that cannot be planned or run.
    pub fn model(message: impl Into<String>) -> Self {
        Self::new(Kind::Model, message)
    }
    /// A lake that could not be read or written.
    pub fn lake(message: impl Into<String>) -> Self {
        Self::new(Kind::Lake, message)
    }
    /// A statement that is wrong or not allowed.
    pub fn query(message: impl Into<String>) -> Self {
        Self::new(Kind::Query, message)
    }
    /// A caller who is unknown or not allowed.
    pub fn auth(message: impl Into<String>) -> Self {
        Self::new(Kind::Auth, message)
    }
    /// A hub with too much to do at the moment.
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(Kind::Busy, message)
    }
    /// A bug, or something unforeseen.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Says where: `file:line`, a source and entity, a row and column.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.at = Some(place.to_string());
        self
    }

    /// Says what to do next, naming the known values where there are some.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Keeps the error that caused this one; see [`Error::causes`].
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// The part of the hub that this error belongs to.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The place, if one was given.
    pub fn place(&self) -> Option<&str> {
        self.at.as_deref()
    }

    /// What caused it, the nearest cause first; a cause that its effect has quoted is left out.
    pub fn causes(&self) -> Vec<String> {
        let mut told = vec![self.to_string()];
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            let words = inner.to_string();
            if !told.iter().any(|effect| effect.ends_with(&words)) {
                told.push(words);
            }
            cause = inner.source();
        }
        told.split_off(1)
    }

    /// The advice, if some was given.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// The message and its place, on one line, without the chain of causes.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{}: {}", at, self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|s| &**s as _)
    }
}

/// A hint that lists the known names of a `kind` (in the plural), the nearest to `wanted` first.
pub(crate) fn known<'a>(kind: &str, wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 8;
    let wanted = wanted.to_lowercase();
    let mut names: Vec<(usize, &str)> =
        names.into_iter().map(|name| (levenshtein(&wanted, &name.to_lowercase()), name)).collect();
    names.sort();
    names.dedup();
    let Some((distance, nearest)) = names.first().copied() else {
        return format!("there are no {kind}");
    };
    let list = names.iter().take(MOST).map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
    let more = if names.len() > MOST { ", …" } else { "" };
    match distance * 3 <= wanted.len().max(nearest.len()) {
        true => format!("did you mean \"{nearest}\"? known {kind}: {list}{more}"),
        false => format!("known {kind}: {list}{more}"),
    }
}
