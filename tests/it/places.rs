//! Few places for instances and many actors: who is parked, who waits, and that nothing of it shows in
//! what the actors do.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use theater::{ActorHandle, InstancesBound};
use theater_tests::{HANDLERS, World, builder};

/// What a rogue and a relay list.
fn listed() -> String {
    format!(
        "{HANDLERS}request_timeout = \"60s\"\npermissions = {{ talk_to = [\"any\"] }}\n\n[[handlers]]\ntype = \"supervisor\"\n"
    )
}

/// What must come to an end.
#[expect(clippy::disallowed_methods, reason = "a guard against hanging, not a wait")]
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it hangs")
}

async fn parked(world: &World, actor: &ActorHandle) -> usize {
    let drops = world.of_type(actor.id(), "instance_dropped").await;
    drops.iter().filter(|drop| drop["reason"] == "parked").count()
}

#[tokio::test]
async fn who_has_been_idle_for_longest_is_parked_first() {
    let world = World::with(&["counter"], builder().live_instances(3));
    let (a, b, c) = (world.spawn("counter").await, world.spawn("counter").await, world.spawn("counter").await);
    world.ask(&a, "inc").await;
    let d = world.spawn("counter").await;
    assert_eq!([parked(&world, &a).await, parked(&world, &b).await, parked(&world, &c).await], [0, 1, 0]);
    world.ask(&c, "inc").await;
    world.ask(&b, "inc").await;
    assert_eq!([parked(&world, &a).await, parked(&world, &b).await, parked(&world, &c).await], [1, 1, 0]);
    let is_parked = |actor: &ActorHandle| world.runtime.actor(actor.id()).unwrap().parked;
    assert_eq!([&a, &b, &c, &d].map(is_parked), [true, false, false, false]);
    world.close().await;
}

/// Each waits for the next, and the last one is parked.
#[tokio::test]
async fn a_chain_of_requests_may_be_longer_than_there_are_places() {
    let world = World::with(&["relay"], builder().live_instances(2));
    world.manifest("link", "relay", &listed());
    let mut order = "ping".to_owned();
    let mut chain = Vec::new();
    for _ in 0..30 {
        let relay = world.spawn("link").await;
        order = format!("request {} {order}", relay.id());
        chain.push(relay);
    }
    let first = world.spawn("link").await;
    for _ in 0..2 {
        assert_eq!(soon(world.ask(&first, &order)).await, "pong");
    }
    // What was lent is given back.
    let live = |relay: &&ActorHandle| !world.runtime.actor(relay.id()).unwrap().parked;
    soon(async {
        while chain.iter().filter(live).count() > 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_actor_that_never_goes_idle_gives_way() {
    let world = Arc::new(World::with(&["rogue", "counter"], builder().live_instances(1)));
    let (busy, quiet) = (world.spawn("rogue").await, world.spawn("counter").await);
    world.send(&busy, "sleepless").await.unwrap();
    assert_eq!(soon(world.ask(&quiet, "inc")).await, "1");
    world.runtime.stop_actor(busy.id()).await.unwrap();
    assert!(parked(&world, &busy).await > 0);
    world.close().await;
}

/// Somebody else's work takes longer than the actor may take to be made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_place_does_not_fail_for_it() {
    let world = Arc::new(World::with(&["rogue"], builder().live_instances(1)));
    world.manifest("hasty", "rogue", &format!("[limits]\ninit_timeout = \"100ms\"\n{}", listed()));
    world.manifest("slow", "rogue", &format!("[limits]\ncall_timeout = \"1s\"\n{}", listed()));
    let (hasty, slow) = (world.spawn("hasty").await, world.spawn("slow").await);
    let mut spins = tokio::task::JoinSet::new();
    let (other, spinning) = (world.clone(), slow.clone());
    spins.spawn(async move { other.try_ask(&spinning, "loop").await });
    world.wait_for(slow.id(), "call", 2).await;
    assert_eq!(soon(world.ask(&hasty, "calls")).await, "0");
    assert!(spins.join_next().await.unwrap().unwrap().is_err());
    world.close().await;
}

#[tokio::test]
async fn a_pinned_actor_keeps_its_instance_and_half_of_all_may_be_pinned() {
    let world = World::with(&["rogue"], builder().live_instances(3));
    world.manifest("pinned", "rogue", &format!("pinned = true\n{}", listed()));
    let (pinned, unlucky) = (world.spawn("pinned").await, world.spawn("pinned").await);
    let others = [world.spawn("rogue").await, world.spawn("rogue").await, world.spawn("rogue").await];
    for n in 1..=5 {
        for other in &others {
            world.ask(other, "tally").await;
        }
        assert_eq!(world.ask(&pinned, "tally").await, n.to_string(), "the same instance");
        world.ask(&unlucky, "tally").await;
    }
    assert_eq!(parked(&world, &pinned).await, 0);
    assert!(parked(&world, &unlucky).await > 0);
    // Its place goes with it.
    assert!(world.try_ask(&pinned, "trap").await.is_err());
    let next = world.spawn("pinned").await;
    for n in 1..=3 {
        for other in &others {
            world.ask(other, "tally").await;
        }
        assert_eq!(world.ask(&next, "tally").await, n.to_string());
    }
    world.close().await;
}

#[tokio::test]
async fn who_is_idle_for_long_is_parked_where_that_is_asked_for() {
    let world = World::with(&["rogue"], builder().park_after(Duration::from_millis(20)));
    world.manifest("pinned", "rogue", &format!("pinned = true\n{}", listed()));
    let (actor, pinned) = (world.spawn("rogue").await, world.spawn("pinned").await);
    for drops in 1..=2 {
        world.ask(&pinned, "tally").await;
        assert_eq!(world.ask(&actor, "tally").await, "1");
        soon(world.wait_for(actor.id(), "instance_dropped", drops)).await;
    }
    assert_eq!(world.ask(&pinned, "tally").await, "3");
    assert_eq!(parked(&world, &pinned).await, 0);
    world.close().await;
}

#[tokio::test]
async fn the_number_of_places_is_what_is_set_or_what_the_machine_bears() {
    let set = World::with(&[], builder().live_instances(7)).runtime.instances();
    assert_eq!((set.places, set.bound), (7, InstancesBound::Set));
    let machine = World::with(&[], builder()).runtime.instances();
    assert!(machine.places >= 14 && machine.slots > machine.places && machine.bound != InstancesBound::Set);
}

/// What one of many clients does next.
#[derive(Debug, Clone)]
enum Act {
    Inc(usize),
    /// Through two others.
    Through(usize, usize, usize),
    Crash(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let who = || 0..20_usize;
    let act = prop_oneof![
        6 => who().prop_map(Act::Inc),
        3 => (who(), who(), who()).prop_map(|(a, b, c)| Act::Through(a, b, c)),
        1 => who().prop_map(Act::Crash),
    ];
    proptest::collection::vec(act, 60..120)
}

/// Two places, twenty counters below a supervisor that restarts them, and relays that ask them: every
/// counter has counted what was answered, and every chain verifies and replays.
#[test]
fn two_places_and_twenty_actors_under_any_load() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 6, ..Config::default() });
    let case = |acts| {
        tokio.block_on(soon(load(acts)));
        Ok(())
    };
    runner.run(&acts(), case).unwrap();
}

async fn load(acts: Vec<Act>) {
    let world = Arc::new(World::with(&["relay", "counter"], builder().live_instances(2)));
    world.manifest("link", "relay", &listed());
    let mut policy = format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\nmax_restarts = \"infinity\"\n");
    for n in 0..20 {
        policy +=
            &format!("[[handlers.children]]\nid = \"c{n}\"\nmanifest = \"counter.toml\"\nrestart_state = \"resume\"\n");
    }
    world.manifest("boss", "relay", &policy);
    let boss = world.spawn("boss").await;
    let counters: Vec<_> = (0..20).map(|n| world.declared(&boss, &format!("c{n}"))).collect();
    let mut relays = Vec::new();
    for _ in 0..20 {
        relays.push(world.spawn("link").await);
    }
    let counted: Arc<Vec<AtomicU64>> = Arc::new((0..20).map(|_| AtomicU64::new(0)).collect());
    let mut clients = tokio::task::JoinSet::new();
    for chunk in acts.chunks(12) {
        let (world, counted) = (world.clone(), counted.clone());
        let (acts, counters, relays) = (chunk.to_vec(), counters.clone(), relays.clone());
        clients.spawn(async move {
            for act in acts {
                let (counter, answer) = match act {
                    Act::Inc(c) => (c, world.try_ask(&counters[c], "inc").await),
                    Act::Through(a, b, c) if a != b => {
                        let order = format!("request {} request {} inc", relays[b].id(), counters[c].id());
                        (c, world.try_ask(&relays[a], &order).await)
                    }
                    Act::Through(a, _, c) => {
                        (c, world.try_ask(&relays[a], &format!("request {} inc", counters[c].id())).await)
                    }
                    Act::Crash(c) => {
                        assert!(world.try_ask(&counters[c], "crash").await.is_err());
                        continue;
                    }
                };
                if answer.is_ok_and(|answer| answer.parse::<u64>().is_ok()) {
                    counted[counter].fetch_add(1, Ordering::SeqCst);
                }
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    for (counter, counted) in counters.iter().zip(&*counted) {
        let has: u64 = world.ask(counter, "get").await.parse().unwrap();
        assert_eq!(has, counted.load(Ordering::SeqCst));
    }
    world.close().await;
}
