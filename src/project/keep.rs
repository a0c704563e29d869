//! `[keep]`: which releases are kept.

use super::reader::Section;
use crate::release::keep::Rules;

/// Reads the rules; without the section everything is kept.
pub(super) fn check(section: Option<Section<'_>>) -> Rules {
    let Some(mut section) = section else { return Rules::default() };
    let mut rules =
        Rules { releases: section.number("releases"), days: section.number("days"), ..Rules::default() };
    for (key, number) in [("releases", &mut rules.releases), ("days", &mut rules.days)] {
        if *number == Some(0) {
            let hint = "the newest release is always kept; leave the line out to keep the others for ever";
            section.problem(section.place(key), format!("{key} = 0 keeps nothing"), hint);
            *number = None;
        }
    }
    if let Some(holds) = section.section("holds") {
        rules.holds = holds
            .numbers()
            .into_iter()
            .map(|(name, releases)| (name, releases.into_iter().collect()))
            .collect();
    }
    section.finish();
    rules
}
