//! `start_link`: how a supervisor and its children start.

use theater::SpawnError;
use theater_tests::HANDLERS;

use super::{Stage, child, children, prepared, tells};

#[tokio::test]
async fn children_start_in_the_declared_order_and_stop_in_the_reverse() {
    let stage = Stage::new(&children(&["a", "b", "c"])).await;
    stage.world.runtime.stop_actor(stage.boss.id()).await.unwrap();
    let moves = stage.moves().await;
    tells(
        &moves,
        "boss starts
        a starts
        b starts
        c starts
        c ends: shutdown
        b ends: shutdown
        a ends: shutdown
        boss ends: shutdown",
    );
    stage.close().await;
}

#[tokio::test]
async fn a_start_is_synchronous_each_child_serves_before_the_next_one_starts() {
    let stage = Stage::new(&children(&["a", "b"])).await;
    let ready = |events: Vec<theater::ChainEvent>, event_type: &str| {
        events.iter().find(|event| event.event_type == event_type).map(|event| event.timestamp).unwrap()
    };
    let of = async |id: &str| stage.world.runtime.get_actor_events(stage.child(id).id(), 0, usize::MAX).await.unwrap();
    // The boss itself is up when they are.
    let init = stage.world.runtime.get_actor_events(stage.boss.id(), 0, usize::MAX).await.unwrap();
    let (a, b, boss) =
        (ready(of("a").await, "state_updated"), ready(of("b").await, "actor_started"), ready(init, "call"));
    assert!(a < b && b < boss, "{a} {b} {boss}");
    stage.close().await;
}

#[tokio::test]
async fn the_first_child_that_fails_to_start_stops_the_others_in_reverse_and_fails_the_supervisor() {
    let policy = children(&["a", "b"]) + &child("c", "manifest = \"init-panic.toml\"") + &child("d", "");
    let (world, clock) = prepared("relay", &policy);
    let Err(SpawnError::Failed { id, error, .. }) = world.try_spawn("boss").await else { panic!("it started") };
    // OTP gives {shutdown, {failed_to_start_child, Id, Reason}}: here are id and cause unchanged.
    assert!(
        error.message.starts_with("child `c` did not start: ") && error.message.contains("told to panic in init"),
        "{error}"
    );
    assert_eq!(error.kind, theater::ErrorType::Trap);
    let boss = world.handle(&id.to_string());
    let stage = Stage::on(world, clock, boss);
    tells(
        &stage.moves().await,
        "boss starts
        a starts
        b starts
        c starts
        c ends: abnormal trap
        b ends: shutdown
        a ends: shutdown
        boss ends: abnormal trap",
    );
    assert!(stage.world.runtime.actors().is_empty());
    stage.close().await;
}

#[tokio::test]
async fn an_error_from_init_is_the_cause_too_and_the_budget_is_not_asked() {
    let policy = format!("max_restarts = 9\n{}", child("a", "manifest = \"init-err.toml\""));
    let (world, clock) = prepared("relay", &policy);
    let Err(SpawnError::Failed { id, error, .. }) = world.try_spawn("boss").await else { panic!("it started") };
    assert_eq!(error.kind, theater::ErrorType::InitFailed);
    assert!(error.message.contains("child `a`") && error.message.contains("told to fail in init"), "{error}");
    let boss = world.handle(&id.to_string());
    let stage = Stage::on(world, clock, boss);
    assert_eq!(stage.decisions().await, "");
    stage.close().await;
}

#[tokio::test]
async fn a_policy_is_checked_whole_before_anything_starts() {
    let (world, _) = prepared("relay", &(children(&["a"]) + &child("b", "manifest = \"none.toml\"")));
    let refused = world.try_spawn("boss").await.unwrap_err().to_string();
    assert!(refused.contains("children.1.manifest") && refused.contains("none.toml"), "{refused}");
    assert!(world.recorded().await.is_empty(), "nothing started");
    world.close().await;
}

#[tokio::test]
async fn a_child_may_decline_its_spec_is_kept_and_its_siblings_start() {
    let policy = child("a", "manifest = \"init-decline.toml\"") + &children(&["b"]);
    let stage = Stage::new(&policy).await;
    tells(
        &stage.moves().await,
        "boss starts
        a starts
        a ends: declined
        b starts",
    );
    assert!(stage.tell("spec a").await.contains("init-decline.toml"));
    assert_eq!(stage.tell("count").await, r#"{"specs":2,"active":1,"supervisors":1,"workers":1}"#);
    stage.close().await;
}

#[tokio::test]
async fn the_spec_of_a_temporary_child_that_declines_is_dropped() {
    let stage = Stage::new(&child("a", "manifest = \"init-decline.toml\"; restart = \"temporary\"")).await;
    assert!(stage.tell("spec a").await.starts_with("error: not found"));
    assert_eq!(stage.start("a", "counter.toml").await, "started");
    stage.close().await;
}

#[tokio::test]
async fn a_supervisor_without_children_starts_and_one_that_fails_itself_stops_them() {
    let stage = Stage::new("").await;
    assert_eq!(stage.tell("count").await, r#"{"specs":0,"active":0,"supervisors":0,"workers":0}"#);
    let (world, clock) = prepared("rogue", &children(&["a"]));
    // The supervisor's own init runs when its children are up; there it fails.
    let Err(SpawnError::Failed { id, .. }) = world.try_spawn_with("boss", "err").await else { panic!("it started") };
    let boss = world.handle(&id.to_string());
    let failed = Stage::on(world, clock, boss);
    let moves = failed.moves().await;
    assert!(moves.contains("a starts") && moves.ends_with("boss ends: abnormal init-failed"), "{moves}");
    assert!(failed.world.runtime.actors().is_empty());
    failed.close().await;
    stage.close().await;
}

#[tokio::test]
async fn a_restarted_supervisor_starts_its_declared_children_under_the_same_ids_and_only_those() {
    // OTP loses children that were added; here their records are left, and those spawned can be
    // restarted by hand.
    let stage = Stage::new(&(child("a", "restart_state = \"resume\"") + &children(&["b"]))).await;
    assert_eq!(stage.start("added", "counter.toml").await, "started");
    let spawned = stage.spawn("spawned", "counter.toml").await;
    stage.ask("a", "add 5").await;
    stage.ask("b", "add 6").await;
    stage.ask("spawned", "add 7").await;
    stage.world.runtime.stop_actor(stage.boss.id()).await.unwrap();
    stage.world.resume(&stage.boss).await;
    assert_eq!((stage.ask("a", "get").await, stage.ask("b", "get").await), ("5".to_owned(), "0".to_owned()));
    assert!(stage.tell("spec added").await.starts_with("error: not found"));
    let again = format!("restart-with {} resume", spawned.id());
    assert_eq!(stage.tell(&again).await, spawned.id().to_string());
    assert_eq!(stage.ask("spawned", "get").await, "7");
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_does_not_start_two_levels_below_fails_every_level_and_each_is_named() {
    let (world, clock) = prepared("relay", "");
    super::supervisor(&world, "middle", "relay", &(children(&["d"]) + &child("e", "manifest = \"init-err.toml\"")));
    super::boss(&world, "relay", &(children(&["a"]) + &child("b", "manifest = \"middle.toml\"") + &child("c", "")));
    let Err(SpawnError::Failed { id, error, .. }) = world.try_spawn("boss").await else { panic!("it started") };
    for part in ["child `b`", "child `e`", "told to fail in init"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    let boss = world.handle(&id.to_string());
    let stage = Stage::on(world, clock, boss);
    for leaf in ["d", "e"] {
        stage.name(leaf, stage.world.declared(&stage.child("b"), leaf).id());
    }
    tells(
        &stage.moves().await,
        "boss starts
        a starts
        b starts
        d starts
        e starts
        e ends: abnormal init-failed
        d ends: shutdown
        b ends: abnormal init-failed
        a ends: shutdown
        boss ends: abnormal init-failed",
    );
    assert!(stage.world.runtime.actors().is_empty());
    stage.close().await;
}

#[tokio::test]
async fn a_supervisor_may_decline_its_children_are_stopped_and_its_siblings_start() {
    // OTP asks before there are children; here `init` finds them running.
    let (world, clock) = prepared("relay", "");
    let middle = format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n{}", children(&["d"]));
    world.manifest("middle", "rogue", &format!("init_state = \"decline.txt\"\n{middle}"));
    super::boss(&world, "relay", &(child("b", "manifest = \"middle.toml\"") + &child("c", "")));
    let boss = world.spawn("boss").await;
    let stage = Stage::on(world, clock, boss);
    stage.name("d", stage.world.declared(&stage.child("b"), "d").id());
    let moves = stage.moves().await;
    assert!(moves.starts_with("boss starts\nb starts\nd starts\nd ends: "), "{moves}");
    assert!(moves.ends_with("b ends: declined\nc starts"), "{moves}");
    assert_eq!(stage.tell("count").await, r#"{"specs":2,"active":1,"supervisors":1,"workers":1}"#);
    assert_eq!(stage.decisions().await, "");
    stage.close().await;
}

#[tokio::test]
async fn a_restarted_supervisor_has_the_declared_children_again_that_were_deleted_or_terminated() {
    let stage = Stage::new(&children(&["a", "b", "c"])).await;
    for order in ["terminate a", "delete a", "terminate b"] {
        assert_eq!(stage.tell(order).await, "done");
    }
    stage.world.runtime.stop_actor(stage.boss.id()).await.unwrap();
    stage.world.resume(&stage.boss).await;
    for id in ["a", "b", "c"] {
        assert_eq!(stage.ask(id, "get").await, "0");
    }
    let moves = stage.moves().await;
    assert!(moves.ends_with("a starts again: reset\nb starts again: reset\nc starts again: reset"), "{moves}");
    stage.close().await;
}
