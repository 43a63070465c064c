//! The folder: who may open it, and what is refused.

use std::os::unix::fs::PermissionsExt as _;

use rusqlite::Connection;
use theater_chain::data::RestartStateKind;
use theater_chain::testing::Story;
use theater_chain::{
    ChainStore as _, Commit, Digest, Level, LogEnd, LoggedHead, SMALL_STATE, StoreError, verify_store,
};
use theater_store_sqlite::SqliteStore;

#[test]
fn everything_is_private_to_the_owner() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a/b");
    let _store = SqliteStore::open(&dir).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let mut names = Vec::new();
    for entry in dir.read_dir().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["lock", "theater.db", "theater.db-shm", "theater.db-wal"]);
}

#[test]
fn a_second_writer_is_refused_until_the_first_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let error = SqliteStore::open(folder.path()).unwrap_err().to_string();
    let expected = format!(
        "the store cannot be used: {} is in use by another process, which must end first",
        folder.path().display()
    );
    assert_eq!(error, expected);
    drop(store);
    SqliteStore::open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_reader_sees_what_another_writes_and_writes_nothing_itself() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqliteStore::open_read_only(folder.path()).unwrap_err().to_string();
    assert!(error.contains("theater.db does not exist"), "{error}");

    let writer = SqliteStore::open(folder.path()).unwrap();
    let reader = SqliteStore::open_read_only(folder.path()).unwrap();
    let mut story = Story::new(1);
    for _ in 0..3 {
        story.write_life();
        writer.commit(story.commit()).await.unwrap();
        assert_eq!(reader.actor(story.id).await.unwrap().map(|entry| entry.head), story.head);
    }
    let error = reader.commit(Commit::default()).await.unwrap_err().to_string();
    assert!(error.ends_with("was opened for reading only"), "{error}");
    // Also once the writer has gone and has cleaned up.
    drop((reader, writer));
    let reader = SqliteStore::open_read_only(folder.path()).unwrap();
    assert_eq!(reader.actor(story.id).await.unwrap().map(|entry| entry.head), story.head);
}

#[test]
fn other_files_and_other_versions_are_refused_and_left_alone() {
    let refused = |prepare: &dyn Fn(&std::path::Path), reason: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("theater.db");
        prepare(&path);
        let before = std::fs::read(&path).unwrap();
        for open in [SqliteStore::open, SqliteStore::open_read_only] {
            let error = open(folder.path().to_owned()).unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)), "{error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    };
    refused(
        &|path| std::fs::write(path, "not a database, but long enough to have a header\n".repeat(100)).unwrap(),
        "is not a store of chains",
    );
    refused(
        &|path| Connection::open(path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap(),
        "is not a store of chains: its application_id is another one",
    );
    let of_version_7 = |path: &std::path::Path| {
        drop(SqliteStore::open(path.parent().unwrap()).unwrap());
        let raw = Connection::open(path).unwrap();
        raw.execute_batch("PRAGMA user_version = 7; PRAGMA journal_mode = DELETE").unwrap();
    };
    refused(&of_version_7, "has tables of version 7, and this program reads up to version");
}

/// Tables of the first version.
#[tokio::test]
async fn older_tables_are_read_and_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let mut story = Story::new(1);
    story.start(RestartStateKind::Reset, Some(b"{}"));
    story.call(None);
    let large = vec![2; 2 * SMALL_STATE];
    story.commit_state(None, &large);
    SqliteStore::open(folder.path()).unwrap().commit(story.commit()).await.unwrap();
    let raw = Connection::open(folder.path().join("theater.db")).unwrap();
    raw.execute_batch(
        "DROP TABLE head_log; DROP TABLE head_log_end; DROP TABLE tree_heads; DROP TABLE pruned; DROP TABLE erased;
        DROP TABLE left_out; DROP TABLE upgrades; DROP TABLE checkpoints; DROP TABLE passing;
        PRAGMA user_version = 1",
    )
    .unwrap();
    let version = || raw.query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0)).unwrap();
    let reader = SqliteStore::open_read_only(folder.path()).unwrap();
    assert_eq!(reader.actor(story.id).await.unwrap().map(|entry| entry.head), story.head);
    assert_eq!(reader.head_log().unwrap().end().await.unwrap(), LogEnd::default());
    assert_eq!(reader.state(Digest::of(&large)).await.unwrap().as_deref(), Some(&large[..]));
    assert_eq!(reader.state(Digest::of(b"never")).await.unwrap(), None);
    assert_eq!(version(), 1, "who only reads changes nothing");
    drop(reader);
    let writer = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(version(), 6);
    let unlogged = writer.head_log().unwrap().unlogged().await.unwrap();
    assert_eq!(unlogged, [LoggedHead { actor: story.id, head: story.head.unwrap() }]);
    let report = verify_store(&writer, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
    // The states of before stay, since nothing says which of them are the newest.
    for n in 3..6 {
        story.call(None);
        story.pass_state(&vec![n; 2 * SMALL_STATE]);
        writer.commit(story.commit()).await.unwrap();
    }
    assert!(writer.state(Digest::of(&large)).await.unwrap().is_some());
    assert!(writer.state(Digest::of(&vec![3; 2 * SMALL_STATE])).await.unwrap().is_none());
}

/// Pages that SQLite cannot make sense of are found before anything is written.
#[tokio::test]
async fn a_damaged_file_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut story = Story::new(1);
    for _ in 0..20 {
        story.write_life();
    }
    SqliteStore::open(folder.path()).unwrap().commit(story.commit()).await.unwrap();
    let path = folder.path().join("theater.db");
    // Opened once more alone, so that everything is in the file.
    drop(SqliteStore::open(folder.path()).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    let number =
        |sql| Connection::open(&path).unwrap().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as usize;
    let page = number("PRAGMA page_size");
    let root = number("SELECT rootpage FROM sqlite_schema WHERE name = 'events'");
    bytes[(root - 1) * page..][..64].fill(0xff);
    std::fs::write(&path, &bytes).unwrap();
    let error = SqliteStore::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("`theater verify` says which chains are whole"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    // Whoever looks gets what can still be read.
    let reader = SqliteStore::open_read_only(folder.path()).unwrap();
    assert_eq!(reader.actor(story.id).await.unwrap().map(|entry| entry.head), story.head);
}
