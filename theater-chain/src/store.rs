//! Where chains are kept: the trait that a store implements, and what passes through it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{ActorCheckpoint, ChainEvent, Digest, Head, HeadLog, ImportParts, Payload, TheaterId, TreeUpdate};

/// How many bytes of data and payloads a page of [`ChainStore::events`] has, about: the event that
/// takes it over this is its last.
pub const PAGE_BYTES: usize = 8 << 20;

/// A store of chains. Object-safe; the core writes through one task, readers may be many.
///
/// A [`Commit`] is all or nothing, and commits become durable in the order in which they were
/// given: what is on disk is always a prefix of what was appended.
#[async_trait]
pub trait ChainStore: Send + Sync + 'static {
    /// Appends a batch if every stored head is the expected one; of two writers one loses with
    /// [`StoreError::Conflict`]. Returns when the batch is durable.
    async fn commit(&self, commit: Commit) -> Result<(), StoreError>;

    /// The head and the index entry of one actor.
    async fn actor(&self, actor: TheaterId) -> Result<Option<ActorEntry>, StoreError>;

    /// Up to `max` actors in the order of their first events, those after `after`.
    async fn actors(&self, after: Option<TheaterId>, max: usize) -> Result<Vec<ActorEntry>, StoreError>;

    /// Up to `max` actors whose parent is `parent`, those started last first.
    async fn children(&self, parent: TheaterId, max: usize) -> Result<Vec<ActorEntry>, StoreError>;

    /// A page: up to `max` events of one chain from `from` on, in their order and without gaps,
    /// with their payloads. Where the store has such an event and `max` is not 0, there is at least
    /// one.
    ///
    /// A page may be shorter than `max` although more follows: ask again from the next seq; an
    /// empty page is the end. It must end once its events have over [`PAGE_BYTES`] bytes together
    /// (see [`ChainEvent::content_len`]), and no more than that and one event may be held in memory
    /// to make it.
    async fn events(&self, actor: TheaterId, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError>;

    /// State bytes by their hash, of one that stays or of one that is passing.
    async fn state(&self, hash: Digest) -> Result<Option<Bytes>, StoreError>;

    /// The first of these states, in their order: at least one, and as many more as the store can
    /// read at once without holding much in memory. For reading many.
    async fn states(&self, hashes: &[Digest]) -> Result<Vec<Option<Bytes>>, StoreError> {
        match hashes.first() {
            Some(hash) => Ok(vec![self.state(*hash).await?]),
            None => Ok(Vec::new()),
        }
    }

    /// Component bytes by digest.
    async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError>;

    /// Manifest bytes by digest.
    async fn manifest(&self, digest: Digest) -> Result<Option<Bytes>, StoreError>;

    /// Up to `max` messages sent and not yet begun, oldest first; of one receiver or of all.
    async fn pending(&self, receiver: Option<TheaterId>, max: usize) -> Result<Vec<PendingMessage>, StoreError>;

    /// Where a message from outside was answered, if it was.
    async fn answered(&self, message_id: &str) -> Result<Option<Answered>, StoreError>;

    /// The seq of the first event of a chain that the store keeps: 0, unless the store is one that
    /// drops old events on purpose.
    async fn kept_from(&self, _actor: TheaterId) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// How many states of an actor the store dropped or was not given since others followed them, so
    /// that no more than these may be missing; `None`: it is not known, as of a chain from elsewhere.
    async fn thinned(&self, _actor: TheaterId) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Whether the store drops old events of this chain by itself, as one in memory may: then nothing
    /// in the chain says so. Elsewhere a [`pruned`](crate::data::Pruned) does.
    async fn forgets(&self, _actor: TheaterId) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// The log of changed heads, which a host signs; `None` where the store keeps none. One that
    /// does must append what is in [`Commit::tree`].
    fn head_log(&self) -> Option<&dyn HeadLog> {
        None
    }

    /// Up to `max` of the messages from outside that were answered, in the order of their ids' bytes,
    /// those after `after`. For exporting.
    ///
    /// # Errors
    /// A store that has nothing to do with bundles need not implement it.
    async fn answers(&self, _after: Option<&str>, _max: usize) -> Result<Vec<Answered>, StoreError> {
        Err(StoreError::Unsupported("listing the answers"))
    }

    /// Whether the chain of this actor was left out when its parent came from elsewhere.
    async fn is_left_out(&self, _actor: TheaterId) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// What hosts signed of this actor's chain, where it came with the chain from elsewhere: the newest
    /// of each key, in the order of the keys' bytes.
    async fn checkpoints(&self, _actor: TheaterId) -> Result<Vec<ActorCheckpoint>, StoreError> {
        Ok(Vec::new())
    }

    /// Takes in a record from elsewhere: all of it becomes durable, or nothing. Returns when it is.
    /// What was erased here stays so.
    ///
    /// # Errors
    /// The first error of the parts, a head that is not the expected one, or events that do not
    /// follow. A store that has nothing to do with bundles need not implement it.
    async fn import(&self, _parts: ImportParts) -> Result<(), StoreError> {
        Err(StoreError::Unsupported("importing"))
    }
}

/// One batch for many actors: all of it becomes durable, or none.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Every actor with an event in this batch, once, with the head it must have now.
    pub actors: Vec<ActorUpdate>,
    /// The events, in the order in which they were appended over all actors.
    pub events: Vec<(TheaterId, ChainEvent)>,
    /// State bytes by hash, which stay; one that is there already is kept.
    pub states: Vec<(Digest, Bytes)>,
    /// The large states that are there only while they are the newest of their actors, where that
    /// changes: at most one of each actor of this batch. See [`Keeping`](crate::Keeping).
    pub passing: Vec<PassingState>,
    /// Component bytes by digest; one that is there already is kept.
    pub components: Vec<(Digest, Bytes)>,
    /// Manifest bytes by digest; one that is there already is kept.
    pub manifests: Vec<(Digest, Bytes)>,
    /// Messages sent, not yet begun. One may be added and removed by the same batch.
    pub pending_added: Vec<PendingMessage>,
    /// Ids of messages that were begun or became dead letters. Unknown ids are no error.
    pub pending_removed: Vec<String>,
    /// Messages from outside that were answered; the last answer of a message counts.
    pub answered: Vec<Answered>,
    /// The commits of payloads that are erased with their salts, wherever the store has them. When
    /// the batch is durable their bytes are gone from the disk, as far as the store can see to that.
    pub erased: Vec<Digest>,
    /// Old events that are dropped, and states that nothing needs any more: gone like what is erased.
    /// The batch has a [`pruned`](crate::data::Pruned) of each of these actors.
    pub dropped: Vec<DroppedEvents>,
    /// What is appended to the log of changed heads, for stores that keep one.
    pub tree: Option<TreeUpdate>,
}

impl Commit {
    /// Whether a store may append this batch, `stored` being the heads that it has now: every
    /// listed actor is at its expected head and has events, which continue from there, and every
    /// event comes with its payload. Nothing is hashed here, that is for verification.
    ///
    /// Returns the new heads, in the order of [`Commit::actors`].
    pub fn check(
        &self,
        mut stored: impl FnMut(TheaterId) -> Result<Option<Head>, StoreError>,
    ) -> Result<Vec<Head>, StoreError> {
        let mut heads: HashMap<TheaterId, Option<Head>> = HashMap::with_capacity(self.actors.len());
        for update in &self.actors {
            let (actor, expected) = (update.id, update.expected);
            let stored = stored(actor)?;
            if stored != expected {
                return Err(StoreError::Conflict { actor, expected, stored });
            }
            if heads.insert(actor, expected).is_some() {
                return Err(invalid(actor, "it is listed twice"));
            }
        }
        for (actor, event) in &self.events {
            let head = heads.get_mut(actor).ok_or_else(|| invalid(*actor, "it has events but is not listed"))?;
            if event.seq != head.map_or(0, |head| head.seq + 1) {
                return Err(invalid(*actor, &format!("event {} does not follow by its seq", event.seq)));
            }
            if event.parent_hash != head.map_or(Digest::ZERO, |head| head.hash) {
                return Err(invalid(*actor, &format!("event {} does not follow by its parent hash", event.seq)));
            }
            if event.payload.as_ref().map(Payload::commit) != event.payload_commit {
                return Err(invalid(*actor, &format!("event {} comes without its payload", event.seq)));
            }
            *head = Some(event.head());
        }
        let mut seen = HashSet::with_capacity(self.passing.len());
        for passing in &self.passing {
            if !heads.contains_key(&passing.actor) {
                return Err(invalid(passing.actor, "it has a passing state but is not listed"));
            }
            if !seen.insert(passing.actor) {
                return Err(invalid(passing.actor, "it has two passing states"));
            }
        }
        let new_head = |update: &ActorUpdate| match heads[&update.id] {
            Some(head) if Some(head) != update.expected => Ok(head),
            _ => Err(invalid(update.id, "it is listed without an event")),
        };
        self.actors.iter().map(new_head).collect()
    }

    /// Whether a store whose log of heads has `size` entries may append what is in
    /// [`Commit::tree`].
    ///
    /// # Errors
    /// It continues another log.
    pub fn check_tree(&self, size: u64) -> Result<(), StoreError> {
        self.tree.as_ref().map_or(Ok(()), |tree| tree.check(size))
    }

    /// Whether a store may add the pending messages of this batch: each has its payload with it, or
    /// `known` says that there is an event with it, of this batch or before.
    pub fn check_pending(&self, mut known: impl FnMut(Digest) -> Result<bool, StoreError>) -> Result<(), StoreError> {
        for message in &self.pending_added {
            let there = match &message.payload {
                Some(payload) => payload.commit() == message.payload_commit,
                None => known(message.payload_commit)?,
            };
            if !there {
                return Err(invalid(
                    message.receiver,
                    &format!("message {} comes without its payload", message.message_id),
                ));
            }
        }
        Ok(())
    }
}

fn invalid(actor: TheaterId, reason: &str) -> StoreError {
    StoreError::Invalid { actor, reason: reason.to_owned() }
}

/// The older events of an actor, which are dropped.
#[derive(Debug, Clone)]
pub struct DroppedEvents {
    /// The actor.
    pub actor: TheaterId,
    /// The seq of the first event that is kept. A payload that a kept event or a waiting message
    /// shares with a dropped one stays, and so does what is known of answered messages.
    pub kept_from: u64,
    /// States that no kept event of any chain names.
    pub states: Vec<Digest>,
}

/// What becomes of the passing state of an actor, which the store has besides those that stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassingState {
    /// The actor.
    pub actor: TheaterId,
    /// Whether the one that the store has of it, if it has one, stays for good; otherwise it is
    /// dropped, while another actor's with the same bytes is not.
    pub before_stays: bool,
    /// How many others of it this batch leaves out, since each was followed by another one in it.
    pub left_out: u64,
    /// The one in its place.
    pub now: Option<(Digest, Bytes)>,
}

/// What a batch says of one actor beside its events.
#[derive(Debug, Clone)]
pub struct ActorUpdate {
    /// The actor.
    pub id: TheaterId,
    /// The head before this batch; `None` for a new actor.
    pub expected: Option<Head>,
    /// The index entry after this batch.
    pub index: ActorIndex,
}

/// What can be found about an actor without reading its chain. Everything but the name and the
/// manifest's path can be derived from the chain, and verification compares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorIndex {
    /// The parent; `None` for a root.
    pub parent: Option<TheaterId>,
    /// The manifest's `name`.
    pub name: String,
    /// Where the manifest was read: the folder that its children's paths are relative to.
    pub manifest_path: String,
    /// The newest incarnation.
    pub incarnation: u32,
    /// The seq of that incarnation's `actor_started`.
    pub started: u64,
    /// The seq of its `actor_terminated`, once it has ended.
    pub ended: Option<u64>,
    /// The hash of the last committed state.
    pub state: Digest,
    /// The component that it got since it was first started, if it did.
    pub upgraded: Option<Upgraded>,
}

/// What the newest `actor_upgraded` or `actor_rolled_back` of a chain says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upgraded {
    /// The seq of that event.
    pub seq: u64,
    /// The digest of the component since.
    pub component: Digest,
    /// Its version.
    pub version: Arc<str>,
}

/// An actor as a store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorEntry {
    /// The actor.
    pub id: TheaterId,
    /// The newest event.
    pub head: Head,
    /// The index entry.
    pub index: ActorIndex,
}

/// A message that was sent and that its receiver has not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMessage {
    /// `<actor>/<seq of the call>/<ordinal of the host call>`, or `<source>/<n>` from outside.
    pub message_id: String,
    /// The receiver.
    pub receiver: TheaterId,
    /// The interface of the function that it calls.
    pub interface: String,
    /// That function.
    pub function: String,
    /// The commit of the payload with its params; the payload comes with the sender's event or,
    /// where that one holds other bytes, in `payload`.
    pub payload_commit: Digest,
    /// The payload; `None` in a batch means that it comes with an event of this batch or of an
    /// earlier one. A store always gives it back.
    pub payload: Option<Payload>,
    /// The hash of the event that led to it.
    pub cause: Option<Digest>,
}

/// Where a message from outside was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The message's id.
    pub message_id: String,
    /// Who answered.
    pub actor: TheaterId,
    /// The event with the answer: `state_updated`, `call_returned` or `actor_error`.
    pub seq: u64,
}

/// Why a store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another writer appended first.
    #[error("chain of {actor}: expected head {expected:?}, the store has {stored:?}: another writer appended first")]
    Conflict {
        /// The actor.
        actor: TheaterId,
        /// The head that the writer knew.
        expected: Option<Head>,
        /// The head that is stored.
        stored: Option<Head>,
    },
    /// The batch is not a valid continuation of the stored chain.
    #[error("chain of {actor}: the batch is not a continuation: {reason}")]
    Invalid {
        /// The actor.
        actor: TheaterId,
        /// What does not fit.
        reason: String,
    },
    /// The batch continues another log of heads than the one that is stored.
    #[error("the log of heads has {stored} entries, and the batch continues one of {expected}")]
    OtherLog {
        /// How many entries the writer knew.
        expected: u64,
        /// How many are stored.
        stored: u64,
    },
    /// The host's key did not sign the record as it is, so nothing is added under it.
    #[error(
        "the record is not the one that this host signed: {0}; `theater verify` says more, and `theater run --sign-anew` \
        goes on with the record as it is"
    )]
    NotSigned(String),
    /// The store holds something that it cannot read.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// Reading or writing failed.
    #[error("the store cannot be used: {0}")]
    Io(String),
    /// The store does not do such things.
    #[error("the store has no way of {0}")]
    Unsupported(&'static str),
}
