//! Any one thing of a record, changed and the chain hashed again: the replay stops at just that event
//! where the guest made it, and where the guest first shows it where the guest was given it.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use theater::ChainEvent;
use theater::chain::data::{Call, CallReturned, Data, EventData as _, HostCall, HostCallBegun, StateUpdated};
use theater::chain::{Digest, codec};

use super::{Recorded, relay, set};

/// What is changed.
#[derive(Debug, Clone)]
enum Change {
    /// The params of a host call.
    HostParams(String),
    /// The answer of a call.
    Answer(String),
    /// The state that a call left.
    State([u8; 32]),
    /// Two events of what the guest did change places.
    Order(Index),
    /// One is left out.
    Removed,
    /// The answer of a host call: the guest's input.
    HostAnswer(String),
    /// What the guest was asked: its input, too.
    Params(String),
}

fn change() -> impl Strategy<Value = Change> {
    let text = || "[a-z ]{1,12}";
    prop_oneof![
        text().prop_map(Change::HostParams),
        text().prop_map(Change::Answer),
        any::<[u8; 32]>().prop_map(Change::State),
        any::<Index>().prop_map(Change::Order),
        Just(Change::Removed),
        text().prop_map(Change::HostAnswer),
        text().prop_map(Change::Params),
    ]
}

/// A changed record, and the first and the last place at which its replay may stop.
struct Changed {
    events: Vec<ChainEvent>,
    stops: std::ops::RangeInclusive<u64>,
}

impl Changed {
    fn at(events: Vec<ChainEvent>, at: usize) -> Self {
        Self { events, stops: at as u64..=at as u64 }
    }
}

fn is_end(data: &Data) -> bool {
    matches!(data, Data::CallReturned(_) | Data::StateUpdated(_) | Data::ActorErrorData(_))
}

/// Whether the guest does it, params and all.
fn is_made(data: &Data) -> bool {
    match data {
        Data::HostCall(call) => call.effect == theater::Effect::Read,
        Data::HostCallBegun(_) => true,
        other => is_end(other),
    }
}

/// `None`: the record has no such place, or the change changes nothing.
fn changed(recorded: &Recorded, place: Index, change: &Change) -> Option<Changed> {
    let pick = |is: fn(&Data) -> bool| {
        let places = recorded.places(is);
        (!places.is_empty()).then(|| *place.get(&places))
    };
    let field = |at: usize, name: &str, value: &[u8]| recorded.with(at, |event| set(event, name, value));
    let changed = match change {
        Change::HostParams(text) => {
            let at = pick(|data| is_made(data) && !is_end(data))?;
            Changed::at(field(at, "params", &codec::encode(&("nobody", text))), at)
        }
        Change::Answer(text) => {
            let at = pick(|data| matches!(data, Data::CallReturned(_) | Data::StateUpdated(_)))?;
            Changed::at(field(at, "result", &codec::encode(&Err::<(), _>(text))), at)
        }
        Change::State(hash) => {
            let at = pick(|data| matches!(data, Data::CallReturned(_) | Data::StateUpdated(_)))?;
            Changed::at(recorded.with(at, |event| event.data = with_state(event, Digest(*hash)).into()), at)
        }
        Change::Order(other) => {
            let places = recorded.places(is_made);
            let (a, b) = (*place.get(&places), *other.get(&places));
            let (first, second) = (a.min(b), a.max(b));
            let mut events = recorded.events.clone();
            let same = |a: &ChainEvent, b: &ChainEvent| (&a.event_type, &a.data) == (&b.event_type, &b.data);
            if same(&events[first], &events[second]) {
                return None; // the same host call of two calls, or one place
            }
            events.swap(first, second);
            Changed::at(events, first)
        }
        Change::Removed => {
            let at = pick(is_made)?;
            let mut events = recorded.events.clone();
            events.remove(at);
            let next = events[at..].iter().position(of_a_call)?;
            Changed::at(events, at + next)
        }
        Change::HostAnswer(text) => {
            let at = pick(|data| matches!(data, Data::HostCall(call) if call.function == "request"))?;
            let answer = codec::encode(&(Ok::<_, String>(text.as_bytes().to_vec()),));
            let end = *recorded.places(is_end).iter().find(|end| **end > at)?;
            let events = field(at, "result", &answer);
            (events[at].payload != recorded.events[at].payload).then(|| Changed::at(events, end))?
        }
        Change::Params(text) => {
            let at = pick(|data| matches!(data, Data::Call(call) if call.function == "handle-request"))?;
            let end = *recorded.places(is_end).iter().find(|end| **end > at)?;
            let params = codec::encode(&("an id", format!("no order: {text}").into_bytes()));
            Changed { events: field(at, "params", &params), stops: at as u64 + 1..=end as u64 }
        }
    };
    Some(changed)
}

/// The data of a call's end with another state.
fn with_state(event: &ChainEvent, hash: Digest) -> Vec<u8> {
    match Data::decode(&event.event_type, &event.data).unwrap().unwrap() {
        Data::StateUpdated(data) => StateUpdated { new_state_hash: hash, ..data }.encode(),
        Data::CallReturned(data) => CallReturned { state_hash: hash, ..data }.encode(),
        other => panic!("{other:?}"),
    }
}

/// Whether a replay looks at it while a call is open.
fn of_a_call(event: &ChainEvent) -> bool {
    let data = Data::decode(&event.event_type, &event.data).unwrap().unwrap();
    [Call::TYPE, HostCall::TYPE, HostCallBegun::TYPE, "actor_started", "actor_terminated"].contains(&&*event.event_type)
        || is_end(&data)
}

#[test]
fn one_change_stops_a_replay_where_it_was_made() {
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let (_world, recorded) = tokio.block_on(relay());
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(any::<Index>(), change()), |(place, change)| {
        let Some(Changed { events, stops }) = changed(&recorded, place, &change) else {
            return Err(TestCaseError::reject("nothing is changed"));
        };
        let replay = tokio.block_on(recorded.replay(events));
        let diverged = replay.diverged;
        let seq = diverged.as_ref().map(|diverged| diverged.seq);
        prop_assert!(seq.is_some_and(|seq| stops.contains(&seq)), "not within {stops:?}: {diverged:#?}");
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test]
async fn the_component_of_another_actor_stops_a_replay_at_the_first_call() {
    let (world, recorded) = relay().await;
    let other = std::fs::read(theater_build::testing::component("counter")).unwrap();
    let changed = recorded.with(0, |event| {
        let mut started = theater::chain::data::ActorStarted::decode(&event.data).unwrap();
        started.component = Digest::of(&other);
        event.data = started.encode().into();
    });
    let end = recorded.places(is_end)[0] as u64;
    let diverged = recorded.replay(changed).await.diverged.unwrap();
    assert!(diverged.seq > 0 && diverged.seq <= end, "{diverged:?}");
    world.close().await;
}
