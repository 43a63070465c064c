//! A child that cannot start: budget and backoff hold, others serve meanwhile, and the loop ends.

use theater::{ExitReason, SpawnError};
use theater_tests::{HANDLERS, World};

use super::{child, crash, decisions, rogue, soon, supervisor, text};

/// A rogue whose `init` does this.
fn flawed(world: &World, init: &str, timeout: &str) {
    std::fs::write(world.path().join("flaw"), init).unwrap();
    let limits = format!("[limits]\ninit_timeout = \"{timeout}\"");
    rogue(world, "flawed", &format!("init_state = \"flaw\"\n{limits}"));
}

#[tokio::test]
async fn a_declared_child_whose_init_fails_keeps_its_supervisor_from_starting() {
    let world = World::new(&["relay", "counter", "rogue"]);
    for init in ["trap", "loop", "err"] {
        flawed(&world, init, "100ms");
        let children = child("one", "counter", "") + &child("two", "flawed", "") + &child("three", "counter", "");
        supervisor(&world, "boss", &children);
        let error = world.try_spawn("boss").await.unwrap_err();
        let SpawnError::Failed { id: boss, error, .. } = error else { panic!("{init}: {error}") };
        assert!(error.message.contains("child `two`"), "{init}: {error}");
        let boss = world.runtime.handle(boss);
        // Who started is stopped; who comes later never began.
        let ended = world.of_type(world.declared(&boss, "one").id(), "actor_terminated").await;
        assert_eq!(ended.len(), 1, "{init}");
        assert!(world.events(world.declared(&boss, "three").id()).await.is_empty(), "{init}");
        assert!(world.runtime.actors().is_empty(), "{init}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_component_that_is_gone_before_the_first_start_is_said() {
    let world = World::new(&["relay", "counter"]);
    world.manifest("lost", "nowhere", HANDLERS);
    supervisor(&world, "boss", &child("one", "lost", ""));
    let error = world.try_spawn("boss").await.unwrap_err().to_string();
    assert!(error.contains("child `one`") && error.contains("nowhere.wasm"), "{error}");
    assert!(world.runtime.actors().is_empty());
    world.close().await;
}

/// The files of an actor are read once: a restart needs the record, not the folder.
#[tokio::test]
async fn a_component_that_is_gone_before_a_restart_is_not_missed() {
    let world = World::new(&["relay", "counter"]);
    supervisor(&world, "boss", &child("one", "counter", "restart_state = \"resume\""));
    let boss = world.spawn("boss").await;
    let one = world.declared(&boss, "one");
    world.ask(&one, "add 3").await;
    std::fs::remove_file(world.path().join("counter.wasm")).unwrap();
    std::fs::remove_file(world.path().join("counter.toml")).unwrap();
    crash(&world, &one).await;
    soon("the restart", world.wait_for(one.id(), "actor_started", 2)).await;
    assert_eq!(world.ask(&one, "get").await, "3");
    // Nor does one by hand, of a child that was stopped.
    assert_eq!(world.ask(&boss, "terminate one").await, "done");
    assert_eq!(world.ask(&boss, "restart-with one resume").await, one.id().to_string());
    assert_eq!(world.ask(&one, "get").await, "3");
    world.close().await;
}

/// `two` starts once, and then does this in each `init`.
fn balky(policy: &str, flaw: &str, timeout: &str) -> World {
    let world = World::new(&["relay", "counter", "rogue"]);
    flawed(&world, &format!("later {flaw}"), timeout);
    let children = child("one", "counter", "") + &child("two", "flawed", "");
    supervisor(&world, "boss", &format!("{policy}{children}"));
    world
}

#[tokio::test]
async fn a_restart_that_fails_is_an_attempt_of_its_own_until_the_budget_is_used_up() {
    for flaw in ["trap", "loop", "err"] {
        let world = balky("max_restarts = 4\nwithin = \"1h\"\n", flaw, "100ms");
        let boss = world.spawn("boss").await;
        let two = world.declared(&boss, "two");
        assert!(world.try_ask(&two, "panic").await.is_err());
        let ended = soon("the escalation", boss.ended()).await.unwrap();
        let ExitReason::Abnormal(error) = ended else { panic!("{flaw}: {ended:?}") };
        assert!(error.message.contains("child `two`"), "{flaw}: {error}");
        let lives = world.of_type(two.id(), "actor_started").await.len();
        assert_eq!(lives, 5, "{flaw}: the first, and four attempts");
        let exits = world.of_type(boss.id(), "child_exited").await;
        let of_two = exits.iter().filter(|exit| text(exit, "child") == two.id().to_string()).count();
        assert_eq!(of_two, 5, "{flaw}: each of them ended");
        let all = decisions(&world, boss.id()).await;
        let restarts = all.iter().filter(|(action, _)| action == "restart").count();
        assert_eq!((restarts, all.last().unwrap().0.as_str()), (4, "escalate"), "{flaw}: {all:?}");
        // Whoever asks is told of one failure only: the callbacks are not called for attempts.
        world.close().await;
    }
}

#[tokio::test]
async fn siblings_serve_while_a_child_is_tried_again_and_a_stop_ends_the_loop_at_once() {
    let backoff = "backoff = { initial = \"20ms\", factor = 1.0, max = \"20ms\", jitter = 0.0 }\n";
    let world = balky(&format!("max_restarts = \"infinity\"\n{backoff}"), "err", "1s");
    let boss = world.spawn("boss").await;
    let (one, two) = (world.declared(&boss, "one"), world.declared(&boss, "two"));
    assert!(world.try_ask(&two, "panic").await.is_err());
    for n in 1..=10 {
        soon("an attempt", world.wait_for(two.id(), "actor_started", n + 1)).await;
        assert_eq!(world.ask(&one, "inc").await, n.to_string());
        assert_eq!(world.ask(&boss, "ping").await, "pong");
    }
    let delays = world.of_type(boss.id(), "supervision_action").await;
    let attempts: Vec<_> = delays.iter().map(|action| action["attempt"].as_u64().unwrap()).collect();
    assert!(attempts.iter().zip(1..).all(|(found, n)| *found == n), "{attempts:?}");
    assert!(delays.iter().all(|action| action["delay_ms"] == 20), "{delays:?}");
    soon("the stop", world.runtime.stop_actor(boss.id())).await.unwrap();
    assert!(world.runtime.actors().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_stop_ends_a_restart_that_hangs_in_init() {
    let world = balky("", "loop", "1h");
    let boss = world.spawn("boss").await;
    let two = world.declared(&boss, "two");
    assert!(world.try_ask(&two, "panic").await.is_err());
    soon("the attempt", world.wait_for(two.id(), "actor_started", 2)).await;
    soon("the stop", world.runtime.stop_actor(boss.id())).await.unwrap();
    let ends = world.of_type(two.id(), "actor_terminated").await;
    assert_eq!(ends.len(), 2);
    world.close().await;
}
