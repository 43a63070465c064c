//! Tests of the chain through its public interface.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundle;
mod children;
mod codec;
mod erase;
mod fork;
mod known_answers;
mod life;
mod long;
mod memory;
mod merkle;
mod note;
mod proof;
mod prune;
mod pruned;
mod signed;
mod signed_log;
mod tampering;

use std::sync::Arc;

use theater_chain::testing::Story;
use theater_chain::{ActorReport, ChainStore, Level, MemoryStore, verify_actor};

/// Commits the story and verifies what the store then holds.
async fn committed(story: &mut Story, level: Level) -> ActorReport {
    let store = Arc::new(MemoryStore::new());
    store.commit(story.commit()).await.unwrap();
    let entry = store.actor(story.id).await.unwrap().unwrap();
    verify_actor(&*store, &entry, level).await.unwrap()
}
