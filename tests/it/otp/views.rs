//! `which_children`, `count_children`, `get_childspec`, and `check_childspecs`: here the checks of a
//! manifest and of a spec that is given to `start-child`.

use serde_json::Value;

use super::{Stage, child, children, prepared};

async fn which(stage: &Stage) -> Vec<Value> {
    serde_json::from_str(&stage.tell("which").await).unwrap()
}

fn column(which: &[Value], field: &str) -> Vec<String> {
    which.iter().map(|child| child[field].as_str().unwrap_or("none").to_owned()).collect()
}

#[tokio::test]
async fn which_children_lists_the_newest_first_with_their_kinds_and_standings() {
    let policy = format!(
        "backoff = {{ initial = \"1s\", jitter = 0.0 }}\n{}{}",
        children(&["a", "b", "c"]),
        child("d", "manifest = \"relay.toml\"")
    );
    let stage = Stage::new(&policy).await;
    assert_eq!(stage.start("e", "counter.toml").await, "started");
    let listed = which(&stage).await;
    assert_eq!(column(&listed, "id"), ["e", "d", "c", "b", "a"]);
    assert_eq!(column(&listed, "kind"), ["Worker", "Supervisor", "Worker", "Worker", "Worker"]);
    assert_eq!(
        listed[4]["actor-id"].as_str().or(listed[4]["actor_id"].as_str()).unwrap(),
        stage.child("a").id().to_string()
    );

    stage.tell("terminate e").await;
    stage.crash("b").await;
    stage.asleep(1_000).await;
    let listed = which(&stage).await;
    let status =
        |id: &str| listed.iter().find(|child| child["id"] == id).unwrap()["status"].as_str().unwrap().to_owned();
    assert_eq!((status("a"), status("b"), status("e")), ("Running".into(), "Restarting".into(), "Stopped".into()));
    assert_eq!(column(&listed, "id"), ["d", "c", "b", "a", "e"], "those that are down come after those that are up");
    let b = &listed[2];
    assert!(b.to_string().contains("asked to crash"), "{b}");
    stage.advance(1_000);
    stage.lives("b", 2).await;
    stage.ask("b", "get").await;
    let listed = which(&stage).await;
    let b = listed.iter().find(|child| child["id"] == "b").unwrap();
    assert_eq!((b["incarnation"].as_u64(), b["restarts"].as_u64()), (Some(2), Some(1)));
    stage.close().await;
}

#[tokio::test]
async fn count_children_counts_specs_active_ones_and_kinds_dead_or_alive() {
    let relays = child("c", "manifest = \"relay.toml\"") + &child("d", "manifest = \"relay.toml\"");
    let backoff = "backoff = { initial = \"1s\", jitter = 0.0 }\n";
    let stage = Stage::new(&format!("{backoff}{}{relays}", children(&["a", "b"]))).await;
    assert_eq!(stage.tell("count").await, r#"{"specs":4,"active":4,"supervisors":2,"workers":2}"#);
    stage.tell("terminate a").await;
    stage.tell("terminate c").await;
    assert_eq!(stage.tell("count").await, r#"{"specs":4,"active":2,"supervisors":2,"workers":2}"#);
    // One that is about to be restarted is not active, and it is listed so.
    stage.crash("b").await;
    stage.asleep(1_000).await;
    assert_eq!(stage.tell("count").await, r#"{"specs":4,"active":1,"supervisors":2,"workers":2}"#);
    stage.advance(1_000);
    stage.lives("b", 2).await;
    stage.ask("b", "get").await;
    stage.spawn("x", "counter.toml").await; // without a spec
    assert_eq!(stage.tell("count").await, r#"{"specs":4,"active":3,"supervisors":2,"workers":3}"#);
    stage.crash("x").await;
    assert_eq!(stage.tell("count").await, r#"{"specs":4,"active":2,"supervisors":2,"workers":2}"#);
    stage.close().await;
}

#[tokio::test]
async fn get_childspec_gives_the_spec_as_it_is_in_force() {
    let group = "[handlers.groups.g]\nstrategy = \"one-for-all\"\n";
    let policy =
        child("a", "restart = \"transient\"; shutdown = \"brutal-kill\"; group = \"g\"") + &child("b", "") + group;
    let stage = Stage::new(&policy).await;
    let a = stage.tell("spec a").await;
    for part in [
        "\"counter.toml\"",
        "RestartType::Transient",
        "Shutdown::BrutalKill",
        "group: Some(\"g\")",
        "RestartState::Reset",
    ] {
        assert!(a.contains(part), "{part}: {a}");
    }
    // Defaults: permanent, 5 s, not significant; without limit for supervisors.
    let b = stage.tell("spec b").await;
    for part in ["RestartType::Permanent", "TimeoutMs(5000)", "significant: false", "group: None"] {
        assert!(b.contains(part), "{part}: {b}");
    }
    assert_eq!(stage.start("x", "relay.toml infinity init=hello").await, "started");
    let x = stage.tell("spec x").await;
    assert!(x.contains("Shutdown::Infinity") && x.contains("init-bytes: Some("), "{x}");
    stage.close().await;
}

#[tokio::test]
async fn a_supervisor_without_declared_shutdown_has_no_limit() {
    let stage = Stage::new(&child("a", "manifest = \"relay.toml\"")).await;
    assert!(stage.tell("spec a").await.contains("Shutdown::Infinity"));
    stage.close().await;
}

#[tokio::test]
async fn faulty_specs_are_refused_before_anything_starts_each_with_its_line() {
    for (policy, why) in [
        (children(&["a", "a"]), "child 0 has the id \"a\" already"),
        (child("", ""), "the id is empty"),
        ("[[handlers.children]]\nmanifest = \"counter.toml\"\n".to_owned(), "id"),
        ("[[handlers.children]]\nid = \"a\"\n".to_owned(), "manifest"),
        (child("a/b", ""), "has a `/`"),
        (child("00112233445566778899aabbccddeeff", ""), "looks like the id of an actor"),
        (child("a", "restart = \"always\""), "restart"),
        (child("a", "shutdown = \"soon\""), "is no way to stop a child"),
        (child("a", "shutdown = 5"), "a time"),
        (child("a", "modules = []"), "modules"),
        (child("a", "group = \"g\""), "group \"g\" is not declared"),
        (child("a", "manifest = \"../a.toml\""), "leads out of the folder"),
        ("strategy = \"one_for_one\"\n".to_owned(), "did you mean \"one-for-one\""),
        ("max_restarts = -1\n".to_owned(), "max_restarts"),
        ("within = 5\n".to_owned(), "within"),
        ("auto_shutdown = \"sometimes\"\n".to_owned(), "auto_shutdown"),
    ] {
        let (world, _) = prepared("relay", &policy);
        let refused = world.try_spawn("boss").await.unwrap_err().to_string();
        assert!(refused.contains("boss.toml:") && refused.contains(why), "{why}: {refused}");
        assert!(world.recorded().await.is_empty());
    }
}

#[tokio::test]
async fn a_faulty_spec_is_refused_by_start_child_and_nothing_is_kept() {
    let stage = Stage::new("").await;
    for (id, rest, why) in [
        ("-", "counter.toml", "`id` is empty"),
        ("a/b", "counter.toml", "a part of a path"),
        ("00112233445566778899aabbccddeeff", "counter.toml", "looks like the id of an actor"),
        ("x", "counter.toml group=g", "group `g` is not declared"),
        ("x", "counter.toml transient significant", "auto_shutdown is never"),
        ("x", "../counter.toml", "error"),
        ("x", "none.toml", "none.toml"),
        ("x", "", "manifest"),
    ] {
        let refused = stage.start(id, rest).await;
        assert!(refused.starts_with("error: ") && refused.contains(why), "{why}: {refused}");
    }
    assert_eq!(stage.tell("count").await, r#"{"specs":0,"active":0,"supervisors":0,"workers":0}"#);
    stage.close().await;
}

#[tokio::test]
async fn no_more_children_than_are_permitted() {
    let stage = Stage::new(&format!("permissions = {{ max_children = 1 }}\n{}", children(&["a"]))).await;
    assert!(stage.start("x", "counter.toml").await.contains("max_children"));
    assert_eq!(stage.tell("terminate a").await, "done");
    assert_eq!(stage.start("x", "counter.toml").await, "started");
    assert!(stage.tell("restart-with a reset").await.contains("max_children"));
    stage.close().await;
    let (world, _) = prepared("relay", &format!("permissions = {{ max_children = 1 }}\n{}", children(&["a", "b"])));
    let refused = world.try_spawn("boss").await.unwrap_err().to_string();
    assert!(refused.contains("2 children are declared and 1 are permitted"), "{refused}");
}
