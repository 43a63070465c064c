//! Composing a runtime.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::Duration;

use theater_chain::note::HostKey;
use theater_chain::{ChainStore, MemoryStore};
use tokio::sync::watch;

use crate::background::Background;
use crate::capacity::Instances;
use crate::compile::{self, CompileCache, CompileEvent, Compiler, Observer};
use crate::component::Components;
use crate::engine;
use crate::flights::Flights;
use crate::handler::{ErasedHandler, Handler, Registered};
use crate::journal::Journal;
use crate::made::Templates;
use crate::places::LivePool;
use crate::resent::Resent;
use crate::runtime::TheaterRuntime;
use crate::shared::Shared;
use crate::sources::{Sources, SystemSources};
use crate::tree::Tree;
use crate::tree_heads::Signer;
use crate::upgrade::UpgradeCheck;

/// Why a runtime could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A handler could not be set up.
    #[error("handler `{handler}` cannot be set up: {reason}")]
    Handler {
        /// The handler.
        handler: &'static str,
        /// Why.
        reason: String,
    },
    /// Two handlers have the same name.
    #[error("two handlers are named `{0}`; list each handler once")]
    DuplicateHandler(&'static str),
    /// Two handlers provide the same interface.
    #[error("handlers `{first}` and `{second}` both provide {interface}; list one of them")]
    DuplicateInterface {
        /// The handler that was listed first.
        first: &'static str,
        /// The other one.
        second: &'static str,
        /// The interface.
        interface: String,
    },
    /// The runtime is built outside of a tokio runtime.
    #[error("a runtime is built inside a tokio runtime, which runs its actors")]
    NoTokio,
    /// The WebAssembly engine could not be made.
    #[error("the WebAssembly engine cannot be made: {0}")]
    Engine(String),
}

/// What a handler offers to actors, and what it calls on them: interfaces without their versions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerInterfaces {
    /// The handler's name, the `type` of its `[[handlers]]` entries.
    pub handler: &'static str,
    /// What an actor that lists it may import.
    pub imports: Vec<String>,
    /// What an actor that lists it may export.
    pub exports: Vec<String>,
}

/// Composes a [`TheaterRuntime`].
pub struct TheaterRuntimeBuilder {
    handlers: Vec<Result<Arc<dyn ErasedHandler>, BuildError>>,
    store: Arc<dyn ChainStore>,
    sources: Arc<dyn Sources>,
    live: Instances,
    linger: Option<Duration>,
    host_key: Option<HostKey>,
    sign_anew: bool,
    compile: compile::Options,
    upgrade_check: Option<Arc<dyn UpgradeCheck>>,
    #[cfg(feature = "testing")]
    pub(crate) failpoints: Option<crate::failpoint::Hook>,
    #[cfg(feature = "testing")]
    pub(crate) each_alone: bool,
}

impl TheaterRuntimeBuilder {
    pub(crate) fn new() -> Self {
        Self {
            handlers: Vec::new(),
            store: Arc::new(MemoryStore::new()),
            sources: Arc::new(SystemSources::new()),
            live: Instances::of_this_machine(),
            linger: None,
            host_key: None,
            sign_anew: false,
            compile: compile::Options::default(),
            upgrade_check: None,
            #[cfg(feature = "testing")]
            failpoints: None,
            #[cfg(feature = "testing")]
            each_alone: false,
        }
    }

    /// Adds a handler: actors of this runtime may list it.
    #[must_use]
    pub fn handler<H: Handler>(mut self, handler: H) -> Self {
        let registered = Registered::new(handler)
            .map(|registered| Arc::new(registered) as Arc<dyn ErasedHandler>)
            .map_err(|error| BuildError::Handler { handler: H::NAME, reason: format!("{error:#}") });
        self.handlers.push(registered);
        self
    }

    /// Keeps the chains in `store`. Without one they are kept in memory.
    #[must_use]
    pub fn store(mut self, store: impl ChainStore) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Signs with this key what is recorded: one checkpoint over all chains for each 100 ms in which
    /// something changed, and at the end. Without one nothing is signed. See [`host_key`](crate::host_key)
    /// for a key in a file.
    ///
    /// A store whose log of heads this key did not sign up to its end, or whose chains are not those
    /// that are logged, is refused: recovering and starting actors fails with
    /// [`StoreError::NotSigned`](theater_chain::StoreError::NotSigned).
    #[must_use]
    pub fn host_key(mut self, key: HostKey) -> Self {
        self.host_key = Some(key);
        self
    }

    /// Goes on with a store whose log the host's key did not sign, such as after the key was exchanged:
    /// whoever says so has verified the record. From here on this key signs it.
    #[must_use]
    pub fn sign_anew(mut self) -> Self {
        self.sign_anew = true;
        self
    }

    /// Asks this before an actor is upgraded, such as `theater_replay::TailCheck`, which has the new
    /// component make the last calls again. Without one nothing is checked but that the component fits
    /// and that its `migrate` runs.
    #[must_use]
    pub fn upgrade_check(mut self, check: impl UpgradeCheck) -> Self {
        self.upgrade_check = Some(Arc::new(check));
        self
    }

    /// Takes time and randomness from `sources`.
    #[must_use]
    pub fn sources(mut self, sources: impl Sources) -> Self {
        self.sources = Arc::new(sources);
        self
    }

    /// Instances that may be live at once, at least one; without this as many as the machine bears:
    /// [`Instances::of_this_machine`]. Idle actors beyond that are parked, the one that has been idle for
    /// longest first, and get a fresh instance with their next message.
    ///
    /// While a guest waits in a host call its place is lent to another actor, so that a chain of requests
    /// may be longer than there are places: up to an eighth more, and at least 128.
    #[must_use]
    pub fn live_instances(mut self, live: u32) -> Self {
        self.live = Instances::set(live);
        self
    }

    /// Parks an actor that has been idle for about this long even where nobody wants its place. Without
    /// this that is done after 15 s, and only while less than a tenth of the machine's memory is left.
    #[must_use]
    pub fn park_after(mut self, linger: Duration) -> Self {
        self.linger = Some(linger);
        self
    }

    /// Keeps compiled components in a folder, so that a later runtime need not compile them again.
    /// Without this they are compiled once per runtime.
    #[must_use]
    pub fn compile_cache(mut self, cache: CompileCache) -> Self {
        self.compile.cache = Some(cache);
        self
    }

    /// How long a start waits for its component to be compiled (60 s); then it fails. The compile
    /// itself goes on, so that a later start finds it done.
    #[must_use]
    pub fn compile_timeout(mut self, timeout: Duration) -> Self {
        self.compile.timeout = timeout;
        self
    }

    /// Tells `observe` what becomes of each component that is compiled or read from the cache, to be
    /// shown. It runs on the threads that do this, and must return soon.
    #[must_use]
    pub fn on_compile(mut self, observe: impl Fn(&CompileEvent) + Send + Sync + 'static) -> Self {
        self.compile.observer = Observer::new(observe);
        self
    }

    /// The interfaces of the handlers that were added so far, in their order; nothing is built. A
    /// handler that cannot be set up is left out: [`TheaterRuntimeBuilder::build`] says why.
    pub fn interfaces(&self) -> Vec<HandlerInterfaces> {
        let handlers = self.handlers.iter().flatten();
        handlers.map(|handler| interfaces_of(&**handler)).collect()
    }

    /// Builds the runtime; actors run on the current tokio runtime.
    ///
    /// # Errors
    /// A handler cannot be set up, a duplicate handler name or interface, no tokio runtime, or the
    /// engine cannot be made.
    pub fn build(self) -> Result<TheaterRuntime, BuildError> {
        let tasks = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoTokio)?;
        let handlers = self.handlers.into_iter().collect::<Result<Vec<_>, _>>()?;
        check_duplicates(&handlers)?;
        let failed = |error: &dyn std::fmt::Display| BuildError::Engine(error.to_string());
        let engine = engine::build(self.live.slots).map_err(|error| failed(&error))?;
        let background = Background::new().map_err(|error| failed(&error))?;
        #[cfg_attr(not(feature = "testing"), expect(unused_mut, reason = "tests change it"))]
        let mut journal = Journal::new(self.store, self.sources.clone());
        #[cfg(feature = "testing")]
        {
            journal.each_alone = self.each_alone;
        }
        let journal = Arc::new(journal);
        let host_key = self.host_key.as_ref().map(|key| key.public().hex());
        let anew = self.sign_anew;
        let signer = self.host_key.map(|key| Signer { key, anew, sources: self.sources.clone() });
        let engine_record = engine::record(&engine);
        let compiler =
            Compiler::new(engine.clone(), engine_record.config, self.compile, self.sources.clone(), tasks.clone());
        let shared = Shared {
            engine_record,
            host_key,
            compiler,
            components: Components::new(engine.clone()),
            engine,
            handlers,
            flights: Flights::new(journal.clone()),
            journal: journal.clone(),
            sources: self.sources,
            tree: Tree::default(),
            templates: Templates::default(),
            binaries: Arc::default(),
            resent: Resent::default(),
            at_ms_ahead: AtomicI64::new(0),
            recovered: AtomicBool::new(false),
            recovering: watch::Sender::new(false),
            pool: Arc::new(LivePool::new(self.live, self.linger)),
            background,
            upgrade_check: self.upgrade_check,
            tasks,
            #[cfg(feature = "testing")]
            failpoints: self.failpoints,
        };
        shared.spawn(journal.write(signer));
        tracing::info!("{}", self.live);
        Ok(TheaterRuntime::new(shared))
    }
}

fn interfaces_of(handler: &dyn ErasedHandler) -> HandlerInterfaces {
    let distinct = |names: &mut dyn Iterator<Item = &str>| {
        let mut distinct: Vec<String> = Vec::new();
        for name in names {
            if !distinct.iter().any(|known| known == name) {
                distinct.push(name.to_owned());
            }
        }
        distinct
    };
    HandlerInterfaces {
        handler: handler.name(),
        imports: distinct(&mut handler.imports().iter().map(|def| def.interface.name.as_str())),
        exports: distinct(&mut handler.exports().iter().map(|def| def.interface())),
    }
}

fn check_duplicates(handlers: &[Arc<dyn ErasedHandler>]) -> Result<(), BuildError> {
    let mut interfaces: HashMap<&str, &'static str> = HashMap::new();
    for (index, handler) in handlers.iter().enumerate() {
        if handlers[..index].iter().any(|other| other.name() == handler.name()) {
            return Err(BuildError::DuplicateHandler(handler.name()));
        }
        for def in handler.imports() {
            let first = *interfaces.entry(&def.interface.name).or_insert(handler.name());
            if first != handler.name() {
                let interface = def.interface.name.clone();
                return Err(BuildError::DuplicateInterface { first, second: handler.name(), interface });
            }
        }
    }
    Ok(())
}
