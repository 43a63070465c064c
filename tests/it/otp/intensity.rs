//! `intensity` and `period`: here `max_restarts` and `within`, for the supervisor, its groups and
//! its children.

use theater::ExitReason;

use super::{Stage, child, children, tells};

#[tokio::test]
async fn more_than_max_restarts_within_the_window_ends_the_children_in_reverse_and_the_supervisor() {
    // OTP ends with `shutdown`; here with the child's id and cause, so that a transient supervisor is
    // restarted, too.
    let stage = Stage::new(&format!("max_restarts = 1\nwithin = \"5s\"\n{}", children(&["a", "b", "c"]))).await;
    stage.crash_times("b", 2).await;
    let ExitReason::Abnormal(error) = stage.boss.ended().await.unwrap() else { panic!("a normal end") };
    assert!(error.message.contains("child `b`") && error.message.contains("asked to crash"), "{error}");
    tells(
        &stage.story().await,
        "boss starts
        a starts
        b starts
        c starts
        b ends: abnormal trap
        exit of b, asked by itself
        restart b: permanent
        warn b: budget
        b starts again: reset
        b ends: abnormal trap
        exit of b, asked by itself
        escalate b: budget
        c ends: shutdown
        exit of c, asked by parent
        a ends: shutdown
        exit of a, asked by parent
        boss ends: abnormal trap",
    );
    stage.close().await;
}

#[tokio::test]
async fn restarts_of_all_children_count_together() {
    let stage = Stage::new(&format!("max_restarts = 2\n{}", children(&["a", "b", "c"]))).await;
    for id in ["a", "b", "c"] {
        stage.crash(id).await;
    }
    stage.boss.ended().await.unwrap();
    assert!(stage.decisions().await.ends_with("escalate c: budget"));
    stage.close().await;
}

#[tokio::test]
async fn the_window_slides_and_both_its_ends_count() {
    let stage = Stage::new(&format!("max_restarts = 1\nwithin = \"5s\"\n{}", children(&["a"]))).await;
    stage.crash_times("a", 1).await;
    stage.advance(5_001);
    stage.crash_times("a", 1).await; // the first is one millisecond out of the window
    stage.advance(5_000);
    stage.crash_times("a", 1).await; // the second is just within it
    stage.boss.ended().await.unwrap();
    let windows: Vec<_> = stage.decided(5).await.iter().map(|decision| decision["window"].as_u64().unwrap()).collect();
    tells(
        &stage.decisions().await,
        "restart a: permanent
        warn a: budget
        restart a: permanent
        warn a: budget
        escalate a: budget",
    );
    assert_eq!(windows, [1, 1, 1, 1, 2]);
    stage.close().await;
}

#[tokio::test]
async fn the_defaults_are_three_within_five_seconds() {
    // OTP's are one within five seconds.
    let stage = Stage::new(&children(&["a"])).await;
    stage.crash_times("a", 4).await;
    let ended = stage.boss.ended().await.unwrap().to_string();
    assert!(ended.contains("budget of 3 attempts within 5000 ms"), "{ended}");
    stage.close().await;
}

#[tokio::test]
async fn zero_restarts_ends_the_supervisor_at_the_first_failure_and_infinity_never_does() {
    let stage = Stage::new(&format!("max_restarts = 0\n{}", children(&["a"]))).await;
    stage.crash("a").await;
    stage.boss.ended().await.unwrap();
    tells(&stage.decisions().await, "escalate a: budget");
    stage.close().await;

    let stage = Stage::new(&format!("max_restarts = \"infinity\"\n{}", children(&["a"]))).await;
    stage.crash_times("a", 12).await;
    stage.lives("a", 13).await;
    let decisions = stage.decided(12).await;
    assert!(decisions.iter().all(|decision| decision["window"] == 0 && decision["action"] == "restart"));
    stage.close().await;
}

#[tokio::test]
async fn restarts_by_hand_and_children_that_are_not_restarted_cost_nothing() {
    let policy = format!("max_restarts = 0\n{}{}", child("a", ""), child("b", "restart = \"temporary\""));
    let stage = Stage::new(&policy).await;
    for _ in 0..3 {
        assert_eq!(stage.tell("terminate a").await, "done");
        assert_eq!(stage.tell("restart a").await, "restarted");
        assert_eq!(stage.tell("restart a").await, "restarted");
    }
    stage.crash("b").await;
    tells(&stage.decisions().await, "stop b: temporary");
    stage.close().await;
}

#[tokio::test]
async fn failed_attempts_count_too() {
    let stage = Stage::new("max_restarts = 2\n").await;
    let gate = stage.spawn("gate", "relay.toml").await;
    assert_eq!(stage.start("x", &format!("relay.toml init=as+{}", gate.id())).await, "started");
    stage.ask("gate", "say fail").await;
    stage.fails("x", "panic").await;
    let ended = stage.boss.ended().await.unwrap().to_string();
    assert!(ended.contains("child `x`") && ended.contains("told to fail"), "{ended}");
    tells(
        &stage.decisions().await,
        "restart x: permanent
        restart x: permanent
        warn x: budget
        escalate x: budget",
    );
    stage.close().await;
}

#[tokio::test]
async fn a_childs_own_budget_is_checked_first_and_what_it_refuses_costs_the_supervisor_nothing() {
    let policy = format!(
        "on_exhausted = \"stop-child\"\nmax_restarts = 2\n{}{}",
        child("a", "max_restarts = 1"),
        child("b", "")
    );
    let stage = Stage::new(&policy).await;
    stage.crash_times("a", 2).await;
    stage.decided(3).await;
    stage.crash("b").await;
    stage.lives("b", 2).await;
    tells(
        &stage.decisions().await,
        "restart a: permanent
        warn a: child-budget
        stop a: child-budget
        restart b: permanent
        warn b: budget",
    );
    let decisions = stage.decided(5).await;
    assert_eq!((decisions[2]["window"].as_u64(), decisions[3]["window"].as_u64()), (Some(2), Some(2)));
    assert!(stage.tell("spec a").await.contains("counter.toml"), "its spec is kept");
    assert_eq!(stage.tell("restart a").await, "restarted");
    stage.close().await;
}

#[tokio::test]
async fn a_used_up_budget_of_a_child_or_group_escalates_where_nothing_else_is_said() {
    let stage = Stage::new(&child("a", "max_restarts = 0")).await;
    stage.crash("a").await;
    assert!(stage.boss.ended().await.unwrap().to_string().contains("child-budget"));
    stage.close().await;

    let group = "[handlers.groups.g]\nstrategy = \"one-for-one\"\nmax_restarts = 1\n";
    let policy = child("a", "group = \"g\"") + &child("b", "group = \"g\"") + group;
    let stage = Stage::new(&policy).await;
    stage.crash("a").await;
    stage.crash("b").await; // the members share it
    stage.boss.ended().await.unwrap();
    tells(&stage.decisions().await, "restart a: permanent\nwarn a: group-budget\nescalate b: group-budget");
    stage.close().await;
}

#[tokio::test]
async fn a_group_whose_budget_is_used_up_goes_down_as_a_whole_and_the_others_live() {
    let group = "[handlers.groups.g]\nstrategy = \"one-for-one\"\nmax_restarts = 0\n";
    let grouped = |id: &str| child(id, "group = \"g\"");
    let policy = format!(
        "on_exhausted = \"stop-child\"\n{}{}{}{}{group}",
        grouped("a"),
        grouped("b"),
        child("c", ""),
        grouped("d")
    );
    let stage = Stage::new(&policy).await;
    stage.crash("b").await;
    stage.child("a").ended().await.unwrap();
    tells(&stage.decisions().await, "stop b: group-budget\nstop d: group-budget\nstop a: group-budget");
    assert!(stage.moves().await.ends_with("b ends: abnormal trap\nd ends: shutdown\na ends: shutdown"));
    assert_eq!(stage.ask("c", "get").await, "0");
    stage.close().await;
}

#[tokio::test]
async fn a_restarted_supervisor_begins_with_a_fresh_budget() {
    let stage = Stage::new(&format!("max_restarts = 1\n{}", children(&["a"]))).await;
    stage.crash_times("a", 1).await;
    stage.lives("a", 2).await;
    stage.world.resume(&stage.boss).await;
    stage.crash("a").await;
    stage.lives("a", 4).await;
    tells(&stage.decisions().await, "restart a: permanent\nwarn a: budget\nrestart a: permanent\nwarn a: budget");
    stage.close().await;
}
