//! The connections that read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::Connection;
use theater_chain::{Digest, StoreError};
use tokio::sync::Semaphore;

use crate::error::store_error;
use crate::passing;
use crate::schema;
use crate::states::States;

/// How many read at once.
const READERS: usize = 4;

/// One connection, with what it knows of the states.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    states: States,
}

/// A few connections, opened when first needed, used on tokio's blocking threads.
pub(crate) struct Readers {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Reader>>>,
    /// One connection in one transaction, from the beginning to the end.
    is_snapshot: bool,
}

impl Readers {
    /// Opens the first connection.
    pub(crate) fn open(path: PathBuf) -> Result<Self, StoreError> {
        let first = Reader::open(&path)?;
        let idle = Arc::new(Mutex::new(vec![first]));
        Ok(Self { path, permits: Arc::new(Semaphore::new(READERS)), idle, is_snapshot: false })
    }

    /// Opens the only connection, and its only transaction: all reads see the store as it is now.
    pub(crate) fn open_snapshot(path: PathBuf) -> Result<Self, StoreError> {
        let reader = Reader::open(&path)?;
        // The first read of a transaction fixes what it sees.
        reader.connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").map_err(store_error)?;
        let idle = Arc::new(Mutex::new(vec![reader]));
        Ok(Self { path, permits: Arc::new(Semaphore::new(1)), idle, is_snapshot: true })
    }

    /// Runs `read` in a transaction of its own: it sees the store as it was at one moment.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        fn ended(error: impl std::fmt::Display) -> StoreError {
            StoreError::Io(format!("a read was not finished: {error}"))
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(ended)?;
        let (path, idle, is_snapshot) = (self.path.clone(), Arc::clone(&self.idle), self.is_snapshot);
        let work = move || {
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = match taken {
                Some(reader) => reader,
                None if is_snapshot => return Err(ended("its connection is gone")),
                None => Reader::open(&path)?,
            };
            if !is_snapshot {
                reader.connection.execute_batch("BEGIN").map_err(store_error)?;
            }
            let result = read(&mut reader);
            // One that cannot end its transaction is closed instead.
            if is_snapshot || reader.connection.execute_batch("COMMIT").is_ok() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            }
            drop(permit);
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(ended)?
    }
}

impl Reader {
    fn open(path: &std::path::Path) -> Result<Self, StoreError> {
        Ok(Self { connection: schema::open_reader(path)?, states: States::default() })
    }

    /// The bytes of a state, of one that stays or of one that is passing.
    pub(crate) fn state(&mut self, hash: &Digest) -> Result<Option<Bytes>, StoreError> {
        let stays = self.states.bytes(&self.connection, hash).map_err(store_error)?;
        let found = match stays {
            None => passing::bytes(&self.connection, hash).map_err(store_error)?,
            found => found,
        };
        Ok(found.map(Bytes::from))
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").field("path", &self.path).finish_non_exhaustive()
    }
}
