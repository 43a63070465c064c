//! The first start of a component in a new runtime: compiled, and read from the cache on disk. Beside it:
//! wasmtime's own compile, and its reading of the same machine code.

use std::path::Path;

use anyhow::Result;
use theater::wasmtime::Engine;
use theater::wasmtime::component::Component;
use theater::{CompileCache, ManifestConfig};
use theater_tests::{World, builder};

use crate::clock::{timed, timed_async};
use crate::plan::Plan;
use crate::row::{Row, Runs};

/// Cold and warm.
pub(crate) async fn run(plan: Plan) -> Result<Vec<Row>> {
    let (mut cold, mut warm) = (Runs::default(), Runs::default());
    let folder = tempfile::tempdir()?;
    for run in plan.runs("compile") {
        // A folder that nothing is in yet, so that the first start must compile.
        let cache = folder.path().join(run.to_string());
        let compiled = first_start(&cache).await?;
        let loaded = first_start(&cache).await?;
        let world = World::new(&["counter"]);
        let bytes = std::fs::read(world.path().join("counter.wasm"))?;
        let engine = theater::engine::build_small()?;
        let compile = timed(|| Component::new(&engine, &bytes));
        let code = compile.0?.serialize()?;
        let load = timed(|| load(&engine, &code));
        let millis = |took: std::time::Duration| took.as_secs_f64() * 1e3;
        cold.add(millis(compile.1), compiled);
        warm.add(millis(load.and_ok()?), loaded);
    }
    Ok(vec![
        Row::new("first start, component compiled", "ms", "wasmtime: compile", cold, None),
        Row::new("first start, component from the cache", "ms", "wasmtime: deserialize", warm, None),
    ])
}

/// Milliseconds of the first start in a new runtime with this cache.
async fn first_start(cache: &Path) -> Result<f64> {
    let world = World::with(&["counter"], builder().compile_cache(CompileCache::open(cache)?));
    let manifest = ManifestConfig::from_file(world.path().join("counter.toml"))?;
    let took = timed_async(world.runtime.spawn_actor(manifest)).await.and_ok()?;
    // Waits until the cache is written.
    world.runtime.shutdown().await?;
    Ok(took.as_secs_f64() * 1e3)
}

#[expect(unsafe_code, reason = "wasmtime cannot tell whether machine code is its own; this was written by it just now")]
fn load(engine: &Engine, code: &[u8]) -> theater::wasmtime::Result<Component> {
    unsafe { Component::deserialize(engine, code) }
}
