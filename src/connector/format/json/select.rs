//! Finds values in JSON texts by their paths. What is found is a part of the text itself: no
//! number becomes another one on its way.

use crate::error::{Error, Result};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use serde_json_path::{JsonPath, PathElement};
use std::borrow::Cow;
use std::fmt;

/// The members of an object, in its order.
pub(in crate::connector) struct Members<'a>(pub(in crate::connector) Vec<(Cow<'a, str>, &'a RawValue)>);

/// A path to one value, or to many.
#[derive(Debug, Clone)]
pub(in crate::connector) enum Path {
    /// A member by its whole name, or else by the names between its dots.
    Named(String, Vec<Step>),
    /// Names and "each element", one after the other.
    Steps(Vec<Step>),
    /// Anything else that RFC 9535 knows.
    Query(JsonPath),
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connector) enum Step {
    Member(String),
    Each,
}

impl Path {
    /// Reads `$.items[*]`, `$.links[?@.rel=='next'].href`, or, without the `$`, the names of
    /// members with dots between them.
    pub(in crate::connector) fn parse(text: &str) -> Result<Self> {
        if !text.starts_with('$') {
            let steps = text.split('.').map(|name| Step::Member(name.into())).collect();
            return Ok(Path::Named(text.into(), steps));
        }
        if let Some(steps) = steps(&text[1..]) {
            return Ok(Path::Steps(steps));
        }
        JsonPath::parse(text).map(Path::Query).map_err(|error| {
            Error::config(format!("\"{text}\" is not a JSONPath: {error}"))
                .hint("for example \"$.items[*]\" or \"$.links[?@.rel=='next'].href\"")
        })
    }

    /// What the path leads to in `text`, in order; a member that is not there leads nowhere.
    pub(in crate::connector) fn find<'a>(&self, text: &'a RawValue) -> Result<Vec<&'a RawValue>> {
        match self {
            Path::Named(name, steps) => match members(text)?.and_then(|members| members.named(name)) {
                Some(value) => Ok(vec![value]),
                None => taken(steps, text),
            },
            Path::Steps(steps) => taken(steps, text),
            Path::Query(path) => {
                let value: Value = serde_json::from_str(text.get()).map_err(broken)?;
                let tree = Tree::of(text)?;
                let located = path.query_located(&value);
                Ok(located.locations().filter_map(|place| tree.at(place.iter())).collect())
            }
        }
    }

    /// The first value that the path leads to.
    pub(in crate::connector) fn first<'a>(&self, text: &'a RawValue) -> Result<Option<&'a RawValue>> {
        Ok(self.find(text)?.into_iter().next())
    }

    /// The name of the first member on the way.
    pub(super) fn head(&self) -> Option<&str> {
        match self {
            Path::Steps(steps) => steps.iter().find_map(|step| match step {
                Step::Member(name) => Some(name.as_str()),
                Step::Each => None,
            }),
            Path::Named(..) | Path::Query(_) => None,
        }
    }
}

impl Step {
    fn take<'a>(&self, value: &'a RawValue, into: &mut Vec<&'a RawValue>) -> Result<()> {
        match self {
            Step::Member(name) => {
                if let Some(members) = members(value)? {
                    into.extend(members.named(name));
                }
            }
            Step::Each => into.extend(elements(value)?.unwrap_or_default()),
        }
        Ok(())
    }
}

/// What `steps` lead to in `text`.
pub(super) fn taken<'a>(steps: &[Step], text: &'a RawValue) -> Result<Vec<&'a RawValue>> {
    let mut found = vec![text];
    for step in steps {
        let mut next = Vec::new();
        for value in found {
            step.take(value, &mut next)?;
        }
        found = next;
    }
    Ok(found)
}

/// The steps of `.a.b[*].c`; `None` for anything else.
fn steps(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[*]") {
            steps.push(Step::Each);
            rest = after;
            continue;
        }
        let after = rest.strip_prefix('.')?;
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        let name = Some(&after[..end]).filter(|name| !name.starts_with(|c: char| c.is_ascii_digit()))?;
        steps.push(Step::Member(Some(name).filter(|name| !name.is_empty())?.into()));
        rest = &after[end..];
    }
    Some(steps)
}

impl<'a> Members<'a> {
    /// The member called `name`, or the only one that is called so in other letters' case.
    pub(super) fn named(&self, name: &str) -> Option<&'a RawValue> {
        let exact = self.0.iter().find(|(known, _)| known == name);
        let loose = || self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        exact.or_else(loose).map(|(_, value)| *value)
    }
}

/// The members of `value`, if it is an object.
pub(in crate::connector) fn members(value: &RawValue) -> Result<Option<Members<'_>>> {
    match value.get().starts_with('{') {
        true => serde_json::from_str(value.get()).map(Some).map_err(broken),
        false => Ok(None),
    }
}

/// The elements of `value`, if it is an array.
pub(in crate::connector) fn elements(value: &RawValue) -> Result<Option<Vec<&RawValue>>> {
    match value.get().starts_with('[') {
        true => serde_json::from_str(value.get()).map(Some).map_err(broken),
        false => Ok(None),
    }
}

/// The error about a text that is not well-formed. It says where, and shows nothing of it.
pub(super) fn broken(error: serde_json::Error) -> Error {
    Error::contract(format!("the JSON is broken: {error}"))
        .hint("ask for it again; if it stays so, the source writes it wrong")
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}

/// A name that borrows from its text where it can.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A text taken apart to its leaves, for paths that lead to many places at once.
enum Tree<'a> {
    Object(&'a RawValue, Vec<(Cow<'a, str>, Tree<'a>)>),
    Array(&'a RawValue, Vec<Tree<'a>>),
    Leaf(&'a RawValue),
}

impl<'a> Tree<'a> {
    /// Texts are not deeper than their limit.
    fn of(text: &'a RawValue) -> Result<Self> {
        if let Some(Members(members)) = members(text)? {
            let tree = |(name, value)| Ok((name, Tree::of(value)?));
            return Ok(Tree::Object(text, members.into_iter().map(tree).collect::<Result<_>>()?));
        }
        match elements(text)? {
            Some(elements) => {
                Ok(Tree::Array(text, elements.into_iter().map(Tree::of).collect::<Result<_>>()?))
            }
            None => Ok(Tree::Leaf(text)),
        }
    }

    fn at<'p>(&self, place: impl Iterator<Item = &'p PathElement<'p>>) -> Option<&'a RawValue> {
        let mut tree = self;
        for element in place {
            tree = match (tree, element) {
                // The last of equal names counts, as it does for whoever evaluates the path.
                (Tree::Object(_, members), PathElement::Name(name)) => {
                    &members.iter().rfind(|(known, _)| known == name)?.1
                }
                (Tree::Array(_, elements), PathElement::Index(at)) => elements.get(*at)?,
                _ => return None,
            };
        }
        match tree {
            Tree::Object(value, _) | Tree::Array(value, _) | Tree::Leaf(value) => Some(value),
        }
    }
}
