//! Live instances: made when an actor has something to do, bounded in number, given up by idle
//! actors when others need the place.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use theater_chain::data::{DropReason, InstanceDropped};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::actor::{Actor, lock};
use crate::actor_store::{ActorStore, Slots};

/// An instance is dropped after this many events of its actor, so that a replay never has to go
/// back further.
const AGED: u64 = 1_000;

/// A component's instance and its store: what of an actor can be dropped between any two calls.
pub struct ActorInstance {
    pub(crate) store: Store<ActorStore>,
    pub(crate) instance: Instance,
    /// The seq of the newest event when it was made.
    since: u64,
    _permit: OwnedSemaphorePermit,
}

impl ActorInstance {
    pub(crate) fn new(store: Store<ActorStore>, instance: Instance, permit: OwnedSemaphorePermit) -> Self {
        let since = head_seq(&store.data().actor);
        Self { store, instance, since, _permit: permit }
    }

    pub(crate) fn is_aged(&self) -> bool {
        head_seq(&self.store.data().actor) >= self.since + AGED
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

/// The places for live instances.
pub(crate) struct LivePool {
    places: Arc<Semaphore>,
    idle: Mutex<Idle>,
    /// Actors that wait for a place.
    waiting: AtomicUsize,
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Actors that went idle with an instance, each once, longest ago first; some may have woken or
/// ended since.
#[derive(Default)]
struct Idle {
    listed: VecDeque<Weak<Actor>>,
    prune_at: usize,
}

impl LivePool {
    pub(crate) fn new(size: u32) -> Self {
        Self { places: Arc::new(Semaphore::new(size as usize)), idle: Mutex::default(), waiting: AtomicUsize::new(0) }
    }

    /// A place, taken from an idle actor where none is free. Where every instance is busy, the first
    /// that goes idle gives its place up.
    pub(crate) async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(permit) = self.places.clone().try_acquire_owned() {
            return permit;
        }
        // Counted before the idle ones are looked through: who goes idle later sees it.
        let _waiting = Waiting::new(&self.waiting);
        self.park_one();
        #[expect(clippy::expect_used, reason = "the semaphore is never closed")]
        self.places.clone().acquire_owned().await.expect("never closed")
    }

    /// Whether an actor that goes idle should give its place up.
    pub(crate) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Lists an actor that went idle with an instance; its inbox says that it is not listed yet.
    pub(crate) fn list(&self, actor: &Arc<Actor>) {
        let mut idle = lock(&self.idle);
        if idle.listed.len() >= idle.prune_at {
            idle.listed.retain(|actor| actor.strong_count() > 0);
            idle.prune_at = 2 * idle.listed.len() + 64;
        }
        idle.listed.push_back(Arc::downgrade(actor));
    }

    /// Parks the actor that has been idle for the longest.
    fn park_one(&self) {
        while let Some(actor) = self.longest_idle() {
            if actor.upgrade().is_some_and(|actor| park(&actor)) {
                return;
            }
        }
    }

    fn longest_idle(&self) -> Option<Weak<Actor>> {
        lock(&self.idle).listed.pop_front()
    }
}

/// Drops the instance of an idle actor.
fn park(actor: &Actor) -> bool {
    let mut inbox = lock(&actor.inbox);
    let Some(live) = inbox.park() else {
        return false;
    };
    record_drop(actor, DropReason::Parked);
    inbox.set_parked(live.into_slots());
    true
}

/// Records that the instance is dropped, so that a replay drops it at the same point.
pub(crate) fn record_drop(actor: &Actor, reason: DropReason) {
    actor.recorder.append(&InstanceDropped { reason }, None);
}
