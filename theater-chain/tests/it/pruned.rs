//! What was dropped, held against what is signed; and what of it stays.

use theater_chain::data::{ActorForked, Pruned, ReasonRecord, RestartStateKind};
use theater_chain::merkle::{Frontier, leaf};
use theater_chain::note::HostKey;
use theater_chain::proof::checkpoint;
use theater_chain::prune::{Need, PruneError, Pruning, prune};
use theater_chain::testing::Story;
use theater_chain::{
    ActorCheckpoint, ActorEntry, ChainStore as _, Commit, Digest, DroppedEvents, ImportPart, InitialState, KeyFrom,
    Level, LoggedHead, MemoryStore, StoreReport, TreeUpdate, Trust, Verification, initial_state,
};

use crate::signed::key;

/// Two incarnations, each signed at its end: the first from event 0 to 10, the second from 11 to 21.
async fn lives() -> (MemoryStore, Story) {
    let (store, mut story, mut tree) = (MemoryStore::new(), Story::new(1), Frontier::new());
    for life in 0..2u8 {
        match life {
            0 => story.start(RestartStateKind::Reset, Some(b"first")),
            _ => story.start(RestartStateKind::Resume, Some(&[0, 3])),
        };
        for n in 0..4 {
            story.call(None);
            story.commit_state(None, &[life, n]);
        }
        if life == 0 {
            story.end(ReasonRecord::Shutdown);
        } else {
            story.call(None);
            story.commit_state(None, b"end");
        }
        let update = TreeUpdate::signed(&key(), tree, vec![LoggedHead { actor: story.id, head: story.head.unwrap() }]);
        tree = update.tree.clone();
        store.commit(Commit { tree: Some(update), ..story.commit() }).await.unwrap();
    }
    (store, story)
}

async fn entry(store: &MemoryStore, story: &Story) -> ActorEntry {
    store.actor(story.id).await.unwrap().unwrap()
}

async fn pruned(store: &MemoryStore, story: &mut Story, seq: u64, key: Option<&HostKey>) -> Result<(), PruneError> {
    let pruning = Pruning { keep_after: seq, now: 1, salt: [1; 16], key };
    prune(store, &entry(store, story).await, &pruning, &mut |_| ()).await?;
    story.head = Some(entry(store, story).await.head);
    story.stored = story.head;
    Ok(())
}

async fn verified(store: &MemoryStore, key: Option<&HostKey>) -> StoreReport {
    let trust = Trust { key: key.map(HostKey::public), kept: None };
    Verification::new(Level::Full).signed(trust).store(store, &mut |_| ()).await.unwrap()
}

fn fault(report: &StoreReport) -> Option<String> {
    let of_actors = report.actors.iter().find_map(|actor| actor.fault.as_ref().map(ToString::to_string));
    of_actors.or_else(|| report.log.as_ref()?.fault.clone())
}

fn says(report: &StoreReport, what: &str) -> bool {
    report.unchecked.iter().any(|sentence| sentence.contains(what))
}

/// Drops events as somebody does who has no key, with everything right that needs none.
async fn forged(store: &MemoryStore, story: &mut Story, kept_from: u64) {
    let events = store.events(story.id, 0, 1000).await.unwrap();
    let mut tree = Frontier::new();
    events[..kept_from as usize].iter().for_each(|event| tree.push(leaf(&[event.hash.as_bytes()])));
    let parent_hash = events[kept_from as usize - 1].hash;
    let claim = Pruned { kept_from, parent_hash, dropped: kept_from, frontier: tree.peaks().to_vec() };
    story.append(&claim, &[]);
    let dropped = vec![DroppedEvents { actor: story.id, kept_from, states: Vec::new() }];
    store.commit(Commit { dropped, ..story.commit() }).await.unwrap();
}

const UNSIGNED: &str = "that the host dropped the older events of 1 chains: nobody signed that";

#[tokio::test]
async fn signed_heads_are_not_got_rid_of_by_a_pruned_that_nobody_signed() {
    let (store, mut story) = lives().await;
    let head = story.head.unwrap().seq;
    for n in 0..3 {
        story.call(None);
        story.commit_state(None, &[7, n]);
    }
    store.commit(story.commit()).await.unwrap();
    forged(&store, &mut story, head + 2).await;
    let key = key();
    for key in [Some(&key), None] {
        let said = fault(&verified(&store, key).await).unwrap();
        assert_eq!(
            said,
            format!(
                "event {}: what is signed of this chain was dropped, and nothing of what is there is signed",
                head + 2
            )
        );
    }
    // Where a signed head stays nothing false can follow, but that it was the host who dropped is nobody's word.
    let (store, mut story) = lives().await;
    forged(&store, &mut story, 12).await;
    let report = verified(&store, Some(&key)).await;
    assert!(report.ok && says(&report, UNSIGNED), "{report:?}");
    // The event before the first one that is there is a signed one, and another one.
    let (store, mut story) = lives().await;
    forged(&store, &mut story, 10).await;
    assert!(verified(&store, Some(&key)).await.ok);
}

#[tokio::test]
async fn what_a_host_drops_it_signs() {
    let (store, mut story) = lives().await;
    let key = key();
    pruned(&store, &mut story, 9, Some(&key)).await.unwrap();
    let report = verified(&store, Some(&key)).await;
    assert!(report.ok && !says(&report, UNSIGNED), "{report:?}");
    assert_eq!(report.actors[0].signed, Some(story.head.unwrap().seq));
    assert_eq!(report.actors[0].pruned, Some(story.head.unwrap().seq));
    // Without the key what is signed last stays, and it is said that the rest is nobody's word.
    let (store, mut story) = lives().await;
    story.end(ReasonRecord::Shutdown);
    story.start(RestartStateKind::Resume, Some(b"end"));
    store.commit(story.commit()).await.unwrap();
    let refused = pruned(&store, &mut story, 20, None).await.unwrap_err();
    assert!(
        matches!(&refused, PruneError::Needed { seq: 20, why: Need::Signed, highest: Some(19) }),
        "{refused} {refused:?}"
    );
    pruned(&store, &mut story, 19, None).await.unwrap();
    let report = verified(&store, Some(&key)).await;
    assert!(report.ok && says(&report, UNSIGNED), "{report:?}");
    // With another key than the one that signed so far nothing is dropped.
    let refused = pruned(&store, &mut story, 20, Some(&HostKey::from_seed(&[1; 32]))).await.unwrap_err();
    assert!(refused.to_string().contains("is not the one that this host signed"), "{refused}");
}

#[tokio::test]
async fn a_second_claim_does_not_replace_the_first() {
    let (store, mut story) = lives().await;
    let key = key();
    pruned(&store, &mut story, 4, Some(&key)).await.unwrap();
    let before = entry(&store, &story).await;
    let honest = checkpoint(&store, &before, &key).await.unwrap();
    let first = store.events(story.id, 5, 1).await.unwrap().pop().unwrap();
    for dropped in [0, 5] {
        let claim =
            Pruned { kept_from: 5, parent_hash: first.parent_hash, dropped, frontier: vec![Digest([7; 32]); 2] };
        story.append(&claim, &[]);
        store.commit(story.commit()).await.unwrap();
        assert_eq!(checkpoint(&store, &before, &key).await.unwrap(), honest, "the oldest one counts");
        let said = fault(&verified(&store, Some(&key)).await).unwrap();
        assert!(said.contains("dropped"), "{said}");
    }
}

#[tokio::test]
async fn only_what_the_given_key_signed_counts_as_signed() {
    let (store, mut story) = lives().await;
    let (key, other) = (key(), HostKey::from_seed(&[1; 32]));
    story.call(None);
    story.commit_state(None, b"more");
    store.commit(story.commit()).await.unwrap();
    let log = store.head_log().unwrap();
    let entries = log.unlogged().await.unwrap();
    let update = TreeUpdate::signed(&other, log.end().await.unwrap().tree, entries);
    store.commit(Commit { tree: Some(update), ..Commit::default() }).await.unwrap();
    let head = story.head.unwrap().seq;
    let report = verified(&store, Some(&key)).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.actors[0].signed, Some(head - 2));
    assert!(says(&report, "the newest events of 1 chains"), "{report:?}");
    let report = verified(&store, Some(&other)).await;
    assert_eq!(report.actors[0].signed, Some(head));
    assert!(!says(&report, "the newest events of"), "{report:?}");
    // Likewise what came with the chain.
    let bare = MemoryStore::new();
    let (mut again, entry) = (Story::new(1), entry(&store, &story).await);
    again.write_life();
    bare.commit(again.commit()).await.unwrap();
    for (key, size) in [(&key, 3), (&other, 9)] {
        let events = bare.events(again.id, 0, size).await.unwrap();
        let entry = ActorEntry { head: events.last().unwrap().head(), ..entry.clone() };
        let note = checkpoint(&bare, &entry, key).await.unwrap();
        let kept = ActorCheckpoint::new(key.public().clone(), again.id, note).unwrap();
        bare.import(Box::new([Ok(ImportPart::Checkpoint(again.id, kept))].into_iter())).await.unwrap();
    }
    for (given, signed) in [(Some(&key), 2), (Some(&other), 8), (None, 8)] {
        let report = verified(&bare, given).await;
        assert!(report.ok, "{report:?}");
        assert_eq!(report.actors[0].signed, Some(signed));
        assert!(says(&report, "the newest events of 1 chains"), "{report:?}");
        let chains = report.log.unwrap().chains;
        assert_eq!(chains.iter().filter(|one| one.key == KeyFrom::Given).count(), usize::from(given.is_some()));
    }
}

/// A note of this chain that was signed under another one's events.
#[tokio::test]
async fn what_a_stranger_signed_is_no_fault_of_the_chain() {
    let (store, story) = lives().await;
    let stranger = HostKey::from_seed(&[8; 32]);
    let (other, mut elsewhere) = (MemoryStore::new(), Story::new(1));
    elsewhere.write_life();
    other.commit(elsewhere.commit()).await.unwrap();
    let note = checkpoint(&other, &entry(&other, &elsewhere).await, &stranger).await.unwrap();
    let kept = ActorCheckpoint::new(stranger.public().clone(), story.id, note).unwrap();
    store.import(Box::new([Ok(ImportPart::Checkpoint(story.id, kept))].into_iter())).await.unwrap();
    let key = key();
    for given in [Some(&key), None] {
        let report = verified(&store, given).await;
        assert!(report.ok && says(&report, "signed other chains than these"), "{report:?}");
    }
    assert!(!verified(&store, Some(&stranger)).await.ok);
}

#[tokio::test]
async fn what_another_host_signed_can_be_checked_after_a_prune() {
    let (store, mut story) = lives().await;
    let (key, other) = (key(), HostKey::from_seed(&[8; 32]));
    let early = store.events(story.id, 0, 7).await.unwrap().pop().unwrap().head();
    let early = ActorEntry { head: early, ..entry(&store, &story).await };
    for (signer, size) in [(&other, 7), (&key, 7)] {
        let note = checkpoint(&store, &early, signer).await.unwrap();
        let kept = ActorCheckpoint::new(signer.public().clone(), story.id, note).unwrap();
        assert_eq!(kept.size, size);
        store.import(Box::new([Ok(ImportPart::Checkpoint(story.id, kept))].into_iter())).await.unwrap();
    }
    let refused = pruned(&store, &mut story, 9, Some(&key)).await.unwrap_err();
    let PruneError::Needed { why: Need::Signature(origin), highest, .. } = &refused else { panic!("{refused}") };
    assert_eq!((&**origin, *highest), (other.public().name(), Some(6)));
    pruned(&store, &mut story, 6, Some(&key)).await.unwrap();
    for key in [&key, &other] {
        let report = verified(&store, Some(key)).await;
        assert!(report.ok && report.actors[0].signed >= Some(6), "{report:?}");
    }
}

#[tokio::test]
async fn what_init_ran_on_outlives_its_event() {
    let (store, mut story) = lives().await;
    let id = story.id;
    let first = InitialState::Kept(Some(b"first".as_slice().into()));
    assert_eq!(initial_state(&store, Story::new(9).id).await.unwrap(), InitialState::Unknown);
    assert_eq!(initial_state(&store, id).await.unwrap(), first);
    let key = key();
    for seq in [0, 3, 9] {
        pruned(&store, &mut story, seq, Some(&key)).await.unwrap();
        assert_eq!(initial_state(&store, id).await.unwrap(), first, "after event {seq} was dropped");
        assert!(verified(&store, Some(&key)).await.ok);
    }
    // Nothing is kept as such, and of a fork where it was forked from.
    let (mut without, mut fork) = (Story::new(2), Story::new(3));
    without.start(RestartStateKind::Reset, None);
    without.end(ReasonRecord::Shutdown);
    without.start(RestartStateKind::Resume, None);
    let forked = ActorForked {
        actor_id: fork.id,
        of: id,
        at: story.head.unwrap().seq,
        head: story.head.unwrap().hash,
        answer: None,
        component: None,
    };
    fork.append(&forked, &[]);
    fork.start(RestartStateKind::ResumeFrom, Some(b"end"));
    fork.end(ReasonRecord::Shutdown);
    fork.start(RestartStateKind::Resume, Some(b"end"));
    for (other, first) in [(&mut without, InitialState::Kept(None)), (&mut fork, first)] {
        store.commit(other.commit()).await.unwrap();
        assert_eq!(initial_state(&store, other.id).await.unwrap(), first);
        let last = other.index.started - 1;
        pruned(&store, other, last, Some(&key)).await.unwrap();
        assert_eq!(initial_state(&store, other.id).await.unwrap(), first);
    }
    // Once it is erased it is never another one, nor after events were dropped.
    for then_prune in [false, true] {
        let (store, mut story) = lives().await;
        let event = store.events(id, 0, 1).await.unwrap().pop().unwrap();
        theater_chain::erase::erase(&store, event.payload_commit.unwrap(), "test", 2, &mut |_| ()).await.unwrap();
        story.head = Some(entry(&store, &story).await.head);
        story.stored = story.head;
        assert_eq!(initial_state(&store, id).await.unwrap(), InitialState::Erased(id));
        if then_prune {
            pruned(&store, &mut story, 9, Some(&key)).await.unwrap();
            assert_eq!(initial_state(&store, id).await.unwrap(), InitialState::NotKept(id));
        }
    }
}
