//! Erasing: which copies go along, and what counts as erased.

use theater_chain::data::{ActorForked, Effect, HostCall, Outcome, ReasonRecord, RestartStateKind};
use theater_chain::erase::erase;
use theater_chain::prune::{Pruning, prune};
use theater_chain::testing::Story;
use theater_chain::{
    ChainEvent, ChainStore as _, Commit, Digest, Level, MemoryStore, TheaterId, payload, verify_store,
};

/// The events with erased payloads, as (first byte of the actor, seq).
async fn erased(store: &MemoryStore, event: &ChainEvent) -> Vec<(u8, u64)> {
    let erased = erase(store, event.payload_commit.unwrap(), "test", 1, &mut |_| ()).await.unwrap();
    let mut events: Vec<_> = erased.events.iter().map(|event| (event.actor.as_bytes()[0], event.seq)).collect();
    events.sort_unstable();
    let report = verify_store(store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
    events
}

fn read(ordinal: u32) -> HostCall {
    HostCall {
        ordinal,
        interface: "theater:simple/message-server-host".into(),
        function: "request".into(),
        effect: Effect::WriteIdempotent,
        outcome: Outcome::Ok,
    }
}

/// An actor with an open call and a fork of it there, in which the answer of the second host call is another.
fn forked() -> (Story, Story, [ChainEvent; 3]) {
    let (mut old, mut fork) = (Story::new(1), Story::new(2));
    let start = old.start(RestartStateKind::Reset, Some(b"{}"));
    let call = old.call(Some("cli/1"));
    let fields = |n: &'static str| [("params", Some(payload::text("asked"))), ("result", Some(payload::text(n)))];
    let with = |story: &mut Story, ordinal: u32, answer: &'static str| {
        let fields = fields(answer);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_deref())).collect();
        story.append(&read(ordinal), &fields)
    };
    let first = with(&mut old, 0, "one");
    let second = with(&mut old, 1, "two");
    let data = ActorForked {
        actor_id: fork.id,
        of: old.id,
        at: second.seq,
        head: second.hash,
        answer: Some(second.seq),
        component: None,
    };
    fork.append(&data, &[("result", Some(&payload::text("else")))]);
    fork.start(RestartStateKind::ResumeFrom, Some(b"{}"));
    let again: theater_chain::data::Call = theater_chain::codec::decode(&call.data).unwrap();
    fork.append_again(&again, &call);
    fork.append_again(&read(0), &first);
    with(&mut fork, 1, "else");
    with(&mut fork, 2, "own");
    fork.commit_state(Some("cli/1"), b"fork");
    // As many host calls in the other one, of its own.
    with(&mut old, 2, "three");
    old.commit_state(Some("cli/1"), b"old");
    (old, fork, [start, first, second])
}

#[tokio::test]
async fn what_a_fork_took_over_goes_too() {
    let stored = async || {
        let store = MemoryStore::new();
        let (mut old, mut fork, events) = forked();
        store.commit(old.commit()).await.unwrap();
        store.commit(fork.commit()).await.unwrap();
        (store, events)
    };
    // A copy as it was, and one with another answer, which the first event of the fork has, too.
    let (store, [_, first, second]) = stored().await;
    assert_eq!(erased(&store, &first).await, [(1, 2), (2, 3)]);
    assert_eq!(erased(&store, &second).await, [(1, 3), (2, 0), (2, 4)]);
    // Likewise from the fork's side.
    let (store, _) = stored().await;
    let exchanged = store.events(TheaterId::from_bytes([2; 16]), 0, 1).await.unwrap().pop().unwrap();
    assert_eq!(erased(&store, &exchanged).await, [(1, 3), (2, 0), (2, 4)]);
    // What each did on its own is its own.
    let (store, _) = stored().await;
    let own = store.events(TheaterId::from_bytes([1; 16]), 4, 1).await.unwrap().pop().unwrap();
    assert_eq!(erased(&store, &own).await, [(1, 4)]);
}

#[tokio::test]
async fn what_init_ran_on_goes_with_every_start_that_has_it() {
    let store = MemoryStore::new();
    let (mut old, mut fork, [start, ..]) = forked();
    for story in [&mut old, &mut fork] {
        story.end(ReasonRecord::Shutdown);
        story.start(RestartStateKind::Reset, Some(b"{}"));
        store.commit(story.commit()).await.unwrap();
    }
    let mut other = Story::new(3);
    other.start(RestartStateKind::Reset, Some(b"{}"));
    store.commit(other.commit()).await.unwrap();
    let entry = store.actor(old.id).await.unwrap().unwrap();
    let pruning = Pruning { keep_after: start.seq, now: 1, salt: [1; 16], key: None };
    prune(&store, &entry, &pruning, &mut |_| ()).await.unwrap();
    let pruned = store.actor(old.id).await.unwrap().unwrap().head.seq;
    let starts = [(1, old.index.started), (1, pruned), (2, fork.index.started)];
    let copy = store.events(old.id, pruned, 1).await.unwrap().pop().unwrap();
    assert_eq!(erased(&store, &copy).await, starts);
}

#[tokio::test]
async fn a_payload_that_nobody_says_was_erased_is_missing() {
    let (mut old, mut fork, [start, first, _]) = forked();
    let store = MemoryStore::new();
    store.commit(old.commit()).await.unwrap();
    store.commit(fork.commit()).await.unwrap();
    for (event, faults) in [(start, &[(1u8, 0u64)][..]), (first, &[(1, 0), (2, 3)])] {
        let gone: Vec<Digest> = vec![event.payload_commit.unwrap()];
        store.commit(Commit { erased: gone, ..Commit::default() }).await.unwrap();
        for level in [Level::Links, Level::Full] {
            let report = verify_store(&store, level, &mut |_| ()).await.unwrap();
            let found: Vec<_> = report
                .actors
                .iter()
                .filter_map(|actor| Some((actor.id.as_bytes()[0], actor.fault.as_ref()?)))
                .inspect(|(_, fault)| assert!(fault.reason.starts_with("its payload is missing"), "{fault}"))
                .map(|(actor, fault)| (actor, fault.seq))
                .collect();
            assert_eq!(found, faults);
        }
    }
}
