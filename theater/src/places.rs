//! The places for live instances: how many there are, who waits for one, and which idle actor gives its
//! own up for another.
//!
//! Nobody waits in a circle: an actor whose guest waits in a host call, for another actor perhaps, lends
//! its place, up to the slots that the engine has beyond the places.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::actor::{Actor, lock};
use crate::capacity::Instances;
use crate::linger::Linger;

/// The places of one runtime.
pub(crate) struct LivePool {
    pub(crate) instances: Instances,
    pub(crate) linger: Linger,
    taken: Mutex<Taken>,
    /// Whether an actor that goes idle is to give its place up; changes under `taken`.
    wanted: AtomicBool,
    idle: Mutex<Idle>,
    /// Counts the times that an actor went idle: which was first.
    uses: AtomicU64,
}

#[derive(Default)]
struct Taken {
    /// Places that are taken.
    live: u32,
    /// Those of them whose guests wait in a host call.
    lent: u32,
    /// Those that are kept for one actor each until it ends.
    pinned: u32,
    /// Actors that wait for a place, the first first.
    waiting: VecDeque<oneshot::Sender<()>>,
}

/// Actors that went idle with an instance, each once, longest ago first. Some have been at work since:
/// that is found when their turn comes.
#[derive(Default)]
struct Idle {
    listed: BinaryHeap<Reverse<Listed>>,
    prune_at: usize,
}

/// When an actor went idle, as [`LivePool::note_use`] counts.
struct Listed {
    at: u64,
    actor: Weak<Actor>,
}

impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Listed {}

impl PartialOrd for Listed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Listed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// What an idle actor says when its turn to give its place up has come.
pub(crate) enum Asked {
    /// It did.
    Parked,
    /// It was at work since it was listed, and is idle again: since then.
    UsedAt(u64),
    /// It is at work, or has ended; it is listed again when it goes idle.
    Busy,
}

/// A place, given back when it is dropped.
pub(crate) enum Place {
    Own(Arc<LivePool>),
    /// Of a pinned actor, which keeps it between two instances.
    Pinned(#[expect(dead_code, reason = "holds the place")] Arc<Pin>),
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Own(pool) = self {
            pool.give_back();
        }
    }
}

/// The place of a pinned actor, kept until that ends.
pub(crate) struct Pin {
    pool: Arc<LivePool>,
    _place: Place,
}

impl Drop for Pin {
    fn drop(&mut self) {
        lock(&self.pool.taken).pinned -= 1;
    }
}

/// While it is there, a guest waits in a host call, and its place is lent.
pub(crate) struct Lent<'a>(&'a LivePool);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut taken = lock(&self.0.taken);
        taken.lent -= 1;
        self.0.note_wanted(&taken);
    }
}

/// Somebody in the queue. Dropped, it leaves, and passes on what it was given meanwhile.
struct Waits<'a> {
    pool: &'a LivePool,
    told: oneshot::Receiver<()>,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.told.close();
        if self.told.try_recv().is_ok() {
            return self.pool.give_back();
        }
        let mut taken = lock(&self.pool.taken);
        taken.waiting.retain(|waiting| !waiting.is_closed());
        self.pool.note_wanted(&taken);
    }
}

impl LivePool {
    pub(crate) fn new(instances: Instances, linger: Option<Duration>) -> Self {
        Self {
            instances,
            linger: Linger::new(linger),
            taken: Mutex::default(),
            wanted: AtomicBool::new(false),
            idle: Mutex::default(),
            uses: AtomicU64::new(0),
        }
    }

    /// A place: a free one, else that of the actor that has been idle for longest, else the first that is
    /// given back. Who comes first is served first.
    pub(crate) async fn place(self: &Arc<Self>) -> Place {
        let mut waits = {
            let mut taken = lock(&self.taken);
            if taken.waiting.is_empty() && self.has_room(&taken) {
                taken.live += 1;
                self.note_wanted(&taken); // it may be one that was lent
                return Place::Own(self.clone());
            }
            let (tell, told) = oneshot::channel();
            taken.waiting.push_back(tell);
            // Said before the idle ones are looked through: who goes idle later sees it.
            self.note_wanted(&taken);
            Waits { pool: self, told }
        };
        self.park_before(u64::MAX, 1);
        let _ = (&mut waits.told).await; // the other end is in the queue until it tells
        Place::Own(self.clone())
    }

    /// Keeps a place for an actor until it ends, unless half of all are kept so already.
    pub(crate) fn pin(self: &Arc<Self>, place: Place) -> Result<Arc<Pin>, Place> {
        let mut taken = lock(&self.taken);
        if taken.pinned >= self.instances.pins() {
            return Err(place);
        }
        taken.pinned += 1;
        Ok(Arc::new(Pin { pool: self.clone(), _place: place }))
    }

    /// Lends a place while its actor's guest waits in a host call.
    pub(crate) fn lend(&self) -> Lent<'_> {
        let mut taken = lock(&self.taken);
        taken.lent += 1;
        if !taken.waiting.is_empty() {
            self.hand_out(&mut taken);
        }
        drop(taken);
        Lent(self)
    }

    /// Whether an actor that goes idle is to give its place up.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }

    /// Counts that an actor went idle; the number says which was earlier.
    pub(crate) fn note_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    /// Lists an actor that went idle with an instance; its inbox says that it is not listed yet.
    pub(crate) fn list(&self, actor: Weak<Actor>, at: u64) {
        let mut idle = lock(&self.idle);
        if idle.listed.len() >= idle.prune_at {
            idle.listed.retain(|Reverse(listed)| listed.actor.strong_count() > 0);
            idle.prune_at = 2 * idle.listed.len() + 64;
        }
        idle.listed.push(Reverse(Listed { at, actor }));
    }

    /// Parks up to `max` actors that went idle before that use, longest ago first; how many it parked.
    pub(crate) fn park_before(&self, before: u64, max: usize) -> usize {
        let mut parked = 0;
        while parked < max
            && let Some(listed) = self.longest_idle(before)
        {
            let Some(actor) = listed.actor.upgrade() else { continue };
            match crate::instance::park(&actor, listed.at) {
                Asked::Parked => parked += 1,
                Asked::UsedAt(at) => self.list(listed.actor, at),
                Asked::Busy => {}
            }
        }
        parked
    }

    fn longest_idle(&self, before: u64) -> Option<Listed> {
        let mut idle = lock(&self.idle);
        if idle.listed.peek()?.0.at >= before {
            return None;
        }
        idle.listed.pop().map(|Reverse(listed)| listed)
    }

    /// How often actors went idle so far.
    pub(crate) fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }

    /// Whether any actor is listed.
    pub(crate) fn has_idle(&self) -> bool {
        !lock(&self.idle).listed.is_empty()
    }

    fn has_room(&self, taken: &Taken) -> bool {
        let spare = self.instances.slots - self.instances.places;
        taken.live < self.instances.places + taken.lent.min(spare)
    }

    fn give_back(&self) {
        let mut taken = lock(&self.taken);
        taken.live -= 1;
        self.hand_out(&mut taken);
    }

    /// Gives what is free to those who wait.
    fn hand_out(&self, taken: &mut Taken) {
        while self.has_room(taken)
            && let Some(waiting) = taken.waiting.pop_front()
        {
            taken.live += u32::from(waiting.send(()).is_ok());
        }
        self.note_wanted(taken);
    }

    fn note_wanted(&self, taken: &Taken) {
        let wanted = !taken.waiting.is_empty() || taken.live > self.instances.places;
        self.wanted.store(wanted, Ordering::SeqCst);
    }
}
