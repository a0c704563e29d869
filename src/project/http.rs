//! `[entities.<entity>.http]`: how an entity is asked for over HTTP, and `[sources.<name>.auth]`:
//! what its source is shown to know who asks.

use super::formats::{self, json_path};
use super::pattern::{Says, chrono_pattern};
use super::reader::{Section, Text, Value};
use super::secret::Secret;
use super::source::is_loopback;
use super::{Address, secret};
use crate::connector::contract::{
    Contract, Encoding, FileLayout, Member, Mode, PageSize, Paging, Parent, PathPart, Queue, Request, Since,
};
use crate::error::known;
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use url::Url;

const PAGINGS: [&str; 6] = ["single", "page_number", "offset", "cursor", "link", "next_url"];

const AUTHS: [&str; 4] = ["bearer", "api_key", "basic", "oauth2_client_credentials"];

/// What a REST interface is shown to know who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// A token that stays the same, in the header `Authorization`.
    Bearer(Secret),
    /// A key in a header of this name.
    HeaderKey(String, Secret),
    /// A key in a parameter of this name.
    QueryKey(String, Secret),
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// Tokens that are asked for, and asked for again when they expire (OAuth 2.0, RFC 6749 §4.4).
    ClientCredentials {
        /// Who gives them out.
        token_url: Url,
        /// Who asks.
        client_id: String,
        /// The client's secret.
        client_secret: Secret,
        /// What the token is for.
        scope: Option<String>,
        /// Whether the client's secret travels in the body instead of the header `Authorization`.
        in_body: bool,
    },
}

/// The request of an entity whose changes are found by `mode`; its parent is linked later.
pub(super) fn check(mut section: Section<'_>, mode: &Mode) -> Option<Request> {
    let path = section.required("path", "\"requests\"");
    let parent = section.text("parent");
    let parts = path.map(|path| self::path(&section, &path, parent.as_ref()));
    let query = section.section("query").map_or(Vec::new(), query);
    let paging = section.section("paging").map_or(Some(Paging::Single), paging);
    let since = section.section("since").map(|since| self::since(since));
    if let (Some(_), None) = (&since, mode.cursor()) {
        let hint = "for example mode = \"cursor\" and cursor = \"changed_at\"";
        section.problem(section.place("since"), "since needs a mode with a cursor", hint);
    }
    let queue = queue(&mut section, mode, paging.as_ref());
    let layout = FileLayout {
        matching: Vec::new(),
        member: Member::Only,
        format: formats::json(&mut section),
        encoding: Encoding::Utf8,
        trailer: None,
        order: None,
        settle: Duration::ZERO,
        done: None,
    };
    if parent.is_some() && section.has("count") {
        section.problem(section.place("count"), "what counts the rows of one parent counts too few", ());
    }
    section.finish();
    Some(Request {
        path: parts?,
        query,
        paging: paging?,
        since: since.flatten(),
        parent: None,
        queue,
        layout,
    })
}

/// The parts of a path, whose fields are members of the parent's rows.
fn path(section: &Section<'_>, text: &Text<'_>, parent: Option<&Text<'_>>) -> Vec<PathPart> {
    let problem = |message: &str| {
        let hint = "for example path = \"requests/{request.number}/notes\" and parent = \"request\"";
        section.problem(text.span.clone(), message, hint);
    };
    let mut parts = Vec::new();
    let mut rest = text.value.trim_start_matches('/');
    while let Some((before, after)) = rest.split_once('{') {
        let Some((field, behind)) = after.split_once('}') else {
            problem("a field of the path has no end");
            return parts;
        };
        parts.push(PathPart::Literal(before.into()));
        match (field.split_once('.'), parent) {
            (Some((entity, member)), Some(parent)) if entity == parent.value => {
                parts.push(PathPart::Field(json_path(
                    section,
                    &Text { value: member, span: text.span.clone() },
                )));
            }
            _ => problem(&format!("\"{{{field}}}\" names no member of the parent")),
        }
        rest = behind;
    }
    parts.push(PathPart::Literal(rest.into()));
    let names_parent = parts.iter().any(|part| matches!(part, PathPart::Field(_)));
    if parent.is_some() && !names_parent {
        problem("the path names no member of the parent");
    }
    if rest.contains(['?', '#']) {
        section.problem(text.span.clone(), "the path holds a query", "parameters stand in `query`");
    }
    parts
}

fn query(mut section: Section<'_>) -> Vec<(String, String)> {
    let mut query = Vec::new();
    for (name, value) in section.all("a text") {
        match value {
            Value::Text(text) => query.push((name.value.to_string(), text.value.to_string())),
            Value::Table(_) => section.problem(name.span, format!("\"{}\" must be a text", name.value), ()),
        }
    }
    query
}

fn paging(mut section: Section<'_>) -> Option<Paging> {
    let kind = section.required("kind", "\"offset\"")?;
    let text = |section: &mut Section<'_>, key: &'static str, default: &str| {
        section.text(key).map_or(default.to_string(), |text| text.value.into())
    };
    let paging = match kind.value {
        "single" => Some(Paging::Single),
        "link" => Some(Paging::Link),
        "page_number" => Some(Paging::PageNumber {
            parameter: text(&mut section, "parameter", "page"),
            first: section.number("first").unwrap_or(1).into(),
            size: size(&mut section),
            more: member(&mut section, "more"),
        }),
        "offset" => Some(Paging::Offset {
            parameter: text(&mut section, "parameter", "offset"),
            size: size(&mut section),
            more: member(&mut section, "more"),
        }),
        "cursor" => {
            let parameter = text(&mut section, "parameter", "cursor");
            section.required("next", "\"next_cursor\"");
            member(&mut section, "next").map(|next| Paging::Cursor { parameter, next })
        }
        "next_url" => {
            section.required("next", "\"@odata.nextLink\"");
            member(&mut section, "next").map(|next| Paging::NextUrl { next })
        }
        other => {
            let hint = known("kinds", other, PAGINGS);
            section.problem(kind.span, format!("unknown kind of paging \"{other}\""), hint);
            return None;
        }
    };
    section.finish();
    paging
}

/// How many rows a page has: `limit`, and the parameter that asks for so many.
fn size(section: &mut Section<'_>) -> PageSize {
    let parameter = section.text("limit_parameter").map(|text| text.value.to_string());
    let rows = section.number("limit").map(u64::from);
    if rows == Some(0) {
        section.problem(section.place("limit"), "a page needs rows", ());
    }
    // A limit that is not asked for says what the source does by itself.
    PageSize { parameter: parameter.or(rows.map(|_| "limit".into())).filter(|name| !name.is_empty()), rows }
}

fn member(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    section.text(key).map(|text| json_path(section, &text))
}

fn since(mut section: Section<'_>) -> Option<Since> {
    let parameter = section.required("parameter", "\"changed_after\"");
    let pattern = section.text("format").map(|text| {
        let says = if text.value.contains("HH") { Says::Both } else { Says::Day };
        chrono_pattern(text.value, says).unwrap_or_else(|(message, hint)| {
            section.problem(text.span.clone(), message, hint);
            String::new()
        })
    });
    let zone = section.text("zone").and_then(|text| {
        let zone = text.value.parse::<Tz>().ok();
        if zone.is_none() {
            let hint = known("zones", text.value, chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name()));
            section.problem(text.span, format!("unknown zone \"{}\"", text.value), hint);
        }
        zone
    });
    section.finish();
    Some(Since { parameter: parameter?.value.into(), pattern, zone })
}

fn queue(section: &mut Section<'_>, mode: &Mode, paging: Option<&Paging>) -> Option<Queue> {
    let empty = section.text("empty").map(|text| text.value.to_string());
    if !section.bool("queue").unwrap_or(false) {
        if empty.is_some() {
            section.problem(section.place("empty"), "\"empty\" is for queues", "add queue = true");
        }
        return None;
    }
    if !matches!(mode, Mode::Log(None)) {
        let hint = "what a queue gives comes once and stays: mode = \"log\", without a cursor";
        section.problem(section.place("queue"), "a queue needs mode \"log\"", hint);
    }
    if paging.is_some_and(|paging| *paging != Paging::Single) || section.has("parent") {
        let hint = "each reading of a queue is one request";
        section.problem(section.place("queue"), "a queue has neither pages nor a parent", hint);
    }
    Some(Queue { empty })
}

/// Gives each request that names a parent the request of that parent.
pub(super) fn link(root: &mut Section<'_>, entities: &mut BTreeMap<String, Contract>) {
    for (entity, mut section) in root.sections("entities", "entity") {
        let Some(parent) = section.section("http").and_then(|mut http| http.text("parent")) else { continue };
        let request = entities.get(parent.value).and_then(|contract| contract.http.clone());
        let is_child = |request: &Request| request.path.iter().any(|part| matches!(part, PathPart::Field(_)));
        let wrong = match &request {
            None => Some(format!("there is no entity \"{}\" with an [http] section", parent.value)),
            Some(request) if is_child(request) => Some("a parent cannot have a parent".to_string()),
            Some(request) if request.queue.is_some() => Some("a parent cannot be a queue".to_string()),
            Some(_) => None,
        };
        if let Some(message) = wrong {
            let hint = known("entities", parent.value, entities.keys().map(String::as_str));
            section.problem(parent.span, message, hint);
            continue;
        }
        let child = entities.get_mut(entity.value).and_then(|contract| contract.http.as_mut());
        if let (Some(child), Some(request)) = (child, request) {
            child.parent = Some(Box::new(Parent { entity: parent.value.into(), request }));
        }
    }
}

/// What a source at `address` is shown to know who asks.
pub(super) fn auth(dir: &Path, section: &mut Section<'_>, address: Option<&Address>) -> Option<Auth> {
    let mut auth = section.section("auth")?;
    if address.is_some_and(|address| !matches!(address, Address::Rest(_))) {
        auth.wrong("\"auth\" is for REST interfaces", "databases have a password, stores have options");
        return None;
    }
    let kind = auth.required("kind", "\"bearer\"")?;
    let read = match kind.value {
        "bearer" => needed(dir, &mut auth, "token").map(Auth::Bearer),
        "api_key" => api_key(dir, &mut auth),
        "basic" => {
            let user = auth.required("user", "\"reader\"").map(|user| user.value.to_string());
            let password = needed(dir, &mut auth, "password");
            user.zip(password).map(|(user, password)| Auth::Basic { user, password })
        }
        "oauth2_client_credentials" => client_credentials(dir, &mut auth),
        other => {
            let hint = known("kinds", other, AUTHS);
            auth.problem(kind.span, format!("unknown kind of auth \"{other}\""), hint);
            return None;
        }
    };
    auth.finish();
    read
}

/// A secret that must be there.
fn needed(dir: &Path, section: &mut Section<'_>, key: &'static str) -> Option<Secret> {
    if !section.has(key) {
        section.asked(key);
        section.wrong(format!("[auth] has no \"{key}\""), format!("for example: {key} = {{ env = \"…\" }}"));
        return None;
    }
    secret::check(dir, section, key)
}

fn api_key(dir: &Path, section: &mut Section<'_>) -> Option<Auth> {
    let key = needed(dir, section, "key");
    let (header, query) = (section.text("header"), section.text("query"));
    match (header, query) {
        (Some(header), None) => {
            if reqwest::header::HeaderName::try_from(header.value).is_err() {
                let message = format!("\"{}\" is not the name of a header", header.value);
                section.problem(header.span, message, "for example \"X-Api-Key\"");
                return None;
            }
            Some(Auth::HeaderKey(header.value.into(), key?))
        }
        (None, Some(query)) => Some(Auth::QueryKey(query.value.into(), key?)),
        _ => {
            let hint = "for example header = \"X-Api-Key\" or query = \"key\"";
            section.wrong("an api_key needs either the name of a header or that of a parameter", hint);
            None
        }
    }
}

fn client_credentials(dir: &Path, section: &mut Section<'_>) -> Option<Auth> {
    let token_url = section.required("token_url", "\"https://login.vendor.example/oauth2/token\"");
    let client_id = section.required("client_id", "\"muster\"").map(|id| id.value.to_string());
    let client_secret = needed(dir, section, "client_secret");
    let scope = section.text("scope").map(|scope| scope.value.to_string());
    let in_body = section.text("send").is_some_and(|send| match send.value {
        "header" => false,
        "body" => true,
        other => {
            let hint = known("ways", other, ["header", "body"]);
            section.problem(send.span, format!("unknown way \"{other}\" to send the client's secret"), hint);
            false
        }
    });
    let token_url = token_url.and_then(|text| match Url::parse(text.value) {
        Ok(url) if is_private(&url) => Some(url),
        _ => {
            let hint = "an address that begins with \"https://\"";
            section.problem(text.span, "the token_url cannot be asked for a token", hint);
            None
        }
    })?;
    let (client_id, client_secret) = (client_id?, client_secret?);
    Some(Auth::ClientCredentials { token_url, client_id, client_secret, scope, in_body })
}

/// Whether nobody on the way can read what is sent there.
fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && url.host_str().is_some_and(is_loopback))
}
