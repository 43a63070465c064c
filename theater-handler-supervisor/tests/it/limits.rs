//! How many children an actor may have, and how deep they may stand.

use serde_json::json;

use crate::support::Stage;

const FULL: &str = "this actor has 2 children and may have 2; write `permissions = { max_children = .. }` in the \
                    supervisor entry of its manifest";

#[tokio::test]
async fn as_many_children_as_permitted_are_alive_at_once() {
    let stage = Stage::new();
    let parent = stage.parent("permissions = { max_children = 2 }").await;
    let one = stage.child(&parent, "counter.toml").await;
    let two = stage.child(&parent, "counter.toml").await;
    assert_eq!(stage.denied(&parent, "spawn counter.toml", "max_children").await, FULL);
    assert_eq!(stage.denied(&parent, "resume counter.toml", "max_children").await, FULL);
    // A place is free again after each way to end.
    stage.ask(&parent, &format!("stop {}", one.id())).await;
    let three = stage.child(&parent, "counter.toml").await;
    assert_eq!(stage.denied(&parent, "spawn counter.toml", "max_children").await, FULL);
    assert!(stage.ask(&parent, &format!("request {} crash", two.id())).await.starts_with("error: "));
    let four = stage.child(&parent, "counter.toml").await;
    stage.runtime.stop_actor(three.id()).await.unwrap();
    let five = stage.child(&parent, "counter.toml").await;
    let alive: Vec<_> = [four, five].iter().map(|child| child.id().to_string()).collect();
    assert_eq!(stage.ask(&parent, "list").await, alive.join("\n"));
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_is_started_again_needs_a_place_too() {
    let stage = Stage::new();
    let parent = stage.parent("permissions = { max_children = 2 }").await;
    let one = stage.child(&parent, "counter.toml").await;
    let two = stage.child(&parent, "counter.toml").await;
    stage.ask(&parent, &format!("stop {}", one.id())).await;
    stage.child(&parent, "counter.toml").await;
    assert_eq!(stage.denied(&parent, &format!("restart {}", one.id()), "max_children").await, FULL);
    let order = format!("restart-with {} resume", one.id());
    assert_eq!(stage.denied(&parent, &order, "max_children").await, "the permission max_children is used up");
    // One that has its place keeps it, and one that is nobody's child is that, full or not.
    assert_eq!(stage.ask(&parent, &format!("restart {}", two.id())).await, "restarted");
    let unknown = "00112233445566778899aabbccddeeff";
    assert_eq!(
        stage.refused(&parent, &format!("restart {unknown}"), json!("ok")).await,
        format!("child {unknown} is not found")
    );
    let order = format!("restart-with {unknown} reset");
    assert_eq!(stage.refused(&parent, &order, json!("ok")).await, "not found: this actor has no such child");
    stage.ask(&parent, &format!("stop {}", two.id())).await;
    assert_eq!(stage.ask(&parent, &format!("restart {}", one.id())).await, "restarted");
    stage.close().await;
}

#[tokio::test]
async fn none_at_all() {
    let stage = Stage::new();
    for (entry, rule) in
        [("max_children = 0", "max_children"), ("max_depth = 0", "max_depth"), ("manifests = []", "manifests")]
    {
        let parent = stage.parent(&format!("permissions = {{ {entry} }}")).await;
        let refused = stage.denied(&parent, "spawn counter.toml", rule).await;
        assert!(refused.contains(rule), "{refused}");
    }
    stage.close().await;
}

#[tokio::test]
async fn a_chain_of_spawns_ends_at_the_depth_that_is_permitted() {
    let stage = Stage::new();
    stage.relay("link.toml", "permissions = { max_depth = 3 }");
    let mut last = stage.try_spawn("link.toml").await.unwrap();
    for _ in 0..3 {
        last = stage.child(&last, "link.toml").await;
    }
    assert_eq!(
        stage.denied(&last, "spawn link.toml", "max_depth").await,
        "a child would stand 4 deep in the tree, and 3 is permitted; write `permissions = { max_depth = .. }` in the \
         supervisor entry of its manifest"
    );
    assert_eq!(stage.runtime.actors().len(), 4);
    stage.close().await;
}

#[tokio::test]
async fn a_chain_of_spawns_ends_by_default_too() {
    let stage = Stage::new();
    let mut last = stage.try_spawn("relay.toml").await.unwrap();
    let mut depth = 0;
    let refused = loop {
        let answer = stage.ask(&last, "spawn relay.toml").await;
        match answer.parse() {
            Ok(id) => last = stage.runtime.handle(id),
            Err(_) => break answer,
        }
        depth += 1;
        assert!(depth <= 128);
    };
    assert_eq!(depth, 128);
    assert!(refused.starts_with("error: a child would stand 129 deep in the tree, and 128 is permitted"), "{refused}");
    stage.close().await;
}
