//! Where the next page is.

use crate::connector::contract::{PageSize, Paging};
use crate::connector::format::json::select::Path;
use crate::connector::format::json::{Rows, parsed};
use crate::connector::transport::http::client::Page;
use crate::error::{Error, Result};
use reqwest::header::LINK;
use serde_json::value::RawValue;
use url::Url;

/// How an answer is cut into pages, read.
#[derive(Debug, Clone)]
pub(super) struct Pager {
    paging: Paging,
    /// The member that the paging looks at.
    member: Option<Path>,
    rows: Rows,
}

impl Pager {
    /// A pager for texts that have their rows at `rows`.
    pub(super) fn new(paging: &Paging, rows: Rows) -> Result<Self> {
        let member = match paging {
            Paging::PageNumber { more, .. } | Paging::Offset { more, .. } => more.as_deref(),
            Paging::Cursor { next, .. } | Paging::NextUrl { next } => Some(next.as_str()),
            Paging::Single | Paging::Link => None,
        };
        let member = member.map(Path::parse).transpose()?;
        Ok(Self { paging: paging.clone(), member, rows })
    }

    /// The address of the first page of what is at `url`.
    pub(super) fn first(&self, mut url: Url) -> Url {
        match &self.paging {
            Paging::PageNumber { parameter, first, size, .. } => {
                set(&mut url, parameter, &first.to_string());
                set_size(&mut url, size);
            }
            Paging::Offset { parameter, size, .. } => {
                set(&mut url, parameter, "0");
                set_size(&mut url, size);
            }
            Paging::Single | Paging::Cursor { .. } | Paging::Link | Paging::NextUrl { .. } => {}
        }
        url
    }

    /// The address of the page after `page`, the one at `url`; `None` when it was the last.
    pub(super) fn next(&self, url: &Url, page: &Page) -> Result<Option<Url>> {
        let next = match &self.paging {
            Paging::Single => None,
            Paging::Link => linked(page).map(|to| joined(url, &to)).transpose()?,
            Paging::NextUrl { .. } => {
                let next = self.text(parsed(&page.body)?)?;
                next.map(|to| joined(url, &to)).transpose()?
            }
            Paging::Cursor { parameter, .. } => self.text(parsed(&page.body)?)?.map(|mark| {
                let mut next = url.clone();
                set(&mut next, parameter, &mark);
                next
            }),
            Paging::PageNumber { parameter, size, .. } => self.counted(url, page, parameter, size, |_| 1)?,
            Paging::Offset { parameter, size, .. } => {
                self.counted(url, page, parameter, size, |rows| rows)?
            }
        };
        match next {
            Some(next) if next.origin() != url.origin() => {
                Err(Error::source("the next page is at another server than the source").hint(format!(
                    "{} is not asked; see `address` of the source",
                    next.origin().ascii_serialization()
                )))
            }
            next => Ok(next),
        }
    }

    /// The next page where they are numbered; `step` says how far it is after so many rows.
    fn counted(
        &self,
        url: &Url,
        page: &Page,
        parameter: &str,
        size: &PageSize,
        step: impl Fn(u64) -> u64,
    ) -> Result<Option<Url>> {
        if page.body.trim_ascii().is_empty() {
            return Ok(None);
        }
        let text = parsed(&page.body)?;
        let rows = self.rows.of(text)?.len() as u64;
        let said = match &self.member {
            Some(more) => more.first(text)?.map(|said| said.get().trim_matches('"') == "true"),
            None => None,
        };
        let more = match said {
            Some(true) if rows == 0 => {
                return Err(Error::source("a page without rows says that there are more")
                    .hint("see `rows` and `paging` of the entity"));
            }
            Some(more) => more,
            None => rows > 0 && size.rows.is_none_or(|size| rows >= size),
        };
        let at =
            url.query_pairs().find(|(name, _)| name == parameter).and_then(|(_, at)| at.parse::<u64>().ok());
        let at = at.ok_or_else(|| Error::internal("a page has no number"))?;
        Ok(more.then(|| {
            let mut next = url.clone();
            set(&mut next, parameter, &(at + step(rows)).to_string());
            next
        }))
    }

    /// The text of the member that leads on; an empty one leads nowhere.
    fn text(&self, text: &RawValue) -> Result<Option<String>> {
        let Some(member) = &self.member else { return Ok(None) };
        let Some(value) = member.first(text)? else { return Ok(None) };
        let text = match value.get() {
            "null" | "false" => return Ok(None),
            quoted if quoted.starts_with('"') => serde_json::from_str(quoted).unwrap_or_default(),
            number => number.to_string(),
        };
        Ok(Some(text).filter(|text: &String| !text.is_empty()))
    }
}

/// The address with the relation `next` in the header `Link`.
fn linked(page: &Page) -> Option<String> {
    let headers = page.headers.get_all(LINK).iter().filter_map(|header| header.to_str().ok());
    for header in headers {
        let mut rest = header;
        while let Some((_, after)) = rest.split_once('<') {
            let (address, behind) = after.split_once('>')?;
            let (parameters, following) = behind.split_at(behind.find('<').unwrap_or(behind.len()));
            let is_next = parameters.split(';').any(|parameter| {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
                name.trim().eq_ignore_ascii_case("rel")
                    && value.split_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
            });
            if is_next {
                return Some(address.to_string());
            }
            rest = following;
        }
    }
    None
}

fn joined(url: &Url, to: &str) -> Result<Url> {
    url.join(to).map_err(|error| Error::source("the address of the next page cannot be read").because(error))
}

/// Gives a parameter of the query this value, in its place if it has one.
pub(super) fn set(url: &mut Url, name: &str, value: &str) {
    let mut pairs: Vec<(String, String)> =
        url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
    match pairs.iter_mut().find(|(known, _)| known == name) {
        Some(pair) => pair.1 = value.into(),
        None => pairs.push((name.into(), value.into())),
    }
    url.query_pairs_mut().clear().extend_pairs(pairs);
}

fn set_size(url: &mut Url, size: &PageSize) {
    if let (Some(parameter), Some(rows)) = (&size.parameter, size.rows) {
        set(url, parameter, &rows.to_string());
    }
}
