//! A process that goes down in the middle of a call, and a tree that goes on.

use std::sync::Arc;

use theater::chain::data::{Data, DropReason};
use theater::chain::{ChainStore, MemoryStore};
use theater::{ActorHandle, CallError, Outside};
use theater_handler_message_server::request;
use theater_tests::{Crashing, World, builder};

/// Commits after which the actors are there.
const FIRST: u64 = 12;
/// More than the whole script takes.
const LAST: u64 = 200;

pub(crate) async fn play() -> Arc<MemoryStore> {
    for commits in FIRST..LAST {
        let store = Arc::new(MemoryStore::new());
        crash(&store, commits).await;
        if go_on(&store).await {
            return store;
        }
    }
    panic!("no crash was in the middle of a call");
}

/// The process goes down after so many commits.
async fn crash(store: &Arc<MemoryStore>, commits: u64) {
    let store = Crashing::after(commits, store.clone());
    let world = World::with(&["relay", "counter"], builder().each_alone().store(store));
    if let Ok(relay) = world.try_spawn("relay").await {
        script(&relay).await.err();
    }
}

/// Whether the tree goes on in a call whose host calls were recorded in part.
async fn go_on(store: &Arc<MemoryStore>) -> bool {
    let world = World::with(&["relay", "counter"], super::recording(store));
    let recovered = world.runtime.recover().await.unwrap();
    let [relay] = recovered.roots[..] else { return false };
    let relay = world.runtime.handle(relay);
    script(&relay).await.unwrap();
    ask(&relay, 8, "log").await.unwrap();
    world.close().await;
    let mut host_calls = 0;
    store.events(relay.id(), 0, usize::MAX).await.unwrap().iter().any(|event| {
        match Data::decode(&event.event_type, &event.data).unwrap().unwrap() {
            Data::HostCall(_) => host_calls += 1,
            Data::InstanceDropped(dropped) => return host_calls > 0 && dropped.reason == DropReason::Recovered,
            Data::Call(_) | Data::CallReturned(_) | Data::StateUpdated(_) => host_calls = 0,
            _ => {}
        }
        false
    })
}

/// Messages with the same numbers in each process: what was answered before is answered from the record.
async fn script(relay: &ActorHandle) -> Result<(), CallError> {
    let child = ask(relay, 0, "spawn counter.toml").await?;
    for n in 1..4 {
        ask(relay, 2 * n, &format!("request {child} add {n}")).await?;
        ask(relay, 2 * n + 1, &format!("send {child} inc")).await?;
    }
    Ok(())
}

async fn ask(relay: &ActorHandle, n: u64, order: &str) -> Result<String, CallError> {
    loop {
        match request(relay, Outside { source: "test", n }, order).await {
            // It was accepted before the process went down, and is on its way.
            Err(CallError::InFlight(_)) => tokio::task::yield_now().await,
            answer => return answer.map(|answer| String::from_utf8(answer.unwrap_or_default()).unwrap()),
        }
    }
}
