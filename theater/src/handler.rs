//! The handler contract: one capability, one crate, one implementation of [`Handler`].

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasmtime::Result;

use crate::error::{Denied, SpawnError};
use crate::exit::ExitReason;
use crate::export::{ExportDef, ExportLinker};
use crate::linker::{HostLinker, ImportDef};
use crate::manifest::{ManifestConfig, ManifestError};
use crate::start::Start;

/// A capability that actors may list in their manifests.
///
/// One value serves the whole runtime; each actor that lists the handler gets a [`Handler::State`]
/// of its own, built by [`Handler::start`] and lent to the host functions while they run. Handlers
/// know no other handlers; one that needs another's service takes an `Arc<dyn Trait>` from the
/// program that composes the runtime.
pub trait Handler: Sized + Send + Sync + 'static {
    /// The `type` of its `[[handlers]]` entries.
    const NAME: &'static str;
    /// Recorded with every actor that uses it; usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// The rest of a `[[handlers]]` entry; [`NoConfig`] for none. Unknown keys are errors, which
    /// the core reports with file and line: derive with `deny_unknown_fields`.
    type Config: DeserializeOwned + Default + Send;
    /// The `permissions` table of an entry; [`NoPermissions`] for none. `Default` is the safe
    /// useful minimum: it is what an entry without `permissions` asks for.
    type Permissions: DeserializeOwned + Serialize + Clone + Default + Send + Sync + 'static;
    /// What the handler keeps for one actor.
    type State: Send + 'static;

    /// Adds what an actor may import. Runs once, when the runtime is built.
    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()>;

    /// Adds what this handler calls on actors. Runs once, when the runtime is built.
    fn add_export_functions(exports: &mut ExportLinker<'_, Self>) -> Result<()> {
        let _ = exports;
        Ok(())
    }

    /// Builds the state of one actor, in manifest order, before the component is instantiated. An
    /// error fails the start of the actor; the handlers started before are stopped, in reverse.
    fn start(
        &self,
        cx: Start<'_>,
        config: Self::Config,
        permissions: Self::Permissions,
    ) -> impl Future<Output = Result<Self::State>> + Send;

    /// Checks a configuration as a whole, before anything starts: every fault, each with the key
    /// that is at fault. `folder` is the manifest's.
    fn check(config: &Self::Config, folder: &Path) -> Vec<ConfigFault> {
        let _ = (config, folder);
        Vec::new()
    }

    /// What an actor gets that asks for `asked` while its parent (or the composer) holds `held`.
    /// Asking for more than is held is an error, which fails the start.
    fn narrow(held: &Self::Permissions, asked: Self::Permissions) -> std::result::Result<Self::Permissions, Denied>;

    /// The most that any actor of this runtime may hold; `None`: no limit. Set by the composer.
    fn ceiling(&self) -> Option<Self::Permissions> {
        None
    }

    /// Ends the state of one actor, in reverse manifest order, once for each incarnation, after the
    /// instance is gone. The actor ends without it after 5 s.
    fn stop(&self, state: Self::State, exit: &ExitReason) -> impl Future<Output = ()> + Send {
        let _ = (state, exit);
        async {}
    }
}

/// Something in a `[[handlers]]` entry that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The steps from the entry to the key: keys, and places in arrays from 0.
    pub key: Vec<String>,
    /// What is wrong and what to do, in one sentence.
    pub reason: String,
}

/// The configuration of a handler that has nothing to configure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// The permissions of a handler that has nothing to permit beyond being listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoPermissions {}

/// Effective permissions of one handler, as held by an actor.
#[derive(Clone)]
pub(crate) struct Held {
    value: Arc<dyn Any + Send + Sync>,
    /// As recorded.
    pub(crate) json: serde_json::Value,
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A handler without its types.
pub(crate) trait ErasedHandler: Send + Sync {
    fn name(&self) -> &'static str;
    fn version(&self) -> &'static str;
    fn imports(&self) -> &[ImportDef];
    fn exports(&self) -> &[Arc<dyn ExportDef>];
    /// What an actor with this manifest holds of the handler, listed or granted; `None`: nothing.
    fn effective(&self, manifest: &ManifestConfig, parent: Holder<'_>)
    -> std::result::Result<Option<Held>, SpawnError>;
    fn start<'a>(
        &'a self,
        cx: Start<'a>,
        manifest: &ManifestConfig,
        index: usize,
        held: &Held,
    ) -> std::result::Result<BoxFuture<'a, Result<Box<dyn Any + Send>>>, ManifestError>;
    fn stop<'a>(&'a self, state: Box<dyn Any + Send>, exit: &'a ExitReason) -> BoxFuture<'a, ()>;
}

/// Who passes permissions down.
#[derive(Clone, Copy)]
pub(crate) enum Holder<'a> {
    /// The composer: its ceiling alone bounds a root.
    Composer,
    /// A parent, and what it holds of the handler in question.
    Parent { name: &'a str, path: &'a std::path::Path, held: Option<&'a Held> },
}

pub(crate) struct Registered<H> {
    handler: Arc<H>,
    imports: Vec<ImportDef>,
    exports: Vec<Arc<dyn ExportDef>>,
}

impl<H: Handler> Registered<H> {
    pub(crate) fn new(handler: H) -> Result<Self> {
        let handler = Arc::new(handler);
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        H::setup_host_functions(&mut HostLinker { handler: handler.clone(), defs: &mut imports })?;
        H::add_export_functions(&mut ExportLinker { defs: &mut exports, handler: PhantomData })?;
        Ok(Self { handler, imports, exports })
    }

    fn narrowed(
        &self,
        manifest: &ManifestConfig,
        asked: H::Permissions,
        parent: Holder<'_>,
    ) -> std::result::Result<H::Permissions, SpawnError> {
        let refused = |reason: String| SpawnError::Permission {
            manifest: manifest.path.display().to_string(),
            handler: H::NAME.to_owned(),
            reason,
        };
        let mut asked = asked;
        if let Some(ceiling) = self.handler.ceiling() {
            asked = H::narrow(&ceiling, asked)
                .map_err(|denied| refused(format!("this runtime permits less than is asked for: {denied}")))?;
        }
        let Holder::Parent { name, path, held } = parent else {
            return Ok(asked);
        };
        let held = held.and_then(|held| held.value.downcast_ref::<H::Permissions>()).ok_or_else(|| {
            refused(format!(
                "the parent `{name}` holds nothing of it; add to {}:\n\n[grants.{}]\n",
                path.display(),
                H::NAME
            ))
        })?;
        H::narrow(held, asked)
            .map_err(|denied| refused(format!("the parent `{name}` ({}) holds less: {denied}", path.display())))
    }
}

impl<H: Handler> ErasedHandler for Registered<H> {
    fn name(&self) -> &'static str {
        H::NAME
    }

    fn version(&self) -> &'static str {
        H::VERSION
    }

    fn imports(&self) -> &[ImportDef] {
        &self.imports
    }

    fn exports(&self) -> &[Arc<dyn ExportDef>] {
        &self.exports
    }

    fn effective(
        &self,
        manifest: &ManifestConfig,
        parent: Holder<'_>,
    ) -> std::result::Result<Option<Held>, SpawnError> {
        let listed = manifest.handlers.iter().position(|entry| entry.name == H::NAME);
        if let Some(index) = listed {
            // Read here once so that a wrong key is found before anything starts.
            let config = manifest.config::<H::Config>(index)?;
            manifest.refuse(index, H::check(&config, manifest.folder()))?;
        }
        // Not both: a manifest that lists and grants a handler is refused when it is read.
        let asked = match (listed, manifest.grant::<H::Permissions>(H::NAME)) {
            (Some(index), _) => manifest.permissions::<H::Permissions>(index)?,
            (None, Some(grant)) => grant?,
            (None, None) => return Ok(None),
        };
        let value = self.narrowed(manifest, asked, parent)?;
        let json = serde_json::to_value(&value).map_err(|error| SpawnError::Permission {
            manifest: manifest.path.display().to_string(),
            handler: H::NAME.to_owned(),
            reason: format!("its permissions cannot be recorded: {error}"),
        })?;
        Ok(Some(Held { value: Arc::new(value), json }))
    }

    fn start<'a>(
        &'a self,
        cx: Start<'a>,
        manifest: &ManifestConfig,
        index: usize,
        held: &Held,
    ) -> std::result::Result<BoxFuture<'a, Result<Box<dyn Any + Send>>>, ManifestError> {
        let config = manifest.config::<H::Config>(index)?;
        let permissions = held.value.downcast_ref::<H::Permissions>().cloned().unwrap_or_default();
        Ok(Box::pin(async move {
            let started =
                AssertUnwindSafe(async { self.handler.start(cx, config, permissions).await }).catch_unwind().await;
            match started {
                Ok(state) => Ok(Box::new(state?) as Box<dyn Any + Send>),
                Err(panic) => Err(wasmtime::format_err!("it panicked: {}", panic_text(&*panic))),
            }
        }))
    }

    fn stop<'a>(&'a self, state: Box<dyn Any + Send>, exit: &'a ExitReason) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Ok(state) = state.downcast::<H::State>() {
                let stopped = AssertUnwindSafe(async { self.handler.stop(*state, exit).await }).catch_unwind().await;
                if let Err(panic) = stopped {
                    tracing::error!(handler = H::NAME, "stop panicked: {}", panic_text(&*panic));
                }
            }
        })
    }
}

/// The message of a panic, where it has one.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
