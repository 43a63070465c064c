//! What is refused leaves nothing behind, and what is side by side shares nothing.

use theater::{ActorHandle, CallError, RestartFrom, SpawnError};
use theater_tests::{HANDLERS, World};

#[tokio::test]
async fn refused_roots_leave_nothing_and_hurt_nobody() {
    let world = World::new(&["counter", "relay", "rogue"]);
    let quiet = world.spawn("counter").await;
    assert_eq!(world.ask(&quiet, "inc").await, "1");
    std::fs::write(world.path().join("text.wasm"), "no component").unwrap();
    let never = "[limits]\ninit_timeout = \"50ms\"\n";
    world
        .manifest("misspelt", "counter", "[limits]\nmemry = \"1MiB\"")
        .manifest("unlisted", "relay", HANDLERS)
        .manifest("unknown", "counter", "[[handlers]]\ntype = \"teleport\"")
        .manifest("missing", "nothing", HANDLERS)
        .manifest("text", "text", HANDLERS)
        .manifest("tight", "counter", &format!("[limits]\nmemory = \"64KiB\"\n{HANDLERS}"))
        .manifest("slow", "rogue", &format!("{never}{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n"));
    for (name, init, expected) in [
        ("misspelt", "", "misspelt.toml:4: unknown key `memry`; did you mean `memory`?"),
        ("unlisted", "", "which handler `supervisor` provides; add to"),
        ("unknown", "", "unknown.toml:3: this [[handlers]] entry names handler `teleport`"),
        ("missing", "", "`component` names nothing.wasm: there is no such file in"),
        ("text", "", "it is not a WebAssembly file"),
        ("tight", "", "more than the manifest's limit `memory`"),
        ("slow", "loop", "ran for more than 50ms"),
        ("slow", "trap", "wasm `unreachable` instruction executed"),
        ("slow", "err", "init answered err: told to fail in init"),
        ("slow", "decline", "ended while it started: declined to start"),
    ] {
        let error = world.try_spawn_with(name, init).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{name} {init}: {error}");
        assert_eq!(world.runtime.actors().len(), 1, "{name} {init}");
    }
    // A chain has begun only where an actor has.
    let recorded = world.recorded().await;
    let mut names: Vec<_> = recorded.iter().map(|entry| entry.index.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["counter", "slow", "slow", "slow", "slow", "tight"]);
    assert_eq!(world.ask(&quiet, "inc").await, "2");
    world.close().await;
    assert!(world.runtime.actors().is_empty());
}

#[tokio::test]
async fn refused_children_leave_nothing_and_their_parent_goes_on() {
    let world = World::new(&["relay", "counter"]);
    world.manifest("misspelt", "counter", "[limits]\nmemry = \"1MiB\"").manifest("unlisted", "counter", "").manifest(
        "tight",
        "counter",
        &format!("[limits]\nmemory = \"64KiB\"\n{HANDLERS}"),
    );
    let parent = world.spawn("relay").await;
    for (path, expected) in [
        ("misspelt.toml", "misspelt.toml:4: unknown key `memry`"),
        ("unlisted.toml", "provides; add to"),
        ("tight.toml", "more than the manifest's limit `memory`"),
        ("../relay.toml", "is not permitted: a path is relative to the folder"),
        ("none.toml", "there is no such file in"),
    ] {
        let answer = world.ask(&parent, &format!("spawn {path}")).await;
        assert!(answer.starts_with("error: ") && answer.contains(expected), "{path}: {answer}");
        assert_eq!(world.ask(&parent, "list").await, "");
        assert_eq!(world.runtime.actors().len(), 1);
    }
    let child = world.ask(&parent, "spawn counter.toml").await;
    assert_eq!(world.ask(&parent, "list").await, child);
    world.close().await;
}

#[tokio::test]
async fn two_runtimes_in_one_process_share_nothing() {
    let (one, two) = (World::new(&["relay", "counter"]), World::new(&["relay", "counter"]));
    let (in_one, in_two) = (one.spawn("relay").await, two.spawn("relay").await);
    let child = one.ask(&in_one, "spawn counter.toml").await;
    let other = two.ask(&in_two, "spawn counter.toml").await;
    assert_ne!(child, other);
    assert_eq!(one.ask(&in_one, &format!("request {child} add 5")).await, "5");
    assert_eq!(two.ask(&in_two, &format!("request {other} get")).await, "0");
    assert_eq!(one.ask(&in_one, "list").await, child);
    assert_eq!(two.ask(&in_two, "list").await, other);

    // To the guests of one, those of the other do not exist.
    for order in ["request", "send"] {
        let answer = two.ask(&in_two, &format!("{order} {child} get")).await;
        assert_eq!(answer, format!("error: actor {child} is not found"));
    }
    for order in ["stop", "restart", "state", "events"] {
        let answer = two.ask(&in_two, &format!("{order} {child}")).await;
        assert_eq!(answer, format!("error: child {child} is not found"));
    }
    // Nor to the program.
    let id = in_one.id();
    let stranger = two.runtime.handle(id);
    assert!(matches!(two.try_ask(&stranger, "ping").await, Err(CallError::NotFound(_))));
    assert!(matches!(two.send(&stranger, "ping").await, Err(CallError::NotFound(_))));
    assert!(matches!(two.runtime.stop_actor(id).await, Err(SpawnError::NotFound(_))));
    assert!(matches!(two.runtime.restart_actor(id, RestartFrom::Resume).await, Err(SpawnError::NotFound(_))));
    assert!(matches!(two.runtime.get_actor_state(id).await, Err(SpawnError::NotFound(_))));
    assert!(two.runtime.get_actor_events(id, 0, 1).await.is_ok_and(|events| events.is_empty()));
    assert!(two.runtime.actor(id).is_none());
    assert_eq!((one.runtime.actors().len(), two.runtime.actors().len()), (2, 2));

    // One ends; the other does not notice.
    one.close().await;
    assert!(one.runtime.actors().is_empty());
    assert_eq!(two.ask(&in_two, &format!("request {other} inc")).await, "1");
    drop(one);
    assert_eq!(two.ask(&in_two, &format!("request {other} inc")).await, "2");
    assert_eq!(two.recorded().await.len(), 2);
    two.close().await;
}

/// What an actor's chain says of the calls that it has served and made.
async fn told(world: &World, actor: &ActorHandle) -> String {
    let events = world.events(actor.id()).await;
    events.iter().map(|(kind, data)| format!("{kind} {data}\n")).collect()
}

#[tokio::test]
async fn two_actors_of_each_kind_side_by_side_share_nothing() {
    let kinds = ["counter", "bare", "unversioned", "relay", "rogue", "warden", "diarist", "courier"];
    let world = World::new(&kinds);
    for kind in kinds {
        let (one, two) = (world.spawn(kind).await, world.spawn(kind).await);
        let quiet = world.runtime.get_actor_state(two.id()).await.unwrap();
        let before = told(&world, &two).await;
        // Whatever it makes of these: an answer, an err, or its end.
        for order in ["inc", "add 3", "id", "spawn counter.toml", "calls", "log one", "big-state 10", "shutdown now"] {
            let _ = world.try_ask(&one, order).await;
            let _ = world.send(&one, order).await;
        }
        world.runtime.flush().await.unwrap();
        assert_eq!(world.runtime.get_actor_state(two.id()).await.unwrap(), quiet, "{kind}");
        assert_eq!(told(&world, &two).await, before, "{kind}");
        assert_eq!(world.runtime.actor(two.id()).unwrap().children, [], "{kind}");
        assert!(!before.contains(&one.id().to_string()), "{kind}");
        let _ = world.runtime.stop_actor(one.id()).await;
        assert!(world.runtime.actor(two.id()).is_some(), "{kind}");
        world.runtime.stop_actor(two.id()).await.unwrap();
    }
    assert!(world.runtime.actors().is_empty());
    world.close().await;
}

#[tokio::test]
async fn two_supervisors_side_by_side_keep_their_own_children_mailboxes_and_logs() {
    let world = World::new(&["relay", "counter"]);
    let (one, two) = (world.spawn("relay").await, world.spawn("relay").await);
    let of_one = world.ask(&one, "spawn counter.toml").await;
    let of_two = world.ask(&two, "spawn counter.toml").await;
    world.ask(&one, &format!("request {of_one} add 7")).await;
    assert_eq!(world.ask(&two, &format!("request {of_two} get")).await, "0");
    assert_eq!(world.ask(&two, &format!("state {of_two}")).await, r#"{"n":0}"#);
    world.send(&one, "for one").await.unwrap();
    world.ask(&one, &format!("request {of_one} crash")).await;
    let (log_of_one, log_of_two) = (world.ask(&one, "log").await, world.ask(&two, "log").await);
    assert!(log_of_one.contains("send for one") && log_of_one.contains(&format!("child-error {of_one}")));
    assert_eq!(log_of_two, "init");
    assert_eq!((world.ask(&one, "list").await, world.ask(&two, "list").await), (String::new(), of_two));
    assert!(world.of_type(two.id(), "child_exited").await.is_empty());
    world.close().await;
}
