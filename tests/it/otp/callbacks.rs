//! The three callbacks: which one is called, when, and when none is.

use super::{Stage, child, children, tells};

#[tokio::test]
async fn each_end_has_its_callback_and_terminate_child_has_none() {
    let relay = |id| child(id, "manifest = \"relay.toml\"; restart = \"temporary\"");
    let stage = Stage::new(&(relay("a") + &relay("b") + &relay("c") + &relay("d"))).await;
    stage.ask("a", "shutdown bye").await;
    stage.decided(1).await;
    stage.fails("b", "panic").await;
    stage.world.runtime.stop_actor(stage.child("c").id()).await.unwrap();
    assert_eq!(stage.tell("stop d").await, "stopped");
    let x = stage.spawn("x", "counter.toml").await;
    assert_eq!(stage.tell(&format!("terminate {}", x.id())).await, "done");
    let heard = stage.heard().await;
    let lines: Vec<&str> = heard.lines().collect();
    assert_eq!((lines[0], lines[2], lines[3]), ("child-exit a bye", "child-external-stop c", "child-exit d none"));
    assert!(lines[1].starts_with("child-error b trap: ") && lines[1].contains("told to panic"), "{heard}");
    assert_eq!(lines.len(), 4, "nothing of x: {heard}");
    stage.close().await;
}

#[tokio::test]
async fn an_operators_kill_is_an_external_stop_too() {
    let stage = Stage::new(&children(&["a"])).await;
    stage.world.runtime.stop_actor_within(stage.child("a").id(), theater::Shutdown::BrutalKill).await.unwrap();
    assert_eq!(stage.heard().await, "child-external-stop a");
    stage.close().await;
}

#[tokio::test]
async fn bystanders_of_a_group_restart_are_not_told_of() {
    let stage = Stage::new(&format!("strategy = \"one-for-all\"\n{}", children(&["a", "b", "c"]))).await;
    stage.crash("b").await;
    stage.lives("c", 2).await;
    let heard = stage.heard().await;
    assert!(heard.lines().count() == 1 && heard.starts_with("child-error b "), "{heard}");
    stage.close().await;
}

#[tokio::test]
async fn a_callback_comes_when_the_outcome_is_known_and_its_cause_is_the_exit() {
    let stage = Stage::new(&children(&["a"])).await;
    stage.crash("a").await;
    stage.heard().await;
    let events = stage.world.runtime.get_actor_events(stage.boss.id(), 0, usize::MAX).await.unwrap();
    let at = |event_type: &str| events.iter().position(|event| event.event_type == event_type).unwrap();
    let told = stage.world.of_type(stage.boss.id(), "call").await;
    let told = told.iter().find(|call| call["function"] == "handle-child-error").unwrap();
    let fact = &events[at("child_exited")];
    assert_eq!(told["cause"].as_str().unwrap(), fact.hash.to_string());
    assert_eq!(at("child_exited") + 1, at("supervision_action"));
    stage.close().await;
}

#[tokio::test]
async fn an_escalation_stops_children_without_callbacks() {
    let stage = Stage::new(&children(&["a", "b"])).await;
    assert_eq!(stage.tell("escalate too much").await, "escalating");
    let ended = stage.boss.ended().await.unwrap().to_string();
    assert!(ended.contains("escalated: too much"), "{ended}");
    tells(
        stage.moves().await.split_once("b starts\n").unwrap().1,
        "b ends: shutdown
        a ends: shutdown
        boss ends: abnormal guest-error",
    );
    let calls = stage.world.of_type(stage.boss.id(), "call").await;
    assert!(calls.iter().all(|call| !call["function"].as_str().unwrap().starts_with("handle-child")));
    stage.close().await;
}

#[tokio::test]
async fn an_err_from_a_callback_is_recorded_and_a_trap_in_one_ends_the_supervisor() {
    let stage = Stage::new(&(children(&["a"]) + &child("b", ""))).await;
    stage.tell("keep fail").await;
    stage.crash("a").await;
    stage.lives("a", 2).await;
    let errors = stage.world.wait_for(stage.boss.id(), "handler_error", 1).await;
    assert!(errors[0].to_string().contains("supervisor-handlers#handle-child-error"), "{}", errors[0]);
    assert_eq!(stage.tell("ping").await, "pong");
    stage.tell("keep panic").await;
    stage.crash("b").await;
    let ended = stage.boss.ended().await.unwrap();
    assert!(ended.to_string().contains("told to panic in a callback"), "{ended}");
    stage.close().await;
}
