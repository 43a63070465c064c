//! Declared policies: what is restarted, when, and what the record says of it.

use theater::{ActorStatus, ExitReason};
use theater_tests::World;

const MESSAGES: &str = "
[[handlers]]
type = \"runtime\"
[[handlers]]
type = \"message-server\"
";

/// A supervisor's manifest: the relay with this policy.
fn supervisor(world: &World, name: &str, policy: &str) {
    world.manifest(name, "relay", &format!("{MESSAGES}\n[[handlers]]\ntype = \"supervisor\"\n{policy}"));
}

#[tokio::test]
async fn a_declared_child_is_restarted_with_its_state() {
    let world = World::new(&["relay", "counter"]);
    supervisor(
        &world,
        "boss",
        "[[handlers.children]]\nid = \"one\"\nmanifest = \"counter.toml\"\nrestart_state = \"resume\"\n",
    );
    let boss = world.spawn("boss").await;
    let one = world.declared(&boss, "one");
    world.ask(&one, "add 7").await;
    assert!(world.try_ask(&one, "crash").await.is_err());
    world.wait_for(one.id(), "actor_started", 2).await;
    assert_eq!(world.ask(&one, "get").await, "7");
    let decisions = world.of_type(boss.id(), "supervision_action").await;
    assert_eq!((decisions[0]["action"].as_str(), decisions[0]["rule"].as_str()), (Some("restart"), Some("permanent")));
    assert_eq!((decisions[0]["attempt"].as_u64(), decisions[0]["window"].as_u64()), (Some(1), Some(1)));
    let events = world.events(boss.id()).await;
    let types: Vec<&str> = events.iter().map(|(event_type, _)| event_type.as_str()).collect();
    let exit = types.iter().position(|found| *found == "child_exited").unwrap();
    assert_eq!((types[exit - 1], types[exit + 1]), ("children_anchored", "supervision_action"));
    world.close().await;
}

#[tokio::test]
async fn a_used_up_budget_ends_the_supervisor_with_the_childs_cause() {
    let world = World::new(&["relay", "counter"]);
    supervisor(&world, "boss", "max_restarts = 2\n[[handlers.children]]\nid = \"one\"\nmanifest = \"counter.toml\"\n");
    let boss = world.spawn("boss").await;
    let one = world.declared(&boss, "one");
    for life in 2..=3 {
        assert!(world.try_ask(&one, "crash").await.is_err());
        world.wait_for(one.id(), "actor_started", life).await;
    }
    assert!(world.try_ask(&one, "crash").await.is_err());
    let ended = boss.ended().await.unwrap();
    let ExitReason::Abnormal(error) = ended else { panic!("{ended:?}") };
    assert!(error.message.contains("child `one`") && error.message.contains("asked to crash"), "{error}");
    let decisions = world.of_type(boss.id(), "supervision_action").await;
    let actions: Vec<_> = decisions.iter().map(|decision| decision["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["restart", "restart", "warn", "escalate"]);
    world.close().await;
}

#[tokio::test]
async fn one_for_all_restarts_the_siblings_in_order() {
    let world = World::new(&["relay", "counter"]);
    let children: String = ["a", "b", "c"]
        .iter()
        .map(|id| format!("[[handlers.children]]\nid = \"{id}\"\nmanifest = \"counter.toml\"\n"))
        .collect();
    supervisor(&world, "boss", &format!("strategy = \"one-for-all\"\n{children}"));
    let boss = world.spawn("boss").await;
    let b = world.declared(&boss, "b");
    assert!(world.try_ask(&b, "crash").await.is_err());
    let c = world.declared(&boss, "c");
    world.wait_for(c.id(), "actor_started", 2).await;
    assert_eq!(world.ask(&c, "inc").await, "1");
    let exits = world.of_type(boss.id(), "child_exited").await;
    let order: Vec<_> = exits.iter().map(|exit| exit["child"].as_str().unwrap().to_owned()).collect();
    let id = |spec| world.declared(&boss, spec).id().to_string();
    assert_eq!(order, [id("b"), id("c"), id("a")]);
    let status = world.runtime.actor(world.declared(&boss, "a").id()).unwrap();
    assert_eq!((status.status, status.incarnation), (ActorStatus::Running, 2));
    world.close().await;
}
