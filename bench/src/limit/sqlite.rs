//! Bare SQLite: the same rows in one table without an index, with the same settings.

use std::path::Path;

use rusqlite::{Connection, params};
use theater::chain::ChainEvent;

/// A database.
pub(crate) struct Sqlite(Connection);

impl Sqlite {
    /// A new one, written in the way of Theater's store: a log that is synced at each commit.
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
            CREATE TABLE events (position INTEGER PRIMARY KEY, seq INTEGER, event_type TEXT, timestamp INTEGER,
                parent_hash BLOB, hash BLOB, payload_commit BLOB, data BLOB, salt BLOB, payload BLOB) STRICT",
        )?;
        Ok(Self(connection))
    }

    /// One transaction.
    pub(crate) fn insert(&mut self, events: &[ChainEvent]) -> rusqlite::Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
            for event in events {
                insert.execute(params![
                    event.seq.cast_signed(),
                    &*event.event_type,
                    event.timestamp.cast_signed(),
                    event.parent_hash.as_bytes(),
                    event.hash.as_bytes(),
                    event.payload_commit.as_ref().map(|commit| *commit.as_bytes()),
                    &event.data[..],
                    event.payload.as_ref().map(|payload| *payload.salt()),
                    event.payload.as_ref().map(|payload| &payload.bytes()[..]),
                ])?;
            }
        }
        transaction.commit()
    }
}
