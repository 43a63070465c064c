//! Taking in a record from elsewhere, in one transaction of any size.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use theater_chain::note::PublicKey;
use theater_chain::{
    ActorCheckpoint, ActorUpdate, Answered, ChainEvent, Digest, Head, ImportPart, ImportParts, ImportedActor,
    StoreError, TheaterId,
};

use crate::batch::{Appender, Known};
use crate::error::store_error;

/// Writes all parts; an error means that the transaction must be undone.
pub(crate) fn import(connection: &Connection, appender: &mut Appender, parts: ImportParts) -> Result<(), StoreError> {
    let mut import = Import { connection, appender, erased: erased(connection).map_err(store_error)?, open: None };
    for part in parts {
        import.part(part?)?;
    }
    import.close()
}

/// The commits of payloads that were erased here: their copies from elsewhere do not come back.
fn erased(connection: &Connection) -> rusqlite::Result<HashSet<Digest>> {
    let mut statement = connection.prepare_cached("SELECT payload_commit FROM erased")?;
    let commits = statement.query_map([], |row| crate::rows::digest(row, 0))?;
    commits.collect()
}

struct Import<'c> {
    connection: &'c Connection,
    appender: &'c mut Appender,
    erased: HashSet<Digest>,
    open: Option<Open>,
}

/// The actor whose events come.
struct Open {
    actor: ImportedActor,
    n: i64,
    /// The newest of its events that is stored, and where.
    head: Option<Head>,
    position: Option<i64>,
}

impl Import<'_> {
    fn part(&mut self, part: ImportPart) -> Result<(), StoreError> {
        match part {
            ImportPart::Component(digest, bytes) => {
                self.appender.write_component(self.connection, &digest, &bytes).map_err(store_error)
            }
            ImportPart::Manifest(digest, bytes) => {
                self.appender.write_manifest(self.connection, &digest, &bytes).map_err(store_error)
            }
            ImportPart::State(hash, bytes) => {
                self.appender.write_state(self.connection, &hash, &bytes).map_err(store_error)
            }
            ImportPart::Actor(actor) => {
                self.close()?;
                self.actor(actor)
            }
            ImportPart::Events(events) => self.events(events),
            ImportPart::Checkpoint(id, checkpoint) => {
                write_checkpoint(self.connection, id, &checkpoint).map_err(store_error)
            }
            ImportPart::Pending(mut message) => {
                if self.erased.contains(&message.payload_commit) {
                    message.payload = None;
                }
                self.appender.write_pending(self.connection, &message).map_err(store_error)
            }
            ImportPart::Answered(answered) => write_answered(self.connection, &answered).map_err(store_error),
            _ => Err(StoreError::Unsupported("importing what this bundle holds")),
        }
    }

    fn actor(&mut self, actor: ImportedActor) -> Result<(), StoreError> {
        let (id, expected) = (actor.entry.id, actor.expected);
        let known = self.appender.known(self.connection, id).map_err(store_error)?;
        let stored = known.map(|known| known.head);
        if stored != expected {
            return Err(StoreError::Conflict { actor: id, expected, stored });
        }
        let n = match known {
            Some(known) => known.n,
            None => self.appender.new_actor(),
        };
        self.leave_out(&actor).map_err(store_error)?;
        self.appender.import_states(self.connection, n).map_err(store_error)?;
        self.open = Some(Open { actor, n, head: expected, position: known.map(|known| known.position) });
        Ok(())
    }

    /// The messages that waited here for it, and which of its children come without their chains.
    fn leave_out(&self, actor: &ImportedActor) -> rusqlite::Result<()> {
        let id = actor.entry.id;
        self.connection.prepare_cached("DELETE FROM pending WHERE receiver = ?")?.execute([id.as_bytes()])?;
        self.connection.prepare_cached("DELETE FROM left_out WHERE actor = ?")?.execute([id.as_bytes()])?;
        let sql = "INSERT OR IGNORE INTO left_out (actor) SELECT ?1 WHERE NOT EXISTS
            (SELECT 1 FROM actors WHERE id = ?1)";
        for child in &actor.left_out {
            self.connection.prepare_cached(sql)?.execute([child.as_bytes()])?;
        }
        Ok(())
    }

    fn events(&mut self, events: Vec<ChainEvent>) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.head = open.actor.follow(open.head, &events)?;
        for mut event in events {
            if event.payload_commit.is_some_and(|commit| self.erased.contains(&commit)) {
                event.payload = None;
            }
            let position = self.appender.next_position();
            self.appender.write_event(self.connection, open.n, position, open.position, &event).map_err(store_error)?;
            open.position = Some(position);
        }
        Ok(())
    }

    /// Enters the actor whose events were all there.
    fn close(&mut self) -> Result<(), StoreError> {
        let Some(Open { actor, n, head, position }) = self.open.take() else { return Ok(()) };
        actor.complete(head)?;
        let Some(position) = position else { return actor.complete(None) };
        let ImportedActor { entry, expected, kept_from, .. } = actor;
        let update = ActorUpdate { id: entry.id, expected, index: entry.index };
        let known = Known { n, head: entry.head, position };
        self.appender.write_actor(self.connection, &update, known).map_err(store_error)?;
        if expected.is_none() && kept_from > 0 {
            keep_from(self.connection, entry.id, kept_from).map_err(store_error)?;
        }
        Ok(())
    }
}

/// A message that an actor from elsewhere answered. What is known here of another actor's stays: ids of two
/// hosts may be the same.
fn write_answered(connection: &Connection, answered: &Answered) -> rusqlite::Result<()> {
    let sql = "INSERT INTO answered (message_id, actor, seq) VALUES (?, ?, ?)
        ON CONFLICT (message_id) DO UPDATE SET seq = excluded.seq WHERE actor = excluded.actor";
    let (actor, seq) = (answered.actor.as_bytes(), answered.seq.cast_signed());
    connection.prepare_cached(sql)?.execute(params![answered.message_id, actor, seq])?;
    Ok(())
}

/// What a host signed of an actor's chain; an older one does not replace a newer one.
fn write_checkpoint(connection: &Connection, actor: TheaterId, checkpoint: &ActorCheckpoint) -> rusqlite::Result<()> {
    let sql = "INSERT INTO checkpoints (actor, key, size, note) VALUES (?, ?, ?, ?)
        ON CONFLICT (actor, key) DO UPDATE SET size = excluded.size, note = excluded.note WHERE excluded.size > size";
    let (key, size) = (checkpoint.key.as_bytes(), checkpoint.size.cast_signed());
    connection.prepare_cached(sql)?.execute(params![actor.as_bytes(), key, size, checkpoint.note])?;
    Ok(())
}

/// What hosts signed of an actor's chain, by key.
pub(crate) fn checkpoints(connection: &Connection, actor: TheaterId) -> Result<Vec<ActorCheckpoint>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT key, note FROM checkpoints WHERE actor = ? ORDER BY key")
        .map_err(store_error)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, crate::rows::lossy_text(row, 1)?));
    let rows = statement.query_map([actor.as_bytes()], row).map_err(store_error)?;
    rows.map(|row| {
        let (key, note) = row.map_err(store_error)?;
        let damaged =
            |why: &str| StoreError::Damaged(format!("a checkpoint of the chain of {actor} is not right: {why}"));
        let key: [u8; 32] = key[..].try_into().map_err(|_| damaged("its key is not 32 bytes"))?;
        let key = PublicKey::of_host(&key).map_err(|error| damaged(&error.to_string()))?;
        ActorCheckpoint::new(key, actor, note).map_err(|error| damaged(&error.to_string()))
    })
    .collect()
}

/// Notes that the events of an actor before this one are not there.
pub(crate) fn keep_from(connection: &Connection, actor: TheaterId, seq: u64) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO pruned (actor, kept_from) VALUES (?, ?)";
    connection.prepare_cached(sql)?.execute(params![actor.as_bytes(), seq.cast_signed()])?;
    Ok(())
}

/// Whether a child came without its chain.
pub(crate) fn is_left_out(connection: &Connection, actor: TheaterId) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM left_out WHERE actor = ?")?;
    Ok(statement.query_row([actor.as_bytes()], |_| Ok(())).optional()?.is_some())
}
