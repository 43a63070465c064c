//! Who notes the order in which things happened over all chains.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use theater::TheaterId;
use theater_tests::Tapped;

/// Every event with its actor in the one order of commits.
#[derive(Clone, Default)]
pub(super) struct Witness {
    seen: Arc<Mutex<Vec<(TheaterId, String)>>>,
}

impl Witness {
    /// A store whose commits it sees.
    pub(super) fn store(&self) -> Tapped {
        let seen = self.seen.clone();
        Tapped::new(move |commit| {
            let events = commit.events.iter().map(|(actor, event)| (*actor, event.event_type.to_string()));
            seen.lock().unwrap().extend(events);
            std::future::ready(())
        })
    }

    /// Forgets what it saw and returns it.
    pub(super) fn take(&self) -> Vec<(TheaterId, String)> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// Each actor has one life at a time, and none without its parent; all have ended.
    /// Returns how many lives each had.
    pub(super) fn lives(
        seen: &[(TheaterId, String)],
        parents: &HashMap<TheaterId, Option<TheaterId>>,
    ) -> HashMap<TheaterId, u32> {
        let mut live: HashMap<TheaterId, bool> = HashMap::new();
        let mut lives: HashMap<TheaterId, u32> = HashMap::new();
        for (actor, event) in seen {
            let is_live = live.get(actor).copied().unwrap_or_default();
            match event.as_str() {
                "actor_started" => {
                    assert!(!is_live, "{actor} has two lives at once");
                    if let Some(Some(parent)) = parents.get(actor) {
                        assert!(live.get(parent).copied().unwrap_or_default(), "{actor} starts without its parent");
                    }
                    live.insert(*actor, true);
                    *lives.entry(*actor).or_default() += 1;
                }
                "actor_terminated" => {
                    assert!(is_live, "{actor} ends twice");
                    for (child, _) in parents.iter().filter(|(_, parent)| **parent == Some(*actor)) {
                        assert!(!live.get(child).copied().unwrap_or_default(), "{child} outlives its parent {actor}");
                    }
                    live.insert(*actor, false);
                }
                _ => {}
            }
        }
        let left: Vec<_> = live.iter().filter(|(_, is_live)| **is_live).collect();
        assert!(left.is_empty(), "without an end: {left:?}");
        lives
    }
}
