//! `auto_shutdown` and `significant`.

use theater::ExitReason;

use super::{Stage, child, children, prepared, tells};

fn significant(id: &str, restart: &str) -> String {
    child(id, &format!("manifest = \"relay.toml\"; significant = true; restart = \"{restart}\""))
}

#[tokio::test]
async fn never_is_the_default_and_forbids_significant_children() {
    for (policy, why) in [
        (significant("a", "transient"), "auto_shutdown = \"never\""),
        (
            format!("auto_shutdown = \"any-significant\"\n{}", significant("a", "permanent")),
            "a permanent child is always restarted",
        ),
        (
            format!("auto_shutdown = \"any-significant\"\nstrategy = \"dynamic\"\n{}", significant("a", "transient")),
            "children of a template cannot be significant",
        ),
    ] {
        let (world, _) = prepared("relay", &policy);
        let refused = world.try_spawn("boss").await.unwrap_err().to_string();
        assert!(refused.contains("children.0.significant") && refused.contains(why), "{refused}");
        assert!(world.recorded().await.is_empty());
    }
}

#[tokio::test]
async fn any_significant_ends_the_supervisor_when_one_ends_by_itself() {
    let policy = significant("a", "temporary") + &significant("b", "transient") + &children(&["c"]);
    let stage = Stage::new(&format!("auto_shutdown = \"any-significant\"\n{policy}")).await;
    stage.ask("b", "shutdown").await;
    assert_eq!(stage.boss.ended().await.unwrap(), ExitReason::Shutdown);
    tells(
        stage.story().await.split_once("c starts\n").unwrap().1,
        "b ends: normal
        exit of b, asked by itself
        stop b: transient
        stop boss: auto-shutdown
        c ends: shutdown
        exit of c, asked by parent
        a ends: shutdown
        exit of a, asked by parent
        boss ends: shutdown",
    );
    stage.close().await;
}

#[tokio::test]
async fn all_significant_waits_for_the_last_one_that_is_up() {
    let policy = significant("a", "temporary") + &significant("b", "transient") + &children(&["c"]);
    let stage = Stage::new(&format!("auto_shutdown = \"all-significant\"\n{policy}")).await;
    stage.fails("a", "panic").await;
    tells(&stage.decisions().await, "stop a: temporary");
    stage.ask("c", "inc").await;
    stage.ask("b", "shutdown").await;
    assert_eq!(stage.boss.ended().await.unwrap(), ExitReason::Shutdown);
    assert!(stage.decisions().await.ends_with("stop b: transient\nstop boss: auto-shutdown"));
    stage.close().await;
}

#[tokio::test]
async fn a_temporary_significant_child_counts_however_it_ends_a_transient_one_only_when_it_ends_normally() {
    let policy = significant("a", "transient") + &significant("b", "temporary");
    let stage = Stage::new(&format!("auto_shutdown = \"any-significant\"\n{policy}")).await;
    stage.fails("a", "panic").await;
    stage.lives("a", 2).await;
    stage.ask("a", "ping").await;
    stage.fails("b", "panic").await;
    assert_eq!(stage.boss.ended().await.unwrap(), ExitReason::Shutdown);
    tells(&stage.decisions().await, "restart a: transient\nstop b: temporary\nstop boss: auto-shutdown");
    stage.close().await;
}

#[tokio::test]
async fn a_significant_child_that_is_terminated_or_stopped_by_an_operator_ends_nothing() {
    let policy = significant("a", "transient") + &significant("b", "transient");
    let stage = Stage::new(&format!("auto_shutdown = \"any-significant\"\n{policy}")).await;
    assert_eq!(stage.tell("terminate a").await, "done");
    stage.world.runtime.stop_actor(stage.child("b").id()).await.unwrap();
    assert_eq!(stage.tell("ping").await, "pong");
    assert_eq!(stage.decisions().await, "");
    stage.close().await;
}

#[tokio::test]
async fn a_significant_child_that_a_siblings_restart_takes_along_ends_nothing() {
    for strategy in ["one-for-all", "rest-for-one"] {
        let policy = child("a", "") + &significant("b", "temporary") + &significant("c", "transient");
        let policy = format!("auto_shutdown = \"any-significant\"\nstrategy = \"{strategy}\"\n{policy}");
        let stage = Stage::new(&policy).await;
        stage.crash("a").await;
        stage.lives("c", 2).await;
        assert_eq!(stage.tell("ping").await, "pong");
        tells(&stage.decisions().await, "restart a: permanent");
        stage.close().await;
    }
}

#[tokio::test]
async fn insignificant_children_end_without_consequence() {
    let policy = child("a", "manifest = \"relay.toml\"; restart = \"temporary\"") + &significant("b", "temporary");
    let stage = Stage::new(&format!("auto_shutdown = \"all-significant\"\n{policy}")).await;
    stage.ask("a", "shutdown").await;
    stage.decided(1).await;
    assert_eq!(stage.tell("ping").await, "pong");
    tells(&stage.decisions().await, "stop a: temporary");
    stage.close().await;
}

#[tokio::test]
async fn a_supervisor_that_shut_down_so_ended_normally_for_its_own_supervisor() {
    // A transient one is not restarted; a significant one takes the next level along.
    let (world, clock) = prepared("relay", "");
    let policy = format!("auto_shutdown = \"any-significant\"\n{}", significant("d", "temporary"));
    super::supervisor(&world, "middle", "relay", &policy);
    let middle = "manifest = \"middle.toml\"; restart = \"transient\"; significant = true";
    super::boss(
        &world,
        "relay",
        &format!("auto_shutdown = \"any-significant\"\n{}{}", child("a", ""), child("b", middle)),
    );
    let boss = world.spawn("boss").await;
    let stage = Stage::on(world, clock, boss);
    stage.name("d", stage.world.declared(&stage.child("b"), "d").id());
    stage.ask("d", "shutdown").await;
    assert_eq!(stage.boss.ended().await.unwrap(), ExitReason::Shutdown);
    let decisions = stage.decisions().await;
    assert!(decisions.ends_with("stop b: auto-shutdown\nstop b: transient\nstop boss: auto-shutdown"), "{decisions}");
    assert!(stage.moves().await.ends_with("b ends: shutdown\na ends: shutdown\nboss ends: shutdown"));
    stage.close().await;
}

#[tokio::test]
async fn a_significant_child_can_be_added_where_the_policy_allows_it() {
    let stage = Stage::new("auto_shutdown = \"any-significant\"\n").await;
    assert!(
        stage.start("x", "relay.toml permanent significant").await.contains("a permanent child cannot be significant")
    );
    assert_eq!(stage.start("x", "relay.toml transient significant").await, "started");
    stage.ask("x", "shutdown").await;
    assert_eq!(stage.boss.ended().await.unwrap(), ExitReason::Shutdown);
    stage.close().await;
    let stage = Stage::new("").await;
    assert!(stage.start("x", "relay.toml transient significant").await.contains("auto_shutdown is never"));
    stage.close().await;
}

#[tokio::test]
async fn the_last_active_one_counts_whatever_became_of_the_others() {
    let policy = significant("a", "transient") + &significant("b", "transient");
    let policy = format!("auto_shutdown = \"all-significant\"\n{policy}{}", children(&["c"]));
    // One that was terminated is not waited for.
    let stage = Stage::new(&policy).await;
    assert_eq!(stage.tell("terminate b").await, "done");
    stage.ask("a", "shutdown").await;
    assert_eq!(stage.boss.ended().await.unwrap(), ExitReason::Shutdown);
    tells(&stage.decisions().await, "stop a: transient\nstop boss: auto-shutdown");
    stage.close().await;
    // But to terminate the last one ends nothing.
    let stage = Stage::new(&policy).await;
    stage.ask("a", "shutdown").await;
    stage.decided(1).await;
    assert_eq!(stage.tell("terminate b").await, "done");
    assert_eq!(stage.tell("ping").await, "pong");
    tells(&stage.decisions().await, "stop a: transient");
    stage.close().await;
}

#[tokio::test]
async fn a_significant_child_that_is_being_restarted_is_waited_for() {
    let policy = significant("a", "transient") + &significant("b", "transient");
    let backoff = "backoff = { initial = \"1s\", jitter = 0.0 }\n";
    let stage = Stage::new(&format!("auto_shutdown = \"all-significant\"\n{backoff}{policy}")).await;
    stage.fails("a", "panic").await;
    stage.asleep(1_000).await;
    stage.ask("b", "shutdown").await;
    stage.decided(2).await;
    assert_eq!(stage.tell("ping").await, "pong");
    stage.advance(1_000);
    stage.lives("a", 2).await;
    stage.ask("a", "shutdown").await;
    assert_eq!(stage.boss.ended().await.unwrap(), ExitReason::Shutdown);
    tells(
        &stage.decisions().await,
        "restart a: transient\nstop b: transient\nstop a: transient\nstop boss: auto-shutdown",
    );
    stage.close().await;
}

#[tokio::test]
async fn the_remaining_children_are_stopped_each_as_its_shutdown_says() {
    let policy = significant("a", "transient")
        + &child("b", "shutdown = \"brutal-kill\"")
        + &child("c", "manifest = \"looper.toml\"; shutdown = \"700ms\"")
        + &child("d", "");
    let stage = Stage::new(&format!("auto_shutdown = \"any-significant\"\n{policy}")).await;
    super::stopping::loops(&stage, "c").await;
    stage.ask("a", "shutdown").await;
    stage.asleep(700).await;
    stage.advance(700);
    assert_eq!(stage.boss.ended().await.unwrap(), ExitReason::Shutdown);
    let moves = stage.moves().await;
    assert!(
        moves.ends_with(
            "a ends: normal\nd ends: shutdown\nc ends: killed deadline\nb ends: killed host\nboss ends: shutdown"
        ),
        "{moves}"
    );
    stage.close().await;
}

#[tokio::test]
async fn a_permanent_supervisor_that_shuts_itself_down_uses_up_the_budget_of_its_own() {
    let (world, clock) = prepared("relay", "");
    let policy = format!("auto_shutdown = \"any-significant\"\n{}", significant("d", "temporary"));
    super::supervisor(&world, "middle", "relay", &policy);
    super::boss(&world, "relay", &format!("max_restarts = 1\n{}", child("b", "manifest = \"middle.toml\"")));
    let boss = world.spawn("boss").await;
    let stage = Stage::on(world, clock, boss);
    stage.name("d", stage.world.declared(&stage.child("b"), "d").id());
    stage.ask("d", "shutdown").await;
    stage.lives("d", 2).await;
    stage.lives("b", 2).await;
    stage.ask("d", "shutdown").await;
    let ended = stage.boss.ended().await.unwrap().to_string();
    assert!(ended.contains("child `b`"), "{ended}");
    tells(
        &stage.decisions().await,
        "stop d: temporary
        stop b: auto-shutdown
        restart b: permanent
        warn b: budget
        stop d: temporary
        stop b: auto-shutdown
        escalate b: budget",
    );
    stage.close().await;
}
