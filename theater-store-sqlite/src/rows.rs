//! Values as they stand in rows.
//!
//! Times are stored as the signed numbers with the same bits; seqs and counts fit without.

use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type, ValueRef};
use theater_chain::{ActorEntry, ActorIndex, Digest, Head, TheaterId, Upgraded};

type Result<T> = rusqlite::Result<T>;

pub(crate) fn digest(row: &Row<'_>, column: usize) -> Result<Digest> {
    parsed(row, column, |bytes| Digest::try_from(bytes).ok())
}

pub(crate) fn opt_digest(row: &Row<'_>, column: usize) -> Result<Option<Digest>> {
    if is_null(row, column)? { Ok(None) } else { digest(row, column).map(Some) }
}

pub(crate) fn id(row: &Row<'_>, column: usize) -> Result<TheaterId> {
    parsed(row, column, |bytes| TheaterId::try_from(bytes).ok())
}

pub(crate) fn salt(row: &Row<'_>, column: usize) -> Result<[u8; 16]> {
    parsed(row, column, |bytes| bytes.try_into().ok())
}

/// A text that is shown or hashed: what is no text any more becomes one that does not hash to the
/// recorded hash, so that verification finds it and names the event.
pub(crate) fn lossy_text(row: &Row<'_>, column: usize) -> Result<String> {
    match row.get_ref(column)? {
        ValueRef::Text(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        other => Err(rusqlite::Error::InvalidColumnType(column, name(row, column), other.data_type())),
    }
}

/// A seq or a count, which no store lets grow beyond what is signed.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64> {
    let value = row.get::<_, i64>(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// Any number of 64 bits: a time, or the seq of an event's own row, which verification holds against where it
/// stands.
pub(crate) fn bits(row: &Row<'_>, column: usize) -> Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(crate) fn is_null(row: &Row<'_>, column: usize) -> Result<bool> {
    Ok(row.get_ref(column)? == ValueRef::Null)
}

fn parsed<T>(row: &Row<'_>, column: usize, parse: impl Fn(&[u8]) -> Option<T>) -> Result<T> {
    let value = row.get_ref(column)?;
    let bytes = value
        .as_blob()
        .map_err(|_| rusqlite::Error::InvalidColumnType(column, name(row, column), value.data_type()))?;
    parse(bytes).ok_or_else(|| {
        let size = FromSqlError::InvalidBlobSize { expected_size: 0, blob_size: bytes.len() };
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(size))
    })
}

fn name(row: &Row<'_>, column: usize) -> String {
    row.as_ref().column_name(column).unwrap_or_default().to_owned()
}

/// What [`actor_entry`] reads.
pub(crate) const SELECT_ACTORS: &str = "SELECT id, head_seq, head_hash, parent, name, manifest_path, incarnation,
        started, ended, state, upgrades.seq, upgrades.component, upgrades.version
    FROM actors LEFT JOIN upgrades ON upgrades.actor = actors.n";

pub(crate) fn actor_entry(row: &Row<'_>) -> Result<ActorEntry> {
    Ok(ActorEntry {
        id: id(row, 0)?,
        head: Head { seq: unsigned(row, 1)?, hash: digest(row, 2)? },
        index: ActorIndex {
            parent: if is_null(row, 3)? { None } else { Some(id(row, 3)?) },
            name: lossy_text(row, 4)?,
            manifest_path: lossy_text(row, 5)?,
            incarnation: row.get(6)?,
            started: unsigned(row, 7)?,
            ended: row.get::<_, Option<i64>>(8)?.map(i64::cast_unsigned),
            state: digest(row, 9)?,
            upgraded: if is_null(row, 10)? { None } else { Some(upgraded(row)?) },
        },
    })
}

fn upgraded(row: &Row<'_>) -> Result<Upgraded> {
    Ok(Upgraded { seq: unsigned(row, 10)?, component: digest(row, 11)?, version: lossy_text(row, 12)?.into() })
}
