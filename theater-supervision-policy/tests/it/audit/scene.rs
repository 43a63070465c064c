//! A supervisor and its children, whose chains are written as the core and the supervisor handler
//! write them, with decisions that come from an engine beside.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::Serialize;
use theater_chain::data::{
    ActorErrorData, ActorStarted, AskedBy, Call, CallReturned, ChildAnchor, ChildErred, ChildExited, ChildrenAnchored,
    DeadLetter, Effect, EngineRecord, ErrorType, FORMAT, HostCall, HostCallBegun, KillCause, Lane, Outcome,
    ReasonRecord, RestartStateKind, SupervisionAction,
};
use theater_chain::erase::erase;
use theater_chain::testing::Story;
use theater_chain::{
    ActorReport, ChainEvent, ChainStore, Digest, Level, MemoryStore, TheaterId, Verification, codec, payload,
};
use theater_supervision_policy::{Decision, DecisionAudit, Engine, Exit, StateChoice, Step, Strategy, of_manifest};

pub(super) const TRAP: ReasonRecord = ReasonRecord::Abnormal(ErrorType::Trap);

/// Changes a decision before it is recorded; they are counted from 0.
type Change<'a> = Box<dyn Fn(usize, &mut SupervisionAction) + 'a>;

pub(super) struct Scene<'a> {
    pub(super) sup: Story,
    pub(super) engine: Engine,
    pub(super) children: BTreeMap<String, Child>,
    manifest: Vec<u8>,
    change: Change<'a>,
    /// How many decisions were recorded.
    pub(super) decided: usize,
    /// Kinds of events whose payloads were erased.
    pub(super) erased: Vec<&'static str>,
}

pub(super) struct Child {
    pub(super) story: Story,
    /// The seq after the last anchored range.
    from: u64,
}

fn start(story: &mut Story, manifest: &[u8], restart: RestartStateKind, state: &[u8], parent_event: Option<Digest>) {
    let component = b"component";
    let state_hash = Digest::of(state);
    let (index, batch_state) = (&mut story.index, (state_hash, Bytes::copy_from_slice(state)));
    index.incarnation += 1;
    index.started = story.head.map_or(0, |head| head.seq + 1);
    (index.ended, index.state) = (None, state_hash);
    let data = ActorStarted {
        actor_id: story.id,
        incarnation: index.incarnation,
        format: FORMAT,
        parent: index.parent,
        parent_event,
        component: Digest::of(component),
        manifest: Digest::of(manifest),
        handlers: Vec::new(),
        engine: EngineRecord { wasmtime: "48.0.8".into(), config: Digest([4; 32]), target: "x86_64".into() },
        host_key: None,
        restart_state: restart,
        state_hash,
    };
    let initial = payload::bin(state);
    let fields = [("initial_state", Some(&initial[..]).filter(|_| restart == RestartStateKind::Reset))];
    story.append(&data, &fields);
    story.batch().states.push(batch_state);
    story.batch().components.push((Digest::of(component), Bytes::from_static(component)));
    story.batch().manifests.push((Digest::of(manifest), Bytes::copy_from_slice(manifest)));
}

impl<'a> Scene<'a> {
    /// A supervisor with this entry, whose declared children have started.
    pub(super) fn new(entry: &str) -> Self {
        Self::changed(entry, |_, _| ())
    }

    /// As [`Scene::new`], with a lie.
    pub(super) fn changed(entry: &str, change: impl Fn(usize, &mut SupervisionAction) + 'a) -> Self {
        let manifest = format!("name = \"bank\"\n[[handlers]]\ntype = \"supervisor\"\n{entry}").into_bytes();
        let policy = of_manifest(&manifest).unwrap().unwrap();
        let mut sup = Story::new(200);
        start(&mut sup, &manifest, RestartStateKind::Reset, b"sup", None);
        let engine = Engine::new(policy.into(), sup.id);
        let children = BTreeMap::new();
        let (change, decided) = (Box::new(change), 0);
        let mut scene = Self { sup, engine, children, manifest, change, decided, erased: Vec::new() };
        scene.declared();
        scene
    }

    fn declared(&mut self) {
        let policy = self.engine.policy().clone();
        if policy.strategy == Strategy::Dynamic {
            return;
        }
        for spec in &policy.children {
            let id = TheaterId::of_spec(&self.sup.id, &spec.id);
            self.engine.specified(id, spec.clone());
            if !self.children.contains_key(&spec.id) {
                self.make(&spec.id, id);
            } else {
                self.start(&spec.id, None);
            }
        }
    }

    /// A child with a chain.
    pub(super) fn make(&mut self, name: &str, id: TheaterId) {
        let mut story = Story::child_of(0, self.sup.id);
        story.id = id;
        story.index.name = name.to_owned();
        start(&mut story, b"name = \"child\"", RestartStateKind::Reset, b"0", Some(Digest([3; 32])));
        self.children.insert(name.to_owned(), Child { story, from: 0 });
        self.anchor(name);
    }

    pub(super) fn child(&mut self, name: &str) -> &mut Story {
        &mut self.children.get_mut(name).unwrap().story
    }

    pub(super) fn id(&self, name: &str) -> TheaterId {
        self.children[name].story.id
    }

    pub(super) fn anchor(&mut self, name: &str) {
        let child = self.children.get_mut(name).unwrap();
        let head = child.story.head.unwrap();
        if head.seq < child.from {
            return;
        }
        let (id, incarnation) = (child.story.id, child.story.index.incarnation);
        let from = std::mem::replace(&mut child.from, head.seq + 1);
        let entry = ChildAnchor { child: id, incarnation, from, to: head.seq, head: head.hash, volatile: false };
        self.sup.append(&ChildrenAnchored { entries: vec![entry] }, &[]);
    }

    /// The next incarnation, with the state that it had.
    pub(super) fn start(&mut self, name: &str, decision: Option<&ChainEvent>) {
        self.start_with(name, RestartStateKind::Resume, None, decision);
    }

    pub(super) fn start_with(
        &mut self,
        name: &str,
        restart: RestartStateKind,
        state: Option<&[u8]>,
        decision: Option<&ChainEvent>,
    ) {
        let story = self.child(name);
        let before: &[u8] = if story.index.state == Digest::of(b"0") { b"0" } else { b"next" };
        start(story, b"name = \"child\"", restart, state.unwrap_or(before), decision.map(|event| event.hash));
        self.anchor(name);
    }

    /// A call of the child that changes its state.
    pub(super) fn work(&mut self, name: &str) {
        let story = self.child(name);
        story.call(None);
        story.commit_state(None, b"next");
    }

    /// The child's incarnation ends and the supervisor is told; the fact.
    pub(super) fn tell(
        &mut self,
        name: &str,
        reason: ReasonRecord,
        by: AskedBy,
        message: &str,
        at_ms: u64,
    ) -> (ChainEvent, Exit) {
        let story = self.child(name);
        let mut error_hash = None;
        if let ReasonRecord::Abnormal(error) = reason {
            let data = ActorErrorData {
                actor_id: story.id,
                error,
                deterministic: error.is_deterministic(),
                state_hash: story.index.state,
                message_id: None,
                trap_code: (error == ErrorType::Trap).then(|| "unreachable".into()),
                wasm_offset: None,
            };
            let text = payload::text(message);
            error_hash = Some(story.append(&data, &[("message", Some(&text))]).hash);
        }
        let end = story.end(reason);
        let error_hash = error_hash.unwrap_or(end.hash);
        let (child, incarnation) = (story.id, story.index.incarnation);
        self.anchor(name);
        let data = ChildExited { child, incarnation, reason, asked_by: by, poison: false, error_hash, at_ms };
        let fact = self.sup.append(&data, &[]);
        let (name, message) = (name.to_owned(), message.to_owned());
        (fact, Exit { child, name, incarnation, reason, asked_by: by, poison: false, message, error_hash })
    }

    /// The child fails on a message, and the message is set aside if it has failed it before.
    pub(super) fn tell_poison(&mut self, name: &str, message: &str, poison: bool, at_ms: u64) -> Exit {
        let story = self.child(name);
        story.call(Some(message));
        let error_hash = story.fail(Some(message)).hash;
        if poison {
            let letter = DeadLetter {
                message_id: message.into(),
                interface: "theater:simple/message-server-client".into(),
                function: "handle-send".into(),
                reason: "quarantined".into(),
                cause: None,
            };
            story.append(&letter, &[]);
        }
        story.end(TRAP);
        let (child, incarnation, reason, asked_by) = (story.id, story.index.incarnation, TRAP, AskedBy::Itself);
        self.anchor(name);
        let data = ChildExited { child, incarnation, reason, asked_by, poison, error_hash, at_ms };
        self.sup.append(&data, &[]);
        let (name, message) = (name.to_owned(), "it broke".to_owned());
        Exit { child, name, incarnation, reason, asked_by, poison, message, error_hash }
    }

    /// A restart failed before there was an incarnation.
    pub(super) fn tell_no_start(&mut self, name: &str, message: &str, at_ms: u64) -> Exit {
        let (child, incarnation) = (self.id(name), self.child(name).index.incarnation + 1);
        let (asked_by, error_hash) = (AskedBy::Itself, Digest::ZERO);
        let reason = ReasonRecord::Abnormal(ErrorType::InstantiateFailed);
        let data = ChildExited { child, incarnation, reason, asked_by, poison: false, error_hash, at_ms };
        self.sup.append(&data, &[("message", Some(&payload::text(message)))]);
        let (name, message) = (name.to_owned(), message.to_owned());
        Exit { child, name, incarnation, reason, asked_by, poison: false, message, error_hash }
    }

    /// The child ends by itself; what the engine says is recorded.
    pub(super) fn exit(&mut self, name: &str, reason: ReasonRecord, message: &str, at_ms: u64) -> Vec<ChainEvent> {
        let (_, exit) = self.tell(name, reason, AskedBy::Itself, message, at_ms);
        let step = self.engine.exited(&exit, at_ms, false);
        self.record(step)
    }

    /// The child traps, the decision is recorded, and it starts again.
    pub(super) fn crash(&mut self, name: &str, at_ms: u64) {
        let decisions = self.exit(name, TRAP, "it broke", at_ms);
        self.start(name, decisions.first());
    }

    /// A call of the child answers `err`, and the supervisor is told.
    pub(super) fn err(&mut self, name: &str, message: &str, at_ms: u64) -> Vec<ChainEvent> {
        let step = self.tell_err(name, message, at_ms);
        self.record(step)
    }

    pub(super) fn tell_err(&mut self, name: &str, message: &str, at_ms: u64) -> Step {
        let story = self.child(name);
        story.call(None);
        let (child, incarnation, state_hash) = (story.id, story.index.incarnation, story.index.state);
        let text = payload::text(message);
        let returned = story.append(&CallReturned { ok: false, state_hash }, &[("result", Some(&text))]);
        let data = ChildErred { child, incarnation, error_hash: returned.hash, at_ms };
        self.sup.append(&data, &[("message", Some(&text))]);
        self.engine.erred(child, name, message, returned.hash, at_ms)
    }

    pub(super) fn record(&mut self, step: Step) -> Vec<ChainEvent> {
        match step {
            Step::Decided(decisions) => decisions.iter().map(|decision| self.decide(decision)).collect(),
            Step::Nothing => Vec::new(),
            step => panic!("{step:?}"),
        }
    }

    pub(super) fn decide(&mut self, decision: &Decision) -> ChainEvent {
        let backoff = self.engine.policy().backoff;
        let state = match &decision.state {
            _ if decision.action != theater_chain::data::SupervisionActionKind::Restart => None,
            StateChoice::Reset => None,
            StateChoice::Resume => self
                .children
                .values()
                .find(|child| child.story.id == decision.actor)
                .map(|child| child.story.index.state),
            StateChoice::ResumeFrom(hash) => Some(*hash),
            StateChoice::Custom(bytes) => Some(Digest::of(bytes)),
        };
        let of_cut = decision.cut.iter().flatten().find(|(child, ..)| *child == decision.actor);
        let state = of_cut.map(|(.., hash)| *hash).or(state);
        let mut data = decision.record(backoff.as_ref(), self.sup.head.unwrap().hash, state);
        (self.change)(self.decided, &mut data);
        self.decided += 1;
        self.sup.append(&data, &[])
    }

    /// The guest's `decide` answers about a fact.
    pub(super) fn ask(&mut self, fact: &ChainEvent, answer: Option<&impl Serialize>) {
        self.begin_ask(fact);
        let result = answer.map(|answer| codec::encode(&Ok::<_, ()>((answer,))));
        let result = result.unwrap_or_else(|| codec::encode(&Err::<(), _>("I do not know")));
        let data = CallReturned { ok: answer.is_some(), state_hash: self.sup.index.state };
        self.sup.append(&data, &[("result", Some(&result))]);
    }

    pub(super) fn begin_ask(&mut self, fact: &ChainEvent) {
        let call = Call {
            lane: Lane::Decision,
            interface: "theater:simple/supervision-policy@0.1.0".into(),
            function: "decide".into(),
            message_id: None,
            cause: Some(fact.hash),
        };
        self.sup.append(&call, &[("params", Some(&[0xc0]))]);
    }

    /// A host call of the supervisor's guest; `within` happens while it runs.
    pub(super) fn host_call<R: Serialize>(
        &mut self,
        interface: &str,
        function: &str,
        params: &impl Serialize,
        within: impl FnOnce(&mut Self, Digest) -> R,
    ) {
        self.sup.call(None);
        let (interface, function) = (format!("theater:simple/{interface}@0.1.0"), function.to_owned());
        let effect = Effect::WriteIdempotent;
        let data = HostCallBegun { ordinal: 0, interface: interface.clone(), function: function.clone(), effect };
        let begun = self.sup.append(&data, &[("params", Some(&codec::encode(params)))]);
        let result = codec::encode(&(within(self, begun.hash),));
        let data = HostCall { ordinal: 0, interface, function, effect, outcome: Outcome::Ok };
        self.sup.append(&data, &[("result", Some(&result))]);
        self.sup.append(&CallReturned { ok: true, state_hash: self.sup.index.state }, &[]);
    }

    /// The supervisor ends and starts again, with its declared children.
    pub(super) fn again(&mut self) {
        let data = ActorErrorData {
            actor_id: self.sup.id,
            error: ErrorType::GuestError,
            deterministic: false,
            state_hash: self.sup.index.state,
            message_id: None,
            trap_code: None,
            wasm_offset: None,
        };
        self.sup.append(&data, &[]);
        for child in self.children.values_mut().filter(|child| child.story.index.ended.is_none()) {
            child.story.end(ReasonRecord::Killed(KillCause::ParentGone));
        }
        self.sup.end(ReasonRecord::Abnormal(ErrorType::GuestError));
        let manifest = self.manifest.clone();
        start(&mut self.sup, &manifest, RestartStateKind::Reset, b"sup", None);
        self.engine = Engine::new(self.engine.policy().clone(), self.sup.id);
        self.declared();
    }

    /// Erases the payloads of the kinds of events in `erased`.
    async fn erase(&self, store: &MemoryStore) {
        let mut payloads = BTreeSet::new();
        for actor in self.children.values().map(|child| child.story.id).chain([self.sup.id]) {
            let events = store.events(actor, 0, usize::MAX).await.unwrap();
            let named = events.iter().filter(|event| self.erased.contains(&&*event.event_type));
            payloads.extend(named.filter_map(|event| event.payload_commit));
        }
        for payload in payloads {
            erase(store, payload, "a test", 0, &mut |_| ()).await.unwrap();
        }
    }

    /// Verifies the supervisor.
    pub(super) async fn verify(mut self) -> ActorReport {
        let store = MemoryStore::new();
        store.commit(self.sup.commit()).await.unwrap();
        for child in self.children.values_mut() {
            store.commit(child.story.commit()).await.unwrap();
        }
        self.erase(&store).await;
        let how = Verification::new(Level::Full).audited(&DecisionAudit);
        for child in self.children.values() {
            let entry = store.actor(child.story.id).await.unwrap().unwrap();
            assert_eq!(how.actor(&store, &entry).await.unwrap().fault, None);
        }
        let entry = store.actor(self.sup.id).await.unwrap().unwrap();
        how.actor(&store, &entry).await.unwrap()
    }
}
