//! The runtime: what a program composes from handlers, a store and a tree of actors.

use std::sync::Arc;

use bytes::Bytes;
use theater_chain::data::KillCause;
use theater_chain::{ChainEvent, ChainStore, StoreError, TheaterId};

use crate::actor::Terms;
use crate::background::Background;
use crate::bring_up::Started;
use crate::capacity::Instances;
use crate::chain_view::ReadError;
use crate::cursor::EventCursor;
use crate::error::SpawnError;
use crate::exit::ExitReason;
use crate::exits::StoppedBy;
use crate::handle::ActorHandle;
use crate::manifest::ManifestConfig;
use crate::process::ActorProcess;
use crate::shared::Shared;
use crate::spawn::{self, Again, New, Origin, RestartFrom, find_store};
use crate::stop::{self, Shutdown};

pub use crate::builder::{BuildError, HandlerInterfaces, TheaterRuntimeBuilder};

/// Events read from the store at a time.
const PAGE: usize = 1_000;
/// Bytes of events after which one read takes no more.
const MAX_READ: usize = 64 << 20;

/// A runtime: handlers, a store, and trees of actors. Runtimes in one process share nothing.
///
/// [`TheaterRuntime::shutdown`] stops the actors in order; when the last clone is dropped without
/// it, they are killed.
#[derive(Clone)]
pub struct TheaterRuntime {
    pub(crate) shared: Arc<Shared>,
    _owner: Arc<Owner>,
}

/// Kills what is left when the last handle to the runtime goes: actors that nobody can reach.
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.tree.close();
        self.0.compiler.close();
        for root in self.0.tree.roots() {
            stop::kill(&root, KillCause::Host, StoppedBy::Operator);
        }
    }
}

impl TheaterRuntime {
    pub(crate) fn new(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        Self { _owner: Arc::new(Owner(shared.clone())), shared }
    }

    /// Begins to compose a runtime.
    pub fn builder() -> TheaterRuntimeBuilder {
        TheaterRuntimeBuilder::new()
    }

    /// Starts a root actor; returns when it runs.
    ///
    /// # Errors
    /// See [`SpawnError`]; a root that declines is [`SpawnError::Ended`].
    pub async fn spawn_actor(&self, manifest: ManifestConfig) -> Result<ActorHandle, SpawnError> {
        self.start(manifest, Origin::Init(None)).await
    }

    /// As [`TheaterRuntime::spawn_actor`], with bytes that `init` gets in place of the manifest's
    /// `init_state`.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub async fn spawn_actor_with(
        &self,
        manifest: ManifestConfig,
        init: impl Into<Bytes>,
    ) -> Result<ActorHandle, SpawnError> {
        self.start(manifest, Origin::Init(Some(init.into()))).await
    }

    /// Starts a root actor from state bytes, without `init`.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub async fn resume_actor(
        &self,
        manifest: ManifestConfig,
        state: Option<Bytes>,
    ) -> Result<ActorHandle, SpawnError> {
        self.start(manifest, Origin::State(state)).await
    }

    async fn start(&self, manifest: ManifestConfig, origin: Origin) -> Result<ActorHandle, SpawnError> {
        self.shared.journal.begun().await?;
        let mut id = [0; 16];
        self.shared.sources.fill_random(&mut id);
        let id = TheaterId::from_bytes(id);
        let name = manifest.name.clone();
        let new = New { parent: None, id, manifest, origin, parent_event: None, terms: Terms::default() };
        match spawn::spawn(self.shared.clone(), new).await? {
            Started::Running => Ok(self.handle(id)),
            Started::Declined => Err(SpawnError::Ended { id, name, reason: ExitReason::Declined }),
        }
    }

    /// A handle to an actor, whether or not it is alive.
    pub fn handle(&self, actor: TheaterId) -> ActorHandle {
        ActorHandle::new(self.shared.clone(), actor)
    }

    /// Stops an actor and everything below it: asked, killed after its default time (5 s; for one
    /// with children, as long as these take). Its parent is told and does not restart it by policy.
    ///
    /// # Errors
    /// No such actor is alive.
    pub async fn stop_actor(&self, actor: TheaterId) -> Result<(), SpawnError> {
        let found = self.shared.tree.find(actor).ok_or(SpawnError::NotFound(actor))?;
        stop::stop(&found, stop::default_time(&found), StoppedBy::Operator).await;
        Ok(())
    }

    /// As [`TheaterRuntime::stop_actor`], with a time of the caller's.
    ///
    /// # Errors
    /// No such actor is alive.
    pub async fn stop_actor_within(&self, actor: TheaterId, shutdown: Shutdown) -> Result<(), SpawnError> {
        let found = self.shared.tree.find(actor).ok_or(SpawnError::NotFound(actor))?;
        stop::stop(&found, shutdown, StoppedBy::Operator).await;
        Ok(())
    }

    /// Starts the next incarnation of an actor; one that runs is stopped first.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub async fn restart_actor(&self, actor: TheaterId, from: RestartFrom) -> Result<(), SpawnError> {
        // In a task of its own: a caller that gives up must not leave a restart half done.
        let again = Again::new(actor, from, None, StoppedBy::Operator);
        let restart = spawn::restart(self.shared.clone(), again);
        let usage = self.shared.tree.usage(actor);
        Background::run_busy(&self.shared, &usage, restart).await.ok_or(SpawnError::ShuttingDown)?.map(drop)
    }

    /// The last committed state of an actor, alive or ended. Never waits for the actor.
    ///
    /// # Errors
    /// No such actor, or the store failed.
    pub async fn get_actor_state(&self, actor: TheaterId) -> Result<Option<Bytes>, SpawnError> {
        if let Some(found) = self.shared.tree.find(actor) {
            return Ok(found.committed().state);
        }
        self.shared.journal.told().await?;
        let store = find_store(&self.shared, actor).await?;
        let entry = store.actor(actor).await?.ok_or(SpawnError::NotFound(actor))?;
        Ok(if entry.index.state.is_zero() { None } else { store.state(entry.index.state).await? })
    }

    /// Up to `max` events of an actor's chain from `from` on, alive or ended. Never waits for the
    /// actor, only for the commit of what was appended.
    ///
    /// Fewer than `max` are the end of the chain, or those after which the data and payloads read
    /// were over 64 MiB: ask again from the next seq; none at all are the end.
    /// [`TheaterRuntime::subscribe`] reads a chain of any size.
    ///
    /// # Errors
    /// The store failed.
    pub async fn get_actor_events(
        &self,
        actor: TheaterId,
        from: u64,
        max: usize,
    ) -> Result<Vec<ChainEvent>, ReadError> {
        self.read_events(actor, from, max, MAX_READ).await
    }

    /// Those events, up to the page of the store that takes them over `bytes`.
    pub(crate) async fn read_events(
        &self,
        actor: TheaterId,
        from: u64,
        max: usize,
        bytes: usize,
    ) -> Result<Vec<ChainEvent>, ReadError> {
        self.shared.journal.told().await?;
        let store = find_store(&self.shared, actor).await?;
        let (mut events, mut read, mut next): (Vec<ChainEvent>, usize, u64) = (Vec::new(), 0, from);
        while events.len() < max && read <= bytes {
            let page = store.events(actor, next, PAGE.min(max - events.len())).await?;
            let Some(last) = page.last() else { break };
            next = last.seq + 1;
            read += page.iter().map(ChainEvent::content_len).sum::<usize>();
            events.extend(page);
        }
        Ok(events)
    }

    /// Reads an actor's chain from `from` on and then waits for more. Lossless; never blocks the
    /// actor.
    ///
    /// # Errors
    /// The store failed.
    pub async fn subscribe(&self, actor: TheaterId, from: u64) -> Result<EventCursor, StoreError> {
        self.shared.journal.told().await?;
        let store = find_store(&self.shared, actor).await?.clone();
        Ok(EventCursor::new(actor, from, store, self.shared.journal.commits()))
    }

    /// How an actor stands, if it is alive.
    pub fn actor(&self, actor: TheaterId) -> Option<ActorProcess> {
        self.shared.tree.find(actor).map(|found| ActorProcess::of(&found))
    }

    /// Every actor that is alive, parents before their children.
    pub fn actors(&self) -> Vec<ActorProcess> {
        let mut actors = self.shared.tree.all();
        actors.sort_by_key(|actor| actor.depth);
        actors.iter().map(ActorProcess::of).collect()
    }

    /// How many instances may be live at once, and why no more.
    pub fn instances(&self) -> Instances {
        self.shared.pool.instances
    }

    /// The store that the runtime was composed with.
    pub fn store(&self) -> &Arc<dyn ChainStore> {
        self.shared.journal.store(false)
    }

    /// Waits until everything that happened so far is durable.
    ///
    /// # Errors
    /// The store failed.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.shared.journal.flushed().await
    }

    /// Waits until everything that happened so far is durable, and signed where the host has a key.
    ///
    /// # Errors
    /// The store failed.
    pub async fn seal(&self) -> Result<(), StoreError> {
        self.shared.journal.sealed().await
    }

    /// Stops every tree in order and waits until all of it is durable and signed. Nothing can be started any
    /// more.
    ///
    /// # Errors
    /// The store failed.
    pub async fn shutdown(&self) -> Result<(), StoreError> {
        self.shared.tree.close();
        self.shared.compiler.close();
        self.shared.journal.try_at_last();
        let roots = self.shared.tree.roots();
        let stops = roots.iter().map(|root| stop::stop(root, stop::default_time(root), StoppedBy::Operator));
        futures_util::future::join_all(stops).await;
        self.shared.compiler.kept().await;
        self.shared.journal.sealed().await
    }

    /// Kills every tree at once, for a second signal: nothing is asked first. What was acknowledged
    /// is durable all the same.
    ///
    /// # Errors
    /// The store failed.
    pub async fn kill(&self) -> Result<(), StoreError> {
        self.shared.tree.close();
        self.shared.compiler.close();
        self.shared.journal.try_at_last();
        let roots = self.shared.tree.roots();
        for root in &roots {
            stop::kill(root, KillCause::Host, StoppedBy::Operator);
        }
        for root in &roots {
            root.wait_ended().await;
        }
        self.shared.journal.sealed().await
    }
}
