//! Guests that misbehave: a clear reason, an event, and nobody else is hurt.

use theater::{CallError, ErrorType, ExitReason, SpawnError};
use theater_tests::World;

const HANDLERS: &str = "
[[handlers]]
type = \"runtime\"

[[handlers]]
type = \"message-server\"

[[handlers]]
type = \"supervisor\"
";

fn world(limits: &str) -> World {
    let world = World::new(&["rogue", "counter"]);
    world.manifest("tight", "rogue", &format!("[limits]\n{limits}\n{HANDLERS}"));
    world
}

/// What the order does to a rogue, and the error that ends it.
async fn end_of(limits: &str, order: &str) -> (ErrorType, String) {
    let world = world(limits);
    let quiet = world.spawn("counter").await;
    let rogue = world.spawn("tight").await;
    let error = world.try_ask(&rogue, order).await.unwrap_err();
    let CallError::Failed { error, .. } = error else { panic!("{order}: {error}") };
    let ExitReason::Abnormal(reason) = rogue.ended().await.unwrap() else { panic!("{order}") };
    assert_eq!(reason.kind, error.kind);
    assert_eq!(world.of_type(rogue.id(), "actor_error").await.len(), 1, "{order}");
    assert_eq!(world.ask(&quiet, "inc").await, "1");
    world.close().await;
    (error.kind, error.message)
}

#[tokio::test]
async fn a_trap() {
    assert_eq!(end_of("", "trap").await.0, ErrorType::Trap);
}

#[tokio::test]
async fn a_panic_says_why() {
    let (kind, message) = end_of("", "panic").await;
    assert_eq!(kind, ErrorType::Trap);
    assert!(message.contains("told to panic"), "{message}");
}

#[tokio::test]
async fn endless_recursion() {
    let (kind, message) = end_of("", "recurse").await;
    assert_eq!(kind, ErrorType::Trap);
    assert!(message.contains("stack"), "{message}");
}

#[tokio::test]
async fn an_endless_loop() {
    let (kind, message) = end_of("call_timeout = \"100ms\"", "loop").await;
    assert_eq!(kind, ErrorType::CallTimeout);
    assert!(message.contains("handle-request") && message.contains("100ms"), "{message}");
}

#[tokio::test]
async fn endless_allocation() {
    let (kind, message) = end_of("memory = \"8MiB\"", "alloc").await;
    assert_eq!(kind, ErrorType::MemoryLimit);
    assert!(message.contains("limit `memory`"), "{message}");
}

#[tokio::test]
async fn a_state_over_the_limit() {
    let (kind, message) = end_of("state = \"64KiB\"", "big-state 100000").await;
    assert_eq!(kind, ErrorType::StateLimit);
    assert!(message.contains("limit `state`"), "{message}");
}

#[tokio::test]
async fn floods_end_at_the_time_limit() {
    for order in ["flood-log", "flood-chain"] {
        let (kind, _) = end_of("call_timeout = \"200ms\"\nresult = \"64KiB\"", order).await;
        assert!(matches!(kind, ErrorType::CallTimeout | ErrorType::HostCallFailed), "{order}: {kind:?}");
    }
}

#[tokio::test]
async fn a_mailbox_that_is_full_is_an_error_to_the_sender() {
    let world = world("mailbox = 4");
    let rogue = world.spawn("tight").await;
    let answer = world.try_ask(&rogue, &format!("flood-send {} 100", rogue.id())).await;
    let text = format!("{answer:?}");
    assert!(text.contains("not permitted") || text.contains("full") || text.contains("itself"), "{text}");
    world.runtime.shutdown().await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn init_that_fails_in_every_way() {
    let world = world("init_timeout = \"100ms\"");
    for (init, kind) in [
        ("loop", ErrorType::CallTimeout),
        ("trap", ErrorType::Trap),
        ("panic", ErrorType::Trap),
        ("err", ErrorType::InitFailed),
    ] {
        let error = world.try_spawn_with("tight", init).await.unwrap_err();
        let SpawnError::Failed { id, error, .. } = error else { panic!("{init}: {error}") };
        assert_eq!(error.kind, kind, "{init}");
        let types: Vec<_> = world.events(id).await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(types.last().map(String::as_str), Some("actor_terminated"), "{init}");
    }
    let declined = world.try_spawn_with("tight", "decline").await.unwrap_err();
    assert!(matches!(declined, SpawnError::Ended { reason: ExitReason::Declined, .. }), "{declined}");
    assert!(world.runtime.actors().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_stop_ends_a_busy_actor_at_its_deadline() {
    let world = world("call_timeout = \"10m\"");
    let rogue = world.spawn("tight").await;
    world.send(&rogue, "loop").await.unwrap();
    let shutdown = theater::Shutdown::Within(std::time::Duration::from_millis(50));
    world.runtime.stop_actor_within(rogue.id(), shutdown).await.unwrap();
    assert_eq!(rogue.ended().await.unwrap().to_string(), "killed: it did not stop in time");
    let errors = world.of_type(rogue.id(), "actor_error").await;
    assert_eq!(errors[0]["error"], "shutdown-timeout");
    world.close().await;
}
