//! One compile, on threads of its own. No API of the compiler ends it early, so nobody waits for
//! these threads: neither the end of a runtime nor that of the process.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use wasmtime::Engine;
use wasmtime::component::Component;

/// How far the priority of compiling is lowered, as `nice` counts: actors that are busy on every core
/// leave it a quarter of the time.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Compiles `bytes`, and hands over what came of it on one of the threads.
///
/// Each compile has a pool of its own: in a shared one, a thread that waits for its part of a small
/// component would take on a part of a large one and be done only after that.
pub(super) fn start(
    engine: Engine,
    bytes: Bytes,
    then: impl FnOnce(Result<Component, String>) + Send + 'static,
) -> Result<(), String> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(std::thread::available_parallelism().map_or(1, usize::from))
        .thread_name(|number| format!("theater-compile-{number}"))
        .start_handler(|_| lower_priority())
        .build()
        .map_err(|error| format!("the system refuses the threads to compile it: {error}"))?;
    pool.spawn(move || {
        let compiled = catch_unwind(AssertUnwindSafe(|| Component::from_binary(&engine, &bytes)));
        let compiled = match compiled {
            Ok(Ok(component)) => Ok(component),
            Ok(Err(error)) => {
                Err(format!("it cannot be compiled: {}; build it again with `theater build`", error.root_cause()))
            }
            Err(_) => Err("the compiler panicked on it".to_owned()),
        };
        // A panic that leaves a thread of a pool ends the process.
        let _ = catch_unwind(AssertUnwindSafe(|| then(compiled)));
    });
    Ok(())
}

fn lower_priority() {
    // On Linux this is the priority of the calling thread alone. Where it is not allowed, compiling
    // merely competes.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}
