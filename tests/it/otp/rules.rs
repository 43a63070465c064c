//! Classes of errors and rules about them, for exits and for calls that answer `err`.

use theater::ExitReason;

use super::{Stage, child, children, tells};

fn rule(matches: &str, follows: &str) -> String {
    format!("[[handlers.errors]]\nmatch = {{ {matches} }}\n{follows}\n")
}

fn rogue(id: &str) -> String {
    child(id, "manifest = \"rogue.toml\"")
}

#[tokio::test]
async fn temporary_is_handled_as_declared_permanent_escalates_expected_is_left_and_costs_nothing() {
    let rules = rule("error = \"*crash*\", children = [\"a\"]", "class = \"expected\"")
        + &rule("error = \"*crash*\", children = [\"b\"]", "class = \"temporary\"")
        + &rule("type = \"trap\"", "class = \"permanent\"");
    let stage = Stage::new(&format!("max_restarts = 1\n{}{rules}", children(&["a", "b", "c", "d"]))).await;
    for id in ["a", "b", "c"] {
        stage.crash(id).await;
    }
    let ExitReason::Abnormal(error) = stage.boss.ended().await.unwrap() else { panic!("a normal end") };
    assert!(error.message.contains("child `c`") && error.message.contains("errors[2]"), "{error}");
    tells(
        &stage.decisions().await,
        "ignore a: errors[0]
        restart b: permanent
        warn b: budget
        escalate c: errors[2]",
    );
    let classes: Vec<String> =
        stage.decided(4).await.iter().map(|decision| decision["class"].as_str().unwrap_or("none").to_owned()).collect();
    assert_eq!(classes, ["expected", "temporary", "temporary", "permanent"]);
    stage.close().await;
}

#[tokio::test]
async fn actions_win_over_the_restart_type() {
    let policy = child("a", "restart = \"temporary\"") + &child("b", "") + &child("c", "") + &child("d", "");
    let rules = rule("children = [\"a\"]", "action = \"restart\"")
        + &rule("children = [\"b\"]", "action = \"stop\"")
        + &rule("children = [\"c\"]", "action = \"ignore\"")
        + &rule("children = [\"d\"]", "action = \"escalate\"");
    let stage = Stage::new(&(policy + &rules)).await;
    for id in ["a", "b", "c"] {
        stage.crash(id).await;
    }
    stage.lives("a", 2).await;
    let which = stage.tell("which").await;
    assert!(which.contains("Failed"), "{which}");
    stage.crash("d").await;
    stage.boss.ended().await.unwrap();
    tells(
        &stage.decisions().await,
        "restart a: errors[0]
        stop b: errors[1]
        ignore c: errors[2]
        escalate d: errors[3]",
    );
    stage.close().await;
}

#[tokio::test]
async fn a_graduated_rule_speaks_of_the_third_error_of_its_kind_by_one_child_within_its_time() {
    let rules = rule("error = \"*crash*\", times = 3, within = \"10s\"", "action = \"escalate\"");
    let stage = Stage::new(&format!("max_restarts = \"infinity\"\n{}{rules}", children(&["a", "b"]))).await;
    stage.crash_times("a", 2).await;
    stage.crash_times("b", 2).await; // each child has its own count
    stage.advance(10_001);
    stage.crash_times("a", 2).await; // the first two are too long ago
    stage.advance(10_000);
    stage.crash_times("a", 1).await;
    stage.boss.ended().await.unwrap();
    let decisions = stage.decisions().await;
    assert_eq!(decisions.matches("restart ").count(), 6, "{decisions}");
    assert!(decisions.ends_with("escalate a: errors[0]"), "{decisions}");
    stage.close().await;
}

#[tokio::test]
async fn rules_are_about_failures_alone() {
    let rules = rule("error = \"*\"", "action = \"stop\"");
    let stage = Stage::new(&(child("a", "manifest = \"relay.toml\"") + &child("b", "") + &rules)).await;
    stage.ask("a", "shutdown").await; // no failure: as declared
    stage.lives("a", 2).await;
    stage.crash("b").await;
    tells(&stage.decisions().await, "restart a: permanent\nstop b: errors[0]");
    stage.close().await;
}

#[tokio::test]
async fn a_call_that_answers_err_is_no_exit_and_reaches_policy_through_a_rule_alone() {
    let rules = rule("error = \"bad *\"", "action = \"restart\"");
    let stage = Stage::new(&(rogue("a") + &rules)).await;
    assert!(stage.fails("a", "err fine").await.contains("fine"));
    assert!(stage.world.of_type(stage.boss.id(), "child_erred").await.is_empty());
    assert!(stage.fails("a", "err bad luck").await.contains("bad luck"));
    stage.lives("a", 2).await;
    assert_eq!(stage.world.of_type(stage.boss.id(), "child_erred").await.len(), 1);
    tells(
        stage.story().await.split_once("a starts\n").unwrap().1,
        "restart a: errors[0]
        a ends: shutdown
        exit of a, asked by parent
        a starts again: reset",
    );
    assert_eq!(stage.heard().await, "", "no exit, no callback");
    stage.close().await;
}

#[tokio::test]
async fn an_err_may_stop_the_child_end_the_supervisor_or_mean_nothing() {
    let rules = rule("error = \"stop*\"", "action = \"stop\"")
        + &rule("error = \"odd*\"", "action = \"ignore\"")
        + &rule("error = \"known*\"", "class = \"expected\"")
        + &rule("error = \"worst*\"", "class = \"permanent\"");
    let stage = Stage::new(&(rogue("a") + &rogue("b") + &rules)).await;
    for text in ["odd", "known"] {
        stage.fails("b", &format!("err {text}")).await;
    }
    assert_eq!(stage.ask("b", "calls").await, "0");
    stage.fails("a", "err stop now").await;
    stage.child("a").ended().await.unwrap();
    stage.fails("b", "err worst of all").await;
    let ExitReason::Abnormal(error) = stage.boss.ended().await.unwrap() else { panic!("a normal end") };
    assert!(error.message.contains("child `b`") && error.message.contains("worst of all"), "{error}");
    tells(&stage.decisions().await, "stop a: errors[0]\nescalate b: errors[3]");
    stage.close().await;
}

#[tokio::test]
async fn the_third_err_within_its_time_escalates() {
    let rules = rule("error = \"*\", times = 3, within = \"1s\"", "action = \"escalate\"");
    let stage = Stage::new(&(rogue("a") + &rules)).await;
    stage.fails("a", "err one").await;
    stage.advance(1_001);
    stage.fails("a", "err two").await;
    stage.fails("a", "err three").await;
    assert_eq!(stage.decisions().await, "");
    stage.fails("a", "err four").await;
    assert!(stage.boss.ended().await.unwrap().to_string().contains("four"));
    tells(&stage.decisions().await, "escalate a: errors[0]");
    stage.close().await;
}

#[tokio::test]
async fn a_rule_that_restarts_obeys_strategy_and_budget() {
    let rules = rule("error = \"bad*\"", "action = \"restart\"");
    let stage =
        Stage::new(&format!("strategy = \"one-for-all\"\nmax_restarts = 1\n{}{}{rules}", rogue("a"), children(&["b"])))
            .await;
    stage.fails("a", "err bad").await;
    stage.lives("b", 2).await;
    assert!(
        stage
            .moves()
            .await
            .ends_with("b ends: shutdown\na ends: shutdown\na starts again: reset\nb starts again: reset")
    );
    stage.ask("b", "get").await;
    stage.fails("a", "err bad").await;
    stage.boss.ended().await.unwrap();
    assert!(stage.decisions().await.ends_with("escalate a: budget"));
    stage.close().await;
}

#[tokio::test]
async fn a_rule_may_speak_of_kinds_of_error() {
    let rules = rule("type = [\"call-timeout\", \"memory-limit\"]", "class = \"expected\"");
    let stage = Stage::new(&(rogue("a") + &rogue("b") + &rules)).await;
    stage.fails("a", "alloc").await;
    stage.fails("b", "trap").await;
    stage.lives("b", 2).await;
    tells(&stage.decisions().await, "ignore a: errors[0]\nrestart b: permanent");
    stage.close().await;
}
