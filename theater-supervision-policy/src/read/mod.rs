//! From the supervisor's `[[handlers]]` entry to a policy, with everything that is wrong with it
//! at once.
//!
//! Not with serde: that stops at the first fault, and knows no place below a table. Whether the
//! children's manifests exist is for whoever starts them.

use toml::{Table, Value};

use crate::policy::Policy;

mod backoff;
mod children;
mod events;
mod fault;
mod fields;
mod groups;
mod names;
mod patterns;
mod reach;
mod rules;
mod siblings;
mod value;

pub use fault::{Fault, Warning};

use children::Surroundings;
use fault::{Findings, Place};
use fields::{Fields, Read};

/// The supervisor's budget, where its manifest does not say: as in Erlang's examples; with delays
/// it takes longer to fail as often.
const RESTARTS: (u32, u64) = (3, 5_000);
const RESTARTS_WITH_BACKOFF: (u32, u64) = (10, 600_000);

/// Reads a supervisor's entry, without its `type` and `permissions`.
///
/// # Errors
/// All faults of the entry.
pub fn read(entry: &Table) -> Result<(Policy, Vec<Warning>), Vec<Fault>> {
    let findings = Findings::default();
    let policy = policy(Fields::new(entry, Place::ENTRY, &findings));
    match findings.into_inner() {
        (faults, warnings) if faults.is_empty() => Ok((policy, warnings)),
        (faults, _) => Err(faults),
    }
}

/// The policy of a manifest, from its bytes; `None` without an entry of the type `supervisor`.
pub fn of_manifest(manifest: &[u8]) -> Option<Result<Policy, Vec<Fault>>> {
    let manifest: Table = toml::from_slice(manifest).ok()?;
    let entries = manifest.get("handlers")?.as_array()?;
    let entry = entries.iter().find(|entry| entry.get("type").and_then(Value::as_str) == Some("supervisor"))?;
    let mut entry = entry.as_table()?.clone();
    entry.remove("type");
    entry.remove("permissions");
    Some(read(&entry).map(|(policy, _)| policy))
}

fn policy(mut entry: Fields<'_>) -> Policy {
    let strategy = entry.read("strategy", |found| found.choice(names::STRATEGIES));
    let auto_shutdown = entry.read("auto_shutdown", |found| found.choice(names::AUTO_SHUTDOWN));
    let backoff = entry.read("backoff", backoff::read);
    let (max_restarts, within_ms) = if matches!(backoff, Read::Absent) { RESTARTS } else { RESTARTS_WITH_BACKOFF };
    let max = entry.read("max_restarts", |found| found.budget());
    let within = entry.read("within", |found| found.time_ms());
    let budget_is_known = !(backoff.is_faulty() || max.is_faulty() || within.is_faulty());
    let within_ms = within.or(within_ms);

    let groups = entry.read("groups", |found| groups::read(found, strategy.known()));
    let surroundings = Surroundings {
        strategy: strategy.known(),
        auto_shutdown: auto_shutdown.known(),
        groups: groups.known().map(|groups| groups.into_keys().collect()),
    };
    let on_exhausted = entry.read("on_exhausted", |found| found.choice(names::ON_EXHAUSTED)).or_default();
    let anchor = entry.read("anchor", |found| found.choice(names::ANCHORS)).or_default();
    let events = entry.tables("events", events::read);
    let spawned = entry.read("spawned", children::spawned).given();
    let children = entry.tables("children", |fields| children::read(fields, &surroundings));
    siblings::check(&entry, &surroundings, &children);
    let errors = entry.tables("errors", |fields| rules::read(fields, within_ms));

    let policy = Policy {
        strategy: strategy.or_default(),
        max_restarts: max.or(Some(max_restarts)),
        within_ms,
        auto_shutdown: auto_shutdown.or_default(),
        backoff: backoff.given(),
        on_exhausted,
        anchor,
        events: events.into_iter().map(|(_, filter)| filter).collect(),
        spawned,
        children: children.into_iter().map(|(_, child)| child.spec).collect(),
        groups: groups.or_default(),
        errors: rules::check(&entry, errors),
    };
    patterns::check(&entry, &policy);
    if budget_is_known {
        reach::check(&entry, &policy);
    }
    entry.finish();
    policy
}
