//! Large states, of which the store keeps the newest alone; and a parked actor that goes on from one.

use std::sync::Arc;

use theater::chain::MemoryStore;
use theater_tests::World;

pub(crate) async fn play() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(&["rogue"], super::recording(&store).live_instances(1));
    let (a, b) = (world.spawn("rogue").await, world.spawn("rogue").await);
    for size in [6_000, 7_000, 8_000] {
        world.ask(&a, &format!("big-state {size}")).await;
        world.ask(&a, "calls").await;
    }
    world.ask(&b, "calls").await;
    world.ask(&a, "big-state 9000").await;
    world.resume(&a).await;
    world.ask(&a, "big-state 10").await;
    world.close().await;
    store
}
