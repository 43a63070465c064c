//! What a supervisor's manifest declares, as far as looking at a tree needs it. Whether it is a
//! policy that a supervisor accepts is not decided here.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use theater::chain::data::{ActorStarted, EventData as _};
use theater::chain::{ActorEntry, codec};
use theater::{ChainStore, Digest, TheaterId};
use theater_supervision_policy::Strategy;

use crate::failure::Failure;

/// The supervisor's entry in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    /// Which children a failure of one concerns.
    pub(crate) strategy: &'static str,
    /// Its budget; `None`: it has none.
    pub(crate) max_restarts: Option<u32>,
    /// The window of the budget, in ms.
    pub(crate) within_ms: u64,
    /// The spec ids of its children.
    pub(crate) children: Vec<String>,
    /// Whether any policy is declared; else children are restarted by the supervisor's own guest.
    pub(crate) is_policy: bool,
}

impl Declared {
    /// Of a manifest's bytes; `None`: it lists no supervisor, or none that could have started.
    pub(crate) fn of_manifest(manifest: &[u8]) -> Option<Self> {
        let policy = theater_supervision_policy::of_manifest(manifest)?.ok()?;
        let is_policy = theater_supervision_policy::read(&toml::Table::new()).is_ok_and(|(none, _)| none != policy);
        let strategy = match policy.strategy {
            Strategy::OneForOne => "one-for-one",
            Strategy::OneForAll => "one-for-all",
            Strategy::RestForOne => "rest-for-one",
            Strategy::Dynamic => "dynamic",
        };
        Some(Self {
            strategy,
            max_restarts: policy.max_restarts,
            within_ms: policy.within_ms,
            children: policy.children.into_iter().map(|spec| spec.id).collect(),
            is_policy,
        })
    }
}

/// The supervisor's entry in the manifest of an actor's newest incarnation.
pub(crate) async fn declared(store: &dyn ChainStore, actor: &ActorEntry) -> Result<Option<Declared>, Failure> {
    let Some(digest) = manifest_of(store, actor).await? else { return Ok(None) };
    Ok(store.manifest(digest).await?.and_then(|bytes| Declared::of_manifest(&bytes)))
}

async fn manifest_of(store: &dyn ChainStore, actor: &ActorEntry) -> Result<Option<Digest>, Failure> {
    let started = store.events(actor.id, actor.index.started, 1).await?.pop();
    let started = started.filter(|event| event.event_type == ActorStarted::TYPE);
    started.map(|event| Ok(codec::decode::<ActorStarted>(&event.data)?.manifest)).transpose()
}

/// The spec ids of those actors that their parents' manifests declare.
pub(crate) async fn spec_ids(
    store: &dyn ChainStore,
    actors: &[ActorEntry],
) -> Result<HashMap<TheaterId, String>, Failure> {
    let parents: HashSet<TheaterId> = actors.iter().filter_map(|actor| actor.index.parent).collect();
    let mut read: HashMap<Digest, Vec<String>> = HashMap::new();
    let mut found = HashMap::new();
    for parent in actors.iter().filter(|actor| parents.contains(&actor.id)) {
        let Some(digest) = manifest_of(store, parent).await? else { continue };
        let specs = match read.entry(digest) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(unread) => {
                let declared = store.manifest(digest).await?.and_then(|bytes| Declared::of_manifest(&bytes));
                unread.insert(declared.map(|declared| declared.children).unwrap_or_default())
            }
        };
        found.extend(specs.iter().map(|spec| (TheaterId::of_spec(&parent.id, spec), spec.clone())));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[track_caller]
    fn read(entry: &str) -> Declared {
        let manifest = format!("name = \"a\"\n[[handlers]]\ntype = \"runtime\"\n{entry}");
        Declared::of_manifest(manifest.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_not_written_is_the_default() {
        let plain = read("[[handlers]]\ntype = \"supervisor\"\npermissions = { max_children = 1 }\n");
        assert_eq!((plain.strategy, plain.max_restarts, plain.is_policy), ("one-for-one", Some(3), false));
        assert_eq!(plain.within_ms, 5_000);
        let slow = read("[[handlers]]\ntype = \"supervisor\"\nbackoff = { initial = \"1s\" }\n");
        assert_eq!((slow.max_restarts, slow.within_ms), (Some(10), 600_000));
        assert_eq!(Declared::of_manifest(b"name = \"a\"\n"), None);
    }

    #[test]
    fn what_is_written_counts() {
        let entry = "[[handlers]]\ntype = \"supervisor\"\nstrategy = \"one-for-all\"\nmax_restarts = \"infinity\"\n\
                     within = \"1m\"\n[[handlers.children]]\nid = \"a\"\nmanifest = \"a.toml\"\n\
                     [[handlers.children]]\nid = \"b\"\nmanifest = \"a.toml\"\n";
        let declared = read(entry);
        assert_eq!((declared.strategy, declared.max_restarts), ("one-for-all", None));
        assert_eq!((declared.within_ms, declared.is_policy), (60_000, true));
        assert_eq!(declared.children, ["a", "b"]);
    }
}
