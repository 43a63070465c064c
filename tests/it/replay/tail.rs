//! What an upgrade is checked by: the last calls, made again by the new component, wherever they begin.

use std::sync::Arc;

use bytes::Bytes;
use theater::chain::data::{ActorUpgraded, Call, EventData as _, StateUpdated};
use theater::chain::erase::erase;
use theater::chain::{ChainEvent, ChainStore, MemoryStore};
use theater::{ActorHandle, Checked, Digest, RestartFrom, TheaterRuntimeBuilder, Upgrade, UpgradeError};
use theater_replay::TailCheck;
use theater_tests::{Crashing, World, builder};

fn checking() -> TheaterRuntimeBuilder {
    builder().upgrade_check(TailCheck::new())
}

fn component(name: &str) -> Bytes {
    std::fs::read(theater_build::testing::component(name)).unwrap().into()
}

fn next(version: &str) -> Upgrade {
    Upgrade::new(component("tally-next")).version(version)
}

/// The first tally, which exports no `migrate`, with other bytes.
fn same() -> Upgrade {
    let mut bytes = component("tally").to_vec();
    // A custom section without content, called `note`.
    bytes.extend([0x00, 0x05, 0x04, b'n', b'o', b't', b'e']);
    Upgrade::new(bytes)
}

async fn upgraded(world: &World, tally: &ActorHandle, upgrade: Upgrade) -> Checked {
    world.runtime.upgrade_actor(tally.id(), upgrade).await.unwrap().checked.unwrap()
}

fn calls(calls: u64) -> Checked {
    Checked { calls, ..Checked::default() }
}

/// A tally at 20 that was upgraded and taken back.
async fn taken_back() -> (World, ActorHandle) {
    let world = World::with(&["tally"], checking());
    let tally = world.spawn("tally").await;
    world.ask(&tally, "add 20").await;
    assert_eq!(upgraded(&world, &tally, next("0.2.0")).await, calls(2));
    assert_eq!(world.ask(&tally, "from").await, "0.1.0");
    world.runtime.roll_back_actor(tally.id()).await.unwrap();
    (world, tally)
}

#[tokio::test]
async fn an_upgrade_follows_a_rollback() {
    let (world, tally) = taken_back().await;
    for n in 1..3 {
        world.ask(&tally, &format!("add {n}")).await;
    }
    assert_eq!(upgraded(&world, &tally, next("0.2.1")).await, calls(2));
    assert_eq!(world.ask(&tally, "get").await, "23");
    world.runtime.roll_back_actor(tally.id()).await.unwrap();
    world.ask(&tally, "add 2").await;
    assert_eq!(upgraded(&world, &tally, same()).await, calls(1));
    assert_eq!(world.ask(&tally, "get").await, "25");
    world.close().await;
}

#[tokio::test]
async fn an_upgrade_follows_an_upgrade() {
    let world = World::with(&["tally"], checking());
    let tally = world.spawn("tally").await;
    world.ask(&tally, "add 20").await;
    // Without `migrate`, then with one, then with one whose states the next cannot read.
    assert_eq!(upgraded(&world, &tally, same().version("0.1.1")).await, calls(2));
    world.ask(&tally, "add 1").await;
    world.ask(&tally, "get").await;
    assert_eq!(upgraded(&world, &tally, next("0.2.0")).await, calls(2));
    assert_eq!(world.ask(&tally, "from").await, "0.1.1");
    let again = world.runtime.upgrade_actor(tally.id(), next("0.3.0")).await.unwrap_err();
    assert!(again.to_string().contains("missing field `total`"), "{again}");
    world.runtime.roll_back_actor(tally.id()).await.unwrap();
    world.ask(&tally, "get").await;
    // It keeps the state as it is, and so do its calls until it adds.
    let faulty = Upgrade::new(component("tally-faulty")).version("0.2.1");
    assert_eq!(upgraded(&world, &tally, faulty.clone()).await, calls(1));
    world.ask(&tally, "get").await;
    assert_eq!(upgraded(&world, &tally, next("0.3.0")).await, calls(1));
    world.ask(&tally, "add 4").await;
    assert_eq!(world.ask(&tally, "get").await, "25");
    let refused = world.runtime.upgrade_actor(tally.id(), faulty.version("0.4.0")).await.unwrap_err();
    assert!(matches!(refused, UpgradeError::Refused { .. }), "{refused}");
    world.close().await;
}

#[tokio::test]
async fn an_upgrade_follows_a_start_with_a_state() {
    let world = World::with(&["tally"], checking());
    let tally = world.spawn("tally").await;
    let id = tally.id();
    world.ask(&tally, "add 20").await;
    world.resume(&tally).await;
    world.ask(&tally, "add 1").await;
    assert_eq!(upgraded(&world, &tally, same()).await, calls(1));
    world.resume(&tally).await;
    world.ask(&tally, "add 1").await;
    assert_eq!(upgraded(&world, &tally, next("0.2.0")).await, calls(1));
    // What it was given, and what it had before.
    world.runtime.roll_back_actor(id).await.unwrap();
    let given = RestartFrom::Custom(Some(br#"{"total":7}"#.to_vec()));
    world.runtime.restart_actor(id, given).await.unwrap();
    world.ask(&tally, "get").await;
    assert_eq!(upgraded(&world, &tally, next("0.2.0")).await, calls(1));
    assert_eq!(world.ask(&tally, "get").await, "7");
    world.runtime.roll_back_actor(id).await.unwrap();
    let before = RestartFrom::ResumeFrom(Digest::of(br#"{"total":21}"#));
    world.runtime.restart_actor(id, before).await.unwrap();
    world.ask(&tally, "get").await;
    assert_eq!(upgraded(&world, &tally, next("0.2.0")).await, calls(1));
    assert_eq!(world.ask(&tally, "get").await, "21");
    world.close().await;
}

#[tokio::test]
async fn another_course_after_any_of_these_is_refused() {
    let (world, tally) = taken_back().await;
    world.ask(&tally, "add 1").await;
    let faulty = || Upgrade::new(component("tally-faulty")).version("2");
    let refused = async || world.runtime.upgrade_actor(tally.id(), faulty()).await.unwrap_err().to_string();
    let said = refused().await;
    assert!(said.contains("does something else than the old one did"), "{said}");
    world.resume(&tally).await;
    world.ask(&tally, "add 1").await;
    let said = refused().await;
    assert!(said.contains("does something else than the old one did"), "{said}");
    upgraded(&world, &tally, same()).await;
    world.ask(&tally, "add 1").await;
    let said = refused().await;
    assert!(said.contains("does something else than the old one did"), "{said}");
    world.close().await;
}

#[tokio::test]
async fn what_was_erased_is_not_checked_and_refuses_nothing() {
    for (params, calls_checked, unchecked) in [(false, 3, false), (true, 2, true)] {
        let store: Arc<dyn ChainStore> = Arc::new(MemoryStore::new());
        let world = World::with(&["tally"], checking().store(Crashing::after(u64::MAX, store.clone())));
        let tally = world.spawn("tally").await;
        for n in 1..3 {
            world.ask(&tally, &format!("add {n}")).await;
        }
        world.runtime.shutdown().await.unwrap();
        let events = store.events(tally.id(), 0, usize::MAX).await.unwrap();
        let is = |event: &&ChainEvent| match params {
            true => event.event_type == Call::TYPE,
            false => event.event_type == StateUpdated::TYPE,
        };
        let payload = events.iter().rev().find(is).unwrap().payload_commit.unwrap();
        erase(&*store, payload, "asked to", 1, &mut |_| {}).await.unwrap();
        // A process that knows it from its record alone.
        let world = World::with(&["tally"], checking().store(Crashing::after(u64::MAX, store)));
        let done = world.runtime.upgrade_actor(tally.id(), next("0.2.0")).await.unwrap();
        let checked = done.checked.unwrap();
        assert_eq!((checked.calls, checked.diverged.is_none()), (calls_checked, true), "{checked:?}");
        assert_eq!(checked.unchecked.is_some(), unchecked, "{checked:?}");
        if let Some(unchecked) = checked.unchecked {
            assert!(unchecked.contains("its params were erased"), "{unchecked}");
        }
        let events = world.runtime.get_actor_events(tally.id(), done.seq, 1).await.unwrap();
        assert_eq!(events[0].event_type, ActorUpgraded::TYPE);
        world.runtime.shutdown().await.unwrap();
        world.verify().await;
    }
}
