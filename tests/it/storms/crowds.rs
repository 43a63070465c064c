//! Many children, many ends, deep trees. Figures are printed: run with `--nocapture`.

use std::time::Duration;

use futures_util::future::join_all;
use theater::sources::{Sources as _, SystemSources};
use theater::{ActorHandle, ExitReason, SpawnError};
use theater_tests::{HANDLERS, PassersBy, World, alone};

use super::{child, decisions, soon, supervisor, text};

/// A supervisor of any number of counters, with this many of them.
async fn crowd(world: &World, policy: &str, size: usize) -> (ActorHandle, Vec<ActorHandle>) {
    let policy = format!(
        "permissions = {{ max_children = 2000 }}\nstrategy = \"dynamic\"\n{policy}{}",
        child("template", "counter", "")
    );
    supervisor(world, "boss", &policy);
    let boss = world.spawn("boss").await;
    let mut children = Vec::new();
    for n in 0..size {
        children.push(world.handle(&world.ask(&boss, &format!("start c{n}")).await));
    }
    (boss, children)
}

/// Crashes all of them at once, and waits until each lives again.
async fn round(world: &World, children: &[ActorHandle], life: u32) {
    let crashed = join_all(children.iter().map(|child| world.try_call(child, "crash"))).await;
    assert!(crashed.iter().all(Result::is_err));
    for child in children {
        // A child that is being restarted keeps its messages: the answer comes from the next life.
        assert_eq!(world.try_call(child, "get").await.unwrap(), "0");
        assert_eq!(world.runtime.actor(child.id()).unwrap().incarnation, life);
    }
}

#[expect(clippy::print_stdout, reason = "figures")]
fn report(what: &str, count: usize, took: Duration) {
    println!("{what}: {count} in {took:.2?}, {:.0} a second", count as f64 / took.as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_children_crash_at_once() {
    let world = World::new(&["relay", "counter"]);
    let (boss, children) = crowd(&world, "max_restarts = 1000\nwithin = \"1h\"\n", 1_000).await;
    let sources = SystemSources::new();
    soon("all are back", round(&world, &children, 2)).await;
    report("crashed at once and restarted", children.len(), sources.monotonic());
    let all = decisions(&world, boss.id()).await;
    assert_eq!(all.iter().filter(|(action, _)| action == "restart").count(), 1_000);
    assert_eq!(all.iter().filter(|(action, _)| action == "warn").count(), 1, "half of the budget, once");
    assert_eq!(all.len(), 1_001);
    // One more is too many.
    let _ = world.try_ask(&children[0], "crash").await;
    assert!(matches!(soon("the end", boss.ended()).await.unwrap(), ExitReason::Abnormal(_)));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_declared_children_crash_at_once() {
    let world = World::new(&["relay", "counter"]);
    let mut policy = "permissions = { max_children = 1000 }\nmax_restarts = \"infinity\"\n".to_owned();
    (0..1_000).for_each(|n| policy.push_str(&child(&format!("c{n}"), "counter", "")));
    supervisor(&world, "boss", &policy);
    let sources = SystemSources::new();
    let boss = world.spawn("boss").await;
    report("declared and started", 1_000, sources.monotonic());
    let children: Vec<_> = (0..1_000).map(|n| world.declared(&boss, &format!("c{n}"))).collect();
    let before = sources.monotonic();
    soon("all are back", round(&world, &children, 2)).await;
    report("crashed at once and restarted", 1_000, sources.monotonic() - before);
    let before = sources.monotonic();
    soon("the stop", world.runtime.stop_actor(boss.id())).await.unwrap();
    report("stopped in reverse", 1_000, sources.monotonic() - before);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_exits() {
    for durability in ["ephemeral", "batched"] {
        let world = World::new(&["relay", "counter"]);
        world.manifest("counter", "counter", &format!("durability = \"{durability}\"\n{HANDLERS}"));
        let (boss, children) = crowd(&world, "max_restarts = \"infinity\"\n", 500).await;
        let sources = SystemSources::new();
        for life in 2..=21 {
            soon("all are back", round(&world, &children, life)).await;
        }
        report(&format!("{durability}: exits, decisions and restarts"), 10_000, sources.monotonic());
        assert_eq!(decisions(&world, boss.id()).await.len(), 10_000);
        world.close().await;
    }
}

#[tokio::test]
async fn a_crash_at_the_bottom_of_a_hundred_levels_escalates_to_the_top() {
    let world = World::new(&["relay", "counter"]);
    for level in 0..100 {
        let below = if level == 99 { "counter".to_owned() } else { format!("level{}", level + 1) };
        supervisor(&world, &format!("level{level}"), &format!("max_restarts = 0\n{}", child("below", &below, "")));
    }
    let top = world.spawn("level0").await;
    let mut levels = vec![top.clone()];
    for _ in 0..100 {
        levels.push(world.declared(levels.last().unwrap(), "below"));
    }
    let bottom = levels.pop().unwrap();
    let sources = SystemSources::new();
    assert!(world.try_ask(&bottom, "crash").await.is_err());
    let ended = soon("the escalation", top.ended()).await.unwrap();
    report("levels escalated", 100, sources.monotonic());
    let ExitReason::Abnormal(error) = ended else { panic!("{ended:?}") };
    assert!(error.message.contains("asked to crash"), "{error}");
    for level in &levels {
        assert_eq!(decisions(&world, level.id()).await, [("escalate".to_owned(), "budget".to_owned())]);
        let exits = world.of_type(level.id(), "child_exited").await;
        assert_eq!((exits.len(), text(&exits[0], "asked_by").as_str()), (1, "itself"));
    }
    assert!(world.runtime.actors().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_manifest_that_declares_itself_ends_at_the_depth_limit() {
    let world = World::new(&["relay"]);
    supervisor(&world, "again", &child("again", "again", ""));
    let error = soon("the refusal", world.try_spawn("again")).await.unwrap_err();
    let SpawnError::Failed { error, .. } = error else { panic!("{error}") };
    assert!(error.message.contains("128 is permitted") && error.message.contains("max_depth"), "{error}");
    assert_eq!(world.recorded().await.len(), 129);
    assert!(world.runtime.actors().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_chain_of_spawns_ends_at_the_depth_limit() {
    let world = World::new(&["relay"]);
    std::fs::write(world.path().join("order"), "do spawn again.toml").unwrap();
    let entries = format!("init_state = \"order\"\n{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n");
    world.manifest("again", "relay", &entries);
    let error = soon("the refusal", world.try_spawn("again")).await.unwrap_err().to_string();
    assert!(error.contains("128 is permitted") && error.contains("max_depth"), "{error}");
    assert!(world.runtime.actors().is_empty());
    world.close().await;
}

/// In a process of its own: in this one the other tests use memory, too. A million of them is
/// `cargo xtask bench passers-by`.
#[cfg(target_os = "linux")]
#[test]
fn short_lived_children_leave_no_memory_behind() {
    alone("storms::crowds::short_lived_children_leave_no_memory_behind", async {
        let data = tempfile::tempdir().unwrap();
        let passers_by = PassersBy::new(data.path()).await;
        let mut memory = Vec::new();
        for _ in 0..10 {
            memory.push(soon("they have passed", passers_by.pass(2_000)).await);
        }
        // SQLite's cache has its size by then.
        let (early, late) = (memory[6], memory[9]);
        assert!(late < early + early / 10, "{memory:?}");
        passers_by.world.runtime.shutdown().await.unwrap();
    });
}
