//! Bundles out of and into files.

use std::io::Cursor;

use theater_chain::bundle::{self, Arrival};
use theater_chain::data::RestartStateKind;
use theater_chain::testing::Story;
use theater_chain::{ChainStore, Level, MemoryStore, TheaterId, verify_store};
use theater_store_sqlite::SqliteStore;

async fn exported(store: &dyn ChainStore, actors: &[TheaterId]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bundle::export(store, actors, None, &mut bytes, &mut |_| ()).await.unwrap();
    bytes
}

async fn imported(store: &dyn ChainStore, bytes: &[u8]) -> Vec<Arrival> {
    let imported = bundle::import(store, Cursor::new(bytes.to_vec())).await.unwrap();
    imported.actors.into_iter().map(|(_, arrival)| arrival).collect()
}

#[tokio::test]
async fn a_record_moves_between_stores_of_two_kinds_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryStore::new();
    let mut parent = Story::new(1);
    parent.write_life();
    memory.commit(parent.commit()).await.unwrap();
    let mut child = Story::child_of(2, parent.id);
    child.start(RestartStateKind::Reset, Some(b"{}"));
    for n in 0..3_000 {
        child.call(None);
        child.commit_state(None, format!("{n}").as_bytes());
    }
    memory.commit(child.commit()).await.unwrap();
    let actors = [parent.id, child.id];
    let bytes = exported(&memory, &actors).await;

    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(imported(&store, &bytes).await, [Arrival::New, Arrival::New]);
    assert!(exported(&store, &actors).await == bytes);
    // The writer goes on where the bundle ended, and the rest follows in a bundle of its own.
    for n in 0..100 {
        child.call(None);
        child.commit_state(None, format!("more {n}").as_bytes());
        store.commit(child.commit()).await.unwrap();
    }
    let report = verify_store(&store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
    let snapshot = SqliteStore::open_snapshot(folder.path()).unwrap();
    let longer = exported(&snapshot, &actors).await;
    assert_eq!(imported(&memory, &longer).await, [Arrival::Same, Arrival::Continued]);
    assert!(exported(&memory, &actors).await == longer);

    // A snapshot stands still while the store goes on.
    child.call(None);
    child.commit_state(None, b"later");
    store.commit(child.commit()).await.unwrap();
    assert!(exported(&snapshot, &actors).await == longer);
    assert!(exported(&store, &actors).await.len() > longer.len());
}

#[tokio::test]
async fn a_bundle_that_is_refused_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (memory, store) = (MemoryStore::new(), SqliteStore::open(folder.path()).unwrap());
    let (mut first, mut one, mut other) = (Story::new(1), Story::new(2), Story::new(2));
    for story in [&mut first, &mut one, &mut other] {
        story.write_life();
    }
    one.start(RestartStateKind::Resume, Some(b"{\"n\":2}"));
    one.call(None);
    other.start(RestartStateKind::Reset, None);
    memory.commit(first.commit()).await.unwrap();
    memory.commit(one.commit()).await.unwrap();
    store.commit(other.commit()).await.unwrap();
    let before = exported(&store, &[other.id]).await;
    let bytes = exported(&memory, &[first.id, one.id]).await;
    let error = bundle::import(&store, Cursor::new(bytes)).await.unwrap_err().to_string();
    assert!(error.contains("part"), "{error}");
    assert_eq!(store.actor(first.id).await.unwrap(), None);
    assert!(exported(&store, &[other.id]).await == before);
    // And the writer goes on.
    other.call(None);
    store.commit(other.commit()).await.unwrap();
}
