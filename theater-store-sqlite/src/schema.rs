//! The tables, and how a connection is set up.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use theater_chain::StoreError;

use crate::error::store_error;

/// The version of the tables, in `user_version`: that of `TABLES`, and one more for each of `CHANGES`.
const VERSION: i64 = 1 + CHANGES.len() as i64;
/// Marks the file as ours: "Thtr".
const APPLICATION: i64 = 0x5468_7472;

/// Every how many events of a chain one is found by an index. The rest are found from there by
/// their links: an index over all of them would change a page of its own for nearly every event,
/// which makes appending several times slower.
pub(crate) const INDEXED_EVERY: u64 = 64;

const TABLES: &str = "
CREATE TABLE actors (
    n             INTEGER PRIMARY KEY,  -- counts the actors in the order of their first events
    id            BLOB NOT NULL UNIQUE,
    parent        BLOB,
    name          TEXT NOT NULL,
    manifest_path TEXT NOT NULL,
    incarnation   INTEGER NOT NULL,
    started       INTEGER NOT NULL,     -- seq of the newest actor_started
    ended         INTEGER,              -- seq of its actor_terminated
    state         BLOB NOT NULL,        -- hash of the last committed state
    head_seq      INTEGER NOT NULL,
    head_hash     BLOB NOT NULL,
    head_position INTEGER NOT NULL      -- events.position of the newest event
) STRICT;
CREATE INDEX actors_by_parent ON actors (parent, n) WHERE parent IS NOT NULL;

CREATE TABLE events (
    position       INTEGER PRIMARY KEY, -- the order in which all events were appended
    actor          INTEGER NOT NULL,    -- actors.n
    seq            INTEGER NOT NULL,
    previous       INTEGER,             -- position of the event before in the same chain
    event_type     TEXT NOT NULL,
    timestamp      INTEGER NOT NULL,
    parent_hash    BLOB NOT NULL,
    hash           BLOB NOT NULL,
    payload_commit BLOB,
    payload_at     INTEGER,             -- position of an earlier event with the same payload
    data           BLOB NOT NULL,
    salt           BLOB,                -- of the payload; erased with it
    payload        BLOB                 -- NULL with a commit and without payload_at: erased
) STRICT;
CREATE UNIQUE INDEX events_by_seq ON events (actor, seq) WHERE seq % 64 = 0;

CREATE TABLE states (
    n     INTEGER PRIMARY KEY,
    hash  BLOB NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE states_by_hash (
    prefix INTEGER NOT NULL,            -- the first 8 bytes of the hash
    n      INTEGER NOT NULL,            -- states.n
    PRIMARY KEY (prefix, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE states_indexed (upto INTEGER NOT NULL) STRICT; -- states.n, one row
INSERT INTO states_indexed VALUES (0);

CREATE TABLE components (digest BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE manifests  (digest BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT;

CREATE TABLE pending (
    n              INTEGER PRIMARY KEY, -- oldest first
    message_id     TEXT NOT NULL UNIQUE,
    receiver       BLOB NOT NULL,
    interface      TEXT NOT NULL,
    function       TEXT NOT NULL,
    payload_commit BLOB NOT NULL,
    payload_at     INTEGER,             -- position of the event with the payload, else it is here
    salt           BLOB,
    payload        BLOB,
    cause          BLOB
) STRICT;
CREATE INDEX pending_by_receiver ON pending (receiver, n);

CREATE TABLE answered (
    message_id TEXT PRIMARY KEY,
    actor      BLOB NOT NULL,
    seq        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What came to the tables later, a version each, in order. A writer brings older tables up to date.
const CHANGES: [&str; 5] = [
    "
CREATE TABLE head_log (                 -- heads that changed, as the host signs them
    n     INTEGER PRIMARY KEY,          -- the place in the log, from 0
    actor BLOB NOT NULL,                -- actors.id
    seq   INTEGER NOT NULL,
    hash  BLOB NOT NULL                 -- of the event with that seq
) STRICT;
CREATE TABLE head_log_end (             -- one row
    size     INTEGER NOT NULL,          -- how many entries the log has
    peaks    BLOB NOT NULL,             -- roots of the perfect trees of its Merkle tree, largest first
    position INTEGER NOT NULL           -- events.position up to which the log has the heads
) STRICT;
INSERT INTO head_log_end VALUES (0, x'', 0);
CREATE TABLE tree_heads (               -- the newest signed checkpoint of each key
    origin TEXT PRIMARY KEY,
    size   INTEGER NOT NULL,
    note   TEXT NOT NULL                -- a C2SP signed note
) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE pruned (                   -- actors whose older events were dropped
    actor     BLOB PRIMARY KEY,         -- actors.id
    kept_from INTEGER NOT NULL          -- seq of the first event that is there
) STRICT, WITHOUT ROWID;
CREATE TABLE erased (                   -- payloads that were erased: copies from elsewhere stay so
    payload_commit BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE left_out (                 -- actors whose chains were left out when their parents came
    actor BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE upgrades (                 -- of the actors whose component was exchanged
    actor     INTEGER PRIMARY KEY,      -- actors.n
    seq       INTEGER NOT NULL,         -- of the newest actor_upgraded or actor_rolled_back
    component BLOB NOT NULL,            -- digest of the component since
    version   TEXT NOT NULL             -- and its version
) STRICT;
",
    "
CREATE TABLE checkpoints (              -- what hosts signed of chains that came from elsewhere
    actor BLOB NOT NULL,                -- actors.id
    key   BLOB NOT NULL,                -- the public key, the newest checkpoint of each is kept
    size  INTEGER NOT NULL,             -- how many events are signed
    note  TEXT NOT NULL,                -- a C2SP signed note
    PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE passing (                  -- large states that are there until the next of the actor
    actor   INTEGER PRIMARY KEY,        -- actors.n
    hash    BLOB,                       -- NULL: the newest state is in states, or there is none
    bytes   BLOB,
    thinned INTEGER                     -- how many such are gone; NULL: the chain came from elsewhere
) STRICT;
CREATE INDEX passing_by_hash ON passing (hash);
",
];

/// The connection that writes, to a database that is created if the file is empty.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Its header is looked at before anything is changed: it may be somebody else's file.
    let empty: bool = connection
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| unreadable(path, error))?;
    let version = if empty { 0 } else { check(&connection, path)? };
    if version > 0 {
        quick_check(&connection, path)?;
    }
    // FULL: the log is synced at every commit, before the answer.
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
        PRAGMA journal_size_limit = 67108864;";
    connection.execute_batch(settings).map_err(|error| unreadable(path, error))?;
    if version < VERSION {
        let transaction = connection.transaction().map_err(store_error)?;
        if empty {
            transaction.execute_batch(TABLES).map_err(store_error)?;
            transaction.pragma_update(None, "application_id", APPLICATION).map_err(store_error)?;
        }
        for change in changes_after(version) {
            transaction.execute_batch(change).map_err(store_error)?;
        }
        transaction.pragma_update(None, "user_version", VERSION).map_err(store_error)?;
        transaction.commit().map_err(store_error)?;
    }
    Ok(connection)
}

/// The largest file that is checked as a whole when it is opened to write, in bytes: about 20 ms.
const WHOLE_CHECK: u64 = 32 << 20;

/// Whether SQLite finds its own structures sound: those of the whole file while it is small, else
/// those of the tables that do not grow with the history. The rest is for verification.
fn quick_check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let small = path.metadata().is_ok_and(|found| found.len() <= WHOLE_CHECK);
    let checks = if small {
        &["PRAGMA quick_check(1)"][..]
    } else {
        &["PRAGMA quick_check(actors)", "PRAGMA quick_check(pending)", "PRAGMA quick_check(manifests)"]
    };
    let damaged = |reason: &str| {
        let help = "`theater verify` says which chains are whole";
        StoreError::Damaged(format!("{}: {reason}; {help}", path.display()))
    };
    for check in checks {
        let found: String =
            connection.query_row(check, [], |row| row.get(0)).map_err(|error| damaged(&error.to_string()))?;
        if found != "ok" {
            return Err(damaged(&found));
        }
    }
    Ok(())
}

/// A connection that only reads.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    if !path.is_file() {
        return Err(StoreError::Io(format!("{} does not exist: nothing was recorded there", path.display())));
    }
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let is_closed = |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::CannotOpen);
    if connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).is_err_and(|error| is_closed(&error))
    {
        connection = open_still(path)?;
    }
    // A reader cannot bring tables up to date: what is missing is there and empty for it alone.
    for change in changes_after(check(&connection, path)?) {
        connection.execute_batch(&change.replace("CREATE TABLE", "CREATE TEMP TABLE")).map_err(store_error)?;
    }
    Ok(connection)
}

/// A database in a folder that cannot be written, where SQLite cannot make the files that readers and a
/// writer share. Nobody writes there, so it is read as a file that stands still.
fn open_still(path: &Path) -> Result<Connection, StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if Path::new(&log).metadata().is_ok_and(|log| log.len() > 0) {
        return Err(StoreError::Io(format!(
            "{} cannot be read where nothing can be written, since its log is not empty: look at a copy of the folder",
            path.display()
        )));
    }
    let absolute = std::path::absolute(path).map_err(|error| StoreError::Io(format!("{}: {error}", path.display())))?;
    let mut uri = "file://".to_owned();
    for byte in absolute.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    open(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
}

/// What tables of this version lack; 0 is a file without any.
fn changes_after(version: i64) -> &'static [&'static str] {
    let done = usize::try_from(version - 1).unwrap_or(0);
    CHANGES.get(done..).unwrap_or_default()
}

fn open(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    // A connection is used by one thread at a time, so SQLite need not lock it.
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(store_error)?;
    // Otherwise statements are prepared anew whenever a parameter changes that an index's
    // statistics could make a difference to.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(store_error)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// The version of the tables, where they are ours.
fn check(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let pragma = |name| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(|error| unreadable(path, error))
    };
    if pragma("application_id")? != APPLICATION {
        return Err(not_ours(path, "its application_id is another one"));
    }
    match pragma("user_version")? {
        known @ 1..=VERSION => Ok(known),
        other => Err(StoreError::Damaged(format!(
            "{} has tables of version {other}, and this program reads up to version {VERSION}: use the program that wrote it",
            path.display()
        ))),
    }
}

/// No database at all, or one that the system does not let be read.
fn unreadable(path: &Path, error: rusqlite::Error) -> StoreError {
    match store_error(error) {
        StoreError::Damaged(reason) => not_ours(path, &reason),
        StoreError::Io(reason) => StoreError::Io(format!("{}: {reason}", path.display())),
        other => other,
    }
}

fn not_ours(path: &Path, reason: &str) -> StoreError {
    StoreError::Damaged(format!("{} is not a store of chains: {reason}", path.display()))
}
