//! Many actors, long lives and short ones: nothing is left behind.

use theater::chain::MemoryStore;
use theater::{ManifestConfig, RestartFrom};
use theater_store_sqlite::SqliteStore;
use theater_tests::{World, alone, builder, resident};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_actors_are_alive_at_once() {
    let data = tempfile::tempdir().unwrap();
    let world = World::with(&["counter"], builder().store(SqliteStore::open(data.path()).unwrap()));
    let manifest = ManifestConfig::from_file(world.path().join("counter.toml")).unwrap();
    let mut actors = Vec::new();
    for _ in 0..1_000 {
        actors.push(world.runtime.spawn_actor(manifest.clone()).await.unwrap());
    }
    for (n, actor) in actors.iter().enumerate() {
        world.ask(actor, &format!("add {n}")).await;
    }
    assert_eq!(world.runtime.actors().len(), 1_000);
    for (n, actor) in actors.iter().enumerate().step_by(97) {
        assert_eq!(world.ask(actor, "get").await, n.to_string());
    }
    world.close().await;
    assert!(world.runtime.actors().is_empty());
}

/// Runs in a process of its own: other tests would be counted too.
#[test]
fn ten_thousand_short_lives_leave_nothing_behind() {
    alone("lifecycle::ten_thousand_short_lives_leave_nothing_behind", short_lives());
}

async fn short_lives() {
    let data = tempfile::tempdir().unwrap();
    let world = World::with(&["counter"], builder().store(SqliteStore::open(data.path()).unwrap()));
    let manifest = ManifestConfig::from_file(world.path().join("counter.toml")).unwrap();
    let mut before = None;
    for n in 0..10_000 {
        let actor = world.runtime.spawn_actor(manifest.clone()).await.unwrap();
        world.runtime.stop_actor(actor.id()).await.unwrap();
        // SQLite's page cache still grows with the file, up to 64 MiB: some 2 KiB an actor.
        if n == 5_000 {
            world.runtime.flush().await.unwrap();
            before = Some(Footprint::now());
        }
    }
    world.runtime.flush().await.unwrap();
    let (before, after) = (before.unwrap(), Footprint::now());
    assert!(world.runtime.actors().is_empty());
    assert_eq!(after.files, before.files);
    assert_eq!(after.tasks, before.tasks);
    assert!(after.threads <= before.threads + 4, "{before:?} {after:?}"); // the blocking pool breathes
    assert!(after.rss_kib < before.rss_kib + 16 * 1024, "{before:?} {after:?}");
    assert_eq!(world.recorded().await.len(), 10_000);
    world.close().await;
}

/// Runs in a process of its own: other tests would be counted too.
#[test]
fn a_long_life_takes_no_more_memory_than_a_short_one() {
    alone("lifecycle::a_long_life_takes_no_more_memory_than_a_short_one", long_life());
}

async fn long_life() {
    // A store that forgets, so that what is counted is the actor's.
    let world = World::with(&["counter"], builder().store(MemoryStore::bounded(1_000)));
    let actor = world.spawn("counter").await;
    // What it is at most early on, and at the least later: a moment's load is neither.
    let (mut before, mut after): (Option<Footprint>, Option<Footprint>) = (None, None);
    for n in 1..=120_000 {
        assert_eq!(world.ask(&actor, "inc").await, n.to_string());
        if n % 1_000 == 0 && (10_000..=20_000).contains(&n) {
            before = before.into_iter().chain([Footprint::now()]).max_by_key(|now| now.rss_kib);
        }
        if n % 1_000 == 0 && n > 110_000 {
            after = after.into_iter().chain([Footprint::now()]).min_by_key(|now| now.rss_kib);
        }
    }
    let (before, after) = (before.unwrap(), after.unwrap());
    // 90,000 messages at the least: 70 bytes of each would be more.
    assert!(after.rss_kib < before.rss_kib + 6 * 1024, "{before:?} {after:?}");
    assert_eq!((after.files, after.tasks), (before.files, before.tasks));
    world.runtime.shutdown().await.unwrap();
}

#[derive(Debug)]
struct Footprint {
    rss_kib: u64,
    files: usize,
    threads: usize,
    tasks: usize,
}

impl Footprint {
    fn now() -> Self {
        let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
        Self {
            rss_kib: resident(),
            files: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        }
    }
}

#[tokio::test]
async fn more_actors_than_places_take_turns_and_keep_their_state() {
    let world = World::with(&["counter"], builder().live_instances(4));
    let mut actors = Vec::new();
    for _ in 0..20 {
        actors.push(world.spawn("counter").await);
    }
    for round in 1..=3 {
        for actor in &actors {
            assert_eq!(world.ask(actor, "inc").await, round.to_string());
        }
    }
    let dropped = world.of_type(actors[0].id(), "instance_dropped").await;
    assert!(!dropped.is_empty() && dropped.iter().all(|drop| drop["reason"] == "parked"), "{dropped:?}");
    world.close().await;
}

/// More actors at work at once than there are places: those that go idle make room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_at_two_places_is_served() {
    let world = std::sync::Arc::new(World::with(&["counter"], builder().live_instances(2)));
    let mut asks = tokio::task::JoinSet::new();
    let mut actors = Vec::new();
    for _ in 0..20 {
        actors.push(world.spawn("counter").await);
    }
    for round in 1..=5 {
        for actor in &actors {
            let (world, actor) = (world.clone(), actor.clone());
            asks.spawn(async move { world.ask(&actor, "inc").await });
        }
        while let Some(answer) = asks.join_next().await {
            assert_eq!(answer.unwrap(), round.to_string());
        }
    }
    world.close().await;
}

#[tokio::test]
async fn an_instance_is_dropped_after_a_thousand_events() {
    let world = World::new(&["counter"]);
    let actor = world.spawn("counter").await;
    for n in 1..=700 {
        assert_eq!(world.ask(&actor, "inc").await, n.to_string());
    }
    let dropped = world.of_type(actor.id(), "instance_dropped").await;
    assert_eq!(dropped.len(), 2, "{dropped:?}");
    assert!(dropped.iter().all(|drop| drop["reason"] == "aged"));
    world.close().await;
}

#[tokio::test]
async fn a_tree_stops_from_the_leaves_in_reverse_order() {
    let world = World::new(&["relay", "counter"]);
    let root = world.spawn("relay").await;
    let first = world.ask(&root, "spawn relay.toml").await;
    let leaf = world.ask(&root, &format!("request {first} spawn counter.toml")).await;
    let second = world.ask(&root, "spawn counter.toml").await;
    world.runtime.shutdown().await.unwrap();
    let exits = |events: Vec<serde_json::Value>| -> Vec<String> {
        events.iter().map(|event| event["child"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(exits(world.of_type(root.id(), "child_exited").await), [second, first.clone()]);
    assert_eq!(exits(world.of_type(first.parse().unwrap(), "child_exited").await), [leaf]);
    let types: Vec<_> = world.events(root.id()).await.into_iter().map(|(kind, _)| kind).collect();
    // Each end is anchored before it is told.
    let end = ["children_anchored", "child_exited", "children_anchored", "child_exited", "actor_terminated"];
    assert_eq!(types[types.len() - 5..], end);
    world.verify().await;
}

#[tokio::test]
async fn messages_not_begun_go_to_the_next_incarnation() {
    let world = World::new(&["relay"]);
    let actor = world.spawn("relay").await;
    // On one thread: both messages are in the mailbox and the stop is asked before the actor runs.
    let (restarted, first, second) = tokio::join!(
        world.runtime.restart_actor(actor.id(), RestartFrom::Resume),
        world.send(&actor, "one"),
        world.send(&actor, "two")
    );
    first.and(second).unwrap();
    restarted.unwrap();
    assert_eq!(world.ask(&actor, "log").await, "init\nsend one\nsend two");
    let types: Vec<_> = world.events(actor.id()).await.into_iter().map(|(kind, _)| kind).collect();
    let second_start = types.iter().rposition(|kind| kind == "actor_started").unwrap();
    assert_eq!(types[..second_start].iter().filter(|kind| *kind == "call").count(), 1, "{types:?}");
    world.close().await;
}

#[tokio::test]
async fn a_crash_loses_no_message_but_the_one_that_caused_it() {
    let world = World::new(&["relay"]);
    let parent = world.spawn("relay").await;
    let child = world.ask(&parent, "spawn relay.toml").await;
    world.ask(&parent, "keep resume").await;
    for order in ["one", "do panic", "two", "do panic", "three"] {
        assert_eq!(world.ask(&parent, &format!("send {child} {order}")).await, "sent");
    }
    // The request is behind them all, over two restarts. It does not come from the parent: that one
    // would wait for a child that waits for its supervisor's decision.
    let log = world.ask(&world.handle(&child), "log").await;
    assert_eq!(log, "init\nsend one\nsend two\nsend three");
    let starts = world.of_type(child.parse().unwrap(), "actor_started").await;
    assert_eq!(starts.len(), 3);
    world.close().await;
}
