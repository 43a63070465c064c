//! Live instances: made when an actor has something to do, dropped when others need the place.

use std::sync::Arc;

use theater_chain::data::{DropReason, InstanceDropped};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::actor::{Actor, lock};
use crate::actor_store::{ActorStore, Slots};
use crate::places::{Asked, Place};

/// An instance is dropped after this many events of its actor, so that a replay never has to go
/// back further.
const AGED: u64 = 1_000;

/// A component's instance and its store: what of an actor can be dropped between any two calls.
pub struct ActorInstance {
    pub(crate) store: Store<ActorStore>,
    pub(crate) instance: Instance,
    /// The seq of the newest event when it was made.
    since: u64,
    /// Given back after the store is gone.
    place: Place,
}

impl ActorInstance {
    pub(crate) fn new(store: Store<ActorStore>, instance: Instance, place: Place) -> Self {
        let since = head_seq(&store.data().actor);
        Self { store, instance, since, place }
    }

    pub(crate) fn is_aged(&self) -> bool {
        head_seq(&self.store.data().actor) >= self.since + AGED
    }

    /// Whether its place is kept for its actor.
    pub(crate) fn is_pinned(&self) -> bool {
        matches!(self.place, Place::Pinned(_))
    }

    /// Drops the instance; the handlers' states stay.
    pub(crate) fn into_slots(self) -> Slots {
        self.store.into_data().slots
    }
}

fn head_seq(actor: &Actor) -> u64 {
    actor.recorder.head().map_or(0, |head| head.seq)
}

/// A store with the settings that every guest runs under.
pub(crate) fn new_store(actor: &Arc<Actor>, slots: Slots) -> Store<ActorStore> {
    let data = ActorStore::new(actor.clone(), slots);
    let mut store = Store::new(&actor.shared.engine, data);
    store.limiter(|data| &mut data.memory);
    store.set_hostcall_fuel(actor.made.manifest.limits.host_call_bytes);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}

/// Drops the instance of an idle actor that has been idle since it was listed.
pub(crate) fn park(actor: &Actor, listed_at: u64) -> Asked {
    let mut inbox = lock(&actor.inbox);
    let live = match inbox.park(listed_at) {
        Ok(live) => live,
        Err(asked) => return asked,
    };
    record_drop(actor, DropReason::Parked);
    inbox.set_parked(live.into_slots());
    Asked::Parked
}

/// Records that the instance is dropped, so that a replay drops it at the same point.
pub(crate) fn record_drop(actor: &Actor, reason: DropReason) {
    actor.recorder.append(&InstanceDropped { reason }, None);
}
