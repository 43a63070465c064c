//! Reading pending messages and answers.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};
use theater_chain::{Answered, PendingMessage, StoreError, TheaterId};

use crate::error::store_error;
use crate::events::{self, Elsewhere};
use crate::rows;

/// Messages that were sent and not begun, oldest first. Within one transaction.
pub(crate) fn pending(
    connection: &Connection,
    receiver: Option<TheaterId>,
    max: usize,
) -> Result<Vec<PendingMessage>, StoreError> {
    let only = if receiver.is_some() { "WHERE receiver = ?" } else { "" };
    let sql = format!(
        "SELECT message_id, receiver, interface, function, payload_commit, payload_at, salt, payload, cause
        FROM pending {only} ORDER BY n LIMIT ?"
    );
    let receiver = receiver.map(|id| Value::Blob(id.as_bytes().to_vec()));
    let limit = Value::Integer(i64::try_from(max).unwrap_or(i64::MAX));
    let query = || {
        let mut statement = connection.prepare_cached(&sql)?;
        let messages = statement.query_map(params_from_iter(receiver.into_iter().chain([limit])), message)?;
        messages.collect::<rusqlite::Result<Vec<_>>>()
    };
    let messages = query().map_err(store_error)?;
    messages.into_iter().map(|(message, at)| with_payload(connection, message, at)).collect()
}

fn message(row: &Row<'_>) -> rusqlite::Result<(PendingMessage, Option<i64>)> {
    let payload_commit = rows::digest(row, 4)?;
    let message = PendingMessage {
        message_id: row.get(0)?,
        receiver: rows::id(row, 1)?,
        interface: row.get(2)?,
        function: row.get(3)?,
        payload_commit,
        payload: events::payload(row, Some(payload_commit), 6)?,
        cause: rows::opt_digest(row, 8)?,
    };
    Ok((message, row.get(5)?))
}

fn with_payload(
    connection: &Connection,
    mut message: PendingMessage,
    at: Option<i64>,
) -> Result<PendingMessage, StoreError> {
    if let Some(position) = at {
        match events::payload_of(connection, position, message.payload_commit).map_err(store_error)? {
            Elsewhere::Payload(payload) => message.payload = Some(payload),
            Elsewhere::Erased => {}
            Elsewhere::Missing => {
                let id = &message.message_id;
                return Err(StoreError::Damaged(format!("message {id}: its payload is not where it should be")));
            }
        }
    }
    Ok(message)
}

/// Messages that were answered, in the order of their ids, those after `after`.
pub(crate) fn answers(connection: &Connection, after: &str, max: usize) -> rusqlite::Result<Vec<Answered>> {
    let sql = "SELECT message_id, actor, seq FROM answered WHERE message_id > ? ORDER BY message_id LIMIT ?";
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map(rusqlite::params![after, limit], answer)?.collect()
}

fn answer(row: &Row<'_>) -> rusqlite::Result<Answered> {
    Ok(Answered { message_id: row.get(0)?, actor: rows::id(row, 1)?, seq: rows::unsigned(row, 2)? })
}

/// Where a message was answered.
pub(crate) fn answered(connection: &Connection, message_id: &str) -> rusqlite::Result<Option<Answered>> {
    let sql = "SELECT message_id, actor, seq FROM answered WHERE message_id = ?";
    connection.prepare_cached(sql)?.query_row([message_id], answer).optional()
}
