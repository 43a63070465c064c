//! What is signed, in a real file: a chain of 64 events, cut, mixed and written anew.

use rusqlite::{Connection, params};
use tempfile::TempDir;
use theater_chain::data::RestartStateKind;
use theater_chain::merkle::Frontier;
use theater_chain::note::HostKey;
use theater_chain::testing::Story;
use theater_chain::{
    ChainEvent, ChainStore as _, Commit, Head, Level, LoggedHead, StoreError, StoreReport, TreeUpdate, Trust,
    Verification,
};
use theater_store_sqlite::SqliteStore;

fn key() -> HostKey {
    HostKey::from_seed(&[2; 32])
}

/// Two chains; the first has 64 events, signed after each 16.
async fn store() -> (TempDir, Story) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let (mut story, mut other) = (Story::new(1), Story::new(2));
    other.write_life();
    store.commit(other.commit()).await.unwrap();
    let mut tree = Frontier::new();
    story.start(RestartStateKind::Reset, Some(b"{}"));
    for n in 0..63u8 {
        match n % 2 {
            0 => story.call(None),
            _ => story.commit_state(None, &[n]),
        };
        if n % 16 == 14 {
            let entries = vec![LoggedHead { actor: story.id, head: story.head.unwrap() }];
            let update = TreeUpdate::signed(&key(), tree, entries);
            tree = update.tree.clone();
            store.commit(Commit { tree: Some(update), ..story.commit() }).await.unwrap();
        }
    }
    assert_eq!(story.stored.unwrap().seq, 63);
    (folder, story)
}

fn raw(folder: &TempDir) -> Connection {
    let raw = Connection::open(folder.path().join("theater.db")).unwrap();
    raw.execute_batch("PRAGMA synchronous = OFF").unwrap();
    raw
}

/// What is wrong; none: everything is right. What cannot be read is wrong, too.
async fn fault(folder: &TempDir) -> Option<String> {
    let store = SqliteStore::open_read_only(folder.path()).unwrap();
    let key = key();
    let trust = Trust { key: Some(key.public()), kept: None };
    let found = Verification::new(Level::Links).signed(trust).store(&store, &mut |_| ()).await;
    match found {
        Err(StoreError::Damaged(reason)) => Some(reason),
        Err(error) => panic!("{error}"),
        Ok(StoreReport { ok: true, .. }) => None,
        Ok(report) => {
            let of_actors = report.actors.iter().find_map(|actor| actor.fault.as_ref().map(ToString::to_string));
            of_actors.or(report.log.and_then(|log| log.fault))
        }
    }
}

/// Makes a change that is undone afterwards, and says what was found.
async fn found_after(folder: &TempDir, change: &str) -> Option<String> {
    let raw = raw(folder);
    raw.execute_batch(
        "CREATE TABLE kept_events AS SELECT * FROM events; CREATE TABLE kept_actors AS SELECT * FROM actors;
        CREATE TABLE kept_log AS SELECT * FROM head_log; CREATE TABLE kept_heads AS SELECT * FROM tree_heads;
        CREATE TABLE kept_end AS SELECT * FROM head_log_end",
    )
    .unwrap();
    raw.execute_batch(change).unwrap_or_else(|error| panic!("{change}: {error}"));
    let found = fault(folder).await;
    for (table, kept) in [
        ("events", "kept_events"),
        ("actors", "kept_actors"),
        ("head_log", "kept_log"),
        ("tree_heads", "kept_heads"),
        ("head_log_end", "kept_end"),
    ] {
        let restore = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {kept}; DROP TABLE {kept}");
        raw.execute_batch(&restore).unwrap();
    }
    found
}

/// The position of the first chain's event 0 is 1 more than the last of the other.
fn first(folder: &TempDir) -> i64 {
    raw(folder).query_row("SELECT min(position) FROM events WHERE actor = 2", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn deleted_repeated_swapped_and_spliced_rows_are_found() {
    let (folder, _) = store().await;
    assert_eq!(fault(&folder).await, None);
    let first = first(&folder);
    for seq in 0..64 {
        let at = first + seq;
        let mut changes = vec![
            format!("DELETE FROM events WHERE position = {at}"),
            // All that the row says but where it stands, from a row of the other chain.
            format!(
                "UPDATE events SET (timestamp, parent_hash, hash, payload_commit, data, salt, payload) =
                (SELECT timestamp, parent_hash, hash, payload_commit, data, salt, payload FROM events
                WHERE actor = 1 AND seq = {}) WHERE position = {at}",
                seq % 20
            ),
        ];
        if seq > 0 {
            // Twice: in the place of the one before it. Swapped: each with the other's seq and place.
            let copied = "(event_type, timestamp, parent_hash, hash, payload_commit, data, salt, payload)";
            changes.push(format!(
                "UPDATE events SET {copied} = (SELECT event_type, timestamp, parent_hash, hash, payload_commit, data, \
                 salt, payload FROM events WHERE position = {at}) WHERE position = {at} - 1"
            ));
            changes.push(format!(
                "CREATE TEMP TABLE pair AS SELECT * FROM events WHERE position IN ({at}, {at} - 1);
                UPDATE events SET {copied} = (SELECT event_type, timestamp, parent_hash, hash, payload_commit, data, \
                 salt, payload FROM pair WHERE position = 2 * {at} - 1 - events.position)
                WHERE position IN ({at}, {at} - 1); DROP TABLE pair"
            ));
        }
        for change in changes {
            assert!(found_after(&folder, &change).await.is_some(), "event {seq}: {change}");
        }
    }
    assert_eq!(fault(&folder).await, None, "all was put back");
}

#[tokio::test]
async fn every_cut_is_found_while_the_log_is_there() {
    let (folder, _) = store().await;
    let first = first(&folder);
    for seq in 0..63 {
        let at = first + seq;
        let cut = format!(
            "DELETE FROM events WHERE position > {at};
            UPDATE actors SET head_seq = {seq}, head_position = {at},
                head_hash = (SELECT hash FROM events WHERE position = {at}) WHERE n = 2;"
        );
        let found = found_after(&folder, &cut).await.unwrap();
        assert_eq!(found, format!("event {}: it is missing: the event 63 of this chain is signed", seq + 1));
        // With the log cut to before, whose end nobody signed.
        let size = (seq + 1) / 16;
        let log = format!("{cut} DELETE FROM head_log WHERE n >= {size}; UPDATE head_log_end SET size = {size}");
        assert!(found_after(&folder, &log).await.is_some(), "{seq}");
    }
}

#[tokio::test]
async fn rows_written_anew_without_the_key_are_found() {
    let (folder, story) = store().await;
    let reader = SqliteStore::open_read_only(folder.path()).unwrap();
    let events = reader.events(story.id, 0, 100).await.unwrap();
    let raw = raw(&folder);
    let mut head: Option<Head> = None;
    for (n, event) in events.iter().enumerate() {
        // From event 40 on everything happened a little later.
        let time = event.timestamp + u64::from(n >= 40);
        let payload = event.payload.clone();
        let event = ChainEvent::following(head.as_ref(), event.event_type.clone(), time, event.data.clone(), payload);
        head = Some(event.head());
        raw.execute(
            "UPDATE events SET timestamp = ?, parent_hash = ?, hash = ? WHERE actor = 2 AND seq = ?",
            params![time as i64, event.parent_hash.as_bytes(), event.hash.as_bytes(), n as i64],
        )
        .unwrap();
    }
    raw.execute("UPDATE actors SET head_hash = ? WHERE n = 2", [head.unwrap().hash.as_bytes()]).unwrap();
    let plain = Verification::new(Level::Links).store(&reader, &mut |_| ()).await.unwrap();
    assert!(plain.ok, "the chain is one: {plain:?}");
    assert_eq!(fault(&folder).await.unwrap(), "event 47: it is not the event that is signed");
    // The log made to fit, but not its signature.
    raw.execute("UPDATE head_log SET hash = (SELECT hash FROM events WHERE actor = 2 AND seq = head_log.seq)", [])
        .unwrap();
    assert_eq!(fault(&folder).await.unwrap(), "the log of heads is not the one that its end says");
}

#[tokio::test]
async fn every_flipped_bit_of_what_is_signed_is_found() {
    let (folder, _) = store().await;
    let raw = raw(&folder);
    let mut tried = 0;
    for (table, key, column) in [
        ("head_log", "n", "actor"),
        ("head_log", "n", "hash"),
        ("head_log_end", "rowid", "peaks"),
        ("tree_heads", "origin", "note"),
        ("tree_heads", "size", "origin"),
    ] {
        let sql = format!("SELECT {key}, CAST({column} AS BLOB) FROM {table}");
        let rows: Vec<(rusqlite::types::Value, Vec<u8>)> = raw
            .prepare(&sql)
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let value = if table == "tree_heads" { "CAST(? AS TEXT)" } else { "?" };
        let update = format!("UPDATE {table} SET {column} = {value} WHERE {key} = ?");
        for (at, bytes) in rows {
            for bit in 0..8 * bytes.len() {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                raw.execute(&update, params![flipped, at]).unwrap();
                assert!(fault(&folder).await.is_some(), "{table}.{column}, bit {bit} of {at:?}");
                raw.execute(&update, params![bytes, at]).unwrap();
                tried += 1;
            }
        }
    }
    for (table, column) in [("head_log", "seq"), ("head_log_end", "size"), ("tree_heads", "size")] {
        for bit in 0..63 {
            let flip = format!("UPDATE {table} SET {column} = ({column} | {0}) - ({column} & {0})", 1i64 << bit);
            raw.execute(&flip, []).unwrap();
            assert!(fault(&folder).await.is_some(), "{table}.{column}, bit {bit}");
            raw.execute(&flip, []).unwrap();
            tried += 1;
        }
    }
    assert_eq!(fault(&folder).await, None, "all was put back");
    assert!(tried > 4_000, "only {tried} bits");
}
