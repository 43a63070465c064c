//! What an operator does wins over what a policy is about to do.

use theater::{ActorHandle, ActorStatus, RestartFrom, Shutdown};
use theater_tests::World;

use super::{child, crash, decisions, is_running, soon, supervisor};

/// A child `one` that is to be restarted in an hour.
async fn in_backoff() -> (World, ActorHandle, ActorHandle) {
    let (world, boss, one) =
        calm("max_restarts = \"infinity\"\nbackoff = { initial = \"1h\", factor = 1.0, max = \"1h\", jitter = 0.0 }\n")
            .await;
    crash(&world, &one).await;
    soon("the decision", world.wait_for(boss.id(), "supervision_action", 1)).await;
    assert_eq!(world.runtime.actor(one.id()).unwrap().status, ActorStatus::Restarting);
    (world, boss, one)
}

async fn calm(policy: &str) -> (World, ActorHandle, ActorHandle) {
    calm_with(policy, "").await
}

/// What `keys` say is said of `one`.
async fn calm_with(policy: &str, keys: &str) -> (World, ActorHandle, ActorHandle) {
    let world = World::new(&["relay", "counter"]);
    let one = format!("{keys}restart_state = \"resume\"");
    let children = child("one", "counter", &one) + &child("two", "counter", "");
    supervisor(&world, "boss", &format!("{policy}{children}"));
    let boss = world.spawn("boss").await;
    let one = world.declared(&boss, "one");
    world.ask(&one, "add 5").await;
    (world, boss, one)
}

async fn lives(world: &World, actor: &ActorHandle) -> usize {
    world.of_type(actor.id(), "actor_started").await.len()
}

#[tokio::test]
async fn a_stop_during_a_backoff_ends_the_loop() {
    for shutdown in [None, Some(Shutdown::BrutalKill)] {
        let (world, boss, one) = in_backoff().await;
        match shutdown {
            None => soon("the stop", world.runtime.stop_actor(one.id())).await.unwrap(),
            Some(kill) => soon("the kill", world.runtime.stop_actor_within(one.id(), kill)).await.unwrap(),
        }
        soon("it is gone", async {
            while world.runtime.actor(one.id()).is_some() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let which = world.ask(&boss, "which").await;
        assert!(!which.contains("Restarting"), "{which}");
        // It is down as one that was stopped: by hand it starts again.
        assert_eq!(world.ask(&boss, "restart-with one resume").await, one.id().to_string());
        assert_eq!(world.ask(&one, "get").await, "5");
        assert_eq!(lives(&world, &one).await, 2);
        world.close().await;
    }
}

#[tokio::test]
async fn a_restart_during_a_backoff_takes_its_place() {
    let (world, boss, one) = in_backoff().await;
    soon("the restart", world.runtime.restart_actor(one.id(), RestartFrom::Resume)).await.unwrap();
    assert_eq!(world.ask(&one, "inc").await, "6");
    assert_eq!(lives(&world, &one).await, 2);
    // Its next crash is decided anew.
    crash(&world, &one).await;
    soon("the decision", world.wait_for(boss.id(), "supervision_action", 2)).await;
    world.close().await;
}

#[tokio::test]
async fn a_supervisor_that_stops_during_a_backoff_does_not_wait_for_it() {
    let (world, boss, one) = in_backoff().await;
    soon("the stop", world.runtime.stop_actor(boss.id())).await.unwrap();
    assert!(world.runtime.actors().is_empty());
    assert_eq!(lives(&world, &one).await, 1);
    world.close().await;
}

#[tokio::test]
async fn a_child_that_an_operator_stops_or_kills_stays_down() {
    for kill in [false, true] {
        let (world, boss, one) = calm("strategy = \"one-for-all\"\n").await;
        match kill {
            false => world.runtime.stop_actor(one.id()).await.unwrap(),
            true => world.runtime.stop_actor_within(one.id(), Shutdown::BrutalKill).await.unwrap(),
        }
        assert!(!is_running(&world, one.id()));
        assert!(world.ask(&boss, "log").await.contains(&format!("child-external-stop {}", one.id())));
        // Also when the others restart together.
        let two = world.declared(&boss, "two");
        crash(&world, &two).await;
        soon("the restart", world.wait_for(two.id(), "actor_started", 2)).await;
        assert_eq!(lives(&world, &one).await, 1);
        assert_eq!(decisions(&world, boss.id()).await.len(), 1);
        // An operator's restart brings it back, and it is supervised as before.
        world.runtime.restart_actor(one.id(), RestartFrom::Resume).await.unwrap();
        assert_eq!(world.ask(&one, "get").await, "5");
        crash(&world, &one).await;
        soon("the restart", world.wait_for(one.id(), "actor_started", 3)).await;
        world.close().await;
    }
}

#[tokio::test]
async fn an_operators_restart_of_a_running_child_costs_nothing_of_a_budget() {
    let (world, boss, one) = calm("max_restarts = 1\nwithin = \"1h\"\n").await;
    for life in 2..=6 {
        world.runtime.restart_actor(one.id(), RestartFrom::Resume).await.unwrap();
        assert_eq!(world.ask(&one, "get").await, "5");
        assert_eq!(lives(&world, &one).await, life);
    }
    assert!(decisions(&world, boss.id()).await.is_empty());
    crash(&world, &one).await;
    soon("the restart", world.wait_for(one.id(), "actor_started", 7)).await;
    assert!(is_running(&world, boss.id()));
    world.close().await;
}

/// An operator's restart brings a child back into its group, and below the policy of spawned ones.
#[tokio::test]
async fn a_child_that_an_operator_restarted_is_supervised_as_before() {
    let (world, boss, one) = calm("strategy = \"one-for-all\"\n").await;
    world.runtime.restart_actor(one.id(), RestartFrom::Resume).await.unwrap();
    assert_eq!(world.ask(&one, "get").await, "5");
    crash(&world, &world.declared(&boss, "two")).await;
    soon("the group's restart", world.wait_for(one.id(), "actor_started", 3)).await;
    world.close().await;

    let policy = "[handlers.spawned]\nrestart = \"transient\"\nrestart_state = \"resume\"\n";
    let (world, boss, _) = calm_with(policy, "").await;
    let spawned = world.handle(&world.ask(&boss, "spawn counter.toml").await);
    world.runtime.restart_actor(spawned.id(), RestartFrom::Resume).await.unwrap();
    crash(&world, &spawned).await;
    soon("its restart", world.wait_for(spawned.id(), "actor_started", 3)).await;
    world.close().await;
}

#[tokio::test]
async fn a_temporary_child_that_an_operator_restarted_may_fail() {
    let (world, boss, one) = calm_with("", "restart = \"temporary\"\n").await;
    world.runtime.restart_actor(one.id(), RestartFrom::Resume).await.unwrap();
    crash(&world, &one).await;
    soon("the decision", world.wait_for(boss.id(), "supervision_action", 1)).await;
    assert_eq!(decisions(&world, boss.id()).await, [("stop".to_owned(), "temporary".to_owned())]);
    world.close().await;
}

#[tokio::test]
async fn an_operators_stop_of_a_temporary_child_takes_its_spec_along() {
    let (world, boss, _) = calm("").await;
    let id = world.ask(&boss, "start extra counter.toml temporary").await;
    soon("the stop", world.runtime.stop_actor(id.parse().unwrap())).await.unwrap();
    assert!(!world.ask(&boss, "which").await.contains("extra"));
    // Its id is free again; an operator's restart keeps the spec.
    let next = world.ask(&boss, "start extra counter.toml temporary").await;
    assert_ne!(next, id);
    world.resume(&world.handle(&next)).await;
    assert!(world.ask(&boss, "which").await.contains("extra"));
    assert_eq!(world.ask(&world.handle(&next), "get").await, "0");
    world.close().await;
}
