//! An actor as the embedding program calls it.

use std::sync::Arc;

use theater_chain::data::{ActorErrorData, EventData, MessageAccepted};
use theater_chain::{StoreError, TheaterId, payload};
use tokio::sync::oneshot;

use crate::actor::Actor;
use crate::entry::Extras;
use crate::error::{ActorError, CallError};
use crate::exit::ExitReason;
use crate::export::{Export, Params, Results};
use crate::flights::{Flight, TakeOff};
use crate::message::{self, Answer};
use crate::process::exit_of;
use crate::request::{decoded, received};
use crate::shared::Shared;
use crate::spawn::find_store;

/// A handle to an actor, over all its incarnations.
#[derive(Clone)]
pub struct ActorHandle {
    shared: Arc<Shared>,
    id: TheaterId,
}

impl std::fmt::Debug for ActorHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActorHandle({})", self.id)
    }
}

/// Who sends a message from outside the tree, and its number there: together its id. A source that
/// numbers its messages has each processed exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outside<'a> {
    /// The source, such as `cli-5f3a`; without `/`.
    pub source: &'a str,
    /// The number.
    pub n: u64,
}

/// What is known of a message.
enum Known {
    New(Flight),
    Busy,
    Answered(Result<Answer, CallError>),
}

impl ActorHandle {
    pub(crate) fn new(shared: Arc<Shared>, id: TheaterId) -> Self {
        Self { shared, id }
    }

    /// The actor's id.
    pub fn id(&self) -> TheaterId {
        self.id
    }

    /// Calls an export and waits for the answer, which stays in this process: it may come before
    /// its events are durable. `params` gets the message's id.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<P: Params, R: Results>(
        &self,
        export: &Export<P, R>,
        from: Outside<'_>,
        params: impl FnOnce(&str) -> P,
    ) -> Result<R, CallError> {
        let answer = self.accept(export, from, params).await?;
        decoded(self.id, &answer)
    }

    /// As [`ActorHandle::call`], and waits until everything up to the answer is durable: the answer
    /// may leave the process. This is what *acknowledged* means.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call_durable<P: Params, R: Results>(
        &self,
        export: &Export<P, R>,
        from: Outside<'_>,
        params: impl FnOnce(&str) -> P,
    ) -> Result<R, CallError> {
        let answer = self.accept(export, from, params).await;
        match &answer {
            Ok(answer) => self.shared.journal.durable(answer.position).await?,
            Err(_) => self.shared.journal.flushed().await?,
        }
        decoded(self.id, &answer?)
    }

    /// Sends a message and waits until it is durably accepted, not until it is processed. One that
    /// was accepted before is not sent again.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn send<P: Params, R: Results>(
        &self,
        export: &Export<P, R>,
        from: Outside<'_>,
        params: &P,
    ) -> Result<(), CallError> {
        let id = format!("{}/{}", from.source, from.n);
        if let Known::New(flight) = self.known(from, &id).await? {
            self.deliver(&self.find()?, export, from, params, flight, None)?;
        }
        self.shared.journal.flushed().await?;
        Ok(())
    }

    /// Waits until the actor has ended and no next incarnation follows; says how it ended.
    ///
    /// # Errors
    /// There never was such an actor, or the store failed.
    pub async fn ended(&self) -> Result<ExitReason, CallError> {
        loop {
            let changed = self.shared.tree.changed();
            let Some(actor) = self.shared.tree.find(self.id) else {
                break;
            };
            if actor.ended().is_none() {
                actor.wait_ended().await;
            } else {
                // It ended and is still registered: a next incarnation is on its way, or its
                // supervisor decides.
                changed.await;
            }
        }
        self.shared.journal.flushed().await?;
        let store = find_store(&self.shared, self.id).await?;
        let entry = store.actor(self.id).await?.ok_or(CallError::NotFound(self.id))?;
        Ok(exit_of(&**store, &entry).await?)
    }

    fn find(&self) -> Result<Arc<Actor>, CallError> {
        self.shared.tree.find(self.id).ok_or(CallError::NotFound(self.id))
    }

    async fn accept<P: Params, R: Results>(
        &self,
        export: &Export<P, R>,
        from: Outside<'_>,
        params: impl FnOnce(&str) -> P,
    ) -> Result<Answer, CallError> {
        let id = format!("{}/{}", from.source, from.n);
        match self.known(from, &id).await? {
            Known::Answered(answer) => answer,
            Known::Busy => Err(CallError::InFlight(id)),
            Known::New(flight) => {
                let actor = self.find()?;
                let (reply, answer) = oneshot::channel();
                self.deliver(&actor, export, from, &params(&id), flight, Some(reply))?;
                received(actor.id, answer.await)
            }
        }
    }

    /// What is known of a message id, in memory and in the store.
    async fn known(&self, from: Outside<'_>, id: &str) -> Result<Known, CallError> {
        if from.source.contains('/') {
            return Err(CallError::Source(from.source.to_owned()));
        }
        loop {
            match self.shared.flights.take_off(from.source, from.n, id) {
                TakeOff::Busy => return Ok(Known::Busy),
                TakeOff::Landed(position) => self.shared.journal.durable(position).await?,
                TakeOff::Clear { flight, unheard: true } => return Ok(Known::New(flight)),
                TakeOff::Clear { flight, unheard: false } => {
                    return Ok(match self.answered(id).await? {
                        Some(answer) => Known::Answered(answer),
                        None => Known::New(flight),
                    });
                }
            }
        }
    }

    fn deliver<P: Params, R: Results>(
        &self,
        actor: &Arc<Actor>,
        export: &Export<P, R>,
        from: Outside<'_>,
        params: &P,
        flight: Flight,
        reply: Option<message::Reply>,
    ) -> Result<(), CallError> {
        let id = format!("{}/{}", from.source, from.n);
        let mut reserved = message::reserve_at(actor.clone(), export, params, id.clone())?;
        let pending = reserved.pending(None);
        let Some(message) = reserved.message() else {
            return Err(CallError::NotFound(self.id));
        };
        (message.reply, message.flight) = (reply, Some(flight));
        let payload = message.payload.clone();
        let event = MessageAccepted { source: from.source.to_owned(), n: from.n, message_id: id };
        let accepted = actor.recorder.append_with(&event, Some(payload), |event, _| Extras {
            pending_added: pending
                .map(|pending| theater_chain::PendingMessage { cause: Some(event.hash), ..pending })
                .into_iter()
                .collect(),
            ..Extras::default()
        });
        reserved.deliver(Some(accepted.hash));
        Ok(())
    }

    /// The recorded answer of a message that was processed before.
    async fn answered(&self, id: &str) -> Result<Option<Result<Answer, CallError>>, StoreError> {
        let store = find_store(&self.shared, self.id).await?;
        let Some(answered) = store.answered(id).await? else {
            return Ok(None);
        };
        if answered.actor != self.id {
            let reason = format!("message id {id} was used for it; each message of a source has a number of its own");
            return Ok(Some(Err(CallError::Answer { actor: answered.actor, reason })));
        }
        let damaged = || StoreError::Damaged(format!("the answer of message {id} cannot be read"));
        let event = store.events(answered.actor, answered.seq, 1).await?.pop().ok_or_else(damaged)?;
        if event.seq != answered.seq {
            let reason = format!("message {id} was answered before, and that event was dropped");
            return Ok(Some(Err(CallError::Answer { actor: self.id, reason })));
        }
        let payload = event
            .payload
            .as_ref()
            .ok_or_else(|| StoreError::Damaged(format!("the answer of message {id} was erased")))?;
        if event.event_type == ActorErrorData::TYPE {
            let error = ActorError::recorded(&event.data, Some(payload)).ok_or_else(damaged)?;
            return Ok(Some(Err(CallError::Failed { actor: answered.actor, error })));
        }
        let result = payload::field(payload.bytes(), "result").ok().flatten().ok_or_else(damaged)?;
        Ok(Some(Ok(Answer { result: bytes::Bytes::copy_from_slice(result), position: 0 })))
    }
}
