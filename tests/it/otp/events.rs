//! `handle-child-event`: what the filters of the manifest let through, in order, with its cause.

use super::{Stage, children};

fn events(filters: &str, rest: &str) -> String {
    format!("{filters}{rest}")
}

async fn heard(stage: &Stage) -> Vec<String> {
    let log = stage.tell("log").await;
    log.lines().filter_map(|line| line.strip_prefix("event ")).map(str::to_owned).collect()
}

/// The calls of `handle-child-event` so far, once there are so many.
async fn until(stage: &Stage, count: usize) -> Vec<serde_json::Value> {
    let mut calls = 0;
    loop {
        let all = stage.world.wait_for(stage.boss.id(), "call", calls + 1).await;
        calls = all.len();
        let told: Vec<_> = all.into_iter().filter(|call| call["function"] == "handle-child-event").collect();
        if told.len() >= count {
            return told;
        }
    }
}

#[tokio::test]
async fn types_children_and_fields_are_filtered() {
    let filters = "events = [{ types = [\"state_updated\"], children = [\"o*\"], fields = [\"new_state_hash\"] }, \
                   { types = [\"actor_error\"] }]\n";
    let stage = Stage::of("warden", &events(filters, &children(&["one", "two"]))).await;
    stage.ask("one", "inc").await;
    stage.ask("two", "inc").await;
    stage.crash("two").await;
    until(&stage, 3).await; // of one: init and inc; of two: its error. A pattern may match an id, too: not this one
    let heard = heard(&stage).await;
    let of =
        |child: &str| heard.iter().filter(|line| line.starts_with(&format!("{child} "))).cloned().collect::<Vec<_>>();
    assert_eq!((of("one").len(), of("two").len()), (2, 1), "{heard:?}");
    assert!(of("one").iter().all(|line| line.starts_with("one state_updated {") && line.contains("new_state_hash")));
    assert!(
        of("one").iter().all(|line| !line.contains("prev_state_hash") && !line.contains("old_state_hash")),
        "{heard:?}"
    );
    assert!(of("two")[0].starts_with("two actor_error ") && of("two")[0].contains("asked to crash"));
    stage.close().await;
}

#[tokio::test]
async fn the_events_of_a_child_come_in_order_over_its_incarnations_each_once_with_its_cause() {
    let filters =
        "events = [{ types = [\"actor_started\", \"state_updated\", \"actor_error\", \"actor_terminated\"] }]\n";
    let stage = Stage::of("warden", &events(filters, &children(&["a"]))).await;
    stage.ask("a", "inc").await;
    stage.crash("a").await;
    stage.lives("a", 2).await;
    stage.ask("a", "inc").await;
    let told = until(&stage, 8).await;
    let heard: Vec<String> =
        heard(&stage).await.iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    let wanted = ["actor_started", "state_updated", "state_updated", "actor_error", "actor_terminated"];
    assert_eq!(heard, [&wanted[..], &["actor_started", "state_updated", "state_updated"]].concat());
    let chain = stage.world.runtime.get_actor_events(stage.child("a").id(), 0, usize::MAX).await.unwrap();
    let causes: Vec<String> = told.iter().map(|call| call["cause"].as_str().unwrap().to_owned()).collect();
    let events = chain.iter().filter(|event| wanted.contains(&&*event.event_type));
    assert_eq!(causes, events.map(|event| event.hash.to_string()).collect::<Vec<_>>());
    stage.close().await;
}

#[tokio::test]
async fn an_err_is_recorded_and_the_next_event_comes() {
    let stage = Stage::of("warden", &events("events = [{ types = [\"state_updated\"] }]\n", &children(&["a"]))).await;
    stage.tell("decide events-err").await;
    stage.ask("a", "inc").await;
    stage.ask("a", "inc").await;
    until(&stage, 3).await;
    let errors = stage.world.wait_for(stage.boss.id(), "handler_error", 2).await;
    assert!(errors.iter().all(|error| error.to_string().contains("handle-child-event")), "{errors:?}");
    stage.close().await;
}

#[tokio::test]
async fn without_a_filter_or_the_export_nothing_is_told() {
    let stage = Stage::of("warden", &children(&["a"])).await;
    stage.ask("a", "inc").await;
    stage.crash("a").await;
    stage.lives("a", 2).await;
    assert!(heard(&stage).await.is_empty());
    stage.close().await;
    let stage = Stage::of("relay", &events("events = [{ types = [\"state_updated\"] }]\n", &children(&["a"]))).await;
    stage.ask("a", "inc").await;
    let calls = stage.world.of_type(stage.boss.id(), "call").await;
    assert!(calls.iter().all(|call| call["function"] != "handle-child-event"));
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_an_operator_restarts_is_heard_of_again() {
    let filters = "events = [{ types = [\"actor_started\"] }]\n";
    let stage = Stage::of("warden", &events(filters, &children(&["a"]))).await;
    until(&stage, 1).await;
    stage.world.resume(&stage.child("a")).await;
    let told = until(&stage, 2).await;
    assert_eq!(told.len(), 2);
    stage.close().await;
}
