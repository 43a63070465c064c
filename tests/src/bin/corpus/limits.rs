//! Rogues that go beyond each limit, at their start and later, and one that is parked between calls.

use std::sync::Arc;

use theater::chain::MemoryStore;
use theater_tests::{HANDLERS, World};

pub(crate) async fn play() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(&["rogue"], super::recording(&store).live_instances(1));
    let limits = "[limits]\nmemory = \"8MiB\"\nstate = \"64KiB\"\nresult = \"64KiB\"\ncall_timeout = \"200ms\"";
    let supervisor = "[[handlers]]\ntype = \"supervisor\"";
    world.manifest("tight", "rogue", &format!("{limits}\n{HANDLERS}\n{supervisor}\n"));
    for order in ["trap", "panic", "recurse", "alloc", "big-state 100000", "big-reply 100000", "loop"] {
        let rogue = world.spawn("tight").await;
        world.ask(&rogue, "spin 1000").await;
        world.try_ask(&rogue, "err refused").await.unwrap_err();
        world.try_ask(&rogue, order).await.unwrap_err();
        world.resume(&rogue).await;
        world.ask(&rogue, "calls").await;
    }
    for init in ["trap", "panic", "err", "decline"] {
        world.try_spawn_with("tight", init).await.unwrap_err();
    }
    let (a, b) = (world.spawn("rogue").await, world.spawn("rogue").await);
    for _ in 0..3 {
        world.ask(&a, "tally").await;
        world.ask(&b, "tally").await;
    }
    // Not permitted: recorded as a denial.
    world.try_ask(&a, &format!("flood-send {} 3", b.id())).await.unwrap_err();
    world.close().await;
    store
}
