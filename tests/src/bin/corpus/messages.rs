//! A relay and its child: messages, requests, a denied call, an `err`, a trap, a restart, a kill.

use std::sync::Arc;

use theater::Shutdown;
use theater::chain::MemoryStore;

pub(crate) async fn play() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let world = super::world(&store, &["relay", "counter"]);
    let relay = world.spawn("relay").await;
    let child = world.ask(&relay, "spawn counter.toml").await;
    for order in ["id", "ping", "list", "request nobody hello", "send nobody hello"] {
        world.ask(&relay, order).await;
    }
    for n in 1..4 {
        world.ask(&relay, &format!("request {child} add {n}")).await;
        world.ask(&relay, &format!("send {child} inc")).await;
    }
    world.ask(&relay, &format!("request {child} crash")).await;
    world.send(&relay, &format!("do request {child} inc")).await.unwrap();
    world.ask(&relay, "chain").await;
    world.try_ask(&relay, "panic").await.unwrap_err();
    world.resume(&relay).await;
    world.ask(&relay, "spawn counter.toml").await;
    world.ask(&relay, "log").await;
    let alone = world.spawn("counter").await;
    world.ask(&alone, "inc").await;
    world.try_ask(&alone, "nonsense").await.unwrap_err();
    world.runtime.stop_actor_within(alone.id(), Shutdown::BrutalKill).await.unwrap();
    world.close().await;
    store
}
