//! A scenario whose process goes down after each of its commits: what was acknowledged stays, what was
//! not is done once, and every chain verifies and replays.

use std::sync::Arc;

use theater::chain::MemoryStore;
use theater::{CallError, ManifestConfig, SpawnError};
use theater_tests::{Crashing, HANDLERS, World};

use super::{ask, process, process_with, root};

const ENDLESS: u64 = u64::MAX;

/// Between the commits after which the process goes down: few enough for every run of the tests. What
/// is committed by itself differs a little from run to run.
const STEP: usize = 4;

/// What is asked of the root, and what it answers where it matters; `A` and `B` are its children.
const CALM: &[(&str, &str)] = &[
    ("request A add 5", "5"),
    ("request B add 7", "7"),
    ("request A inc", "6"),
    ("send A nothing", "sent"),
    ("request B inc", "8"),
    ("request A get", "6"),
    ("request B get", "8"),
];

const CRASHES: &[(&str, &str)] = &[
    ("request A add 5", "5"),
    ("request A crash", ""),
    ("request A inc", "6"),
    ("request B crash", ""),
    ("request B inc", "1"),
    ("request A crash", ""),
    ("request A get", "6"),
    ("request B get", "1"),
];

fn manifests(world: &World, policy: &str) {
    let mut text = format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\nmax_restarts = 100\n{policy}\n");
    for id in ["a", "b"] {
        let keys = "manifest = \"counter.toml\"\nrestart_state = \"resume\"";
        text += &format!("[[handlers.children]]\nid = \"{id}\"\n{keys}\n");
    }
    world.manifest("boss", "relay", &text);
}

/// Plays the script until the process goes down; whether it did not.
async fn play(world: &World, store: &Arc<MemoryStore>, script: &[(&str, &str)], known: &mut Vec<String>) -> bool {
    let boss = match world.runtime.recover().await.map(|recovered| recovered.roots) {
        Ok(roots) if !roots.is_empty() => world.runtime.handle(roots[0]),
        Ok(_) => {
            assert!(root(store).await.is_none(), "the root has ended");
            let manifest = ManifestConfig::from_file(world.path().join("boss.toml")).unwrap();
            match world.runtime.spawn_actor(manifest).await {
                Ok(boss) => boss,
                Err(SpawnError::Store(_) | SpawnError::Ended { .. } | SpawnError::Failed { .. }) => return false,
                Err(error) => panic!("{error}"),
            }
        }
        Err(theater::RecoverError::Store(_)) => return false,
        Err(error) => panic!("{error}"),
    };
    let [a, b] = ["a", "b"].map(|id| theater::TheaterId::of_spec(&boss.id(), id).to_string());
    for (n, (order, expected)) in script.iter().enumerate() {
        let order = order.replace(" A ", &format!(" {a} ")).replace(" B ", &format!(" {b} "));
        match ask(&boss, n as u64, &order).await {
            Ok(answer) => {
                if !expected.is_empty() {
                    assert_eq!(answer, *expected, "{order}");
                }
                match known.get(n) {
                    Some(before) => assert_eq!(answer, *before, "{order} was answered otherwise before"),
                    None => known.push(answer),
                }
            }
            Err(CallError::Store(_)) => return false,
            Err(CallError::Failed { error, .. }) if error.kind == theater::ErrorType::Killed => return false,
            Err(CallError::Ended { .. } | CallError::NotFound(_)) if world.runtime.flush().await.is_err() => {
                return false;
            }
            Err(error) => panic!("{order}: {error}"),
        }
    }
    true
}

/// Goes down after each number of commits, up to one with which all is played.
async fn at_every_commit(policy: &str, script: &[(&str, &str)]) {
    for commits in (1..).step_by(STEP) {
        let store = Arc::new(MemoryStore::new());
        let mut known = Vec::new();
        let down = Crashing::after(commits, store.clone());
        let first = process_with(down.clone());
        manifests(&first, policy);
        let done = play(&first, &store, script, &mut known).await;
        down.go_down().await; // or it would anchor what it did
        // A second one goes down soon after it goes on.
        let down = Crashing::after(commits % 5, store.clone());
        let second = process_with(down.clone());
        manifests(&second, policy);
        let _ = play(&second, &store, script, &mut known).await;
        down.go_down().await;
        let third = process(&store, ENDLESS);
        manifests(&third, policy);
        assert!(play(&third, &store, script, &mut known).await, "after {commits} commits");
        third.close().await;
        if done {
            assert!(commits > 10, "{commits}");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_requests_through_the_root() {
    at_every_commit("", CALM).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_children_that_crash() {
    at_every_commit("", CRASHES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_children_that_are_restarted_together() {
    at_every_commit("strategy = \"one-for-all\"", CRASHES).await;
}
