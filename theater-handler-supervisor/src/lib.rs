//! Supervision for Theater actors: an actor that lists this handler may have child actors, which are
//! restarted as its manifest declares or as it decides, with the state that is chosen there.
//!
//! ```toml
//! [[handlers]]
//! type = "supervisor"
//! permissions = { max_children = 10, manifests = ["workers/*.toml"] }
//! ```
//!
//! Its entry may declare children and what is done when they fail: `[[handlers.children]]`,
//! strategies, groups, budgets, delays, rules about errors. All keys are in `docs/semantics.md` of the
//! repository; what is decided is computed by [`theater_supervision_policy`].
//!
//! ```toml
//! max_restarts = 5
//! within = "1m"
//! backoff = { initial = "100ms" }
//!
//! [[handlers.children]]
//! id = "ledger"
//! manifest = "ledger.toml"
//! restart_state = "resume"
//! ```
//!
//! The actor imports `theater:simple/supervisor` and, for restarts that choose their state and for
//! a full view of the children, `theater:simple/supervision`; it may export
//! `theater:simple/supervisor-handlers` to be told of its children's ends, `supervision-policy` to be asked
//! what to do about them first, and `supervision-events` to be told of their events. What a child may use is
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
mod decide;
mod declared;
mod error;
mod events;
mod facts;
mod host;
mod link;
mod manifests;
mod recover;
mod restart;
mod specs;
mod supervision;
mod wit;

use std::path::Path;
use std::sync::Arc;

use theater::{Anchor, ConfigFault, Denied, Effect, ExportLinker, Handler, HostLinker, Result, Start};
use theater_supervision_policy::AnchorMode;

pub use config::{SupervisorConfig, SupervisorHostConfig, SupervisorPermissions};
pub use error::SupervisorError;

use supervision::Supervision;

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
    supervision: Arc<Supervision>,
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
            .func_async("start-child", Effect::WriteIdempotent, specs::start_child)?
            .func_async("terminate-child", Effect::WriteIdempotent, specs::terminate_child)?
            .func_async("restart-child-with", Effect::WriteIdempotent, specs::restart_child_with)?
            .func("delete-child", Effect::WriteIdempotent, specs::delete_child)?
            .func_async("which-children", Effect::Read, specs::which_children)?
            .func("count-children", Effect::Read, specs::count_children)?
            .func("get-child-spec", Effect::Read, specs::get_child_spec)?
            .in_call()
            .func("escalate", Effect::Read, specs::escalate)?;
        Ok(())
    }

    fn add_export_functions(exports: &mut ExportLinker<'_, Self>) -> Result<()> {
        exports
            .func(&callbacks::HANDLE_CHILD_ERROR)?
            .func(&callbacks::HANDLE_CHILD_EXIT)?
            .func(&callbacks::HANDLE_CHILD_EXTERNAL_STOP)?
            .func(&decide::DECIDE)?
            .func(&events::HANDLE_CHILD_EVENT)?;
        Ok(())
    }

    async fn start(
        &self,
        cx: Start<'_>,
        config: SupervisorConfig,
        permissions: SupervisorPermissions,
    ) -> Result<Supervisor> {
        permissions.patterns()?;
        // What is wrong with it was found before anything started.
        let (policy, warnings) = config.policy().map_err(|faults| {
            theater::Error::msg(faults.into_iter().map(|fault| fault.reason).collect::<Vec<_>>().join("; "))
        })?;
        for warning in warnings {
            tracing::warn!(actor = cx.actor_name(), key = warning.key.join("."), "{}", warning.reason);
        }
        cx.anchor(match policy.anchor {
            AnchorMode::Batched => Anchor::Batched,
            AnchorMode::Every => Anchor::Every,
            AnchorMode::Lifecycle => Anchor::Lifecycle,
        });
        let rules = !policy.errors.is_empty();
        let supervision = Supervision::new(cx.actor(), permissions, policy);
        let recovery = if cx.is_recovering() { Some(supervision.recover(&cx).await?) } else { None };
        let exits = supervision.clone();
        cx.exits(move |exit| exits.exited(exit))?;
        let begins = supervision.clone();
        cx.begins(move |child| begins.operator_restarted(child))?;
        if rules {
            let errs = supervision.clone();
            cx.errs(move |erred| errs.erred(erred))?;
        }
        match recovery {
            Some(recovery) if cx.had_started() => supervision.go_on(&cx.tree(), recovery).await?,
            Some(_) if cx.is_fork() => supervision.without_declared(),
            Some(recovery) => {
                let waiting = supervision.waiting(&cx.tree(), recovery).await?;
                supervision.start_declared(&cx.starting_tree(), Some(cx.started()), waiting).await?;
            }
            // It has none of the children of the actor that it was forked from.
            None if cx.is_fork() => supervision.without_declared(),
            None => {
                let again = (cx.incarnation() > 1).then(|| cx.started());
                supervision.start_declared(&cx.starting_tree(), again, Vec::new()).await?;
            }
        }
        Ok(Supervisor { supervision })
    }

    fn check(config: &SupervisorConfig, folder: &Path) -> Vec<ConfigFault> {
        config.faults(folder)
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
