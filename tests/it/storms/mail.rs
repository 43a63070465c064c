//! Messages over failures: nothing of a call that failed has left, and what was not begun is begun
//! once.

use std::collections::HashSet;

use theater::{ActorHandle, TheaterId};
use theater_tests::{HANDLERS, World};

use super::{child, rogue, soon, supervisor, text};

/// The messages that an actor began, in their order; none of them twice.
async fn begun(world: &World, actor: TheaterId) -> Vec<String> {
    let calls = world.of_type(actor, "call").await;
    let ids: Vec<_> = calls.iter().map(|call| text(call, "message_id")).filter(|id| !id.is_empty()).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "begun twice: {ids:?}");
    ids
}

#[tokio::test]
async fn a_call_that_sends_and_then_traps_has_sent_nothing() {
    let world = World::new(&["relay"]);
    world.manifest("peer", "relay", &format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n"));
    supervisor(&world, "boss", &(child("a", "peer", "") + &child("b", "peer", "")));
    let boss = world.spawn("boss").await;
    let (a, b) = (world.declared(&boss, "a"), world.declared(&boss, "b"));
    for life in 2..=3 {
        let order = format!("send-then-trap {} lost", b.id());
        assert!(world.try_ask(&a, &order).await.is_err());
        soon("the restart", world.wait_for(a.id(), "actor_started", life)).await;
    }
    assert_eq!(world.ask(&a, &format!("send {} kept", b.id())).await, "sent");
    assert_eq!(world.ask(&b, "log").await, "init\nsend kept");
    assert_eq!(world.runtime.store().pending(None, 10).await.unwrap().len(), 0);
    world.close().await;
}

/// A looping rogue with messages behind the one that it will fail on.
async fn laden(world: &World, actor: &ActorHandle, messages: u64) {
    let before = world.of_type(actor.id(), "call").await.len();
    world.send(actor, "loop").await.unwrap();
    soon("the loop", world.wait_for(actor.id(), "call", before + 1)).await;
    for _ in 0..messages {
        world.send(actor, "spin 1").await.unwrap();
    }
}

#[tokio::test]
async fn what_was_not_begun_is_begun_once_in_the_next_life() {
    // The restart succeeds at once, or after an attempt that fails.
    for (init, lives) in [("ok", 2), ("later-once err", 3), ("later-once trap", 3)] {
        let world = World::new(&["relay", "rogue"]);
        std::fs::write(world.path().join("init"), init).unwrap();
        rogue(&world, "slow", "init_state = \"init\"\n[limits]\ncall_timeout = \"300ms\"");
        supervisor(&world, "boss", &child("one", "slow", ""));
        let boss = world.spawn("boss").await;
        let one = world.declared(&boss, "one");
        laden(&world, &one, 5).await;
        soon("the restart", world.wait_for(one.id(), "actor_started", lives)).await;
        assert_eq!(world.ask(&one, "calls").await, "5", "{init}");
        assert_eq!(begun(&world, one.id()).await.len(), 7, "{init}: the loop, five, and the question");
        assert!(world.of_type(one.id(), "dead_letter").await.is_empty(), "{init}");
        world.close().await;
    }
}

#[tokio::test]
async fn what_was_not_begun_is_begun_once_after_a_group_restart() {
    for init in ["ok", "later-once err"] {
        let world = World::new(&["relay", "rogue"]);
        std::fs::write(world.path().join("init"), init).unwrap();
        rogue(&world, "fails", "[limits]\ncall_timeout = \"500ms\"");
        rogue(&world, "busy", "init_state = \"init\"\n[limits]\ncall_timeout = \"10m\"");
        let children = child("a", "fails", "") + &child("b", "busy", "shutdown = \"100ms\"");
        supervisor(&world, "boss", &format!("strategy = \"one-for-all\"\nmax_restarts = 9\n{children}"));
        let boss = world.spawn("boss").await;
        let (a, b) = (world.declared(&boss, "a"), world.declared(&boss, "b"));
        laden(&world, &b, 3).await;
        laden(&world, &a, 2).await;
        let lives = if init == "ok" { 2 } else { 3 };
        soon("the restart", world.wait_for(b.id(), "actor_started", lives)).await;
        assert_eq!(world.ask(&b, "calls").await, "3", "{init}");
        // `a` may have begun them in a life that its group's next attempt ended.
        world.ask(&a, "calls").await;
        assert_eq!(begun(&world, a.id()).await.len(), 4, "{init}");
        assert_eq!(begun(&world, b.id()).await.len(), 5, "{init}");
        world.close().await;
    }
}

#[tokio::test]
async fn what_waits_for_a_child_that_is_given_up_is_a_dead_letter_each() {
    let world = World::new(&["relay", "rogue"]);
    rogue(&world, "slow", "[limits]\ncall_timeout = \"300ms\"");
    supervisor(&world, "boss", &child("one", "slow", "restart = \"temporary\""));
    let boss = world.spawn("boss").await;
    let one = world.declared(&boss, "one");
    laden(&world, &one, 4).await;
    soon("the dead letters", world.wait_for(one.id(), "dead_letter", 4)).await;
    assert_eq!(begun(&world, one.id()).await.len(), 1);
    assert_eq!(world.runtime.store().pending(None, 10).await.unwrap().len(), 0);
    world.close().await;
}
