//! A fact that a decision may follow from: a child's end or err.

use theater_chain::data::{ActorErrorData, ChildErred, ChildExited, EventData};
use theater_chain::{ChainEvent, ChainStore, Digest, StoreError, TheaterId, codec, newest, payload};

use crate::decision::{Exit, GuestDecision};

/// A fact of a child that no decision followed from yet.
#[derive(Debug)]
pub(super) struct Fact {
    /// The hash of its event.
    pub(super) hash: Digest,
    pub(super) what: What,
    /// The message of the error, where this event has it.
    message: Message,
    /// Whether `decide` was asked about it.
    pub(super) asked: bool,
    /// What `decide` answered, once it has.
    pub(super) answer: Option<GuestDecision>,
}

/// What a decision is about: the hash of the fact, and what it says.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The hash of its event in the supervisor's chain.
    pub hash: Digest,
    /// What it says.
    pub what: What,
}

/// A child's end or err.
#[derive(Debug, Clone)]
pub enum What {
    /// It ended.
    Exited(ChildExited),
    /// A call of it answered `err`.
    Erred(ChildErred),
}

/// The message of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    Text(String),
    /// It was erased, or is in a chain that is not in the store.
    Lost,
    /// It is in the child's chain.
    Elsewhere,
}

impl Fact {
    pub(super) fn exited(event: &ChainEvent, data: &ChildExited) -> Self {
        // A restart that failed before an incarnation began has its error nowhere else.
        let message = if data.error_hash.is_zero() { own_message(event) } else { Message::Elsewhere };
        Self { hash: event.hash, what: What::Exited(data.clone()), message, asked: false, answer: None }
    }

    pub(super) fn erred(event: &ChainEvent, data: &ChildErred) -> Self {
        let (what, message) = (What::Erred(data.clone()), own_message(event));
        Self { hash: event.hash, what, message, asked: false, answer: None }
    }

    pub(super) fn subject(&self) -> Subject {
        Subject { hash: self.hash, what: self.what.clone() }
    }

    pub(super) fn child(&self) -> TheaterId {
        match &self.what {
            What::Exited(data) => data.child,
            What::Erred(data) => data.child,
        }
    }

    pub(super) fn at_ms(&self) -> u64 {
        match &self.what {
            What::Exited(data) => data.at_ms,
            What::Erred(data) => data.at_ms,
        }
    }

    /// The error hash of decisions that follow from it.
    pub(super) fn error_hash(&self) -> Option<Digest> {
        let hash = match &self.what {
            What::Exited(data) => data.error_hash,
            What::Erred(data) => data.error_hash,
        };
        Some(hash).filter(|hash| !hash.is_zero())
    }

    /// The message of its error. `near`: a seq of the child's chain that it lies before.
    pub(super) async fn message(&self, store: &dyn ChainStore, near: Option<u64>) -> Result<Message, StoreError> {
        match (&self.message, self.error_hash()) {
            (Message::Elsewhere, Some(hash)) => child_message(store, self.child(), hash, near).await,
            (message, _) => Ok(message.clone()),
        }
    }
}

/// What the engine is told of an end.
pub(super) fn exit(data: &ChildExited, name: String, message: String) -> Exit {
    Exit {
        child: data.child,
        name,
        incarnation: data.incarnation,
        reason: data.reason,
        asked_by: data.asked_by,
        poison: data.poison,
        message,
        error_hash: data.error_hash,
    }
}

fn own_message(event: &ChainEvent) -> Message {
    match &event.payload {
        None if event.is_erased() => Message::Lost,
        None => Message::Text(String::new()),
        Some(payload) => text(payload.bytes()),
    }
}

/// The message in the child's `actor_error` with this hash; an end without one has none.
async fn child_message(
    store: &dyn ChainStore,
    child: TheaterId,
    hash: Digest,
    near: Option<u64>,
) -> Result<Message, StoreError> {
    let Some(entry) = store.actor(child).await? else { return Ok(Message::Lost) };
    let end = near.map_or(entry.head.seq, |near| near.min(entry.head.seq)).saturating_add(1);
    let pick = |event: &ChainEvent| {
        (event.hash == hash).then(|| match (&event.payload, &*event.event_type) {
            (Some(payload), ActorErrorData::TYPE) => text(payload.bytes()),
            (None, ActorErrorData::TYPE) => Message::Lost,
            _ => Message::Text(String::new()),
        })
    };
    Ok(newest(store, child, 0..end, pick).await?.unwrap_or(Message::Lost))
}

fn text(payload: &[u8]) -> Message {
    match payload::field(payload, "message") {
        Ok(None) => Message::Text(String::new()),
        Ok(Some(text)) => codec::decode(text).map_or(Message::Lost, Message::Text),
        Err(_) => Message::Lost,
    }
}
