//! The states that are in the store after any history are those that the rule says, and no others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use theater::chain::data::Data;
use theater::chain::{MemoryStore, SMALL_STATE};
use theater::{ActorHandle, ChainStore, Digest, RestartFrom, TheaterId};
use theater_store_sqlite::SqliteStore;
use theater_tests::{Crashing, World, builder};

use super::is_stored;

const ACTORS: usize = 3;

/// What happens to some of the actors, by their places.
#[derive(Debug, Clone)]
enum Act {
    /// Their states get a part of this size: those that did the same before have equal bytes.
    Size(usize),
    /// A call that changes the state by little, not durable.
    Call,
    /// One that answers `err`.
    Refused,
    /// One that fails them; they are resumed.
    Fails,
    /// They are stopped, and started again.
    Restart(RestartFrom),
    /// The process goes down, and what is left goes on.
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => prop::sample::select(vec![0, 9, SMALL_STATE - 30, SMALL_STATE + 1, 9_000]).prop_map(Act::Size),
        4 => Just(Act::Call),
        1 => Just(Act::Refused),
        1 => Just(Act::Fails),
        1 => Just(Act::Restart(RestartFrom::Resume)),
        1 => Just(Act::Restart(RestartFrom::Reset)),
        1 => Just(Act::Crash),
    ]
}

fn acts() -> impl Strategy<Value = Vec<(Act, Vec<bool>)>> {
    prop::collection::vec((act(), prop::collection::vec(any::<bool>(), ACTORS)), 1..25)
}

/// The actors over all processes, and how large the states were that they had.
struct History {
    store: Arc<dyn ChainStore>,
    crashing: Crashing,
    world: World,
    actors: Vec<TheaterId>,
    sizes: HashMap<Digest, usize>,
}

fn process(store: &Arc<dyn ChainStore>) -> (Crashing, World) {
    let crashing = Crashing::after(u64::MAX, store.clone());
    // With less places than actors they park each other.
    let world = World::with(&["rogue"], builder().store(crashing.clone()).live_instances(2));
    (crashing, world)
}

impl History {
    async fn begin(store: Arc<dyn ChainStore>) -> Self {
        let (crashing, world) = process(&store);
        let mut actors = Vec::new();
        for _ in 0..ACTORS {
            actors.push(world.spawn("rogue").await.id());
        }
        let mut history = Self { store, crashing, world, actors, sizes: HashMap::new() };
        history.note().await;
        history
    }

    async fn note(&mut self) {
        for actor in &self.actors {
            let state = self.world.runtime.get_actor_state(*actor).await.unwrap();
            self.sizes.extend(state.map(|state| (Digest::of(&state), state.len())));
        }
    }

    async fn act(&mut self, act: &Act, of: &[bool]) {
        let chosen = self.actors.iter().zip(of).filter(|(_, chosen)| **chosen).map(|(id, _)| *id);
        let chosen: Vec<ActorHandle> = chosen.map(|id| self.world.runtime.handle(id)).collect();
        for actor in &chosen {
            match act {
                Act::Size(size) => drop(self.world.ask(actor, &format!("big-state {size}")).await),
                Act::Call => drop(self.world.try_call(actor, "calls").await.unwrap()),
                Act::Refused => drop(self.world.try_ask(actor, "err no").await.unwrap_err()),
                Act::Fails => {
                    self.world.try_ask(actor, "panic").await.unwrap_err();
                    self.world.resume(actor).await;
                }
                Act::Restart(from) => self.world.runtime.restart_actor(actor.id(), from.clone()).await.unwrap(),
                Act::Crash => {}
            }
            self.note().await;
        }
        if let Act::Crash = act {
            self.world.runtime.flush().await.unwrap();
            self.crashing.go_down().await;
            let (crashing, world) = process(&self.store);
            (self.crashing, self.world) = (crashing, world.after(&self.world));
            self.world.runtime.recover().await.unwrap();
        }
    }

    /// What the rule says, told anew from its words: by hash, whether the state stays.
    async fn rule(&self) -> HashMap<Digest, bool> {
        let mut named: HashSet<Digest> = HashSet::new();
        let mut stays: HashSet<Digest> = HashSet::new();
        for actor in &self.actors {
            let mut current = Digest::ZERO;
            for event in self.store.events(*actor, 0, usize::MAX).await.unwrap() {
                match Data::decode(&event.event_type, &event.data).unwrap().unwrap() {
                    Data::StateUpdated(data) => current = data.new_state_hash,
                    Data::ActorStarted(data) => {
                        current = data.state_hash;
                        stays.insert(current);
                    }
                    Data::InstanceDropped(_) | Data::ActorErrorData(_) | Data::ActorTerminated(_) => {
                        stays.insert(current);
                    }
                    _ => {}
                }
                named.insert(current);
            }
            stays.insert(current);
        }
        named.remove(&Digest::ZERO);
        named.into_iter().map(|hash| (hash, stays.contains(&hash) || self.sizes[&hash] <= SMALL_STATE)).collect()
    }
}

/// Returns how many states were not kept.
async fn holds(store: Arc<dyn ChainStore>, acts: &[(Act, Vec<bool>)]) -> usize {
    let mut history = History::begin(store).await;
    for (act, of) in acts {
        history.act(act, of).await;
    }
    history.world.runtime.flush().await.unwrap();
    let rule = history.rule().await;
    for (hash, stays) in &rule {
        assert_eq!(is_stored(&*history.store, *hash).await, *stays, "{hash}, {} bytes", history.sizes[hash]);
    }
    history.world.close().await;
    rule.values().filter(|stays| !**stays).count()
}

#[test]
fn what_is_stored_is_what_the_rule_says() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let gone = std::cell::Cell::new(0);
    runner
        .run(&(acts(), any::<bool>()), |(acts, in_memory)| {
            let folder = tempfile::tempdir().unwrap();
            let store: Arc<dyn ChainStore> = match in_memory {
                true => Arc::new(MemoryStore::new()),
                false => Arc::new(SqliteStore::open(folder.path()).unwrap()),
            };
            gone.set(gone.get() + tokio.block_on(holds(store, &acts)));
            Ok(())
        })
        .unwrap();
    assert!(gone.get() > 0, "no history had a state that goes");
}
