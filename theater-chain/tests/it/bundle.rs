//! Bundles: written from one store, read into another, and refused where they are not whole.

use std::io::Cursor;
use std::sync::Arc;

use proptest::prelude::*;
use theater_chain::bundle::{self, Arrival, BundleError};
use theater_chain::data::{DropReason, InstanceDropped, MessageAccepted};
use theater_chain::testing::Story;
use theater_chain::{Answered, ChainStore, Level, MemoryStore, PendingMessage, TheaterId, payload, verify_store};

/// A parent and a child with whole lives, a message that waits and one that was answered.
async fn a_tree() -> (Arc<MemoryStore>, [TheaterId; 2]) {
    let store = Arc::new(MemoryStore::new());
    let mut parent = Story::new(1);
    parent.write_life();
    let accepted = MessageAccepted { source: "cli-2".into(), n: 1, message_id: "cli-2/1".into() };
    let params = payload::bin(b"waiting");
    let event = parent.append(&accepted, &[("params", Some(&params))]);
    parent.batch().pending_added = vec![PendingMessage {
        message_id: "cli-2/1".into(),
        receiver: parent.id,
        interface: "theater:simple/message-server-client".into(),
        function: "handle-send".into(),
        payload_commit: event.payload_commit.unwrap(),
        payload: None,
        cause: Some(event.hash),
    }];
    parent.batch().answered = vec![Answered { message_id: "cli-1/1".into(), actor: parent.id, seq: 8 }];
    store.commit(parent.commit()).await.unwrap();
    let mut child = Story::child_of(2, parent.id);
    child.write_life();
    store.commit(child.commit()).await.unwrap();
    (store, [parent.id, child.id])
}

async fn exported(store: &dyn ChainStore, actors: &[TheaterId]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let exported = bundle::export(store, actors, &mut bytes, &mut |_| ()).await.unwrap();
    assert_eq!(exported.bytes, bytes.len() as u64);
    bytes
}

async fn imported(store: &dyn ChainStore, bytes: &[u8]) -> Result<Vec<Arrival>, BundleError> {
    let imported = bundle::import(store, Cursor::new(bytes.to_vec())).await?;
    Ok(imported.actors.into_iter().map(|(_, arrival)| arrival).collect())
}

#[tokio::test]
async fn a_tree_arrives_as_it_was() {
    let (store, actors) = a_tree().await;
    let bytes = exported(&*store, &actors).await;
    let other = MemoryStore::new();
    assert_eq!(imported(&other, &bytes).await.unwrap(), [Arrival::New, Arrival::New]);
    for id in actors {
        assert_eq!(other.actor(id).await.unwrap(), store.actor(id).await.unwrap());
        assert_eq!(other.events(id, 0, 100).await.unwrap(), store.events(id, 0, 100).await.unwrap());
    }
    assert_eq!(other.pending(None, 9).await.unwrap(), store.pending(None, 9).await.unwrap());
    assert!(other.answered("cli-1/1").await.unwrap().is_some());
    let report = verify_store(&other, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
    // The same record, the same bytes; and once more changes nothing.
    assert!(exported(&other, &actors).await == bytes);
    assert_eq!(imported(&other, &bytes).await.unwrap(), [Arrival::Same, Arrival::Same]);
    assert!(exported(&other, &actors).await == bytes);
}

#[tokio::test]
async fn a_child_that_was_left_out_is_said_and_may_come_later() {
    let (store, actors) = a_tree().await;
    let other = MemoryStore::new();
    imported(&other, &exported(&*store, &actors[..1]).await).await.unwrap();
    assert!(other.is_left_out(actors[1]).await.unwrap());
    imported(&other, &exported(&*store, &actors[1..]).await).await.unwrap();
    assert!(!other.is_left_out(actors[1]).await.unwrap());
}

#[tokio::test]
async fn a_longer_history_continues_a_shorter_one() {
    let (store, other) = (MemoryStore::new(), MemoryStore::new());
    let mut story = Story::new(1);
    story.write_life();
    store.commit(story.commit()).await.unwrap();
    let early = exported(&store, &[story.id]).await;
    story.start(theater_chain::data::RestartStateKind::Resume, Some(b"{\"n\":2}"));
    story.call(None);
    story.commit_state(None, b"more");
    store.commit(story.commit()).await.unwrap();
    let late = exported(&store, &[story.id]).await;
    imported(&other, &early).await.unwrap();
    assert_eq!(imported(&other, &late).await.unwrap(), [Arrival::Continued]);
    assert!(exported(&other, &[story.id]).await == late);
    assert_eq!(imported(&other, &early).await.unwrap(), [Arrival::Older]);
    assert!(exported(&other, &[story.id]).await == late);
}

#[tokio::test]
async fn another_history_is_refused_and_nothing_of_the_bundle_comes() {
    let (store, other) = (MemoryStore::new(), MemoryStore::new());
    let (mut one, mut elsewhere) = (Story::new(2), Story::new(2));
    one.write_life();
    elsewhere.write_life();
    store.commit(one.commit()).await.unwrap();
    other.commit(elsewhere.commit()).await.unwrap();
    let mut first = Story::new(1);
    first.write_life();
    store.commit(first.commit()).await.unwrap();
    one.start(theater_chain::data::RestartStateKind::Resume, Some(b"{\"n\":2}"));
    elsewhere.start(theater_chain::data::RestartStateKind::Reset, None);
    store.commit(one.commit()).await.unwrap();
    other.commit(elsewhere.commit()).await.unwrap();
    // As long as the one that is there, and longer.
    for longer in [false, true] {
        if longer {
            one.append(&InstanceDropped { reason: DropReason::Parked }, &[]);
            store.commit(one.commit()).await.unwrap();
        }
        let error = imported(&other, &exported(&store, &[first.id, one.id]).await).await.unwrap_err();
        assert!(matches!(error, BundleError::Parted { actor, .. } if actor == one.id), "{error}");
        assert_eq!(other.actor(first.id).await.unwrap(), None);
        assert_eq!(other.actor(one.id).await.unwrap().unwrap().head, elsewhere.head.unwrap());
    }
}

#[tokio::test]
async fn any_change_and_any_cut_is_refused() {
    let (store, actors) = a_tree().await;
    let bytes = exported(&*store, &actors).await;
    bundle::check(&bytes[..]).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        let error = bundle::check(bytes).expect_err(what).to_string();
        assert!(!error.is_empty() && !error.contains('\n'), "{what}: {error:?}");
    };
    // All of the first entries and of the end, and some of what is between.
    let ends = (0..3000).chain(bytes.len() - 3000..bytes.len());
    for at in ends.chain((3000..bytes.len() - 3000).step_by(13)) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        refused(&changed, &format!("bit {} of byte {at}", at % 8));
    }
    for len in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        refused(&bytes[..len], &format!("the first {len} bytes"));
    }
    refused(&[&bytes[..], &[0]].concat(), "a byte too many");
    refused(&[&bytes[..], &[0; 4096]].concat(), "zeros too many");
    refused(&[&bytes[..], &bytes[..]].concat(), "twice");
}

/// An archive that was made by hand: sums and sizes are right, what is in it is not.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn what_is_no_bundle_says_so_in_a_sentence() {
    let head = |format: u64, actors: u64| format!("{{\"theater_bundle\":{format},\"actors\":{actors},\"events\":0}}");
    for (bytes, said) in [
        (Vec::new(), "cut off, or empty"),
        (b"SQLite format 3\0".to_vec(), "not a whole"),
        (archive(&[("readme.txt", b"hello")]), "readme.txt"),
        (archive(&[("bundle.json", head(1, 0).as_bytes())]), "cut off"),
        (archive(&[("bundle.json", head(2, 0).as_bytes())]), "use a newer theater"),
        (archive(&[("bundle.json", head(1, u64::MAX).as_bytes())]), "actors"),
        (archive(&[("bundle.json", b"[[[[[[[[")]), "cannot be read"),
        (archive(&[("pending.jsonl", b"")]), "not in their order"),
    ] {
        let error = bundle::check(&bytes[..]).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

proptest! {
    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(bundle::check(&bytes[..]).is_err());
    }

    #[test]
    fn headers_that_claim_much_are_refused(size in any::<u64>(), kind in any::<u8>(), name in "[a-zA-Z0-9/.]{0,90}") {
        let mut header = tar::Header::new_gnu();
        let _ = header.set_path(&name);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(size);
        header.set_cksum();
        prop_assert!(bundle::check(&[header.as_bytes().as_slice(), &[7; 900]].concat()[..]).is_err());
    }
}
