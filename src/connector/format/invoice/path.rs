//! Where an element is: short paths over a tree, with the two conditions that invoices need.
//!
//! A path is `Step/Step`, perhaps ending in `@attribute`. A step is a name, or names with `|`
//! between them, and conditions behind it in brackets: `[@schemeID=VA]`, `[TaxScheme/ID=VAT]`,
//! `[not(@currencyID)]`. A value that begins with `$` stands for what was found before.

use super::xml::Element;
use std::collections::BTreeMap;

/// What a path led to.
#[derive(Debug, Clone)]
pub(super) struct Hit<'a> {
    /// The element; for an attribute, the one that has it.
    pub(super) element: &'a Element,
    /// The text of the element or of the attribute.
    pub(super) text: &'a str,
    /// The whole path from the root, with ordinals where siblings share a name.
    pub(super) path: String,
}

/// Gives the value of a name behind `$`.
pub(super) type Known<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Everything that `path` leads to from `from`, in the order of the document.
pub(super) fn find<'a>(from: &Hit<'a>, path: &str, known: Known<'_>) -> Vec<Hit<'a>> {
    let mut hits = vec![from.clone()];
    for step in steps(path) {
        hits = match step.strip_prefix('@') {
            Some(name) => hits.into_iter().filter_map(|hit| attribute(&hit, name)).collect(),
            None => hits.iter().flat_map(|hit| children(hit, step, known)).collect(),
        };
    }
    hits
}

fn attribute<'a>(hit: &Hit<'a>, name: &str) -> Option<Hit<'a>> {
    let text = hit.element.attribute(name)?;
    Some(Hit { element: hit.element, text, path: format!("{}/@{name}", hit.path) })
}

fn children<'a>(hit: &Hit<'a>, step: &str, known: Known<'_>) -> Vec<Hit<'a>> {
    let (names, conditions) = step.split_once('[').unwrap_or((step, ""));
    let named: Vec<&Element> =
        hit.element.children.iter().filter(|child| names.split('|').any(|name| name == child.name)).collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    named.iter().for_each(|child| *all.entry(&child.name).or_default() += 1);
    let found = named.into_iter().map(|child| {
        let ordinal = seen.entry(&child.name).or_default();
        *ordinal += 1;
        let path = match all[child.name.as_str()] {
            1 => format!("{}/{}", hit.path, child.name),
            _ => format!("{}/{}[{ordinal}]", hit.path, child.name),
        };
        Hit { element: child, text: &child.text, path }
    });
    let meets = |child: &Hit<'_>| {
        let mut all = conditions.split('[').map(|condition| condition.trim_end_matches(']'));
        all.all(|condition| condition.is_empty() || holds(child, condition, known))
    };
    found.filter(meets).collect()
}

fn holds(hit: &Hit<'_>, condition: &str, known: Known<'_>) -> bool {
    if let Some(inner) = condition.strip_prefix("not(").and_then(|rest| rest.strip_suffix(')')) {
        return !holds(hit, inner, known);
    }
    let Some((path, wanted)) = condition.split_once('=') else {
        return !find(hit, condition, known).is_empty();
    };
    let wanted = match wanted.strip_prefix('$') {
        Some(name) => known(name),
        None => Some(wanted.to_string()),
    };
    wanted.is_some_and(|wanted| {
        find(hit, path, known).iter().any(|found| found.text.trim().eq_ignore_ascii_case(&wanted))
    })
}

/// The steps of a path: slashes in conditions do not count.
fn steps(path: &str) -> Vec<&str> {
    let (mut steps, mut depth, mut start) = (Vec::new(), 0usize, 0);
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                steps.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    steps.push(&path[start..]);
    steps
}

#[cfg(test)]
mod tests {
    use super::{Hit, find};
    use crate::connector::format::invoice::xml::parse;

    #[test]
    fn a_path_leads_to_what_meets_its_conditions() {
        let root = parse(
            b"<r><t><s><i>FC</i></s><c>1</c></t><t><s><i>vat</i></s><c>2</c></t>\
              <a k='EUR'>3</a><a k='GBP'>4</a><a>5</a><b>6</b></r>",
        )
        .unwrap();
        let from = Hit { element: &root, text: "", path: "/r".into() };
        let known = |name: &str| (name == "currency").then(|| "GBP".to_string());
        let found = |path: &str| {
            let hits = find(&from, path, &known);
            hits.iter().map(|hit| format!("{} {}", hit.path, hit.text)).collect::<Vec<_>>()
        };
        assert_eq!(found("t[s/i=VAT]/c"), ["/r/t[2]/c 2"]);
        assert_eq!(found("a[@k=$currency]"), ["/r/a[2] 4"]);
        assert_eq!(found("a[not(@k)]"), ["/r/a[3] 5"]);
        assert_eq!(found("a[@k]/@k"), ["/r/a[1]/@k EUR", "/r/a[2]/@k GBP"]);
        assert_eq!(found("b|t/c"), ["/r/t[1]/c 1", "/r/t[2]/c 2"]);
        assert!(found("a[@k=$nothing]").is_empty());
    }
}
