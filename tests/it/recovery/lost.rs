//! Actors that cannot go on when their process comes up again: their supervisors decide, and the
//! others go on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use theater::chain::MemoryStore;
use theater::{
    ActorHandle, ActorStatus, Denied, Digest, ExitReason, Handler, HostLinker, NoConfig, NoPermissions, RecoverError,
    RestartFrom, Result, Start, TheaterId,
};
use theater_store_sqlite::SqliteStore;
use theater_tests::{Crashing, HANDLERS, World, builder};

use super::{ask, process_with};

const ENDLESS: u64 = u64::MAX;

/// A handler that a later process is composed without.
struct Extra;

impl Handler for Extra {
    const NAME: &'static str = "extra";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = ();

    fn setup_host_functions(_: &mut HostLinker<'_, Self>) -> Result<()> {
        Ok(())
    }

    async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<()> {
        Ok(())
    }

    fn narrow(_: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }
}

fn with_extra(store: Crashing) -> World {
    World::with(&["relay", "counter"], builder().handler(Extra).each_alone().store(store))
}

/// `boss` has `middle`, which has `leaf` and a component of its own, and `other`. The digest of that
/// component.
fn manifests(world: &World, keys: &str, policy: &str) -> Digest {
    let supervisor = "[[handlers]]\ntype = \"supervisor\"\n";
    let child = |id: &str, manifest: &str, keys: &str| {
        format!("[[handlers.children]]\nid = \"{id}\"\nmanifest = \"{manifest}.toml\"\n{keys}\n")
    };
    let boss = child("middle", "middle", keys) + &child("other", "counter", "restart_state = \"resume\"");
    world.manifest("boss", "relay", &format!("{HANDLERS}{supervisor}{policy}{boss}"));
    let leaf = child("leaf", "counter", "restart_state = \"resume\"");
    world.manifest("middle", "middle", &format!("{HANDLERS}{supervisor}{leaf}"));
    let mut component = std::fs::read(world.path().join("relay.wasm")).unwrap();
    component.extend([0, 2, 1, b'x']); // a custom section named x
    std::fs::write(world.path().join("middle.wasm"), &component).unwrap();
    Digest::of(&component)
}

fn family(world: &World, boss: &ActorHandle) -> [ActorHandle; 3] {
    let middle = world.declared(boss, "middle");
    let leaf = world.declared(&middle, "leaf");
    [middle, leaf, world.declared(boss, "other")]
}

/// What must not hang.
#[expect(clippy::disallowed_methods, reason = "a guard against hanging, not a wait")]
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap()
}

/// No message of a chain became a dead letter twice.
async fn no_letter_twice(world: &World, actor: TheaterId) {
    let mut ids: Vec<String> =
        world.of_type(actor, "dead_letter").await.iter().map(|letter| letter["message_id"].to_string()).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_cannot_be_made_ends_at_whatever_commit_and_its_supervisor_decides() {
    for commits in (1..).step_by(3) {
        let store: Arc<MemoryStore> = Arc::default();
        let down = Crashing::after(commits, store.clone());
        let first = process_with(down.clone());
        let component = manifests(&first, "restart = \"temporary\"", "");
        let Ok(boss) = first.try_spawn("boss").await else { continue };
        let [middle, leaf, other] = family(&first, &boss);
        let _ = ask(&other, 1, "add 3").await;
        let _ = ask(&leaf, 2, "add 4").await;
        let _ = first.send(&leaf, "nothing").await;
        let _ = ask(&middle, 3, &format!("request {} inc", leaf.id())).await;
        let _ = ask(&boss, 4, &format!("send {} hello", middle.id())).await;
        let _ = ask(&boss, 5, &format!("request {} request {} inc", middle.id(), leaf.id())).await;
        let _ = ask(&leaf, 6, "crash").await;
        let done = first.runtime.flush().await.is_ok();
        down.go_down().await;
        let second = process_with(Crashing::after(ENDLESS, store.clone()).without(component));
        let before = second.events(middle.id()).await;
        let recovered = second.runtime.recover().await.unwrap();
        let was_there = !before.is_empty();
        assert_eq!(recovered.roots, [boss.id()]);
        assert!(recovered.lost >= usize::from(was_there), "after {commits} commits: {recovered:?}");
        let [middle, leaf, other] = family(&second, &second.runtime.handle(boss.id()));
        if second.runtime.actor(boss.id()).is_some_and(|boss| boss.is_alive()) && was_there {
            assert!(second.runtime.actor(middle.id()).is_none() && second.runtime.actor(leaf.id()).is_none());
            let errors = second.of_type(middle.id(), "actor_error").await;
            assert_eq!(errors.last().unwrap()["error"], "instantiate-failed", "after {commits} commits");
            assert_eq!(second.of_type(middle.id(), "actor_terminated").await.len(), 1);
            if let Some(other) = second.runtime.actor(other.id()).filter(|other| other.is_alive()) {
                let n = ask(&second.runtime.handle(other.actor_id), 1, "add 3").await.unwrap();
                assert_eq!(n, "3", "after {commits} commits");
            }
        }
        for actor in [middle.id(), leaf.id(), boss.id()] {
            no_letter_twice(&second, actor).await;
        }
        second.runtime.shutdown().await.unwrap();
        // With the component it verifies, and replays.
        process_with(Crashing::after(ENDLESS, store)).close().await;
        if done {
            assert!(commits > 20, "{commits}");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_whose_restart_fails_goes_on_in_a_process_that_can_make_it() {
    let store: Arc<MemoryStore> = Arc::default();
    let (keys, policy) =
        ("restart_state = \"resume\"", "max_restarts = \"infinity\"\nbackoff = { initial = \"1h\", max = \"1h\" }\n");
    let down = Crashing::after(ENDLESS, store.clone());
    let first = process_with(down.clone());
    let component = manifests(&first, keys, policy);
    let boss = first.spawn("boss").await;
    let [middle, leaf, other] = family(&first, &boss);
    assert_eq!(ask(&middle, 1, "say hello").await.unwrap(), "noted");
    assert_eq!(ask(&leaf, 2, "add 4").await.unwrap(), "4");
    down.go_down().await;
    for process in 1..=2 {
        let down = Crashing::after(ENDLESS, store.clone());
        let without = process_with(down.clone().without(component));
        let recovered = without.runtime.recover().await.unwrap();
        assert_eq!(recovered.lost, if process == 1 { 2 } else { 0 });
        assert_eq!(ask(&without.runtime.handle(other.id()), 10 + process, "inc").await.unwrap(), process.to_string());
        let facts = without.of_type(boss.id(), "child_exited").await;
        assert_eq!(facts.len(), 1, "{facts:#?}");
        assert_eq!(facts[0]["reason"]["abnormal"], "instantiate-failed", "{facts:#?}");
        let refused = without.runtime.restart_actor(middle.id(), RestartFrom::Resume).await.unwrap_err();
        assert!(refused.to_string().contains("component"), "{refused}");
        without.runtime.flush().await.unwrap();
        down.go_down().await;
    }
    let last = process_with(Crashing::after(ENDLESS, store.clone()));
    assert_eq!(last.runtime.recover().await.unwrap().lost, 0);
    soon(last.runtime.restart_actor(middle.id(), RestartFrom::Resume)).await.unwrap();
    assert_eq!(ask(&last.runtime.handle(middle.id()), 20, "said").await.unwrap(), "hello");
    assert_eq!(ask(&last.runtime.handle(leaf.id()), 21, "get").await.unwrap(), "4");
    last.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_cannot_be_made_refuses_all_in_one_sentence_and_nothing_runs() {
    let store: Arc<MemoryStore> = Arc::default();
    let down = Crashing::after(ENDLESS, store.clone());
    let first = with_extra(down.clone());
    manifests(&first, "", "");
    first.manifest("needy", "counter", &format!("{HANDLERS}[[handlers]]\ntype = \"extra\"\n"));
    let boss = first.spawn("boss").await;
    let needy = first.spawn("needy").await;
    first.runtime.flush().await.unwrap();
    let before = first.recorded().await.len();
    down.go_down().await;
    let second = process_with(Crashing::after(ENDLESS, store.clone()));
    let refused = second.runtime.recover().await.unwrap_err();
    let RecoverError::Actor { id, name, error } = &refused else { panic!("{refused}") };
    assert_eq!((*id, name.as_str()), (needy.id(), "needy"));
    assert!(error.to_string().contains("extra"), "{error}");
    assert!(second.runtime.actors().is_empty());
    assert_eq!(second.recorded().await.len(), before);
    soon(second.runtime.shutdown()).await.unwrap();
    drop(second);
    let third = with_extra(Crashing::after(ENDLESS, store.clone()));
    assert_eq!(third.runtime.recover().await.unwrap().roots, [boss.id(), needy.id()]);
    assert_eq!(ask(&third.runtime.handle(needy.id()), 1, "inc").await.unwrap(), "1");
    third.close().await;
}

/// Opens the store when the process before has let it go.
async fn open(folder: &Path) -> SqliteStore {
    loop {
        match SqliteStore::open(folder) {
            Ok(store) => return store,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Changes an event so many events before the newest.
fn flip(folder: &Path, actor: TheaterId, back: u64) {
    let raw = Connection::open(folder.join("theater.db")).unwrap();
    let last = "(SELECT n FROM actors WHERE id = ?1)";
    let (seq, mut data): (i64, Vec<u8>) = raw
        .query_row(
            &format!("SELECT seq, data FROM events WHERE actor = {last} ORDER BY seq DESC LIMIT 1 OFFSET {back}"),
            [actor.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let middle = data.len() / 2;
    data[middle] ^= 1;
    let sql = format!("UPDATE events SET data = ?2 WHERE actor = {last} AND seq = ?3");
    assert_eq!(raw.execute(&sql, params![actor.as_bytes(), data, seq]).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_whose_chain_is_damaged_is_not_gone_on_with() {
    for (keys, lives, back) in [("restart = \"temporary\"", true, 0), ("", false, 0), ("", false, 5)] {
        let folder = tempfile::tempdir().unwrap();
        let down = Crashing::after(ENDLESS, Arc::new(open(folder.path()).await));
        let first = process_with(down.clone());
        manifests(&first, keys, "anchor = \"lifecycle\"\n");
        let boss = first.spawn("boss").await;
        let [middle, leaf, other] = family(&first, &boss);
        assert_eq!(ask(&other, 1, "inc").await.unwrap(), "1");
        assert_eq!(ask(&leaf, 2, "inc").await.unwrap(), "1");
        for n in 3..8 {
            assert_eq!(ask(&middle, n, "say hello").await.unwrap(), "noted");
        }
        first.runtime.flush().await.unwrap();
        let before = first.recorded().await;
        // A handle keeps the runtime, and with it the store.
        let [boss, middle, leaf, other] = [boss, middle, leaf, other].map(|actor| actor.id());
        down.go_down().await;
        let _manifests = first.folder;
        drop((first.runtime, down));
        flip(folder.path(), middle, back);
        let second = process_with(Crashing::after(ENDLESS, Arc::new(open(folder.path()).await)));
        let recovered = second.runtime.recover().await.unwrap();
        assert_eq!((recovered.lost, recovered.actors), (2, 2), "{keys}");
        let facts = second.of_type(boss, "child_exited").await;
        assert_eq!(facts[0]["child"], middle.to_string());
        let head = |id: TheaterId| before.iter().find(|entry| entry.id == id).unwrap().head;
        let now = second.recorded().await;
        let now = now.iter().find(|entry| entry.id == middle).unwrap();
        assert_eq!((now.head, now.index.ended), (head(middle), None), "{keys}");
        assert_eq!(second.of_type(leaf, "actor_terminated").await[0]["reason"]["killed"], "parent-gone");
        if lives {
            assert_eq!(ask(&second.runtime.handle(other), 9, "inc").await.unwrap(), "2");
            assert_eq!(second.runtime.actor(boss).unwrap().status, ActorStatus::Running);
        } else {
            let ended = soon(second.runtime.handle(boss).ended()).await.unwrap();
            let ExitReason::Abnormal(error) = &ended else { panic!("{ended:?}") };
            assert!(error.message.contains("child `middle`") && error.message.contains("record"), "{error}");
            let actions = second.of_type(boss, "supervision_action").await;
            let actions: Vec<_> = actions.iter().map(|action| action["action"].as_str().unwrap()).collect();
            assert_eq!(actions, ["restart", "reject", "escalate"]);
        }
        second.runtime.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_an_earlier_life_of_the_parent_was_told_is_not_told_again() {
    let store: Arc<MemoryStore> = Arc::default();
    let down = Crashing::after(ENDLESS, store.clone());
    let first = process_with(down.clone());
    first.manifest("boss", "relay", &format!("{HANDLERS}[[handlers]]\ntype = \"supervisor\"\n"));
    let boss = first.spawn("boss").await;
    let child = ask(&boss, 1, "spawn counter.toml").await.unwrap();
    let child = first.handle(&child);
    assert!(ask(&child, 2, "crash").await.is_err());
    first.runtime.restart_actor(boss.id(), RestartFrom::Resume).await.unwrap();
    assert_eq!(ask(&boss, 3, "ping").await.unwrap(), "pong");
    assert_eq!(first.of_type(boss.id(), "child_exited").await.len(), 1);
    down.go_down().await;
    let second = process_with(Crashing::after(ENDLESS, store.clone()));
    assert_eq!(second.runtime.recover().await.unwrap().ends, 0);
    assert_eq!(ask(&second.runtime.handle(boss.id()), 4, "ping").await.unwrap(), "pong");
    assert_eq!(second.of_type(boss.id(), "child_exited").await.len(), 1);
    second.close().await;
}
