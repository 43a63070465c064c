//! The embedded durable store of actor chains: one SQLite database in a folder.
//!
//! ```
//! use theater_chain::{ChainStore as _, Commit};
//! use theater_store_sqlite::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temporary = tempfile::tempdir()?;
//! # let dir = temporary.path().join(".theater");
//! let store = SqliteStore::open(&dir)?;
//! store.commit(Commit::default()).await?;
//! assert!(store.actors(None, 10).await?.is_empty());
//!
//! // One writer at a time; whoever only looks may do so meanwhile.
//! let refused = SqliteStore::open(&dir).unwrap_err();
//! assert!(refused.to_string().ends_with("is in use by another process, which must end first"));
//! SqliteStore::open_read_only(&dir)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a commit means
//!
//! [`commit`](theater_chain::ChainStore::commit) returns when the whole batch is in SQLite's
//! write-ahead log and the log is synced to the disk (`synchronous = FULL`): it is there after a
//! crash of the process, and after a loss of power as far as the disk keeps what it says it has
//! written. A batch is in the store as a whole or not at all. Batches become durable in the order
//! in which they were given. Those that queue up while the disk is busy are written together, in
//! order, each checked against the heads that those before it left and each with an answer of its
//! own: one that conflicts is left out alone. There is no timer, a single batch never waits.
//!
//! # What is in the folder
//!
//! `theater.db` with SQLite's `theater.db-wal` and `theater.db-shm`, and `lock`, which a writer
//! holds locked (`flock`) and which says nothing by being there. All can be read by their owner
//! only. The tables, as `sqlite3 theater.db .schema` shows them with comments:
//!
//! | table | a row is |
//! |---|---|
//! | `actors` | an actor: its id, index entry and head |
//! | `events` | an event of any chain, in the order in which they were appended, with its payload |
//! | `states` | the bytes of a state and their hash; `states_by_hash` finds all but the newest |
//! | `passing` | a large state that is there until the next one of its actor |
//! | `components`, `manifests` | such bytes by their digest |
//! | `pending` | a message that was sent and not begun |
//! | `answered` | a message from outside that was answered, and by which event |
//! | `head_log` | a head that changed: what the host signs, in its order |
//! | `head_log_end`, `tree_heads` | how far the log is; its newest signed checkpoint of each key |
//! | `pruned` | an actor whose older events were dropped, and from which on they are there |
//! | `erased` | the commit of a payload that was erased |
//! | `left_out` | an actor whose chain was left out when its parent came from elsewhere |
//!
//! Ids, hashes and bytes are blobs, so that the events of an actor are
//! `SELECT seq, event_type, hex(hash) FROM events WHERE actor = (SELECT n FROM actors WHERE
//! hex(id) = 'B0..') ORDER BY seq`. Numbers are signed with the bits of the unsigned ones. Two
//! events with the same payload store it once: the later row says in `payload_at` where it is. To
//! erase a payload is to set `salt` and `payload` of the row that holds it to NULL. Where older events
//! were dropped, `previous` of the first one that is there is NULL.

/// A step of writing; see `failpoint`.
macro_rules! step {
    () => {
        #[cfg(feature = "testing")]
        $crate::failpoint::step();
    };
}

mod batch;
mod error;
mod events;
#[cfg(feature = "testing")]
mod failpoint;
mod folder;
mod head_log;
mod import;
mod messages;
mod passing;
mod prune;
mod readers;
mod rows;
mod schema;
mod states;
mod store;
mod writer;

#[cfg(feature = "testing")]
pub use failpoint::abort_after;
pub use store::SqliteStore;
