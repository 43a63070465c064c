//! What takes long with one child, or in the supervisor's own guest, delays no decision about another.

use theater::sources::{Sources as _, SystemSources};
use theater::{ActorHandle, Shutdown};
use theater_tests::{HANDLERS, World};

use super::{child, crash, rogue, soon, supervisor, text};

/// Crashes a child, and prints how long it takes until it is there again.
#[expect(clippy::print_stdout, reason = "figures")]
async fn crash_and_back(world: &World, one: &ActorHandle, while_what: &str) {
    let sources = SystemSources::new();
    crash(world, one).await;
    soon("the restart", world.wait_for(one.id(), "actor_started", 2)).await;
    println!("restarted while {while_what}: {:.2?}", sources.monotonic());
    assert_eq!(world.ask(one, "get").await, "0");
}

/// Whose ends are in the supervisor's chain, in their order.
async fn ends(world: &World, boss: &ActorHandle) -> Vec<String> {
    world.of_type(boss.id(), "child_exited").await.iter().map(|exit| text(exit, "child")).collect()
}

#[tokio::test]
async fn a_start_that_takes_long() {
    let world = World::new(&["relay", "counter", "rogue"]);
    std::fs::write(world.path().join("init"), "later loop").unwrap();
    rogue(&world, "slow", "init_state = \"init\"\n[limits]\ninit_timeout = \"10m\"");
    supervisor(&world, "boss", &(child("slow", "slow", "") + &child("one", "counter", "")));
    let boss = world.spawn("boss").await;
    let (slow, one) = (world.declared(&boss, "slow"), world.declared(&boss, "one"));
    assert!(world.try_ask(&slow, "panic").await.is_err());
    soon("its start", world.wait_for(slow.id(), "actor_started", 2)).await;
    crash_and_back(&world, &one, "another starts").await;
    assert!(world.of_type(slow.id(), "actor_terminated").await.len() == 1, "it still starts");
    assert_eq!(world.ask(&boss, "ping").await, "pong");
    world.close().await;
}

#[tokio::test]
async fn a_stop_that_is_ignored_until_its_deadline() {
    let world = World::new(&["relay", "counter", "rogue"]);
    rogue(&world, "deaf", "[limits]\ncall_timeout = \"10m\"");
    let group = "group = \"g\"\n";
    let children = child("deaf", "deaf", &format!("{group}shutdown = \"3s\""))
        + &child("fails", "counter", group)
        + &child("one", "counter", "");
    supervisor(&world, "boss", &format!("{children}\n[handlers.groups.g]\nstrategy = \"one-for-all\"\n"));
    let boss = world.spawn("boss").await;
    let (deaf, one) = (world.declared(&boss, "deaf"), world.declared(&boss, "one"));
    let fails = world.declared(&boss, "fails");
    world.send(&deaf, "loop").await.unwrap();
    soon("the loop", world.wait_for(deaf.id(), "call", 2)).await;
    crash(&world, &fails).await;
    crash_and_back(&world, &one, "another ignores its stop").await;
    soon("the group", world.wait_for(fails.id(), "actor_started", 2)).await;
    let order = [fails.id(), one.id(), deaf.id()].map(|id| id.to_string());
    assert_eq!(ends(&world, &boss).await, order);
    let killed = world.of_type(deaf.id(), "actor_terminated").await;
    assert_eq!(killed.len(), 1);
    world.close().await;
}

#[tokio::test]
async fn a_supervisor_whose_guest_is_busy() {
    let world = World::new(&["rogue", "counter"]);
    let text = format!(
        "[limits]\ncall_timeout = \"10m\"\n{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n{}",
        child("one", "counter", "")
    );
    world.manifest("boss", "rogue", &text);
    let boss = world.spawn("boss").await;
    let one = world.declared(&boss, "one");
    world.send(&boss, "loop").await.unwrap();
    soon("the loop", world.wait_for(boss.id(), "call", 2)).await;
    crash_and_back(&world, &one, "the supervisor's guest is busy").await;
    // The decision is in the chain while the call is open.
    let types: Vec<_> = world.events(boss.id()).await.into_iter().map(|(kind, _)| kind).collect();
    let call = types.iter().rposition(|kind| kind == "call").unwrap();
    let decision = types.iter().position(|kind| kind == "supervision_action").unwrap();
    assert!(call < decision && !types[call..].iter().any(|kind| kind == "call_returned"), "{types:?}");
    world.runtime.stop_actor_within(boss.id(), Shutdown::BrutalKill).await.unwrap();
    world.close().await;
}
