//! A declared child, and the policy of those without a spec. What concerns several children is in
//! `siblings`.

use super::fields::{Fields, Found, Read};
use super::names;
use crate::policy::{AutoShutdown, RestartType, Spawned, Spec, Strategy};

/// The longest spec id, in bytes: it is in paths, tables and every view of the tree.
const LONGEST_ID: usize = 128;

/// What a child's keys depend on; `None` where that is itself faulty.
pub(super) struct Surroundings {
    pub(super) strategy: Option<Strategy>,
    pub(super) auto_shutdown: Option<AutoShutdown>,
    /// Their names.
    pub(super) groups: Option<Vec<String>>,
}

/// A child as far as it could be read.
pub(super) struct ReadChild {
    pub(super) spec: Spec,
    pub(super) id_is_known: bool,
    pub(super) group_is_known: bool,
}

pub(super) fn read(mut fields: Fields<'_>, around: &Surroundings) -> ReadChild {
    let id = fields.required("id", "id = \"ledger\"", id);
    let manifest = fields.required("manifest", "manifest = \"ledger.toml\"", manifest);
    let restart = fields.read("restart", |found| found.choice(names::RESTARTS));
    let restart_state = fields.read("restart_state", |found| found.restart_state()).or_default();
    let shutdown = fields.read("shutdown", |found| found.shutdown()).given();
    let known_restart = restart.known();
    let significant = fields.read("significant", |found| significant(found, known_restart, around)).or(false);
    let max_restarts = fields.read("max_restarts", |found| found.budget()).or(None);
    let group = fields.read("group", |found| group(found, around));
    let redeliver = fields.read("redeliver", |found| found.flag()).or(false);
    fields.finish();
    ReadChild {
        id_is_known: matches!(id, Read::Given(_)),
        group_is_known: !group.is_faulty(),
        spec: Spec {
            id: id.or_default(),
            manifest: manifest.or_default(),
            restart: restart.or_default(),
            restart_state,
            shutdown,
            significant,
            max_restarts,
            group: group.given(),
            redeliver,
        },
    }
}

/// `[handlers.spawned]`.
pub(super) fn spawned(found: &Found<'_>) -> Option<Spawned> {
    let mut fields = Fields::new(found.table()?, found.place, found.findings);
    let spawned = Spawned {
        restart: fields.read("restart", |found| found.choice(names::RESTARTS)).or_default(),
        restart_state: fields.read("restart_state", |found| found.restart_state()).or_default(),
        shutdown: fields.read("shutdown", |found| found.shutdown()).given(),
        max_restarts: fields.read("max_restarts", |found| found.budget()).or(None),
        redeliver: fields.read("redeliver", |found| found.flag()).or(false),
    };
    fields.finish();
    Some(spawned)
}

fn id(found: &Found<'_>) -> Option<String> {
    let id = found.text()?;
    if id.is_empty() {
        return found.fault("the id is empty; write a name, such as id = \"ledger\"");
    }
    if id.len() > LONGEST_ID {
        return found.fault(format!("the id has {} bytes; write one of at most {LONGEST_ID}", id.len()));
    }
    if id.contains('/') {
        return found.fault(format!("{id:?} has a `/`, which separates ids in paths of the tree; write it without"));
    }
    if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return found.fault(format!("{id:?} looks like the id of an actor; write a name that cannot be one"));
    }
    Some(id.to_owned())
}

fn manifest(found: &Found<'_>) -> Option<String> {
    let path = found.text()?;
    if path.is_empty() {
        return found.fault("the path is empty; write that of the child's manifest, such as \"ledger.toml\"");
    }
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return found
            .fault(format!("{path:?} leads out of the folder; write a path relative to this manifest's folder"));
    }
    Some(path.to_owned())
}

fn significant(found: &Found<'_>, restart: Option<RestartType>, around: &Surroundings) -> Option<bool> {
    let significant = found.flag()?;
    if !significant {
        return Some(false);
    }
    let faults = [
        (
            around.auto_shutdown == Some(AutoShutdown::Never),
            "a significant child means nothing with auto_shutdown = \"never\"; remove `significant`, or write \
             any-significant or all-significant",
        ),
        (
            restart == Some(RestartType::Permanent),
            "a permanent child is always restarted, so that it cannot be significant; remove `significant`, or write \
             restart = \"transient\" or \"temporary\"",
        ),
        (
            around.strategy == Some(Strategy::Dynamic),
            "children of a template cannot be significant; remove `significant`, or write another strategy than dynamic",
        ),
    ];
    let mut fine = true;
    for (_, reason) in faults.iter().filter(|(faulty, _)| *faulty) {
        found.findings.fault(found.place, *reason);
        fine = false;
    }
    fine.then_some(true)
}

fn group(found: &Found<'_>, around: &Surroundings) -> Option<String> {
    let group = found.text()?;
    if around.strategy == Some(Strategy::Dynamic) {
        return found
            .fault("children of a template have no group; remove `group`, or write another strategy than dynamic");
    }
    // Without groups that could be read, nothing can be said of one.
    let Some(groups) = &around.groups else { return Some(group.to_owned()) };
    if groups.iter().any(|declared| declared == group) {
        return Some(group.to_owned());
    }
    let meant = super::value::nearest(group, groups.iter().map(String::as_str));
    let meant = meant.map(|name| format!(", or did you mean \"{name}\"?")).unwrap_or_default();
    found.fault(format!("group {group:?} is not declared; add [handlers.groups.{group}]{meant}"))
}
