//! One actor's work on another's latency: a quiet actor while others loop, flood their logs and crash. Beside
//! it: the same actor on an idle machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use theater::{ActorHandle, RestartFrom};
use theater_store_sqlite::SqliteStore;
use theater_tests::World;

use crate::client::task;
use crate::clock::{micros_each, now, timed_async};
use crate::latency::Latencies;
use crate::plan::Plan;
use crate::row::{Row, Runs, Target};
use crate::world::builder;

/// Between two calls, as a client has that does something with an answer.
const PAUSE: Duration = Duration::from_millis(1);

/// What the noisy actors do.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Noise {
    /// A third of them each.
    All,
    /// Run for ever, until the time of the call is up.
    Loop,
    /// Log 200 lines in each call.
    Flood,
    /// Panic, and are restarted.
    Crash,
}

impl Noise {
    /// Which of the orders the `n`th actor gets.
    fn order(self, n: usize) -> usize {
        match self {
            Self::All => n % ORDERS.len(),
            Self::Loop => 0,
            Self::Flood => 1,
            Self::Crash => 2,
        }
    }
}

const ORDERS: [&str; 3] = ["loop", "flood-log 200", "panic"];

/// How often each order was obeyed.
type Counts = Arc<[AtomicU64; 3]>;

/// Each run with a runtime of its own: idle first, then in the noise of `actors` actors.
pub(crate) async fn run(plan: Plan, seconds: Option<f64>, actors: usize, noise: Noise) -> Result<Vec<Row>> {
    let time = Duration::from_secs_f64(seconds.unwrap_or(plan.of(5.0, 0.4)));
    let (mut tail, mut middle) = (Runs::default(), Runs::default());
    for _ in plan.runs("noisy") {
        let data = tempfile::tempdir()?;
        let world = World::with(&["counter", "rogue"], builder()?.store(SqliteStore::open(data.path())?));
        let world = Arc::new(world);
        let quiet = world.spawn("counter").await;
        sample(&world, &quiet, Duration::from_millis(100)).await?; // warm
        let idle = sample(&world, &quiet, time.min(Duration::from_secs(2))).await?;
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Counts::default());
        let mut load = Vec::new();
        for n in 0..actors {
            let rogue = world.spawn("rogue").await;
            load.push(task(make(world.clone(), rogue, noise.order(n), stop.clone(), counts.clone())));
        }
        let noisy = sample(&world, &quiet, time).await?;
        stop.store(true, Ordering::Relaxed);
        world.runtime.kill().await?;
        for task in load {
            task.abort();
        }
        let [loops, floods, crashes] = [0, 1, 2].map(|n| counts[n].load(Ordering::Relaxed));
        eprintln!("    meanwhile {loops} loops timed out, {floods} floods of 200 log lines, {crashes} crashes");
        let at = |latencies: &Latencies, percent| micros_each(latencies.percentile(percent), 1);
        tail.add(at(&idle, 99.0), at(&noisy, 99.0));
        middle.add(at(&idle, 50.0), at(&noisy, 50.0));
    }
    let target = Some(Target::TimesAtMost(3.0));
    Ok(vec![
        Row::new(
            &format!("p99 of a quiet actor beside {actors} noisy ones"),
            "us",
            "the same actor, idle machine",
            tail,
            target,
        ),
        Row::new("its p50", "us", "the same actor, idle machine", middle, None),
    ])
}

/// Has one actor make noise until it is told to stop.
async fn make(
    world: Arc<World>,
    rogue: ActorHandle,
    order: usize,
    stop: Arc<AtomicBool>,
    counts: Counts,
) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let failed = world.try_ask(&rogue, ORDERS[order]).await.is_err();
        counts[order].fetch_add(1, Ordering::Relaxed);
        if failed {
            rogue.ended().await?;
            world.runtime.restart_actor(rogue.id(), RestartFrom::Resume).await?;
        }
    }
    Ok(())
}

/// Calls the quiet actor until the time is over.
async fn sample(world: &World, actor: &ActorHandle, time: Duration) -> Result<Latencies> {
    let begin = now();
    let mut samples = Vec::new();
    while begin.elapsed() < time {
        samples.push(timed_async(world.try_call(actor, "inc")).await.and_ok()?);
        #[expect(clippy::disallowed_methods, reason = "the pause of a benchmark's client")]
        tokio::time::sleep(PAUSE).await;
    }
    Ok(Latencies::new(samples))
}
