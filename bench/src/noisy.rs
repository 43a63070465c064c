//! One actor's work on another's latency.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use theater::{ActorHandle, RestartFrom};
use theater_store_sqlite::SqliteStore;
use theater_tests::{World, builder};

use crate::latency::Latencies;

/// Calls to the quiet actor on an idle machine.
const IDLE_CALLS: usize = 5_000;

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

pub(crate) async fn run(seconds: u64, actors: usize, noise: Noise) -> Result<()> {
    let data = tempfile::tempdir()?;
    let world = World::with(&["counter", "rogue"], builder().store(SqliteStore::open(data.path())?));
    let world = Arc::new(world);
    let quiet = world.spawn("counter").await;
    sample(&world, &quiet, Duration::from_secs(1), 200).await?; // warm
    let idle = sample(&world, &quiet, Duration::from_secs(seconds), IDLE_CALLS).await?;
    idle.print("idle");

    let stop = Arc::new(AtomicBool::new(false));
    let counts: Arc<[AtomicU64; 3]> = Arc::default();
    let mut load = Vec::new();
    for n in 0..actors {
        let rogue = world.spawn("rogue").await;
        let (world, stop, counts) = (world.clone(), stop.clone(), counts.clone());
        #[expect(clippy::disallowed_methods, reason = "the load of a benchmark")]
        load.push(tokio::spawn(async move {
            let order = noise.order(n);
            while !stop.load(Ordering::Relaxed) {
                let failed = world.try_ask(&rogue, ORDERS[order]).await.is_err();
                counts[order].fetch_add(1, Ordering::Relaxed);
                if failed {
                    rogue.ended().await?;
                    world.runtime.restart_actor(rogue.id(), RestartFrom::Resume).await?;
                }
            }
            anyhow::Ok(())
        }));
    }
    let noisy = sample(&world, &quiet, Duration::from_secs(seconds), usize::MAX).await?;
    noisy.print(&format!("{actors} actors loop/flood/crash"));
    let [loops, floods, crashes] = [0, 1, 2].map(|n| counts[n].load(Ordering::Relaxed));
    println!("meanwhile: {loops} loops timed out, {floods} floods of 200 log lines, {crashes} crashes and restarts");
    let ratio = noisy.percentile(99.0).as_secs_f64() / idle.percentile(99.0).as_secs_f64();
    println!("p99 against idle: {ratio:.1} times (goal: 3)");
    stop.store(true, Ordering::Relaxed);
    world.runtime.kill().await?;
    for task in load {
        task.abort();
    }
    Ok(())
}

/// Calls the quiet actor until the time is over or there are enough samples.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
async fn sample(world: &World, actor: &ActorHandle, time: Duration, most: usize) -> Result<Latencies> {
    let begin = Instant::now();
    let mut samples = Vec::new();
    while begin.elapsed() < time && samples.len() < most {
        let start = Instant::now();
        world.try_call(actor, "inc").await?;
        samples.push(start.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(Latencies::new(samples))
}
