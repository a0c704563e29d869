//! The paths of a layout as one tree, in which a document is followed element by element.

use crate::connector::contract::{Contract, XmlLayout, XmlName, XmlPath};
use crate::error::{Error, Result};
use quick_xml::events::BytesStart;
use quick_xml::name::{NamespaceResolver, QName, ResolveResult};

/// Where a node is in [`Paths`].
pub(super) type Place = usize;

/// The node above the root of the document.
pub(super) const OUTSIDE: Place = 0;

/// All elements that a layout speaks of.
#[derive(Debug)]
pub(super) struct Paths {
    nodes: Vec<Node>,
    /// The element that is a row.
    pub(super) row: Place,
    /// The element that rows are in.
    pub(super) around: Place,
    /// Whether namespaces must be looked at.
    has_namespaces: bool,
}

/// One element.
#[derive(Debug, Default)]
pub(super) struct Node {
    children: Vec<(XmlName, Place)>,
    /// The columns that are its text.
    pub(super) text: Vec<usize>,
    /// The columns that are attributes of it.
    pub(super) attributes: Vec<(XmlName, usize)>,
    /// The columns whose value ends to hold where another such element begins.
    pub(super) forgets: Vec<usize>,
}

impl Paths {
    /// The paths of `contract`'s columns.
    pub(super) fn new(contract: &Contract, layout: &XmlLayout) -> Result<Self> {
        let mut paths =
            Self { nodes: vec![Node::default()], row: OUTSIDE, around: OUTSIDE, has_namespaces: false };
        let steps = &layout.rows.steps;
        paths.around = paths.node(&steps[..steps.len().saturating_sub(1)]);
        paths.row = paths.node(steps);
        for (column, declared) in contract.columns.iter().enumerate() {
            for from in &declared.from {
                let path = layout.column(from).map_err(Error::config)?;
                paths.add(&layout.rows, &path, column);
            }
        }
        Ok(paths)
    }

    fn add(&mut self, rows: &XmlPath, path: &XmlPath, column: usize) {
        let at = self.node(&path.steps);
        match &path.attribute {
            Some(name) => {
                self.has_namespaces |= name.namespace.is_some();
                self.nodes[at].attributes.push((name.clone(), column));
            }
            None => self.nodes[at].text.push(column),
        }
        let common = rows.steps.iter().zip(&path.steps).take_while(|(row, step)| row == step).count();
        if common < rows.steps.len() {
            let around = self.node(&rows.steps[..common]);
            self.nodes[around].forgets.push(column);
        }
    }

    /// The node of a path, which is made when it is missing.
    fn node(&mut self, steps: &[XmlName]) -> Place {
        let mut at = OUTSIDE;
        for step in steps {
            self.has_namespaces |= step.namespace.is_some();
            let known = self.nodes[at].children.iter().find(|(name, _)| name == step);
            at = match known {
                Some((_, child)) => *child,
                None => {
                    self.nodes.push(Node::default());
                    let child = self.nodes.len() - 1;
                    self.nodes[at].children.push((step.clone(), child));
                    child
                }
            };
        }
        at
    }

    /// What stands there.
    pub(super) fn at(&self, place: Place) -> &Node {
        &self.nodes[place]
    }

    /// The name of the root element.
    pub(super) fn root(&self) -> String {
        self.nodes[OUTSIDE].children.first().map_or(String::new(), |(name, _)| name.to_string())
    }

    /// The child that an element is, and its number. Elements mostly come in the order of the time
    /// before: the search begins with the child of number `next`.
    pub(super) fn child(
        &self,
        parent: Place,
        next: usize,
        element: &BytesStart<'_>,
        scope: &Scope,
    ) -> Option<(usize, Place)> {
        let children = &self.nodes[parent].children;
        let local = element.local_name();
        let next = next.min(children.len());
        let mut found = (next..children.len()).chain(0..next);
        let found = found.find(|at| {
            let name = &children[*at].0;
            name.local == local.as_ref() && scope.has_element(element.name(), name)
        })?;
        Some((found, children[found].1))
    }

    /// The namespaces in force at the root; nothing is kept of them where no path asks.
    pub(super) fn scope(&self) -> Scope {
        Scope(self.has_namespaces.then(NamespaceResolver::default))
    }
}

/// The namespaces that are in force at a place of a document.
#[derive(Debug)]
pub(super) struct Scope(Option<NamespaceResolver>);

impl Scope {
    /// An element begins.
    pub(super) fn open(&mut self, element: &BytesStart<'_>) -> Result<(), quick_xml::Error> {
        match &mut self.0 {
            Some(resolver) => resolver.push(element).map_err(quick_xml::Error::Namespace),
            None => Ok(()),
        }
    }

    /// An element ends.
    pub(super) fn close(&mut self) {
        if let Some(resolver) = &mut self.0 {
            resolver.pop();
        }
    }

    /// The namespace of an element, where namespaces are looked at.
    pub(super) fn namespace(&self, element: &BytesStart<'_>) -> Option<String> {
        match self.0.as_ref()?.resolve_element(element.name()).0 {
            ResolveResult::Bound(bound) => Some(bound.0.to_string()),
            ResolveResult::Unbound | ResolveResult::Unknown(_) => None,
        }
    }

    fn has_element(&self, found: QName<'_>, wanted: &XmlName) -> bool {
        self.is(wanted, |resolver| resolver.resolve_element(found).0)
    }

    /// Whether an attribute is the wanted one.
    pub(super) fn has_attribute(&self, found: QName<'_>, wanted: &XmlName) -> bool {
        wanted.local == found.local_name().as_ref()
            && self.is(wanted, |resolver| resolver.resolve_attribute(found).0)
    }

    fn is<'r>(
        &'r self,
        wanted: &XmlName,
        resolved: impl FnOnce(&'r NamespaceResolver) -> ResolveResult<'r>,
    ) -> bool {
        match (&wanted.namespace, &self.0) {
            (Some(namespace), Some(resolver)) => {
                matches!(resolved(resolver), ResolveResult::Bound(bound) if bound.0 == namespace)
            }
            _ => true,
        }
    }
}
