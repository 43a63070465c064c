//! The wasmtime engine of a runtime: its settings, and the ticker that lets it interrupt guests. Public
//! for who runs recorded guests again: only with the same settings do they behave the same.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use theater_chain::Digest;
use theater_chain::data::EngineRecord;
use wasmtime::{Config, Enabled, Engine, EngineWeak, PoolingAllocationConfig, Result, WasmBacktraceDetails};

/// How often a running guest may be interrupted.
pub const TICK: Duration = Duration::from_millis(2);

/// The wasm stack of a guest; an endless recursion traps at its end.
const WASM_STACK: usize = 512 << 10;

/// The stack of a guest's fiber, host functions included. What is left beyond the wasm stack is
/// theirs: an overflow there would abort the process, so it is wide (its memory is lazy).
const FIBER_STACK: usize = 2 << 20;

/// Core instances of one component; a guest that was made into a component has three or four.
const CORE_INSTANCES: u32 = 64;

/// Builds an engine for at most `live` instances at once and starts its ticker.
///
/// # Errors
/// The machine cannot run wasm, or has no room for another thread.
pub fn build(live: u32) -> Result<Engine> {
    let engine = Engine::new(&config(Some(live)))
        // Where the address space is limited the pool cannot be reserved; instances on demand work.
        .or_else(|_| Engine::new(&config(None)))?;
    start_ticker(engine.weak())?;
    Ok(engine)
}

fn config(live: Option<u32>) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .wasm_component_model(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_threads(false)
        .wasm_memory64(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .memory_init_cow(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    if let Some(live) = live {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(live)
            .total_core_instances(live.saturating_mul(CORE_INSTANCES))
            // Each reserves 4 GiB of address space; a component with several memories is rare.
            .total_memories(live.saturating_add(live / 4).saturating_add(4))
            .total_tables(live.saturating_mul(4))
            .total_stacks(live)
            .max_core_instances_per_component(CORE_INSTANCES)
            .max_memories_per_component(4)
            .max_tables_per_component(16)
            .table_elements(100_000)
            .max_memory_size(1 << 32)
            .max_unused_warm_slots(256)
            .linear_memory_keep_resident(128 << 10)
            .table_keep_resident(16 << 10)
            .async_stack_keep_resident(16 << 10)
            .pagemap_scan(Enabled::Auto);
        config.allocation_strategy(pool);
    }
    config
}

/// The ticker is an OS thread of its own: a task would starve together with the loops that it is
/// there to interrupt. It ends with the engine.
fn start_ticker(engine: EngineWeak) -> Result<()> {
    std::thread::Builder::new().name("theater-ticker".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    })?;
    Ok(())
}

/// An engine that compiles and runs guests as those of a runtime, without a pool of instances: for
/// programs that make few, such as a replay. Its ticker runs.
///
/// # Errors
/// As [`build`].
pub fn build_small() -> Result<Engine> {
    let engine = Engine::new(&config(None))?;
    start_ticker(engine.weak())?;
    Ok(engine)
}

/// What compiled and runs the components, as recorded in `actor_started`.
pub fn record(engine: &Engine) -> EngineRecord {
    let mut hasher = ShaHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    EngineRecord {
        wasmtime: wasmtime_environ::VERSION.to_owned(),
        config: Digest(hasher.0.finalize().into()),
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
    }
}

struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
