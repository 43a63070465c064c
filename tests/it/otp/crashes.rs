//! The process goes down, and supervision goes on in the next one where it stood: OTP's supervisors
//! do not outlive their node.

use std::sync::Arc;
use std::time::Duration;

use theater::chain::MemoryStore;
use theater::{ExitReason, Outside};
use theater_handler_message_server::HANDLE_REQUEST;
use theater_tests::{Crashing, World, builder};

use super::{Clock, Stage, child, children, prepared_on, tells};

const ENDLESS: u64 = u64::MAX;

/// A process with its store.
struct Process {
    stage: Stage,
    store: Arc<MemoryStore>,
    down: Crashing,
    guest: &'static str,
    policy: String,
}

impl Process {
    async fn new(guest: &'static str, policy: &str) -> Self {
        let store: Arc<MemoryStore> = Arc::default();
        let down = Crashing::after(ENDLESS, store.clone());
        let clock = Clock::new();
        let world = prepared_on(builder().each_alone().store(down.clone()), &clock, guest, policy);
        let boss = world.spawn("boss").await;
        let stage = Stage::on(world, clock, boss);
        Self { stage, store, down, guest, policy: policy.to_owned() }
    }

    /// It goes down, unless it is already, and the next one goes on.
    /// The one before stays, since its folder has the manifests.
    async fn again(self) -> (Stage, World) {
        self.down.go_down().await;
        let clock = self.stage.clock.of_next_process();
        let store = Crashing::after(ENDLESS, self.store);
        let world = prepared_on(builder().each_alone().store(store), &clock, self.guest, &self.policy);
        let world = world.after(&self.stage.world);
        let boss = world.runtime.handle(self.stage.boss.id());
        let next = Stage::on(world, clock, boss);
        next.names.lock().unwrap().clone_from(&self.stage.names.lock().unwrap());
        next.world.runtime.recover().await.unwrap();
        (next, self.stage.world)
    }

    /// Everything up to now is kept.
    async fn flushed(self) -> Self {
        self.stage.world.runtime.flush().await.unwrap();
        self
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_delay_is_waited_for() {
    let policy = format!("backoff = {{ initial = \"10s\", jitter = 0.0 }}\n{}", children(&["a", "b"]));
    let first = Process::new("relay", &policy).await;
    first.stage.crash("a").await;
    first.stage.asleep(10_000).await;
    first.stage.advance(4_000);
    first.stage.crash("b").await; // the last time that is known of this process
    first.stage.decided(2).await;
    let (stage, _before) = first.flushed().await.again().await;
    soon(stage.asleep(6_000)).await;
    soon(stage.asleep(10_000)).await;
    stage.advance(6_000);
    stage.lives("a", 2).await;
    assert_eq!(stage.world.of_type(stage.child("b").id(), "actor_started").await.len(), 1);
    stage.advance(4_000);
    stage.lives("b", 2).await;
    tells(&stage.decisions().await, "restart a: permanent\nrestart b: permanent");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_spent_of_a_budget_is_spent() {
    let first = Process::new("relay", &format!("max_restarts = 2\n{}", children(&["a"]))).await;
    first.stage.crash_times("a", 2).await;
    first.stage.lives("a", 3).await;
    let (stage, _before) = first.flushed().await.again().await;
    stage.crash("a").await;
    let ExitReason::Abnormal(error) = soon(stage.boss.ended()).await.unwrap() else { panic!("a normal end") };
    assert!(error.message.contains("budget of 2 attempts"), "{error}");
    assert!(stage.decisions().await.ends_with("escalate a: budget"));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_stays_in_quarantine() {
    let policy = format!("max_restarts = 1\n{}", child("a", "redeliver = true; restart_state = \"resume\""));
    let first = Process::new("relay", &policy).await;
    first.stage.ask("a", "add 3").await;
    first.stage.crash("a").await;
    first.stage.lives("a", 3).await;
    let (stage, _before) = first.flushed().await.again().await;
    assert_eq!(stage.ask("a", "get").await, "3");
    let a = stage.child("a").id();
    let starts = stage.world.of_type(a, "actor_started").await;
    assert_eq!((starts.len(), stage.world.of_type(a, "dead_letter").await.len()), (3, 1));
    stage.crash("a").await; // another message, which is a failure that counts
    soon(stage.boss.ended()).await.unwrap();
    assert!(stage.decisions().await.ends_with("restart a: poison\nescalate a: budget"));
    stage.close().await;
}

/// What must not hang.
#[expect(clippy::disallowed_methods, reason = "a guard against hanging, not a wait")]
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap()
}

/// Asks the boss with a number of its own.
async fn order(stage: &Stage, n: u64, text: &str) -> Option<String> {
    let params = |id: &str| (id.to_owned(), text.as_bytes().to_vec());
    loop {
        match stage.boss.call_durable(&HANDLE_REQUEST, Outside { source: "orders", n }, params).await {
            Err(theater::CallError::InFlight(_)) => tokio::task::yield_now().await,
            answer => return answer.ok().map(|(answer,)| String::from_utf8(answer.unwrap_or_default()).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_whatever_commit_the_guest_decides_once() {
    // The last of them is the decision.
    for kept in 0..=10 {
        let first = Process::new("warden", &children(&["a"])).await;
        first.stage.ask("a", "add 7").await;
        first.stage.tell("decide resume").await;
        let first = first.flushed().await;
        first.down.keep(kept);
        let message = |id: &str| (id.to_owned(), b"crash".to_vec());
        let crash = Outside { source: "orders", n: 1 };
        let _ = first.stage.child("a").call_durable(&HANDLE_REQUEST, crash, message).await;
        soon(async {
            while !first.down.is_down() {
                tokio::task::yield_now().await
            }
        })
        .await;
        let (stage, _before) = first.again().await;
        let _ = stage.child("a").call_durable(&HANDLE_REQUEST, crash, message).await;
        stage.lives("a", 2).await;
        assert_eq!(stage.ask("a", "get").await, "7", "after {kept} commits");
        let log = stage.tell("log").await;
        assert_eq!(log.matches("decide a 1").count(), 1, "after {kept} commits: {log}");
        tells(&stage.decisions().await, "restart a: decide");
        let calls = stage.world.of_type(stage.boss.id(), "call").await;
        assert_eq!(calls.iter().filter(|call| call["function"] == "decide").count(), 1, "after {kept} commits");
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_whatever_commit_a_child_is_started_terminated_and_deleted_once() {
    const ORDERS: [(&str, &str); 4] =
        [("start x counter.toml", ""), ("terminate x", "done"), ("delete x", "done"), ("start x counter.toml", "")];
    for kept in (0..).step_by(2) {
        let first = Process::new("relay", &children(&["a"])).await.flushed().await;
        first.down.keep(kept);
        let mut known = Vec::new();
        for (n, (text, _)) in ORDERS.iter().enumerate() {
            known.push(order(&first.stage, n as u64, text).await);
        }
        let done = first.stage.world.runtime.flush().await.is_ok();
        let (stage, _before) = first.again().await;
        for (n, (text, expected)) in ORDERS.iter().enumerate() {
            let answer = order(&stage, n as u64, text).await.unwrap();
            let was_started = expected.is_empty() && answer.parse::<theater::TheaterId>().is_ok();
            assert!(was_started || answer == *expected, "after {kept} commits, {text}: {answer}");
            if let Some(before) = &known[n] {
                assert_eq!(answer, *before, "after {kept} commits, {text} was answered otherwise before");
            }
        }
        let count = r#"{"specs":2,"active":2,"supervisors":0,"workers":2}"#;
        assert_eq!(stage.tell("count").await, count, "after {kept} commits");
        assert_eq!(stage.decisions().await, "", "after {kept} commits");
        stage.close().await;
        if done {
            assert!(kept > 10, "{kept}");
            return;
        }
    }
}
