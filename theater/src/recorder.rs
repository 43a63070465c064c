//! The writing end of one actor's chain, shared by all its incarnations. It sits beside the wasm
//! store, so that a decision can be recorded while a guest call runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use theater_chain::data::{ActorStarted, EventData, StatesKept};
use theater_chain::{ActorEntry, ChainEvent, Digest, Head, Keeping, Payload, SMALL_STATE, Says, TheaterId, payload};

use crate::entry::{Entry, EventEntry, Extras, IndexFixed, IndexNow, Passing, Share};
use crate::journal::Journal;
use crate::poison::Poison;
use crate::sources::Sources;
use crate::usage::Usage;

pub(crate) struct Recorder {
    pub(crate) id: TheaterId,
    pub(crate) ephemeral: bool,
    journal: Arc<Journal>,
    sources: Arc<dyn Sources>,
    fixed: Arc<IndexFixed>,
    chain: Mutex<Chain>,
    /// Here since it outlives an incarnation: a crash does not make a busy actor a quiet one.
    pub(crate) usage: Arc<Usage>,
    /// What of it waits to be committed.
    pub(crate) share: Arc<Share>,
    /// What of it the parent's chain says.
    pub(crate) anchored: Anchored,
    /// How the last incarnation failed.
    pub(crate) poison: Poison,
    /// How far it was verified since this process knows it.
    pub(crate) verified: Mutex<Option<Head>>,
}

/// What of a chain its parent's chain says.
#[derive(Default)]
pub(crate) struct Anchored {
    next: AtomicU64,
    active: AtomicBool,
}

impl Anchored {
    /// Whether it waits for the next anchor.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::SeqCst)
    }

    /// Notes that it does; whether it did not before.
    pub(crate) fn set_active(&self) -> bool {
        !self.active.swap(true, Ordering::SeqCst)
    }

    /// Those before `next` are covered, going by the record.
    pub(crate) fn resume_at(&self, next: u64) {
        self.next.store(next, Ordering::SeqCst);
    }

    /// The first seq that no anchor covers, where that is not after `to`; those up to `to` are
    /// covered now.
    pub(crate) fn up_to(&self, to: u64) -> Option<u64> {
        self.active.store(false, Ordering::SeqCst);
        let from = self.next.load(Ordering::SeqCst);
        if from > to {
            return None;
        }
        self.next.store(to + 1, Ordering::SeqCst);
        Some(from)
    }
}

struct Chain {
    head: Option<Head>,
    /// The journal's, of the newest event that this process appended.
    position: u64,
    now: IndexNow,
    states: States,
}

/// Which of the states of a chain stay.
#[derive(Default)]
struct States {
    keeping: Keeping,
    /// Whether the store has the newest state only until the next one; `None`: another process wrote
    /// that one, so it may.
    passing: Option<bool>,
}

impl States {
    fn of_new_chain() -> Self {
        Self { passing: Some(false), ..Self::default() }
    }

    /// Takes the next event, and moves the state that it leaves to where it belongs.
    fn event(&mut self, event_type: &str, extras: &mut Extras) {
        let before = self.passing;
        extras.passing = match self.keeping.event(event_type) {
            Says::Nothing => return,
            Says::Stays => Some(Passing::Stays),
            Says::Passes => match extras.states.pop_if(|(_, bytes)| bytes.len() > SMALL_STATE) {
                Some((hash, bytes)) => {
                    self.passing = Some(true);
                    extras.passing = Some(Passing::Is(hash, bytes));
                    return;
                }
                None => Some(Passing::Goes),
            },
        };
        self.passing = Some(false);
        if before == Some(false) {
            extras.passing = None;
        }
    }
}

/// An event that was appended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appended {
    pub(crate) seq: u64,
    pub(crate) hash: Digest,
    /// What to wait for where it must be durable.
    pub(crate) position: u64,
}

impl Recorder {
    /// For an actor without a chain yet.
    pub(crate) fn new(
        id: TheaterId,
        fixed: IndexFixed,
        ephemeral: bool,
        journal: Arc<Journal>,
        sources: Arc<dyn Sources>,
    ) -> Self {
        let now = IndexNow { incarnation: 0, started: 0, ended: None, state: Digest::ZERO, upgraded: None };
        Self {
            id,
            ephemeral,
            journal,
            sources,
            fixed: Arc::new(fixed),
            chain: Mutex::new(Chain { head: None, position: 0, now, states: States::of_new_chain() }),
            usage: Arc::default(),
            share: Arc::default(),
            anchored: Anchored::default(),
            poison: Poison::default(),
            verified: Mutex::default(),
        }
    }

    /// For an actor whose chain goes on.
    pub(crate) fn resume(
        entry: &ActorEntry,
        ephemeral: bool,
        journal: Arc<Journal>,
        sources: Arc<dyn Sources>,
    ) -> Self {
        let index = &entry.index;
        let fixed =
            IndexFixed { parent: index.parent, name: index.name.clone(), manifest_path: index.manifest_path.clone() };
        let now = IndexNow {
            incarnation: index.incarnation,
            started: index.started,
            ended: index.ended,
            state: index.state,
            upgraded: index.upgraded.clone(),
        };
        let chain = Mutex::new(Chain { head: Some(entry.head), position: 0, now, states: States::default() });
        // Its end was anchored, if it has a parent that does so.
        let next = AtomicU64::new(index.ended.unwrap_or(entry.head.seq) + 1);
        Self {
            id: entry.id,
            ephemeral,
            journal,
            sources,
            fixed: Arc::new(fixed),
            chain,
            usage: Arc::default(),
            share: Arc::default(),
            anchored: Anchored { next, active: AtomicBool::default() },
            poison: Poison::default(),
            verified: Mutex::default(),
        }
    }

    /// A payload of these already encoded fields, with a fresh salt; `None` when all are absent.
    pub(crate) fn payload(&self, fields: &[(&str, Option<&[u8]>)]) -> Option<Payload> {
        let bytes = payload::encode(fields)?;
        let mut salt = [0; 16];
        self.sources.fill_random(&mut salt);
        Some(Payload::new(salt, bytes))
    }

    /// Appends an event.
    pub(crate) fn append<D: EventData>(&self, data: &D, payload: Option<Payload>) -> Appended {
        self.append_with(data, payload, |_, _| Extras::default())
    }

    /// Appends an event together with what `with` gives; it may also change the index entry.
    pub(crate) fn append_with<D: EventData>(
        &self,
        data: &D,
        payload: Option<Payload>,
        with: impl FnOnce(&ChainEvent, &mut IndexNow) -> Extras,
    ) -> Appended {
        let timestamp = self.sources.wall_ms();
        let encoded = data.encode();
        self.push(&mut self.lock(), D::TYPE, timestamp, payload, |_| encoded, with)
    }

    /// As [`Recorder::append_with`], with another event right before it.
    pub(crate) fn append_behind<B: EventData, D: EventData>(
        &self,
        (before, before_payload): (&B, Option<Payload>),
        data: &D,
        payload: Option<Payload>,
        with: impl FnOnce(&ChainEvent, &mut IndexNow) -> Extras,
    ) -> Appended {
        let timestamp = self.sources.wall_ms();
        let (first, second) = (before.encode(), data.encode());
        let mut chain = self.lock();
        self.push(&mut chain, B::TYPE, timestamp, before_payload, |_| first, |_, _| Extras::default());
        self.push(&mut chain, D::TYPE, timestamp, payload, |_| second, with)
    }

    /// Appends an event that speaks of the one before it: `data` gets that one's hash.
    pub(crate) fn append_after<D: EventData>(&self, data: impl FnOnce(Digest) -> D) -> Appended {
        let timestamp = self.sources.wall_ms();
        self.push(&mut self.lock(), D::TYPE, timestamp, None, |before| data(before).encode(), |_, _| Extras::default())
    }

    fn push(
        &self,
        chain: &mut Chain,
        event_type: &'static str,
        timestamp: u64,
        payload: Option<Payload>,
        data: impl FnOnce(Digest) -> Vec<u8>,
        with: impl FnOnce(&ChainEvent, &mut IndexNow) -> Extras,
    ) -> Appended {
        let encoded = data(chain.head.map_or(Digest::ZERO, |head| head.hash));
        let event = ChainEvent::following(chain.head.as_ref(), event_type, timestamp, encoded, payload);
        let before = chain.head.replace(event.head());
        let mut extras = with(&event, &mut chain.now);
        chain.states.event(event_type, &mut extras);
        let (seq, hash) = (event.seq, event.hash);
        // Queued under the lock: the queue's order is the chain's order.
        let event = EventEntry { before, event, fixed: self.fixed.clone(), now: chain.now.clone() };
        let position = self.journal.append(Entry {
            actor: self.id,
            ephemeral: self.ephemeral,
            event: Some(event),
            extras,
            share: self.share.clone(),
        });
        chain.position = position;
        Appended { seq, hash, position }
    }

    /// Appends the start of an incarnation, and right after it that all its states stay, if they do.
    pub(crate) fn append_start(
        &self,
        data: &ActorStarted,
        payload: Option<Payload>,
        keep_states: bool,
        with: impl FnOnce(&ChainEvent, &mut IndexNow) -> Extras,
    ) -> Appended {
        let timestamp = self.sources.wall_ms();
        let encoded = data.encode();
        let mut chain = self.lock();
        let started = self.push(&mut chain, ActorStarted::TYPE, timestamp, payload, |_| encoded, with);
        if keep_states {
            self.push_kept(&mut chain);
        }
        started
    }

    /// Has all states of the incarnation stay from here on, unless that is so already.
    pub(crate) fn keep_states(&self) {
        let mut chain = self.lock();
        if !chain.states.keeping.all() {
            self.push_kept(&mut chain);
        }
    }

    fn push_kept(&self, chain: &mut Chain) {
        let (timestamp, encoded) = (self.sources.wall_ms(), StatesKept { actor_id: self.id }.encode());
        self.push(chain, StatesKept::TYPE, timestamp, None, |_| encoded, |_, _| Extras::default());
    }

    /// As the record has it: all states of the incarnation stay.
    pub(crate) fn resume_keeping(&self) {
        self.lock().states.keeping.event(StatesKept::TYPE);
    }

    /// Queues extras that belong to no event of this actor.
    pub(crate) fn append_extras(&self, extras: Extras) {
        self.journal.append(Entry {
            actor: self.id,
            ephemeral: self.ephemeral,
            event: None,
            extras,
            share: self.share.clone(),
        });
    }

    /// The newest event; it may not be durable yet.
    pub(crate) fn head(&self) -> Option<Head> {
        self.lock().head
    }

    /// The newest event, where it is durable.
    pub(crate) fn durable_head(&self) -> Option<Head> {
        let chain = self.lock();
        chain.head.filter(|_| chain.position <= self.journal.committed())
    }

    /// The seq of the start of the incarnation that the chain is in.
    pub(crate) fn started(&self) -> u64 {
        self.lock().now.started
    }

    /// The newest event, and the incarnation that it is of.
    pub(crate) fn position(&self) -> Option<(Head, u32)> {
        let chain = self.lock();
        chain.head.map(|head| (head, chain.now.incarnation))
    }

    /// The seq of the newest upgrade or rollback.
    pub(crate) fn upgraded(&self) -> Option<u64> {
        self.lock().now.upgraded.as_ref().map(|upgraded| upgraded.seq)
    }

    /// The incarnation that the chain is in.
    pub(crate) fn incarnation(&self) -> u32 {
        self.lock().now.incarnation
    }

    fn lock(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
