//! The groups.

use std::collections::BTreeMap;

use super::fields::{Fields, Found, Read};
use super::names;
use crate::policy::{Group, StateChoice, Strategy};

/// The groups by name, faulty ones with what could be read of them: their names are what children
/// refer to. `strategy` is the supervisor's, where it is known.
pub(super) fn read(found: &Found<'_>, strategy: Option<Strategy>) -> Option<BTreeMap<String, Group>> {
    let table = found.table()?;
    if strategy == Some(Strategy::Dynamic) && !table.is_empty() {
        found.findings.fault(
            found.place,
            "a supervisor with strategy = \"dynamic\" has no groups; remove them, or write another strategy",
        );
    }
    let mut groups = BTreeMap::new();
    for (name, value) in table {
        let found = Found { value, place: found.place.key(name), findings: found.findings };
        let group = found.table().map(|table| group(Fields::new(table, found.place, found.findings)));
        groups.insert(name.clone(), group.unwrap_or(NOTHING));
    }
    Some(groups)
}

const NOTHING: Group = Group {
    strategy: Strategy::OneForOne,
    restart_state: None,
    on_no_cut: crate::policy::OnNoCut::Escalate,
    max_restarts: None,
};

fn group(mut fields: Fields<'_>) -> Group {
    let strategy = fields.read("strategy", |found| match found.choice(names::STRATEGIES)? {
        Strategy::Dynamic => found.fault(
            "a group's strategy is not \"dynamic\"; write one-for-one, one-for-all or rest-for-one, and give children \
             of a template a supervisor of their own",
        ),
        strategy => Some(strategy),
    });
    let restart_state = fields.read("restart_state", |found| found.restart_state());
    let on_no_cut = fields.read("on_no_cut", |found| found.choice(names::ON_NO_CUT));
    let max_restarts = fields.read("max_restarts", |found| found.budget()).or(None);
    let alone = strategy.known() == Some(Strategy::OneForOne);
    let anew = matches!(&restart_state, Read::Absent | Read::Given(StateChoice::Reset));
    if matches!(on_no_cut, Read::Given(_)) && (alone || anew) {
        fields.findings.warn(
            fields.place.key("on_no_cut"),
            "a cut is looked for only in a group that resumes together; write restart_state = \"resume\" and a \
             strategy other than one-for-one, or remove `on_no_cut`",
        );
    }
    fields.finish();
    Group {
        strategy: strategy.or_default(),
        restart_state: restart_state.given(),
        on_no_cut: on_no_cut.or_default(),
        max_restarts,
    }
}
