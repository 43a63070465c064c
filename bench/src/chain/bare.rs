//! The limits: SHA-256 and SQLite, with nothing of Theater.

use std::path::Path;

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};
use theater::chain::ChainEvent;

/// Hashes what the hash of each event and the commit of its payload cover.
pub(super) fn sha256(events: &[ChainEvent]) -> [u8; 32] {
    let mut last = [0; 32];
    for event in events {
        let mut hasher = Sha256::new();
        if let Some(payload) = &event.payload {
            hasher.update(b"theater/payload/1");
            hasher.update(payload.salt());
            hasher.update(payload.bytes());
            last = hasher.finalize_reset().into();
        }
        hasher.update([0; 15 + 8 + 8 + 4 + 4]);
        hasher.update(event.parent_hash.as_bytes());
        hasher.update(event.event_type.as_bytes());
        hasher.update(&event.data);
        hasher.update(last);
        last = hasher.finalize().into();
    }
    last
}

/// A table with the same columns, committed in the same way.
pub(super) struct Sqlite(Connection);

impl Sqlite {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
            CREATE TABLE events (position INTEGER PRIMARY KEY, seq INTEGER, event_type TEXT, timestamp INTEGER,
                parent_hash BLOB, hash BLOB, payload_commit BLOB, data BLOB, salt BLOB, payload BLOB) STRICT",
        )?;
        Ok(Self(connection))
    }

    /// One transaction.
    pub(super) fn insert(&mut self, events: &[ChainEvent]) -> rusqlite::Result<()> {
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
