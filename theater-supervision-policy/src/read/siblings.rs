//! What concerns several children: ids, groups, templates.

use std::collections::HashMap;

use super::children::{ReadChild, Surroundings};
use super::fields::Fields;
use crate::policy::Strategy;

pub(super) fn check(entry: &Fields<'_>, around: &Surroundings, children: &[(usize, ReadChild)]) {
    let place = entry.place.key("children");
    let mut first = HashMap::new();
    for (index, child) in children.iter().filter(|(_, child)| child.id_is_known) {
        if let Some(before) = first.insert(child.spec.id.as_str(), *index) {
            entry.findings.fault(
                place.index(*index).key("id"),
                format!("child {before} has the id {:?} already; write another", child.spec.id),
            );
        }
    }
    if around.strategy == Some(Strategy::Dynamic) && children.len() != 1 {
        entry.findings.fault(
            place,
            format!(
                "strategy = \"dynamic\" takes exactly one child, the template, and there are {}; write one \
                 [[handlers.children]]",
                children.len()
            ),
        );
    }
    // A child whose group could not be read may belong to any.
    let all_known = children.iter().all(|(_, child)| child.group_is_known);
    for group in around.groups.iter().flatten().filter(|_| all_known && around.strategy != Some(Strategy::Dynamic)) {
        if !children.iter().any(|(_, child)| child.spec.group.as_ref() == Some(group)) {
            entry.findings.fault(
                entry.place.key("groups").key(group),
                format!("no child is in this group; write group = \"{group}\" in its children, or remove it"),
            );
        }
    }
}
