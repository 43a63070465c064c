//! The supervisor is killed, or stopped, at each step of each operation on its children: never two
//! lives of one child, never an orphan, and every chain verifies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use theater::{ActorHandle, ActorStatus, Shutdown, Step, TheaterId, TheaterRuntime};
use theater_tests::{World, builder};
use tokio::sync::Notify;

use super::witness::Witness;
use super::{child, soon, supervisor};

const CRASH: &[&str] = &["end.children", "end.recorded", "end.told"];
const STOP: &[&str] = &["stop.asked", "end.children", "end.recorded", "end.told"];
const START: &[&str] = &[
    "restart.verified",
    "restart.registered",
    "start.recorded",
    "start.handlers",
    "start.instantiated",
    "start.ready",
];

/// What befalls the supervisor.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Blow {
    /// A fault: its own supervisor restarts it.
    Crash,
    /// An operator kills it.
    Kill,
    /// An operator stops it.
    Stop,
}

/// One case.
#[derive(Debug, Clone, Copy)]
struct Case {
    step: &'static str,
    /// At whose step.
    at: TheaterId,
    boss: TheaterId,
    blow: Blow,
    /// Whether others run for a while before the step goes on.
    lingers: bool,
}

/// What waits at the steps.
#[derive(Clone, Default)]
struct Ambush {
    case: Arc<Mutex<Option<Case>>>,
    runtime: Arc<OnceLock<TheaterRuntime>>,
    done: Arc<Notify>,
    /// How the actor stood at that step: which of its lives, and how.
    found: Arc<Mutex<Option<(u32, ActorStatus)>>>,
}

impl Ambush {
    async fn at(self, step: Step) {
        let case = self.case.lock().unwrap().take_if(|case| case.step == step.name && case.at == step.actor);
        let (Some(case), Some(runtime)) = (case, self.runtime.get()) else { return };
        *self.found.lock().unwrap() = runtime.actor(case.at).map(|actor| (actor.incarnation, actor.status));
        strike(runtime, case);
        self.done.notify_one();
        if case.lingers {
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "an operator is a task of its own")]
fn strike(runtime: &TheaterRuntime, case: Case) {
    let runtime = runtime.clone();
    match case.blow {
        Blow::Crash => runtime.crash(case.boss),
        Blow::Kill => drop(tokio::spawn(async move {
            let _ = runtime.stop_actor_within(case.boss, Shutdown::BrutalKill).await;
        })),
        Blow::Stop => drop(tokio::spawn(async move {
            let _ = runtime.stop_actor(case.boss).await;
        })),
    }
}

struct Scene {
    world: World,
    witness: Witness,
    ambush: Ambush,
}

impl Scene {
    fn new(policy: &str) -> Self {
        let (witness, ambush) = (Witness::default(), Ambush::default());
        let hook = ambush.clone();
        let builder = builder().store(witness.store()).at_steps(move |step| hook.clone().at(step));
        let world = World::with(&["relay", "counter"], builder);
        let children: String = ["a", "b", "c"].iter().map(|id| child(id, "counter", "")).collect();
        supervisor(&world, "boss", &format!("{policy}{children}"));
        supervisor(&world, "top", &child("boss", "boss", ""));
        assert!(ambush.runtime.set(world.runtime.clone()).is_ok());
        Self { world, witness, ambush }
    }

    /// Plays one case on a tree of its own; how the actor stood at the step.
    async fn play(
        &self,
        step: &'static str,
        at: &str,
        blow: Blow,
        lingers: bool,
        order: &str,
    ) -> Option<(u32, ActorStatus)> {
        let world = &self.world;
        let top = world.spawn("top").await;
        let boss = world.declared(&top, "boss");
        let ids: Vec<TheaterId> = ["a", "b", "c"].iter().map(|id| world.declared(&boss, id).id()).collect();
        let at = world.declared(&boss, at).id();
        world.runtime.flush().await.unwrap();
        self.witness.take();
        *self.ambush.case.lock().unwrap() = Some(Case { step, at, boss: boss.id(), blow, lingers });
        let label = format!("{step} {at} {blow:?} {lingers} {order}");
        let act = async {
            match order {
                "crash" => world.try_ask(&world.declared(&boss, "b"), "crash").await,
                order => world.try_ask(&boss, order).await,
            }
        };
        let (_, ()) = soon(&label, async { tokio::join!(act, self.ambush.done.notified()) }).await;
        match blow {
            Blow::Crash => self.goes_on(&boss, &label).await,
            Blow::Kill | Blow::Stop => {
                soon(&label, boss.ended()).await.unwrap();
                let runs = |id: &TheaterId| super::is_running(world, *id);
                assert!(!ids.iter().any(runs), "{label}: orphans");
            }
        }
        soon(&label, world.runtime.stop_actor(top.id())).await.unwrap();
        let parents = ids.iter().map(|id| (*id, Some(boss.id()))).chain([(boss.id(), None)]).collect();
        self.check(&parents, top.id(), &ids, &boss, blow, &label).await;
        *self.ambush.found.lock().unwrap()
    }

    /// The supervisor's next life has all of its children.
    async fn goes_on(&self, boss: &ActorHandle, label: &str) {
        let world = &self.world;
        soon(label, world.wait_for(boss.id(), "actor_started", 2)).await;
        // Restarting, it takes messages already.
        soon(label, async { while world.try_ask(boss, "ping").await.is_err() {} }).await;
        for id in ["a", "b", "c"] {
            let child = world.declared(boss, id);
            assert_eq!(world.ask(&child, "get").await, "0", "{label}: {id}");
            assert_eq!(world.runtime.actor(child.id()).unwrap().status, ActorStatus::Running, "{label}: {id}");
        }
    }

    async fn check(
        &self,
        parents: &HashMap<TheaterId, Option<TheaterId>>,
        top: TheaterId,
        ids: &[TheaterId],
        boss: &ActorHandle,
        blow: Blow,
        label: &str,
    ) {
        self.world.runtime.flush().await.unwrap();
        let seen: Vec<_> = self.witness.take().into_iter().filter(|(actor, _)| *actor != top).collect();
        // All of them were alive when the witness began to look.
        let before = parents.keys().filter(|id| **id == boss.id()).chain(ids);
        let before: Vec<_> = before.map(|id| (*id, "actor_started".to_owned())).collect();
        let seen: Vec<_> = before.into_iter().chain(seen).collect();
        let lives = Witness::lives(&seen, parents);
        assert_eq!(lives[&boss.id()], if blow == Blow::Crash { 2 } else { 1 }, "{label}");
    }

    async fn play_all(&self, points: &[(&'static str, &str)], order: &str) {
        for &(step, at) in points {
            for blow in [Blow::Crash, Blow::Kill, Blow::Stop] {
                for lingers in [false, true] {
                    let found = self.play(step, at, blow, lingers, order).await;
                    assert!(is_at(step, order == "crash" && at == "b", found), "{step} at {at}: {found:?}");
                }
            }
        }
        self.world.close().await;
    }
}

/// Whether the actor stands as it does at this step, and at no other part of the operation.
fn is_at(step: &str, crashed: bool, found: Option<(u32, ActorStatus)>) -> bool {
    use ActorStatus::{Restarting, Running};
    match step {
        "stop.asked" | "end.children" | "end.recorded" => found.is_some_and(|(life, _)| life == 1),
        // On many threads its restart may be further.
        "end.told" if crashed => found.is_some_and(|found| found == (1, Restarting) || found == (2, Running)),
        "restart.stopped" | "restart.verified" => found.is_none_or(|(life, status)| life == 1 && status != Running),
        "restart.registered" | "start.recorded" | "start.handlers" | "start.instantiated" | "start.ready" => {
            found == Some((2, Running))
        }
        _ => true,
    }
}

fn points(parts: &[(&[&'static str], &'static str)]) -> Vec<(&'static str, &'static str)> {
    parts.iter().flat_map(|(steps, at)| steps.iter().map(|step| (*step, *at))).collect()
}

const WHOLE: &[&str] = &["restart.decided", "group.stopped", "restart.waited", "group.started"];

#[tokio::test]
async fn at_each_step_of_a_restart() {
    let scene = Scene::new("");
    scene.play_all(&points(&[(CRASH, "b"), (WHOLE, "b"), (START, "b")]), "crash").await;
}

#[tokio::test]
async fn at_each_step_of_a_one_for_all_restart() {
    let scene = Scene::new("strategy = \"one-for-all\"\n");
    let parts = [(CRASH, "b"), (STOP, "c"), (&["restart.stopped"][..], "c"), (STOP, "a"), (WHOLE, "b"), (START, "a")];
    scene.play_all(&points(&parts), "crash").await;
    let scene = Scene::new("strategy = \"one-for-all\"\n");
    scene.play_all(&points(&[(START, "b"), (START, "c")]), "crash").await;
}

#[tokio::test]
async fn at_each_step_of_a_rest_for_one_restart() {
    let scene = Scene::new("strategy = \"rest-for-one\"\n");
    let parts = [(STOP, "c"), (&["restart.stopped"][..], "c"), (WHOLE, "b"), (START, "b"), (START, "c")];
    scene.play_all(&points(&parts), "crash").await;
}

#[tokio::test]
async fn at_each_step_of_a_terminate_child() {
    let scene = Scene::new("");
    scene.play_all(&points(&[(STOP, "b")]), "terminate b").await;
}

#[tokio::test]
async fn at_each_step_of_a_restart_by_hand() {
    let scene = Scene::new("");
    scene.play_all(&points(&[(STOP, "b"), (&["restart.stopped"][..], "b"), (START, "b")]), "restart b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_each_step_on_many_threads() {
    let scene = Scene::new("strategy = \"one-for-all\"\n");
    scene.play_all(&points(&[(CRASH, "b"), (STOP, "a"), (WHOLE, "b"), (START, "b")]), "crash").await;
}
