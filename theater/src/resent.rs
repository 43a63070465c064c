//! Requests inside the tree whose answers were waited for when the process went down: each is made
//! once. What the receiver has not answered yet is waited for, what it has is read from its chain.

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use theater_chain::data::{ActorErrorData, Call, CallReturned, DeadLetter, EventData, StateUpdated};
use theater_chain::{ChainEvent, ChainStore, StoreError, TheaterId, newest, payload};
use tokio::sync::oneshot;

use crate::actor::lock;
use crate::error::{ActorError, CallError};
use crate::exit::ExitReason;
use crate::message::{Answer, Message};
use crate::shared::Shared;
use crate::spawn::find_store;

type Waiting = oneshot::Receiver<Result<Answer, CallError>>;

/// By the ids of their messages; with what is waited for once the message was found.
#[derive(Default)]
pub(crate) struct Resent(Mutex<HashMap<String, Option<Waiting>>>);

impl Resent {
    /// Somebody will ask for the answer of this message again.
    pub(crate) fn expect(&self, id: String) {
        lock(&self.0).entry(id).or_default();
    }

    /// A message that was found: if its answer will be asked for, it is kept for that.
    pub(crate) fn attach(&self, message: &mut Message) {
        let Some(id) = &message.id else { return };
        if let Some(waiting) = lock(&self.0).get_mut(id) {
            let (reply, answer) = oneshot::channel();
            *waiting = Some(answer);
            message.reply = Some(reply);
        }
    }

    /// What is to be waited for, where the message was found.
    pub(crate) fn take(&self, id: &str) -> Option<Waiting> {
        let mut expected = lock(&self.0);
        if expected.is_empty() {
            return None; // nothing is allocated or hashed where nothing was recovered
        }
        expected.remove(id).flatten()
    }
}

/// What became of a message that its receiver has begun, going by its chain; `None`: it has not.
pub(crate) async fn answer(
    shared: &Shared,
    receiver: TheaterId,
    message_id: &str,
) -> Result<Option<Result<Answer, CallError>>, StoreError> {
    shared.journal.flushed().await?;
    let store = find_store(shared, receiver).await?;
    let Some(entry) = store.actor(receiver).await? else { return Ok(None) };
    let begun = |event: &ChainEvent| match &*event.event_type {
        Call::TYPE => Call::decode(&event.data).is_ok_and(|call| call.message_id.as_deref() == Some(message_id)),
        DeadLetter::TYPE => DeadLetter::decode(&event.data).is_ok_and(|letter| letter.message_id == message_id),
        _ => false,
    };
    let found = newest(&**store, receiver, 0..entry.head.seq + 1, |event| {
        begun(event).then(|| (event.seq, event.event_type == Call::TYPE))
    });
    let Some((seq, is_call)) = found.await? else { return Ok(None) };
    if !is_call {
        let reason = ExitReason::Killed(theater_chain::data::KillCause::Host);
        return Ok(Some(Err(CallError::Ended { actor: receiver, reason })));
    }
    end_of(&**store, receiver, seq).await.map(Some)
}

/// How the call ended that began with this event.
async fn end_of(store: &dyn ChainStore, actor: TheaterId, seq: u64) -> Result<Result<Answer, CallError>, StoreError> {
    let damaged = |reason: &str| StoreError::Damaged(format!("the call at event {seq} of {actor}: {reason}"));
    let mut next = seq + 1;
    loop {
        let page = store.events(actor, next, 64).await?;
        let Some(last) = page.last() else { return Err(damaged("it has no end")) };
        next = last.seq + 1;
        for event in &page {
            match &*event.event_type {
                StateUpdated::TYPE | CallReturned::TYPE => {
                    let bytes = event.payload.as_ref().ok_or_else(|| damaged("its answer was erased"))?;
                    let result = payload::field(bytes.bytes(), "result").ok().flatten();
                    let result = Bytes::copy_from_slice(result.ok_or_else(|| damaged("its answer cannot be read"))?);
                    return Ok(Ok(Answer { result, position: 0 }));
                }
                ActorErrorData::TYPE => {
                    let error = ActorError::recorded(&event.data, event.payload.as_ref());
                    let error = error.ok_or_else(|| damaged("its error cannot be read"))?;
                    return Ok(Err(CallError::Failed { actor, error }));
                }
                _ => {}
            }
        }
    }
}
