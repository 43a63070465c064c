//! Every bit of a real file's rows.

use rusqlite::types::Value;
use rusqlite::{Connection, params};
use tempfile::TempDir;
use theater_chain::data::{DropReason, InstanceDropped, Outcome, ReasonRecord, RestartStateKind};
use theater_chain::erase::erase;
use theater_chain::testing::Story;
use theater_chain::{ActorReport, ChainStore as _, Level, StoreError, verify_store};
use theater_store_sqlite::SqliteStore;

/// A store with the chain of one actor: events of several kinds, one payload in two of them.
async fn store() -> (TempDir, Story) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let mut story = Story::new(1);
    story.start(RestartStateKind::Reset, Some(b"{}"));
    story.call(Some("x/1/0"));
    story.host_call_begun(0);
    story.host_call(0, Outcome::Denied("max".into()));
    story.commit_state(Some("x/1/0"), b"{\"n\":1}");
    let payload = story.commit_payload_twice();
    story.append(&InstanceDropped { reason: DropReason::Aged }, &[]);
    story.end(ReasonRecord::Shutdown);
    store.commit(story.commit()).await.unwrap();
    drop(store);
    let sql = "SELECT count(*) FROM events WHERE payload_commit = ? AND (payload IS NULL) = (payload_at IS NOT NULL)";
    let twice: u32 = raw(&folder).query_row(sql, [payload.as_bytes()], |row| row.get(0)).unwrap();
    assert_eq!(twice, 2);
    (folder, story)
}

fn raw(folder: &TempDir) -> Connection {
    let raw = Connection::open(folder.path().join("theater.db")).unwrap();
    // Thousands of changes, each undone again: none needs to survive a crash.
    raw.execute_batch("PRAGMA synchronous = OFF").unwrap();
    raw
}

/// What verification says of the one actor; `None` where its row cannot even be read.
async fn verified(store: &SqliteStore, level: Level) -> Option<ActorReport> {
    match verify_store(store, level, &mut |_| ()).await {
        Ok(report) => report.actors.into_iter().next(),
        Err(StoreError::Damaged(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

/// The value with one bit flipped, for each of its bits. Texts go as blobs.
fn flips(value: &Value) -> Vec<Value> {
    let bytes = |bytes: &[u8]| {
        let flip = |bit: usize| {
            let mut out = bytes.to_vec();
            out[bit / 8] ^= 1 << (bit % 8);
            Value::Blob(out)
        };
        (0..8 * bytes.len()).map(flip).collect()
    };
    match value {
        Value::Integer(n) => (0..64).map(|bit| Value::Integer(n ^ (1 << bit))).collect(),
        Value::Text(text) => bytes(text.as_bytes()),
        Value::Blob(blob) => bytes(blob),
        Value::Null | Value::Real(_) => Vec::new(),
    }
}

/// Flips every bit of a column in every row; `check` is told the row's key and awaited. Returns how
/// many bits there were.
async fn flip_all(folder: &TempDir, table: &str, key: &str, column: &str, check: impl AsyncFn(i64)) -> usize {
    let raw = raw(folder);
    let mut statement = raw.prepare(&format!("SELECT {key}, {column} FROM {table}")).unwrap();
    let rows: Vec<(i64, Value)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let mut tried = 0;
    for (at, value) in rows {
        for flipped in flips(&value) {
            let cast = if matches!(value, Value::Text(_)) { "CAST(? AS TEXT)" } else { "?" };
            let update = format!("UPDATE {table} SET {column} = {cast} WHERE {key} = ?");
            if raw.execute(&update, params![flipped, at]).is_err() {
                // It would break a constraint of the table, such as an event's seq that is taken.
                continue;
            }
            check(at).await;
            let restore = format!("UPDATE {table} SET {column} = ? WHERE {key} = ?");
            raw.execute(&restore, params![value, at]).unwrap();
            tried += 1;
        }
    }
    tried
}

#[tokio::test]
async fn every_flipped_bit_of_an_event_is_found_with_its_seq() {
    let (folder, _) = store().await;
    let store = SqliteStore::open_read_only(folder.path()).unwrap();
    let mut tried = 0;
    for column in [
        "actor",
        "seq",
        "previous",
        "event_type",
        "timestamp",
        "parent_hash",
        "hash",
        "payload_commit",
        "payload_at",
        "data",
        "salt",
        "payload",
    ] {
        // Positions count from 1, and there is one chain.
        let check = async |position: i64| {
            let report = verified(&store, Level::Links).await.unwrap();
            let fault = report.fault.unwrap_or_else(|| panic!("{column} of event {}: not found", position - 1));
            assert_eq!(fault.seq, position as u64 - 1, "{column}: {fault}");
        };
        tried += flip_all(&folder, "events", "position", column, check).await;
    }
    assert!(tried > 10_000, "only {tried} bits");
    assert!(verified(&store, Level::Full).await.unwrap().is_ok(), "all was restored");
}

#[tokio::test]
async fn every_flipped_bit_of_other_rows_is_found() {
    let (folder, _) = store().await;
    let mut tried = 0;
    for (table, key, columns) in [
        ("states", "n", &["hash", "bytes"][..]),
        ("components", "rowid", &["digest", "bytes"]),
        ("manifests", "rowid", &["digest", "bytes"]),
        (
            "actors",
            "n",
            &["id", "parent", "incarnation", "started", "ended", "state", "head_seq", "head_hash", "head_position"],
        ),
    ] {
        for column in columns {
            let check = async |_| {
                // A new one each time: states are remembered.
                let store = SqliteStore::open_read_only(folder.path()).unwrap();
                let report = verified(&store, Level::Full).await;
                assert!(report.is_none_or(|report| report.fault.is_some()), "{table}.{column}: not found");
            };
            tried += flip_all(&folder, table, key, column, check).await;
        }
    }
    assert!(tried > 2_000, "only {tried} bits");
}

#[tokio::test]
async fn deleted_events_are_found_with_their_seq() {
    let (folder, story) = store().await;
    let last = story.head.unwrap().seq;
    for seq in 0..=last {
        let raw = raw(&folder);
        raw.execute_batch("BEGIN").unwrap();
        raw.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM events").unwrap();
        raw.execute("DELETE FROM events WHERE seq = ?", [seq as i64]).unwrap();
        raw.execute_batch("COMMIT").unwrap();
        let store = SqliteStore::open_read_only(folder.path()).unwrap();
        let fault = verified(&store, Level::Full).await.unwrap().fault.unwrap();
        assert_eq!(fault.seq, seq, "{fault}");
        raw.execute_batch("INSERT OR IGNORE INTO events SELECT * FROM kept").unwrap();
    }
}

#[tokio::test]
async fn an_erased_payload_verifies_and_is_said() {
    let (folder, story) = store().await;
    let store = SqliteStore::open(folder.path()).unwrap();
    let payload = store.events(story.id, 2, 1).await.unwrap()[0].payload_commit.unwrap();
    erase(&store, payload, "test", 1, &mut |_| ()).await.unwrap();
    let report = verified(&store, Level::Full).await.unwrap();
    assert!(report.is_ok(), "{report:?}");
    assert!(report.unchecked.iter().any(|sentence| sentence.contains("erased")), "{report:?}");
    assert!(store.events(story.id, 2, 1).await.unwrap()[0].is_erased());
}

/// What somebody takes out of the file does not pass for erased.
#[tokio::test]
async fn a_payload_that_was_taken_out_is_missing() {
    let (folder, _) = store().await;
    let taken = "UPDATE events SET salt = NULL, payload = NULL WHERE seq = 2;
        INSERT INTO erased SELECT payload_commit FROM events WHERE seq = 2";
    raw(&folder).execute_batch(taken).unwrap();
    let store = SqliteStore::open_read_only(folder.path()).unwrap();
    for level in [Level::Links, Level::Full] {
        let fault = verified(&store, level).await.unwrap().fault.unwrap().to_string();
        assert_eq!(fault, "event 2: its payload is missing, and no `payload_erased` says that it was erased");
    }
}

/// Numbers that no store writes are damage, wherever they stand, and nothing is computed with them.
#[tokio::test]
async fn negative_seqs_are_damage() {
    for change in [
        "UPDATE actors SET head_seq = -1",
        "UPDATE actors SET started = -5",
        "UPDATE actors SET ended = -1",
        "UPDATE events SET seq = -1 WHERE seq = 3",
        "INSERT INTO pruned SELECT id, -1 FROM actors",
    ] {
        let (folder, _) = store().await;
        raw(&folder).execute_batch(change).unwrap();
        let store = SqliteStore::open_read_only(folder.path()).unwrap();
        match verify_store(&store, Level::Full, &mut |_| ()).await {
            Ok(report) => assert!(!report.ok, "{change}: {report:?}"),
            Err(error) => assert!(matches!(error, StoreError::Damaged(_)), "{change}: {error}"),
        }
    }
}
