//! The large states that are there only while they are the newest of their actors: a row of each
//! actor that has one, which the next takes over, so that the file does not grow by them.

use rusqlite::{Connection, OptionalExtension as _, params};
use theater_chain::{Digest, PassingState};

use crate::rows;
use crate::states::States;

/// Writes what becomes of the passing state of the actor with the number `n`.
pub(crate) fn write(
    connection: &Connection,
    states: &mut States,
    n: i64,
    passing: &PassingState,
) -> rusqlite::Result<()> {
    if passing.before_stays {
        keep(connection, states, n)?;
        step!();
    }
    match &passing.now {
        Some((hash, bytes)) => {
            let sql = "INSERT OR REPLACE INTO passing (actor, hash, bytes) VALUES (?, ?, ?)";
            connection.prepare_cached(sql)?.execute(params![n, hash.as_bytes(), &bytes[..]])?;
        }
        None if passing.before_stays => {}
        None => drop(connection.prepare_cached("DELETE FROM passing WHERE actor = ?")?.execute([n])?),
    }
    Ok(())
}

/// Has the passing state of an actor, if there is one, stay.
pub(crate) fn keep(connection: &Connection, states: &mut States, n: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM passing WHERE actor = ? RETURNING hash, bytes")?;
    let row = |row: &rusqlite::Row<'_>| Ok((rows::digest(row, 0)?, row.get::<_, Vec<u8>>(1)?));
    match statement.query_row([n], row).optional()? {
        Some((hash, bytes)) => states.add(connection, &hash, &bytes),
        None => Ok(()),
    }
}

/// The bytes of a passing state.
pub(crate) fn bytes(connection: &Connection, hash: &Digest) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM passing WHERE hash = ? LIMIT 1")?;
    statement.query_row([hash.as_bytes()], |row| row.get(0)).optional()
}
