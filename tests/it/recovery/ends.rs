//! A process that goes down while an actor ends: the end is completed.

use std::sync::Arc;

use serde_json::Value;
use theater::chain::MemoryStore;
use theater::{ActorHandle, ExitReason};
use theater_tests::{Crashing, HANDLERS, World};

use super::{ask, process, process_with};

const ENDLESS: u64 = u64::MAX;

/// A root with a child that has a child: the middle one is ended.
async fn family(world: &World, restart: &str) -> [ActorHandle; 3] {
    let text = |child: &str, manifest: &str| {
        format!(
            "{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n[[handlers.children]]\nid = \"{child}\"\nmanifest = \"{manifest}.toml\"\n"
        )
    };
    world.manifest("boss", "relay", &format!("{}{restart}\n", text("middle", "middle")));
    world.manifest("middle", "relay", &text("leaf", "counter"));
    let boss = world.spawn("boss").await;
    of(world, &boss)
}

fn of(world: &World, boss: &ActorHandle) -> [ActorHandle; 3] {
    let middle = world.declared(boss, "middle");
    let leaf = world.declared(&middle, "leaf");
    [boss.clone(), middle, leaf]
}

/// The commits that a run needs until the family is there.
async fn to_begin(restart: &str) -> u64 {
    let counted = process(&Arc::default(), ENDLESS);
    family(&counted, restart).await;
    counted.runtime.flush().await.unwrap();
    let events: u64 = counted.recorded().await.iter().map(|entry| entry.head.seq + 1).sum();
    counted.close().await;
    events
}

/// Goes down at each commit of what `end` does; each time, what is left of it goes on, and `holds` is told
/// what the chain of the middle one had when the process went down.
async fn at_every_commit<E, H>(
    restart: &str,
    end: impl Fn(World, [ActorHandle; 3]) -> E,
    holds: impl Fn(World, [ActorHandle; 3], Vec<(String, Value)>) -> H,
) where
    E: Future<Output = World>,
    H: Future<Output = World>,
{
    let begun = to_begin(restart).await;
    for commits in begun.. {
        let store: Arc<MemoryStore> = Arc::default();
        let crashing = Crashing::after(commits, store.clone());
        let first = process_with(crashing.clone());
        let actors = family(&first, restart).await;
        let ids = actors.each_ref().map(ActorHandle::id);
        let first = end(first, actors).await;
        let done = first.runtime.flush().await.is_ok();
        crashing.go_down().await;
        let second = process(&store, ENDLESS);
        let record = second.events(ids[1]).await;
        second.runtime.recover().await.unwrap();
        let actors = ids.map(|id| second.runtime.handle(id));
        let second = holds(second, actors, record).await;
        second.close().await;
        if done {
            assert!(commits > begun, "nothing was to be ended");
            return;
        }
    }
}

fn has(record: &[(String, Value)], kind: &str) -> bool {
    record.iter().any(|(found, _)| found == kind)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_ended_itself() {
    let end = async |world: World, [_, middle, _]: [ActorHandle; 3]| {
        if ask(&middle, 1, "shutdown bye").await.is_ok() {
            let _ = middle.ended().await;
        }
        world
    };
    let holds = async |world: World, [boss, middle, _]: [ActorHandle; 3], record: Vec<(String, Value)>| {
        // Whether it had said so or not, it says so once.
        let again = ask(&middle, 1, "shutdown bye").await;
        if !has(&record, "actor_terminated") {
            assert_eq!(again.unwrap(), "shutting down");
        }
        assert_eq!(middle.ended().await.unwrap(), ExitReason::Normal(Some(b"bye".to_vec())));
        let heard = world.wait_for(boss.id(), "child_exited", 1).await;
        assert_eq!((heard.len(), &heard[0]["asked_by"]), (1, &Value::from("itself")));
        assert_eq!(world.of_type(middle.id(), "actor_terminated").await.len(), 1);
        world
    };
    at_every_commit("restart = \"transient\"", end, holds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_an_operator_stopped() {
    let end = async |world: World, [_, middle, _]: [ActorHandle; 3]| {
        let _ = world.runtime.stop_actor(middle.id()).await;
        world
    };
    let holds = async |world: World, [boss, middle, leaf]: [ActorHandle; 3], record: Vec<(String, Value)>| {
        if has(&record, "actor_ending") {
            assert_eq!(middle.ended().await.unwrap(), ExitReason::Shutdown);
            let heard = world.wait_for(boss.id(), "child_exited", 1).await;
            assert_eq!(heard[0]["asked_by"], "operator");
            world.wait_for(boss.id(), "call", 2).await; // init, and that it was stopped from outside
            assert!(ask(&boss, 1, "log").await.unwrap().contains("child-external-stop"));
        } else {
            assert_eq!(ask(&middle, 1, "ping").await.unwrap(), "pong");
            assert_eq!(ask(&leaf, 2, "inc").await.unwrap(), "1");
        }
        world
    };
    at_every_commit("", end, holds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_escalated() {
    let end = async |world: World, [_, middle, _]: [ActorHandle; 3]| {
        let _ = ask(&middle, 1, "say hello").await;
        let _ = ask(&middle, 2, "escalate enough").await;
        world
    };
    let holds = async |world: World, [boss, middle, _]: [ActorHandle; 3], _: Vec<(String, Value)>| {
        assert_eq!(ask(&middle, 1, "say hello").await.unwrap(), "noted");
        assert_eq!(ask(&middle, 2, "escalate enough").await.unwrap(), "escalating");
        // It began anew, once; while that is decided its parent may not wait for it.
        world.wait_for(middle.id(), "actor_started", 2).await;
        let said = ask(&boss, 3, &format!("request {} said", middle.id())).await.unwrap();
        assert_eq!(said, "ping");
        let errors = world.of_type(middle.id(), "actor_error").await;
        assert_eq!((errors.len(), &errors[0]["message"]), (1, &Value::from("escalated: enough")));
        assert_eq!(world.of_type(middle.id(), "actor_started").await.len(), 2);
        world
    };
    at_every_commit("", end, holds).await;
}
