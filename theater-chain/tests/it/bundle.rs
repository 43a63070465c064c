//! Bundles: written from one store, read into another, and refused where they are not whole.

use std::io::{Cursor, Read as _};
use std::sync::Arc;

use proptest::prelude::*;
use theater_chain::bundle::{self, Arrival, BundleError};
use theater_chain::data::{DropReason, InstanceDropped, MessageAccepted, ReasonRecord, RestartStateKind};
use theater_chain::note::HostKey;
use theater_chain::prune::{Pruning, prune};
use theater_chain::testing::Story;
use theater_chain::{
    ActorCheckpoint, ActorEntry, ActorUpdate, Answered, ChainStore, Commit, ImportPart, Level, MemoryStore,
    PendingMessage, StoreReport, TheaterId, Trust, Verification, payload, verify_store,
};

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
    let exported = bundle::export(store, actors, None, &mut bytes, &mut |_| ()).await.unwrap();
    assert_eq!(exported.bytes, bytes.len() as u64);
    bytes
}

/// As [`exported`], each chain signed.
async fn signed(store: &dyn ChainStore, actors: &[TheaterId], key: &HostKey) -> Vec<u8> {
    let mut bytes = Vec::new();
    let exported = bundle::export(store, actors, Some(key), &mut bytes, &mut |_| ()).await.unwrap();
    assert_eq!(exported.signed, exported.actors);
    bytes
}

async fn verified(store: &dyn ChainStore, key: Option<&HostKey>) -> StoreReport {
    let trust = Trust { key: key.map(HostKey::public), kept: None };
    Verification::new(Level::Full).signed(trust).store(store, &mut |_| ()).await.unwrap()
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
async fn signatures_travel_with_the_chains() {
    let (store, actors) = a_tree().await;
    let (key, other) = (HostKey::from_seed(&[7; 32]), HostKey::from_seed(&[8; 32]));
    let bytes = signed(&*store, &actors, &key).await;
    let there = MemoryStore::new();
    imported(&there, &bytes).await.unwrap();
    assert_eq!(there.checkpoints(actors[0]).await.unwrap()[0].key, *key.public());
    let report = verified(&there, Some(&key)).await;
    assert!(report.ok && report.log.as_ref().unwrap().chains.len() == 2, "{report:?}");
    assert!(report.actors.iter().all(|actor| actor.signed == actor.head.map(|head| head.seq)), "{report:?}");
    // Without a key it says whose signature it is, and that this is nobody's word.
    let report = verified(&there, None).await;
    let said = format!("signed chains as {}: nobody vouches for it", key.public().name());
    assert!(report.ok && report.unchecked.iter().any(|sentence| sentence.contains(&said)), "{report:?}");
    assert!(!verified(&there, Some(&other)).await.ok);
    // What one host signed stays when another one signs; the same record gives the same bytes.
    assert!(exported(&there, &actors).await == bytes);
    let twice = signed(&there, &actors, &other).await;
    let third = MemoryStore::new();
    imported(&third, &twice).await.unwrap();
    for key in [&key, &other] {
        assert!(verified(&third, Some(key)).await.ok);
    }
}

#[tokio::test]
async fn a_chain_written_anew_does_not_come_with_the_old_signature() {
    let key = HostKey::from_seed(&[7; 32]);
    let (store, forged) = (MemoryStore::new(), MemoryStore::new());
    let (mut one, mut other) = (Story::new(1), Story::new(1));
    one.write_life();
    other.write_life();
    for story in [&mut one, &mut other] {
        story.start(theater_chain::data::RestartStateKind::Resume, Some(b"{\"n\":2}"));
    }
    one.append(&InstanceDropped { reason: DropReason::Parked }, &[]);
    other.append(&InstanceDropped { reason: DropReason::Aged }, &[]);
    store.commit(one.commit()).await.unwrap();
    forged.commit(other.commit()).await.unwrap();
    let here = signed(&store, &[one.id], &key).await;
    // The note beside the other chain: in a bundle, and in a store.
    let mut tar = tar::Archive::new(&here[..]);
    let mut notes = tar.entries().unwrap().filter_map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        name.ends_with(".note").then_some((name, content))
    });
    let (name, note) = notes.next().unwrap();
    let note = String::from_utf8(note).unwrap();
    assert!(name.contains(&key.public().hex()));
    let kept = ActorCheckpoint::new(key.public().clone(), one.id, note).unwrap();
    forged.import(Box::new([Ok(ImportPart::Checkpoint(one.id, kept))].into_iter())).await.unwrap();
    let report = verified(&forged, Some(&key)).await;
    let fault = report.actors[0].fault.as_ref().unwrap().to_string();
    assert!(fault.contains("is not the one that theater/"), "{fault}");
    let error = bundle::check(&exported(&forged, &[one.id]).await[..]).unwrap_err().to_string();
    assert!(error.contains("is not the one that theater/"), "{error}");
    // Nor without one, where the key is known; nor with one that another key signed.
    let (bare, foreign) = (MemoryStore::new(), MemoryStore::new());
    bare.commit(store_of(&forged, one.id).await).await.unwrap();
    let report = verified(&bare, Some(&key)).await;
    assert!(report.log.unwrap().fault.unwrap().contains("nothing here is signed"));
    let stranger = HostKey::from_seed(&[9; 32]);
    imported(&foreign, &signed(&bare, &[one.id], &stranger).await).await.unwrap();
    let report = verified(&foreign, Some(&key)).await;
    assert!(report.log.unwrap().fault.unwrap().contains("no checkpoint of theater/"));
    // And the true one does not come in where the other one is.
    imported(&bare, &here).await.unwrap_err();
}

/// All of an actor, as it would be committed.
async fn store_of(store: &dyn ChainStore, id: TheaterId) -> Commit {
    let entry = store.actor(id).await.unwrap().unwrap();
    let events = store.events(id, 0, 1_000).await.unwrap();
    let actors = vec![ActorUpdate { id, expected: None, index: entry.index }];
    let events = events.into_iter().map(|event| (id, event)).collect();
    Commit { actors, events, ..Commit::default() }
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
        (archive(&[("bundle.json", head(3, 0).as_bytes())]), "use a newer theater"),
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

/// What is signed of a chain whose older events were dropped is held against what the chain says of them.
#[tokio::test]
async fn a_signature_of_another_pruned_chain_does_not_come() {
    let (key, other) = (HostKey::from_seed(&[7; 32]), HostKey::from_seed(&[8; 32]));
    let chain = async |state: &[u8]| {
        let (store, mut story) = (MemoryStore::new(), Story::new(1));
        story.start(RestartStateKind::Reset, Some(state));
        for n in 0..9 {
            story.call(None);
            story.commit_state(None, &[n]);
        }
        story.end(ReasonRecord::Shutdown);
        story.start(RestartStateKind::Resume, Some(&[8]));
        store.commit(story.commit()).await.unwrap();
        (store, story)
    };
    for keep_after in [0, 6, 11, 19] {
        let ((store, story), (elsewhere, _)) = (chain(b"{}").await, chain(b"{1}").await);
        // Before, with the last event that goes, and at the head.
        for size in [keep_after + 1, keep_after + 2, 21] {
            for (signer, chain) in [(&key, &store), (&other, &elsewhere)] {
                let entry = chain.actor(story.id).await.unwrap().unwrap();
                let events = chain.events(story.id, 0, size as usize).await.unwrap();
                let entry = ActorEntry { head: events.last().unwrap().head(), ..entry };
                let note = theater_chain::proof::checkpoint(chain, &entry, signer).await.unwrap();
                let kept = ActorCheckpoint::new(signer.public().clone(), story.id, note).unwrap();
                let target = MemoryStore::new();
                imported(&target, &exported(&store, &[story.id]).await).await.unwrap();
                let entry = target.actor(story.id).await.unwrap().unwrap();
                let pruning = Pruning { keep_after, now: 1, salt: [1; 16], key: None };
                prune(&target, &entry, &pruning, &mut |_| ()).await.unwrap();
                target.import(Box::new([Ok(ImportPart::Checkpoint(story.id, kept))].into_iter())).await.unwrap();
                let bundle = exported(&target, &[story.id]).await;
                let there = MemoryStore::new();
                let said = imported(&there, &bundle).await.map_err(|error| error.to_string());
                if signer.public() == key.public() {
                    said.unwrap();
                    assert!(verified(&there, Some(&key)).await.ok, "{keep_after}, {size}");
                } else {
                    let said = said.unwrap_err();
                    assert!(said.contains("is not the one that theater/"), "{said}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_others_answered_here_stays() {
    let (store, actors) = a_tree().await;
    let bytes = exported(&*store, &actors).await;
    let other = MemoryStore::new();
    let mut story = Story::new(7);
    story.write_life();
    story.batch().answered = vec![Answered { message_id: "cli-1/1".into(), actor: story.id, seq: 8 }];
    other.commit(story.commit()).await.unwrap();
    imported(&other, &bytes).await.unwrap();
    assert_eq!(other.answered("cli-1/1").await.unwrap().unwrap().actor, story.id);
}

#[test]
fn seqs_that_no_chain_has_are_refused() {
    let id = Story::new(1).id;
    let zeros = "0".repeat(64);
    let actor = |started: u64, ended: u64, head: u64, kept_from: u64| {
        format!(
            "{{\"id\":\"{id}\",\"parent\":null,\"name\":\"a\",\"manifest_path\":\"a.toml\",\"incarnation\":1,\
            \"started\":{started},\"ended\":{ended},\"state\":\"{zeros}\",\"head_seq\":{head},\
            \"head_hash\":\"{zeros}\",\"kept_from\":{kept_from},\"left_out\":[]}}"
        )
    };
    let head = "{\"theater_bundle\":2,\"actors\":1,\"events\":0}";
    for (started, ended, newest, kept_from) in
        [(u64::MAX, 0, 9, 0), (0, 1 << 63, 9, 0), (0, 0, u64::MAX, 0), (0, 0, u64::MAX, u64::MAX)]
    {
        let actor = actor(started, ended, newest, kept_from);
        let name = format!("actors/{id}/actor.json");
        let bytes = archive(&[("bundle.json", head.as_bytes()), (&name, actor.as_bytes())]);
        let error = bundle::check(&bytes[..]).unwrap_err().to_string();
        assert!(error.contains("no chain has an event"), "{error}");
    }
    // Nor does a chain come so far.
    for seq in [1 << 63, u64::MAX] {
        let mut story = Story::new(1);
        let mut event = story.start(RestartStateKind::Reset, None);
        event.seq = seq;
        event.hash = event.computed_hash();
        let fault = theater_chain::Verifier::starting_at(seq).push(&event).unwrap_err();
        assert_eq!((fault.seq, &*fault.reason), (seq, "no chain is as long as that"));
    }
}
