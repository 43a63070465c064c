//! WASI 0.2 for components that standard toolchains make: Rust's `wasm32-wasip2`, JavaScript and
//! Python.
//!
//! ```toml
//! [[handlers]]
//! type = "wasi"
//! env = { LANG = "C" }     # all of the environment there is
//! args = ["my-actor"]      # the program's name first
//! ```
//!
//! What a program finds:
//!
//! | interfaces | |
//! |---|---|
//! | `wasi:clocks` | the runtime's clocks; a wait lasts for the manifest's `host_call_timeout` at most |
//! | `wasi:random` | the runtime's randomness, for the insecure functions too |
//! | `wasi:cli` environment | what the manifest says, and nothing of the host's |
//! | standard output and error | lines of the log at the levels `info` and `warn`; of what goes to standard error, the end stands in front of a trap in the actor's error |
//! | standard input | at its end |
//! | terminals | nothing is one |
//! | `exit` | ends the actor: with status 0 as `normal`, with another as failed |
//! | `wasi:filesystem`, `wasi:sockets` | can be imported; every use is denied, and recorded as such |
//!
//! Every call is recorded in the actor's chain as that of any other interface, handles by their
//! numbers, so that a chain is replayed without this crate: the clocks, the seeds of hash maps and
//! all randomness are what they were. Drops of handles are not recorded: they follow from the rest.
//!
//! Output counts against the manifest's limit `log`, each write with 64 bytes beside its text. What
//! exceeds it is dropped, and recorded without its text as denied by the rule `limits.log`.
//!
//! Nothing here has an effect outside of the actor. The handler needs no implementation of WASI
//! beneath it: what it offers are the runtime's own clocks, randomness and log.

mod absent;
mod cli;
mod clocks;
mod config;
mod handles;
mod io;
mod output;
mod random;
mod timers;

use std::path::Path;

use theater::log::{Log, LogLevel};
use theater::{Call, ConfigFault, Denied, ExitReason, Handler, HostLinker, NoPermissions, Result, Start};

pub use config::WasiConfig;

use crate::clocks::Begun;
use crate::output::{Output, Writer};

/// The WASI handler.
#[derive(Debug, Clone, Copy, Default)]
pub struct WasiHandler {}

impl WasiHandler {
    /// A handler; manifests configure it.
    pub fn new() -> Self {
        Self {}
    }
}

/// A host call.
type Wasi<'a> = Call<'a, WasiHandler>;

/// What the handler keeps for one actor.
#[derive(Debug)]
pub struct WasiState {
    config: WasiConfig,
    writer: Writer,
    clock: Option<Begun>,
    log: Log,
    stdout: Output,
    stderr: Output,
}

impl Handler for WasiHandler {
    const NAME: &'static str = "wasi";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = WasiConfig;
    type Permissions = NoPermissions;
    type State = WasiState;

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        cli::link(host)?;
        clocks::link(host)?;
        random::link(host)?;
        io::link(host)?;
        absent::link(host)
    }

    async fn start(&self, cx: Start<'_>, config: WasiConfig, _permissions: NoPermissions) -> Result<WasiState> {
        Ok(WasiState {
            config,
            writer: Writer { actor: cx.actor_id(), name: cx.actor_name().to_owned() },
            clock: None,
            log: Log::default(),
            stdout: Output::new(LogLevel::Info),
            stderr: Output::new(LogLevel::Warn),
        })
    }

    fn check(config: &WasiConfig, _folder: &Path) -> Vec<ConfigFault> {
        config.faults()
    }

    fn narrow(_held: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }

    async fn stop(&self, state: WasiState, _exit: &ExitReason) {
        state.stdout.close(&state.writer);
        state.stderr.close(&state.writer);
        state.log.close();
    }
}
