//! The large states that are there only while they are the newest of their actors: a row of each
//! actor that had one, which the next takes over, so that the file does not grow by them.

use rusqlite::{Connection, OptionalExtension as _, params};
use theater_chain::{Digest, PassingState, TheaterId};

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
    // What is still there is dropped, and counted.
    if passing.now.is_none() && passing.left_out == 0 {
        let sql = "UPDATE passing SET thinned = thinned + (hash IS NOT NULL), hash = NULL, bytes = NULL
            WHERE actor = ?";
        connection.prepare_cached(sql)?.execute([n])?;
        return Ok(());
    }
    let sql = "INSERT INTO passing (actor, hash, bytes, thinned) VALUES (?, ?, ?, ?)
        ON CONFLICT (actor) DO UPDATE SET hash = excluded.hash, bytes = excluded.bytes,
            thinned = thinned + excluded.thinned + (hash IS NOT NULL)";
    let now = passing.now.as_ref();
    connection.prepare_cached(sql)?.execute(params![
        n,
        now.map(|(hash, _)| hash.as_bytes()),
        now.map(|(_, bytes)| &bytes[..]),
        passing.left_out.cast_signed(),
    ])?;
    Ok(())
}

/// Has the passing state of an actor, if there is one, stay.
fn keep(connection: &Connection, states: &mut States, n: i64) -> rusqlite::Result<()> {
    let sql = "SELECT hash, bytes FROM passing WHERE actor = ? AND hash IS NOT NULL";
    let row = |row: &rusqlite::Row<'_>| Ok((rows::digest(row, 0)?, row.get::<_, Vec<u8>>(1)?));
    let Some((hash, bytes)) = connection.prepare_cached(sql)?.query_row([n], row).optional()? else { return Ok(()) };
    states.add(connection, &hash, &bytes)?;
    connection.prepare_cached("UPDATE passing SET hash = NULL, bytes = NULL WHERE actor = ?")?.execute([n])?;
    Ok(())
}

/// Before what comes from elsewhere: the passing state of the actor stays, and how many of its states
/// are gone is not known any more.
pub(crate) fn import(connection: &Connection, states: &mut States, n: i64) -> rusqlite::Result<()> {
    keep(connection, states, n)?;
    let sql = "INSERT INTO passing (actor, thinned) VALUES (?, NULL) ON CONFLICT (actor) DO UPDATE SET thinned = NULL";
    connection.prepare_cached(sql)?.execute([n])?;
    Ok(())
}

/// The bytes of a passing state.
pub(crate) fn bytes(connection: &Connection, hash: &Digest) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM passing WHERE hash = ? LIMIT 1")?;
    statement.query_row([hash.as_bytes()], |row| row.get(0)).optional()
}

/// How many states of an actor are gone; `None`: it is not known.
pub(crate) fn thinned(connection: &Connection, actor: TheaterId) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT thinned FROM passing WHERE actor = (SELECT n FROM actors WHERE id = ?)";
    let row = |row: &rusqlite::Row<'_>| row.get::<_, Option<i64>>(0);
    let found = connection.prepare_cached(sql)?.query_row([actor.as_bytes()], row).optional()?;
    Ok(found.map_or(Some(0), |thinned| thinned.map(i64::cast_unsigned)))
}
