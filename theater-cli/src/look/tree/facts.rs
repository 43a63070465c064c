//! What an actor's chain says of it and of its children, beyond what the index knows. Reads on from
//! where it stopped, so that looking again costs what is new.

use std::collections::HashMap;

use rmpv::Value;
use serde::Serialize;
use theater::chain::data::{
    ActorErrorData, ActorStarted, ActorTerminated, ChildExited, DeadLetter, EventData as _, HostCallBegun, KillCause,
    ReasonRecord, RestartStateKind, StateUpdated, SupervisionAction, SupervisionActionKind,
};
use theater::chain::{ActorEntry, ChainEvent, codec, newest, payload};
use theater::{ChainStore, Digest, TheaterId};

use super::rate::Rate;
use crate::failure::Failure;
use crate::look::declared::{Declared, declared};

/// How many events are read at once.
const PAGE: usize = 512;

/// Of a chain whose actor supervises nobody, only so many events at its end are read.
const TAIL: u64 = 20_000;

/// How far before its start the error of the incarnation before is looked for.
const BEFORE: u64 = 256;

/// At most so many quarantined messages of an actor are kept.
const QUARANTINED: usize = 100;

/// The error that an actor failed with last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LastError {
    /// The kind, as in the chain, such as `trap`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) message: String,
}

/// A message that is not delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Quarantined {
    pub(super) message_id: String,
}

/// A decision about a child.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) action: SupervisionAction,
    /// When, in ms since the epoch.
    pub(super) timestamp: u64,
    /// The incarnation whose end it is about.
    pub(super) incarnation: u32,
}

/// What a chain says.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The seq of the first event that was not read.
    next: u64,
    /// Whether `next` was set: the chain was looked at.
    is_open: bool,
    incarnation: u32,
    /// The seq of the `actor_started` whose manifest was read.
    declared_at: Option<u64>,
    /// The policy of a supervisor.
    pub(super) declared: Option<Declared>,
    /// The time of the newest event.
    pub(super) newest_ms: u64,
    /// The last error, and the incarnation that it ended.
    last_error: Option<(u32, LastError)>,
    /// The hash of the state at the last error.
    error_state: Digest,
    /// Messages in quarantine, each with the state that it failed on.
    quarantined: Vec<(Quarantined, Digest)>,
    /// The last decision about each child, a warning aside.
    pub(super) decisions: HashMap<TheaterId, Decided>,
    /// The incarnation of each child that ended last.
    exits: HashMap<TheaterId, u32>,
    /// Spec ids of children that were started by `start-child`.
    pub(super) specs: HashMap<TheaterId, String>,
    /// The attempts at the last decision of this incarnation about a restart, and when that was.
    budget: Option<(u32, u64)>,
    pub(super) restarts: Rate,
    pub(super) transitions: Rate,
    pub(super) escalations: u64,
}

impl Facts {
    /// Reads what is new. `supervises`: whether the chain is read from its beginning, since it may
    /// have decisions anywhere.
    pub(super) async fn update(
        &mut self,
        store: &dyn ChainStore,
        actor: &ActorEntry,
        supervises: bool,
    ) -> Result<(), Failure> {
        let index = &actor.index;
        if self.declared_at != Some(index.started) {
            self.declared = declared(store, actor).await?;
            self.declared_at = Some(index.started);
        }
        if !self.is_open {
            self.is_open = true;
            self.open(store, actor, supervises || self.declared.is_some()).await?;
        }
        while self.next <= actor.head.seq {
            let page = store.events(actor.id, self.next, PAGE).await?;
            let Some(last) = page.last() else { break };
            (self.next, self.newest_ms) = (last.seq + 1, last.timestamp);
            for event in &page {
                self.fold(event)?;
            }
        }
        Ok(())
    }

    async fn open(&mut self, store: &dyn ChainStore, actor: &ActorEntry, whole: bool) -> Result<(), Failure> {
        let kept = store.kept_from(actor.id).await?;
        self.next = if whole { kept } else { kept.max(actor.head.seq.saturating_sub(TAIL)) };
        let started = actor.index.started;
        if self.next > started {
            self.incarnation = actor.index.incarnation;
        }
        if self.next + BEFORE > started && self.next > 0 {
            let before = started.saturating_sub(BEFORE).max(kept)..started.min(self.next);
            let is_error = |event: &ChainEvent| (event.event_type == ActorErrorData::TYPE).then(|| event.clone());
            if let Some(error) = newest(store, actor.id, before, is_error).await? {
                self.error(&error, actor.index.incarnation.saturating_sub(1))?;
            }
        }
        Ok(())
    }

    fn fold(&mut self, event: &ChainEvent) -> Result<(), Failure> {
        match event.event_type.as_ref() {
            ActorStarted::TYPE => self.started(&codec::decode(&event.data)?, event.timestamp),
            StateUpdated::TYPE => {
                self.transitions.add(event.timestamp);
                if !self.quarantined.is_empty() {
                    let now = codec::decode::<StateUpdated>(&event.data)?.new_state_hash;
                    self.quarantined.retain(|(_, state)| *state == now);
                }
            }
            ActorErrorData::TYPE => self.error(event, self.incarnation)?,
            ActorTerminated::TYPE => self.terminated(codec::decode::<ActorTerminated>(&event.data)?.reason),
            DeadLetter::TYPE => {
                let letter: DeadLetter = codec::decode(&event.data)?;
                if letter.reason.starts_with("quarantined") && self.quarantined.len() < QUARANTINED {
                    self.quarantined.push((Quarantined { message_id: letter.message_id }, self.error_state));
                }
            }
            ChildExited::TYPE => {
                let exited: ChildExited = codec::decode(&event.data)?;
                self.exits.insert(exited.child, exited.incarnation);
            }
            SupervisionAction::TYPE => self.decided(codec::decode(&event.data)?, event.timestamp),
            HostCallBegun::TYPE => {
                if let Some((child, spec)) = started_child(event)? {
                    self.specs.insert(child, spec);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn started(&mut self, started: &ActorStarted, timestamp: u64) {
        self.incarnation = started.incarnation;
        // A supervisor that was restarted begins to count anew.
        self.budget = None;
        if started.incarnation > 1 {
            self.restarts.add(timestamp);
        }
        if started.restart_state != RestartStateKind::Reset {
            self.quarantined.retain(|(_, state)| *state == started.state_hash);
        }
    }

    fn error(&mut self, event: &ChainEvent, incarnation: u32) -> Result<(), Failure> {
        let error: ActorErrorData = codec::decode(&event.data)?;
        let message = event.payload.as_ref().map(|payload| payload::field(payload.bytes(), "message"));
        let message = message.transpose()?.flatten().map(text).unwrap_or_else(|| "(erased)".to_owned());
        self.error_state = error.state_hash;
        self.last_error = Some((incarnation, LastError { kind: kebab(&error.error), message }));
        Ok(())
    }

    /// An incarnation that was killed while it did nothing has no error of its own.
    fn terminated(&mut self, reason: ReasonRecord) {
        let message = match reason {
            ReasonRecord::Killed(KillCause::Host) => "killed by the host",
            ReasonRecord::Killed(KillCause::Deadline) => "killed: it did not stop in time",
            _ => return,
        };
        if self.last_error.as_ref().is_none_or(|(incarnation, _)| *incarnation != self.incarnation) {
            let error = LastError { kind: "killed".to_owned(), message: message.to_owned() };
            self.last_error = Some((self.incarnation, error));
        }
    }

    fn decided(&mut self, action: SupervisionAction, timestamp: u64) {
        match action.action {
            SupervisionActionKind::Warn => return,
            SupervisionActionKind::Restart => self.budget = Some((action.window, timestamp)),
            SupervisionActionKind::Escalate => {
                self.escalations += 1;
                if action.rule == "budget" {
                    self.budget = Some((action.window, timestamp));
                }
            }
            _ => {}
        }
        let incarnation = self.exits.get(&action.actor_id).copied().unwrap_or_default();
        self.decisions.insert(action.actor_id, Decided { action, timestamp, incarnation });
    }

    pub(super) fn last_error(&self) -> Option<&LastError> {
        self.last_error.as_ref().map(|(_, error)| error)
    }

    pub(super) fn quarantined(&self) -> Vec<Quarantined> {
        self.quarantined.iter().map(|(message, _)| message.clone()).collect()
    }

    /// The attempts that were counted at the last decision about a restart, if the window of the
    /// budget is not over.
    pub(super) fn attempts(&self, now_ms: u64, within_ms: u64) -> u32 {
        self.budget.filter(|(_, at)| now_ms.saturating_sub(*at) <= within_ms).map_or(0, |(attempts, _)| attempts)
    }
}

/// The child and the spec id of a `start-child` that begins.
fn started_child(event: &ChainEvent) -> Result<Option<(TheaterId, String)>, Failure> {
    let begun: HostCallBegun = codec::decode(&event.data)?;
    if begun.function != "start-child" {
        return Ok(None);
    }
    let params = event.payload.as_ref().map(|payload| payload::field(payload.bytes(), "params")).transpose()?.flatten();
    let params = params.and_then(|mut bytes| rmpv::decode::read_value(&mut bytes).ok());
    let Some(Value::Array(params)) = params else { return Ok(None) };
    let spec = params.first().and_then(Value::as_map).into_iter().flatten();
    let id = spec.filter(|(key, _)| key.as_str() == Some("id")).find_map(|(_, id)| id.as_str());
    let id = id.filter(|id| !id.is_empty());
    Ok(id.map(|id| (TheaterId::of_spawn(&event.hash), id.to_owned())))
}

fn text(mut value: &[u8]) -> String {
    let value = rmpv::decode::read_value(&mut value).ok();
    value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A unit variant as it stands in the chain.
pub(super) fn kebab(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or("unknown").to_owned()
}
