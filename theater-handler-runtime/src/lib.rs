//! An actor's own affairs: its log, its id, its chain and its end.
//!
//! ```toml
//! [[handlers]]
//! type = "runtime"
//! ```
//!
//! The actor imports `theater:simple/runtime`. The handler has nothing to configure and nothing to
//! permit: an actor reaches only itself through it. Every actor that is written with the Rust SDK
//! lists it, since the message of a panic goes through the log.
//!
//! # The log
//!
//! Log lines are `tracing` events with the target `theater::actor` and the fields `actor` (its id)
//! and `name` (its manifest's); the program decides what becomes of them. Each line is recorded in
//! the actor's chain too, as every host call is. Both are bounded: a line longer than 64 KiB is cut,
//! and what exceeds the manifest's limit `log` (1 MiB a second, each line counted with 64 bytes
//! beside its text) is dropped. A dropped line is recorded as denied by the rule `limits.log`, without
//! its text, and the next line that passes says how many were dropped. Of a line that is cut or
//! dropped the chain holds the SHA-256.
//!
//! A line at level `error` is kept as what the actor says of a failure: should the call that wrote it
//! trap, it stands in front of the trap in the actor's error.
//!
//! ```no_run
//! use theater::{ManifestConfig, TheaterRuntime};
//! use theater_handler_runtime::RuntimeHandler;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = TheaterRuntime::builder().handler(RuntimeHandler::new()).build()?;
//! let actor = runtime.spawn_actor(ManifestConfig::from_file("hello.toml")?).await?;
//! println!("it ended: {}", actor.ended().await?);
//! # Ok(())
//! # }
//! ```

mod host;

use theater::log::Log;
use theater::{Denied, Effect, ExitReason, Handler, HostLinker, NoConfig, NoPermissions, Result, Start};

/// The runtime handler.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuntimeHandler {}

impl RuntimeHandler {
    /// A handler; it has nothing to configure.
    pub fn new() -> Self {
        Self {}
    }
}

impl Handler for RuntimeHandler {
    const NAME: &'static str = "runtime";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = Log;

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        // Nothing here has an effect outside of the actor, so a crash may run any of it again.
        host.interface("theater:simple/runtime@0.1.0")?
            .func("self-id", Effect::Read, host::self_id)?
            .func("chain-head", Effect::Read, host::chain_head)?
            .func_async("get-chain", Effect::Read, host::get_chain)?
            .func_async("get-chain-range", Effect::Read, host::get_chain_range)?
            .func("event-json", Effect::Read, host::event_json)?
            // These say how the running call ends, or what it says should it fail.
            .in_call()
            .func("log", Effect::Read, host::log)?
            .func("shutdown", Effect::Read, host::shutdown)?
            .func("decline-start", Effect::Read, host::decline_start)?;
        Ok(())
    }

    async fn start(&self, _cx: Start<'_>, _config: NoConfig, _permissions: NoPermissions) -> Result<Log> {
        Ok(Log::default())
    }

    fn narrow(_held: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }

    async fn stop(&self, log: Log, _exit: &ExitReason) {
        log.close();
    }
}
