//! Errors of SQLite as those of a store.

use rusqlite::{Error, ErrorCode};
use theater_chain::StoreError;

/// What is stored cannot be read (damage), or the disk or the file system does not play along.
#[allow(clippy::needless_pass_by_value, reason = "it takes what map_err gives")]
pub(crate) fn store_error(error: Error) -> StoreError {
    let damaged = match &error {
        Error::SqliteFailure(failure, _) => {
            matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        }
        Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..) | Error::IntegralValueOutOfRange(..) => true,
        _ => false,
    };
    if damaged { StoreError::Damaged(error.to_string()) } else { StoreError::Io(error.to_string()) }
}
