//! `strategy`: who is restarted with whom, and in which order.

use super::{Stage, child, children, tells};

fn with(strategy: &str, rest: &str) -> String {
    format!("strategy = \"{strategy}\"\n{rest}")
}

#[tokio::test]
async fn one_for_one_is_the_default_and_restarts_that_child_alone() {
    let stage = Stage::new(&children(&["a", "b", "c"])).await;
    stage.ask("a", "inc").await;
    stage.crash("b").await;
    stage.lives("b", 2).await;
    tells(
        &stage.story().await,
        "boss starts
        a starts
        b starts
        c starts
        b ends: abnormal trap
        exit of b, asked by itself
        restart b: permanent
        b starts again: reset",
    );
    assert_eq!(stage.ask("a", "get").await, "1");
    stage.close().await;
}

#[tokio::test]
async fn one_for_all_stops_the_others_in_reverse_and_starts_all_in_order() {
    let stage = Stage::new(&with("one-for-all", &children(&["a", "b", "c"]))).await;
    stage.crash("b").await;
    stage.lives("c", 2).await;
    tells(
        &stage.story().await,
        "boss starts
        a starts
        b starts
        c starts
        b ends: abnormal trap
        exit of b, asked by itself
        restart b: permanent
        c ends: shutdown
        exit of c, asked by parent
        a ends: shutdown
        exit of a, asked by parent
        a starts again: reset
        b starts again: reset
        c starts again: reset",
    );
    // One restart of three children costs one of the budget.
    let decisions = stage.decided(1).await;
    assert_eq!((decisions.len(), decisions[0]["window"].as_u64()), (1, Some(1)));
    stage.close().await;
}

#[tokio::test]
async fn rest_for_one_takes_along_those_started_after_the_one_that_failed() {
    let stage = Stage::new(&with("rest-for-one", &children(&["a", "b", "c", "d"]))).await;
    stage.crash("b").await;
    stage.lives("d", 2).await;
    tells(
        &stage.moves().await,
        "boss starts
        a starts
        b starts
        c starts
        d starts
        b ends: abnormal trap
        d ends: shutdown
        c ends: shutdown
        b starts again: reset
        c starts again: reset
        d starts again: reset",
    );
    stage.crash("d").await;
    stage.lives("d", 3).await;
    assert!(stage.moves().await.ends_with("d ends: abnormal trap\nd starts again: reset"));
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_was_added_is_the_youngest() {
    let stage = Stage::new(&with("rest-for-one", &children(&["a", "b"]))).await;
    assert_eq!(stage.start("x", "counter.toml").await, "started");
    stage.crash("b").await;
    stage.lives("x", 2).await;
    assert!(
        stage
            .moves()
            .await
            .ends_with("b ends: abnormal trap\nx ends: shutdown\nb starts again: reset\nx starts again: reset")
    );
    stage.close().await;
}

#[tokio::test]
async fn children_stopped_on_purpose_declined_or_ended_well_stay_down_in_a_group_restart() {
    // OTP starts them again; Theater does not undo what somebody wanted.
    let policy = children(&["a", "b"])
        + &child("c", "manifest = \"relay.toml\"; restart = \"transient\"")
        + &child("d", "manifest = \"init-decline.toml\"")
        + &children(&["e"]);
    let stage = Stage::new(&with("one-for-all", &policy)).await;
    assert_eq!(stage.tell("terminate a").await, "done");
    stage.ask("c", "shutdown").await;
    stage.decided(1).await;
    stage.crash("b").await;
    stage.lives("e", 2).await;
    let moves = stage.moves().await;
    assert!(
        moves.ends_with("b ends: abnormal trap\ne ends: shutdown\nb starts again: reset\ne starts again: reset"),
        "{moves}"
    );
    // Started by hand, it belongs to the group again.
    assert_eq!(stage.tell("restart a").await, "restarted");
    stage.crash("e").await;
    stage.lives("e", 3).await;
    let moves = stage.moves().await;
    assert!(moves.ends_with("a starts again: reset\nb starts again: reset\ne starts again: reset"), "{moves}");
    stage.close().await;
}

#[tokio::test]
async fn members_of_a_group_obey_its_strategy_and_the_others_the_supervisors() {
    let group = |id: &str| child(id, "group = \"books\"");
    let policy = children(&["a"]) + &group("b") + &children(&["c"]) + &group("d");
    let policy = format!("strategy = \"rest-for-one\"\n{policy}[handlers.groups.books]\nstrategy = \"one-for-all\"\n");
    let stage = Stage::new(&policy).await;
    stage.crash("d").await;
    stage.lives("d", 2).await;
    assert!(
        stage
            .moves()
            .await
            .ends_with("d ends: abnormal trap\nb ends: shutdown\nb starts again: reset\nd starts again: reset")
    );
    stage.crash("a").await;
    stage.lives("c", 2).await;
    assert!(
        stage
            .moves()
            .await
            .ends_with("a ends: abnormal trap\nc ends: shutdown\na starts again: reset\nc starts again: reset")
    );
    stage.close().await;
}

#[tokio::test]
async fn each_child_restarts_with_its_own_state_unless_the_group_says_otherwise() {
    let policy = child("a", "restart_state = \"resume\"") + &child("b", "restart_state = \"reset\"");
    let stage = Stage::new(&with("one-for-all", &policy)).await;
    stage.ask("a", "add 1").await;
    stage.ask("b", "add 2").await;
    stage.crash("b").await;
    stage.lives("b", 2).await;
    assert_eq!((stage.ask("a", "get").await, stage.ask("b", "get").await), ("1".to_owned(), "0".to_owned()));
    stage.close().await;

    let policy = child("a", "group = \"g\"") + &child("b", "group = \"g\"");
    let group = "[handlers.groups.g]\nstrategy = \"one-for-all\"\nrestart_state = \"resume\"\n";
    let stage = Stage::new(&format!("{policy}{group}")).await;
    stage.ask("a", "add 1").await;
    stage.ask("b", "add 2").await;
    stage.crash("b").await;
    stage.lives("b", 2).await;
    assert_eq!((stage.ask("a", "get").await, stage.ask("b", "get").await), ("1".to_owned(), "2".to_owned()));
    let decision = stage.decided(1).await.remove(0);
    assert_eq!(decision["cut"].as_array().map(Vec::len), Some(2), "{decision}");
    stage.close().await;
}

/// Delays that a test can wait for.
const SLOWLY: &str = "backoff = { initial = \"1s\", factor = 1.0, jitter = 0.0 }\n";

/// `a`, then `x` whose start goes as the gate says, then `y`; `a` has failed, and `x` after it.
async fn x_does_not_start(strategy: &str) -> Stage {
    let stage = Stage::new(&with(strategy, &format!("{SLOWLY}{}", children(&["a"])))).await;
    let gate = stage.spawn("gate", "relay.toml").await;
    assert_eq!(stage.start("x", &format!("relay.toml init=as+{}", gate.id())).await, "started");
    assert_eq!(stage.start("y", "counter.toml").await, "started");
    stage.ask("gate", "say fail").await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    stage.advance(1_000);
    stage.decided(2).await;
    stage.ask("gate", "say ping").await;
    stage.asleep(1_000).await;
    stage.advance(1_000);
    stage.lives("y", 2).await;
    stage
}

#[tokio::test]
async fn one_for_all_starts_all_again_when_one_of_them_fails_to_start() {
    // What was restarted so far is stopped.
    let stage = x_does_not_start("one-for-all").await;
    let story = stage.story().await;
    let since = story.split_once("a ends: abnormal trap\n").unwrap().1;
    tells(
        since,
        "exit of a, asked by itself
        restart a: permanent
        y ends: shutdown
        exit of y, asked by parent
        x ends: shutdown
        exit of x, asked by parent
        a starts again: reset
        x starts again: reset
        x ends: abnormal init-failed
        exit of x, asked by itself
        restart x: permanent
        a ends: shutdown
        exit of a, asked by parent
        a starts again: reset
        x starts again: reset
        y starts again: reset",
    );
    assert_eq!(stage.heard().await.lines().count(), 1, "a callback for an exit, none for failed attempts");
    stage.close().await;
}

#[tokio::test]
async fn rest_for_one_keeps_what_started_before_the_one_that_fails_to_start() {
    let stage = x_does_not_start("rest-for-one").await;
    let story = stage.story().await;
    let since = story.split_once("x ends: abnormal init-failed\n").unwrap().1;
    tells(
        since,
        "exit of x, asked by itself
        restart x: permanent
        x starts again: reset
        y starts again: reset",
    );
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_is_not_to_be_restarted_takes_nobody_along() {
    for strategy in ["one-for-all", "rest-for-one"] {
        let relay = |id: &str, restart: &str| child(id, &format!("manifest = \"relay.toml\"; restart = \"{restart}\""));
        let policy = relay("a", "transient") + &relay("b", "temporary") + &children(&["c"]);
        let stage = Stage::new(&with(strategy, &policy)).await;
        stage.ask("c", "inc").await;
        stage.ask("a", "shutdown").await;
        stage.fails("b", "panic").await;
        stage.decided(2).await;
        assert_eq!(stage.ask("c", "get").await, "1");
        assert!(stage.moves().await.ends_with("a ends: normal\nb ends: abnormal trap"));
        tells(&stage.decisions().await, "stop a: transient\nstop b: temporary");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_transient_bystander_is_started_again_with_the_others() {
    // It was stopped, which alone would be no reason.
    for strategy in ["one-for-all", "rest-for-one"] {
        let stage = Stage::new(&with(strategy, &(child("a", "") + &child("b", "restart = \"transient\"")))).await;
        stage.crash("a").await;
        stage.lives("b", 2).await;
        assert!(
            stage
                .moves()
                .await
                .ends_with("a ends: abnormal trap\nb ends: shutdown\na starts again: reset\nb starts again: reset")
        );
        stage.close().await;
    }
}
