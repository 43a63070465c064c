//! One guest call: from its `call` event to the event that ends it. A call commits or it does not.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use theater_chain::data::{ActorErrorData, Call, CallReturned, ErrorType, EventData, KillCause, Lane, StateUpdated};
use theater_chain::{Answered, ChainEvent, Digest, Payload, payload};

use crate::ActorInstance;
use crate::actor::{Actor, Committed, Interruption, lock};
use crate::actor_store::{Slots, Turn};
use crate::anchors;
use crate::call::EXITED;
use crate::drive::{Drive, drive};
use crate::ending;
use crate::entry::{Extras, IndexNow};
use crate::error::{ActorError, CallError};
use crate::exit::ExitReason;
use crate::export::{CallReturn, encode_err};
use crate::failpoint::step;
use crate::failure;
use crate::inbox::Life;
use crate::manifest::Durability;
use crate::message::{self, Answer, Message};
use crate::poison::Answers;
use crate::recorder::Appended;
use crate::reentry::RecordedCall;
use crate::watch;

/// MessagePack's nil: no params.
const NIL: u8 = 0xc0;

/// How a call is made.
pub(crate) struct Mode {
    pub(crate) lane: Lane,
    /// Running time that the guest has.
    pub(crate) budget: Duration,
    /// Whether it is `init`: an `err` fails the actor.
    pub(crate) init: bool,
}

/// What is left after a call.
pub(crate) struct Finished {
    pub(crate) life: Life,
    /// How the actor ends, if the call ended it.
    pub(crate) end: Option<ExitReason>,
    /// Whoever waits for the answer of a call that failed is told once the parent knows.
    pub(crate) failed: Option<FailedCall>,
}

/// A call that ended its actor, and the error that its caller gets unless it is delivered again.
pub(crate) struct FailedCall {
    message: Message,
    error: CallError,
}

impl FailedCall {
    /// By the record.
    pub(crate) fn recorded(message: Message, error: CallError) -> Self {
        Self { message, error }
    }

    /// The message, to be delivered again.
    pub(crate) fn again(self) -> Message {
        self.message
    }

    /// Whether it was a message, and not a callback or a start.
    pub(crate) fn is_message(&self) -> bool {
        self.message.id.is_some()
    }

    pub(crate) fn tell(self) {
        if let Some(reply) = self.message.reply {
            let _ = reply.send(Err(self.error));
        }
    }
}

/// Runs the export that `message` calls.
pub(crate) async fn turn(
    actor: Arc<Actor>,
    mut live: Box<ActorInstance>,
    mut message: Box<Message>,
    mode: Mode,
    busy: Arc<AtomicBool>,
) -> Finished {
    let program = actor.program();
    let Some(found) = program.component.export(message.interface, message.function) else {
        // It was promised a place before a rollback.
        message::not_exported_any_more(&actor, *message);
        return Finished { life: Life::Live(live), end: None, failed: None };
    };
    let (seq, again) = match message.again.take() {
        Some(again) if !again.forked => (again.seq, again.calls),
        again => {
            let seq = record_call(&actor, &message, mode.lane, &found.interface, again.is_some()).seq;
            (seq, again.map(|again| again.calls).unwrap_or_default())
        }
    };
    live.store.data_mut().turn = Turn { seq, again, open: true, init: mode.init, ..Turn::default() };
    live.store.data_mut().memory.begin();
    live.store.set_hostcall_fuel(actor.made.manifest.limits.host_call_bytes);
    live.store.set_epoch_deadline(1);
    let before = actor.committed();
    let outcome = {
        let params = payload::field(message.payload.bytes(), "params").ok().flatten().unwrap_or(&[NIL]);
        let ActorInstance { store, instance, .. } = &mut *live;
        let call = found.def.invoke(store, instance, &found.index, before.state.as_deref(), params);
        drive(&actor, mode.budget, &busy, call).await
    };
    let mut turn = std::mem::take(&mut live.store.data_mut().turn);
    let refused = live.store.data().memory.refused;
    let answers = std::mem::take(&mut turn.answers);
    close_host_call(&actor, turn.again.back());
    let open = Open { actor: &actor, message: *message, before, answers };
    match outcome {
        Drive::Done(Ok(_)) if !turn.again.is_empty() => {
            let reason = "it ended before all host calls were made that the record has";
            let reason = turn.again.front().map_or_else(String::new, |left| left.another_course(reason));
            open.fail(live.into_slots(), ActorError::new(ErrorType::HostCallFailed, reason))
        }
        Drive::Done(Ok(CallReturn::Ok { state, result })) => match open.exceeds(state.as_deref(), &result) {
            None => open.commit(live, turn, state, result).await,
            Some(error) => open.fail(live.into_slots(), error),
        },
        Drive::Done(Ok(CallReturn::Err(reason))) if mode.init => {
            open.fail(live.into_slots(), ActorError::init_answered(&reason))
        }
        Drive::Done(Ok(CallReturn::Err(reason))) => match open.exceeds(None, reason.as_bytes()) {
            None => open.refuse(live, &reason).await,
            Some(error) => open.fail(live.into_slots(), error),
        },
        Drive::Done(Err(_)) if turn.exited => match turn.end {
            Some(ExitReason::Abnormal(error)) => open.fail(live.into_slots(), error),
            end => open.exited(live.into_slots(), end).await,
        },
        Drive::Done(Err(error)) => open.fail(live.into_slots(), failure::classify(&error, turn, refused)),
        Drive::TimedOut => {
            let what = format!("{}#{}", open.message.interface, open.message.function);
            let reason = format!("{what} ran for more than {:?}", mode.budget);
            open.fail(live.into_slots(), ActorError::new(ErrorType::CallTimeout, reason))
        }
        Drive::Interrupted(Interruption::Killed(cause)) => open.kill(live.into_slots(), cause),
        Drive::Interrupted(Interruption::Failed(error)) => open.fail(live.into_slots(), *error),
    }
}

/// `forked`: the message is one of another actor, where it was begun long ago.
fn record_call(actor: &Actor, message: &Message, lane: Lane, interface: &str, forked: bool) -> Appended {
    let call = Call {
        lane,
        interface: interface.to_owned(),
        function: message.function.to_owned(),
        message_id: message.id.clone(),
        cause: message.cause,
    };
    actor.recorder.append_with(&call, Some(message.payload.clone()), |_, _| Extras {
        pending_removed: message.id.iter().filter(|_| !forked).cloned().collect(),
        ..Extras::default()
    })
}

/// A call whose end is not recorded yet.
struct Open<'a> {
    actor: &'a Arc<Actor>,
    message: Message,
    before: Committed,
    /// What the host calls answered.
    answers: Answers,
}

impl Open<'_> {
    fn exceeds(&self, state: Option<&[u8]>, answer: &[u8]) -> Option<ActorError> {
        ActorError::exceeding(&self.actor.made.manifest.limits, state, answer)
    }

    async fn commit(
        mut self,
        live: Box<ActorInstance>,
        turn: Turn,
        state: Option<Vec<u8>>,
        result: Vec<u8>,
    ) -> Finished {
        let changed = state.as_deref() != self.before.state.as_deref();
        let payload = self.actor.recorder.payload(&[("result", Some(&result))]);
        let appended = if changed {
            let state = state.map(Bytes::from);
            let hash = Digest::of_state(state.as_deref());
            let event = StateUpdated {
                actor_id: self.actor.id,
                old_state_hash: self.before.hash,
                new_state_hash: hash,
                transition_message: self.message.id.clone(),
            };
            let appended = self.append(turn.end.as_ref(), &event, payload, |event, now| {
                now.state = hash;
                let states = state.iter().map(|bytes| (hash, bytes.clone())).collect();
                Extras { states, ..self.leaving(&turn, event.seq, event.hash) }
            });
            self.actor.commit_state(state, hash);
            appended
        } else {
            let event = CallReturned { ok: true, state_hash: self.before.hash };
            let leaving = |event: &ChainEvent, _: &mut IndexNow| self.leaving(&turn, event.seq, event.hash);
            self.append(turn.end.as_ref(), &event, payload, leaving)
        };
        anchors::touch(self.actor);
        if self.settle(&appended).await.is_err() {
            // The store has failed: nothing may leave any more.
            return Finished { life: Life::Live(live), end: Some(ExitReason::Killed(KillCause::Host)), failed: None };
        }
        if let Some(ExitReason::Abnormal(error)) = &turn.end {
            record_error(self.actor, error, self.actor.committed().hash, None, |_| Vec::new());
        }
        if !turn.outbox.is_empty() {
            step!(self.actor, "send.recorded");
        }
        for reserved in turn.outbox {
            reserved.deliver(Some(appended.hash));
        }
        self.answer(result, &appended);
        Finished { life: Life::Live(live), end: turn.end, failed: None }
    }

    /// Appends the event that ends the call; where the actor ends with it, that is said before, so that
    /// it does not live on should the process go down here.
    fn append<D: EventData>(
        &self,
        end: Option<&ExitReason>,
        data: &D,
        payload: Option<Payload>,
        with: impl FnOnce(&ChainEvent, &mut IndexNow) -> Extras,
    ) -> Appended {
        let recorder = &self.actor.recorder;
        match end {
            None => recorder.append_with(data, payload, with),
            Some(reason) => {
                let (ending, said) = ending::begun(self.actor, reason);
                recorder.append_behind((&ending, said), data, payload, with)
            }
        }
    }

    /// What becomes pending or answered with the event that ends the call.
    fn leaving(&self, turn: &Turn, seq: u64, hash: Digest) -> Extras {
        let pending_added = turn.outbox.iter().filter_map(|reserved| reserved.pending(Some(hash))).collect();
        Extras { pending_added, answered: self.answered(seq), ..Extras::default() }
    }

    fn answered(&self, seq: u64) -> Vec<Answered> {
        let outside = self.message.id.iter().filter(|_| self.message.flight.is_some());
        outside.map(|id| Answered { message_id: id.clone(), actor: self.actor.id, seq }).collect()
    }

    /// `durability = "sync"`: every answer waits for its commit.
    async fn settle(&self, appended: &Appended) -> Result<(), theater_chain::StoreError> {
        match self.actor.made.manifest.durability {
            Durability::Sync => self.actor.shared.journal.durable(appended.position).await,
            Durability::Batched | Durability::Ephemeral => Ok(()),
        }
    }

    fn answer(&mut self, result: Vec<u8>, appended: &Appended) {
        if let Some(reply) = self.message.reply.take() {
            let _ = reply.send(Ok(Answer { result: result.into(), position: appended.position }));
        }
    }

    /// The guest answered `err`: recorded, the state stays, its sends are dropped with the turn.
    async fn refuse(self, live: Box<ActorInstance>, reason: &str) -> Finished {
        self.answer_err(reason, None).await;
        Finished { life: Life::Live(live), end: None, failed: None }
    }

    /// The guest ended itself, well, before it had an answer.
    async fn exited(self, slots: Slots, end: Option<ExitReason>) -> Finished {
        self.answer_err(EXITED, end.as_ref()).await;
        Finished { life: Life::Parked(slots), end, failed: None }
    }

    async fn answer_err(mut self, reason: &str, end: Option<&ExitReason>) {
        let result = encode_err(reason);
        let payload = self.actor.recorder.payload(&[("result", Some(&result))]);
        let event = CallReturned { ok: false, state_hash: self.before.hash };
        let answered =
            |event: &ChainEvent, _: &mut IndexNow| Extras { answered: self.answered(event.seq), ..Extras::default() };
        let appended = self.append(end, &event, payload, answered);
        anchors::touch(self.actor);
        if self.message.id.is_some() {
            watch::tell_err(self.actor, reason, appended.hash);
        }
        if self.settle(&appended).await.is_ok() {
            self.answer(result, &appended);
        }
    }

    /// The call ended the actor: it changed no state and sends nothing.
    fn fail(self, slots: Slots, error: ActorError) -> Finished {
        self.ended(slots, ExitReason::Abnormal(error.clone()), error)
    }

    fn kill(self, slots: Slots, cause: KillCause) -> Finished {
        let reason = ExitReason::Killed(cause);
        let error = reason.error().unwrap_or_else(|| ActorError::new(ErrorType::Killed, reason.to_string()));
        self.ended(slots, reason, error)
    }

    fn ended(self, slots: Slots, reason: ExitReason, error: ActorError) -> Finished {
        let poison = self
            .message
            .id
            .as_ref()
            .is_some_and(|id| self.actor.recorder.poison.is_repeated(id, self.before.hash, &self.answers, &error));
        record_error(self.actor, &error, self.before.hash, self.message.id.as_deref(), |seq| self.answered(seq));
        if poison {
            message::quarantined(self.actor, &self.message);
            lock(&self.actor.inbox).poisoned = true;
        }
        let call_error = CallError::Failed { actor: self.actor.id, error };
        let failed = FailedCall { message: self.message, error: call_error };
        Finished { life: Life::Parked(slots), end: Some(reason), failed: Some(failed) }
    }
}

/// A host call that was open when the process went down, in a call that does not come to it again,
/// ends before the call does.
fn close_host_call(actor: &Actor, last: Option<&RecordedCall>) {
    if let Some(event) = last.and_then(RecordedCall::interrupted) {
        actor.recorder.append(&event, None);
    }
}

/// Ends a call that was to begin again after a crash, and could not.
pub(crate) fn fail_reentry(
    actor: &Arc<Actor>,
    mut message: Box<Message>,
    slots: Slots,
    reason: ExitReason,
) -> Finished {
    let again = message.again.take().unwrap_or_default();
    close_host_call(actor, again.calls.back());
    let error = reason.error().unwrap_or_else(|| ActorError::new(ErrorType::Killed, reason.to_string()));
    let open = Open { actor, message: *message, before: actor.committed(), answers: Answers::default() };
    open.ended(slots, reason, error)
}

/// Records an `actor_error`.
pub(crate) fn record_error(
    actor: &Actor,
    error: &ActorError,
    state_hash: Digest,
    message_id: Option<&str>,
    answered: impl FnOnce(u64) -> Vec<Answered>,
) -> Appended {
    let event = ActorErrorData {
        actor_id: actor.id,
        error: error.kind,
        deterministic: error.deterministic,
        state_hash,
        message_id: message_id.map(str::to_owned),
        trap_code: error.trap_code.clone(),
        wasm_offset: error.wasm_offset,
    };
    let data = error.data.as_deref().map(payload::bin);
    let payload =
        actor.recorder.payload(&[("message", Some(&payload::text(&error.message))), ("data", data.as_deref())]);
    let appended = actor
        .recorder
        .append_with(&event, payload, |event, _| Extras { answered: answered(event.seq), ..Extras::default() });
    actor.note_error(error.clone(), appended.hash);
    appended
}
