//! How rows and cells are found in XML: a small part of XPath.

use std::collections::BTreeMap;
use std::fmt;

/// How an XML file is cut into rows and cells.
#[derive(Debug, Clone, PartialEq)]
pub struct XmlLayout {
    /// The elements that are rows.
    pub rows: XmlPath,
    /// What stands between the values of an element that comes several times in a row. `None`: such
    /// a row is a bad one.
    pub join: Option<String>,
    /// The namespaces that paths name, by prefix.
    namespaces: BTreeMap<String, String>,
}

/// A path from the root to elements, or to an attribute of theirs.
#[derive(Debug, Clone, PartialEq)]
pub struct XmlPath {
    /// The elements on the way, the root first.
    pub steps: Vec<XmlName>,
    /// The attribute of the last of them; `None`: its text.
    pub attribute: Option<XmlName>,
}

/// The name of an element or attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlName {
    /// The namespace it must be in; `None`: any, or none at all.
    pub namespace: Option<String>,
    /// The name without its prefix, compared with case.
    pub local: String,
}

impl fmt::Display for XmlName {
    /// `{namespace}local`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{{{namespace}}}{}", self.local),
            None => f.write_str(&self.local),
        }
    }
}

impl XmlLayout {
    /// The layout whose rows are at the path `rows`; otherwise what is wrong with it.
    pub fn new(
        rows: &str,
        join: Option<String>,
        namespaces: BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let nowhere = XmlPath { steps: Vec::new(), attribute: None };
        let mut layout = Self { rows: nowhere, join, namespaces };
        if !rows.starts_with('/') {
            return Err(format!("the row path \"{rows}\" does not begin at the root"));
        }
        layout.rows = layout.column(rows)?;
        match layout.rows.attribute {
            Some(_) => Err(format!("the row path \"{rows}\" leads to an attribute")),
            None => Ok(layout),
        }
    }

    /// The path that a column is `from`, which begins at the row or, with a slash, at the root;
    /// otherwise what is wrong with it.
    pub fn column(&self, from: &str) -> Result<XmlPath, String> {
        let (mut steps, relative) = match from.strip_prefix('/') {
            Some(absolute) => (Vec::new(), absolute),
            None => (self.rows.steps.clone(), from),
        };
        let mut attribute = None;
        for step in relative.split('/') {
            if attribute.is_some() {
                return Err(format!("the path \"{from}\" goes on behind an attribute"));
            }
            match step {
                "." => {}
                ".." if steps.pop().is_none() => {
                    return Err(format!("the path \"{from}\" leads out of the document"));
                }
                ".." => {}
                step => match step.strip_prefix('@') {
                    Some(name) => attribute = Some(self.name(name, from)?),
                    None => steps.push(self.name(step, from)?),
                },
            }
        }
        if steps.is_empty() {
            return Err(format!("the path \"{from}\" names no element"));
        }
        if self.rows.steps.first().is_some_and(|root| steps.first() != Some(root)) {
            return Err(format!("the path \"{from}\" begins at another root than the rows"));
        }
        // The text of an element that holds the row is not complete when the row is read.
        let holds_row = steps.len() < self.rows.steps.len() && self.rows.steps.starts_with(&steps);
        match holds_row && attribute.is_none() {
            true => Err(format!("the path \"{from}\" leads to an element around the row, and not into it")),
            false => Ok(XmlPath { steps, attribute }),
        }
    }

    fn name(&self, text: &str, path: &str) -> Result<XmlName, String> {
        let (prefix, local) = match text.split_once(':') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, text),
        };
        let is_name =
            |name: &str| !name.is_empty() && !name.contains([':', '@', '*', '[', ']', '(', ')', ' ']);
        if !is_name(local) {
            return Err(format!(
                "\"{text}\" in the path \"{path}\" is not the name of an element or attribute"
            ));
        }
        let namespace = match prefix {
            Some(prefix) => match self.namespaces.get(prefix) {
                Some(namespace) => Some(namespace.clone()),
                None => {
                    return Err(format!("the prefix \"{prefix}\" of the path \"{path}\" is not declared"));
                }
            },
            None => None,
        };
        Ok(XmlName { namespace, local: local.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> XmlLayout {
        let namespaces = BTreeMap::from([("w".to_string(), "urn:workers".to_string())]);
        XmlLayout::new("/Extract/Batch/w:Worker", None, namespaces).unwrap()
    }

    /// A path as it was understood.
    fn shown(from: &str) -> String {
        match layout().column(from) {
            Ok(path) => {
                let steps: String = path.steps.iter().map(|step| format!("/{step}")).collect();
                let attribute = path.attribute.as_ref().map(|attribute| format!("/@{attribute}"));
                steps + &attribute.unwrap_or_default()
            }
            Err(problem) => problem,
        }
    }

    #[test]
    fn paths_begin_at_the_row_or_at_the_root() {
        assert_eq!(shown("Name/First"), "/Extract/Batch/{urn:workers}Worker/Name/First");
        assert_eq!(shown("@id"), "/Extract/Batch/{urn:workers}Worker/@id");
        assert_eq!(shown("."), "/Extract/Batch/{urn:workers}Worker");
        assert_eq!(shown("../@batch"), "/Extract/Batch/@batch");
        assert_eq!(shown("../../Header/w:Date"), "/Extract/Header/{urn:workers}Date");
        assert_eq!(shown("/Extract/@at"), "/Extract/@at");
    }

    #[test]
    fn other_paths_are_refused() {
        for (from, problem) in [
            ("", "not the name of an element"),
            ("a//b", "not the name of an element"),
            ("a[1]", "not the name of an element"),
            ("*", "not the name of an element"),
            ("@id/b", "goes on behind an attribute"),
            ("..", "an element around the row"),
            ("../../../..", "out of the document"),
            ("x:a", "prefix \"x\""),
        ] {
            assert!(shown(from).contains(problem), "{from}: {}", shown(from));
        }
        for rows in ["Extract/Worker", "/", "/a/@b", "//a"] {
            assert!(XmlLayout::new(rows, None, BTreeMap::new()).is_err(), "{rows}");
        }
    }
}
