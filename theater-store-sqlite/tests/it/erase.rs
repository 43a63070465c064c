//! Erasing: from every place in the files, and from no other event.

use theater_chain::data::RestartStateKind;
use theater_chain::erase::{EraseError, erase};
use theater_chain::testing::Story;
use theater_chain::{ChainStore, Digest, Level, PendingMessage, payload, verify_store};
use theater_store_sqlite::SqliteStore;

const SECRET: &[u8] = b"a secret of somebody who asked to be forgotten";

fn is_in_the_files(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(SECRET.len()).any(|window| window == SECRET)
    })
}

/// A sender whose message was received by one actor and waits for it a second time, with the
/// receiver's answer in both chains.
#[tokio::test]
async fn a_message_is_erased_with_all_its_copies() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let (mut sender, mut receiver) = (Story::new(1), Story::new(2));
    let params = payload::bin(SECRET);
    sender.start(RestartStateKind::Reset, Some(b"{}"));
    let call = sender.call(None);
    let id = format!("{}/{}/0", sender.id, call.seq);
    let begun = sender.host_call_begun_with(0, &params);
    let waits = |id: &str, receiver: &Story| PendingMessage {
        message_id: id.to_owned(),
        receiver: receiver.id,
        interface: "theater:simple/message-server-client".into(),
        function: "handle-request".into(),
        payload_commit: begun.payload_commit.unwrap(),
        payload: None,
        cause: None,
    };
    sender.batch().pending_added = vec![waits(&id, &receiver), waits("waits/1", &receiver)];
    store.commit(sender.commit()).await.unwrap();
    receiver.start(RestartStateKind::Reset, Some(b"{}"));
    let received = receiver.call_with(Some(&id), &params);
    receiver.commit_state(Some(&id), b"after the secret");
    receiver.batch().pending_removed = vec![id.clone()];
    store.commit(receiver.commit()).await.unwrap();
    sender.host_call(0, theater_chain::data::Outcome::Ok);
    sender.commit_state(None, b"nothing of it");
    store.commit(sender.commit()).await.unwrap();
    assert!(is_in_the_files(folder.path()));

    // Asked for by the receiver's copy, whose commit is another one than the sender's.
    let commit = received.payload_commit.unwrap();
    assert_ne!(begun.payload_commit, Some(commit));
    let erased = erase(&store, commit, "asked to be forgotten", 1, &mut |_| ()).await.unwrap();
    let events: Vec<_> = erased.events.iter().map(|event| (event.actor, event.seq)).collect();
    assert_eq!(events, [(sender.id, begun.seq), (receiver.id, received.seq)]);
    assert_eq!(erased.pending, ["waits/1"]);
    let states: Vec<_> = erased.states.iter().map(|state| state.state).collect();
    assert_eq!(states, [Digest::of(b"nothing of it"), Digest::of(b"after the secret")]);
    assert!(!is_in_the_files(folder.path()));

    assert!(store.pending(None, 9).await.unwrap().is_empty());
    for (actor, seq, kept) in [(sender.id, begun.seq, begun.seq + 1), (receiver.id, received.seq, received.seq + 1)] {
        let events = store.events(actor, 0, 100).await.unwrap();
        assert!(events[seq as usize].is_erased() && !events[kept as usize].is_erased());
    }
    let told = store.events(receiver.id, 3, 10).await.unwrap();
    let told: Vec<_> = told.iter().map(|event| &*event.event_type).collect();
    assert_eq!(told, ["payload_erased", "dead_letter"]);
    let report = verify_store(&store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok && report.unchecked.iter().any(|sentence| sentence.contains("erased")), "{report:?}");
}

#[tokio::test]
async fn what_an_open_call_needs_and_what_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let mut story = Story::new(1);
    story.start(RestartStateKind::Reset, Some(b"{}"));
    let call = story.call(None);
    store.commit(story.commit()).await.unwrap();
    let commit = call.payload_commit.unwrap();
    let refused = erase(&store, commit, "", 1, &mut |_| ()).await;
    assert!(matches!(refused, Err(EraseError::Open { seq: 1, .. })), "{refused:?}");
    let refused = erase(&store, Digest([7; 32]), "", 1, &mut |_| ()).await;
    assert!(matches!(refused, Err(EraseError::Unknown(_))), "{refused:?}");
    story.commit_state(None, b"after");
    store.commit(story.commit()).await.unwrap();
    erase(&store, commit, "", 1, &mut |_| ()).await.unwrap();
}
