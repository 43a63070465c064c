//! Compiling components: once per digest, however many actors wait for it, off every loop, and kept
//! in a folder where there is one. Linking is [`crate::component`]'s.

mod artifact;
mod cache;
mod event;
mod job;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use sha2::{Digest as _, Sha256};
use theater_chain::Digest;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot, watch};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::sources::{Sources, within};

use self::cache::Unloaded;

pub use self::cache::{CacheError, CompileCache};
pub(crate) use self::event::Observer;
pub use self::event::{CompileEvent, CompileStep};

/// The largest component that is accepted, in bytes.
pub(crate) const MAX_COMPONENT: u64 = 128 << 20;

/// Compiled components that are kept in memory while no actor starts from them.
const KEPT: usize = 256;

/// Of all components that are compiled at a time, in MiB: compiling takes many times a component's
/// size in memory. One that is larger is compiled alone.
const ROOM: u32 = 64;

/// What even the smallest takes of that: two at a time, since each has all cores.
const LEAST: u32 = ROOM / 2;

/// Entries of the cache that are read at a time.
const LOADS: usize = 4;

/// How long the end of a runtime waits for entries of the cache that are being written.
const KEEP: Duration = Duration::from_secs(1);

/// How often it is told that a compile still runs.
const TELL: Duration = Duration::from_secs(1);

/// What a program sets.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) cache: Option<CompileCache>,
    /// How long a start waits for its component.
    pub(crate) timeout: Duration,
    pub(crate) observer: Observer,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache: None, timeout: Duration::from_secs(60), observer: Observer::default() }
    }
}

/// Why there is no component.
#[derive(Debug, Clone)]
pub(crate) enum NotCompiled {
    /// The reason, and what to do.
    Refused(Arc<str>),
    /// The runtime is shutting down, and nobody waits for a compile then.
    Closing,
}

impl From<String> for NotCompiled {
    fn from(reason: String) -> Self {
        Self::Refused(reason.into())
    }
}

/// A compilation under way or done. It goes on when nobody waits for it any more.
type Flight = Shared<BoxFuture<'static, Result<Component, NotCompiled>>>;

/// A flight, and when it was last asked for.
struct Known {
    flight: Flight,
    used: u64,
}

/// The compiled components, the newest last.
#[derive(Default)]
struct Flights {
    known: HashMap<Digest, Known>,
    clock: u64,
}

impl Flights {
    /// Forgets the component that was asked for longest ago, where there are too many.
    fn make_room(&mut self) {
        if self.known.len() < KEPT {
            return;
        }
        let done = self.known.iter().filter(|(_, known)| known.flight.peek().is_some());
        if let Some(oldest) = done.min_by_key(|(_, known)| known.used).map(|(digest, _)| *digest) {
            self.known.remove(&oldest);
        }
    }
}

/// The compiler of a runtime.
pub(crate) struct Compiler {
    engine: Engine,
    /// Everything about the engine on which compiled code depends.
    config: Digest,
    options: Options,
    sources: Arc<dyn Sources>,
    tasks: Handle,
    flights: Mutex<Flights>,
    room: Arc<Semaphore>,
    loads: Semaphore,
    warned: AtomicBool,
    closing: watch::Sender<bool>,
    /// Entries of the cache that are being written.
    keeping: watch::Sender<usize>,
}

impl Compiler {
    pub(crate) fn new(
        engine: Engine,
        config: Digest,
        options: Options,
        sources: Arc<dyn Sources>,
        tasks: Handle,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            config,
            options,
            sources,
            tasks,
            flights: Mutex::default(),
            room: Arc::new(Semaphore::new(ROOM as usize)),
            loads: Semaphore::new(LOADS),
            warned: AtomicBool::new(false),
            closing: watch::Sender::new(false),
            keeping: watch::Sender::new(0),
        })
    }

    /// The component: from memory, from the cache, or compiled. `file` is its file, for what is told
    /// of it.
    pub(crate) async fn compile(
        self: &Arc<Self>,
        digest: Digest,
        bytes: &Bytes,
        file: &Path,
    ) -> Result<Component, NotCompiled> {
        check(bytes)?;
        let flight = self.flight(digest, bytes, file);
        if let Some(Ok(component)) = flight.peek() {
            return Ok(component.clone());
        }
        let timeout = self.options.timeout;
        let mut closing = self.closing.subscribe();
        let compiled = tokio::select! {
            biased;
            compiled = within(&*self.sources, timeout, flight.clone()) => compiled,
            _ = closing.wait_for(|closing| *closing) => return Err(NotCompiled::Closing),
        };
        match compiled {
            Some(Ok(component)) => Ok(component),
            Some(Err(error)) => {
                // The next one tries again.
                let mut flights = self.flights();
                if flights.known.get(&digest).is_some_and(|known| known.flight.ptr_eq(&flight)) {
                    flights.known.remove(&digest);
                }
                Err(error)
            }
            None => Err(NotCompiled::from(format!(
                "it was not compiled within {}, the runtime's compile timeout; compiling goes on, so a later start may \
                 find it done",
                humantime::format_duration(timeout)
            ))),
        }
    }

    /// Has everybody leave who waits for a component.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until what has been compiled is in the cache, for a short time: it only saves time later.
    pub(crate) async fn kept(&self) {
        let mut keeping = self.keeping.subscribe();
        let kept = keeping.wait_for(|keeping| *keeping == 0);
        within(&*self.sources, KEEP, kept).await;
    }

    fn flight(self: &Arc<Self>, digest: Digest, bytes: &Bytes, file: &Path) -> Flight {
        let mut flights = self.flights();
        flights.clock += 1;
        let used = flights.clock;
        if let Some(known) = flights.known.get_mut(&digest) {
            known.used = used;
            return known.flight.clone();
        }
        flights.make_room();
        let event = CompileEvent { component: file.to_owned(), digest, bytes: bytes.len(), step: CompileStep::Begun };
        #[expect(clippy::disallowed_methods, reason = "a task of the runtime: whoever waits may go")]
        let task = self.tasks.spawn(self.clone().fly(bytes.clone(), event));
        let flight = async move { task.await.unwrap_or(Err(NotCompiled::Closing)) };
        let flight = flight.boxed().shared();
        flights.known.insert(digest, Known { flight: flight.clone(), used });
        flight
    }

    /// From the cache, else compiled.
    async fn fly(self: Arc<Self>, bytes: Bytes, event: CompileEvent) -> Result<Component, NotCompiled> {
        let key = self.key(event.digest);
        if let Some(component) = self.load(key, &event).await {
            return Ok(component);
        }
        let wanted = u32::try_from(bytes.len() >> 20).unwrap_or(ROOM).clamp(LEAST, ROOM);
        // The permit is given back when the compile is over, however long that takes.
        let permit = self.room.clone().acquire_many_owned(wanted).await.map_err(|_| NotCompiled::Closing)?;
        self.tell(&event, CompileStep::Begun);
        let begun = self.sources.monotonic();
        let (send, mut compiled) = oneshot::channel();
        let (compiler, told) = (self.clone(), event.clone());
        job::start(self.engine.clone(), bytes, move |compiled| {
            let took = compiler.sources.monotonic().saturating_sub(begun);
            compiler.tell_end(&told, &compiled, took);
            let component = compiled.as_ref().ok().cloned();
            compiler.keeping.send_modify(|keeping| *keeping += 1);
            // Whoever waits does not wait for the disk.
            let _ = send.send(compiled);
            if let Some(component) = component {
                compiler.keep(&component, key, &told);
            }
            compiler.keeping.send_modify(|keeping| *keeping -= 1);
            drop(permit);
        })?;
        loop {
            tokio::select! {
                biased;
                compiled = &mut compiled => {
                    return Ok(compiled.map_err(|_| NotCompiled::Closing)??);
                }
                () = self.sources.sleep(TELL) => {
                    self.tell(&event, CompileStep::Running(self.sources.monotonic().saturating_sub(begun)));
                    // A clock that runs fast keeps nobody from running.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Reads the cache; `None`: the component must be compiled.
    async fn load(self: &Arc<Self>, key: Digest, event: &CompileEvent) -> Option<Component> {
        let cache = self.options.cache.clone()?;
        let _permit = self.loads.acquire().await.ok()?;
        let engine = self.engine.clone();
        let loaded = tokio::task::spawn_blocking(move || cache.load(&engine, &key)).await.ok()?;
        match loaded {
            Ok(Some(component)) => {
                tracing::debug!("{} is in the compile cache", event.component.display());
                self.tell(event, CompileStep::Loaded);
                return Some(component);
            }
            Ok(None) => {}
            Err(Unloaded::Damaged(reason)) => {
                tracing::warn!("{reason}; it is compiled again");
                self.tell(event, CompileStep::Damaged(reason));
            }
            Err(Unloaded::Io(error)) => self.warn_once(&error),
        }
        None
    }

    fn keep(&self, component: &Component, key: Digest, event: &CompileEvent) {
        let Some(cache) = &self.options.cache else { return };
        match cache.keep(component, &key) {
            Ok(bytes) => self.tell(event, CompileStep::Kept(bytes)),
            Err(error) => {
                self.warn_once(&error);
                self.tell(event, CompileStep::NotKept(error.to_string()));
            }
        }
    }

    /// A cache that does not work costs time alone: that is said once.
    fn warn_once(&self, error: &std::io::Error) {
        if let Some(cache) = &self.options.cache
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            let folder = cache.path().display();
            tracing::warn!("the compile cache {folder} does not work ({error}); components are compiled at each run");
        }
    }

    /// Where a component's code is kept: wherever anything is different on which it depends, it is
    /// another key. `Component::deserialize` itself would take code made with other settings.
    fn key(&self, component: Digest) -> Digest {
        Digest(Sha256::new().chain_update(component.0).chain_update(self.config.0).finalize().into())
    }

    fn tell_end(&self, event: &CompileEvent, compiled: &Result<Component, String>, took: Duration) {
        let step = match compiled {
            Ok(_) => {
                if took >= TELL {
                    tracing::info!("compiled {} in {took:.1?}", event.component.display());
                }
                CompileStep::Compiled(took)
            }
            Err(reason) => CompileStep::Failed(reason.clone()),
        };
        self.tell(event, step);
    }

    fn tell(&self, event: &CompileEvent, step: CompileStep) {
        self.options.observer.tell(&CompileEvent { step, ..event.clone() });
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells a component from a core module and from a file that is no WebAssembly, for the message.
fn check(bytes: &[u8]) -> Result<(), String> {
    if bytes.len() as u64 > MAX_COMPONENT {
        return Err(format!("it is larger than {MAX_COMPONENT} bytes"));
    }
    match bytes {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(
            "it is a core WebAssembly module, not a component; build the guest with `theater build`, which makes one"
                .to_owned(),
        ),
        _ => Err("it is not a WebAssembly file; name the component that `theater build` wrote".to_owned()),
    }
}
