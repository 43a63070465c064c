//! Chains that a simulation wrote, in which the clock jumps, come out in causal order.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{HashMap, VecDeque};

use proptest::prelude::*;
use theater::chain::data::{
    ActorErrorData, ActorStarted, AskedBy, Call, CallReturned, ChildAnchor, ChildExited, ChildrenAnchored, Effect,
    EngineRecord, ErrorType, FORMAT, HostCall, HostCallBegun, Lane, Outcome, ReasonRecord, RestartStateKind,
    SupervisionAction, SupervisionActionKind,
};
use theater::chain::{ActorIndex, ActorUpdate, Commit, Head, MemoryStore, Payload, payload};

use super::*;

const ACTORS: u8 = 4;

fn id(n: u8) -> TheaterId {
    TheaterId::from_bytes([n; 16])
}

/// Actor 0 is the root, the others are its children.
fn parent(n: u8) -> Option<TheaterId> {
    (n > 0).then(|| id(0))
}

/// Writes chains, and which events led to which.
#[derive(Default)]
struct World {
    heads: HashMap<u8, Head>,
    incarnations: HashMap<u8, u32>,
    events: Vec<(TheaterId, ChainEvent)>,
    /// Hashes: before and after.
    order: Vec<(Digest, Digest)>,
    clock: u64,
    /// Messages that were sent: from whom by which call and event, to whom.
    sent: VecDeque<(u8, u64, Digest, u8)>,
}

impl World {
    fn append<D: theater::chain::data::EventData>(
        &mut self,
        actor: u8,
        data: &D,
        fields: &[(&str, Option<&[u8]>)],
        causes: &[Digest],
    ) -> Head {
        let payload = payload::encode(fields).map(|bytes| Payload::new([0; 16], bytes));
        let event = ChainEvent::following(self.heads.get(&actor), D::TYPE, self.clock, data.encode(), payload);
        let head = event.head();
        self.order.extend(causes.iter().map(|cause| (*cause, event.hash)));
        self.heads.insert(actor, head);
        self.events.push((id(actor), event));
        head
    }

    fn start(&mut self, actor: u8, parent_event: Option<Digest>) {
        let incarnation = self.incarnations.entry(actor).and_modify(|n| *n += 1).or_insert(1);
        let started = ActorStarted {
            actor_id: id(actor),
            incarnation: *incarnation,
            format: FORMAT,
            parent: parent(actor),
            parent_event,
            component: Digest::ZERO,
            manifest: Digest::ZERO,
            handlers: Vec::new(),
            engine: EngineRecord { wasmtime: String::new(), config: Digest::ZERO, target: String::new() },
            host_key: None,
            restart_state: RestartStateKind::Reset,
            state_hash: Digest::ZERO,
        };
        self.append(actor, &started, &[], parent_event.as_slice());
    }

    fn call(&mut self, actor: u8, message_id: Option<String>, cause: Option<Digest>) -> Head {
        let (interface, function) = ("theater:simple/message-server-client".to_owned(), "handle-send".to_owned());
        let call = Call { lane: Lane::Mailbox, interface, function, message_id, cause };
        self.append(actor, &call, &[], cause.as_slice())
    }

    fn returned(&mut self, actor: u8) -> Head {
        self.append(actor, &CallReturned { ok: true, state_hash: Digest::ZERO }, &[], &[])
    }

    /// `actor` takes the oldest message and sends one to `to`.
    fn turn(&mut self, actor: u8, to: u8) {
        let at = self.sent.iter().position(|(.., to)| *to == actor);
        let message = at.and_then(|at| self.sent.remove(at));
        let call = match message {
            Some((from, seq, hash, _)) => self.call(actor, Some(format!("{}/{seq}/0", id(from))), Some(hash)),
            None => self.call(actor, None, None),
        };
        let end = self.returned(actor);
        self.sent.push_back((actor, call.seq, end.hash, to));
    }

    /// `actor` asks `to` and waits for the answer.
    fn request(&mut self, actor: u8, to: u8) {
        let call = self.call(actor, None, None);
        let (interface, function) = ("theater:simple/message-server-host@0.1.0".to_owned(), "request".to_owned());
        let effect = Effect::WriteIdempotent;
        let begun = HostCallBegun { ordinal: 0, interface: interface.clone(), function: function.clone(), effect };
        let params = [&[0x92], &payload::text(&id(to).to_string())[..], &payload::bin(b"ask")].concat();
        let begun = self.append(actor, &begun, &[("params", Some(&params))], &[]);
        self.call(to, Some(format!("{}/{}/0", id(actor), call.seq)), Some(begun.hash));
        let answer = self.returned(to);
        let ended = HostCall { ordinal: 0, interface, function, effect, outcome: Outcome::Ok };
        let result = [&[0x91, 0x81], &payload::text("Ok")[..], &payload::bin(b"answer")].concat();
        self.append(actor, &ended, &[("result", Some(&result))], &[answer.hash]);
        self.returned(actor);
    }

    /// The child fails, and its parent restarts it.
    fn restart(&mut self, child: u8) {
        let error = ActorErrorData {
            actor_id: id(child),
            error: ErrorType::Trap,
            deterministic: true,
            state_hash: Digest::ZERO,
            message_id: None,
            trap_code: None,
            wasm_offset: None,
        };
        let error_hash = self.append(child, &error, &[], &[]).hash;
        let reason = ReasonRecord::Abnormal(ErrorType::Trap);
        let ended = ActorTerminated { actor_id: id(child), final_state_hash: Digest::ZERO, reason };
        let ended = self.append(child, &ended, &[], &[]);
        let incarnation = self.incarnations[&child];
        let (asked_by, poison, at_ms) = (AskedBy::Itself, false, 0);
        let exited = ChildExited { child: id(child), incarnation, reason, asked_by, poison, error_hash, at_ms };
        self.append(0, &exited, &[], &[ended.hash]);
        let decision = self.decide(child, Some(error_hash));
        self.start(child, Some(decision.hash));
    }

    /// The parent stops a child, after it has decided about another.
    fn stop(&mut self, child: u8, other: u8) {
        let decision = self.decide(other, None);
        let reason = ReasonRecord::Shutdown;
        let ended = ActorTerminated { actor_id: id(child), final_state_hash: Digest::ZERO, reason };
        let ended = self.append(child, &ended, &[], &[decision.hash]);
        let incarnation = self.incarnations[&child];
        let (asked_by, poison, error_hash, at_ms) = (AskedBy::Parent, false, ended.hash, 0);
        let exited = ChildExited { child: id(child), incarnation, reason, asked_by, poison, error_hash, at_ms };
        self.append(0, &exited, &[], &[ended.hash]);
        self.start(child, Some(decision.hash));
    }

    fn decide(&mut self, child: u8, error_hash: Option<Digest>) -> Head {
        let action = SupervisionAction {
            actor_id: id(child),
            action: SupervisionActionKind::Restart,
            class: None,
            rule: "permanent".to_owned(),
            attempt: 1,
            window: 1,
            delay_ms: 0,
            error_hash,
            new_state_hash: None,
            cut: None,
            at_ms: 0,
        };
        self.append(0, &action, &[], &[])
    }

    fn anchor(&mut self, child: u8) {
        let head = self.heads[&child];
        let (incarnation, from, to) = (self.incarnations[&child], 0, head.seq);
        let entry = ChildAnchor { child: id(child), incarnation, from, to, head: head.hash, volatile: false };
        self.append(0, &ChildrenAnchored { entries: vec![entry] }, &[], &[head.hash]);
    }

    fn run(steps: &[(u8, u8, u8, i64)]) -> Self {
        let mut world = Self { clock: 1_000_000, ..Self::default() };
        world.start(0, None);
        for child in 1..ACTORS {
            let cause = world.heads[&0].hash;
            world.start(child, Some(cause));
        }
        for (kind, actor, other, elapsed) in steps {
            world.clock = world.clock.saturating_add_signed(*elapsed);
            let (actor, other) = (actor % ACTORS, other % ACTORS);
            let child = 1 + other % (ACTORS - 1);
            match kind % 5 {
                0 => world.turn(actor, other),
                1 if actor != other => world.request(actor, other),
                2 => world.restart(child),
                3 => world.stop(child, 1 + actor % (ACTORS - 1)),
                _ => world.anchor(child),
            }
        }
        world
    }

    async fn store(&self) -> MemoryStore {
        let store = MemoryStore::new();
        let index = |n: u8| ActorIndex {
            parent: parent(n),
            name: String::new(),
            manifest_path: String::new(),
            incarnation: self.incarnations[&n],
            started: 0,
            ended: None,
            state: Digest::ZERO,
            upgraded: None,
        };
        let update = |n: u8| ActorUpdate { id: id(n), expected: None, index: index(n) };
        let actors = (0..ACTORS).map(update).collect();
        store.commit(Commit { actors, events: self.events.clone(), ..Commit::default() }).await.unwrap();
        store
    }
}

/// The hashes in the order in which they come out.
async fn merged(store: &dyn ChainStore, page: usize) -> Vec<(TheaterId, u64, Digest)> {
    let actors = store.actors(None, 100).await.unwrap();
    let mut merge = Merge::with_pages(store, &actors.iter().collect::<Vec<_>>(), page).await.unwrap();
    let mut out = Vec::new();
    while let Some((actor, event)) = merge.next().await.unwrap() {
        out.push((actor, event.seq, event.hash));
    }
    out
}

#[track_caller]
fn check(steps: &[(u8, u8, u8, i64)], page: usize) {
    let world = World::run(steps);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let out = runtime.block_on(async { merged(&world.store().await, page).await });
    assert_eq!(out.len(), world.events.len());
    let place: HashMap<Digest, usize> = out.iter().enumerate().map(|(at, (_, _, hash))| (*hash, at)).collect();
    for (before, after) in &world.order {
        assert!(place[before] < place[after]);
    }
    let mut next = HashMap::new();
    for (actor, seq, _) in out {
        let expected = next.entry(actor).or_insert(0);
        assert_eq!(seq, *expected);
        *expected += 1;
    }
}

proptest! {
    #[test]
    fn no_event_comes_before_one_that_led_to_it(
        steps in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), -20i64..40), 0..120),
        page in 1usize..40,
    ) {
        check(&steps, page);
    }
}

#[test]
fn a_long_backlog_is_merged_from_short_pages() {
    // Actor 1 sends a hundred messages before actor 2 takes the first.
    let mut steps = vec![(0, 1, 2, 1); 100];
    steps.extend(vec![(0, 2, 3, -5); 100]);
    check(&steps, 2);
}

#[test]
fn with_a_clock_that_goes_on_the_order_is_that_of_time() {
    let world = World::run(&[(0, 1, 2, 3), (0, 3, 1, 4), (0, 2, 1, 5), (1, 1, 3, 6), (2, 0, 1, 7)]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let out = runtime.block_on(async { merged(&world.store().await, 8).await });
    let time: HashMap<Digest, u64> = world.events.iter().map(|(_, event)| (event.hash, event.timestamp)).collect();
    assert!(out.windows(2).all(|pair| time[&pair[0].2] <= time[&pair[1].2]));
}
