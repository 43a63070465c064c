//! What a supervisor's manifest declares, as far as looking at a tree needs it. Whether it is a
//! policy that a supervisor accepts is not decided here.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use theater::chain::data::{ActorStarted, EventData as _};
use theater::chain::{ActorEntry, codec};
use theater::{ChainStore, Digest, TheaterId};

use crate::failure::Failure;

/// The supervisor's entry in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    /// Which children a failure of one concerns.
    pub(crate) strategy: String,
    /// Its budget; `None`: it has none.
    pub(crate) max_restarts: Option<u32>,
    /// The window of the budget.
    pub(crate) within: Duration,
    /// The spec ids of its children.
    pub(crate) children: Vec<String>,
    /// Whether any policy is declared; else children are restarted by the supervisor's own guest.
    pub(crate) is_policy: bool,
}

/// The keys of the entry that make no policy.
const PLAIN: &[&str] = &["type", "permissions"];

impl Declared {
    /// Of a manifest's bytes; `None`: it lists no supervisor.
    pub(crate) fn of_manifest(manifest: &[u8]) -> Option<Self> {
        let manifest: toml::Table = std::str::from_utf8(manifest).ok()?.parse().ok()?;
        let handlers = manifest.get("handlers")?.as_array()?;
        let entry = handlers
            .iter()
            .filter_map(toml::Value::as_table)
            .find(|entry| entry.get("type").and_then(toml::Value::as_str) == Some("supervisor"))?;
        let has_backoff = entry.contains_key("backoff");
        // The defaults of the policy.
        let (most, within) = if has_backoff { (10, 600) } else { (3, 5) };
        let text = |key: &str| entry.get(key).and_then(toml::Value::as_str);
        let max_restarts = match entry.get("max_restarts") {
            Some(value) => value.as_integer().and_then(|most| u32::try_from(most).ok()),
            None => Some(most),
        };
        let children = entry.get("children").and_then(toml::Value::as_array).into_iter().flatten();
        let id = |child: &toml::Value| Some(child.get("id")?.as_str()?.to_owned());
        Some(Self {
            strategy: text("strategy").unwrap_or("one-for-one").to_owned(),
            max_restarts,
            within: text("within")
                .and_then(|time| humantime::parse_duration(time).ok())
                .unwrap_or(Duration::from_secs(within)),
            children: children.filter_map(id).collect(),
            is_policy: entry.keys().any(|key| !PLAIN.contains(&key.as_str())),
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
        assert_eq!((plain.strategy.as_str(), plain.max_restarts, plain.is_policy), ("one-for-one", Some(3), false));
        assert_eq!(plain.within, Duration::from_secs(5));
        let slow = read("[[handlers]]\ntype = \"supervisor\"\nbackoff = { initial = \"1s\" }\n");
        assert_eq!((slow.max_restarts, slow.within), (Some(10), Duration::from_secs(600)));
        assert_eq!(Declared::of_manifest(b"name = \"a\"\n"), None);
    }

    #[test]
    fn what_is_written_counts() {
        let entry = "[[handlers]]\ntype = \"supervisor\"\nstrategy = \"one-for-all\"\nmax_restarts = \"infinity\"\n\
                     within = \"1m\"\n[[handlers.children]]\nid = \"a\"\n[[handlers.children]]\nid = \"b\"\n";
        let declared = read(entry);
        assert_eq!((declared.strategy.as_str(), declared.max_restarts), ("one-for-all", None));
        assert_eq!((declared.within, declared.is_policy), (Duration::from_secs(60), true));
        assert_eq!(declared.children, ["a", "b"]);
    }
}
