//! `shutdown`: how children are stopped, and in which order.

use super::{Stage, child, children, tells};

/// Calls that never end: a child that does not hear of a stop.
pub(super) async fn loops(stage: &Stage, id: &str) {
    stage.world.send(&stage.child(id), "loop").await.unwrap();
    let calls = stage.world.wait_for(stage.child(id).id(), "call", 2).await; // after init
    assert_eq!(calls[1]["function"], "handle-send");
}

fn looper(id: &str, shutdown: &str) -> String {
    child(id, &format!("manifest = \"looper.toml\"; shutdown = \"{shutdown}\""))
}

#[tokio::test]
async fn brutal_kill_kills_at_once() {
    let stage = Stage::new(&(looper("a", "brutal-kill") + &child("b", "shutdown = \"brutal-kill\""))).await;
    loops(&stage, "a").await;
    assert_eq!(stage.tell("terminate a").await, "done");
    assert_eq!(stage.tell("terminate b").await, "done");
    assert!(stage.moves().await.ends_with("a ends: killed host\nb ends: killed host"));
    stage.close().await;
}

#[tokio::test]
async fn with_a_time_it_is_asked_and_killed_when_the_time_is_up() {
    let stage = Stage::new(&(looper("a", "700ms") + &child("b", "shutdown = \"700ms\""))).await;
    loops(&stage, "a").await;
    let stop = async {
        stage.asleep(700).await;
        assert!(stage.world.runtime.actor(stage.child("a").id()).is_some());
        stage.advance(700);
    };
    let (answer, ()) = tokio::join!(stage.tell("terminate a"), stop);
    assert_eq!(answer, "done");
    assert_eq!(stage.tell("terminate b").await, "done");
    tells(
        stage.story().await.split_once("b starts\n").unwrap().1,
        "a ends: killed deadline
        exit of a, asked by parent
        b ends: shutdown
        exit of b, asked by parent",
    );
    stage.close().await;
}

#[tokio::test]
async fn the_default_is_five_seconds_and_without_limit_for_supervisors() {
    let stage =
        Stage::new(&(child("a", "manifest = \"looper.toml\"") + &child("b", "manifest = \"relay.toml\""))).await;
    // b has a child of its own that does not hear: it takes as long as that takes.
    let grandchild = stage.ask("b", "spawn looper.toml").await;
    stage.name("c", grandchild.parse().unwrap());
    loops(&stage, "c").await;
    loops(&stage, "a").await;
    let stop = async {
        stage.asleep(5_000).await;
        stage.advance(5_000); // c's time; b has none
        stage.child("b").ended().await.unwrap();
        stage.asleep(5_000).await;
        stage.advance(5_000); // a's
    };
    let (stopped, ()) = tokio::join!(stage.world.runtime.stop_actor(stage.boss.id()), stop);
    stopped.unwrap();
    let moves = stage.moves().await;
    assert!(
        moves.ends_with("c ends: killed deadline\nb ends: shutdown\na ends: killed deadline\nboss ends: shutdown"),
        "{moves}"
    );
    stage.close().await;
}

#[tokio::test]
async fn infinity_waits_for_as_long_as_it_takes() {
    let stage = Stage::new(&looper("a", "infinity")).await;
    stage.world.send(&stage.child("a"), "spin 20000000").await.unwrap();
    stage.world.wait_for(stage.child("a").id(), "call", 2).await;
    assert_eq!(stage.tell("terminate a").await, "done");
    assert!(stage.moves().await.ends_with("a ends: shutdown"));
    // The call that ran was completed and committed.
    assert_eq!(stage.world.of_type(stage.child("a").id(), "state_updated").await.len(), 2);
    stage.close().await;
}

#[tokio::test]
async fn a_subtree_starts_in_its_supervisors_turn_and_stops_from_the_leaves_and_the_youngest() {
    let policy = child("a", "") + &child("b", "manifest = \"middle.toml\"") + &child("c", "");
    let (world, clock) = super::prepared("relay", "");
    super::supervisor(&world, "middle", "relay", &children(&["d", "e"]));
    super::boss(&world, "relay", &policy);
    let boss = world.spawn("boss").await;
    let stage = Stage::on(world, clock, boss);
    for leaf in ["d", "e"] {
        stage.name(leaf, stage.world.declared(&stage.child("b"), leaf).id());
    }
    stage.world.runtime.stop_actor(stage.boss.id()).await.unwrap();
    tells(
        &stage.moves().await,
        "boss starts
        a starts
        b starts
        d starts
        e starts
        c starts
        c ends: shutdown
        e ends: shutdown
        d ends: shutdown
        b ends: shutdown
        a ends: shutdown
        boss ends: shutdown",
    );
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_does_not_hear_in_a_group_restart_is_killed_at_its_time_too() {
    let stage = Stage::new(&format!("strategy = \"one-for-all\"\n{}{}", child("a", ""), looper("b", "300ms"))).await;
    loops(&stage, "b").await;
    stage.crash("a").await;
    stage.asleep(300).await;
    stage.advance(300);
    stage.lives("b", 2).await;
    assert!(
        stage
            .moves()
            .await
            .ends_with("a ends: abnormal trap\nb ends: killed deadline\na starts again: reset\nb starts again: reset")
    );
    tells(&stage.decisions().await, "restart a: permanent");
    stage.close().await;
}

#[tokio::test]
async fn dynamic_children_stop_at_the_same_time_under_one_timer() {
    let stage = Stage::new(&format!("strategy = \"dynamic\"\n{}", looper("worker", "900ms"))).await;
    for id in ["a", "b", "c"] {
        assert_eq!(stage.start(id, "looper.toml").await, "started");
        loops(&stage, id).await;
    }
    let stop = async {
        stage.asleep(900).await;
        stage.advance(900); // once for all of them
    };
    let (stopped, ()) = tokio::join!(stage.world.runtime.stop_actor(stage.boss.id()), stop);
    stopped.unwrap();
    let moves = stage.moves().await;
    assert_eq!(moves.matches("ends: killed deadline").count(), 3, "{moves}");
    stage.close().await;
}

#[tokio::test]
async fn a_supervisor_that_is_killed_at_its_time_leaves_no_child_behind() {
    // OTP warns of this: a killed supervisor may leave its children running.
    let stage = Stage::new(&child("b", "manifest = \"relay.toml\"; shutdown = \"300ms\"")).await;
    let below = stage.ask("b", "start c looper.toml infinity").await;
    stage.name("c", below.parse().unwrap());
    loops(&stage, "c").await;
    let stop = async {
        stage.asleep(300).await;
        stage.advance(300);
    };
    let (answer, ()) = tokio::join!(stage.tell("terminate b"), stop);
    assert_eq!(answer, "done");
    assert!(stage.world.runtime.actor(stage.child("c").id()).is_none());
    let moves = stage.moves().await;
    assert!(moves.contains("c ends: killed parent-gone\nb ends: "), "{moves}");
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_asks_its_supervisor_to_stop_it_is_refused_and_one_that_tells_it_to_is_stopped() {
    // In OTP the two wait for each other until the child's time is up.
    let stage = Stage::new(&(child("a", "manifest = \"relay.toml\"") + &children(&["b"]))).await;
    let boss = stage.boss.id();
    let refused = stage.ask("a", &format!("request {boss} terminate a")).await;
    assert!(refused.contains("would close a cycle of actors that wait for each other"), "{refused}");
    assert_eq!(stage.ask("a", "ping").await, "pong");
    stage.ask("a", &format!("send {boss} do terminate a")).await;
    stage.child("a").ended().await.unwrap();
    assert!(stage.moves().await.ends_with("a ends: shutdown"));
    stage.close().await;
}
