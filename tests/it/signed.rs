//! What a host signs while actors run.

use theater::HostKey;
use theater::chain::merkle::Frontier;
use theater::chain::note::{Checkpoint, Note};
use theater::chain::{Commit, Head, LoggedHead, TheaterId};
use theater_store_sqlite::SqliteStore;
use theater_tests::{Doubtful, World, builder};

fn key() -> HostKey {
    HostKey::from_seed(&[5; 32])
}

/// The entries of the log, whose newest checkpoint the key signed.
async fn signed(world: &World) -> Vec<LoggedHead> {
    let log = world.runtime.store().head_log().unwrap();
    let (end, entries) = (log.end().await.unwrap(), log.entries(0, usize::MAX).await.unwrap());
    let mut tree = Frontier::new();
    entries.iter().for_each(|entry| tree.push(entry.leaf()));
    assert_eq!(tree, end.tree);
    let [head] = &end.heads[..] else { panic!("{:?}", end.heads) };
    let note: Note = head.note.parse().unwrap();
    assert_eq!(Checkpoint::verified(&note, key().public()), Ok(Checkpoint::of(key().public(), &tree)));
    entries
}

fn newest(entries: &[LoggedHead], actor: TheaterId) -> Option<Head> {
    entries.iter().rfind(|entry| entry.actor == actor).map(|entry| entry.head)
}

#[tokio::test]
async fn everything_is_signed_at_the_end_and_on_demand() {
    let world = World::with(&["counter"], builder().host_key(key()));
    let (one, two) = (world.spawn("counter").await, world.spawn("counter").await);
    for actor in [&one, &two, &one] {
        world.ask(actor, "inc").await;
        world.runtime.seal().await.unwrap();
        let (entries, head) =
            (signed(&world).await, world.runtime.store().actor(actor.id()).await.unwrap().unwrap().head);
        assert_eq!(newest(&entries, actor.id()), Some(head));
    }
    world.close().await;
    let entries = signed(&world).await;
    for entry in world.recorded().await {
        assert_eq!(newest(&entries, entry.id), Some(entry.head), "{}", entry.index.name);
    }
    let started = world.of_type(one.id(), "actor_started").await;
    assert_eq!(started[0]["host_key"], key().public().hex());
}

/// Not for each event, and also while nothing stops: the time between two signatures is over at
/// some time.
#[tokio::test]
async fn many_events_share_a_signature() {
    let world = World::with(&["counter"], builder().host_key(key()));
    let actor = world.spawn("counter").await;
    for _ in 0..200 {
        world.ask(&actor, "inc").await;
    }
    let head = world.runtime.store().actor(actor.id()).await.unwrap().unwrap().head;
    // Each commit makes the cursor look again; the last one is that of the signature alone.
    while newest(&signed(&world).await, actor.id()).is_none_or(|signed| signed.seq < head.seq) {
        tokio::task::yield_now().await;
    }
    let entries = signed(&world).await.len() as u64;
    assert!(entries < head.seq / 4, "{entries} signatures for {} events", head.seq);
    world.close().await;
}

#[tokio::test]
async fn without_a_key_nothing_is_signed() {
    let world = World::new(&["counter"]);
    let actor = world.spawn("counter").await;
    world.ask(&actor, "inc").await;
    world.runtime.seal().await.unwrap();
    world.close().await;
    assert!(world.runtime.store().head_log().unwrap().entries(0, 10).await.unwrap().is_empty());
    assert!(world.of_type(actor.id(), "actor_started").await[0]["host_key"].is_null());
}

/// A runtime goes on only from the log that its key signed.
#[tokio::test]
async fn a_log_that_was_changed_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let run = || World::with(&["counter"], builder().store(SqliteStore::open(folder.path()).unwrap()).host_key(key()));
    for round in 1..3 {
        let world = run();
        world.spawn("counter").await;
        world.close().await;
        assert!(signed(&world).await.len() >= round, "the log goes on");
        drop(world);
        // The store is closed by the journal's task, which ends after the runtime.
        while SqliteStore::open(folder.path()).is_err() {
            tokio::task::yield_now().await;
        }
    }
    let raw = rusqlite::Connection::open(folder.path().join("theater.db")).unwrap();
    raw.execute("UPDATE head_log_end SET peaks = zeroblob(length(peaks))", []).unwrap();
    drop(raw);
    let world = run();
    let refused = world.try_spawn("counter").await.unwrap_err().to_string();
    assert!(refused.contains("is not the one that this host signed: the end of the log of heads"), "{refused}");
    let refused = world.runtime.recover().await.unwrap_err().to_string();
    assert!(refused.contains("is not the one that this host signed"), "{refused}");
    world.runtime.flush().await.unwrap_err();
}

/// A store may have written what it says that it could not: events, a signature with them, or one alone.
#[tokio::test]
async fn what_was_written_in_doubt_is_not_written_again() {
    let alone: fn(&Commit) -> bool = |commit| commit.events.is_empty() && commit.tree.is_some();
    for doubts in [alone, |commit| commit.tree.is_some(), |commit| !commit.events.is_empty()] {
        let store = Doubtful::new(doubts);
        let world = World::with(&["counter"], builder().store(store.clone()).host_key(key()));
        let actor = world.spawn("counter").await;
        for _ in 0..3 {
            world.ask(&actor, "inc").await;
            world.runtime.seal().await.unwrap();
        }
        world.runtime.shutdown().await.unwrap();
        assert!(store.doubted() > 2, "{}", store.doubted());
        assert_eq!(newest(&signed(&world).await, actor.id()), world.recorded().await.pop().map(|entry| entry.head));
        world.verify().await;
    }
}
