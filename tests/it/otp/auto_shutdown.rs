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
    let policy = child("a", "") + &significant("b", "temporary");
    let stage = Stage::new(&format!("auto_shutdown = \"any-significant\"\nstrategy = \"one-for-all\"\n{policy}")).await;
    stage.crash("a").await;
    stage.lives("a", 2).await;
    assert_eq!(stage.tell("ping").await, "pong");
    tells(&stage.decisions().await, "restart a: permanent");
    stage.close().await;
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
