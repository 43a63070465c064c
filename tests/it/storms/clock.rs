//! The wall clock does not enter: it may jump by years, and every decision is the same.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use theater::sources::{Sources, SystemSources};
use theater_tests::{World, builder};

use super::{child, crash, soon, supervisor, text};

const TEN_YEARS: i64 = 10 * 365 * 24 * 3_600 * 1_000;

/// The system's, with a wall clock that somebody sets.
#[derive(Clone)]
struct Set {
    system: Arc<SystemSources>,
    offset: Arc<AtomicI64>,
}

impl Sources for Set {
    fn wall_ms(&self) -> u64 {
        self.system.wall_ms().saturating_add_signed(self.offset.load(Ordering::SeqCst))
    }
    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }
    fn fill_random(&self, bytes: &mut [u8]) {
        self.system.fill_random(bytes);
    }
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.system.sleep(duration)
    }
}

/// Six crashes, with a jump before each: what was decided.
async fn decided(jump: i64) -> Vec<(String, String, u64, u64, u64)> {
    let sources = Set { system: Arc::default(), offset: Arc::default() };
    let world = World::with(&["relay", "counter"], builder().sources(sources.clone()));
    let backoff =
        "backoff = { initial = \"10ms\", factor = 2.0, max = \"50ms\", jitter = 0.0, reset_after = \"1h\" }\n";
    let policy = format!("max_restarts = 5\nwithin = \"1h\"\n{backoff}{}", child("one", "counter", ""));
    supervisor(&world, "boss", &policy);
    let boss = world.spawn("boss").await;
    let one = world.declared(&boss, "one");
    for life in 2..=7 {
        sources.offset.fetch_add(if life % 2 == 0 { jump } else { -3 * jump }, Ordering::SeqCst);
        crash(&world, &one).await;
        if life < 7 {
            soon("the restart", world.wait_for(one.id(), "actor_started", life)).await;
        }
    }
    soon("the escalation", boss.ended()).await.unwrap();
    let actions = world.of_type(boss.id(), "supervision_action").await;
    world.close().await;
    let number = |action: &serde_json::Value, key: &str| action[key].as_u64().unwrap();
    let of = |action: &serde_json::Value| {
        let [attempt, window, delay] = ["attempt", "window", "delay_ms"].map(|key| number(action, key));
        (text(action, "action"), text(action, "rule"), attempt, window, delay)
    };
    actions.iter().map(of).collect()
}

#[tokio::test]
async fn a_wall_clock_that_jumps_ten_years_changes_no_decision() {
    let steady = decided(0).await;
    assert_eq!(steady.last().unwrap().0, "escalate");
    let delays: Vec<_> = steady.iter().filter(|decision| decision.0 == "restart").map(|decision| decision.4).collect();
    assert_eq!(delays, [10, 20, 40, 50, 50]);
    assert_eq!(decided(TEN_YEARS).await, steady);
    assert_eq!(decided(-TEN_YEARS / 3).await, steady);
}
