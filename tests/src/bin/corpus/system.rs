//! A guest of Rust's standard library on WASI: clocks, randomness, streams, the environment, denials.

use std::sync::Arc;

use theater::chain::MemoryStore;
use theater_handler_wasi::WasiHandler;
use theater_tests::{HANDLERS, World};

pub(crate) async fn play() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(&[], super::recording(&store).handler(WasiHandler::new()));
    let component = theater_build::testing::wasi_component("clerk");
    std::fs::copy(component, world.path().join("clerk.wasm")).unwrap();
    let wasi = "[[handlers]]\ntype = \"wasi\"\nenv = { DESK = \"7\" }\nargs = [\"clerk\", \"--polite\"]\n";
    world.manifest("clerk", "clerk", &format!("{HANDLERS}\n{wasi}"));
    let clerk = world.spawn("clerk").await;
    for order in ["time", "sleep 1", "order", "env", "say good day", "stdin", "open desk.txt", "entries"] {
        world.ask(&clerk, order).await;
    }
    world.try_ask(&clerk, "exit 1").await.unwrap_err();
    world.close().await;
    store
}
