//! `simple_one_for_one`: here the strategy `dynamic`, one template and any number of children.

use theater::ExitReason;

use super::{Stage, child, prepared, tells};

fn template(more: &str) -> String {
    format!("strategy = \"dynamic\"\n{}", child("worker", more))
}

#[tokio::test]
async fn it_starts_without_children_and_they_come_one_by_one_after_the_template() {
    let stage = Stage::new(&template("")).await;
    assert_eq!(stage.tell("count").await, r#"{"specs":0,"active":0,"supervisors":0,"workers":0}"#);
    // The id is free or none, init bytes are free, the manifest may be left to the template.
    assert_eq!(stage.start("x", "counter.toml init={\"n\":3}").await, "started");
    assert_eq!(stage.start("y", " init={\"n\":4}").await, "started");
    assert_eq!((stage.ask("x", "get").await, stage.ask("y", "get").await), ("3".to_owned(), "4".to_owned()));
    let unnamed = stage.tell("start - counter.toml").await;
    assert_eq!(stage.world.ask(&stage.world.handle(&unnamed), "get").await, "0");
    // A generated id is the actor's.
    assert!(stage.tell(&format!("spec {unnamed}")).await.contains(&format!("id: \"{unnamed}\"")));
    assert!(stage.start("z", "relay.toml").await.contains("the manifest is the template's"));
    assert!(stage.start("x", "counter.toml").await.contains("runs already"), "ids are unique");
    assert_eq!(stage.tell("count").await, r#"{"specs":3,"active":3,"supervisors":0,"workers":3}"#);
    stage.close().await;
}

#[tokio::test]
async fn the_rest_is_the_templates_whatever_was_asked() {
    let stage = Stage::new(&template("restart = \"transient\"; restart_state = \"resume\"; shutdown = \"7s\"")).await;
    assert_eq!(stage.start("x", "counter.toml temporary brutal-kill").await, "started");
    let spec = stage.tell("spec x").await;
    for part in ["RestartType::Transient", "RestartState::Resume", "7000"] {
        assert!(spec.contains(part), "{part}: {spec}");
    }
    stage.ask("x", "add 2").await;
    stage.crash("x").await;
    assert_eq!(stage.ask("x", "get").await, "2");
    tells(&stage.decisions().await, "restart x: transient");
    stage.close().await;
}

#[tokio::test]
async fn each_is_restarted_alone() {
    let stage = Stage::new(&template("")).await;
    for id in ["x", "y"] {
        assert_eq!(stage.start(id, "counter.toml").await, "started");
    }
    stage.ask("y", "inc").await;
    stage.crash("x").await;
    stage.lives("x", 2).await;
    assert_eq!(stage.ask("y", "get").await, "1");
    assert!(stage.moves().await.ends_with("x ends: abnormal trap\nx starts again: reset"));
    stage.close().await;
}

#[tokio::test]
async fn all_share_the_supervisors_budget() {
    let stage = Stage::new(&format!("max_restarts = 1\n{}", template(""))).await;
    for id in ["x", "y"] {
        assert_eq!(stage.start(id, "counter.toml").await, "started");
        stage.crash(id).await;
    }
    let ExitReason::Abnormal(error) = stage.boss.ended().await.unwrap() else { panic!("a normal end") };
    assert!(error.message.contains("child `y`"), "{error}");
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_is_terminated_is_gone_and_cannot_be_restarted_or_deleted() {
    let stage = Stage::new(&template("")).await;
    let by_id = |order: &str, id: &str| format!("{order} {id}");
    assert_eq!(stage.start("x", "counter.toml").await, "started");
    let actor = stage.child("x").id().to_string();
    assert!(stage.tell("delete x").await.contains("running"), "as any other that runs");
    assert_eq!(stage.tell(&by_id("terminate", &actor)).await, "done"); // OTP: by pid
    for order in ["terminate", "delete", "restart", "spec"] {
        let answer = stage.tell(&by_id(order, "x")).await;
        assert!(answer.contains("not found"), "{order}: {answer}");
    }
    assert_eq!(stage.start("x", "counter.toml").await, "started");
    assert_eq!(stage.tell("stop x").await, "stopped");
    assert_eq!(stage.start("x", "counter.toml").await, "started", "the id is free again");
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_runs_is_restarted_by_hand_under_its_id() {
    // OTP refuses restart_child for simple_one_for_one; here it is the same as for others.
    let stage = Stage::new(&template("")).await;
    assert_eq!(stage.start("x", "counter.toml init={\"n\":3}").await, "started");
    stage.ask("x", "inc").await;
    assert!(stage.tell("restart-with x resume").await.contains("running"));
    assert_eq!(stage.tell("restart x").await, "restarted");
    assert_eq!(stage.ask("x", "get").await, "3");
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_fails_or_declines_to_start_leaves_nothing() {
    let stage = Stage::new(&template("manifest = \"rogue.toml\"")).await;
    assert!(stage.start("x", "rogue.toml init=panic").await.contains("told to panic in init"));
    assert!(stage.tell("spec x").await.contains("not found"));
    let declined = stage.start("x", "rogue.toml init=decline").await;
    assert_eq!(declined, "declined");
    assert!(stage.tell("spec x").await.contains("not found"));
    assert_eq!(stage.tell("count").await, r#"{"specs":0,"active":0,"supervisors":0,"workers":0}"#);
    assert_eq!(stage.start("x", "rogue.toml init=ok").await, "started");
    assert_eq!(stage.decisions().await, "");
    stage.close().await;
}

#[tokio::test]
async fn temporary_ones_end_and_leave_nothing_behind() {
    let stage = Stage::new(&template("manifest = \"relay.toml\"; restart = \"temporary\"")).await;
    for id in ["x", "y", "z"] {
        assert_eq!(stage.start(id, "relay.toml").await, "started");
    }
    stage.ask("x", "shutdown").await;
    stage.fails("y", "panic").await;
    stage.decided(2).await;
    assert_eq!(stage.tell("count").await, r#"{"specs":1,"active":1,"supervisors":1,"workers":0}"#);
    stage.close().await;
}

#[tokio::test]
async fn a_dynamic_supervisor_has_exactly_one_template_and_no_groups() {
    for (policy, why) in [
        ("strategy = \"dynamic\"\n".to_owned(), "takes exactly one child, the template, and there are 0"),
        (template("") + &child("b", ""), "takes exactly one child, the template, and there are 2"),
        (template("group = \"g\"") + "[handlers.groups.g]\n", "has no groups"),
    ] {
        let (world, _) = prepared("relay", &policy);
        let refused = world.try_spawn("boss").await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

#[tokio::test]
async fn a_transient_one_that_ends_normally_leaves_nothing_behind_either() {
    let stage = Stage::new(&template("manifest = \"relay.toml\"; restart = \"transient\"")).await;
    assert_eq!(stage.start("x", "relay.toml").await, "started");
    stage.ask("x", "shutdown").await;
    stage.decided(1).await;
    assert!(stage.tell("spec x").await.contains("not found"));
    assert_eq!(stage.tell("count").await, r#"{"specs":0,"active":0,"supervisors":0,"workers":0}"#);
    assert_eq!(stage.start("x", "relay.toml").await, "started", "the id is free again");
    stage.close().await;
}

#[tokio::test]
async fn one_that_declines_when_it_is_restarted_is_gone() {
    let stage = Stage::new(&template("manifest = \"relay.toml\"")).await;
    let gate = stage.spawn("gate", "relay.toml").await;
    assert_eq!(stage.start("x", &format!(" init=as+{}", gate.id())).await, "started");
    stage.world.ask(&gate, "say decline").await;
    stage.fails("x", "panic").await;
    stage.world.wait_for(stage.child("x").id(), "actor_terminated", 2).await;
    assert_eq!(stage.tell("ping").await, "pong");
    assert!(stage.tell("spec x").await.contains("not found"));
    tells(&stage.decisions().await, "restart x: permanent");
    stage.close().await;
}

#[tokio::test]
async fn a_restart_has_the_init_bytes_that_the_child_was_added_with() {
    let stage = Stage::new(&template("")).await;
    for (id, n) in [("x", 3), ("y", 4)] {
        assert_eq!(stage.start(id, &format!(" init={{\"n\":{n}}}")).await, "started");
        stage.crash(id).await;
        stage.lives(id, 2).await;
        assert_eq!(stage.ask(id, "get").await, n.to_string());
    }
    stage.close().await;
}
