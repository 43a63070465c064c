//! A recorded life of one actor, with events of many kinds, in commits as the core makes them.

use bytes::Bytes;

use crate::data::{
    ActorEnding, ActorErrorData, ActorRolledBack, ActorStarted, ActorTerminated, ActorUpgraded, AskedBy, Call,
    CallReturned, ChildExited, DeadLetter, DropReason, Effect, EngineRecord, ErrorType, EventData, FORMAT,
    HandlerRecord, HostCall, HostCallBegun, InstanceDropped, KillCause, Lane, MessageAccepted, Outcome, ReasonRecord,
    RestartStateKind, StateUpdated, SupervisionAction, SupervisionActionKind,
};
use crate::{
    ActorIndex, ActorUpdate, ChainEvent, Commit, Digest, Head, PassingState, Payload, TheaterId, Upgraded, payload,
};

pub(super) const COMPONENT: &[u8] = b"the bytes of a component";
pub(super) const NEW_COMPONENT: &[u8] = b"the bytes of a newer component";
pub(super) const MANIFEST: &[u8] = b"name = \"story\"";

/// Writes the chain of one actor; what was written since the last commit is taken by
/// [`Story::commit`].
pub struct Story {
    pub id: TheaterId,
    /// The head as the store has it.
    pub stored: Option<Head>,
    /// The head with what was written since.
    pub head: Option<Head>,
    pub index: ActorIndex,
    batch: Commit,
    clock: u64,
    /// The public key under which its starts are recorded, in hex.
    pub host_key: Option<String>,
}

impl Story {
    pub fn new(id: u8) -> Self {
        let index = ActorIndex {
            parent: None,
            name: format!("story-{id}"),
            manifest_path: "/manifests/story.toml".into(),
            incarnation: 0,
            started: 0,
            ended: None,
            state: Digest::ZERO,
            upgraded: None,
        };
        let id = TheaterId::from_bytes([id; 16]);
        Self { id, stored: None, head: None, index, batch: Commit::default(), clock: 1_700_000_000_000, host_key: None }
    }

    pub fn child_of(id: u8, parent: TheaterId) -> Self {
        let mut story = Self::new(id);
        story.index.parent = Some(parent);
        story
    }

    /// What was written since the last commit.
    pub fn commit(&mut self) -> Commit {
        let mut commit = std::mem::take(&mut self.batch);
        commit.actors = vec![ActorUpdate { id: self.id, expected: self.stored, index: self.index.clone() }];
        self.stored = self.head;
        commit
    }

    /// Into the batch that the next [`Story::commit`] takes.
    pub fn batch(&mut self) -> &mut Commit {
        &mut self.batch
    }

    pub fn append<D: EventData>(&mut self, data: &D, fields: &[(&str, Option<&[u8]>)]) -> ChainEvent {
        self.append_raw(D::TYPE, data.encode(), fields)
    }

    pub fn append_raw(
        &mut self,
        event_type: &'static str,
        data: impl Into<Bytes>,
        fields: &[(&str, Option<&[u8]>)],
    ) -> ChainEvent {
        self.clock += 3;
        let salt = Digest::of_parts(&[self.id.as_bytes(), &self.clock.to_be_bytes()]);
        let salt = salt.as_bytes()[..16].try_into().unwrap();
        let payload = payload::encode(fields).map(|bytes| Payload::new(salt, bytes));
        let event = ChainEvent::following(self.head.as_ref(), event_type, self.clock, data, payload);
        self.head = Some(event.head());
        self.batch.events.push((self.id, event.clone()));
        event
    }

    /// An event with the payload of an earlier one.
    pub fn append_again<D: EventData>(&mut self, data: &D, earlier: &ChainEvent) -> ChainEvent {
        let (head, payload) = (self.head.as_ref(), earlier.payload.clone());
        let event = ChainEvent::following(head, D::TYPE, self.clock, data.encode(), payload);
        self.head = Some(event.head());
        self.batch.events.push((self.id, event.clone()));
        event
    }

    fn keep_state(&mut self, state: Option<&[u8]>) -> Digest {
        let hash = Digest::of_state(state);
        if let Some(state) = state {
            self.batch.states.push((hash, Bytes::copy_from_slice(state)));
        }
        hash
    }

    /// A start by `init` on `state`, or with `restart` on that state.
    pub fn start(&mut self, restart: RestartStateKind, state: Option<&[u8]>) -> ChainEvent {
        let state_hash = self.keep_state(state);
        self.batch.components.push((Digest::of(COMPONENT), Bytes::from_static(COMPONENT)));
        self.batch.manifests.push((Digest::of(MANIFEST), Bytes::from_static(MANIFEST)));
        self.index.incarnation += 1;
        self.index.started = self.head.map_or(0, |head| head.seq + 1);
        self.index.ended = None;
        self.index.state = state_hash;
        let data = ActorStarted {
            actor_id: self.id,
            incarnation: self.index.incarnation,
            format: FORMAT,
            parent: self.index.parent,
            parent_event: self.index.parent.map(|_| Digest([3; 32])),
            component: self.component(),
            manifest: Digest::of(MANIFEST),
            handlers: vec![HandlerRecord {
                name: "runtime".into(),
                version: "0.1.0".into(),
                permissions: serde_json::json!({ "max": 3, "files": ["*.toml"] }),
            }],
            engine: EngineRecord { wasmtime: "48.0.8".into(), config: Digest([4; 32]), target: "x86_64".into() },
            host_key: self.host_key.clone(),
            restart_state: restart,
            state_hash,
        };
        let initial = state.filter(|_| restart == RestartStateKind::Reset).map(payload::bin);
        self.append(&data, &[("initial_state", initial.as_deref())])
    }

    fn component(&self) -> Digest {
        self.index.upgraded.as_ref().map_or(Digest::of(COMPONENT), |upgraded| upgraded.component)
    }

    fn version(&self) -> String {
        self.index.upgraded.as_ref().map_or("0.1.0", |upgraded| &*upgraded.version).to_owned()
    }

    /// The data of an upgrade from what runs now, which makes `state` of the state.
    pub fn upgraded(&mut self, version: &str, state: &[u8]) -> ActorUpgraded {
        self.batch.components.push((Digest::of(NEW_COMPONENT), Bytes::from_static(NEW_COMPONENT)));
        ActorUpgraded {
            actor_id: self.id,
            old_component: self.component(),
            new_component: Digest::of(NEW_COMPONENT),
            old_version: self.version(),
            new_version: version.to_owned(),
            old_state_hash: self.index.state,
            new_state_hash: self.keep_state(Some(state)),
            migrated: true,
            previous: self.index.upgraded.as_ref().map(|upgraded| upgraded.seq),
        }
    }

    pub fn upgrade(&mut self, data: &ActorUpgraded) -> ChainEvent {
        let event = self.append(data, &[]);
        self.exchanged(event.seq, data.new_component, &data.new_version, data.new_state_hash);
        event
    }

    /// The data of the rollback of this upgrade, which is the event at `seq`.
    pub fn rolled_back(&self, seq: u64, upgrade: &ActorUpgraded) -> ActorRolledBack {
        ActorRolledBack {
            actor_id: self.id,
            upgrade: seq,
            old_component: self.component(),
            new_component: upgrade.old_component,
            old_version: self.version(),
            new_version: upgrade.old_version.clone(),
            old_state_hash: self.index.state,
            new_state_hash: upgrade.old_state_hash,
            previous: self.index.upgraded.as_ref().map(|upgraded| upgraded.seq),
        }
    }

    pub fn roll_back(&mut self, data: &ActorRolledBack) -> ChainEvent {
        let event = self.append(data, &[]);
        self.exchanged(event.seq, data.new_component, &data.new_version, data.new_state_hash);
        event
    }

    fn exchanged(&mut self, seq: u64, component: Digest, version: &str, state: Digest) {
        self.index.state = state;
        self.index.upgraded = Some(Upgraded { seq, component, version: version.into() });
    }

    pub fn call(&mut self, message_id: Option<&str>) -> ChainEvent {
        self.call_with(message_id, &payload::bin(b"hello"))
    }

    /// A call with these encoded params.
    pub fn call_with(&mut self, message_id: Option<&str>, params: &[u8]) -> ChainEvent {
        let data = Call {
            lane: Lane::Mailbox,
            interface: "theater:simple/message-server-client".into(),
            function: "handle-send".into(),
            message_id: message_id.map(str::to_owned),
            cause: None,
        };
        self.append(&data, &[("params", Some(params))])
    }

    pub fn commit_state(&mut self, message_id: Option<&str>, state: &[u8]) -> ChainEvent {
        let data = StateUpdated {
            actor_id: self.id,
            old_state_hash: self.index.state,
            new_state_hash: self.keep_state(Some(state)),
            transition_message: message_id.map(str::to_owned),
        };
        self.index.state = data.new_state_hash;
        self.append(&data, &[("result", Some(&payload::bin(b"answer")))])
    }

    /// As [`Story::commit_state`], of a state that is there only until the next one.
    pub fn pass_state(&mut self, state: &[u8]) -> ChainEvent {
        let event = self.commit_state(None, state);
        let now = self.batch.states.pop();
        let before = self.batch.passing.pop();
        let before_stays = before.as_ref().is_some_and(|before| before.before_stays);
        let left_out = before.map_or(0, |before| before.left_out + u64::from(before.now.is_some()));
        self.batch.passing.push(PassingState { actor: self.id, before_stays, left_out, now });
        event
    }

    pub fn host_call_begun(&mut self, ordinal: u32) -> ChainEvent {
        self.host_call_begun_with(ordinal, &payload::text("to another"))
    }

    /// The beginning of a host call with these encoded params.
    pub fn host_call_begun_with(&mut self, ordinal: u32, params: &[u8]) -> ChainEvent {
        let data = HostCallBegun {
            ordinal,
            interface: "theater:simple/message-server-host".into(),
            function: "request".into(),
            effect: Effect::WriteIdempotent,
        };
        self.append(&data, &[("params", Some(params))])
    }

    pub fn host_call(&mut self, ordinal: u32, outcome: Outcome) -> ChainEvent {
        let data = HostCall {
            ordinal,
            interface: "theater:simple/message-server-host".into(),
            function: "request".into(),
            effect: Effect::WriteIdempotent,
            outcome,
        };
        self.append(&data, &[("result", Some(&payload::bin(b"its answer")))])
    }

    pub fn fail(&mut self, message_id: Option<&str>) -> ChainEvent {
        let data = ActorErrorData {
            actor_id: self.id,
            error: ErrorType::Trap,
            deterministic: true,
            state_hash: self.index.state,
            message_id: message_id.map(str::to_owned),
            trap_code: Some("unreachable".into()),
            wasm_offset: Some(4711),
        };
        self.append(&data, &[("message", Some(&payload::text("it broke")))])
    }

    pub fn ending(&mut self, reason: ReasonRecord) -> ChainEvent {
        self.append(&ActorEnding { actor_id: self.id, reason, asked_by: AskedBy::Operator }, &[])
    }

    pub fn end(&mut self, reason: ReasonRecord) -> ChainEvent {
        self.index.ended = Some(self.head.map_or(0, |head| head.seq + 1));
        self.append(&ActorTerminated { actor_id: self.id, final_state_hash: self.index.state, reason }, &[])
    }

    /// Two messages accepted with one payload: the first's commit is returned.
    pub fn commit_payload_twice(&mut self) -> Digest {
        let accepted = |n| MessageAccepted { source: "twice".into(), n, message_id: format!("twice/{n}") };
        let first = self.append(&accepted(1), &[("params", Some(&payload::bin(b"the same")))]);
        self.append_again(&accepted(2), &first);
        first.payload_commit.unwrap()
    }

    /// A whole life of two incarnations and most kinds of events.
    pub fn write_life(&mut self) {
        self.start(RestartStateKind::Reset, Some(b"{}"));
        self.call(None);
        self.commit_state(None, b"{\"n\":1}");
        let accepted = MessageAccepted { source: "cli-1".into(), n: 1, message_id: "cli-1/1".into() };
        self.append(&accepted, &[("params", Some(&payload::bin(b"hello")))]);
        self.call(Some("cli-1/1"));
        self.host_call_begun(0);
        self.host_call(0, Outcome::Ok);
        self.host_call(1, Outcome::Denied("max_children".into()));
        self.commit_state(Some("cli-1/1"), b"{\"n\":2}");
        self.append(&InstanceDropped { reason: DropReason::Parked }, &[]);
        let data = self.upgraded("0.2.0", b"{\"count\":2}");
        let upgrade = self.upgrade(&data);
        let back = self.rolled_back(upgrade.seq, &data);
        self.roll_back(&back);
        self.call(None);
        self.append(
            &CallReturned { ok: false, state_hash: self.index.state },
            &[("result", Some(&payload::text("no")))],
        );
        let exited = ChildExited {
            child: TheaterId::from_bytes([99; 16]),
            incarnation: 1,
            reason: ReasonRecord::Killed(KillCause::Host),
            asked_by: AskedBy::Itself,
            poison: false,
            error_hash: Digest([5; 32]),
            at_ms: 17,
        };
        self.append(&exited, &[]);
        self.call(Some("x/1/0"));
        self.host_call_begun(0);
        self.host_call(0, Outcome::Abandoned);
        let error = self.fail(Some("x/1/0"));
        self.end(ReasonRecord::Abnormal(ErrorType::Trap));
        let action = SupervisionAction {
            actor_id: TheaterId::from_bytes([99; 16]),
            action: SupervisionActionKind::Restart,
            class: None,
            rule: "permanent".into(),
            attempt: 1,
            window: 1,
            delay_ms: 0,
            error_hash: Some(error.hash),
            new_state_hash: None,
            cut: Some(vec![(self.id, 3, Digest([6; 32]))]),
            at_ms: 18,
        };
        self.append(&action, &[]);
        self.start(RestartStateKind::Resume, Some(b"{\"n\":2}"));
        let letter = DeadLetter {
            message_id: "x/2/0".into(),
            interface: "theater:simple/message-server-client".into(),
            function: "handle-send".into(),
            reason: "the actor has ended".into(),
            cause: None,
        };
        self.append(&letter, &[]);
        self.ending(ReasonRecord::Shutdown);
        self.end(ReasonRecord::Shutdown);
    }
}
