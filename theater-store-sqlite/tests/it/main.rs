//! Tests of the store on real files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundle;
mod crash;
mod erase;
mod folder;
mod prune;
mod signed;
mod tampering;

use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use theater_chain::data::{DropReason, InstanceDropped, RestartStateKind};
use theater_chain::testing::{Story, conformance};
use theater_chain::{ChainStore as _, Digest, Level, verify_store};
use theater_store_sqlite::SqliteStore;

#[tokio::test]
async fn it_does_what_every_store_must() {
    let folders: Mutex<Vec<TempDir>> = Mutex::default();
    conformance(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path()).unwrap();
        folders.lock().unwrap().push(folder);
        Arc::new(store)
    })
    .await;
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut story = Story::new(1);
    story.start(RestartStateKind::Reset, Some(b"{}"));
    for n in 0..5 {
        let store = SqliteStore::open(folder.path()).unwrap();
        for turn in 0..100 {
            story.call(None);
            story.commit_state(None, format!("{n} {turn}").as_bytes());
            story.append(&InstanceDropped { reason: DropReason::Parked }, &[]);
            store.commit(story.commit()).await.unwrap();
        }
    }
    let store = SqliteStore::open_read_only(folder.path()).unwrap();
    let report = verify_store(&store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!(report.actors[0].head, story.head);
    assert_eq!(report.actors[0].events, 1501);
}

/// More states than are held outside of the index, some of them again, read by a connection that
/// began to read before them.
#[tokio::test]
async fn states_are_found_before_and_after_they_are_indexed() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let other = SqliteStore::open_read_only(folder.path()).unwrap();
    let mut story = Story::new(1);
    story.start(RestartStateKind::Reset, None);
    let bytes = |n: u32| n.to_string().into_bytes();
    let hash = |n: u32| Digest::of(&bytes(n));
    let total: u32 = 40_000;
    for first in (0..total).step_by(5_000) {
        story.append(&InstanceDropped { reason: DropReason::Parked }, &[]);
        for n in first.saturating_sub(100)..first + 5_000 {
            story.batch().states.push((hash(n), bytes(n).into()));
        }
        store.commit(story.commit()).await.unwrap();
        for n in [0, first.saturating_sub(1), first, first + 4_999] {
            assert_eq!(other.state(hash(n)).await.unwrap().as_deref(), Some(&bytes(n)[..]), "state {n}");
        }
        assert_eq!(other.state(hash(first + 5_000)).await.unwrap(), None);
    }
    drop(store);
    let store = SqliteStore::open(folder.path()).unwrap();
    for n in (0..total).step_by(97) {
        assert_eq!(store.state(hash(n)).await.unwrap().as_deref(), Some(&bytes(n)[..]), "state {n}");
    }
    // Each once.
    let raw = rusqlite::Connection::open(folder.path().join("theater.db")).unwrap();
    let count: u32 = raw.query_row("SELECT count(*) FROM states", [], |row| row.get(0)).unwrap();
    assert_eq!(count, total);
}

/// A commit needs no runtime, only somebody who polls it.
#[test]
fn commits_are_awaited_without_a_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let mut story = Story::new(1);
    story.start(RestartStateKind::Reset, None);
    let mut commit = store.commit(story.commit());
    let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = std::task::Context::from_waker(&waker);
    loop {
        match commit.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(result) => break result.unwrap(),
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What SQLite itself refuses (here by a trigger, else a full disk) undoes the whole transaction:
/// the commits that were in it with the refused one must be written all the same.
#[tokio::test]
async fn a_commit_that_cannot_be_written_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(folder.path()).unwrap());
    let raw = rusqlite::Connection::open(folder.path().join("theater.db")).unwrap();
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.event_type = 'refused'
        BEGIN SELECT RAISE(ABORT, 'refused by the test'); END";
    raw.execute_batch(trigger).unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let mut stories: Vec<_> = (0..40).map(Story::new).collect();
    for round in 0..3 {
        let mut running = tokio::task::JoinSet::new();
        let refused = |n: usize| round == 1 && n % 10 == 7;
        for (n, story) in stories.iter_mut().enumerate() {
            let before = story.head;
            if round == 0 {
                story.start(RestartStateKind::Reset, Some(b"{}"));
            }
            story.call(None);
            story.commit_state(None, format!("{n} {round}").as_bytes());
            if refused(n) {
                story.append_raw("refused", vec![0x80], &[]);
            }
            let (store, commit) = (Arc::clone(&store), story.commit());
            if refused(n) {
                // As if it had never been tried.
                (story.stored, story.head) = (before, before);
                story.index.state = Digest::of(format!("{n} 0").as_bytes());
            }
            running.spawn(async move { (n, store.commit(commit).await) });
        }
        while let Some(done) = running.join_next().await {
            let (n, result) = done.unwrap();
            match result {
                Ok(()) => assert!(!refused(n), "round {round}, {n}"),
                Err(error) => assert!(refused(n) && error.to_string().contains("refused by the test"), "{n}: {error}"),
            }
        }
    }
    let report = verify_store(&*store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!(report.actors.iter().map(|actor| actor.events).sum::<u64>(), 40 * 7 - 4 * 2);
}
