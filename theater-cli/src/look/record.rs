//! The record in the folder of a run, opened to read.

use std::future::Future;
use std::path::Path;

use theater::ChainStore;
use theater::chain::ActorEntry;
use theater_store_sqlite::SqliteStore;

use crate::failure::Failure;

/// How many actors are read at once.
const PAGE: usize = 1_000;

/// Opens the record in `dir`.
pub(crate) fn open(dir: &Path) -> Result<SqliteStore, Failure> {
    if !dir.join("theater.db").is_file() {
        let shown = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        return Err(Failure::new(format!("no record in {}", shown.display()))
            .help("name the folder of a run with --data DIR; `theater run` makes it beside the manifest"));
    }
    Ok(SqliteStore::open_read_only(dir)?)
}

/// Every actor of a record, in the order in which they were first started.
pub(crate) async fn actors(store: &dyn ChainStore) -> Result<Vec<ActorEntry>, Failure> {
    let mut actors: Vec<ActorEntry> = Vec::new();
    loop {
        let page = store.actors(actors.last().map(|actor| actor.id), PAGE).await?;
        if page.is_empty() {
            return Ok(actors);
        }
        actors.extend(page);
    }
}

/// Runs what reads a store, which needs a tokio runtime.
pub(crate) fn block_on<T>(read: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new("the system refuses what reading needs").because(&error))?.block_on(read)
}
