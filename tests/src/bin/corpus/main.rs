//! Records the corpus: bundles that every later version of Theater must verify and replay with equal
//! hashes. `cargo xtask corpus` runs it. A bundle that is there is left as it is: what an older version
//! recorded is what the corpus is for.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool of the repository, run by hand")]

mod exchanged;
mod forks;
mod limits;
mod messages;
mod recovered;
mod system;
mod thinned;
mod upgrades;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use theater::TheaterRuntimeBuilder;
use theater::chain::{ChainStore, MemoryStore, bundle};
use theater_tests::{Crashing, World, builder};

/// What a bundle is called, and what happens in it.
type Scenario = (&'static str, fn() -> LocalBoxFuture<'static, Arc<MemoryStore>>);

const SCENARIOS: &[Scenario] = &[
    ("messages", || Box::pin(messages::play())),
    ("limits", || Box::pin(limits::play())),
    ("recovered", || Box::pin(recovered::play())),
    ("upgrades", || Box::pin(upgrades::play())),
    ("forks", || Box::pin(forks::play())),
    ("system", || Box::pin(system::play())),
    ("exchanged", || Box::pin(exchanged::play())),
    ("thinned", || Box::pin(thinned::play())),
];

#[tokio::main]
async fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, play) in SCENARIOS {
        let file = folder.join(format!("{name}.theater"));
        if file.exists() {
            println!("{name}: is there, and stays");
            continue;
        }
        let written = write(&*play().await, file).await;
        println!("{name}: {} actors, {} events, {} bytes", written.actors, written.events, written.bytes);
    }
}

/// Writes all of a store; a file appears as a whole or not at all.
async fn write(store: &dyn ChainStore, file: PathBuf) -> bundle::Exported {
    let actors: Vec<_> = store.actors(None, usize::MAX).await.unwrap().iter().map(|entry| entry.id).collect();
    let mut out = tempfile::NamedTempFile::new_in(file.parent().unwrap()).unwrap();
    let written = bundle::export(store, &actors, None, &mut out, &mut |_| {}).await.unwrap();
    out.persist(file).unwrap();
    written
}

/// A runtime that records to this store.
fn recording(store: &Arc<MemoryStore>) -> TheaterRuntimeBuilder {
    builder().store(Crashing::after(u64::MAX, store.clone()))
}

/// A world that records to this store.
fn world(store: &Arc<MemoryStore>, actors: &[&str]) -> World {
    World::with(actors, recording(store))
}
