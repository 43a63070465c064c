//! No actor holds more than the composer's ceiling.

use theater_handler_supervisor::SupervisorPermissions;

use crate::support::Stage;

fn ceiling() -> SupervisorPermissions {
    SupervisorPermissions { max_children: 2, max_depth: 3, manifests: vec!["workers/*.toml".to_owned()] }
}

#[tokio::test]
async fn a_root_that_asks_for_more_is_refused_with_what_to_write() {
    let stage = Stage::under(Some(ceiling()));
    let refused = "parent.toml: handler `supervisor`: this runtime permits less than is asked for:";
    for (entry, expected) in [
        ("", "max_children = 100 is asked for and 2 is held; write `permissions = { max_children = 2 }`"),
        (
            "permissions = { max_children = 2, manifests = [] }",
            "max_depth = 128 is asked for and 3 is held; write `permissions = { max_depth = 3 }`",
        ),
        (
            "permissions = { max_children = 2, max_depth = 3, manifests = [\"*.toml\"] }",
            "manifests = [\"*.toml\"] is asked for and [\"workers/*.toml\"] is held; write `permissions = { manifests = \
             [\"workers/*.toml\"] }`",
        ),
    ] {
        stage.relay("parent.toml", entry);
        let error = stage.try_spawn("parent.toml").await.err().unwrap();
        assert_eq!(stage.bare(&error.to_string()), format!("{refused} {expected}"));
        assert!(stage.runtime.actors().is_empty());
    }
    assert!(stage.runtime.store().actors(None, 1).await.unwrap().is_empty(), "nothing is recorded");
    let parent =
        stage.parent("permissions = { max_children = 1, max_depth = 3, manifests = [\"workers/*.toml\"] }").await;
    stage.child(&parent, "workers/counter.toml").await;
    stage.denied(&parent, "spawn workers/counter.toml", "max_children").await;
    stage.close().await;
}

#[tokio::test]
async fn the_ceiling_is_for_children_too() {
    let stage = Stage::under(Some(ceiling()));
    let permissions = "permissions = { max_children = 2, max_depth = 3, manifests = [\"workers/*.toml\"] }";
    let parent = stage.parent(permissions).await;
    stage.relay("workers/child.toml", "permissions = { max_children = 3, max_depth = 3, manifests = [] }");
    let refused = stage.denied(&parent, "spawn workers/child.toml", "permissions.supervisor").await;
    assert!(refused.contains("this runtime permits less than is asked for: max_children = 3"), "{refused}");
    stage.close().await;
}
