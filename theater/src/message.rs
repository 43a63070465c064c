//! Messages between actors: what one is, how it reaches a mailbox, and what becomes of it when it
//! cannot.

use std::sync::Arc;

use bytes::Bytes;
use theater_chain::data::{DeadLetter, Lane};
use theater_chain::{Digest, Payload, PendingMessage, TheaterId, codec};
use tokio::sync::oneshot;

use crate::actor::Actor;
use crate::entry::Extras;
use crate::error::CallError;
use crate::exit::ExitReason;
use crate::export::{Export, Params, Results};
use crate::flights::Flight;
use crate::inbox;
use crate::manifest::Durability;
use crate::reentry::Reentry;

/// A call that waits in a mailbox.
pub(crate) struct Message {
    /// [`Lane::Decision`] goes before every message.
    pub(crate) lane: Lane,
    /// `None` for callbacks: they are made again from the facts that led to them.
    pub(crate) id: Option<String>,
    pub(crate) interface: &'static str,
    pub(crate) function: &'static str,
    /// `{params}`, hashed once.
    pub(crate) payload: Payload,
    /// The event that led to it.
    pub(crate) cause: Option<Digest>,
    pub(crate) reply: Option<Reply>,
    /// It came from outside the tree: its answer is kept under its id.
    pub(crate) flight: Option<Flight>,
    /// Its call was open when the process went down, and begins again.
    pub(crate) again: Option<Box<Reentry>>,
}

/// Where an answer goes.
pub(crate) type Reply = oneshot::Sender<Result<Answer, CallError>>;

/// A committed answer.
pub(crate) struct Answer {
    /// The encoded result of the export, `{"Ok": ..}` or `{"Err": ..}`.
    pub(crate) result: Bytes,
    /// What to wait for before it may leave the process.
    pub(crate) position: u64,
}

impl Message {
    pub(crate) fn new<P: Params, R: Results>(
        recorder: &crate::recorder::Recorder,
        export: &Export<P, R>,
        params: &P,
        id: Option<String>,
    ) -> Result<Self, rmp_serde::encode::Error> {
        let params = codec::try_encode(params)?;
        #[expect(clippy::expect_used, reason = "a payload with a field is never absent")]
        let payload = recorder.payload(&[("params", Some(&params))]).expect("params are present");
        Ok(Self {
            lane: Lane::Mailbox,
            id,
            interface: export.interface,
            function: export.function,
            payload,
            cause: None,
            reply: None,
            flight: None,
            again: None,
        })
    }

    /// A message that was begun before, from the event of its call.
    pub(crate) fn recorded(
        call: theater_chain::data::Call,
        interface: &'static str,
        function: &'static str,
        payload: Payload,
    ) -> Self {
        let (id, cause) = (call.message_id, call.cause);
        Self { lane: Lane::Mailbox, id, interface, function, payload, cause, reply: None, flight: None, again: None }
    }

    /// Bytes of its payload.
    pub(crate) fn size(&self) -> usize {
        self.payload.bytes().len()
    }

    /// As kept in the store until the receiver begins it.
    pub(crate) fn pending(&self, receiver: TheaterId, cause: Option<Digest>) -> Option<PendingMessage> {
        Some(PendingMessage {
            message_id: self.id.clone()?,
            receiver,
            interface: self.interface.to_owned(),
            function: self.function.to_owned(),
            payload_commit: self.payload.commit(),
            payload: Some(self.payload.clone()),
            cause,
        })
    }

    fn answer(&mut self, answer: Result<Answer, CallError>) {
        if let Some(reply) = self.reply.take() {
            // The one who asked may have gone.
            let _ = reply.send(answer);
        }
    }
}

/// A message with a place in its receiver's mailbox; dropped, it gives the place back.
pub(crate) struct Reserved {
    pub(crate) receiver: Arc<Actor>,
    message: Option<Message>,
}

impl Reserved {
    pub(crate) fn message(&mut self) -> Option<&mut Message> {
        self.message.as_mut()
    }

    /// As kept in the store; an ephemeral receiver's messages are not kept.
    pub(crate) fn pending(&self, cause: Option<Digest>) -> Option<PendingMessage> {
        let message = self.message.as_ref().filter(|_| !self.receiver.recorder.ephemeral)?;
        message.pending(self.receiver.id, cause)
    }

    /// Puts the message into the mailbox: of the newest incarnation, if the receiver was restarted
    /// since, else to the dead letters.
    pub(crate) fn deliver(mut self, cause: Option<Digest>) {
        if let Some(mut message) = self.message.take() {
            inbox::release(&self.receiver, message.size());
            message.cause = cause;
            deliver(&self.receiver, message);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            inbox::release(&self.receiver, message.size());
        }
    }
}

/// Puts a message into a mailbox whatever its length.
pub(crate) fn deliver(receiver: &Arc<Actor>, message: Message) {
    let Err(refused) = inbox::push(receiver, message) else {
        return;
    };
    let (message, reason) = *refused;
    match receiver.shared.tree.find(receiver.id) {
        Some(next) if !Arc::ptr_eq(&next, receiver) => deliver(&next, message),
        _ => dead_letter(receiver, message, &reason),
    }
}

/// Finds the receiver and takes a place in its mailbox.
pub(crate) fn reserve<P: Params, R: Results>(
    sender: &Actor,
    to: TheaterId,
    export: &Export<P, R>,
    params: &P,
    id: String,
) -> Result<Reserved, CallError> {
    let receiver = sender.shared.tree.find(to).ok_or(CallError::NotFound(to))?;
    let ephemeral = |actor: &Actor| actor.made.manifest.durability == Durability::Ephemeral;
    if ephemeral(sender) && !ephemeral(&receiver) {
        return Err(CallError::NotEphemeral(to));
    }
    reserve_at(receiver, export, params, id)
}

/// As [`reserve`], for what was sent before the process went down: whether there was room for it is
/// decided already.
pub(crate) fn reserve_again<P: Params, R: Results>(
    sender: &Actor,
    to: TheaterId,
    export: &Export<P, R>,
    params: &P,
    id: String,
) -> Result<Reserved, CallError> {
    let receiver = sender.shared.tree.find(to).ok_or(CallError::NotFound(to))?;
    let message = Message::new(&receiver.recorder, export, params, Some(id))
        .map_err(|error| CallError::Answer { actor: receiver.id, reason: error.to_string() })?;
    inbox::reserve_anyway(&receiver, message.size());
    Ok(Reserved { receiver, message: Some(message) })
}

/// Takes a place in a receiver's mailbox: of the next incarnation, where one has begun meanwhile.
pub(crate) fn reserve_at<P: Params, R: Results>(
    mut receiver: Arc<Actor>,
    export: &Export<P, R>,
    params: &P,
    id: String,
) -> Result<Reserved, CallError> {
    if receiver.program().component.export(export.interface, export.function).is_none() {
        return Err(not_exported(&receiver, export));
    }
    let message = Message::new(&receiver.recorder, export, params, Some(id))
        .map_err(|error| CallError::Answer { actor: receiver.id, reason: error.to_string() })?;
    while let Err(error) = inbox::reserve(&receiver, message.size()) {
        match (receiver.shared.tree.find(receiver.id), &error) {
            (Some(next), CallError::Ended { .. }) if !Arc::ptr_eq(&next, &receiver) => receiver = next,
            _ => return Err(error),
        }
    }
    Ok(Reserved { receiver, message: Some(message) })
}

pub(crate) fn not_exported<P, R>(receiver: &Actor, export: &Export<P, R>) -> CallError {
    CallError::NotExported {
        actor: receiver.id,
        interface: export.interface.to_owned(),
        function: export.function.to_owned(),
    }
}

/// Records that a message will never be delivered, and tells whoever waits for its answer.
pub(crate) fn dead_letter(receiver: &Actor, mut message: Message, reason: &ExitReason) {
    message.answer(Err(CallError::Ended { actor: receiver.id, reason: reason.clone() }));
    record_dead_letter(receiver, message, reason.in_short());
}

/// Records that nobody waits for the answer of a request any more, so that it was not begun.
pub(crate) fn given_up(receiver: &Actor, message: Message) {
    record_dead_letter(receiver, message, "the requester has given up".to_owned());
}

/// Records that a message is not delivered since the call that sent it is no part of the history any
/// more.
pub(crate) fn undone(receiver: &Actor, mut message: Message) {
    message.answer(Err(CallError::Stopping));
    record_dead_letter(receiver, message, "undone: its sender restarted from an earlier state".to_owned());
}

/// Records that a message failed its receiver twice in just the same way, and is not delivered
/// again.
pub(crate) fn quarantined(receiver: &Actor, message: &Message) {
    let reason = "quarantined: it failed this actor twice in the same state and in the same way";
    letter(receiver, message, reason.to_owned());
}

/// Records that the component that the actor runs now does not export what this calls.
pub(crate) fn not_exported_any_more(receiver: &Actor, mut message: Message) {
    let (interface, function) = (message.interface.to_owned(), message.function.to_owned());
    message.answer(Err(CallError::NotExported { actor: receiver.id, interface, function }));
    record_dead_letter(receiver, message, "the component of the rollback does not export it".to_owned());
}

fn record_dead_letter(receiver: &Actor, message: Message, reason: String) {
    letter(receiver, &message, reason);
    drop(message); // whoever waits for its flight is told after it is recorded
}

fn letter(receiver: &Actor, message: &Message, reason: String) {
    let Some(message_id) = message.id.clone() else {
        return;
    };
    let letter = DeadLetter {
        message_id: message_id.clone(),
        interface: message.interface.to_owned(),
        function: message.function.to_owned(),
        reason,
        cause: message.cause,
    };
    receiver
        .recorder
        .append_with(&letter, None, |_, _| Extras { pending_removed: vec![message_id], ..Extras::default() });
}
