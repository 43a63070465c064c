//! A child gets at most what its parent holds.

use serde_json::json;

use crate::support::Stage;

/// The entries that a counter needs.
const NEEDS: &str = "
[[handlers]]
type = \"runtime\"
[[handlers]]
type = \"message-server\"
";

#[tokio::test]
async fn a_child_that_asks_for_more_than_its_parent_holds_is_refused_with_what_to_write() {
    let stage = Stage::new();
    let parent = stage
        .parent("permissions = { max_children = 5, max_depth = 4, manifests = [\"workers/*.toml\", \"child.toml\"] }")
        .await;
    let held = "the parent `parent` (parent.toml) holds less:";
    for (entry, expected) in [
        // An entry without permissions asks for the default.
        ("", "max_children = 100 is asked for and 5 is held; write `permissions = { max_children = 5 }`"),
        (
            "permissions = { max_children = 6, max_depth = 4, manifests = [] }",
            "max_children = 6 is asked for and 5 is held; write `permissions = { max_children = 5 }`",
        ),
        (
            "permissions = { max_children = 5, manifests = [] }",
            "max_depth = 128 is asked for and 4 is held; write `permissions = { max_depth = 4 }`",
        ),
        (
            "permissions = { max_children = 5, max_depth = 4 }",
            "manifests = [\"**/*.toml\"] is asked for and [\"workers/*.toml\", \"child.toml\"] is held; write \
             `permissions = { manifests = [\"workers/*.toml\", \"child.toml\"] }`",
        ),
        (
            "permissions = { max_children = 5, max_depth = 4, manifests = [\"workers/*.toml\", \"work*/*.toml\"] }",
            "manifests = [\"work*/*.toml\"] is asked for and [\"workers/*.toml\", \"child.toml\"] is held; write \
             `permissions = { manifests = [\"workers/*.toml\", \"child.toml\"] }`",
        ),
    ] {
        stage.relay("child.toml", entry);
        let refused = stage.denied(&parent, "spawn child.toml", "permissions.supervisor").await;
        assert_eq!(refused, format!("child.toml: handler `supervisor`: {held} {expected}"));
    }
    for manifests in ["\"workers/*.toml\"", "\"workers/a.toml\", \"child.toml\"", ""] {
        let entry = format!("permissions = {{ max_children = 5, max_depth = 4, manifests = [{manifests}] }}");
        stage.relay("child.toml", &entry);
        let child = stage.child(&parent, "child.toml").await;
        stage.ask(&parent, &format!("stop {}", child.id())).await;
    }
    stage.close().await;
}

#[tokio::test]
async fn what_is_held_narrows_from_generation_to_generation() {
    let stage = Stage::new();
    let parent = stage.parent("permissions = { max_children = 3 }").await;
    stage.relay("child.toml", "permissions = { max_children = 2 }");
    stage.relay("grandchild.toml", "permissions = { max_children = 3 }");
    let child = stage.child(&parent, "child.toml").await;
    let refused = stage.denied(&child, "spawn grandchild.toml", "permissions.supervisor").await;
    assert_eq!(
        refused,
        "grandchild.toml: handler `supervisor`: the parent `child` (child.toml) holds less: max_children = 3 is asked \
         for and 2 is held; write `permissions = { max_children = 2 }`"
    );
    // What is held is recorded at the start.
    let started = stage.documents(child.id(), "actor_started").await;
    assert_eq!(started[0]["handlers"][2]["permissions"]["max_children"], 2);
    stage.child(&parent, "grandchild.toml").await;
    stage.close().await;
}

#[tokio::test]
async fn a_handler_that_the_parent_neither_lists_nor_grants() {
    let stage = Stage::new();
    let counter = |more: &str| format!("component = \"counter.wasm\"\n{NEEDS}[[handlers]]\ntype = \"extra\"\n{more}");
    stage.manifest("child.toml", &counter(""));
    let parent = stage.parent("").await;
    let refused = stage.denied(&parent, "spawn child.toml", "permissions.extra").await;
    let (reason, lines) = refused.split_once("\n\n").unwrap();
    assert_eq!(reason, "child.toml: handler `extra`: the parent `parent` holds nothing of it; add to parent.toml:");
    assert_eq!(lines, "[grants.extra]\n");

    // With the lines that were shown it works.
    let parent = stage.parent(lines).await;
    stage.child(&parent, "child.toml").await;

    // A grant bounds what a child may ask for.
    stage.manifest("child.toml", &counter("permissions = { calls = 3 }"));
    let refused = stage.denied(&parent, "spawn child.toml", "permissions.extra").await;
    assert_eq!(
        refused,
        "child.toml: handler `extra`: the parent `parent` (parent.toml) holds less: calls = 3 is asked for and 0 is held"
    );
    let parent = stage.parent("[grants.extra]\ncalls = 3").await;
    let child = stage.child(&parent, "child.toml").await;
    let started = stage.documents(child.id(), "actor_started").await;
    let held: Vec<_> =
        started[0]["handlers"].as_array().unwrap().iter().map(|handler| &handler["permissions"]).collect();
    assert_eq!(held[2], &json!({ "calls": 3 }));
    stage.close().await;
}

#[tokio::test]
async fn a_grant_is_passed_on_by_those_who_grant_it_too() {
    let stage = Stage::new();
    let parent = stage.parent("[grants.extra]\ncalls = 3").await;
    stage.manifest(
        "child.toml",
        &format!("component = \"counter.wasm\"\n{NEEDS}[[handlers]]\ntype = \"extra\"\npermissions.calls = 2"),
    );
    stage.relay("between.toml", "");
    let between = stage.child(&parent, "between.toml").await;
    let refused = stage.denied(&between, "spawn child.toml", "permissions.extra").await;
    assert!(refused.contains("the parent `between` holds nothing of it; add to between.toml:"), "{refused}");
    stage.relay("between.toml", "[grants.extra]\ncalls = 4");
    let refused = stage.denied(&parent, "spawn between.toml", "permissions.extra").await;
    assert!(refused.contains("between.toml: handler `extra`: the parent `parent`"), "{refused}");
    stage.relay("between.toml", "[grants.extra]\ncalls = 2");
    let between = stage.child(&parent, "between.toml").await;
    stage.child(&between, "child.toml").await;
    stage.close().await;
}
