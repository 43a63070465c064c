//! What is stored of a child is changed while the child is down: it is never restarted from that.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use rusqlite::{Connection, params};
use tempfile::TempDir;
use theater::{ActorHandle, ExitReason, RestartFrom, TheaterId, TheaterRuntime};
use theater_store_sqlite::SqliteStore;
use theater_tests::{World, builder};

use super::{child, crash, decisions, soon, supervisor};

/// Ways to damage the record of an actor, each a statement with its number in `?1`.
const DAMAGES: &[(&str, &str)] = &[
    ("a bit of an event's data", "FLIP events data WHERE actor = ?1 AND seq = 3"),
    ("a bit of the first event's data", "FLIP events data WHERE actor = ?1 AND seq = 0"),
    (
        "a bit of the last event's data",
        "FLIP events data WHERE actor = ?1 AND seq = (SELECT max(seq) FROM events WHERE actor = ?1)",
    ),
    (
        "a bit of a payload",
        "FLIP events payload WHERE actor = ?1 AND seq = (SELECT max(seq) FROM events WHERE actor = ?1 AND payload IS NOT NULL)",
    ),
    ("a bit of a hash", "FLIP events hash WHERE actor = ?1 AND seq = 4"),
    ("a timestamp", "UPDATE events SET timestamp = timestamp + 1 WHERE actor = ?1 AND seq = 2"),
    (
        "its last two events are gone",
        "DELETE FROM events WHERE actor = ?1 AND seq > (SELECT max(seq) - 2 FROM events WHERE actor = ?1)",
    ),
    ("an event in the middle is gone", "DELETE FROM events WHERE actor = ?1 AND seq = 3"),
];

/// Its chain ends earlier, and all of the store says so.
const CUT: &str = "
    DELETE FROM events WHERE actor = ?1 AND seq > (SELECT max(seq) - 3 FROM events WHERE actor = ?1)";
const CUT_HEAD: &str = "
    UPDATE actors SET head_seq = last.seq, head_hash = last.hash, head_position = last.position, ended = NULL
    FROM (SELECT seq, hash, position FROM events WHERE actor = ?1 ORDER BY seq DESC LIMIT 1) AS last WHERE n = ?1";

const STATE: &str = "FLIP states bytes WHERE hash = (SELECT state FROM actors WHERE n = ?1)";

fn raw(folder: &Path) -> Connection {
    Connection::open(folder.join("theater.db")).unwrap()
}

/// `FLIP table column WHERE ..` flips one bit of a value; anything else is SQL.
fn run(raw: &Connection, statement: &str, n: i64) -> usize {
    let Some((table, rest)) = statement.strip_prefix("FLIP ").and_then(|rest| rest.split_once(' ')) else {
        return raw.execute(statement, params![n]).unwrap();
    };
    let (column, condition) = rest.split_once(' ').unwrap();
    let select = format!("SELECT rowid, {column} FROM {table} {condition}");
    let (row, mut bytes): (i64, Vec<u8>) =
        raw.query_row(&select, params![n], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    raw.execute(&format!("UPDATE {table} SET {column} = ?2 WHERE rowid = ?1"), params![row, bytes]).unwrap()
}

fn number(raw: &Connection, actor: TheaterId) -> i64 {
    raw.query_row("SELECT n FROM actors WHERE id = ?1", [actor.as_bytes()], |row| row.get(0)).unwrap()
}

fn damage(folder: &Path, actor: TheaterId, statements: &[&str]) {
    let raw = raw(folder);
    let n = number(&raw, actor);
    for statement in statements {
        assert!(run(&raw, statement, n) > 0, "{statement}");
    }
}

fn lives(folder: &Path, actor: TheaterId) -> i64 {
    let raw = raw(folder);
    let sql = "SELECT count(*) FROM events WHERE actor = ?1 AND event_type = 'actor_started'";
    raw.query_row(sql, [number(&raw, actor)], |row| row.get(0)).unwrap()
}

/// Every component as one that also runs, but is another: with an empty custom section more.
const COMPONENTS: &str = "UPDATE components SET bytes = CAST(bytes || x'00020178' AS BLOB) WHERE ?1 = ?1";

type Act = Box<dyn FnOnce() + Send>;

/// A supervisor whose child `one` has a state; what is in `at_wait` is done while it waits for its
/// restart.
struct Scene {
    folder: TempDir,
    world: World,
    boss: ActorHandle,
    one: ActorHandle,
    at_wait: Arc<Mutex<Option<Act>>>,
}

async fn scene(state: &str) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let (at_wait, runtime) = (Arc::new(Mutex::new(None::<Act>)), Arc::new(OnceLock::<TheaterRuntime>::new()));
    let (act, flushed) = (at_wait.clone(), runtime.clone());
    let builder = builder().store(SqliteStore::open(folder.path()).unwrap()).at_steps(move |step| {
        let act = (step.name == "restart.waited").then(|| act.lock().unwrap().take()).flatten();
        let runtime = flushed.clone();
        async move {
            if let Some(act) = act {
                runtime.get().unwrap().flush().await.unwrap();
                act();
            }
        }
    });
    let world = World::with(&["relay", "counter"], builder);
    assert!(runtime.set(world.runtime.clone()).is_ok());
    let backoff = "backoff = { initial = \"1ms\", factor = 1.0, max = \"1ms\", jitter = 0.0 }\n";
    let children = child("one", "counter", &format!("restart_state = \"{state}\"")) + &child("two", "counter", "");
    supervisor(&world, "boss", &format!("{backoff}{children}"));
    let boss = world.spawn("boss").await;
    let one = world.declared(&boss, "one");
    for n in 1..=3 {
        assert_eq!(world.ask(&one, "inc").await, n.to_string());
    }
    Scene { folder, world, boss, one, at_wait }
}

impl Scene {
    async fn rejected(&self, label: &str) {
        let ended = soon(label, self.boss.ended()).await.unwrap();
        let ExitReason::Abnormal(error) = ended else { panic!("{label}: {ended:?}") };
        assert!(error.message.contains("child `one`") && error.message.contains("record"), "{label}: {error}");
        let all = decisions(&self.world, self.boss.id()).await;
        let last: Vec<_> = all.iter().rev().take(2).map(|(action, _)| action.as_str()).collect();
        assert_eq!(last, ["escalate", "reject"], "{label}");
        self.world.runtime.shutdown().await.unwrap();
        assert_eq!(lives(self.folder.path(), self.one.id()), 1, "{label}: never restarted from it");
    }

    /// It crashes, and while the backoff runs its record is damaged.
    async fn in_backoff(self, label: &str, statements: Vec<&'static str>) {
        let (folder, one) = (self.folder.path().to_owned(), self.one.id());
        *self.at_wait.lock().unwrap() = Some(Box::new(move || {
            damage(&folder, one, &statements);
        }));
        crash(&self.world, &self.one).await;
        self.rejected(label).await;
    }

    /// It is stopped, its record is damaged, and it is restarted by hand.
    async fn by_hand(self, label: &str, order: &str, statements: &[&str]) {
        assert_eq!(self.world.ask(&self.boss, "terminate one").await, "done");
        self.world.runtime.flush().await.unwrap();
        damage(self.folder.path(), self.one.id(), statements);
        // The supervisor may fail before it answers.
        if let Ok(answer) = self.world.try_ask(&self.boss, order).await {
            assert!(answer.starts_with("error: "), "{label}: {answer}");
        }
        self.rejected(label).await;
    }
}

#[tokio::test]
async fn a_damaged_chain_is_not_restarted_from_by_policy() {
    for state in ["resume", "reset"] {
        for (label, statement) in DAMAGES {
            scene(state).await.in_backoff(label, vec![statement]).await;
        }
    }
}

#[tokio::test]
async fn a_damaged_chain_is_not_restarted_from_by_hand() {
    for (label, statement) in DAMAGES {
        for order in ["restart one", "restart-with one resume"] {
            scene("resume").await.by_hand(label, order, &[statement]).await;
        }
    }
}

#[tokio::test]
async fn a_damaged_state_is_not_restarted_from() {
    scene("resume").await.in_backoff("a bit of the state", vec![STATE]).await;
    scene("resume").await.by_hand("a bit of the state", "restart-with one resume", &[STATE]).await;
}

#[tokio::test]
async fn a_chain_whose_tail_is_cut_is_not_restarted_from() {
    for state in ["resume", "reset"] {
        scene(state).await.in_backoff("a cut tail", vec![CUT, CUT_HEAD]).await;
    }
    for order in ["restart one", "restart-with one resume"] {
        scene("resume").await.by_hand("a cut tail", order, &[CUT, CUT_HEAD]).await;
    }
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

#[tokio::test]
async fn a_component_that_was_exchanged_in_the_store_is_not_started_from() {
    let folder = tempfile::tempdir().unwrap();
    let first = World::with(&["counter"], builder().store(open(folder.path()).await));
    let [kept, stopped] = [first.spawn("counter").await.id(), first.spawn("counter").await.id()];
    first.runtime.stop_actor(stopped).await.unwrap();
    first.runtime.shutdown().await.unwrap();
    drop(first);
    // Whoever read it once goes on with what was read.
    let second = World::with(&["counter"], builder().store(open(folder.path()).await));
    second.runtime.restart_actor(kept, RestartFrom::Resume).await.unwrap();
    damage(folder.path(), kept, &[COMPONENTS]);
    second.runtime.restart_actor(stopped, RestartFrom::Resume).await.unwrap();
    assert_eq!(second.ask(&second.runtime.handle(stopped), "inc").await, "1");
    second.runtime.shutdown().await.unwrap();
    drop(second);
    let third = World::with(&["counter"], builder().store(open(folder.path()).await));
    for n in 0..2 {
        // A file that has the component does not stand for what is stored.
        let refused = third.runtime.restart_actor(stopped, RestartFrom::Resume).await.unwrap_err().to_string();
        assert!(refused.contains("component") && refused.contains("has other bytes in the store"), "{n}: {refused}");
        third.spawn("counter").await;
    }
    third.runtime.shutdown().await.unwrap();
    assert_eq!((lives(folder.path(), kept), lives(folder.path(), stopped)), (2, 2));
}
