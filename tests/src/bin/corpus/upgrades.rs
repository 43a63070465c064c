//! An actor that is upgraded with a `migrate`, taken back, and upgraded again.

use std::sync::Arc;

use theater::Upgrade;
use theater::chain::MemoryStore;

pub(crate) async fn play() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let world = super::world(&store, &["tally"]);
    let tally = world.spawn("tally").await;
    let next = std::fs::read(theater_build::testing::component("tally-next")).unwrap();
    world.ask(&tally, "add 40").await;
    world.ask(&tally, "add 2").await;
    let upgrade = || Upgrade::new(next.clone()).version("0.2.0");
    world.runtime.upgrade_actor(tally.id(), upgrade()).await.unwrap();
    world.ask(&tally, "add 8").await;
    world.ask(&tally, "mean").await;
    world.runtime.roll_back_actor(tally.id()).await.unwrap();
    world.ask(&tally, "add 1").await;
    world.runtime.upgrade_actor(tally.id(), upgrade()).await.unwrap();
    world.ask(&tally, "add 1").await;
    world.close().await;
    store
}
