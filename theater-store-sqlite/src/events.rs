//! Reading events of one chain.
//!
//! From an event that an index finds, or from the head, each event leads to the one before. Where
//! these links are broken, a single event is still found by a search, so that verification can say
//! which event is damaged.

use std::borrow::Cow;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use theater_chain::data::EVENT_TYPES;
use theater_chain::{ChainEvent, Digest, PAGE_BYTES, Payload, StoreError, TheaterId};

use crate::error::store_error;
use crate::rows;
use crate::schema::INDEXED_EVERY;

/// A chain, as the table of actors has it.
struct Chain<'c> {
    connection: &'c Connection,
    id: TheaterId,
    n: i64,
    head_seq: u64,
    head_position: i64,
    kept_from: u64,
}

/// Where an event stands.
struct Place {
    actor: i64,
    seq: u64,
    previous: Option<i64>,
}

/// Events of one stretch of a chain, or as many of its first as there was room for.
struct Stretch {
    events: Vec<ChainEvent>,
    bytes: usize,
}

/// The seq of the first event of a chain that is kept.
pub(crate) fn kept_from(connection: &Connection, id: TheaterId) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT kept_from FROM pruned WHERE actor = ?")?;
    Ok(statement.query_row([id.as_bytes()], |row| rows::unsigned(row, 0)).optional()?.unwrap_or(0))
}

/// A page: up to `max` events of a chain from `from` on. Within one transaction.
pub(crate) fn events(
    connection: &Connection,
    id: TheaterId,
    from: u64,
    max: usize,
) -> Result<Vec<ChainEvent>, StoreError> {
    let sql = "SELECT n, head_seq, head_position,
            coalesce((SELECT kept_from FROM pruned WHERE pruned.actor = actors.id), 0)
        FROM actors WHERE id = ?";
    let chain = connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            let chain = |row: &Row<'_>| {
                let head_seq = rows::unsigned(row, 1)?;
                let (n, head_position, kept_from) = (row.get(0)?, row.get(2)?, rows::unsigned(row, 3)?);
                Ok(Chain { connection, id, n, head_seq, head_position, kept_from })
            };
            statement.query_row([id.as_bytes()], chain).optional()
        })
        .map_err(store_error)?;
    match chain {
        Some(chain) if max > 0 && from <= chain.head_seq => chain.page(from.max(chain.kept_from), max),
        _ => Ok(Vec::new()),
    }
}

impl Chain<'_> {
    fn page(&self, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError> {
        let last = from.saturating_add(max as u64 - 1).min(self.head_seq);
        if let Some(events) = self.linked(from, last)? {
            return Ok(events);
        }
        if max > 1 {
            return Err(self.damaged(from, "or one after it: its links in the database are broken"));
        }
        if from == self.head_seq && self.place(self.head_position)?.is_none_or(|place| !self.is_at(&place, from)) {
            return Err(self.damaged(from, "it is not where the stored head is said to be"));
        }
        let Some(position) = self.search(from)? else {
            return Ok(Vec::new());
        };
        match self.event(position, from)? {
            Some((place, event)) if self.follows(&place)? => Ok(vec![event]),
            _ => Err(self.damaged(from, "its link to the event before is broken")),
        }
    }

    /// The events by their links until the page is full, or `None` where one of these is broken.
    fn linked(&self, from: u64, last: u64) -> Result<Option<Vec<ChainEvent>>, StoreError> {
        let (mut page, mut bytes, mut next) = (Vec::new(), 0, from);
        while next <= last && bytes <= PAGE_BYTES {
            // Up to an event that the index finds: links lead back only, from there to `next`.
            let upto = next.next_multiple_of(INDEXED_EVERY).min(last);
            let Some(mut stretch) = self.walk(next, upto, PAGE_BYTES - bytes)? else { return Ok(None) };
            bytes += stretch.bytes;
            next += stretch.events.len() as u64;
            page.append(&mut stretch.events);
        }
        Ok(Some(page))
    }

    /// The events `from` to `last`; those that follow the one that takes them over `room` bytes are
    /// left out.
    fn walk(&self, from: u64, last: u64, room: usize) -> Result<Option<Stretch>, StoreError> {
        let (mut seq, mut position) = self.anchor(last)?;
        while seq > last {
            let place = self.place(position)?.filter(|place| self.is_at(place, seq));
            let Some(previous) = place.and_then(|place| place.previous) else { return Ok(None) };
            (seq, position) = (seq - 1, previous);
        }
        let mut stretch = Stretch { events: Vec::new(), bytes: 0 };
        let mut positions = Vec::new();
        let first = loop {
            positions.push(position);
            let place = if stretch.bytes <= room {
                let Some((place, event)) = self.event(position, seq)? else { return Ok(None) };
                stretch.bytes += event.content_len();
                stretch.events.push(event);
                place
            } else {
                let Some(place) = self.place(position)?.filter(|place| self.is_at(place, seq)) else { return Ok(None) };
                place
            };
            if seq == from {
                break place;
            }
            let Some(previous) = place.previous else { return Ok(None) };
            (seq, position) = (seq - 1, previous);
        };
        if !self.follows(&first)? {
            return Ok(None);
        }
        if stretch.bytes > room {
            drop(stretch);
            return self.first_of(from, &positions, room);
        }
        stretch.events.reverse();
        Ok(Some(stretch))
    }

    /// The events from `from` on at `positions`, of which the last is the first event's, up to the
    /// one that takes them over `room` bytes.
    fn first_of(&self, from: u64, positions: &[i64], room: usize) -> Result<Option<Stretch>, StoreError> {
        let mut stretch = Stretch { events: Vec::new(), bytes: 0 };
        for (seq, position) in (from..).zip(positions.iter().rev()) {
            let Some((_, event)) = self.event(*position, seq)? else { return Ok(None) };
            stretch.bytes += event.content_len();
            stretch.events.push(event);
            if stretch.bytes > room {
                break;
            }
        }
        Ok(Some(stretch))
    }

    /// An event at or after `last` whose position is known.
    fn anchor(&self, last: u64) -> Result<(u64, i64), StoreError> {
        let head = (self.head_seq, self.head_position);
        let Some(seq) = last.checked_next_multiple_of(INDEXED_EVERY).filter(|seq| *seq < self.head_seq) else {
            return Ok(head);
        };
        // No event is there that the index should know: the walk from the head finds out.
        Ok(self.indexed(seq)?.map_or(head, |position| (seq, position)))
    }

    fn indexed(&self, seq: u64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT position FROM events WHERE actor = ? AND seq = ? AND seq % 64 = 0";
        let query = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row(params![self.n, seq.cast_signed()], |row| row.get(0)).optional()
        };
        query().map_err(store_error)
    }

    /// The position of one event, among all those after the one that the index finds before it.
    fn search(&self, seq: u64) -> Result<Option<i64>, StoreError> {
        let after = self.indexed(seq - seq % INDEXED_EVERY)?.unwrap_or(i64::MIN);
        let sql = "SELECT position FROM events NOT INDEXED WHERE position >= ? AND actor = ? AND seq = ? LIMIT 1";
        let query = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row(params![after, self.n, seq.cast_signed()], |row| row.get(0)).optional()
        };
        query().map_err(store_error)
    }

    fn place(&self, position: i64) -> Result<Option<Place>, StoreError> {
        let query = || {
            let sql = "SELECT actor, seq, previous FROM events WHERE position = ?";
            self.connection.prepare_cached(sql)?.query_row([position], place).optional()
        };
        query().map_err(store_error)
    }

    fn is_at(&self, place: &Place, seq: u64) -> bool {
        (place.actor, place.seq) == (self.n, seq)
    }

    /// Whether the link to the event before leads there.
    fn follows(&self, place: &Place) -> Result<bool, StoreError> {
        let before = place.seq.checked_sub(1).filter(|_| place.seq != self.kept_from);
        Ok(match (place.previous, before) {
            (None, None) => true,
            (Some(position), Some(seq)) => self.place(position)?.is_some_and(|place| self.is_at(&place, seq)),
            _ => false,
        })
    }

    /// The event at `position`; `None` if it is not this chain's with that seq.
    fn event(&self, position: i64, seq: u64) -> Result<Option<(Place, ChainEvent)>, StoreError> {
        let named = |error| match store_error(error) {
            StoreError::Damaged(reason) => self.damaged(seq, &reason),
            other => other,
        };
        let read = |row: &Row<'_>| {
            let place = place(row)?;
            if !self.is_at(&place, seq) {
                return Ok(None);
            }
            Ok(Some((place, event(row)?, row.get(PAYLOAD_AT)?)))
        };
        let query = || {
            let sql = "SELECT actor, seq, previous, event_type, timestamp, parent_hash, hash, payload_commit, data,
                salt, payload, payload_at FROM events WHERE position = ?";
            self.connection.prepare_cached(sql)?.query_row([position], read).optional()
        };
        let found: Option<(Place, ChainEvent, Option<i64>)> = query().map_err(named)?.flatten();
        let Some((place, mut event, payload_at)) = found else { return Ok(None) };
        if let (Some(commit), Some(position)) = (event.payload_commit, payload_at) {
            event.payload = match payload_of(self.connection, position, commit).map_err(named)? {
                Elsewhere::Payload(payload) => Some(payload),
                Elsewhere::Erased => None,
                Elsewhere::Missing => {
                    return Err(self.damaged(seq, "its payload is not where it should be"));
                }
            };
        }
        Ok(Some((place, event)))
    }

    fn damaged(&self, seq: u64, reason: &str) -> StoreError {
        StoreError::Damaged(format!("event {seq} of {}: {reason}", self.id))
    }
}

const PAYLOAD_AT: usize = 11;

/// From the columns `actor, seq, previous`.
fn place(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place { actor: row.get(0)?, seq: rows::bits(row, 1)?, previous: row.get(2)? })
}

/// From the columns that follow.
fn event(row: &Row<'_>) -> rusqlite::Result<ChainEvent> {
    let payload_commit = rows::opt_digest(row, 7)?;
    let event_type = rows::lossy_text(row, 3)?;
    Ok(ChainEvent {
        seq: rows::bits(row, 1)?,
        parent_hash: rows::digest(row, 5)?,
        event_type: match EVENT_TYPES.iter().find(|known| **known == event_type) {
            Some(known) => Cow::Borrowed(known),
            None => Cow::Owned(event_type),
        },
        timestamp: rows::bits(row, 4)?,
        data: row.get::<_, Vec<u8>>(8)?.into(),
        payload_commit,
        payload: payload(row, payload_commit, 9)?,
        hash: rows::digest(row, 6)?,
    })
}

/// The payload from two columns of a row, salt and bytes.
pub(crate) fn payload(row: &Row<'_>, commit: Option<Digest>, salt: usize) -> rusqlite::Result<Option<Payload>> {
    match commit {
        Some(commit) if !rows::is_null(row, salt + 1)? => {
            let bytes = Bytes::from(row.get::<_, Vec<u8>>(salt + 1)?);
            Ok(Some(Payload::from_stored(commit, rows::salt(row, salt)?, bytes)))
        }
        _ => Ok(None),
    }
}

/// What is found of a payload that another event holds.
pub(crate) enum Elsewhere {
    Payload(Payload),
    Erased,
    Missing,
}

/// The payload that the event at `position` holds.
pub(crate) fn payload_of(connection: &Connection, position: i64, commit: Digest) -> rusqlite::Result<Elsewhere> {
    let sql = "SELECT payload_commit, salt, payload FROM events WHERE position = ? AND payload_at IS NULL";
    let found = connection
        .prepare_cached(sql)?
        .query_row([position], |row| {
            let held = rows::opt_digest(row, 0)?;
            Ok((held, payload(row, held, 1)?))
        })
        .optional()?;
    Ok(match found {
        Some((Some(held), None)) if held == commit => Elsewhere::Erased,
        Some((Some(held), Some(payload))) if held == commit => Elsewhere::Payload(payload),
        _ => Elsewhere::Missing,
    })
}
