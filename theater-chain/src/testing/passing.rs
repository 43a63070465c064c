//! What every store must do with states that are there only while they are the newest.

use std::sync::Arc;

use bytes::Bytes;

use super::Story;
use super::conformance::started;
use crate::data::{DropReason, InstanceDropped};
use crate::{
    ActorEntry, ChainStore, Digest, ImportPart, ImportedActor, Level, PassingState, SMALL_STATE, StoreError, TheaterId,
    verify_store,
};

/// A large state.
fn large(n: u8) -> Vec<u8> {
    vec![n; SMALL_STATE + 1]
}

async fn has(store: &dyn ChainStore, n: u8) -> bool {
    let bytes = store.state(Digest::of(&large(n))).await.unwrap();
    assert!(bytes.as_ref().is_none_or(|bytes| *bytes == large(n)), "state {n} has other bytes");
    bytes.is_some()
}

/// A call that leaves a passing state, committed.
async fn passes(store: &dyn ChainStore, story: &mut Story, n: u8) {
    story.call(None);
    story.pass_state(&large(n));
    store.commit(story.commit()).await.unwrap();
}

/// An event that says that the newest state stays, committed.
async fn stays(store: &dyn ChainStore, story: &mut Story) {
    story.append(&InstanceDropped { reason: DropReason::Parked }, &[]);
    story.batch().passing = vec![PassingState { actor: story.id, before_stays: true, left_out: 0, now: None }];
    store.commit(story.commit()).await.unwrap();
}

pub(super) async fn a_passing_state_goes_with_the_next(store: Arc<dyn ChainStore>) {
    let mut story = started(&*store, 1).await;
    for n in 1..=3 {
        passes(&*store, &mut story, n).await;
        assert_eq!((has(&*store, n).await, has(&*store, n - 1).await), (true, false), "state {n}");
    }
    // What is written without anything about the state leaves it there.
    story.call(None);
    store.commit(story.commit()).await.unwrap();
    assert!(has(&*store, 3).await);
    story.commit_state(None, b"small");
    story.batch().passing = vec![PassingState { actor: story.id, before_stays: false, left_out: 0, now: None }];
    store.commit(story.commit()).await.unwrap();
    assert!(!has(&*store, 3).await);
    // The same again, and one that the store has already since it stays.
    passes(&*store, &mut story, 3).await;
    stays(&*store, &mut story).await;
    for n in [3, 4, 3, 5] {
        passes(&*store, &mut story, n).await;
        assert!(has(&*store, 3).await && has(&*store, n).await);
    }
    assert!(!has(&*store, 4).await);
    let hashes: Vec<_> = (3..=5).map(|n| Digest::of(&large(n))).collect();
    let mut found = Vec::new();
    while found.len() < hashes.len() {
        found.extend(store.states(&hashes[found.len()..]).await.unwrap());
    }
    assert_eq!(found, [Some(large(3).into()), None, Some(large(5).into())]);
    let report = verify_store(&*store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!(report.actors[0].thinned, 3, "{report:?}");
    // 3 went three times as well, and is there since it stays.
    assert_eq!(store.thinned(story.id).await.unwrap(), Some(6));
}

/// What is left out of a batch is counted with what is dropped, so that no other state can be missing.
pub(super) async fn what_passes_is_counted(store: Arc<dyn ChainStore>) {
    let mut story = started(&*store, 1).await;
    assert_eq!(store.thinned(story.id).await.unwrap(), Some(0));
    passes(&*store, &mut story, 1).await;
    for n in [2, 3, 4] {
        story.call(None);
        story.pass_state(&large(n));
    }
    store.commit(story.commit()).await.unwrap();
    assert!(!has(&*store, 3).await && has(&*store, 4).await);
    assert_eq!(store.thinned(story.id).await.unwrap(), Some(3));
    let report = verify_store(&*store, Level::Full, &mut |_| ()).await.unwrap();
    assert_eq!((report.ok, report.actors[0].thinned), (true, 3), "{report:?}");
    // One that was small, and should be there.
    stays(&*store, &mut story).await;
    story.call(None);
    let missed = story.commit_state(None, b"never stored");
    story.batch().states.clear();
    story.call(None);
    story.commit_state(None, b"small again");
    store.commit(story.commit()).await.unwrap();
    let report = verify_store(&*store, Level::Full, &mut |_| ()).await.unwrap();
    let fault = report.actors[0].fault.as_ref().unwrap();
    assert!(fault.reason.contains("4 of its states are not in the store") && fault.seq > missed.seq, "{fault}");
}

/// Actors may have the same state: each holds it for itself.
pub(super) async fn actors_hold_passing_states_for_themselves(store: Arc<dyn ChainStore>) {
    let (mut one, mut two) = (started(&*store, 1).await, started(&*store, 2).await);
    passes(&*store, &mut one, 1).await;
    passes(&*store, &mut two, 1).await;
    passes(&*store, &mut one, 2).await;
    assert!(has(&*store, 1).await, "the other one has it");
    stays(&*store, &mut two).await;
    passes(&*store, &mut two, 3).await;
    passes(&*store, &mut two, 2).await;
    assert!(has(&*store, 1).await && !has(&*store, 3).await);
    passes(&*store, &mut one, 4).await;
    assert!(has(&*store, 2).await);
    // Both change places in one batch.
    for (story, n) in [(&mut one, 2), (&mut two, 4)] {
        story.call(None);
        story.pass_state(&large(n));
    }
    let (mut commit, other) = (one.commit(), two.commit());
    commit.actors.extend(other.actors);
    commit.events.extend(other.events);
    commit.passing.extend(other.passing);
    store.commit(commit).await.unwrap();
    assert!(has(&*store, 2).await && has(&*store, 4).await);
    passes(&*store, &mut one, 5).await;
    assert!(!has(&*store, 2).await && has(&*store, 4).await);
    let report = verify_store(&*store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
}

pub(super) async fn a_refused_batch_leaves_the_passing_state(store: Arc<dyn ChainStore>) {
    let (mut story, other) = (started(&*store, 1).await, TheaterId::from_bytes([2; 16]));
    passes(&*store, &mut story, 1).await;
    story.call(None);
    story.pass_state(&large(2));
    let commit = story.commit();
    let mut of_nobody = commit.clone();
    of_nobody.passing.push(PassingState { actor: other, before_stays: true, left_out: 0, now: None });
    let mut twice = commit.clone();
    twice.passing.extend(commit.passing.clone());
    let mut elsewhere = commit.clone();
    elsewhere.actors[0].expected = None;
    for refused in [of_nobody, twice, elsewhere] {
        let error = store.commit(refused).await.unwrap_err();
        assert!(matches!(error, StoreError::Invalid { .. } | StoreError::Conflict { .. }), "{error:?}");
        assert!(has(&*store, 1).await && !has(&*store, 2).await);
    }
    store.commit(commit).await.unwrap();
    assert!(!has(&*store, 1).await && has(&*store, 2).await);
}

/// What comes from elsewhere for an actor follows the state that is newest here, which stays.
pub(super) async fn an_import_leaves_the_passing_state(store: Arc<dyn ChainStore>) {
    let mut story = started(&*store, 1).await;
    passes(&*store, &mut story, 1).await;
    let expected = story.head;
    let events = vec![story.call(None), story.commit_state(None, &large(2))];
    let entry = ActorEntry { id: story.id, head: story.head.unwrap(), index: story.index.clone() };
    let actor = ImportedActor { entry, expected, kept_from: 0, left_out: Vec::new() };
    let state = ImportPart::State(Digest::of(&large(2)), Bytes::from(large(2)));
    let parts = [state, ImportPart::Actor(actor), ImportPart::Events(events)];
    store.import(Box::new(parts.into_iter().map(Ok))).await.unwrap();
    (story.stored, *story.batch()) = (story.head, Default::default());
    passes(&*store, &mut story, 3).await;
    passes(&*store, &mut story, 4).await;
    assert_eq!(store.thinned(story.id).await.unwrap(), None, "of what comes from elsewhere it is not known");
    assert!(has(&*store, 1).await && has(&*store, 2).await && !has(&*store, 3).await && has(&*store, 4).await);
    let report = verify_store(&*store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
}
