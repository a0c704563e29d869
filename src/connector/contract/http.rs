//! How an entity is asked for over HTTP.

use super::FileLayout;
use chrono_tz::Tz;

/// A question to a REST interface, and how the answer comes.
#[derive(Debug, Clone)]
pub struct Request {
    /// The path below the source's address.
    pub path: Vec<PathPart>,
    /// What is asked besides the path, in order.
    pub query: Vec<(String, String)>,
    /// How the answer is cut into pages.
    pub paging: Paging,
    /// How it is asked for what has changed since a value of the cursor.
    pub since: Option<Since>,
    /// The entity whose rows the path names: it is asked for each of them.
    pub parent: Option<Box<Parent>>,
    /// Whether the source forgets what it has answered.
    pub queue: Option<Queue>,
    /// How the answer, all its pages one after the other, is cut into rows.
    pub layout: FileLayout,
}

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPart {
    /// As it stands.
    Literal(String),
    /// The value of a member of the parent's row, by its path.
    Field(String),
}

/// How an answer is cut into pages. Parameters are those of the query; members are paths in the
/// body, such as `meta.next` or `$.links[?@.rel=='next'].href`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// It is not.
    Single,
    /// By the number of the page, until one is short or says that it is the last.
    PageNumber {
        /// The parameter with the number.
        parameter: String,
        /// The number of the first page.
        first: u64,
        /// How many rows a page has.
        size: PageSize,
        /// The member that says whether there are more.
        more: Option<String>,
    },
    /// By the number of rows to leave out, until a page is short or says that it is the last.
    Offset {
        /// The parameter with the number of rows to leave out.
        parameter: String,
        /// How many rows a page has.
        size: PageSize,
        /// The member that says whether there are more.
        more: Option<String>,
    },
    /// By a mark that each page gives for the next one.
    Cursor {
        /// The parameter with the mark.
        parameter: String,
        /// The member that holds it; none is the end.
        next: String,
    },
    /// By the header `Link` with the relation `next` (RFC 8288).
    Link,
    /// By an address in the body.
    NextUrl {
        /// The member that holds it; none is the end.
        next: String,
    },
}

/// How many rows a page has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSize {
    /// The parameter that asks for so many, unless the source decides.
    pub parameter: Option<String>,
    /// The number. A page with fewer is the last one.
    pub rows: Option<u64>,
}

/// How the question names the value from which on rows are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Since {
    /// The parameter.
    pub parameter: String,
    /// How moments are written, as a chrono pattern; `None`: as RFC 3339 or ISO 8601 has them.
    pub pattern: Option<String>,
    /// The zone in which they are written; `None`: UTC.
    pub zone: Option<Tz>,
}

/// The entity whose rows a path names.
#[derive(Debug, Clone)]
pub struct Parent {
    /// Its name.
    pub entity: String,
    /// How it is asked for; checked to have no parent itself.
    pub request: Request,
}

/// What is known of a source that forgets what it has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// A text by which an answer without rows is known.
    pub empty: Option<String>,
}
