//! Forks: at the end of a call, and in the middle of one, which begins again in the fork.

use std::sync::Arc;

use theater::Fork;
use theater::chain::MemoryStore;

pub(crate) async fn play() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let world = super::world(&store, &["bare"]);
    let bare = world.spawn("bare").await;
    world.ask(&bare, "inc").await;
    world.ask(&bare, "inc").await;
    let events = world.events(bare.id()).await;
    let newest = |kind: &str| events.iter().rposition(|(found, _)| found == kind).unwrap() as u64;
    for at in [newest("state_updated"), newest("host_call")] {
        let fork = Fork { of: bare.id(), at, answer: None, component: None, state: None };
        let fork = world.runtime.fork_actor(fork).await.unwrap();
        world.ask(&fork, "inc").await;
        world.ask(&bare, "inc").await;
    }
    world.close().await;
    store
}
