//! Supervision trees: what one level cannot mend is for the next.

use theater::ExitReason;
use theater_tests::HANDLERS;

use super::{Stage, child, children, prepared, supervisor, tells};

/// A boss over the supervisors `b` and, before it, the counter `a`; below `b` is the counter `d`.
async fn tree(top: &str, middle: &str, restart: &str) -> Stage {
    let (world, clock) = prepared("relay", "");
    supervisor(&world, "middle", "relay", &format!("{middle}{}", children(&["d"])));
    let below = child("b", &format!("manifest = \"middle.toml\"; restart = \"{restart}\""));
    super::boss(&world, "relay", &format!("{top}{}{below}", children(&["a"])));
    let boss = world.spawn("boss").await;
    let stage = Stage::on(world, clock, boss);
    stage.name("d", stage.world.declared(&stage.child("b"), "d").id());
    stage
}

#[tokio::test]
async fn a_supervisor_that_gives_up_is_restarted_by_its_own_with_all_of_its_children() {
    // Transient too: OTP's ends with `shutdown` and is not restarted then.
    for restart in ["permanent", "transient"] {
        let stage = tree("", "max_restarts = 0\n", restart).await;
        stage.ask("a", "inc").await;
        stage.crash("d").await;
        stage.lives("d", 2).await;
        tells(
            stage.moves().await.split_once("boss starts\n").unwrap().1,
            "a starts
            b starts
            d starts
            d ends: abnormal trap
            b ends: abnormal trap
            b starts again: reset
            d starts again: reset",
        );
        assert_eq!((stage.ask("a", "get").await, stage.ask("d", "get").await), ("1".to_owned(), "0".to_owned()));
        tells(&stage.decisions().await, &format!("escalate d: budget\nrestart b: {restart}"));
        stage.close().await;
    }
}

#[tokio::test]
async fn escalation_goes_on_to_the_root_whose_failure_names_each_level_and_the_cause() {
    let stage = tree("max_restarts = 0\n", "max_restarts = 0\n", "permanent").await;
    stage.crash("d").await;
    let ExitReason::Abnormal(error) = stage.boss.ended().await.unwrap() else { panic!("a normal end") };
    assert_eq!(error.kind, theater::ErrorType::Trap);
    for part in ["child `b`", "child `d`", "asked to crash at 0"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    tells(&stage.decisions().await, "escalate d: budget\nescalate b: budget");
    assert!(
        stage
            .moves()
            .await
            .ends_with("d ends: abnormal trap\nb ends: abnormal trap\na ends: shutdown\nboss ends: abnormal trap")
    );
    stage.close().await;
}

#[tokio::test]
async fn budgets_of_levels_multiply() {
    // "Tuning the intensity": with one restart at each of two levels a child fails four times until
    // the root gives up.
    let stage = tree("max_restarts = 1\n", "max_restarts = 1\n", "permanent").await;
    stage.crash_times("d", 4).await;
    stage.boss.ended().await.unwrap();
    assert_eq!(stage.world.of_type(stage.child("d").id(), "actor_started").await.len(), 4);
    tells(
        &stage.decisions().await,
        "restart d: permanent
        warn d: budget
        escalate d: budget
        restart b: permanent
        warn b: budget
        restart d: permanent
        warn d: budget
        escalate d: budget
        escalate b: budget",
    );
    stage.close().await;
}

#[tokio::test]
async fn a_guest_escalates_when_its_call_has_committed() {
    let stage = tree("", "", "transient").await;
    assert_eq!(stage.ask("b", "escalate too much").await, "escalating");
    stage.lives("b", 2).await;
    stage.lives("d", 2).await;
    let heard = stage.heard().await;
    assert!(heard.starts_with("child-error b ") && heard.contains("escalated: too much"), "{heard}");
    tells(&stage.decisions().await, "restart b: transient");
    // The call had its answer first, and was a turn like any other.
    let events = stage.world.events(stage.child("b").id()).await;
    let types: Vec<&str> = events.iter().map(|(event_type, _)| event_type.as_str()).collect();
    let error = types.iter().position(|found| *found == "actor_error").unwrap();
    assert!(types[..error].ends_with(&["host_call", "actor_ending", "call_returned"]), "{types:?}");
    stage.close().await;
}

#[tokio::test]
async fn a_subtree_ends_with_its_supervisor_before_that_is_started_again() {
    let stage = tree("", "", "permanent").await;
    stage.fails("b", "panic").await;
    stage.lives("d", 2).await;
    tells(
        stage.story().await.split_once("d starts\n").unwrap().1,
        "d ends: killed parent-gone
        exit of d, asked by parent
        b ends: abnormal trap
        exit of b, asked by itself
        restart b: permanent
        b starts again: reset
        d starts again: reset",
    );
    stage.close().await;
}

#[tokio::test]
async fn a_sibling_subtree_is_stopped_whole_in_a_group_restart() {
    let stage = tree("strategy = \"one-for-all\"\n", "", "permanent").await;
    stage.crash("a").await;
    stage.lives("d", 2).await;
    tells(
        stage.moves().await.split_once("d starts\n").unwrap().1,
        "a ends: abnormal trap
        d ends: shutdown
        b ends: shutdown
        a starts again: reset
        b starts again: reset
        d starts again: reset",
    );
    stage.close().await;
}

#[tokio::test]
async fn a_restart_of_a_supervisor_needs_none_of_the_files_of_its_children() {
    let stage = tree("max_restarts = 1\n", "max_restarts = 0\n", "permanent").await;
    std::fs::remove_file(stage.world.path().join("counter.wasm")).unwrap();
    stage.crash("d").await;
    stage.lives("b", 2).await;
    stage.lives("d", 2).await; // what it was made of is in the record
    assert_eq!(stage.ask("d", "get").await, "0");
    tells(&stage.decisions().await, "escalate d: budget\nrestart b: permanent\nwarn b: budget");
    stage.close().await;
}

#[tokio::test]
async fn a_restart_of_a_supervisor_whose_children_do_not_start_is_a_failed_attempt() {
    let (world, clock) = prepared("relay", "");
    let gate = world.spawn("relay").await;
    std::fs::write(world.path().join("gate.txt"), format!("as {}", gate.id())).unwrap();
    let open = format!("{HANDLERS}permissions = {{ talk_to = [\"any\"] }}\n[[handlers]]\ntype = \"supervisor\"\n");
    let middle = children(&["d"]) + &child("e", "manifest = \"gated.toml\"");
    let top = child("b", "manifest = \"middle.toml\"");
    world
        .manifest("gated", "relay", &format!("init_state = \"gate.txt\"\n{open}"))
        .manifest("middle", "relay", &format!("{open}{middle}"))
        .manifest("boss", "relay", &format!("{open}max_restarts = 1\n{top}"));
    let boss = world.spawn("boss").await;
    let stage = Stage::on(world, clock, boss);
    stage.name("e", stage.world.declared(&stage.child("b"), "e").id());
    stage.world.ask(&gate, "say fail").await;
    stage.fails("b", "panic").await;
    let ended = stage.boss.ended().await.unwrap().to_string();
    for part in ["child `b`", "child `e`", "told to fail"] {
        assert!(ended.contains(part), "{part}: {ended}");
    }
    tells(&stage.decisions().await, "restart b: permanent\nwarn b: budget\nescalate b: budget");
    stage.close().await;
}
