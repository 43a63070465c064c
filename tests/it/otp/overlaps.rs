//! Restarts that meet: what happens to a child while another restart, a stop or a start is under
//! way.

use super::{Stage, children, tells};

const SLOWLY: &str = "backoff = { initial = \"1s\", factor = 1.0, jitter = 0.0 }\n";

async fn slow(strategy: &str, ids: &[&str]) -> Stage {
    Stage::new(&format!("strategy = \"{strategy}\"\n{SLOWLY}{}", children(ids))).await
}

#[tokio::test]
async fn an_older_childs_restart_takes_over_that_of_a_younger_one() {
    let stage = slow("rest-for-one", &["a", "b", "c"]).await;
    stage.crash("c").await;
    stage.asleep(1_000).await;
    stage.advance(500);
    stage.crash("a").await;
    stage.asleep(1_000).await;
    stage.advance(500); // c's own delay is over, a's is not
    assert_eq!(stage.world.of_type(stage.child("c").id(), "actor_started").await.len(), 1);
    stage.advance(500);
    stage.lives("c", 2).await;
    tells(
        stage.story().await.split_once("c starts\n").unwrap().1,
        "c ends: abnormal trap
        exit of c, asked by itself
        restart c: permanent
        a ends: abnormal trap
        exit of a, asked by itself
        restart a: permanent
        b ends: shutdown
        exit of b, asked by parent
        a starts again: reset
        b starts again: reset
        c starts again: reset",
    );
    stage.close().await;
}

#[tokio::test]
async fn a_bystander_that_is_terminated_while_its_group_waits_stays_down() {
    let stage = slow("one-for-all", &["a", "b", "c"]).await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    assert_eq!(stage.tell("terminate b").await, "done");
    stage.advance(1_000);
    stage.lives("c", 2).await;
    tells(
        stage.moves().await.split_once("c starts\n").unwrap().1,
        "a ends: abnormal trap
        c ends: shutdown
        b ends: shutdown
        a starts again: reset
        c starts again: reset",
    );
    assert_eq!(stage.tell("restart b").await, "restarted");
    stage.close().await;
}

#[tokio::test]
async fn a_bystander_that_an_operator_stops_while_its_group_waits_stays_down() {
    let stage = slow("one-for-all", &["a", "b", "c"]).await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    stage.world.runtime.stop_actor(stage.child("b").id()).await.unwrap();
    stage.advance(1_000);
    stage.lives("c", 2).await;
    tells(
        stage.moves().await.split_once("c starts\n").unwrap().1,
        "a ends: abnormal trap
        c ends: shutdown
        b ends: shutdown
        a starts again: reset
        c starts again: reset",
    );
    assert_eq!(stage.tell("restart b").await, "restarted");
    stage.close().await;
}

#[tokio::test]
async fn the_child_that_failed_may_be_terminated_while_its_group_waits_and_the_others_start() {
    let stage = slow("one-for-all", &["a", "b"]).await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    assert_eq!(stage.tell("terminate a").await, "done");
    stage.advance(1_000);
    stage.lives("b", 2).await;
    assert!(stage.moves().await.ends_with("a ends: abnormal trap\nb ends: shutdown\nb starts again: reset"));
    stage.close().await;
}

#[tokio::test]
async fn a_child_added_while_its_group_waits_is_not_taken_along() {
    let stage = slow("one-for-all", &["a", "b"]).await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    assert_eq!(stage.start("x", "counter.toml").await, "started");
    stage.advance(1_000);
    stage.lives("b", 2).await;
    assert_eq!(stage.world.of_type(stage.child("x").id(), "actor_started").await.len(), 1);
    stage.crash("b").await;
    stage.asleep(1_000).await;
    stage.advance(1_000);
    stage.lives("x", 2).await; // from the next restart on it belongs to them
    stage.close().await;
}

#[tokio::test]
async fn an_operators_restart_during_the_delay_is_the_one_that_counts() {
    let stage = slow("one-for-one", &["a", "b"]).await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    stage.world.resume(&stage.child("a")).await;
    stage.ask("a", "add 4").await;
    stage.advance(1_000);
    stage.crash("b").await;
    stage.asleep(1_000).await;
    stage.advance(1_000);
    stage.lives("b", 2).await;
    assert_eq!(stage.ask("a", "get").await, "4");
    assert_eq!(stage.world.of_type(stage.child("a").id(), "actor_started").await.len(), 2);
    stage.close().await;
}

#[tokio::test]
async fn a_stop_of_the_supervisor_during_a_delay_ends_at_once() {
    let stage = slow("one-for-all", &["a", "b"]).await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    stage.world.runtime.stop_actor(stage.boss.id()).await.unwrap();
    assert!(stage.moves().await.ends_with("a ends: abnormal trap\nb ends: shutdown\nboss ends: shutdown"));
    assert!(stage.world.runtime.actors().is_empty());
    stage.close().await;
}
