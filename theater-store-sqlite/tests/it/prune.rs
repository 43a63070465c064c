//! Pruning: the bytes go from the files, and the chain goes on.

use theater_chain::data::{ReasonRecord, RestartStateKind};
use theater_chain::prune::{Pruning, prune};
use theater_chain::testing::Story;
use theater_chain::{ChainStore, Level, payload, verify_store};
use theater_store_sqlite::SqliteStore;

const SECRET: &[u8] = b"something that was said long ago";

fn is_in_the_files(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(SECRET.len()).any(|window| window == SECRET)
    })
}

#[tokio::test]
async fn what_was_dropped_is_gone_from_the_files_and_pages_begin_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let reader = SqliteStore::open_read_only(folder.path()).unwrap();
    let mut story = Story::new(1);
    story.start(RestartStateKind::Reset, Some(b"{}"));
    story.call_with(None, &payload::bin(SECRET));
    story.commit_state(None, SECRET);
    for n in 0..200_u8 {
        story.call(None);
        story.commit_state(None, &[n]);
    }
    story.end(ReasonRecord::Shutdown);
    story.start(RestartStateKind::Resume, Some(&[199]));
    store.commit(story.commit()).await.unwrap();
    let said = theater_chain::Digest::of(SECRET);
    assert_eq!(reader.state(said).await.unwrap().unwrap(), SECRET);
    assert!(is_in_the_files(folder.path()));
    let all = store.events(story.id, 0, 10_000).await.unwrap();
    // Just before, at and after an event that the index finds, and at the newest start.
    for kept_from in [63, 64, 65, 130, story.index.started] {
        let entry = store.actor(story.id).await.unwrap().unwrap();
        let pruning = Pruning { keep_after: kept_from - 1, now: 1, salt: [1; 16], key: None };
        prune(&store, &entry, &pruning, &mut |_| ()).await.unwrap();
        assert!(!is_in_the_files(folder.path()));
        for store in [&store, &reader] {
            assert_eq!(store.state(said).await.unwrap(), None);
            let first = usize::try_from(kept_from).unwrap();
            for from in [0, first - 1, first, first + 1, 128, 300] {
                let page = store.events(story.id, from as u64, 3).await.unwrap();
                assert_eq!(page[0].seq, kept_from.max(from as u64));
            }
            let kept = store.events(story.id, kept_from, all.len() - first).await.unwrap();
            assert_eq!(kept, all[first..]);
            let report = verify_store(store, Level::Full, &mut |_| ()).await.unwrap();
            assert!(report.ok, "{report:?}");
        }
    }
    drop(store);
    let store = SqliteStore::open(folder.path()).unwrap();
    let head = store.actor(story.id).await.unwrap().unwrap().head;
    (story.stored, story.head) = (Some(head), Some(head));
    story.call(None);
    story.commit_state(None, SECRET);
    store.commit(story.commit()).await.unwrap();
    assert_eq!(reader.state(said).await.unwrap().unwrap(), SECRET);
    let report = verify_store(&store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
}
