//! Parked actors: what each takes in memory while nobody asks it anything, and its first message. Beside
//! them: a map with an actor's id, head and state; and a fresh instance of bare wasmtime with two calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use theater::{ManifestConfig, TheaterId};
use theater_store_sqlite::SqliteStore;
use theater_tests::World;

use super::spawn;
use crate::client::{Client, together};
use crate::clock::{micros_each, timed_async};
use crate::latency::Latencies;
use crate::limit::guest::Guest;
use crate::plan::Plan;
use crate::process::resident;
use crate::row::{Row, Runs, Target};
use crate::world::builder;

/// Places for live instances: so few that nearly all actors are parked.
const LIVE: u32 = 64;

/// Who spawns at the same time.
const SPAWNERS: usize = 8;

/// Actors that get their first message, in each run.
const WOKEN: usize = 1_000;

/// Bytes of a state in the limit.
const STATE: usize = 100;

/// Spawns `actors` on SQLite and lets them be.
pub(crate) async fn run(plan: Plan, actors: Option<usize>) -> Result<Vec<Row>> {
    let actors = actors.unwrap_or(plan.of(1_000_000, 50_000)).max(20_000);
    let before = resident();
    let map = map(actors);
    let limit = (resident() - before) as f64 / actors as f64;
    let data = tempfile::tempdir()?;
    let world = World::with(&["counter"], builder()?.store(SqliteStore::open(data.path())?).live_instances(LIVE));
    let world = Arc::new(world);
    // Its memory is there before the first is spawned.
    let ids: Arc<[std::sync::OnceLock<TheaterId>]> = (0..actors).map(|_| std::sync::OnceLock::new()).collect();
    let start = resident();
    let mut at_half = 0;
    for (from, to) in [(0, actors / 2), (actors / 2, actors)] {
        at_half = resident();
        spawn_all(&world, &ids, from, to).await?;
    }
    let end = resident();
    eprintln!("parked: {} MiB before, {} MiB with {actors} actors", start >> 20, end >> 20);
    let mut each = Runs::default();
    each.add(limit, (end.saturating_sub(at_half)) as f64 / (actors - actors / 2) as f64);
    let mut whole = Runs::default();
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    whole.add(mib(limit * actors as f64), mib(end as f64));
    let mut first = Runs::default();
    let guest = Guest::new(&world.path().join("counter.wasm"))?;
    let mut random = StdRng::seed_from_u64(1);
    for _ in plan.runs("parked") {
        spawn::bare(&guest, WOKEN / 10).await?;
        let bare = timed_async(spawn::bare(&guest, WOKEN)).await.and_ok()?;
        first.add(micros_each(bare, WOKEN), woken(&world, &ids, &mut random).await?);
    }
    std::hint::black_box(&map);
    world.runtime.kill().await?;
    let most = 700e6 * actors as f64 / 1e6 / f64::from(1 << 20);
    Ok(vec![
        Row::new("a parked actor", "bytes", "map: id, head, 100 B state", each, Some(Target::AtMost(700.0))),
        // The pool of instances and SQLite's cache take the same with a few actors as with a million.
        Row::new(
            &format!("process with {actors} parked actors"),
            "MiB",
            "map: id, head, 100 B state",
            whole,
            (actors >= 1_000_000).then_some(Target::AtMost(most.round())),
        ),
        Row::new(
            "first message of a parked actor, p50",
            "us",
            "wasmtime: instance, init, request",
            first,
            Some(Target::TimesAtMost(3.0)),
        ),
    ])
}

/// A head's hash and seq, and a state.
type Kept = ([u8; 32], u64, Box<[u8]>);

/// The limit: what must be kept of each.
fn map(actors: usize) -> HashMap<[u8; 16], Kept> {
    let mut random = StdRng::seed_from_u64(0);
    (0..actors).map(|n| (random.random(), ([n as u8; 32], n as u64, vec![n as u8; STATE].into_boxed_slice()))).collect()
}

/// Spawns those numbers and waits until all of it is on disk.
async fn spawn_all(
    world: &Arc<World>,
    ids: &Arc<[std::sync::OnceLock<TheaterId>]>,
    from: usize,
    to: usize,
) -> Result<()> {
    let manifest = ManifestConfig::from_file(world.path().join("counter.toml"))?;
    let next = Arc::new(AtomicUsize::new(from));
    together(SPAWNERS, |_| {
        let (world, ids, next, manifest) = (world.clone(), ids.clone(), next.clone(), manifest.clone());
        async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= to {
                    return Ok(());
                }
                let actor = world.runtime.spawn_actor(manifest.clone()).await?;
                let _ = ids[n].set(actor.id());
                if n.is_multiple_of(50_000) {
                    eprintln!("parked: {n} actors, {} MiB", resident() >> 20);
                }
            }
        }
    })
    .await?;
    world.runtime.flush().await?;
    Ok(())
}

/// The first messages of actors taken at random; the median, in microseconds.
async fn woken(world: &World, ids: &[std::sync::OnceLock<TheaterId>], random: &mut StdRng) -> Result<f64> {
    let mut client = Client::new();
    let mut samples = Vec::with_capacity(WOKEN);
    for _ in 0..WOKEN {
        let id = ids[random.random_range(0..ids.len())].get().context("not spawned")?;
        let actor = world.runtime.handle(*id);
        samples.push(timed_async(client.ask(&actor, "inc")).await.and_ok()?);
    }
    Ok(micros_each(Latencies::new(samples).percentile(50.0), 1))
}
