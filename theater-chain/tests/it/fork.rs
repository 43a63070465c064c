//! Forks: what verification says of them, beside the chain that they were forked from and without.

use theater_chain::data::{
    ActorForked, Call, EventData as _, HostCall, HostCallBegun, Outcome, ReasonRecord, RestartStateKind,
};
use theater_chain::diff::{Diff, Side, diff};
use theater_chain::testing::Story;
use theater_chain::{ActorReport, ChainEvent, ChainStore, Level, MemoryStore, TheaterId, payload, verify_actor};

/// An actor with an open call at event 4 of its chain, in which two host calls ended and a third had
/// begun; it ended by event 10. With its events.
fn origin() -> (Story, Vec<ChainEvent>) {
    let mut story = Story::new(1);
    let events = vec![
        story.start(RestartStateKind::Reset, Some(b"{}")),
        story.call(None),
        story.commit_state(None, b"{\"n\":1}"),
        story.append(&theater_chain::data::InstanceDropped { reason: theater_chain::data::DropReason::Parked }, &[]),
        story.call(Some("cli-1/1")),
        story.host_call_begun(0),
        story.host_call(0, Outcome::Ok),
        story.append(&read(1), &[("params", Some(&[0xc0])), ("result", Some(&payload::text("five")))]),
        story.host_call_begun(2),
        story.host_call(2, Outcome::Ok),
        story.commit_state(Some("cli-1/1"), b"{\"n\":2}"),
    ];
    (story, events)
}

fn read(ordinal: u32) -> HostCall {
    HostCall {
        ordinal,
        interface: "acme:clock/clock".into(),
        function: "now".into(),
        effect: theater_chain::data::Effect::Read,
        outcome: Outcome::Ok,
    }
}

struct Forked {
    at: u64,
    answer: Option<u64>,
    state: &'static [u8],
}

/// The beginning of a fork.
fn fork(id: u8, of: &[ChainEvent], how: &Forked) -> Story {
    let mut story = Story::new(id);
    let at = usize::try_from(how.at).unwrap();
    let data = ActorForked {
        actor_id: story.id,
        of: TheaterId::from_bytes([1; 16]),
        at: how.at,
        head: of[at].hash,
        answer: how.answer,
        component: None,
    };
    let answer = payload::text("six");
    story.append(&data, &[("result", how.answer.is_some().then_some(&answer[..]))]);
    story.start(RestartStateKind::ResumeFrom, Some(how.state));
    story.index.started = 1;
    story
}

/// What both say of a whole story: beside the original, and alone.
async fn reports(origin: &mut Story, fork: &mut Story) -> [ActorReport; 2] {
    let (both, alone) = (MemoryStore::new(), MemoryStore::new());
    let commit = fork.commit();
    both.commit(origin.commit()).await.unwrap();
    both.commit(commit.clone()).await.unwrap();
    alone.commit(commit).await.unwrap();
    let entry = alone.actor(fork.id).await.unwrap().unwrap();
    [verify_actor(&both, &entry, Level::Full).await.unwrap(), verify_actor(&alone, &entry, Level::Full).await.unwrap()]
}

#[track_caller]
fn assert_verifies(name: &str, reports: &[ActorReport; 2]) {
    assert_eq!(reports[0].fault, None, "{name}");
    assert_eq!(reports[0].unchecked, Vec::<String>::new(), "{name}");
    assert_eq!(reports[1].fault, None, "{name}");
    assert!(reports[1].unchecked[0].contains("whose chain is not here"), "{name}: {:?}", reports[1].unchecked);
}

/// Into the fork, a copy of an event.
fn copy(fork: &mut Story, old: &ChainEvent) {
    match &*old.event_type {
        Call::TYPE => drop(fork.append_again(&Call::decode(&old.data).unwrap(), old)),
        HostCallBegun::TYPE => drop(fork.append_again(&HostCallBegun::decode(&old.data).unwrap(), old)),
        _ => drop(fork.append_again(&HostCall::decode(&old.data).unwrap(), old)),
    }
}

#[tokio::test]
async fn a_fork_in_a_call_takes_it_over() {
    let (mut old, events) = origin();
    let mut fork = fork(2, &events, &Forked { at: 8, answer: None, state: b"{\"n\":1}" });
    for event in &events[4..8] {
        copy(&mut fork, event);
    }
    // The one that had begun, it makes itself.
    fork.host_call_begun(2);
    fork.host_call(2, Outcome::Ok);
    fork.commit_state(Some("cli-1/1"), b"{\"n\":3}");
    fork.end(ReasonRecord::Shutdown);
    assert_verifies("in a call", &reports(&mut old, &mut fork).await);
}

#[tokio::test]
async fn a_fork_between_calls_and_at_the_start() {
    for (at, state) in [(2, &b"{\"n\":1}"[..]), (3, b"{\"n\":1}"), (10, b"{\"n\":2}"), (0, b"{}")] {
        let (mut old, events) = origin();
        let mut fork = fork(2, &events, &Forked { at, answer: None, state });
        fork.call(None);
        fork.commit_state(None, b"else");
        assert_verifies(&format!("at {at}"), &reports(&mut old, &mut fork).await);
    }
}

#[tokio::test]
async fn an_exchanged_answer_is_the_one_that_the_fork_names() {
    for (answer, ok) in [("six", true), ("seven", false)] {
        let (mut old, events) = origin();
        let mut fork = fork(2, &events, &Forked { at: 7, answer: Some(7), state: b"{\"n\":1}" });
        for event in &events[4..7] {
            copy(&mut fork, event);
        }
        fork.append(&read(1), &[("params", Some(&[0xc0])), ("result", Some(&payload::text(answer)))]);
        fork.commit_state(Some("cli-1/1"), b"{\"n\":3}");
        let reports = reports(&mut old, &mut fork).await;
        if ok {
            assert_verifies(answer, &reports);
        } else {
            let fault = reports[0].fault.clone().unwrap();
            assert!(fault.seq == 5 && fault.reason.contains("not event 7 of"), "{fault}");
        }
    }
}

#[tokio::test]
async fn what_a_fork_makes_up_is_found() {
    let (mut old, events) = origin();
    let mut other = fork(2, &events, &Forked { at: 7, answer: None, state: b"{\"n\":2}" });
    let found = reports(&mut old, &mut other).await[0].fault.clone().unwrap();
    assert!(found.seq == 1 && found.reason.contains("another state"), "{found}");

    let (mut old, mut events) = origin();
    events[7] = events[6].clone();
    let mut unknown = fork(2, &events, &Forked { at: 7, answer: None, state: b"{\"n\":1}" });
    let found = reports(&mut old, &mut unknown).await[0].fault.clone().unwrap();
    assert!(found.seq == 0 && found.reason.contains("is not the one that the fork names"), "{found}");

    let (mut old, events) = origin();
    let mut short = fork(2, &events, &Forked { at: 7, answer: None, state: b"{\"n\":1}" });
    copy(&mut short, &events[4]);
    short.commit_state(Some("cli-1/1"), b"{\"n\":3}");
    let found = reports(&mut old, &mut short).await[0].fault.clone().unwrap();
    assert!(found.reason.contains("event 5 of") && found.reason.contains("is not in it"), "{found}");

    let (mut old, events) = origin();
    let mut beyond = fork(2, &events, &Forked { at: 10, answer: None, state: b"{\"n\":2}" });
    let _ = old.stored; // the original as it is
    beyond.append(
        &ActorForked { actor_id: beyond.id, of: old.id, at: 3, head: events[3].hash, answer: None, component: None },
        &[],
    );
    for report in reports(&mut old, &mut beyond).await {
        let found = report.fault.unwrap();
        assert!(found.seq == 2 && found.reason.contains("in the middle of a chain"), "{found}");
    }
}

#[tokio::test]
async fn a_fork_that_has_not_started_tells_nothing_else() {
    let (mut old, events) = origin();
    let mut fork = Story::new(2);
    let data =
        ActorForked { actor_id: fork.id, of: old.id, at: 3, head: events[3].hash, answer: None, component: None };
    fork.append(&data, &[]);
    fork.call(None);
    for report in reports(&mut old, &mut fork).await {
        let found = report.fault.unwrap();
        assert!(found.seq == 1 && found.reason.contains("has not started"), "{found}");
    }
}

async fn compared(a: &mut Story, b: &mut Story) -> Diff {
    let store = MemoryStore::new();
    store.commit(a.commit()).await.unwrap();
    store.commit(b.commit()).await.unwrap();
    let side = |actor| Side { store: &store, actor };
    diff(side(a.id), side(b.id), &mut |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_fork_parts_from_its_original_where_it_takes_another_course() {
    let (mut old, events) = origin();
    let mut fork = fork(2, &events, &Forked { at: 7, answer: Some(7), state: b"{\"n\":1}" });
    for event in &events[4..7] {
        copy(&mut fork, event);
    }
    fork.append(&read(1), &[("params", Some(&[0xc0])), ("result", Some(&payload::text("six")))]);
    fork.commit_state(Some("cli-1/1"), b"{\"n\":3}");
    let found = compared(&mut old, &mut fork).await;
    // 0 to 3 lie in the original's chain alone, 4 to 6 in both.
    assert_eq!(found.common, 7);
    let parting = found.parting.unwrap();
    assert_eq!((parting.field.as_str(), parting.events[0].as_ref().unwrap().seq), ("result", 7));
    assert_eq!(parting.events[1].as_ref().unwrap().seq, 5);
    assert_eq!(parting.events[0].as_ref().unwrap().function.as_deref(), Some("acme:clock/clock#now"));
    assert_eq!(parting.values, [Some(payload::text("five")), Some(payload::text("six"))]);
    assert_eq!(parting.after[0].values().sum::<u64>(), 4);
    assert_eq!(parting.after[1].values().sum::<u64>(), 2);
}

#[tokio::test]
async fn forks_of_one_actor_are_compared_from_where_they_part() {
    let (mut old, events) = origin();
    let mut one = fork(2, &events, &Forked { at: 3, answer: None, state: b"{\"n\":1}" });
    let mut two = fork(3, &events, &Forked { at: 10, answer: None, state: b"{\"n\":2}" });
    one.call(Some("cli-7/1"));
    one.host_call_begun(0);
    one.host_call(0, Outcome::Denied("no".into()));
    let store = MemoryStore::new();
    for story in [&mut old, &mut one, &mut two] {
        store.commit(story.commit()).await.unwrap();
    }
    let side = |actor| Side { store: &store, actor };
    let found = diff(side(one.id), side(two.id), &mut |_| {}).await.unwrap();
    let parting = found.parting.unwrap();
    assert_eq!((found.common, parting.field.as_str()), (6, "outcome"));
    let places = parting.events.map(|place| place.unwrap());
    assert_eq!((places[0].actor, places[0].seq), (one.id, 4));
    assert_eq!((places[1].actor, places[1].seq), (old.id, 6));
}

#[tokio::test]
async fn what_is_different_in_each_history_does_not_count() {
    let life = |id: u8, source: &str, state: &str| {
        let mut story = Story::new(id);
        let own = story.id.to_string();
        story.start(RestartStateKind::Reset, Some(b"{}"));
        let accepted = format!("cli-{source}/1");
        story.call(Some(&accepted));
        let params = payload::text(&format!("{own} got {accepted}"));
        story.append(&read(0), &[("params", Some(&params)), ("result", Some(&payload::text("five")))]);
        story.commit_state(Some(&accepted), state.replace("ME", &own).as_bytes());
        story
    };
    let found = compared(&mut life(1, "a", "I am ME"), &mut life(2, "bbb", "I am ME")).await;
    assert_eq!((found.common, found.parting), (4, None));
    let found = compared(&mut life(1, "a", "I am ME"), &mut life(2, "bbb", "I am NOT")).await;
    let parting = found.parting.unwrap();
    assert_eq!((found.common, parting.field.as_str()), (3, "state"));
    assert_eq!(parting.values[1], Some(payload::bin(b"I am NOT")));
    let mut longer = life(2, "b", "I am ME");
    longer.call(None);
    let parting = compared(&mut life(1, "a", "I am ME"), &mut longer).await.parting.unwrap();
    assert_eq!((parting.field.as_str(), &parting.events[0]), ("end", &None));
}
