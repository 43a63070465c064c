//! The process goes down and the tree goes on: at every commit of a scenario, and again while it goes
//! on.

mod delivery;
mod effects;
mod ends;
mod every_commit;
mod killed;
mod lost;
mod wasi;

use std::sync::Arc;

use theater::chain::MemoryStore;
use theater::{ActorHandle, CallError, ChainStore, Outside, TheaterId};
use theater_handler_message_server::HANDLE_REQUEST;
use theater_tests::{Crashing, World, builder};

/// A process with the store that the one before it left, which goes down after so many commits.
fn process(store: &Arc<MemoryStore>, commits: u64) -> World {
    process_with(Crashing::after(commits, store.clone()))
}

fn process_with(store: Crashing) -> World {
    World::with(&["relay", "counter"], builder().each_alone().store(store))
}

/// The root that was recorded first.
async fn root(store: &Arc<MemoryStore>) -> Option<TheaterId> {
    store.actors(None, 1).await.unwrap().pop().map(|entry| entry.id)
}

/// Asks with a number of its own, as whoever repeats what was not answered does.
async fn ask(actor: &ActorHandle, n: u64, message: &str) -> Result<String, CallError> {
    let params = |id: &str| (id.to_owned(), message.as_bytes().to_vec());
    loop {
        match actor.call_durable(&HANDLE_REQUEST, Outside { source: "test", n }, params).await {
            // It is on its way already: since it was accepted before the process went down.
            Err(CallError::InFlight(_)) => tokio::task::yield_now().await,
            answer => return answer.map(|(answer,)| String::from_utf8(answer.unwrap_or_default()).unwrap()),
        }
    }
}
