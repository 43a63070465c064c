//! A process that is killed between the record of a message that leaves and its delivery: it is
//! delivered by the next process, once.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use theater::{ActorHandle, TheaterId, TheaterRuntime};
use theater_store_sqlite::SqliteStore;
use theater_tests::{HANDLERS, World, builder};

use super::{ask, killed};

/// The world over a store; with a step, one in which the process is killed there, when all that was
/// recorded before is kept.
fn world(folder: &Path, killed_at: Option<&'static str>) -> World {
    let runtime: Arc<OnceLock<TheaterRuntime>> = Arc::default();
    let hooked = runtime.clone();
    let builder = builder().store(SqliteStore::open(folder).unwrap()).at_steps(move |step| {
        let runtime = hooked.clone();
        async move {
            if Some(step.name) == killed_at {
                runtime.get().unwrap().flush().await.unwrap();
                killed::now();
            }
        }
    });
    let world = World::with(&["relay"], builder);
    if killed_at.is_some() {
        assert!(runtime.set(world.runtime.clone()).is_ok());
    }
    let child = "[[handlers.children]]\nid = \"child\"\nmanifest = \"relay.toml\"\n";
    world.manifest("boss", "relay", &format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n{child}"));
    world
}

async fn calls(world: &World, actor: &ActorHandle, function: &str) -> usize {
    let calls = world.of_type(actor.id(), "call").await;
    calls.iter().filter(|call| call["function"] == function).count()
}

/// Gives the boss an order for its child; the process is killed at the step.
async fn delivered_once(test: &str, step: &'static str, verb: &str, function: &str, answer: &str) {
    let order = |child: TheaterId| format!("{verb} {child} id");
    if let Some(folder) = killed::is_to_be() {
        let world = world(&folder, Some(step));
        let boss = world.spawn("boss").await;
        let child = world.declared(&boss, "child").id();
        panic!("it was not killed: {:?}", ask(&boss, 1, &order(child)).await);
    }
    let folder = tempfile::tempdir().unwrap();
    killed::alone(&format!("recovery::delivery::{test}"), folder.path());

    let world = world(folder.path(), None);
    let recorded = world.recorded().await;
    let boss = world.runtime.handle(recorded.iter().find(|entry| entry.index.name == "boss").unwrap().id);
    let child = world.declared(&boss, "child");
    let pending = world.runtime.store().pending(Some(child.id()), 9).await.unwrap();
    assert_eq!((pending.len(), calls(&world, &child, function).await), (1, 0), "recorded and not delivered");
    let ended = world.of_type(boss.id(), "host_call").await.len();

    world.runtime.recover().await.unwrap();
    let answer = answer.replace("CHILD", &child.id().to_string());
    assert_eq!(ask(&boss, 1, &order(child.id())).await.unwrap(), answer);
    world.wait_for(child.id(), "call", 2).await; // init, and the message
    assert_eq!(calls(&world, &child, function).await, 1);
    let log = ask(&child, 2, "log").await.unwrap();
    assert_eq!(log.matches("send id").count(), usize::from(verb == "send"), "{log}");
    assert_eq!(world.runtime.store().pending(None, 9).await.unwrap().len(), 0);
    assert_eq!(world.of_type(boss.id(), "host_call").await.len(), ended.max(1));
    let begun = world.of_type(boss.id(), "call").await.iter().filter(|call| call["message_id"] == "test/1").count();
    assert_eq!(begun, 1);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_send() {
    delivered_once("of_a_send", "send.recorded", "send", "handle-send", "sent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_request() {
    delivered_once("of_a_request", "request.recorded", "request", "handle-request", "CHILD").await;
}
