//! Replays: of records as they were written (every scenario ends with that), from each point in them,
//! and of records in which one thing is not as it was.

mod fields;
mod mutations;
mod tail;
mod upgraded;

use std::sync::Arc;

use theater::chain::data::{ActorErrorData, ActorStarted, Call, CallReturned, Data, EventData as _, HostCall};
use theater::chain::data::{HostCallBegun, StateUpdated};
use theater::chain::{Payload, payload};
use theater::{ActorHandle, ChainEvent, ChainStore, Digest, TheaterId};
use theater_replay::{Part, Replay, Replayer, Verdict};
use theater_tests::{Edited, World, builder};

/// An actor's record in memory, to be changed.
struct Recorded {
    actor: TheaterId,
    events: Vec<ChainEvent>,
    source: Arc<dyn ChainStore>,
    replayer: Replayer,
}

impl Recorded {
    async fn of(world: &World, actor: TheaterId) -> Self {
        world.runtime.flush().await.unwrap();
        let events = world.runtime.get_actor_events(actor, 0, usize::MAX).await.unwrap();
        Self { actor, events, source: world.runtime.store().clone(), replayer: Replayer::new().unwrap() }
    }

    /// The places of the events whose data are as `is` says.
    fn places(&self, is: impl Fn(&Data) -> bool) -> Vec<usize> {
        let data = |event: &ChainEvent| Data::decode(&event.event_type, &event.data).unwrap().unwrap();
        (0..self.events.len()).filter(|at| is(&data(&self.events[*at]))).collect()
    }

    /// Replays these events, chained and hashed again as one who rewrites a record would.
    async fn replay(&self, changed: Vec<ChainEvent>) -> Replay {
        let store = Arc::new(Edited::rewritten(self.source.clone(), self.actor, changed));
        self.replayer.replay(store, self.actor, Part::whole()).await.unwrap()
    }

    /// The events, with the one at `at` changed; its hash is left as it was.
    fn with(&self, at: usize, change: impl FnOnce(&mut ChainEvent)) -> Vec<ChainEvent> {
        let mut events = self.events.clone();
        change(&mut events[at]);
        events
    }
}

/// Replaces a field of the payload.
fn set(event: &mut ChainEvent, name: &str, value: &[u8]) {
    let old = event.payload.as_ref().unwrap();
    let mut fields = Vec::new();
    for field in ["params", "result", "params_digest"] {
        let kept = payload::field(old.bytes(), field).unwrap();
        let value = if field == name { Some(value) } else { kept };
        if kept.is_some() || field == name {
            fields.push((field, value));
        }
    }
    event.payload = Some(Payload::new(*old.salt(), payload::encode(&fields).unwrap()));
}

/// A relay that asked, sent, logged, crashed and was resumed.
async fn relay() -> (World, Recorded) {
    let world = World::new(&["relay", "counter"]);
    let relay: ActorHandle = world.spawn("relay").await;
    let child = world.ask(&relay, "spawn counter.toml").await;
    for order in ["id", "ping", "list"] {
        world.ask(&relay, order).await;
    }
    for n in 1..4 {
        world.ask(&relay, &format!("request {child} add {n}")).await;
        world.ask(&relay, &format!("request {child} get")).await;
    }
    world.send(&relay, &format!("do request {child} inc")).await.unwrap();
    world.try_ask(&relay, "panic").await.unwrap_err();
    world.resume(&relay).await;
    world.ask(&relay, "log").await;
    let recorded = Recorded::of(&world, relay.id()).await;
    (world, recorded)
}

#[tokio::test]
async fn a_record_as_it_was_written_replays_and_its_crash_is_named() {
    let (world, recorded) = relay().await;
    let replay = recorded.replay(recorded.events.clone()).await;
    assert!(replay.is_ok(), "{replay:#?}");
    assert_eq!(replay.replayed as usize, recorded.places(|data| matches!(data, Data::Call(_))).len());
    assert_eq!((replay.environmental, replay.unreplayed.len()), (0, 0));
    let failure = replay.failure.unwrap();
    assert!(failure.what.starts_with("trap unreachable"), "{failure:?}");
    assert!(failure.what.contains("told to panic"), "{failure:?}");
    assert!(failure.backtrace.iter().any(|frame| frame.contains("handle-request")), "{failure:?}");
    world.close().await;
}

#[tokio::test]
async fn params_that_differ_stop_the_replay_at_their_event() {
    let (_world, recorded) = relay().await;
    let host_calls = recorded.places(|data| match data {
        Data::HostCallBegun(_) => true,
        Data::HostCall(call) => call.effect == theater::Effect::Read && call.function != "list-children",
        _ => false,
    });
    assert!(host_calls.len() > 6);
    for at in host_calls {
        let other = payload::encode(&[]).unwrap_or_else(|| theater::chain::codec::encode(&("nobody", "nothing")));
        let replay = recorded.replay(recorded.with(at, |event| set(event, "params", &other))).await;
        let diverged = replay.diverged.unwrap_or_else(|| panic!("event {at} was accepted"));
        assert_eq!(diverged.seq, at as u64, "{diverged:?}");
        assert!(!diverged.function.is_empty() && !diverged.backtrace.is_empty(), "{diverged:?}");
        assert_ne!(diverged.expected, diverged.actual);
    }
}

#[tokio::test]
async fn a_result_that_differs_stops_the_replay_at_its_event() {
    let (_world, recorded) = relay().await;
    let ends = recorded.places(|data| matches!(data, Data::CallReturned(_) | Data::StateUpdated(_)));
    let answer = theater::chain::codec::encode(&Ok::<_, ()>((Some("another answer".as_bytes().to_vec()),)));
    for at in ends {
        let replay = recorded.replay(recorded.with(at, |event| set(event, "result", &answer))).await;
        let diverged = replay.diverged.unwrap_or_else(|| panic!("event {at} was accepted"));
        assert_eq!(diverged.seq, at as u64, "{diverged:?}");
        assert!(diverged.expected.contains("state"), "{diverged:?}");
    }
}

#[tokio::test]
async fn a_state_that_differs_stops_the_replay_at_its_event() {
    let (_world, recorded) = relay().await;
    for at in recorded.places(|data| matches!(data, Data::StateUpdated(_))) {
        let changed = recorded.with(at, |event| {
            let mut data = StateUpdated::decode(&event.data).unwrap();
            data.new_state_hash = Digest::of(b"another");
            event.data = data.encode().into();
        });
        assert_eq!(recorded.replay(changed).await.diverged.unwrap().seq, at as u64);
    }
    for at in recorded.places(|data| matches!(data, Data::CallReturned(_))) {
        let changed = recorded.with(at, |event| {
            let mut data = CallReturned::decode(&event.data).unwrap();
            data.state_hash = Digest::of(b"another");
            event.data = data.encode().into();
        });
        assert_eq!(recorded.replay(changed).await.diverged.unwrap().seq, at as u64);
    }
}

#[tokio::test]
async fn another_trap_stops_the_replay_at_its_event() {
    let (_world, recorded) = relay().await;
    let [at] = recorded.places(|data| matches!(data, Data::ActorErrorData(_)))[..] else { panic!("one crash") };
    for change in [
        |data: &mut ActorErrorData| data.trap_code = Some("integer-overflow".into()),
        |data: &mut ActorErrorData| data.wasm_offset = Some(3),
        |data: &mut ActorErrorData| data.error = theater::ErrorType::MemoryLimit,
    ] {
        let changed = recorded.with(at, |event| {
            let mut data = ActorErrorData::decode(&event.data).unwrap();
            change(&mut data);
            event.data = data.encode().into();
        });
        assert_eq!(recorded.replay(changed).await.diverged.unwrap().seq, at as u64);
    }
}

#[tokio::test]
async fn another_order_or_a_missing_host_call_stops_the_replay_where_it_begins() {
    let (_world, recorded) = relay().await;
    let begun = recorded.places(|data| matches!(data, Data::HostCallBegun(begun) if begun.function == "request"));
    // The host calls of two calls are exchanged: both ask the same actor, for other things.
    let mut events = recorded.events.clone();
    events.swap(begun[0], begun[1]);
    assert_eq!(recorded.replay(events).await.diverged.unwrap().seq, begun[0] as u64);
    // Both events of one are left out: in their place stands the end of the call.
    let mut events = recorded.events.clone();
    events.retain({
        let end =
            begun[0] + recorded.events[begun[0]..].iter().position(|event| event.event_type == HostCall::TYPE).unwrap();
        let (begun, end) = (begun[0] as u64, end as u64);
        move |event| event.seq != begun && event.seq != end
    });
    let diverged = recorded.replay(events).await.diverged.unwrap();
    assert!(diverged.seq >= begun[0] as u64 && diverged.seq <= begun[0] as u64 + 2, "{diverged:?}");
    // One that did not happen is put in.
    let mut events = recorded.events.clone();
    let ping = recorded.places(|data| matches!(data, Data::CallReturned(_)))[0];
    let read = recorded.places(|data| matches!(data, Data::HostCall(call) if call.function == "self-id"))[0];
    events.insert(ping, recorded.events[read].clone());
    let diverged = recorded.replay(events).await.diverged.unwrap();
    assert_eq!(diverged.seq, ping as u64, "{diverged:?}");
    assert!(HostCallBegun::TYPE != HostCall::TYPE && Call::TYPE == "call");
}

#[tokio::test]
async fn another_input_shows_where_it_first_matters() {
    let (_world, recorded) = relay().await;
    let calls = recorded.places(|data| matches!(data, Data::Call(call) if call.function == "handle-request"));
    for at in calls {
        let params = theater::chain::codec::encode(&(("an id", b"say something else".to_vec()),).0);
        let replay = recorded.replay(recorded.with(at, |event| set(event, "params", &params))).await;
        let diverged = replay.diverged.unwrap_or_else(|| panic!("event {at} was accepted"));
        let end = recorded
            .places(|data| matches!(data, Data::CallReturned(_) | Data::StateUpdated(_) | Data::ActorErrorData(_)));
        let end = end.into_iter().find(|end| *end > at).unwrap();
        assert!(diverged.seq > at as u64 && diverged.seq <= end as u64, "{diverged:?}");
    }
}

#[tokio::test]
async fn another_component_is_judged() {
    let (world, recorded) = relay().await;
    let store = world.runtime.store().clone();
    let component = |name: &str| std::fs::read(theater_build::testing::component(name)).unwrap().into();
    let against = async |name: &str| {
        recorded.replayer.against(store.clone(), recorded.actor, &component(name), Part::whole()).await.unwrap()
    };
    assert!(matches!(against("relay").await, Verdict::Compatible(_)));
    let Verdict::Diverges(replay) = against("counter").await else { panic!("a counter is no relay") };
    assert!(replay.diverged.unwrap().seq <= 3);
    let world = World::new(&["counter"]);
    let counter = world.spawn("counter").await;
    world.ask(&counter, "inc").await;
    let counter = Recorded::of(&world, counter.id()).await;
    let store = world.runtime.store().clone();
    let verdict = counter.replayer.against(store, counter.actor, &component("relay"), Part::whole()).await.unwrap();
    let Verdict::NeedsOtherImports(imports) = verdict else { panic!("{verdict:?}") };
    assert!(imports.iter().any(|import| import.contains("message-server-host")), "{imports:?}");
}

/// With one place for instances, two actors that are asked in turn are parked again and again.
#[tokio::test]
async fn counters_in_globals_replay_from_every_point() {
    let world = World::with(&["rogue"], builder().live_instances(1));
    let (a, b) = (world.spawn("rogue").await, world.spawn("rogue").await);
    for n in 0..12 {
        world.ask(&a, "tally").await;
        if n % 3 == 2 {
            world.ask(&b, "tally").await;
        }
    }
    let recorded = Recorded::of(&world, a.id()).await;
    let drops = recorded.places(|data| matches!(data, Data::InstanceDropped(_)));
    assert!(drops.len() >= 4, "{drops:?}");
    let mut state = Digest::ZERO;
    for event in &recorded.events {
        match Data::decode(&event.event_type, &event.data).unwrap() {
            Some(Data::ActorStarted(ActorStarted { state_hash, .. })) => state = state_hash,
            Some(Data::StateUpdated(StateUpdated { new_state_hash, .. })) => state = new_state_hash,
            _ => {}
        }
        let part = Part::whole().until(event.seq);
        let replay = recorded.replayer.replay(recorded.source.clone(), recorded.actor, part).await.unwrap();
        assert!(replay.is_ok(), "{replay:#?}");
        assert_eq!(replay.state.unwrap().hash, state, "after event {}", event.seq);
        assert_eq!(replay.from + replay.events, event.seq + 1);
        let last = drops.iter().rev().find(|drop| **drop as u64 <= event.seq);
        assert_eq!(replay.from, last.map_or(0, |drop| *drop as u64), "{}", event.seq);
    }
    world.close().await;
}

#[tokio::test]
async fn an_erased_payload_is_said_and_passed() {
    let world = World::with(&["rogue"], builder().live_instances(1));
    let (a, b) = (world.spawn("rogue").await, world.spawn("rogue").await);
    for _ in 0..4 {
        world.ask(&a, "tally").await;
        world.ask(&b, "tally").await;
    }
    let recorded = Recorded::of(&world, a.id()).await;
    let call = recorded.places(|data| matches!(data, Data::Call(call) if call.function == "handle-request"))[1];
    let events = recorded.with(call, |event| event.payload = None);
    let store = Arc::new(Edited::new(recorded.source.clone(), recorded.actor, events));
    let replay = recorded.replayer.replay(store, recorded.actor, Part::whole()).await.unwrap();
    assert!(replay.is_ok(), "{replay:#?}");
    assert_eq!(replay.unreplayed.len(), 1);
    assert_eq!(replay.unreplayed[0].seq, call as u64);
    assert!(replay.unreplayed[0].to < recorded.events.len() as u64 - 1, "it goes on: {replay:#?}");
    let calls = recorded.places(|data| matches!(data, Data::Call(_))).len() as u64;
    assert_eq!(replay.replayed, calls - 1);
    world.close().await;
}

/// Whoever shortens a record, or keeps its head and writes another end, is found out.
#[tokio::test]
async fn a_record_that_does_not_lead_to_its_head_is_damaged() {
    let (world, recorded) = relay().await;
    let end = recorded.events.len();
    let replay = async |events: Vec<ChainEvent>| {
        let store = Arc::new(Edited::new(recorded.source.clone(), recorded.actor, events));
        recorded.replayer.replay(store, recorded.actor, Part::whole()).await.unwrap().diverged
    };
    assert_eq!(replay(recorded.events.clone()).await, None);
    for kept in [1, end / 2, end - 1] {
        let diverged = replay(recorded.events[..kept].to_vec()).await.unwrap();
        assert_eq!(diverged.seq, kept as u64, "{diverged:?}");
        assert!(diverged.actual.contains("damaged"), "{diverged:?}");
    }
    // The last event with another time, hashed again.
    let mut events = recorded.events.clone();
    let last = events.pop().unwrap();
    let head = events.last().map(ChainEvent::head);
    events.push(ChainEvent::following(head.as_ref(), last.event_type, last.timestamp + 1, last.data, last.payload));
    assert_eq!(replay(events).await.unwrap().seq, end as u64 - 1);
    // The first one is another chain's.
    let events = recorded.events[1..].to_vec();
    assert_eq!(replay(events).await.unwrap().seq, 1);
    world.close().await;
}
