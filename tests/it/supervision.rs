//! Parents and children: starts, stops, ends, callbacks, restarts, ownership.

use theater::{ExitReason, RestartFrom};
use theater_tests::World;

#[tokio::test]
async fn a_parent_spawns_asks_and_stops_its_child() {
    let world = World::new(&["relay", "counter"]);
    let parent = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn counter.toml").await;
    assert_eq!(world.ask(&parent, &format!("request {child} inc")).await, "1");
    assert_eq!(world.ask(&parent, "list").await, child);
    assert_eq!(world.ask(&parent, &format!("state {child}")).await, r#"{"n":1}"#);
    assert_eq!(world.ask(&parent, &format!("stop {child}")).await, "stopped");
    // Stopped already: still its child.
    assert_eq!(world.ask(&parent, &format!("stop {child}")).await, "stopped");
    assert_eq!(world.ask(&parent, "list").await, "");
    assert_eq!(world.ask(&parent, &format!("state {child}")).await, r#"{"n":1}"#);
    let log = world.ask(&parent, "log").await;
    assert!(log.contains(&format!("child-exit {child} none")), "{log}");
    let exited = world.of_type(parent.id(), "child_exited").await;
    assert_eq!((exited.len(), &exited[0]["reason"]), (1, &serde_json::json!("shutdown")));
    world.close().await;
}

#[tokio::test]
async fn a_crashed_child_is_told_to_its_parent_and_goes_on_with_the_state_that_it_chooses() {
    let world = World::new(&["relay", "counter"]);
    let parent = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn counter.toml").await;
    world.ask(&parent, &format!("request {child} add 7")).await;
    let failed = world.ask(&parent, &format!("request {child} crash")).await;
    assert!(failed.starts_with("error: ") && failed.contains("asked to crash at 7"), "{failed}");
    // The callback was in the mailbox before the failed request was answered.
    let log = world.ask(&parent, "log").await;
    assert!(log.contains(&format!("child-error {child}")), "{log}");
    let which = world.ask(&parent, "which").await;
    assert!(which.contains("Failed") && which.contains("asked to crash at 7"), "{which}");
    assert_eq!(world.ask(&parent, &format!("restart-with {child} resume")).await, child);
    assert_eq!(world.ask(&parent, &format!("request {child} get")).await, "7");
    assert!(world.ask(&parent, &format!("restart-with {child} resume")).await.contains("running"));
    assert_eq!(world.ask(&parent, &format!("restart {child}")).await, "restarted");
    assert_eq!(world.ask(&parent, &format!("request {child} get")).await, "0");
    let starts = world.of_type(child.parse().unwrap(), "actor_started").await;
    let states: Vec<_> = starts.iter().map(|start| start["restart_state"].as_str().unwrap()).collect();
    assert_eq!(states, ["reset", "resume", "reset"]);
    let incarnations: Vec<_> = starts.iter().map(|start| start["incarnation"].as_u64().unwrap()).collect();
    assert_eq!(incarnations, [1, 2, 3]);
    world.close().await;
}

#[tokio::test]
async fn only_a_childs_own_parent_reaches_it() {
    let world = World::new(&["relay", "counter"]);
    let parent = world.spawn("relay").await;
    let other = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn counter.toml").await;
    let unknown = "00112233445566778899aabbccddeeff";
    for verb in ["stop", "restart", "state", "events", "terminate"] {
        let foreign = world.ask(&other, &format!("{verb} {child}")).await;
        let missing = world.ask(&other, &format!("{verb} {unknown}")).await;
        assert!(foreign.starts_with("error: "), "{verb}: {foreign}");
        assert_eq!(foreign.replace(&child, "X"), missing.replace(unknown, "X"), "{verb}");
    }
    assert_eq!(world.ask(&parent, &format!("request {child} get")).await, "0");
    world.close().await;
}

#[tokio::test]
async fn a_normal_end_reaches_the_parent_with_its_data() {
    let world = World::new(&["relay"]);
    let parent = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn relay.toml").await;
    assert_eq!(world.ask(&parent, &format!("request {child} shutdown bye")).await, "shutting down");
    world.handle(&child).ended().await.unwrap();
    let log = world.ask(&parent, "log").await;
    assert!(log.contains(&format!("child-exit {child} bye")), "{log}");
    world.close().await;
}

#[tokio::test]
async fn an_operators_stop_is_an_external_stop() {
    let world = World::new(&["relay", "counter"]);
    let parent = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn counter.toml").await;
    world.runtime.stop_actor(child.parse().unwrap()).await.unwrap();
    let log = world.ask(&parent, "log").await;
    assert!(log.contains(&format!("child-external-stop {child}")), "{log}");
    world.close().await;
}

#[tokio::test]
async fn a_failed_parent_takes_its_subtree_with_it() {
    let world = World::new(&["relay", "counter"]);
    let parent = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn relay.toml").await;
    let grandchild = world.ask(&parent, &format!("request {child} spawn counter.toml")).await;
    assert!(world.try_ask(&parent, "panic").await.is_err());
    assert!(matches!(parent.ended().await.unwrap(), ExitReason::Abnormal(_)));
    for id in [&child, &grandchild] {
        let reason = world.handle(id).ended().await.unwrap();
        assert_eq!(reason.to_string(), "killed: its parent had gone");
    }
    assert!(world.runtime.actors().is_empty());
    // The restarted parent finds its child in the record.
    world.runtime.restart_actor(parent.id(), RestartFrom::Resume).await.unwrap();
    assert_eq!(world.ask(&parent, "list").await, "");
    assert!(world.ask(&parent, "which").await.contains(&child));
    assert_eq!(world.ask(&parent, &format!("restart-with {child} resume")).await, child);
    world.close().await;
}

#[tokio::test]
async fn a_cycle_of_requests_fails_at_once_and_is_named() {
    let world = World::new(&["relay"]);
    let parent = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn relay.toml").await;
    let id = parent.id();
    let answer = world.ask(&parent, &format!("request {child} request {id} ping")).await;
    assert!(answer.contains("cycle") && answer.contains(&format!("relay ({child}) -> relay ({id})")), "{answer}");
    // A child's init that asks its waiting parent.
    let answer = world.ask(&parent, &format!("spawn relay.toml do request {id} ping")).await;
    assert!(answer.starts_with("error: ") && answer.contains("cycle"), "{answer}");
    // A parent that stops a child which waits for it.
    let answer = world.ask(&parent, &format!("request {child} request {child} ping")).await;
    assert!(answer.contains("cycle"), "{answer}");
    world.close().await;
}

#[tokio::test]
async fn a_call_that_traps_or_errs_sends_nothing() {
    let world = World::new(&["relay"]);
    let parent = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn relay.toml").await;
    assert!(world.try_ask(&parent, &format!("send-then-err {child} lost")).await.is_err());
    assert_eq!(world.ask(&parent, &format!("send {child} kept")).await, "sent");
    assert_eq!(world.ask(&parent, &format!("request {child} log")).await, "init\nsend kept");
    let watched = world.handle(&child);
    assert!(world.try_ask(&parent, &format!("send-then-trap {child} lost too")).await.is_err());
    watched.ended().await.unwrap();
    let calls = world.of_type(child.parse().unwrap(), "call").await;
    assert_eq!(calls.iter().filter(|call| call["function"] == "handle-send").count(), 1);
    world.close().await;
}

#[tokio::test]
async fn an_escalation_ends_the_supervisor_with_its_reason() {
    let world = World::new(&["relay", "counter"]);
    let root = world.spawn("relay").await;
    let parent = world.ask(&root, "spawn relay.toml").await;
    assert_eq!(world.ask(&root, &format!("request {parent} escalate too much")).await, "escalating");
    let ExitReason::Abnormal(error) = world.handle(&parent).ended().await.unwrap() else { panic!("a normal end") };
    assert!(error.message.contains("too much"), "{error}");
    let log = world.ask(&root, "log").await;
    assert!(log.contains(&format!("child-error {parent}")) && log.contains("too much"), "{log}");
    world.close().await;
}

#[tokio::test]
async fn a_failed_child_is_listed_while_its_supervisor_decides() {
    let world = World::new(&["relay"]);
    let parent = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn relay.toml").await;
    world.ask(&parent, "which-on-error").await;
    world.ask(&parent, &format!("request {child} panic")).await;
    let log = world.ask(&parent, "log").await;
    assert!(log.contains(&format!("which {child} ChildStatus::Failed")), "{log}");
    assert!(log.contains("list none"), "{log}");
    world.close().await;
}

#[tokio::test]
async fn a_supervisor_may_give_up_a_failed_child() {
    let world = World::new(&["relay"]);
    let parent = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn relay.toml").await;
    world.ask(&parent, "keep stop").await;
    world.ask(&parent, &format!("send {child} do panic")).await;
    world.handle(&child).ended().await.unwrap();
    let log = world.ask(&parent, "log").await;
    assert!(log.ends_with("gave up: stopped"), "{log}");
    world.close().await;
}

#[tokio::test]
async fn a_restart_that_fails_turns_waiting_messages_into_dead_letters() {
    let world = World::new(&["rogue"]);
    let actor = world.spawn("rogue").await;
    let too_large = RestartFrom::Custom(Some(vec![0; 17 << 20]));
    let (restarted, sent) =
        tokio::join!(world.runtime.restart_actor(actor.id(), too_large), world.send(&actor, "calls"));
    sent.unwrap();
    assert!(restarted.unwrap_err().to_string().contains("limit `state`"));
    assert_eq!(world.of_type(actor.id(), "dead_letter").await.len(), 1);
    assert!(world.runtime.store().pending(None, 10).await.unwrap().is_empty());
    // The actor is down; a good restart still works.
    world.runtime.restart_actor(actor.id(), RestartFrom::Reset).await.unwrap();
    assert_eq!(world.ask(&actor, "calls").await, "0");
    world.close().await;
}
