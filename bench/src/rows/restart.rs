//! From a trap to the next incarnation serving, by a declared policy, everything recorded. Beside it: in
//! bare wasmtime a call that traps, then a fresh instance and its first call.

use std::time::Duration;

use anyhow::{Result, ensure};
use theater::{ActorHandle, TheaterRuntimeBuilder};
use theater_store_sqlite::SqliteStore;
use theater_tests::World;

use crate::clock::{micros_each, timed_async};
use crate::latency::Latencies;
use crate::limit::frames::Frames;
use crate::limit::guest::{Guest, Live};
use crate::plan::Plan;
use crate::row::{Row, Runs, Target};
use crate::world::builder;

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

/// `crashes` of one child, in as many parts as there are runs.
pub(crate) async fn run(plan: Plan, crashes: Option<usize>, store: Store) -> Result<Vec<Row>> {
    let each = crashes.unwrap_or(plan.of(100_000, 2_800)).div_ceil(7).max(10);
    let data = tempfile::tempdir()?;
    let builder: TheaterRuntimeBuilder = match store {
        Store::Memory => builder()?,
        Store::Sqlite => builder()?.store(SqliteStore::open(data.path())?),
    };
    let world = World::with(&["counter"], builder);
    let child = child(&world).await?;
    let guest = Guest::new(&world.path().join("counter.wasm"))?;
    for _ in 0..WARM {
        bare(&guest).await?;
        restart(&world, &child).await?;
    }
    let (mut middle, mut tail, mut flat) = (Runs::default(), Runs::default(), Runs::default());
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for run in plan.runs("restart") {
        let mut limit = Vec::with_capacity(each.min(2_000));
        for _ in 0..each.min(2_000) {
            limit.push(bare(&guest).await?);
        }
        let mut ours = Vec::with_capacity(each);
        for _ in 0..each {
            ours.push(restart(&world, &child).await?);
        }
        if run == 1 {
            first.clone_from(&ours);
        }
        last.clone_from(&ours);
        let (limit, ours) = (Latencies::new(limit), Latencies::new(ours));
        middle.add(micros(&limit, 50.0), micros(&ours, 50.0));
        tail.add(micros(&limit, 99.0), micros(&ours, 99.0));
    }
    flat.add(micros(&Latencies::new(first), 50.0), micros(&Latencies::new(last), 50.0));
    world.runtime.kill().await?;
    let beside = "wasmtime: trap, instance, call";
    let target = Some(Target::TimesAtMost(2.0));
    Ok(vec![
        Row::new("trap to the next incarnation, p50", "us", beside, middle, target),
        Row::new("trap to the next incarnation, p99", "us", beside, tail, None),
        Row::new(&format!("the last of {} restarts, p50", 7 * each), "us", "the first of them", flat, None),
    ])
}

fn micros(latencies: &Latencies, percent: f64) -> f64 {
    micros_each(latencies.percentile(percent), 1)
}

/// A declared child of a guest that hears nothing of its children: what it would do is not the restart's.
async fn child(world: &World) -> Result<ActorHandle> {
    world.manifest(
        "boss",
        "counter",
        "[[handlers]]\ntype = \"runtime\"\n[[handlers]]\ntype = \"message-server\"\n[[handlers]]\ntype = \"supervisor\"\n\
         max_restarts = \"infinity\"\n[[handlers.children]]\nid = \"child\"\nmanifest = \"counter.toml\"\nrestart_state = \"resume\"\n",
    );
    let boss = world.spawn("boss").await;
    let child = world.declared(&boss, "child");
    world.try_call(&child, "add 1").await?;
    Ok(child)
}

/// The answer of a call that came after the trap.
async fn restart(world: &World, child: &ActorHandle) -> Result<Duration> {
    let restarted = timed_async(async {
        ensure!(world.try_call(child, "crash").await.is_err(), "the guest did not trap");
        Ok(world.try_call(child, "get").await?)
    });
    restarted.await.and_ok()
}

/// From the trap of one instance to the first answer of the next.
async fn bare(guest: &Guest) -> Result<Duration> {
    let mut live = guest.live(Frames::default(), None).await?;
    asked(&mut live, "get").await?;
    let restarted = timed_async(async {
        ensure!(asked(&mut live, "crash").await.is_err(), "the guest did not trap");
        drop(live);
        let mut live = guest.live(Frames::default(), None).await?;
        asked(&mut live, "get").await
    });
    restarted.await.and_ok()
}

async fn asked(live: &mut Live, text: &str) -> Result<()> {
    let state = Some(br#"{"n":1}"#.to_vec());
    live.request(state, "client/1".to_owned(), text.as_bytes().to_vec()).await.map(drop)
}
