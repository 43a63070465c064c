//! Writing one commit into an open transaction.

use std::collections::{HashMap, HashSet, VecDeque};

use rusqlite::{Connection, OptionalExtension as _, params};
use theater_chain::{
    ActorUpdate, Answered, ChainEvent, Commit, Digest, DroppedEvents, Head, PendingMessage, StoreError, TheaterId,
    Upgraded,
};

use crate::error::store_error;
use crate::head_log;
use crate::passing;
use crate::prune;
use crate::rows;
use crate::states::States;

/// How many actors' heads are remembered.
const MAX_ACTORS: usize = 1 << 16;
/// How many payloads are remembered, so that a second event with one refers to the first.
const MAX_PAYLOADS: usize = 1 << 12;

/// What the writer remembers of the store. It is right because nobody else writes; after a
/// transaction that was undone it must be loaded anew.
#[derive(Debug)]
pub(crate) struct Appender {
    actors: HashMap<TheaterId, Known>,
    next_actor: i64,
    next_position: i64,
    /// How many entries the log of heads has.
    logged: u64,
    payloads: RecentPayloads,
    states: States,
}

/// An actor, as the writer knows it: its number, its newest event and where that is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) n: i64,
    pub(crate) head: Head,
    pub(crate) position: i64,
}

impl Appender {
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let next = |sql| connection.query_row(sql, [], |row| row.get(0));
        Ok(Self {
            actors: HashMap::new(),
            next_actor: next("SELECT coalesce(max(n), 0) + 1 FROM actors")?,
            next_position: next("SELECT coalesce(max(position), 0) + 1 FROM events")?,
            logged: head_log::size(connection)?,
            payloads: RecentPayloads::default(),
            states: States::load(connection)?,
        })
    }

    /// Why this commit cannot be appended, if so. Nothing was written then, and the transaction
    /// can go on; an error means that it must be undone.
    pub(crate) fn refusal(
        &mut self,
        connection: &Connection,
        commit: &Commit,
    ) -> Result<Option<StoreError>, StoreError> {
        let checked = commit
            .check(|actor| Ok(self.known(connection, actor).map_err(store_error)?.map(|known| known.head)))
            .and_then(|_| self.check_pending(connection, commit))
            .and_then(|()| commit.check_tree(self.logged));
        match checked {
            Ok(()) => Ok(None),
            Err(refusal @ (StoreError::Conflict { .. } | StoreError::Invalid { .. } | StoreError::OtherLog { .. })) => {
                Ok(Some(refusal))
            }
            Err(error) => Err(error),
        }
    }

    fn check_pending(&self, connection: &Connection, commit: &Commit) -> Result<(), StoreError> {
        if commit.pending_added.iter().all(|message| message.payload.is_some()) {
            return commit.check_pending(|_| Ok(false));
        }
        let here: HashSet<Digest> = commit.events.iter().filter_map(|(_, event)| event.payload_commit).collect();
        commit.check_pending(|wanted| {
            let found =
                here.contains(&wanted) || self.payloads.find(connection, &wanted).map_err(store_error)?.is_some();
            Ok(found)
        })
    }

    /// Writes a commit that is not refused.
    pub(crate) fn write(&mut self, connection: &Connection, commit: &Commit) -> rusqlite::Result<()> {
        let mut known: HashMap<TheaterId, Option<Known>> = HashMap::with_capacity(commit.actors.len());
        for update in &commit.actors {
            known.insert(update.id, self.known(connection, update.id)?);
        }
        for (id, event) in &commit.events {
            let before = known.get(id).copied().flatten();
            let n = match before {
                Some(before) => before.n,
                None => self.new_actor(),
            };
            let position = self.next_position();
            self.write_event(connection, n, position, before.map(|before| before.position), event)?;
            step!();
            known.insert(*id, Some(Known { n, head: event.head(), position }));
        }
        for update in &commit.actors {
            if let Some(known) = known.get(&update.id).copied().flatten() {
                self.write_actor(connection, update, known)?;
                step!();
            }
        }
        self.write_contents(connection, commit)?;
        for passing in &commit.passing {
            if let Some(known) = known.get(&passing.actor).copied().flatten() {
                passing::write(connection, &mut self.states, known.n, passing)?;
                step!();
            }
        }
        if let Some(update) = &commit.tree {
            head_log::append(connection, update, self.next_position - 1)?;
            self.logged = update.tree.size();
            step!();
        }
        self.write_messages(connection, commit)?;
        if !commit.erased.is_empty() {
            self.erase(connection, &commit.erased)?;
        }
        if commit.dropped.is_empty() { Ok(()) } else { self.drop_old(connection, &commit.dropped) }
    }

    /// The number of an actor that is new.
    pub(crate) fn new_actor(&mut self) -> i64 {
        self.next_actor += 1;
        self.next_actor - 1
    }

    /// The position of the next event.
    pub(crate) fn next_position(&mut self) -> i64 {
        self.next_position += 1;
        self.next_position - 1
    }

    pub(crate) fn write_actor(
        &mut self,
        connection: &Connection,
        update: &ActorUpdate,
        known: Known,
    ) -> rusqlite::Result<()> {
        write_actor(connection, update, known)?;
        if self.actors.len() > MAX_ACTORS {
            self.actors.clear();
        }
        self.actors.insert(update.id, known);
        Ok(())
    }

    pub(crate) fn known(&mut self, connection: &Connection, actor: TheaterId) -> rusqlite::Result<Option<Known>> {
        if let Some(known) = self.actors.get(&actor) {
            return Ok(Some(*known));
        }
        let sql = "SELECT n, head_seq, head_hash, head_position FROM actors WHERE id = ?";
        let found = connection
            .prepare_cached(sql)?
            .query_row([actor.as_bytes()], |row| {
                let head = Head { seq: rows::unsigned(row, 1)?, hash: rows::digest(row, 2)? };
                Ok(Known { n: row.get(0)?, head, position: row.get(3)? })
            })
            .optional()?;
        if let Some(known) = found {
            self.actors.insert(actor, known);
        }
        Ok(found)
    }

    pub(crate) fn write_event(
        &mut self,
        connection: &Connection,
        actor: i64,
        position: i64,
        previous: Option<i64>,
        event: &ChainEvent,
    ) -> rusqlite::Result<()> {
        let elsewhere = event.payload_commit.and_then(|commit| self.payloads.recent(&commit));
        let here = event.payload.as_ref().filter(|_| elsewhere.is_none());
        let sql = "INSERT INTO events (position, actor, seq, previous, event_type, timestamp, parent_hash, hash,
                payload_commit, payload_at, data, salt, payload)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        connection.prepare_cached(sql)?.execute(params![
            position,
            actor,
            event.seq.cast_signed(),
            previous,
            &*event.event_type,
            event.timestamp.cast_signed(),
            event.parent_hash.as_bytes(),
            event.hash.as_bytes(),
            event.payload_commit.as_ref().map(Digest::as_bytes),
            elsewhere,
            &event.data[..],
            here.map(|payload| &payload.salt()[..]),
            here.map(|payload| &payload.bytes()[..]),
        ])?;
        if let Some(payload) = here {
            self.payloads.remember(payload.commit(), position);
        }
        Ok(())
    }

    fn write_contents(&mut self, connection: &Connection, commit: &Commit) -> rusqlite::Result<()> {
        for (hash, bytes) in &commit.states {
            self.write_state(connection, hash, bytes)?;
            step!();
        }
        for (digest, bytes) in &commit.components {
            self.write_component(connection, digest, bytes)?;
        }
        for (digest, bytes) in &commit.manifests {
            self.write_manifest(connection, digest, bytes)?;
        }
        Ok(())
    }

    /// Erases payloads; that their bytes go from the file, too, is for who commits.
    fn erase(&mut self, connection: &Connection, payloads: &[Digest]) -> rusqlite::Result<()> {
        for commit in payloads {
            for table in ["events", "pending"] {
                let sql = format!("UPDATE {table} SET salt = NULL, payload = NULL WHERE payload_commit = ?");
                connection.prepare(&sql)?.execute([commit.as_bytes()])?;
            }
            connection.execute("INSERT OR IGNORE INTO erased (payload_commit) VALUES (?)", [commit.as_bytes()])?;
        }
        self.payloads = RecentPayloads::default();
        Ok(())
    }

    /// Drops old events and states.
    fn drop_old(&mut self, connection: &Connection, dropped: &[DroppedEvents]) -> rusqlite::Result<()> {
        for DroppedEvents { actor, kept_from, states } in dropped {
            if let Some(known) = self.known(connection, *actor)? {
                prune::drop_events(connection, known.n, *actor, *kept_from)?;
            }
            for state in states {
                self.states.remove(connection, state)?;
            }
        }
        self.payloads = RecentPayloads::default();
        self.states = States::load(connection)?;
        Ok(())
    }

    pub(crate) fn write_state(&mut self, connection: &Connection, hash: &Digest, bytes: &[u8]) -> rusqlite::Result<()> {
        self.states.add(connection, hash, bytes)
    }

    /// Before events of an actor come from elsewhere.
    pub(crate) fn import_states(&mut self, connection: &Connection, n: i64) -> rusqlite::Result<()> {
        passing::import(connection, &mut self.states, n)
    }

    pub(crate) fn write_component(
        &self,
        connection: &Connection,
        digest: &Digest,
        bytes: &[u8],
    ) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO components (digest, bytes) VALUES (?, ?)";
        connection.prepare_cached(sql)?.execute(params![digest.as_bytes(), bytes])?;
        Ok(())
    }

    pub(crate) fn write_manifest(
        &self,
        connection: &Connection,
        digest: &Digest,
        bytes: &[u8],
    ) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO manifests (digest, bytes) VALUES (?, ?)";
        connection.prepare_cached(sql)?.execute(params![digest.as_bytes(), bytes])?;
        Ok(())
    }

    fn write_messages(&self, connection: &Connection, commit: &Commit) -> rusqlite::Result<()> {
        for message in &commit.pending_added {
            self.write_pending(connection, message)?;
            step!();
        }
        for message_id in &commit.pending_removed {
            connection.prepare_cached("DELETE FROM pending WHERE message_id = ?")?.execute([message_id])?;
            step!();
        }
        for answered in &commit.answered {
            self.write_answered(connection, answered)?;
            step!();
        }
        Ok(())
    }

    pub(crate) fn write_answered(&self, connection: &Connection, answered: &Answered) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO answered (message_id, actor, seq) VALUES (?, ?, ?)";
        let (actor, seq) = (answered.actor.as_bytes(), answered.seq.cast_signed());
        connection.prepare_cached(sql)?.execute(params![answered.message_id, actor, seq])?;
        Ok(())
    }

    pub(crate) fn write_pending(&self, connection: &Connection, message: &PendingMessage) -> rusqlite::Result<()> {
        let at = match &message.payload {
            Some(_) => None,
            None => self.payloads.find(connection, &message.payload_commit)?,
        };
        let sql = "INSERT OR IGNORE INTO pending (message_id, receiver, interface, function, payload_commit,
                payload_at, salt, payload, cause)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        connection.prepare_cached(sql)?.execute(params![
            message.message_id,
            message.receiver.as_bytes(),
            message.interface,
            message.function,
            message.payload_commit.as_bytes(),
            at,
            message.payload.as_ref().map(|payload| &payload.salt()[..]),
            message.payload.as_ref().map(|payload| &payload.bytes()[..]),
            message.cause.as_ref().map(Digest::as_bytes),
        ])?;
        Ok(())
    }
}

fn write_actor(connection: &Connection, update: &ActorUpdate, known: Known) -> rusqlite::Result<()> {
    let sql = match update.expected {
        None => {
            "INSERT INTO actors (parent, name, manifest_path, incarnation, started, ended, state, head_seq,
                head_hash, head_position, n, id)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        }
        Some(_) => {
            "UPDATE actors SET parent = ?, name = ?, manifest_path = ?, incarnation = ?, started = ?, ended = ?,
                state = ?, head_seq = ?, head_hash = ?, head_position = ?
            WHERE n = ? AND id = ?"
        }
    };
    let index = &update.index;
    connection.prepare_cached(sql)?.execute(params![
        index.parent.as_ref().map(|parent| &parent.as_bytes()[..]),
        index.name,
        index.manifest_path,
        index.incarnation,
        index.started.cast_signed(),
        index.ended.map(u64::cast_signed),
        index.state.as_bytes(),
        known.head.seq.cast_signed(),
        known.head.hash.as_bytes(),
        known.position,
        known.n,
        update.id.as_bytes(),
    ])?;
    if let Some(Upgraded { seq, component, version }) = &index.upgraded {
        let sql = "INSERT INTO upgrades (actor, seq, component, version) VALUES (?, ?, ?, ?)
            ON CONFLICT (actor) DO UPDATE SET seq = excluded.seq, component = excluded.component,
                version = excluded.version WHERE seq <> excluded.seq";
        let row = params![known.n, seq.cast_signed(), component.as_bytes(), &**version];
        connection.prepare_cached(sql)?.execute(row)?;
    }
    Ok(())
}

/// The positions of the payloads that were written last.
#[derive(Debug, Default)]
struct RecentPayloads {
    positions: HashMap<Digest, i64>,
    age: VecDeque<Digest>,
}

impl RecentPayloads {
    fn recent(&self, commit: &Digest) -> Option<i64> {
        self.positions.get(commit).copied()
    }

    /// Also among all others, newest first. That is slow and rare: a message's payload is one of
    /// the newest, unless the process was restarted in between.
    fn find(&self, connection: &Connection, commit: &Digest) -> rusqlite::Result<Option<i64>> {
        if let Some(position) = self.recent(commit) {
            return Ok(Some(position));
        }
        let sql = "SELECT position FROM events WHERE payload_commit = ? AND payload IS NOT NULL
            ORDER BY position DESC LIMIT 1";
        connection.prepare_cached(sql)?.query_row([commit.as_bytes()], |row| row.get(0)).optional()
    }

    fn remember(&mut self, commit: Digest, position: i64) {
        if self.age.len() == MAX_PAYLOADS {
            self.age.pop_front().and_then(|oldest| self.positions.remove(&oldest));
        }
        self.age.push_back(commit);
        self.positions.insert(commit, position);
    }
}
