//! The record in the folder of a run, or in a bundle, opened to read.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;
use theater::ChainStore;
use theater::chain::ActorEntry;
use theater::chain::bundle::import;
use theater_store_sqlite::SqliteStore;

use crate::bundle;
use crate::failure::Failure;

/// How many actors are read at once.
const PAGE: usize = 1_000;

/// Folders that bundles were unpacked into, for as long as the process looks at them.
static UNPACKED: Mutex<Vec<TempDir>> = Mutex::new(Vec::new());

/// Opens the record in `dir`, or in the bundle that this is.
pub(crate) fn open(dir: &Path) -> Result<SqliteStore, Failure> {
    Ok(SqliteStore::open_read_only(folder(dir)?)?)
}

/// As [`open`], as it is at this moment.
pub(crate) fn snapshot(dir: &Path) -> Result<SqliteStore, Failure> {
    Ok(SqliteStore::open_snapshot(folder(dir)?)?)
}

/// Removes what bundles were unpacked into.
pub(crate) fn clean_up() {
    UNPACKED.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The folder of the record: this one, or a temporary one with what is in the bundle.
fn folder(dir: &Path) -> Result<PathBuf, Failure> {
    if !dir.is_file() {
        there(dir)?;
        return Ok(dir.to_owned());
    }
    let file = bundle::open(dir)?;
    let failed = |error: std::io::Error| Failure::new("a bundle cannot be unpacked to look at it").because(&error);
    let unpacked = TempDir::with_prefix("theater-").map_err(failed)?;
    let path = unpacked.path().to_owned();
    UNPACKED.lock().unwrap_or_else(PoisonError::into_inner).push(unpacked);
    let store = SqliteStore::open(&path)?;
    block_on(async { import(&store, file).await.map_err(|error| Failure::of(&error).no()) })?;
    Ok(path)
}

/// Whether there is a record in `dir`.
pub(crate) fn there(dir: &Path) -> Result<(), Failure> {
    if !dir.join("theater.db").is_file() {
        let shown = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        return Err(Failure::new(format!("no record in {}", shown.display()))
            .help("name the folder of a run with --data DIR; `theater run` makes it beside the manifest"));
    }
    Ok(())
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
