//! Child specs: `restart`, and what counts as an abnormal end.

use theater::RestartFrom;

use super::{Stage, child, tells};

/// A relay that ends itself, with data or without.
fn relay(id: &str, restart: &str) -> String {
    child(id, &format!("manifest = \"relay.toml\"; restart = \"{restart}\""))
}

#[tokio::test]
async fn a_permanent_child_is_always_restarted_even_when_it_ended_normally() {
    let stage = Stage::new(&relay("a", "permanent")).await;
    stage.ask("a", "shutdown").await;
    stage.lives("a", 2).await;
    stage.fails("a", "panic").await;
    stage.lives("a", 3).await;
    tells(
        &stage.story().await,
        "boss starts
        a starts
        a ends: normal
        exit of a, asked by itself
        restart a: permanent
        a starts again: reset
        a ends: abnormal trap
        exit of a, asked by itself
        restart a: permanent
        warn a: budget
        a starts again: reset",
    );
    stage.close().await;
}

#[tokio::test]
async fn a_transient_child_is_restarted_after_an_abnormal_end_only() {
    let stage = Stage::new(&(relay("a", "transient") + &relay("b", "transient"))).await;
    stage.fails("a", "panic").await;
    stage.lives("a", 2).await;
    stage.ask("b", "shutdown bye").await;
    stage.decided(2).await;
    tells(&stage.decisions().await, "restart a: transient\nstop b: transient");
    // Its spec is kept: it can be started again by hand.
    assert_eq!(stage.tell("restart-with b resume").await, stage.child("b").id().to_string());
    stage.close().await;
}

#[tokio::test]
async fn a_transient_supervisor_that_was_shut_down_is_not_restarted() {
    let stage = Stage::new(&(relay("a", "transient") + &relay("b", "permanent"))).await;
    // `shutdown` is of the normal class, as in OTP.
    stage.ask("a", "shutdown").await;
    stage.decided(1).await;
    tells(&stage.decisions().await, "stop a: transient");
    stage.close().await;
}

#[tokio::test]
async fn a_temporary_child_is_never_restarted_and_its_spec_is_gone() {
    let policy = relay("a", "temporary") + &relay("b", "temporary") + &relay("c", "temporary");
    let stage = Stage::new(&policy).await;
    stage.fails("a", "panic").await;
    stage.ask("b", "shutdown").await;
    stage.decided(2).await;
    tells(&stage.decisions().await, "stop a: temporary\nstop b: temporary");
    for id in ["a", "b"] {
        for order in ["spec", "delete", "restart", "terminate"] {
            let refused = stage.tell(&format!("{order} {id}")).await;
            assert!(refused.starts_with("error: ") && refused.contains("not found"), "{order} {id}: {refused}");
        }
    }
    assert_eq!(stage.tell("count").await, r#"{"specs":1,"active":1,"supervisors":1,"workers":0}"#);
    stage.close().await;
}

#[tokio::test]
async fn a_temporary_child_that_a_siblings_restart_takes_along_is_not_restarted() {
    // Whichever strategy ended it.
    for strategy in ["one-for-all", "rest-for-one"] {
        let policy = format!(
            "strategy = \"{strategy}\"\n{}{}{}",
            child("a", ""),
            child("b", "restart = \"temporary\""),
            child("c", "")
        );
        let stage = Stage::new(&policy).await;
        stage.crash("a").await;
        stage.lives("c", 2).await;
        tells(
            &stage.moves().await,
            "boss starts
            a starts
            b starts
            c starts
            a ends: abnormal trap
            c ends: shutdown
            b ends: shutdown
            a starts again: reset
            c starts again: reset",
        );
        assert!(stage.tell("spec b").await.contains("not found"), "{strategy}");
        stage.close().await;
    }
}

#[tokio::test]
async fn an_operators_stop_or_kill_counts_as_terminate_child() {
    let stage = Stage::new(&(child("a", "") + &child("b", ""))).await;
    stage.world.runtime.stop_actor(stage.child("a").id()).await.unwrap();
    stage.world.runtime.stop_actor_within(stage.child("b").id(), theater::Shutdown::BrutalKill).await.unwrap();
    tells(
        &stage.story().await,
        "boss starts
        a starts
        b starts
        a ends: shutdown
        exit of a, asked by operator
        b ends: killed host
        exit of b, asked by operator",
    );
    stage.world.runtime.restart_actor(stage.child("a").id(), RestartFrom::Reset).await.unwrap();
    stage.crash("a").await;
    stage.lives("a", 3).await; // restarted by hand it is supervised as before
    tells(&stage.decisions().await, "restart a: permanent");
    stage.close().await;
}

#[tokio::test]
async fn spawned_children_have_a_policy_of_their_own_or_none() {
    let stage = Stage::new("").await;
    stage.spawn("x", "counter.toml").await;
    stage.crash("x").await;
    assert_eq!(stage.decisions().await, "");
    assert!(stage.heard().await.starts_with("child-error x "));
    stage.close().await;

    let policy = "[handlers.spawned]\nrestart = \"transient\"\nrestart_state = \"resume\"\nmax_restarts = 1\n";
    let stage = Stage::new(&format!("strategy = \"one-for-all\"\n{policy}{}", child("a", ""))).await;
    stage.spawn("x", "counter.toml").await;
    stage.ask("x", "add 3").await;
    stage.crash("x").await;
    stage.lives("x", 2).await;
    assert_eq!(stage.ask("x", "get").await, "3");
    // No strategy covers it, and its own budget is checked first.
    tells(&stage.decisions().await, "restart x: spawned-transient\nwarn x: child-budget");
    stage.crash("a").await;
    stage.lives("a", 2).await;
    assert_eq!(stage.ask("x", "get").await, "3");
    // Stopped and started by hand it begins anew, and is supervised again.
    let x = stage.child("x").id();
    assert_eq!(stage.tell(&format!("terminate {x}")).await, "done");
    assert_eq!(stage.tell(&format!("restart-with {x} resume")).await, x.to_string());
    stage.crash("x").await;
    stage.lives("x", 4).await;
    stage.crash("x").await;
    assert!(stage.boss.ended().await.unwrap().to_string().contains("child-budget"));
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_declines_when_it_is_restarted_stays_down_and_the_others_start() {
    for strategy in ["one-for-one", "one-for-all"] {
        let stage = Stage::new(&format!("strategy = \"{strategy}\"\n")).await;
        let gate = stage.spawn("gate", "relay.toml").await;
        assert_eq!(stage.start("x", &format!("relay.toml init=as+{}", gate.id())).await, "started");
        assert_eq!(stage.start("y", "counter.toml").await, "started");
        stage.ask("gate", "say decline").await;
        stage.fails("x", "panic").await;
        stage.child("x").ended().await.unwrap();
        tells(&stage.decisions().await, "restart x: permanent");
        if strategy == "one-for-all" {
            stage.lives("y", 2).await;
        }
        assert_eq!(stage.ask("y", "get").await, "0");
        let moves = stage.moves().await;
        assert!(moves.contains("x starts again: reset\nx ends: declined"), "{moves}");
        assert!(stage.tell("spec x").await.contains("relay.toml"));
        // A declined one is left down when its group restarts.
        stage.crash("y").await;
        stage.lives("y", if strategy == "one-for-all" { 3 } else { 2 }).await;
        assert_eq!(stage.world.of_type(stage.child("x").id(), "actor_started").await.len(), 2);
        stage.close().await;
    }
}

#[tokio::test]
async fn a_child_made_by_resume_is_one_without_a_spec() {
    let policy = "[handlers.spawned]\nrestart_state = \"resume\"\n";
    let stage = Stage::new(policy).await;
    let id = stage.tell("resume counter.toml {\"n\":8}").await;
    stage.name("x", id.parse().unwrap());
    stage.ask("x", "inc").await;
    stage.crash("x").await;
    stage.lives("x", 2).await;
    assert_eq!(stage.ask("x", "get").await, "9");
    tells(&stage.decisions().await, "restart x: spawned-permanent");
    stage.close().await;
}
