//! Which actor is meant: an id, the beginning of one, or a path in the tree.

use std::collections::{HashMap, HashSet};

use theater::chain::ActorEntry;
use theater::{ChainStore, TheaterId};

use super::declared::spec_ids;
use super::{record, render};
use crate::failure::Failure;

/// How many actors a message lists.
const LISTED: usize = 20;

/// The actors of a record.
pub(crate) struct Actors {
    entries: Vec<ActorEntry>,
    by_id: HashMap<TheaterId, usize>,
    /// The spec ids of declared children: in a path they stand for the names.
    specs: HashMap<TheaterId, String>,
}

impl Actors {
    pub(crate) async fn read(store: &dyn ChainStore) -> Result<Self, Failure> {
        let entries = record::actors(store).await?;
        let specs = spec_ids(store, &entries).await?;
        Ok(Self::of(entries, specs))
    }

    fn of(entries: Vec<ActorEntry>, specs: HashMap<TheaterId, String>) -> Self {
        let by_id = entries.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect();
        Self { entries, by_id, specs }
    }

    /// What an actor is called in a path.
    pub(crate) fn name<'a>(&'a self, actor: &'a ActorEntry) -> &'a str {
        self.specs.get(&actor.id).unwrap_or(&actor.index.name)
    }

    /// An actor and everything below it, in the order of the record.
    pub(crate) fn subtree(&self, root: &ActorEntry) -> Vec<&ActorEntry> {
        let mut children: HashMap<TheaterId, Vec<&ActorEntry>> = HashMap::new();
        for actor in &self.entries {
            if let Some(parent) = actor.index.parent {
                children.entry(parent).or_default().push(actor);
            }
        }
        // A record that was brought in piece by piece may know a child before its parent.
        let (mut within, mut next) = (HashSet::from([root.id]), vec![root.id]);
        while let Some(parent) = next.pop() {
            let below = children.remove(&parent).unwrap_or_default();
            next.extend(below.iter().map(|child| child.id).filter(|id| within.insert(*id)));
        }
        self.entries.iter().filter(|actor| within.contains(&actor.id)).collect()
    }

    /// The actor with this id.
    pub(crate) fn get(&self, id: TheaterId) -> Option<&ActorEntry> {
        self.by_id.get(&id).map(|at| &self.entries[*at])
    }

    /// How many events they have together.
    pub(crate) fn events(&self) -> u64 {
        self.entries.iter().fold(0, |events: u64, actor| events.saturating_add(actor.head.seq + 1))
    }

    /// The names from the root down to an actor, as they are shown and written.
    pub(crate) fn path(&self, actor: &ActorEntry) -> String {
        let mut names = vec![render::plain_text(self.name(actor))];
        let mut parent = actor.index.parent;
        // A damaged record may hold a circle.
        while let Some(above) = parent.and_then(|id| self.by_id.get(&id)).filter(|_| names.len() < 1_000) {
            let above = &self.entries[*above];
            names.push(render::plain_text(self.name(above)));
            parent = above.index.parent;
        }
        names.reverse();
        names.join("/")
    }

    /// The one actor that `text` means.
    pub(crate) fn find(&self, text: &str) -> Result<&ActorEntry, Failure> {
        let wanted = text.trim_matches('/');
        let lower = wanted.to_ascii_lowercase();
        let is_hex = !lower.is_empty() && lower.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_meant = |actor: &&ActorEntry| {
            is_hex && actor.id.to_string().starts_with(&lower) || self.path(actor) == wanted && !wanted.is_empty()
        };
        let mut found: Vec<&ActorEntry> = self.entries.iter().filter(is_meant).collect();
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                found.push(last);
                Err(Failure::new(format!("{text:?} means {} actors:{}", found.len(), self.list(&found)))
                    .help("name one of them by its id, or by the beginning of it"))
            }
            (None, _) => Err(self.unknown(text, wanted)),
        }
    }

    fn unknown(&self, text: &str, wanted: &str) -> Failure {
        let name = wanted.rsplit('/').next().unwrap_or(wanted);
        let near: Vec<&ActorEntry> =
            self.entries.iter().filter(|actor| actor.index.name == name || self.name(actor) == name).collect();
        if near.is_empty() {
            let help = if std::path::Path::new(text).exists() {
                format!("that is a file or a folder: `--data {text}` looks into the bundle or the run that it is")
            } else {
                "`theater tree` shows the actors".to_owned()
            };
            return Failure::new(format!("no actor {text:?} in the record")).help(help);
        }
        Failure::new(format!("no actor {text:?} in the record, but with that name:{}", self.list(&near)))
            .help("an actor is named by its id, the beginning of it, or its path from the root")
    }

    fn list(&self, actors: &[&ActorEntry]) -> String {
        let mut list: String =
            actors.iter().take(LISTED).map(|actor| format!("\n    {}  {}", actor.id, self.path(actor))).collect();
        if actors.len() > LISTED {
            list.push_str(&format!("\n    and {} more", actors.len() - LISTED));
        }
        list
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use theater::Digest;
    use theater::chain::{ActorIndex, Head};

    use super::*;

    fn entry(id: u8, name: &str, parent: Option<u8>) -> ActorEntry {
        let id_of = |n: u8| TheaterId::from_bytes([n; 16]);
        ActorEntry {
            id: id_of(id),
            head: Head { seq: 0, hash: Digest::ZERO },
            index: ActorIndex {
                parent: parent.map(id_of),
                name: name.to_owned(),
                manifest_path: String::new(),
                incarnation: 1,
                started: 0,
                ended: None,
                state: Digest::ZERO,
                upgraded: None,
            },
        }
    }

    fn bank() -> Actors {
        let entries = vec![
            entry(0xab, "bank", None),
            entry(0xa1, "book", Some(0xab)),
            entry(0x11, "worker", Some(0xab)),
            entry(0x12, "worker", Some(0xab)),
            entry(0x33, "abab", Some(0x11)),
        ];
        let specs = HashMap::from([(TheaterId::from_bytes([0xa1; 16]), "ledger".to_owned())]);
        Actors::of(entries, specs)
    }

    #[track_caller]
    fn finds(text: &str, id: u8) {
        assert_eq!(bank().find(text).unwrap().id, TheaterId::from_bytes([id; 16]), "{text}");
    }

    #[track_caller]
    fn refuses(text: &str, parts: &[&str]) {
        let said = format!("{:?}", bank().find(text).unwrap_err());
        for part in parts {
            assert!(said.contains(part), "{text}: {said} lacks {part}");
        }
    }

    #[test]
    fn an_actor_is_found_by_id_prefix_and_path() {
        finds(&"a1".repeat(16), 0xa1);
        finds("A1a1", 0xa1);
        finds("bank", 0xab);
        finds("bank/ledger", 0xa1);
        finds("/bank/worker/abab/", 0x33);
        finds("abab", 0xab);
    }

    #[test]
    fn the_subtree_is_all_below() {
        let bank = bank();
        let ids = |text: &str| {
            let found = bank.subtree(bank.find(text).unwrap());
            found.iter().map(|actor| actor.id.as_bytes()[0]).collect::<Vec<_>>()
        };
        assert_eq!(ids("bank"), [0xab, 0xa1, 0x11, 0x12, 0x33]);
        assert_eq!(ids("1111"), [0x11, 0x33]);
        assert_eq!(ids("bank/ledger"), [0xa1]);
    }

    #[test]
    fn what_is_ambiguous_or_unknown_says_so() {
        refuses("a", &["2 actors", &"ab".repeat(16), &"a1".repeat(16)]);
        refuses("bank/worker", &["2 actors", &"11".repeat(16), &"12".repeat(16), "by its id"]);
        refuses("ledger", &["no actor", "bank/ledger"]);
        refuses("book", &["no actor", "bank/ledger"]);
        refuses("bank/nobody", &["no actor", "theater tree"]);
        refuses("", &["no actor"]);
        refuses("/", &["no actor"]);
    }
}
