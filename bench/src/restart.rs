//! From a trap to the next incarnation serving, by a declared policy, everything recorded.

use std::time::{Duration, Instant};

use anyhow::Result;
use theater::{ActorHandle, TheaterRuntimeBuilder};
use theater_store_sqlite::SqliteStore;
use theater_tests::{World, builder};

use crate::bare::Bare;
use crate::latency::Latencies;

/// Restarts before the first that counts.
const WARM: usize = 200;

/// Where the chains are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Store {
    /// In memory.
    Memory,
    /// In SQLite, as `theater run` does.
    Sqlite,
}

pub(crate) async fn run(crashes: usize, store: Store) -> Result<()> {
    let data = tempfile::tempdir()?;
    let builder: TheaterRuntimeBuilder = match store {
        Store::Memory => builder(),
        Store::Sqlite => builder().store(SqliteStore::open(data.path())?),
    };
    let world = World::with(&["counter"], builder);
    // A guest that hears nothing of its children: what it would do is not the restart's.
    world.manifest(
        "boss",
        "counter",
        "[[handlers]]\ntype = \"runtime\"\n[[handlers]]\ntype = \"message-server\"\n[[handlers]]\ntype = \"supervisor\"\n\
         max_restarts = \"infinity\"\n[[handlers.children]]\nid = \"child\"\nmanifest = \"counter.toml\"\nrestart_state = \"resume\"\n",
    );
    let boss = world.spawn("boss").await;
    let child = world.declared(&boss, "child");
    world.try_call(&child, "add 1").await?;
    let bare = Bare::new(&world.path().join("counter.wasm"))?;
    for _ in 0..WARM {
        bare.restart()?;
        restart(&world, &child).await?;
    }
    let mut limit = Vec::with_capacity(crashes);
    for _ in 0..crashes.min(10_000) {
        limit.push(bare.restart()?);
    }
    let limit = Latencies::new(limit);
    let mut samples = Vec::with_capacity(crashes);
    for _ in 0..crashes {
        samples.push(restart(&world, &child).await?);
    }
    let tenth = (crashes / 10).max(1);
    let (first, last) = (samples[..tenth].to_vec(), samples[crashes - tenth..].to_vec());
    let all = Latencies::new(samples);
    limit.print("bare trap and bare spawn");
    all.print(&format!("{crashes} crashes, {store:?}").to_lowercase());
    let ratio = |percent: f64| all.percentile(percent).as_secs_f64() / limit.percentile(percent).as_secs_f64();
    println!("against the limit: p50 {:.1} times, p99 {:.1} times (goal: 2)", ratio(50.0), ratio(99.0));
    let (first, last) = (Latencies::new(first).percentile(50.0), Latencies::new(last).percentile(50.0));
    println!(
        "the last tenth against the first: {:.2} times (goal: flat)",
        last.as_secs_f64() / first.as_secs_f64().max(f64::EPSILON)
    );
    world.runtime.kill().await?;
    Ok(())
}

/// The answer of a call that came after the trap.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
async fn restart(world: &World, child: &ActorHandle) -> Result<Duration> {
    let start = Instant::now();
    anyhow::ensure!(world.try_call(child, "crash").await.is_err(), "the guest did not trap");
    world.try_call(child, "get").await?;
    Ok(start.elapsed())
}
