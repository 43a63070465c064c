//! Actors that cannot be made again. Each ends as one whose start failed, after those below it, and
//! its parent's chain says so before the parent's handlers read it. To a chain that is not the one
//! that was written nothing is appended; its parent's says it alone.

use std::collections::HashMap;
use std::sync::Arc;

use theater_chain::data::{
    ActorErrorData, ActorTerminated, AskedBy, ChildAnchor, ChildExited, ChildrenAnchored, DropReason, ErrorType,
    InstanceDropped, KillCause, ReasonRecord,
};
use theater_chain::{ActorEntry, Answered, ChainEvent, Digest, Head, StoreError, TheaterId, payload};

use super::tail::{OpenCall, Tail};
use super::{Known, Record};
use crate::entry::Extras;
use crate::error::ActorError;
use crate::exit::ExitReason;
use crate::recorder::Recorder;
use crate::shared::Shared;

/// Actors that cannot be made again, parents before their children.
#[derive(Default)]
pub(super) struct Lost<'a> {
    damaged: Vec<(&'a ActorEntry, String)>,
    ends: Vec<Ends<'a>>,
}

/// An incarnation that ends without an actor.
struct Ends<'a> {
    entry: &'a ActorEntry,
    tail: &'a Tail,
    /// What of its chain its parent's says.
    anchored: Option<Head>,
    /// Why it cannot be made; `None`: its parent cannot.
    error: Option<ActorError>,
}

/// An end that is in the record.
pub(super) struct Ended {
    pub(super) reason: ReasonRecord,
    pub(super) asked_by: AskedBy,
    pub(super) poison: bool,
    pub(super) error_hash: Digest,
}

impl<'a> Lost<'a> {
    /// Its chain is not the one that was written.
    pub(super) fn damaged(&mut self, entry: &'a ActorEntry, reason: String) {
        self.damaged.push((entry, reason));
    }

    /// It cannot be made, or (no error) its parent cannot.
    pub(super) fn ends(
        &mut self,
        entry: &'a ActorEntry,
        tail: &'a Tail,
        anchored: Option<Head>,
        error: Option<ActorError>,
    ) {
        self.ends.push(Ends { entry, tail, anchored, error });
    }

    /// Records their ends, children before their parents, and waits until that is durable. How many.
    pub(super) async fn end(self, shared: &Shared, record: &Record) -> Result<usize, StoreError> {
        let count = self.ends.len() + self.damaged.len();
        if count == 0 {
            return Ok(0);
        }
        let mut known: HashMap<TheaterId, &Known> = record.live.iter().map(|known| (known.entry.id, known)).collect();
        for (entry, _) in &self.damaged {
            known.remove(&entry.id);
        }
        let mut chains = Chains { shared, known, open: HashMap::new() };
        for (entry, reason) in self.damaged {
            chains.damaged(entry, &reason);
        }
        for ends in self.ends.into_iter().rev() {
            chains.end(ends);
        }
        shared.journal.flushed().await?; // before the writing ends go
        Ok(count)
    }
}

/// The writing ends that are in use.
struct Chains<'a> {
    shared: &'a Shared,
    known: HashMap<TheaterId, &'a Known>,
    open: HashMap<TheaterId, Arc<Recorder>>,
}

impl<'a> Chains<'a> {
    fn damaged(&mut self, entry: &ActorEntry, reason: &str) {
        tracing::error!(actor = %entry.id, "{} cannot go on: {reason}", entry.index.name);
        let Some(parent) = self.parent_of(entry) else { return };
        if parent.of_child(entry.id).exited >= entry.index.incarnation {
            return; // it was told before
        }
        let error = ActorError::new(ErrorType::InstantiateFailed, format!("its record is damaged: {reason}"));
        let parent = self.writing_end(&parent.entry);
        tell_unreadable(self.shared, &parent, entry, &error);
    }

    fn end(&mut self, ends: Ends<'_>) {
        let Ends { entry, tail, anchored, error } = ends;
        if let Some(error) = &error {
            tracing::error!(actor = %entry.id, "{} cannot go on: {}", entry.index.name, error.message);
        }
        let recorder = self.writing_end(entry);
        let ended = end_of(self.shared, &recorder, entry, tail, error);
        let Some(parent) = self.parent_of(entry) else { return };
        let writing = self.writing_end(&parent.entry);
        recorder.anchored.resume_at(anchored.map_or(0, |head| head.seq + 1));
        anchor(&writing, &recorder);
        let decided = tail.begun.parent_event.is_some_and(|event| parent.decisions().contains(&event));
        if tail.started || decided {
            tell(self.shared, &writing, entry, &ended);
        }
    }

    /// The parent of an actor, where its chain is the one that was written.
    fn parent_of(&self, entry: &ActorEntry) -> Option<&'a Known> {
        self.known.get(&entry.index.parent?).copied()
    }

    fn writing_end(&mut self, entry: &ActorEntry) -> Arc<Recorder> {
        let shared = self.shared;
        let resume = || Recorder::resume(entry, false, shared.journal.clone(), shared.sources.clone());
        self.open.entry(entry.id).or_insert_with(|| shared.tree.recorder(entry.id, resume)).clone()
    }
}

/// Ends an incarnation in its chain: as it had begun to end, else with the error, else since its parent
/// has gone.
fn end_of(shared: &Shared, recorder: &Recorder, entry: &ActorEntry, tail: &Tail, error: Option<ActorError>) -> Ended {
    let state = entry.index.state;
    let mut error_hash = tail.failed.as_ref().map(|failed| failed.hash);
    let asked_by = if error.is_none() { AskedBy::Parent } else { AskedBy::Itself };
    let (reason, asked_by) = match (&tail.ending, &tail.failed) {
        (Some(ending), failed) => {
            if let (ExitReason::Abnormal(error), None) = (&ending.reason, failed) {
                error_hash = Some(fail(shared, recorder, state, error, None));
            }
            (ending.reason.record(), ending.asked_by)
        }
        (None, Some(failed)) => (ReasonRecord::Abnormal(failed.error.kind), asked_by),
        (None, None) => {
            if tail.had_instance() {
                recorder.append(&InstanceDropped { reason: DropReason::Recovered }, None);
            }
            let killed = || ActorError::new(ErrorType::Killed, "its parent has gone");
            let reason = error
                .as_ref()
                .map_or(ReasonRecord::Killed(KillCause::ParentGone), |error| ReasonRecord::Abnormal(error.kind));
            if error.is_some() || tail.open.is_some() {
                let error = error.unwrap_or_else(killed);
                error_hash = Some(fail(shared, recorder, state, &error, tail.open.as_ref()));
            }
            (reason, asked_by)
        }
    };
    let terminated = ActorTerminated { actor_id: entry.id, final_state_hash: state, reason };
    let end = recorder.append_with(&terminated, None, |event, now| {
        now.ended = Some(event.seq);
        Extras::default()
    });
    let poison = tail.failed.as_ref().is_some_and(|failed| failed.poisoned);
    Ended { reason, asked_by, poison, error_hash: error_hash.unwrap_or(end.hash) }
}

/// Records an `actor_error`, with which the call ends that was open.
pub(super) fn fail(
    shared: &Shared,
    recorder: &Recorder,
    state_hash: Digest,
    error: &ActorError,
    open: Option<&OpenCall>,
) -> Digest {
    if let Some(event) = open.and_then(|open| open.again.calls.back()?.interrupted()) {
        recorder.append(&event, None);
    }
    let message_id = open.and_then(|open| open.call.message_id.clone());
    // Whoever asked from outside finds this under the message's id.
    let flight = message_id.as_deref().and_then(|id| shared.flights.resume(id));
    let event = ActorErrorData {
        actor_id: recorder.id,
        error: error.kind,
        deterministic: error.deterministic,
        state_hash,
        message_id: message_id.clone(),
        trap_code: error.trap_code.clone(),
        wasm_offset: error.wasm_offset,
    };
    let data = error.data.as_deref().map(payload::bin);
    let payload = recorder.payload(&[("message", Some(&payload::text(&error.message))), ("data", data.as_deref())]);
    let appended = recorder.append_with(&event, payload, |event, _| {
        let id = message_id.filter(|_| flight.is_some());
        let answered = id.map(|message_id| Answered { message_id, actor: recorder.id, seq: event.seq });
        Extras { answered: answered.into_iter().collect(), ..Extras::default() }
    });
    appended.hash
}

/// Anchors what is left of a chain up to the end of its incarnation, in that of its parent.
pub(super) fn anchor_to(parent: &Recorder, entry: &ActorEntry, anchored: Option<Head>, end: &ChainEvent) {
    let from = anchored.map_or(0, |head| head.seq + 1);
    if from > end.seq {
        return;
    }
    let (child, incarnation, to) = (entry.id, entry.index.incarnation, end.seq);
    let entry = ChildAnchor { child, incarnation, from, to, head: end.hash, volatile: false };
    parent.append(&ChildrenAnchored { entries: vec![entry] }, None);
}

/// Anchors the rest of a chain in its parent's.
pub(super) fn anchor(parent: &Recorder, child: &Recorder) {
    let Some((head, incarnation)) = child.position() else { return };
    let Some(from) = child.anchored.up_to(head.seq) else { return };
    let (to, volatile) = (head.seq, child.ephemeral);
    let entry = ChildAnchor { child: child.id, incarnation, from, to, head: head.hash, volatile };
    parent.append(&ChildrenAnchored { entries: vec![entry] }, None);
}

/// Tells the parent of an end that is in the record.
pub(super) fn tell(shared: &Shared, parent: &Recorder, entry: &ActorEntry, ended: &Ended) {
    let Ended { reason, asked_by, poison, error_hash } = *ended;
    let (child, incarnation, at_ms) = (entry.id, entry.index.incarnation, shared.at_ms());
    parent.append(&ChildExited { child, incarnation, reason, asked_by, poison, error_hash, at_ms }, None);
}

/// Tells the parent that an incarnation cannot go on, of which the record says nothing that counts.
pub(super) fn tell_unreadable(shared: &Shared, parent: &Recorder, entry: &ActorEntry, error: &ActorError) {
    let event = ChildExited {
        child: entry.id,
        incarnation: entry.index.incarnation,
        reason: ReasonRecord::Abnormal(error.kind),
        asked_by: AskedBy::Itself,
        poison: false,
        error_hash: Digest::ZERO,
        at_ms: shared.at_ms(),
    };
    let payload = parent.payload(&[("message", Some(&payload::text(&error.message)))]);
    parent.append(&event, payload);
}
