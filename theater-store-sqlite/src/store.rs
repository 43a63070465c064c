//! The store: one writer, a few readers.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Params};
use theater_chain::{
    ActorCheckpoint, ActorEntry, Answered, ChainEvent, ChainStore, Commit, Digest, HeadLog, ImportParts,
    PendingMessage, StoreError, TheaterId,
};

use crate::error::store_error;
use crate::folder::{self, LockedFolder};
use crate::passing;
use crate::readers::Readers;
use crate::writer::Writer;
use crate::{events, import, messages, rows, schema};

/// Chains in a folder on disk. See the [crate's page](crate) for what is in it and what a commit
/// means.
///
/// Reading needs a tokio runtime, since it happens on its blocking threads; committing does not.
/// Dropping the store writes what was queued and waits until that is on disk, then unlocks the
/// folder.
#[derive(Debug)]
pub struct SqliteStore {
    // In this order, which is that of dropping: the lock goes last.
    pub(crate) readers: Readers,
    writer: Option<Writer>,
    dir: PathBuf,
    _folder: Option<LockedFolder>,
}

impl SqliteStore {
    /// Opens the store in `dir` to read and write, and creates folder and database where they are
    /// not there. Blocks for as long as that takes: call it before the runtime is busy.
    ///
    /// Fails if another store, in this process or another, has the folder open to write, or if
    /// what is there was written by another version.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        let dir = dir.as_ref().to_owned();
        let folder = LockedFolder::open(&dir)?;
        let connection = schema::open_writer(folder.database())?;
        let readers = Readers::open(folder.database().to_owned())?;
        Ok(Self { readers, writer: Some(Writer::start(connection)?), dir, _folder: Some(folder) })
    }

    /// Opens the store in `dir` to read, also while another process writes to it. A commit is an
    /// error.
    pub fn open_read_only(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        let dir = dir.as_ref().to_owned();
        let readers = Readers::open(folder::database(&dir))?;
        Ok(Self { readers, writer: None, dir, _folder: None })
    }

    /// Opens the store in `dir` as it is at this moment: what is committed later is not seen, and
    /// SQLite's log grows by it until this store is dropped. A commit is an error.
    pub fn open_snapshot(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        let dir = dir.as_ref().to_owned();
        let readers = Readers::open_snapshot(folder::database(&dir))?;
        Ok(Self { readers, writer: None, dir, _folder: None })
    }

    fn writer(&self) -> Result<&Writer, StoreError> {
        let read_only = || StoreError::Io(format!("{} was opened for reading only", self.dir.display()));
        self.writer.as_ref().ok_or_else(read_only)
    }

    async fn bytes(&self, sql: &'static str, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        let query = move |connection: &Connection| {
            let bytes = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0);
            connection.prepare_cached(sql)?.query_row([digest.as_bytes()], bytes).optional()
        };
        let read = self.readers.read(move |reader| query(&reader.connection).map_err(store_error));
        Ok(read.await?.map(Bytes::from))
    }

    /// The actors that `rest` of the statement selects.
    async fn entries(
        &self,
        rest: &'static str,
        params: impl Params + Send + 'static,
    ) -> Result<Vec<ActorEntry>, StoreError> {
        let query = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(&format!("{} {rest}", rows::SELECT_ACTORS))?;
            statement.query_map(params, rows::actor_entry)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        self.readers.read(move |reader| query(&reader.connection).map_err(store_error)).await
    }
}

/// After how many bytes no further state is read into the same answer.
const STATES_BYTES: usize = 4 << 20;

/// SQLite's limits are signed.
pub(crate) fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

#[async_trait]
impl ChainStore for SqliteStore {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        self.writer()?.commit(commit).await
    }

    async fn actor(&self, actor: TheaterId) -> Result<Option<ActorEntry>, StoreError> {
        Ok(self.entries("WHERE id = ?", [*actor.as_bytes()]).await?.pop())
    }

    async fn actors(&self, after: Option<TheaterId>, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        match after {
            None => self.entries("ORDER BY n LIMIT ?", [limit(max)]).await,
            Some(id) => {
                let rest = "WHERE n > (SELECT n FROM actors WHERE id = ?) ORDER BY n LIMIT ?";
                self.entries(rest, (*id.as_bytes(), limit(max))).await
            }
        }
    }

    async fn children(&self, parent: TheaterId, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.entries("WHERE parent = ? ORDER BY n DESC LIMIT ?", (*parent.as_bytes(), limit(max))).await
    }

    async fn events(&self, actor: TheaterId, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError> {
        self.readers.read(move |reader| events::events(&reader.connection, actor, from, max)).await
    }

    async fn state(&self, hash: Digest) -> Result<Option<Bytes>, StoreError> {
        self.readers.read(move |reader| reader.state(&hash)).await
    }

    async fn states(&self, hashes: &[Digest]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let hashes = hashes.to_owned();
        self.readers
            .read(move |reader| {
                let (mut found, mut size) = (Vec::new(), 0);
                for hash in hashes {
                    let bytes = reader.state(&hash)?;
                    size += bytes.as_ref().map_or(0, Bytes::len);
                    found.push(bytes);
                    if size > STATES_BYTES {
                        break;
                    }
                }
                Ok(found)
            })
            .await
    }

    async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.bytes("SELECT bytes FROM components WHERE digest = ?", digest).await
    }

    async fn manifest(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.bytes("SELECT bytes FROM manifests WHERE digest = ?", digest).await
    }

    async fn pending(&self, receiver: Option<TheaterId>, max: usize) -> Result<Vec<PendingMessage>, StoreError> {
        self.readers.read(move |reader| messages::pending(&reader.connection, receiver, max)).await
    }

    async fn answered(&self, message_id: &str) -> Result<Option<Answered>, StoreError> {
        let message_id = message_id.to_owned();
        self.readers.read(move |reader| messages::answered(&reader.connection, &message_id).map_err(store_error)).await
    }

    fn head_log(&self) -> Option<&dyn HeadLog> {
        Some(self)
    }

    async fn thinned(&self, actor: TheaterId) -> Result<Option<u64>, StoreError> {
        self.readers.read(move |reader| passing::thinned(&reader.connection, actor).map_err(store_error)).await
    }

    async fn kept_from(&self, actor: TheaterId) -> Result<u64, StoreError> {
        self.readers.read(move |reader| events::kept_from(&reader.connection, actor).map_err(store_error)).await
    }

    async fn answers(&self, after: Option<&str>, max: usize) -> Result<Vec<Answered>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.readers.read(move |reader| messages::answers(&reader.connection, &after, max).map_err(store_error)).await
    }

    async fn is_left_out(&self, actor: TheaterId) -> Result<bool, StoreError> {
        self.readers.read(move |reader| import::is_left_out(&reader.connection, actor).map_err(store_error)).await
    }

    async fn checkpoints(&self, actor: TheaterId) -> Result<Vec<ActorCheckpoint>, StoreError> {
        self.readers.read(move |reader| import::checkpoints(&reader.connection, actor)).await
    }

    async fn import(&self, parts: ImportParts) -> Result<(), StoreError> {
        self.writer()?.import(parts).await
    }
}
