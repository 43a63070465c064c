//! The rules of errors.

use theater_chain::data::ErrorType;

use super::fields::{Fields, Found, Read};
use super::names;
use crate::pattern;
use crate::policy::{ErrorMatch, Rule};

/// The most errors that one rule counts: it keeps the time of each, for each child.
const MOST_TIMES: u32 = 10_000;

/// A rule, where it could be read. `within_ms` is the supervisor's window, which a rule that names
/// none has.
pub(super) fn read(mut fields: Fields<'_>, within_ms: u64) -> Option<Rule> {
    let matches = fields.required("match", "match = { error = \"*\" }", |found| error_match(found, within_ms));
    let class = fields.read("class", |found| found.choice(names::CLASSES));
    let action = fields.read("action", |found| found.choice(names::ACTIONS));
    let action = match (class, action) {
        (Read::Absent, Read::Absent) => {
            fields.findings.fault(
                fields.place,
                "the rule says nothing of what follows; write `class` (temporary, permanent or expected) or `action` \
                 (restart, stop, escalate or ignore)",
            );
            None
        }
        (Read::Absent, given) | (given, Read::Absent) => given.given(),
        (_, _) => {
            fields.findings.fault(fields.place, "the rule has both `class` and `action`; keep one of them");
            None
        }
    };
    fields.finish();
    Some(Rule { matches: matches.given()?, action: action? })
}

fn error_match(found: &Found<'_>, within_ms: u64) -> Option<ErrorMatch> {
    let mut fields = Fields::new(found.table()?, found.place, found.findings);
    let error = fields.read("error", |found| found.text().map(str::to_owned));
    let types = fields.read("type", types);
    let children = fields.read("children", |found| found.texts());
    let times = fields.read("times", |found| found.whole(1, MOST_TIMES, ""));
    let within = fields.read("within", |found| found.time_ms());
    if matches!((&times, &within), (Read::Absent | Read::Given(1), Read::Given(_))) {
        fields.findings.warn(
            fields.place.key("within"),
            "each such error matches, so that `within` means nothing; write `times`, or remove `within`",
        );
    }
    let known = !(error.is_faulty() || types.is_faulty() || children.is_faulty());
    let known = known && !(times.is_faulty() || within.is_faulty());
    fields.finish();
    known.then(|| ErrorMatch {
        error: error.or("*".to_owned()),
        types: types.or_default(),
        children: children.or_default(),
        times: times.or(1),
        within_ms: within.or(within_ms),
    })
}

/// A kind of error, or a list of them.
fn types(found: &Found<'_>) -> Option<Vec<ErrorType>> {
    if let Some(items) = found.value.as_array().filter(|items| !items.is_empty()) {
        let kinds: Vec<Option<ErrorType>> = items
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let found = Found { value, place: found.place.index(index), findings: found.findings };
                found.choice(names::ERROR_TYPES)
            })
            .collect();
        return kinds.into_iter().collect();
    }
    if found.value.is_str() {
        return found.choice(names::ERROR_TYPES).map(|kind| vec![kind]);
    }
    found.fault("a rule speaks of one or more types of error; write such as \"trap\" or [\"trap\", \"call-timeout\"]")
}

/// Reports rules that can never match, since one before them takes all that they would, and gives
/// the rules.
pub(super) fn check(entry: &Fields<'_>, rules: Vec<(usize, Option<Rule>)>) -> Vec<Rule> {
    let rules: Vec<(usize, Rule)> = rules.into_iter().filter_map(|(index, rule)| Some((index, rule?))).collect();
    for (at, (index, rule)) in rules.iter().enumerate() {
        if let Some((before, _)) = rules[..at].iter().find(|(_, before)| takes_all_of(&before.matches, &rule.matches)) {
            entry.findings.fault(
                entry.place.key("errors").index(*index),
                format!(
                    "the rule never matches: rule {before} takes all such errors; put it before that, or remove it"
                ),
            );
        }
    }
    rules.into_iter().map(|(_, rule)| rule).collect()
}

fn takes_all_of(before: &ErrorMatch, rule: &ErrorMatch) -> bool {
    let types = before.types.is_empty()
        || (!rule.types.is_empty() && rule.types.iter().all(|kind| before.types.contains(kind)));
    let child = |wanted: &String| before.children.iter().any(|held| pattern::covers(held, wanted));
    let children = before.children.is_empty() || (!rule.children.is_empty() && rule.children.iter().all(child));
    // A later rule counts only what the earlier one lets through.
    let often = before.times <= 1 || (before.times <= rule.times && before.within_ms >= rule.within_ms);
    types && children && often && pattern::covers(&before.error, &rule.error)
}
