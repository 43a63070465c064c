//! Which states stay in the store: small ones, and large ones that something began with. The others are
//! made again by a replay.

mod linked;
mod rule;

use std::path::Path;
use std::sync::Arc;

use theater::chain::{Level, MemoryStore, Standing, Verification, bundle};
use theater::{ActorHandle, ChainStore, Digest, Fork, ForkError, RestartFrom, SpawnError, TheaterId};
use theater_replay::{Part, Replayer};
use theater_store_sqlite::SqliteStore;
use theater_supervision_policy::DecisionAudit;
use theater_tests::{Crashing, World, builder};

/// A state so large that it does not stay.
const LARGE: usize = 100 << 10;
const CALLS: u64 = 2_000;

/// The states of a chain with the seqs of the `state_updated` that left them.
async fn states(world: &World, actor: TheaterId) -> Vec<(u64, Digest)> {
    let events = world.events(actor).await.into_iter().enumerate();
    let updated = events.filter(|(_, (event_type, _))| event_type == "state_updated");
    updated.map(|(seq, (_, data))| (seq as u64, data["new_state_hash"].as_str().unwrap().parse().unwrap())).collect()
}

async fn is_stored(store: &dyn ChainStore, hash: Digest) -> bool {
    let bytes = store.state(hash).await.unwrap();
    assert!(bytes.as_ref().is_none_or(|bytes| Digest::of(bytes) == hash), "{hash} has other bytes");
    bytes.is_some()
}

/// How many states verification says are not kept.
async fn thinned(store: &dyn ChainStore) -> u64 {
    let report = Verification::new(Level::Full).audited(&DecisionAudit).store(store, &mut |_| {}).await.unwrap();
    assert!(report.ok, "{report:?}");
    report.actors.iter().map(|actor| actor.thinned).sum()
}

fn size(folder: &Path) -> u64 {
    folder.join("theater.db").metadata().unwrap().len()
}

/// A state that is not kept, and the seq of its event.
async fn gone(world: &World, actor: TheaterId) -> (u64, Digest) {
    for (seq, hash) in states(world, actor).await.into_iter().skip(100) {
        if !is_stored(&**world.runtime.store(), hash).await {
            return (seq, hash);
        }
    }
    panic!("all are kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_state_is_stored_where_something_begins_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn ChainStore> = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let crashing = Crashing::after(u64::MAX, store.clone());
    let world = World::with(&["rogue"], builder().store(crashing.clone()));
    let actor = world.spawn("rogue").await;
    world.ask(&actor, &format!("big-state {LARGE}")).await;
    for n in 1..CALLS {
        // Those that are asked durably are in a commit each, the others share some.
        match n % 20 {
            0 => world.ask(&actor, "calls").await,
            _ => world.try_call(&actor, "calls").await.unwrap(),
        };
    }
    world.runtime.flush().await.unwrap();
    crashing.go_down().await;
    let last = world.runtime.get_actor_state(actor.id()).await.unwrap();
    assert!(size(folder.path()) < 6 << 20, "{} bytes for {CALLS} states of {LARGE}", size(folder.path()));
    assert!(thinned(&*store).await > CALLS - 20);

    // What is left of it goes on.
    let world = World::with(&["rogue"], builder().store(Crashing::after(u64::MAX, store.clone()))).after(&world);
    world.runtime.recover().await.unwrap();
    let actor = world.runtime.handle(actor.id());
    assert_eq!(world.runtime.get_actor_state(actor.id()).await.unwrap(), last);
    assert_eq!(world.ask(&actor, "calls").await, CALLS.to_string());
    replayed_from_each_drop(&world, &store, &actor).await;
    let (seq, hash) = gone(&world, actor.id()).await;
    forked(&world, &store, &actor, (seq, hash)).await;
    begun_again(&world, &actor, hash).await;
    exported(&store, actor.id()).await;
    world.close().await;
    assert!(thinned(&*store).await > CALLS - 20);
}

/// From every point at which an instance was fresh, with the state that is stored there.
async fn replayed_from_each_drop(world: &World, store: &Arc<dyn ChainStore>, actor: &ActorHandle) {
    let replayer = Replayer::new().unwrap();
    let events = world.events(actor.id()).await;
    let drops = events.iter().enumerate().filter(|(_, (event_type, _))| event_type == "instance_dropped");
    let drops: Vec<u64> = drops.map(|(seq, _)| seq as u64).collect();
    assert!(drops.len() > 4, "{drops:?}");
    for seq in drops {
        let until = (seq + 7).min(events.len() as u64 - 1);
        let replay = replayer.replay(store.clone(), actor.id(), Part::whole().until(until)).await.unwrap();
        assert!(replay.is_ok() && replay.from == seq, "{seq}: {replay:?}");
        let standing = Standing::read(&**store, actor.id(), until).await.unwrap().unwrap();
        assert_eq!(replay.state.unwrap().hash, standing.state);
    }
}

/// A fork needs the state, and takes the one that a replay made.
async fn forked(world: &World, store: &Arc<dyn ChainStore>, actor: &ActorHandle, (at, hash): (u64, Digest)) {
    let mut fork = Fork { of: actor.id(), at, answer: None, component: None, state: None };
    let error = world.runtime.fork_actor(fork.clone()).await.unwrap_err();
    assert!(matches!(error, ForkError::NoState { .. }), "{error}");
    let replay = Replayer::new().unwrap().replay(store.clone(), actor.id(), Part::whole().until(at)).await.unwrap();
    fork.state = replay.state.unwrap().bytes;
    let fork = world.runtime.fork_actor(fork).await.unwrap();
    let calls: u64 = world.ask(&fork, "calls").await.parse().unwrap();
    assert!(calls > 90 && calls < CALLS - 2, "{calls}");
    assert!(is_stored(&**store, hash).await, "the fork began with it");
    world.runtime.stop_actor(fork.id()).await.unwrap();
}

/// An actor cannot begin again with a state that is not kept, and says so; its record is not to blame.
async fn begun_again(world: &World, actor: &ActorHandle, forked: Digest) {
    let all = states(world, actor.id()).await;
    let store = world.runtime.store();
    let (mut stays, mut goes) = (None, None);
    for (_, hash) in all {
        match is_stored(&**store, hash).await {
            true => stays = Some(hash).filter(|hash| *hash != forked).or(stays),
            false => goes = Some(hash),
        }
    }
    let restart = |hash| world.runtime.restart_actor(actor.id(), RestartFrom::ResumeFrom(hash));
    let error = restart(goes.unwrap()).await.unwrap_err();
    assert!(matches!(error, SpawnError::StateNotKept { .. }), "{error}");
    let error = restart(Digest([7; 32])).await.unwrap_err();
    assert!(matches!(error, SpawnError::NoSuchState { .. }), "{error}");
    restart(stays.unwrap()).await.unwrap();
    assert!(is_stored(&**store, stays.unwrap()).await);
}

/// A bundle of such a record has what the record has, and replays elsewhere.
async fn exported(store: &Arc<dyn ChainStore>, actor: TheaterId) {
    let mut bundle = Vec::new();
    bundle::export(&**store, &[actor], None, &mut bundle, &mut |_| {}).await.unwrap();
    let elsewhere: Arc<dyn ChainStore> = Arc::new(MemoryStore::new());
    bundle::import(&*elsewhere, std::io::Cursor::new(bundle)).await.unwrap();
    assert!(thinned(&*elsewhere).await > CALLS - 20);
    let replay = Replayer::new().unwrap().replay(elsewhere.clone(), actor, Part::whole()).await.unwrap();
    assert!(replay.is_ok() && replay.unreplayed.is_empty(), "{replay:?}");
}

/// A small state that another one followed must be there, too.
#[tokio::test]
async fn a_small_state_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with(&["rogue"], builder().store(SqliteStore::open(folder.path()).unwrap()));
    let actor = world.spawn("rogue").await;
    for order in ["calls", "big-state 9000", "calls", "calls", "big-state 7", "calls"] {
        world.ask(&actor, order).await;
    }
    assert_eq!(thinned(&**world.runtime.store()).await, 3);
    let (_, hash) = states(&world, actor.id()).await[1];
    let raw = rusqlite::Connection::open(folder.path().join("theater.db")).unwrap();
    assert_eq!(raw.execute("DELETE FROM states WHERE hash = ?", [hash.as_bytes()]).unwrap(), 1);
    let report = Verification::new(Level::Full).store(&**world.runtime.store(), &mut |_| {}).await.unwrap();
    let Some(fault) = report.actors[0].fault.as_ref() else { panic!("{report:?}") };
    assert_eq!(fault.reason, "4 of its states are not in the store, and only 3 of them went since others followed");
    world.runtime.shutdown().await.unwrap();
}

/// A state that must be there and is not is a fault.
#[tokio::test]
async fn a_state_that_must_stay_is_missed() {
    for (orders, back) in [(&["big-state 9000"][..], 0), (&["big-state 9000", "panic", "big-state 5"], 1)] {
        let folder = tempfile::tempdir().unwrap();
        let world = World::with(&["rogue"], builder().store(SqliteStore::open(folder.path()).unwrap()));
        let actor = world.spawn("rogue").await;
        for order in orders {
            if world.try_ask(&actor, order).await.is_err() {
                world.resume(&actor).await;
            }
        }
        world.runtime.flush().await.unwrap();
        let (seq, hash) = *states(&world, actor.id()).await.iter().rev().nth(back).unwrap();
        assert!(is_stored(&**world.runtime.store(), hash).await);
        let raw = rusqlite::Connection::open(folder.path().join("theater.db")).unwrap();
        let delete = |table| raw.execute(&format!("DELETE FROM {table} WHERE hash = ?"), [hash.as_bytes()]).unwrap();
        assert_eq!(delete("states") + delete("passing"), 1, "{orders:?}");
        let report = Verification::new(Level::Full).store(&**world.runtime.store(), &mut |_| {}).await.unwrap();
        let Some(fault) = report.actors[0].fault.as_ref() else { panic!("{orders:?}: {report:?}") };
        assert!(fault.reason.contains(&format!("which event {seq} left and which must stay")), "{orders:?}: {fault}");
        world.runtime.shutdown().await.unwrap();
    }
}
