//! The folder of a run: its store, opened to write, and empty.

use std::path::Path;

use theater::ChainStore as _;
use theater_store_sqlite::SqliteStore;

use crate::failure::Failure;

/// Opens the store in `dir`, and refuses one that holds a tree already.
pub(super) async fn open(dir: &Path) -> Result<SqliteStore, Failure> {
    let store = SqliteStore::open(dir)?;
    if let Some(root) = store.actors(None, 1).await?.pop() {
        return Err(Failure::new(format!(
            "{} holds the record of a run already, of {} {}",
            dir.display(),
            root.index.name,
            root.id
        ))
        .help("name another folder with --data DIR, or remove this one with its record"));
    }
    Ok(store)
}
