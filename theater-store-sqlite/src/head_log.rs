//! The log of changed heads and its signed checkpoints.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use theater_chain::merkle::Frontier;
use theater_chain::{Digest, Head, HeadLog, LogEnd, LoggedHead, StoreError, TreeHead, TreeUpdate};

use crate::error::store_error;
use crate::rows;
use crate::store::{SqliteStore, limit};

/// How many entries the log has.
pub(crate) fn size(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached("SELECT size FROM head_log_end")?.query_row([], |row| rows::unsigned(row, 0))
}

/// Appends what a commit brings; `position` is that of its newest event.
pub(crate) fn append(connection: &Connection, update: &TreeUpdate, position: i64) -> rusqlite::Result<()> {
    let first = update.tree.size() - update.entries.len() as u64;
    let mut statement = connection.prepare_cached("INSERT INTO head_log (n, actor, seq, hash) VALUES (?, ?, ?, ?)")?;
    for (n, LoggedHead { actor, head }) in (first..).zip(&update.entries) {
        let (seq, hash) = (head.seq.cast_signed(), head.hash.as_bytes());
        statement.execute(params![n.cast_signed(), actor.as_bytes(), seq, hash])?;
    }
    let peaks: Vec<u8> = update.tree.peaks().iter().flat_map(|peak| peak.0).collect();
    connection.prepare_cached("UPDATE head_log_end SET size = ?, peaks = ?, position = ?")?.execute(params![
        update.tree.size().cast_signed(),
        peaks,
        position
    ])?;
    let TreeHead { origin, size, note } = &update.head;
    connection
        .prepare_cached("INSERT OR REPLACE INTO tree_heads (origin, size, note) VALUES (?, ?, ?)")?
        .execute(params![origin, size.cast_signed(), note])?;
    Ok(())
}

fn end(connection: &Connection) -> Result<LogEnd, StoreError> {
    let (size, peaks) = connection
        .query_row("SELECT size, peaks FROM head_log_end", [], |row| {
            Ok((rows::unsigned(row, 0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .map_err(store_error)?;
    let (peaks, rest) = peaks.as_chunks::<32>();
    let tree = Frontier::from_peaks(size, peaks.iter().map(|peak| Digest(*peak)).collect());
    let tree = tree.filter(|_| rest.is_empty()).ok_or_else(|| {
        StoreError::Damaged(format!("the log of heads has {size} entries, and its end is not that of such a log"))
    })?;
    let mut statement =
        connection.prepare_cached("SELECT origin, size, note FROM tree_heads ORDER BY origin").map_err(store_error)?;
    let head = |row: &rusqlite::Row<'_>| {
        Ok(TreeHead {
            origin: rows::lossy_text(row, 0)?,
            size: rows::unsigned(row, 1)?,
            note: rows::lossy_text(row, 2)?,
        })
    };
    let heads = statement.query_map([], head).and_then(Iterator::collect).map_err(store_error)?;
    Ok(LogEnd { tree, heads })
}

fn entries(connection: &Connection, from: u64, max: usize) -> Result<Vec<LoggedHead>, StoreError> {
    let Ok(first) = i64::try_from(from) else { return Ok(Vec::new()) };
    let sql = "SELECT actor, seq, hash, n FROM head_log WHERE n >= ? ORDER BY n LIMIT ?";
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let entry = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(3)?, logged(row)?));
    let found: Vec<_> =
        statement.query_map([first, limit(max)], entry).and_then(Iterator::collect).map_err(store_error)?;
    // What comes after a missing entry cannot be told by its place.
    for (n, (found, _)) in (first..).zip(&found) {
        if n != *found {
            return Err(StoreError::Damaged(format!("entry {n} of the log of heads is missing")));
        }
    }
    Ok(found.into_iter().map(|(_, entry)| entry).collect())
}

fn unlogged(connection: &Connection) -> rusqlite::Result<Vec<LoggedHead>> {
    let position: i64 = connection.query_row("SELECT position FROM head_log_end", [], |row| row.get(0))?;
    let changed = match position {
        0 => "SELECT id, head_seq, head_hash FROM actors WHERE head_position > ? ORDER BY n",
        _ => {
            "SELECT id, head_seq, head_hash FROM actors
            WHERE n IN (SELECT actor FROM events WHERE position > ?) ORDER BY n"
        }
    };
    connection.prepare_cached(changed)?.query_map([position], logged)?.collect()
}

fn logged(row: &rusqlite::Row<'_>) -> rusqlite::Result<LoggedHead> {
    let head = Head { seq: rows::unsigned(row, 1)?, hash: rows::digest(row, 2)? };
    Ok(LoggedHead { actor: rows::id(row, 0)?, head })
}

#[async_trait]
impl HeadLog for SqliteStore {
    async fn end(&self) -> Result<LogEnd, StoreError> {
        self.readers.read(|reader| end(&reader.connection)).await
    }

    async fn entries(&self, from: u64, max: usize) -> Result<Vec<LoggedHead>, StoreError> {
        self.readers.read(move |reader| entries(&reader.connection, from, max)).await
    }

    async fn unlogged(&self) -> Result<Vec<LoggedHead>, StoreError> {
        self.readers.read(|reader| unlogged(&reader.connection).map_err(store_error)).await
    }
}
