//! Supervision for Theater actors: an actor that lists this handler may start child actors, hears
//! how each of them ends, and may restart them with the state that it chooses.
//!
//! ```toml
//! [[handlers]]
//! type = "supervisor"
//! permissions = { max_children = 10, manifests = ["workers/*.toml"] }
//! ```
//!
//! The actor imports `theater:simple/supervisor` and, for restarts that choose their state and for
//! a full view of the children, `theater:simple/supervision`; it may export
//! `theater:simple/supervisor-handlers` to be told of its children's ends. What a child may use is
//! in the child's own manifest, and never more than its parent holds.
//!
//! ```no_run
//! use theater::{ManifestConfig, TheaterRuntime};
//! use theater_handler_supervisor::{SupervisorHandler, SupervisorHostConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = TheaterRuntime::builder()
//!     .handler(SupervisorHandler::new(SupervisorHostConfig::default(), None))
//!     .build()?;
//! let root = runtime.spawn_actor(ManifestConfig::from_file("bank.toml")?).await?;
//! # Ok(())
//! # }
//! ```

mod callbacks;
mod config;
mod error;
mod host;
mod manifests;
mod supervision;

use theater::{ActorRef, Denied, Effect, ExportLinker, Handler, HostLinker, Result, Start};

pub use config::{SupervisorConfig, SupervisorHostConfig, SupervisorPermissions};
pub use error::SupervisorError;

/// The name under which the published documents know the handler.
pub type SupervisorHost = SupervisorHandler;

/// The supervisor handler.
#[derive(Debug, Clone, Default)]
pub struct SupervisorHandler {
    ceiling: Option<SupervisorPermissions>,
}

impl SupervisorHandler {
    /// A handler under whose runtime no actor holds more than `ceiling`; `None`: no limit beyond
    /// what the manifests say.
    pub fn new(config: SupervisorHostConfig, ceiling: Option<SupervisorPermissions>) -> Self {
        let SupervisorHostConfig {} = config;
        Self { ceiling }
    }
}

/// What the handler keeps for one supervising actor.
pub struct Supervisor {
    permissions: SupervisorPermissions,
}

impl Handler for SupervisorHandler {
    const NAME: &'static str = "supervisor";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = SupervisorConfig;
    type Permissions = SupervisorPermissions;
    type State = Supervisor;

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        host.interface("theater:simple/supervisor@0.1.0")?
            .within_tree()
            .self_timed()
            .func_async("spawn", Effect::WriteIdempotent, host::spawn)?
            .func_async("resume", Effect::WriteIdempotent, host::resume)?
            .func("list-children", Effect::Read, host::list_children)?
            .func_async("stop-child", Effect::WriteIdempotent, host::stop_child)?
            .func_async("restart-child", Effect::WriteIdempotent, host::restart_child)?
            .func_async("get-child-state", Effect::Read, host::get_child_state)?
            .func_async("get-child-events", Effect::Read, host::get_child_events)?;
        host.interface("theater:simple/supervision@0.1.0")?
            .within_tree()
            .self_timed()
            .func_async("restart-child-with", Effect::WriteIdempotent, supervision::restart_child_with)?
            .func_async("terminate-child", Effect::WriteIdempotent, supervision::terminate_child)?
            .func_async("which-children", Effect::Read, supervision::which_children)?
            .func("count-children", Effect::Read, supervision::count_children)?
            .func("escalate", Effect::Read, supervision::escalate)?;
        Ok(())
    }

    fn add_export_functions(exports: &mut ExportLinker<'_, Self>) -> Result<()> {
        exports
            .func(&callbacks::HANDLE_CHILD_ERROR)?
            .func(&callbacks::HANDLE_CHILD_EXIT)?
            .func(&callbacks::HANDLE_CHILD_EXTERNAL_STOP)?;
        Ok(())
    }

    async fn start(
        &self,
        cx: Start<'_>,
        _config: SupervisorConfig,
        permissions: SupervisorPermissions,
    ) -> Result<Supervisor> {
        permissions.patterns()?;
        let actor: ActorRef = cx.actor();
        cx.exits(move |exit| callbacks::tell(&actor, exit))?;
        Ok(Supervisor { permissions })
    }

    fn narrow(
        held: &SupervisorPermissions,
        asked: SupervisorPermissions,
    ) -> std::result::Result<SupervisorPermissions, Denied> {
        held.narrow(asked)
    }

    fn ceiling(&self) -> Option<SupervisorPermissions> {
        self.ceiling.clone()
    }
}
