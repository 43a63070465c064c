//! The bytes of states, found by their hash.
//!
//! Hashes are random, so an index by hash changes a page of its own for nearly every state, and
//! appending slows down as the store grows. Hence states are appended without one, and entered
//! into it many at once, in order, which changes each page once for many. Those not yet entered
//! are remembered in memory, by each connection for itself.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};
use theater_chain::Digest;

use crate::rows;

/// After how many states they are entered into the index.
const BATCH: usize = 16_384;

/// What a connection knows of the states that are not in the index yet.
#[derive(Debug, Default)]
pub(crate) struct States {
    /// Up to which `n` the states are in the index or in `recent`.
    seen: i64,
    recent: HashMap<Digest, i64>,
}

impl States {
    /// The bytes of a state. Within one transaction, so that index and rest fit together.
    pub(crate) fn bytes(&mut self, connection: &Connection, hash: &Digest) -> rusqlite::Result<Option<Vec<u8>>> {
        let remembered = self.recent.contains_key(hash);
        let found = self.read(connection, hash)?;
        if found.is_some() || !remembered {
            return Ok(found);
        }
        // It was dropped since, and may have come again in another place.
        *self = Self::default();
        self.read(connection, hash)
    }

    fn read(&mut self, connection: &Connection, hash: &Digest) -> rusqlite::Result<Option<Vec<u8>>> {
        let Some(n) = self.find(connection, hash)? else {
            return Ok(None);
        };
        let mut statement = connection.prepare_cached("SELECT bytes FROM states WHERE n = ? AND hash = ?")?;
        statement.query_row(params![n, hash.as_bytes()], |row| row.get(0)).optional()
    }

    /// Drops a state; what is remembered must be loaded anew after it.
    pub(crate) fn remove(&mut self, connection: &Connection, hash: &Digest) -> rusqlite::Result<()> {
        if let Some(n) = self.find(connection, hash)? {
            connection.prepare_cached("DELETE FROM states WHERE n = ?")?.execute([n])?;
            let sql = "DELETE FROM states_by_hash WHERE prefix = ? AND n = ?";
            connection.prepare_cached(sql)?.execute([prefix(hash), n])?;
        }
        Ok(())
    }

    /// The `n` of a state, if it is in the store.
    fn find(&mut self, connection: &Connection, hash: &Digest) -> rusqlite::Result<Option<i64>> {
        if let Some(n) = self.recent.get(hash) {
            return Ok(Some(*n));
        }
        if let Some(n) = indexed(connection, hash)? {
            return Ok(Some(n));
        }
        self.refresh(connection)?;
        Ok(self.recent.get(hash).copied())
    }

    /// Takes notice of the states that were added since the last time.
    fn refresh(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached("SELECT upto FROM states_indexed")?;
        let upto: i64 = statement.query_row([], |row| row.get(0))?;
        if self.recent.len() > 2 * BATCH {
            self.recent.retain(|_, n| *n > upto);
        }
        self.seen = self.seen.max(upto);
        let mut statement = connection.prepare_cached("SELECT n, hash FROM states WHERE n > ? ORDER BY n")?;
        let mut rows = statement.query([self.seen])?;
        while let Some(row) = rows.next()? {
            self.seen = row.get(0)?;
            self.recent.insert(rows::digest(row, 1)?, self.seen);
        }
        Ok(())
    }

    /// Stores a state that is not there yet. For the writer, which alone adds states.
    pub(crate) fn add(&mut self, connection: &Connection, hash: &Digest, bytes: &[u8]) -> rusqlite::Result<()> {
        if self.recent.contains_key(hash) || indexed(connection, hash)?.is_some() {
            return Ok(());
        }
        self.seen += 1;
        let mut statement = connection.prepare_cached("INSERT INTO states (n, hash, bytes) VALUES (?, ?, ?)")?;
        statement.execute(params![self.seen, hash.as_bytes(), bytes])?;
        self.recent.insert(*hash, self.seen);
        if self.recent.len() >= BATCH { self.enter(connection) } else { Ok(()) }
    }

    /// What the writer starts from, and starts from again after a transaction that was undone.
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut states = Self::default();
        states.refresh(connection)?;
        Ok(states)
    }

    /// Enters the recent states into the index, in its order.
    fn enter(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut entries: Vec<_> = self.recent.drain().map(|(hash, n)| (prefix(&hash), n)).collect();
        entries.sort_unstable();
        let mut statement = connection.prepare_cached("INSERT INTO states_by_hash (prefix, n) VALUES (?, ?)")?;
        for entry in entries {
            statement.execute(entry)?;
        }
        connection.execute("UPDATE states_indexed SET upto = ?", [self.seen])?;
        Ok(())
    }
}

fn indexed(connection: &Connection, hash: &Digest) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT states.n FROM states_by_hash JOIN states USING (n) WHERE prefix = ? AND hash = ?";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row(params![prefix(hash), hash.as_bytes()], |row| row.get(0)).optional()
}

/// The first eight bytes, which is what the index is ordered by.
fn prefix(hash: &Digest) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    i64::from_be_bytes(bytes)
}
