//! A warm spawn: the manifest is parsed and the component compiled; until `init` and a first request are
//! answered. Beside it: a fresh instance of bare wasmtime with the same two calls.

use anyhow::Result;
use theater::ManifestConfig;
use theater_tests::World;

use crate::client::Client;
use crate::clock::{micros_each, timed_async};
use crate::limit::frames::Frames;
use crate::limit::guest::Guest;
use crate::plan::Plan;
use crate::row::{Row, Runs, Target};
use crate::world::builder;

/// Spawns many, one after the other.
pub(crate) async fn run(plan: Plan) -> Result<Vec<Row>> {
    let actors = plan.of(2_000, 500);
    let guest = Guest::new(&theater_build::testing::component("counter"))?;
    let mut runs = Runs::default();
    for _ in plan.runs("spawn") {
        let world = World::with(&["counter"], builder()?);
        let manifest = ManifestConfig::from_file(world.path().join("counter.toml"))?;
        bare(&guest, actors / 10).await?;
        spawned(&world, &manifest, actors / 10).await?; // compiles, and warms
        let limit = timed_async(bare(&guest, actors)).await.and_ok()?;
        let ours = timed_async(spawned(&world, &manifest, actors)).await.and_ok()?;
        runs.add(micros_each(limit, actors), micros_each(ours, actors));
        world.runtime.kill().await?;
    }
    let name = "warm spawn with its first message";
    Ok(vec![Row::new(name, "us", "wasmtime: instance, init, request", runs, Some(Target::TimesAtMost(2.0)))])
}

async fn spawned(world: &World, manifest: &ManifestConfig, actors: usize) -> Result<()> {
    let mut client = Client::new();
    for _ in 0..actors {
        let actor = world.runtime.spawn_actor(manifest.clone()).await?;
        client.ask(&actor, "inc").await?;
    }
    Ok(())
}

/// Fresh instances, each with `init` and a first request.
pub(super) async fn bare(guest: &Guest, times: usize) -> Result<()> {
    for n in 0..times {
        let mut live = guest.live(Frames::default(), None).await?;
        let state = live.init().await?;
        live.request(state, format!("client/{n}"), b"inc".to_vec()).await?;
    }
    Ok(())
}
