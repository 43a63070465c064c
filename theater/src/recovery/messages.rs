//! Messages that were on their way when the process went down.

use std::sync::Arc;

use theater_chain::data::{Call, DeadLetter};
use theater_chain::{PendingMessage, StoreError};

use super::tail::OpenCall;
use crate::actor::Actor;
use crate::entry::Extras;
use crate::message::Message;
use crate::recorder::Recorder;
use crate::shared::Shared;

/// A message that its receiver had not begun; `None`: its payload was erased, or the component has
/// no such export, so that it became a dead letter.
pub(super) fn pending(actor: &Arc<Actor>, pending: PendingMessage) -> Option<Message> {
    let PendingMessage { message_id, interface, function, payload, cause, .. } = pending;
    let program = actor.program();
    let found = program.component.export(&interface, &function);
    let (Some(found), Some(payload)) = (found, payload) else {
        let reason = "it can no longer be read";
        dead_letter(&actor.recorder, message_id, interface, function, reason, cause);
        return None;
    };
    let call =
        Call { lane: theater_chain::data::Lane::Mailbox, interface, function, message_id: Some(message_id), cause };
    let mut message = Message::recorded(call, found.def.interface(), found.def.function(), payload);
    on_its_way(&actor.shared, &mut message);
    Some(message)
}

/// The call that was open, to begin again.
pub(super) fn open(actor: &Arc<Actor>, open: &OpenCall) -> Result<Message, StoreError> {
    let mut message = begun(actor, &open.event, open.call.clone())?;
    message.again = Some(Box::new(open.again.clone()));
    Ok(message)
}

/// A message from its call.
pub(super) fn begun(actor: &Arc<Actor>, event: &theater_chain::ChainEvent, call: Call) -> Result<Message, StoreError> {
    let damaged = |reason: &str| super::facts::damaged(actor.id, &format!("event {}: {reason}", event.seq));
    let interface = call.interface.split_once('@').map_or(call.interface.as_str(), |(name, _)| name);
    let program = actor.program();
    let found = program.component.export(interface, &call.function);
    let found = found.ok_or_else(|| damaged("the component does not export what it calls"))?;
    let payload = event.payload.clone().ok_or_else(|| damaged("the params of a call that was open were erased"))?;
    let lane = call.lane;
    let mut message = Message::recorded(call, found.def.interface(), found.def.function(), payload);
    message.lane = lane;
    on_its_way(&actor.shared, &mut message);
    Ok(message)
}

/// Whoever sent it again, or asks for its answer again, finds it.
fn on_its_way(shared: &Shared, message: &mut Message) {
    message.flight = message.id.as_deref().and_then(|id| shared.flights.resume(id));
    shared.resent.attach(message);
}

/// Messages of an actor that has ended, and that nobody starts again.
pub(super) fn undeliverable(recorder: &Recorder, message: PendingMessage) {
    let PendingMessage { message_id, interface, function, cause, .. } = message;
    dead_letter(recorder, message_id, interface, function, "the actor has ended", cause);
}

fn dead_letter(
    recorder: &Recorder,
    message_id: String,
    interface: String,
    function: String,
    reason: &str,
    cause: Option<theater_chain::Digest>,
) {
    let letter = DeadLetter { message_id: message_id.clone(), interface, function, reason: reason.to_owned(), cause };
    recorder.append_with(&letter, None, |_, _| Extras { pending_removed: vec![message_id], ..Extras::default() });
}
