//! Patterns of children that fit none of the declared ones.
//!
//! A warning only: they may be meant for names, which stand in the children's own manifests, or
//! for children that are started later.

use super::fault::Place;
use super::fields::Fields;
use crate::pattern;
use crate::policy::{Policy, Strategy};

pub(super) fn check(entry: &Fields<'_>, policy: &Policy) {
    if policy.strategy == Strategy::Dynamic || policy.spawned.is_some() || policy.children.is_empty() {
        return;
    }
    let warn = |place: Place<'_>, patterns: &[String]| {
        for pattern in
            patterns.iter().filter(|pattern| !policy.children.iter().any(|child| pattern::matches(pattern, &child.id)))
        {
            entry.findings.warn(
                place,
                format!(
                    "{pattern:?} fits the id of no declared child; write one that does, unless it is meant for names"
                ),
            );
        }
    };
    let errors = entry.place.key("errors");
    for (index, rule) in policy.errors.iter().enumerate() {
        warn(errors.index(index).key("match").key("children"), &rule.matches.children);
    }
    let events = entry.place.key("events");
    for (index, filter) in policy.events.iter().enumerate() {
        warn(events.index(index).key("children"), &filter.children);
    }
}
