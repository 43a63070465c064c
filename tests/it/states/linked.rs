//! Members of groups that restart from consistent cuts: any of their states may be gone back to.

use std::sync::Arc;

use theater::ActorHandle;
use theater::chain::MemoryStore;
use theater_tests::{Crashing, HANDLERS, World, builder};

use super::{is_stored, states};

fn process(store: &Arc<MemoryStore>) -> (Crashing, World) {
    let crashing = Crashing::after(u64::MAX, store.clone());
    let world = World::with(&["relay", "rogue"], builder().store(crashing.clone()));
    world.manifest("member", "rogue", &format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n"));
    let child = |id: &str| format!("[[handlers.children]]\nid = \"{id}\"\nmanifest = \"member.toml\"\n");
    let group = "[handlers.groups.g]\nstrategy = \"one-for-all\"\nrestart_state = \"resume\"\n";
    let children = child("alone") + &child("a") + "group = \"g\"\n" + &child("b") + "group = \"g\"\n";
    world.manifest("boss", "relay", &format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n{children}{group}"));
    (crashing, world)
}

/// How many of its states are not stored.
async fn gone(world: &World, store: &MemoryStore, actor: &ActorHandle) -> usize {
    world.runtime.flush().await.unwrap();
    let mut gone = 0;
    for (_, hash) in states(world, actor.id()).await {
        gone += usize::from(!is_stored(store, hash).await);
    }
    gone
}

async fn kept_said(world: &World, actor: &ActorHandle) -> usize {
    world.of_type(actor.id(), "states_kept").await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_their_states_stay() {
    let store: Arc<MemoryStore> = Arc::default();
    let (crashing, world) = process(&store);
    let boss = world.spawn("boss").await;
    let [alone, a, b] = ["alone", "a", "b"].map(|id| world.declared(&boss, id));
    for (place, actor) in [&alone, &a, &b].into_iter().enumerate() {
        for n in 0..4 {
            // Each has bytes of its own.
            world.ask(actor, &format!("big-state {}", 9_000 + 100 * place + n)).await;
        }
    }
    assert_eq!(gone(&world, &store, &alone).await, 3);
    assert_eq!((gone(&world, &store, &a).await, gone(&world, &store, &b).await), (0, 0));
    assert_eq!((kept_said(&world, &alone).await, kept_said(&world, &b).await), (0, 1));

    // They go back to a state that another one followed, since what led to that never happened.
    let before = world.runtime.get_actor_state(b.id()).await.unwrap();
    let order = format!("request-then-panic {} big-state 8000", b.id());
    world.try_ask(&a, &order).await.unwrap_err();
    world.wait_for(b.id(), "actor_started", 2).await;
    let calls = world.ask(&b, "calls").await;
    assert_eq!(calls, "4");
    assert_eq!(
        states(&world, b.id())
            .await
            .iter()
            .filter(|(_, hash)| *hash == theater::Digest::of_state(before.as_deref()))
            .count(),
        1
    );
    assert_eq!((gone(&world, &store, &b).await, kept_said(&world, &b).await), (0, 2), "each of its lives says so");

    // So it is after the process went down, and it is not said again.
    world.runtime.flush().await.unwrap();
    crashing.go_down().await;
    let world = process(&store).1.after(&world);
    world.runtime.recover().await.unwrap();
    for (place, actor) in [&alone, &a, &b].into_iter().enumerate() {
        let actor = world.runtime.handle(actor.id());
        for n in 0..4 {
            world.ask(&actor, &format!("big-state {}", 7_000 + 100 * place + n)).await;
        }
    }
    let [alone, a, b] = [&alone, &a, &b].map(|actor| world.runtime.handle(actor.id()));
    assert!(gone(&world, &store, &alone).await > 3);
    assert_eq!((gone(&world, &store, &a).await, gone(&world, &store, &b).await), (0, 0));
    assert_eq!((kept_said(&world, &a).await, kept_said(&world, &b).await), (2, 2));
    let order = format!("request-then-panic {} big-state 8000", b.id());
    world.try_ask(&a, &order).await.unwrap_err();
    world.wait_for(b.id(), "actor_started", 3).await;
    world.ask(&b, "calls").await;
    world.close().await;
}
