//! The store in memory.

use std::sync::Arc;

use theater_chain::data::{DropReason, InstanceDropped, RestartStateKind};
use theater_chain::testing::{Story, conformance};
use theater_chain::{Answered, ChainStore as _, Digest, Level, MemoryStore, verify_actor};

#[tokio::test]
async fn it_does_what_every_store_must() {
    conformance(|| Arc::new(MemoryStore::new())).await;
    // A bound that is never reached changes nothing.
    conformance(|| Arc::new(MemoryStore::bounded(10_000))).await;
}

#[tokio::test]
async fn a_bounded_store_keeps_the_newest_events_and_what_they_need() {
    let store = MemoryStore::bounded(10);
    let mut story = Story::new(1);
    story.start(RestartStateKind::Reset, Some(b"{}"));
    let mut dropped_payload = None;
    for n in 0..300 {
        let message_id = format!("cli/{n}");
        let call = story.call(Some(&message_id));
        dropped_payload.get_or_insert(call.payload_commit.unwrap());
        let done = story.commit_state(Some(&message_id), format!("{n}").as_bytes());
        story.batch().answered = vec![Answered { message_id, actor: story.id, seq: done.seq }];
        store.commit(story.commit()).await.unwrap();
    }
    let events = store.events(story.id, 0, 1000).await.unwrap();
    assert_eq!(events.len(), 10);
    assert_eq!(store.kept_from(story.id).await.unwrap(), events[0].seq);
    assert_eq!(events[9].head(), store.actor(story.id).await.unwrap().unwrap().head);
    // The newest are there, the oldest are not.
    assert_eq!(store.state(Digest::of(b"299")).await.unwrap().unwrap(), "299");
    assert!(store.answered("cli/299").await.unwrap().is_some());
    assert_eq!(store.state(Digest::of(b"1")).await.unwrap(), None);
    assert_eq!(store.answered("cli/1").await.unwrap(), None);

    let entry = store.actor(story.id).await.unwrap().unwrap();
    for level in [Level::Links, Level::Full] {
        let report = verify_actor(&store, &entry, level).await.unwrap();
        assert!(report.is_ok(), "{report:?}");
        assert_eq!(report.events, 10);
        assert!(report.unchecked[0].contains("older events were not kept"), "{report:?}");
    }
}

#[tokio::test]
async fn a_bounded_chain_verifies_wherever_it_is_cut() {
    let mut whole = Story::new(1);
    whole.write_life();
    let len = whole.commit().events.len();
    for bound in 1..len {
        let store = MemoryStore::bounded(bound);
        let mut story = Story::new(1);
        story.write_life();
        store.commit(story.commit()).await.unwrap();
        let entry = store.actor(story.id).await.unwrap().unwrap();
        let report = verify_actor(&store, &entry, Level::Full).await.unwrap();
        assert!(report.is_ok(), "the last {bound} events: {report:?}");
        assert_eq!(report.events, bound as u64);
    }
}

#[tokio::test]
async fn a_bound_of_one_chain_leaves_others_alone() {
    let store = MemoryStore::bounded(3);
    let mut quiet = Story::new(1);
    quiet.start(RestartStateKind::Reset, Some(b"quiet"));
    store.commit(quiet.commit()).await.unwrap();
    let mut busy = Story::new(2);
    busy.start(RestartStateKind::Reset, Some(b"busy"));
    for n in 0..500 {
        busy.append(&InstanceDropped { reason: DropReason::Parked }, &[]);
        busy.batch().states.push((Digest::of(&[n as u8, 1]), vec![n as u8, 1].into()));
        store.commit(busy.commit()).await.unwrap();
    }
    assert_eq!(store.events(quiet.id, 0, 10).await.unwrap().len(), 1);
    assert_eq!(store.state(Digest::of(b"quiet")).await.unwrap().unwrap(), "quiet");
    assert_eq!(store.state(Digest::of(b"busy")).await.unwrap().unwrap(), "busy");
}
