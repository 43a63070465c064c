//! Pruning: what may be dropped, and what can still be proved and checked of the rest.

use std::io::Cursor;

use theater_chain::bundle::{self, Arrival};
use theater_chain::data::{ActorStarted, EventData, MessageAccepted, Pruned, ReasonRecord, RestartStateKind};
use theater_chain::note::{HostKey, Note};
use theater_chain::proof::{EventProof, ProveError, checkpoint};
use theater_chain::prune::{Dropped, Need, PruneError, Pruning, prune};
use theater_chain::testing::Story;
use theater_chain::{
    ActorEntry, ChainEvent, ChainStore as _, Commit, Digest, DroppedEvents, Level, MemoryStore, PendingMessage,
    StoreReport, Trust, Verification, payload, verify_store,
};

fn key() -> HostKey {
    HostKey::from_seed(&[9; 32])
}

/// Three incarnations with some calls each; the last one begins where the second ended.
async fn lives() -> (MemoryStore, Story) {
    let (store, mut story) = (MemoryStore::new(), Story::new(1));
    story.start(RestartStateKind::Reset, Some(b"{}"));
    for life in 0..3u8 {
        for n in 0..7 {
            story.call(None);
            story.commit_state(None, &[life, n]);
        }
        if life < 2 {
            story.end(ReasonRecord::Shutdown);
            story.start(RestartStateKind::Resume, Some(&[life, 6]));
        }
    }
    store.commit(story.commit()).await.unwrap();
    (store, story)
}

async fn entry(store: &MemoryStore, story: &Story) -> ActorEntry {
    store.actor(story.id).await.unwrap().unwrap()
}

async fn pruned(store: &MemoryStore, story: &mut Story, seq: u64) -> Result<Dropped, PruneError> {
    let pruning = Pruning { keep_after: seq, now: 1, salt: [1; 16], key: None };
    let dropped = prune(store, &entry(store, story).await, &pruning, &mut |_| ()).await?;
    let head = entry(store, story).await.head;
    (story.stored, story.head) = (Some(head), Some(head));
    Ok(dropped)
}

async fn verified(store: &MemoryStore) -> StoreReport {
    verify_store(store, Level::Full, &mut |_| ()).await.unwrap()
}

async fn fault(store: &MemoryStore) -> String {
    verified(store).await.actors[0].fault.as_ref().unwrap().to_string()
}

#[tokio::test]
async fn proofs_and_checkpoints_are_those_of_the_whole_chain() {
    let (whole, mut story) = lives().await;
    let (key, started) = (key(), story.index.started);
    let old = EventProof::make(&whole, &entry(&whole, &story).await, 3, Some(&key)).await.unwrap();
    let kept = checkpoint(&whole, &entry(&whole, &story).await, &key).await.unwrap();
    // In steps, each from where the one before ended.
    for seq in [0, 4, 15, started - 1] {
        let before = entry(&whole, &story).await;
        let (cut, event) = {
            let events = whole.events(story.id, 0, 1000).await.unwrap();
            (events[0].seq, events.last().unwrap().clone())
        };
        let dropped = pruned(&whole, &mut story, seq).await.unwrap();
        assert_eq!((dropped.events, dropped.kept_from), (seq + 1 - cut, seq + 1));
        let proof = EventProof::make(&whole, &before, event.seq, Some(&key)).await.unwrap();
        assert!(proof.holds(Some(key.public())));
        let report = verified(&whole).await;
        assert!(report.ok && report.unchecked.iter().any(|said| said.contains("older events were not kept")));
    }
    assert!(old.holds(Some(key.public())));

    // The same history, not pruned: what is proved of it is the same, to the byte.
    let (full, again) = lives().await;
    let now = entry(&full, &again).await;
    assert_eq!(checkpoint(&whole, &now, &key).await.unwrap(), kept);
    for seq in [started, started + 1, now.head.seq] {
        let (one, other) = (
            EventProof::make(&whole, &now, seq, Some(&key)).await.unwrap(),
            EventProof::make(&full, &now, seq, Some(&key)).await.unwrap(),
        );
        assert_eq!(one, other);
    }
    let gone = EventProof::make(&whole, &now, started - 1, Some(&key)).await.unwrap_err();
    assert!(matches!(gone, ProveError::Dropped(..)) && gone.to_string().contains("was dropped"), "{gone}");

    // A checkpoint that was kept elsewhere is held against the pruned chain; one that ends before is not.
    let early = {
        let events = full.events(again.id, 0, 3).await.unwrap();
        let early = ActorEntry { head: events[2].head(), ..now };
        checkpoint(&full, &early, &key).await.unwrap()
    };
    let foreign = {
        let (other, mut story) = (MemoryStore::new(), Story::new(1));
        story.start(RestartStateKind::Reset, Some(b"{}"));
        for n in 0..20 {
            story.call(None);
            story.commit_state(None, &[n]);
        }
        other.commit(story.commit()).await.unwrap();
        checkpoint(&other, &entry(&other, &story).await, &key).await.unwrap()
    };
    let older = "the kept checkpoint: older events of that chain were not kept";
    for (note, unchecked, fault) in [
        (&kept, None, None),
        (&early, Some(older), None),
        (&foreign, None, Some("are not those of the kept checkpoint")),
    ] {
        let note: Note = note.parse().unwrap();
        let trust = Trust { key: None, kept: Some(&note) };
        let entries = [entry(&whole, &story).await];
        let report = Verification::new(Level::Full).signed(trust).actors(&whole, &entries).await.unwrap();
        let found = report.log.unwrap().fault;
        assert!(
            found.as_ref().map_or(fault.is_none(), |found| fault.is_some_and(|said| found.contains(said))),
            "{found:?}"
        );
        assert_eq!(report.unchecked.iter().find(|said| said.starts_with("the kept")).map(|said| &**said), unchecked);
    }
}

#[tokio::test]
async fn what_is_needed_stays_and_how_far_it_may_go_is_said() {
    let (store, mut story) = lives().await;
    let started = story.index.started;
    for seq in [started, started + 3, u64::MAX] {
        let refused = pruned(&store, &mut story, seq).await.unwrap_err();
        let sentence =
            format!("the newest incarnation begins with it; the highest SEQ that is possible is {}", started - 1);
        assert!(refused.to_string().ends_with(&sentence), "{refused}");
    }
    pruned(&store, &mut story, 2).await.unwrap();
    let again = pruned(&store, &mut story, 2).await.unwrap_err();
    assert!(matches!(again, PruneError::Already(3)), "{again}");
    assert_eq!(again.to_string(), "the chain is kept from event 3 on already");
    pruned(&store, &mut story, started - 1).await.unwrap();
    let nothing = pruned(&store, &mut story, started).await.unwrap_err();
    assert!(matches!(nothing, PruneError::Needed { highest: None, .. }), "{nothing}");
    assert!(nothing.to_string().ends_with("nothing can be dropped"), "{nothing}");
}

/// An incarnation that sends in its second call and accepts a message; then another one.
async fn sent(receiver: &Story) -> (MemoryStore, Story, ChainEvent, ChainEvent) {
    let (store, mut story) = (MemoryStore::new(), Story::new(1));
    story.start(RestartStateKind::Reset, Some(b"{}"));
    story.call(None);
    story.commit_state(None, b"1");
    let call = story.call(None);
    let begun = story.host_call_begun(0);
    story.host_call(0, theater_chain::data::Outcome::Ok);
    story.commit_state(None, b"2");
    let accepted = MessageAccepted { source: "cli".into(), n: 1, message_id: "cli/1".into() };
    let accepted = story.append(&accepted, &[("params", Some(&payload::bin(b"hello")))]);
    let waits = |id: String, receiver, commit| PendingMessage {
        message_id: id,
        receiver,
        interface: "theater:simple/message-server-client".into(),
        function: "handle-send".into(),
        payload_commit: commit,
        payload: None,
        cause: None,
    };
    story.batch().pending_added = vec![
        waits(format!("{}/{}/0", story.id, call.seq), receiver.id, begun.payload_commit.unwrap()),
        waits("cli/1".into(), story.id, accepted.payload_commit.unwrap()),
    ];
    story.end(ReasonRecord::Shutdown);
    story.start(RestartStateKind::Resume, Some(b"2"));
    store.commit(story.commit()).await.unwrap();
    (store, story, call, accepted)
}

#[tokio::test]
async fn where_a_waiting_message_came_from_stays_until_it_was_begun() {
    let mut receiver = Story::new(2);
    let (store, mut story, call, accepted) = sent(&receiver).await;
    let (id, last) = (format!("{}/{}/0", story.id, call.seq), story.index.started - 1);
    for (seq, need) in [(call.seq, id.clone()), (accepted.seq, "cli/1".to_owned())] {
        pruned(&store, &mut story, seq - 2).await.unwrap();
        let refused = pruned(&store, &mut story, last).await.unwrap_err();
        let PruneError::Needed { seq: from, why, highest } = &refused else { panic!("{refused}") };
        assert_eq!((*from, why, *highest), (seq, &Need::Waiting(need.clone()), Some(seq - 1)));
        receiver.start(RestartStateKind::Reset, Some(b"{}"));
        receiver.end(ReasonRecord::Shutdown);
        receiver.batch().pending_removed = vec![need];
        store.commit(receiver.commit()).await.unwrap();
    }
    pruned(&store, &mut story, last).await.unwrap();
    assert!(verified(&store).await.ok);
}

#[tokio::test]
async fn what_an_open_call_elsewhere_waits_for_stays_until_it_has_it() {
    let (store, mut asker, mut story) = (MemoryStore::new(), Story::new(2), Story::new(1));
    asker.start(RestartStateKind::Reset, Some(b"{}"));
    let call = asker.call(None);
    asker.host_call_begun(0);
    store.commit(asker.commit()).await.unwrap();
    let id = format!("{}/{}/0", asker.id, call.seq);
    story.start(RestartStateKind::Reset, Some(b"{}"));
    story.call(None);
    story.commit_state(None, b"1");
    let answering = story.call(Some(&id));
    story.commit_state(Some(&id), b"2");
    story.end(ReasonRecord::Shutdown);
    story.start(RestartStateKind::Resume, Some(b"2"));
    store.commit(story.commit()).await.unwrap();
    let last = story.index.started - 1;
    let refused = pruned(&store, &mut story, last).await.unwrap_err();
    let PruneError::Needed { why: Need::Asked(asked), highest, .. } = &refused else { panic!("{refused}") };
    assert_eq!((asked, *highest), (&id, Some(answering.seq - 1)));
    asker.host_call(0, theater_chain::data::Outcome::Ok);
    store.commit(asker.commit()).await.unwrap();
    pruned(&store, &mut story, last).await.unwrap();
}

/// Drops events as somebody would who can write to the store, and says `claim` of it.
async fn dropped_by_hand(store: &MemoryStore, story: &mut Story, kept_from: u64, claim: Option<Pruned>) {
    match &claim {
        Some(claim) => story.append(claim, &[]),
        None => story.append(&MessageAccepted { source: "a".into(), n: 1, message_id: "a/1".into() }, &[]),
    };
    let dropped = vec![DroppedEvents { actor: story.id, kept_from, states: Vec::new() }];
    store.commit(Commit { dropped, ..story.commit() }).await.unwrap();
}

#[tokio::test]
async fn events_that_are_gone_without_a_word_or_with_a_wrong_one_are_a_fault() {
    let (store, mut story) = lives().await;
    let right = {
        pruned(&store, &mut story, 4).await.unwrap();
        let event = store.events(story.id, story.head.unwrap().seq, 1).await.unwrap().pop().unwrap();
        Pruned::decode(&event.data).unwrap()
    };
    let (store, mut story) = lives().await;
    dropped_by_hand(&store, &mut story, 5, None).await;
    for level in [Level::Links, Level::Full] {
        let report = verify_store(&store, level, &mut |_| ()).await.unwrap();
        let found = report.actors[0].fault.as_ref().unwrap();
        assert_eq!(
            found.to_string(),
            "event 5: the events before it are not there, and no `pruned` says that they were dropped"
        );
    }
    let entry = entry(&store, &story).await;
    let unproved = EventProof::make(&store, &entry, 7, None).await.unwrap_err();
    assert!(matches!(unproved, ProveError::NotKept(5)), "{unproved}");
    let refused = pruned(&store, &mut story, 8).await.unwrap_err();
    assert!(matches!(refused, PruneError::Unknown(5)), "{refused}");

    let (store, mut story) = lives().await;
    dropped_by_hand(&store, &mut story, 5, Some(right.clone())).await;
    assert!(verified(&store).await.ok);
    for (claim, said) in [
        (Pruned { parent_hash: Digest([1; 32]), ..right.clone() }, "is not the one that it names"),
        (Pruned { frontier: Vec::new(), ..right.clone() }, "what cannot be"),
        (Pruned { kept_from: 1 << 40, ..right.clone() }, "what cannot be"),
        (Pruned { kept_from: 6, ..right.clone() }, "is not the one that it names"),
        (Pruned { kept_from: 4, dropped: 4, frontier: vec![Digest([1; 32])], ..right.clone() }, "no `pruned` says"),
    ] {
        let (store, mut story) = lives().await;
        dropped_by_hand(&store, &mut story, 5, Some(claim)).await;
        assert!(fault(&store).await.contains(said), "{}", fault(&store).await);
    }
    // Where the events are there, what is said of them is held against them.
    for (claim, said) in [
        (Pruned { frontier: vec![Digest([1; 32]); 2], ..right.clone() }, "its frontier is not that"),
        (Pruned { dropped: 4, ..right.clone() }, "the number of dropped events"),
    ] {
        let (store, mut story) = lives().await;
        dropped_by_hand(&store, &mut story, 0, Some(claim)).await;
        assert!(fault(&store).await.contains(said), "{}", fault(&store).await);
    }
}

#[tokio::test]
async fn a_chain_that_does_not_verify_is_not_pruned() {
    let (store, mut story) = lives().await;
    let mut commit = Commit::default();
    let mut event = ChainEvent::following(story.head.as_ref(), "dead_letter", 1, vec![0x80], None);
    event.timestamp += 1;
    story.head = Some(event.head());
    commit.events = vec![(story.id, event)];
    commit.actors = story.commit().actors;
    store.commit(commit).await.unwrap();
    let refused = pruned(&store, &mut story, 2).await.unwrap_err();
    assert!(matches!(refused, PruneError::Broken(_)), "{refused}");
    assert_eq!(store.kept_from(story.id).await.unwrap(), 0);
}

#[tokio::test]
async fn a_start_from_a_state_of_before_is_said_to_be_unchecked() {
    let (store, mut story) = lives().await;
    story.end(ReasonRecord::Shutdown);
    story.start(RestartStateKind::ResumeFrom, Some(&[0, 3]));
    store.commit(story.commit()).await.unwrap();
    let start = store.events(story.id, story.index.started, 1).await.unwrap().pop().unwrap();
    assert_eq!(ActorStarted::decode(&start.data).unwrap().restart_state, RestartStateKind::ResumeFrom);
    let middle = 16;
    pruned(&store, &mut story, middle).await.unwrap();
    // The state that it began from is still named, so it stays.
    assert_eq!(store.state(Digest::of(&[0, 3])).await.unwrap().unwrap(), &[0u8, 3][..]);
    let report = verified(&store).await;
    assert!(report.ok && report.unchecked.iter().any(|said| said.starts_with("a resume-from")), "{report:?}");
}

#[tokio::test]
async fn a_pruned_chain_travels_and_continues_one_that_was_not() {
    let (store, mut story) = lives().await;
    let (whole, _) = lives().await;
    let last = story.index.started - 1;
    pruned(&store, &mut story, last).await.unwrap();
    story.call(None);
    story.commit_state(None, b"after");
    store.commit(story.commit()).await.unwrap();
    let mut bytes = Vec::new();
    bundle::export(&store, &[story.id], None, &mut bytes, &mut |_| ()).await.unwrap();
    let other = MemoryStore::new();
    let arrived = bundle::import(&other, Cursor::new(bytes.clone())).await.unwrap();
    assert_eq!(arrived.actors, [(story.id, Arrival::New)]);
    assert_eq!(other.kept_from(story.id).await.unwrap(), last + 1);
    let report = verified(&other).await;
    assert!(report.ok, "{report:?}");
    let now = entry(&other, &story).await;
    let proof = EventProof::make(&other, &now, last + 2, Some(&key())).await.unwrap();
    assert!(proof.holds(Some(key().public())));
    // Where the older events are still there, they stay, and are what was said of them.
    let arrived = bundle::import(&whole, Cursor::new(bytes)).await.unwrap();
    assert_eq!(arrived.actors, [(story.id, Arrival::Continued)]);
    assert_eq!(whole.kept_from(story.id).await.unwrap(), 0);
    let report = verified(&whole).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(EventProof::make(&whole, &now, last + 2, Some(&key())).await.unwrap(), proof);
    assert_eq!(story.index.ended, None);
}
