//! Forks in which something is another: an answer in the middle of a call, and the component at its
//! beginning.

use std::sync::Arc;

use bytes::Bytes;
use theater::chain::{MemoryStore, codec};
use theater::{Fork, ForkAnswer, ForkComponent};
use theater_tests::HANDLERS;

pub(crate) async fn play() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let world = super::world(&store, &["bare", "unversioned"]);
    world.manifest("bare", "bare", HANDLERS);
    let bare = world.spawn("bare").await;
    world.ask(&bare, "inc").await;
    let events = world.events(bare.id()).await;
    let log = events.iter().position(|(kind, _)| kind == "host_call").unwrap() as u64;
    let call = events.iter().rposition(|(kind, _)| kind == "call").unwrap() as u64;
    // It logs, which answers nothing.
    let answer = Some(ForkAnswer { seq: log, results: codec::encode(&()).into() });
    let fork = Fork { of: bare.id(), at: log, answer, component: None, state: None };
    let fork = world.runtime.fork_actor(fork).await.unwrap();
    world.ask(&fork, "inc").await;
    let file = world.path().join("unversioned.wasm");
    let bytes: Bytes = std::fs::read(&file).unwrap().into();
    let component = Some(ForkComponent { file, bytes });
    let fork = Fork { of: bare.id(), at: call, answer: None, component, state: None };
    let fork = world.runtime.fork_actor(fork).await.unwrap();
    world.ask(&fork, "inc").await;
    world.close().await;
    store
}
