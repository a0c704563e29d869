//! What is wrong with a project: every problem with its place and a hint.

use crate::error::Error;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A definition file as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Doc {
    /// The path shown in messages.
    pub(crate) file: String,
    /// What it says.
    pub(crate) text: Arc<str>,
    /// What may be shown of it: the same bytes with secrets starred out.
    pub(crate) shown: Arc<str>,
}

impl Doc {
    pub(crate) fn new(file: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self { file: file.into(), shown: Arc::clone(&text), text }
    }

    /// Where `word` stands as a whole word within `range`, or the range itself.
    pub(crate) fn find(&self, word: &str, range: Range<usize>) -> Range<usize> {
        let Some(text) = self.text.get(range.clone()) else { return range };
        let text = text.to_ascii_lowercase();
        let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        text.match_indices(&word.to_ascii_lowercase())
            .find(|(at, found)| !text[..*at].ends_with(part) && !text[at + found.len()..].starts_with(part))
            .map_or(range.clone(), |(at, found)| range.start + at..range.start + at + found.len())
    }
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The file, relative to the project folder.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, as a lowercase fragment.
    pub message: String,
    /// What to do next, with the known names where there are some.
    pub hint: Option<String>,
    shown: Arc<str>,
    span: Option<Range<usize>>,
}

impl Problem {
    /// The text that is wrong; empty when the problem is with the file as a whole.
    pub fn text(&self) -> &str {
        self.span.clone().and_then(|span| self.shown.get(span)).unwrap_or_default()
    }
}

/// `file:line: message (hint)`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// Every problem of a project, by file and place.
#[derive(Debug, Clone, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems in order.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line for each problem, for editors and scripts.
    pub fn plain(&self) -> String {
        self.iter().map(|problem| format!("{problem}\n")).collect()
    }

    /// Each problem with the line it is on, for people.
    pub fn pretty(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
        let mut out = String::new();
        for problem in self.iter() {
            if handler.render_report(&mut out, &Picture::of(problem)).is_err() {
                out.push_str(&format!("{problem}\n"));
            }
            out.push('\n');
        }
        out
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plain())
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        let list: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
        Error::config(format!("{}:{list}", count(problems.len(), "problem in the project")))
            .hint("\"muster check\" shows each one with its line")
    }
}

/// `1 model`, `2 models`; the first word takes the plural.
pub fn count(number: usize, noun: &str) -> String {
    let (word, rest) = noun.split_once(' ').map_or((noun, String::new()), |(w, r)| (w, format!(" {r}")));
    match (number, word.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies{rest}"),
        (_, None) => format!("{number} {word}s{rest}"),
    }
}

/// A problem as miette draws it.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
struct Picture {
    message: String,
    #[help]
    hint: Option<String>,
    #[source_code]
    line: Line,
    #[label]
    span: Option<SourceSpan>,
}

impl Picture {
    fn of(problem: &Problem) -> Self {
        let message = match problem.span {
            Some(_) => problem.message.clone(),
            None => format!("{}:{}: {}", problem.file, problem.line, problem.message),
        };
        Self {
            message,
            hint: problem.hint.clone(),
            line: Line(problem.clone()),
            span: problem.span.clone().map(Into::into),
        }
    }
}

/// The line of a problem and nothing else: its neighbours explain little and may hold secrets.
#[derive(Debug)]
struct Line(Problem);

impl SourceCode for Line {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let Line(problem) = self;
        let text = &problem.shown;
        let start = text.get(..span.offset()).and_then(|t| t.rfind('\n')).map_or(0, |newline| newline + 1);
        let end = text.get(start..).and_then(|t| t.find('\n')).map_or(text.len(), |length| start + length);
        Ok(Box::new(MietteSpanContents::new_named(
            problem.file.clone(),
            &text.as_bytes()[start..end],
            (start, end - start).into(),
            problem.line - 1,
            problem.column - 1,
            1,
        )))
    }
}

/// Where the checks put what they find; shared, because every part of a file adds to it.
#[derive(Debug, Default)]
pub(crate) struct Found(RefCell<Vec<Problem>>);

impl Found {
    /// A problem at `span` of `doc`.
    pub(crate) fn at(
        &self,
        doc: &Doc,
        span: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<Hint>,
    ) {
        let before = doc.text.get(..span.start).unwrap_or_default();
        self.0.borrow_mut().push(Problem {
            file: doc.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
            message: message.into(),
            hint: hint.into().0,
            shown: Arc::clone(&doc.shown),
            // Several lines at once hide the picture's point: keep to the first.
            span: Some(span.start..first_line_end(&doc.text, &span)),
        });
    }

    /// A problem with `file` as a whole, or one whose text must not be shown.
    pub(crate) fn whole(&self, file: &str, line: usize, message: impl Into<String>, hint: impl Into<Hint>) {
        self.0.borrow_mut().push(Problem {
            file: file.into(),
            line,
            column: 1,
            message: message.into(),
            hint: hint.into().0,
            shown: "".into(),
            span: None,
        });
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// All that was found, in order; `None` when all is well.
    pub(crate) fn into_problems(self) -> Option<Problems> {
        let mut problems = self.0.into_inner();
        let place = |p: &Problem| (p.file != super::FILE, p.file.clone(), p.line, p.column);
        problems.sort_by_key(place);
        problems.dedup_by(|a, b| place(a) == place(b) && a.message == b.message);
        (!problems.is_empty()).then_some(Problems(problems))
    }
}

fn first_line_end(text: &str, span: &Range<usize>) -> usize {
    let end = text.get(span.clone()).and_then(|t| t.find('\n')).map_or(span.end, |n| span.start + n);
    end.min(text.len())
}

/// What to do next, if there is something to say.
#[derive(Debug, Default)]
pub(crate) struct Hint(Option<String>);

impl From<()> for Hint {
    fn from((): ()) -> Self {
        Self(None)
    }
}
impl From<&str> for Hint {
    fn from(hint: &str) -> Self {
        Self(Some(hint.into()))
    }
}
impl From<String> for Hint {
    fn from(hint: String) -> Self {
        Self(Some(hint))
    }
}
impl From<Option<String>> for Hint {
    fn from(hint: Option<String>) -> Self {
        Self(hint)
    }
}
