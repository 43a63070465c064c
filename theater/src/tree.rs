//! The registry: which actors are alive, and how they stand to each other.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use theater_chain::{Digest, TheaterId};

use tokio::sync::Notify;

use crate::actor::{Actor, lock};
use crate::call::Relation;
use crate::error::SpawnError;
use crate::recorder::Recorder;
use crate::usage::Usage;
use crate::waits::Waits;

/// What is known of a chain's writing end.
struct Known {
    recorder: Weak<Recorder>,
    usage: Arc<Usage>,
}

/// Every actor that is alive or whose messages wait for its supervisor.
#[derive(Default)]
pub(crate) struct Tree {
    actors: Mutex<HashMap<TheaterId, Arc<Actor>>>,
    /// The writing ends that anybody still holds: a chain has one at a time.
    recorders: Mutex<HashMap<TheaterId, Known>>,
    /// Components and manifests that are in the store or on their way, by durability.
    blobs: Mutex<HashSet<(bool, Digest)>>,
    pub(crate) waits: Waits,
    closing: AtomicBool,
    changed: Notify,
}

impl Tree {
    pub(crate) fn find(&self, id: TheaterId) -> Option<Arc<Actor>> {
        lock(&self.actors).get(&id).cloned()
    }

    /// `name (id)`, for messages.
    pub(crate) fn label(&self, id: TheaterId) -> String {
        self.find(id).map_or_else(|| id.to_string(), |actor| actor.label())
    }

    pub(crate) fn all(&self) -> Vec<Arc<Actor>> {
        lock(&self.actors).values().cloned().collect()
    }

    pub(crate) fn roots(&self) -> Vec<Arc<Actor>> {
        lock(&self.actors).values().filter(|actor| actor.parent_id.is_none()).cloned().collect()
    }

    pub(crate) fn relation(&self, actor: &Actor, other: TheaterId) -> Relation {
        if other == actor.id {
            return Relation::Itself;
        }
        let Some(found) = self.find(other) else {
            return Relation::Unknown;
        };
        if actor.parent_id == Some(other) {
            Relation::Parent
        } else if found.parent_id == Some(actor.id) {
            Relation::Child
        } else if found.parent_id.is_some() && found.parent_id == actor.parent_id {
            Relation::Sibling
        } else {
            Relation::Other
        }
    }

    /// Registers an incarnation below its parent. `before` is the one that it follows, if that is
    /// still known; anything else under this id means that the actor runs.
    pub(crate) fn register(&self, actor: &Arc<Actor>, before: Option<&Arc<Actor>>) -> Result<(), SpawnError> {
        let parent = actor
            .parent
            .as_ref()
            .map(|parent| parent.upgrade().ok_or_else(|| SpawnError::ParentGone(actor.parent_id.unwrap_or(actor.id))));
        let parent = parent.transpose()?;
        let mut actors = lock(&self.actors);
        if self.closing.load(Ordering::SeqCst) {
            return Err(SpawnError::ShuttingDown);
        }
        if actor.incarnation != actor.recorder.incarnation() + 1 {
            return Err(SpawnError::Running(actor.id)); // another start of it came first
        }
        if actor.made.begins_with.since != actor.recorder.upgraded() {
            return Err(SpawnError::Running(actor.id)); // it was upgraded meanwhile
        }
        match (actors.get(&actor.id), before) {
            (None, _) => {}
            (Some(known), Some(before)) if Arc::ptr_eq(known, before) && lock(&known.inbox).is_over() => {}
            _ => return Err(SpawnError::Running(actor.id)),
        }
        if let Some(parent) = parent {
            let mut family = lock(&parent.family);
            if family.closed {
                return Err(SpawnError::ParentGone(parent.id));
            }
            // A restart keeps the child's place.
            let place = before.and_then(|before| family.children.iter().position(|child| Arc::ptr_eq(child, before)));
            match place {
                Some(place) => family.children[place] = actor.clone(),
                None => family.children.push(actor.clone()),
            }
        }
        actors.insert(actor.id, actor.clone());
        self.changed.notify_waiters();
        Ok(())
    }

    /// Registers an incarnation that goes on after the process went down, or that has ended and is
    /// still to be followed by another. Its parent is registered.
    pub(crate) fn adopt(&self, actor: &Arc<Actor>) {
        let mut actors = lock(&self.actors);
        if let Some(parent) = actor.parent.as_ref().and_then(Weak::upgrade) {
            lock(&parent.family).children.push(actor.clone());
        }
        actors.insert(actor.id, actor.clone());
    }

    /// Does this while no incarnation of the actor is known, and none can be registered. `None`: one
    /// is.
    pub(crate) fn while_gone<T>(&self, id: TheaterId, work: impl FnOnce() -> T) -> Option<T> {
        let actors = lock(&self.actors);
        (!actors.contains_key(&id)).then(work)
    }

    /// Completes when an actor is registered or forgotten after this was called.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + '_ {
        self.changed.notified()
    }

    /// Forgets an incarnation, unless another has taken its place.
    pub(crate) fn remove(&self, actor: &Arc<Actor>) {
        if let Some(parent) = actor.parent.as_ref().and_then(Weak::upgrade) {
            lock(&parent.family).children.retain(|child| !Arc::ptr_eq(child, actor));
        }
        let mut actors = lock(&self.actors);
        if actors.get(&actor.id).is_some_and(|known| Arc::ptr_eq(known, actor)) {
            actors.remove(&actor.id);
            self.changed.notify_waiters();
        }
    }

    /// No actor can be started any more.
    pub(crate) fn close(&self) {
        let _actors = lock(&self.actors); // a start that is being registered comes before or after
        self.closing.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// The writing end of a chain: the one that is in use, or the one that `make` gives.
    /// How busy the actor was is known for a while after it ended.
    pub(crate) fn recorder(&self, id: TheaterId, make: impl FnOnce() -> Recorder) -> Arc<Recorder> {
        let mut recorders = lock(&self.recorders);
        let known = recorders.get(&id);
        if let Some(recorder) = known.and_then(|known| known.recorder.upgrade()) {
            return recorder;
        }
        let mut recorder = make();
        if let Some(known) = known {
            recorder.usage = known.usage.clone();
        }
        if recorders.len() > 64 && recorders.len().is_power_of_two() {
            recorders.retain(|_, known| known.recorder.strong_count() > 0);
        }
        let recorder = Arc::new(recorder);
        recorders.insert(id, Known { recorder: Arc::downgrade(&recorder), usage: recorder.usage.clone() });
        recorder
    }

    /// How busy an actor is or was lately; a fresh account of one that is not known.
    pub(crate) fn usage(&self, id: TheaterId) -> Arc<Usage> {
        lock(&self.recorders).get(&id).map(|known| known.usage.clone()).unwrap_or_default()
    }

    /// Whether these bytes have not been given to the store yet by this process.
    pub(crate) fn is_new_blob(&self, ephemeral: bool, digest: Digest) -> bool {
        lock(&self.blobs).insert((ephemeral, digest))
    }
}
