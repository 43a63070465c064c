//! Dropping the older events of a chain; that their bytes go from the file, too, is for who commits.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use theater_chain::TheaterId;

use crate::import;

/// Drops the events of the actor with the number `n` before `kept_from`. Payloads that others share
/// move to the first of these.
pub(crate) fn drop_events(connection: &Connection, n: i64, actor: TheaterId, kept_from: u64) -> rusqlite::Result<()> {
    connection
        .execute_batch("CREATE TEMP TABLE IF NOT EXISTS dropped (position INTEGER PRIMARY KEY); DELETE FROM dropped")?;
    let sql = "INSERT INTO dropped SELECT position FROM events WHERE actor = ? AND seq < ?";
    connection.execute(sql, params![n, kept_from.cast_signed()])?;
    bequeath(connection)?;
    let sql = "UPDATE pending SET payload_at = NULL,
            salt = (SELECT salt FROM events WHERE position = pending.payload_at),
            payload = (SELECT payload FROM events WHERE position = pending.payload_at)
        WHERE payload_at IN (SELECT position FROM dropped)";
    connection.execute(sql, [])?;
    connection.execute("DELETE FROM events WHERE position IN (SELECT position FROM dropped)", [])?;
    let sql = "UPDATE events SET previous = NULL WHERE actor = ? AND seq = ?";
    connection.execute(sql, params![n, kept_from.cast_signed()])?;
    import::keep_from(connection, actor, kept_from)?;
    connection.execute_batch("DELETE FROM dropped")
}

/// Gives each payload of a dropped event to the first kept one that has the same.
fn bequeath(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "SELECT position, payload_at FROM events
        WHERE payload_at IN (SELECT position FROM dropped) AND position NOT IN (SELECT position FROM dropped)
        ORDER BY position";
    let mut statement = connection.prepare(sql)?;
    let heirs = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let heirs = heirs.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut first: HashMap<i64, i64> = HashMap::new();
    for (position, at) in heirs {
        match first.get(&at) {
            Some(heir) => {
                connection
                    .prepare_cached("UPDATE events SET payload_at = ? WHERE position = ?")?
                    .execute([heir, &position])?;
            }
            None => {
                let sql = "UPDATE events SET payload_at = NULL,
                        salt = (SELECT salt FROM events WHERE position = ?1),
                        payload = (SELECT payload FROM events WHERE position = ?1)
                    WHERE position = ?2";
                connection.prepare_cached(sql)?.execute([at, position])?;
                first.insert(at, position);
            }
        }
    }
    Ok(())
}
