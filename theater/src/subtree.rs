//! What a handler may do to the children of its actor. Any other actor is not found, whether or not
//! it exists.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use theater_chain::{Digest, StoreError, TheaterId};

use crate::actor::{Actor, lock};
use crate::background::Background;
use crate::bring_up::Started;
use crate::chain_view::ChainView;
use crate::error::{CycleError, SpawnError};
use crate::exits::StoppedBy;
use crate::manifest::ManifestConfig;
use crate::process::ActorProcess;
use crate::spawn::{self, Origin, RestartFrom, find_store};
use crate::stop::{self, Shutdown};
use crate::waits::Edge;

/// The subtree below one actor.
#[derive(Clone)]
pub struct Subtree {
    actor: Arc<Actor>,
    /// Whether the actor's guest waits for what is done here, so that cycles are found.
    waiting: bool,
}

/// Why something could not be done to a child.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// The actor has no such child.
    #[error("child {0} is not found")]
    NotFound(TheaterId),
    /// The child waits for this actor.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Subtree {
    pub(crate) fn new(actor: &Arc<Actor>) -> Self {
        Self { actor: actor.clone(), waiting: true }
    }

    pub(crate) fn unwaiting(actor: &Arc<Actor>) -> Self {
        Self { actor: actor.clone(), waiting: false }
    }

    /// The folder that child manifests are relative to.
    pub fn folder(&self) -> &Path {
        self.actor.made.manifest.folder()
    }

    /// How deep the actor stands: 0 for a root.
    pub fn depth(&self) -> u32 {
        self.actor.depth
    }

    /// The children that are alive, or that failed and whose messages wait for what is decided, oldest
    /// first.
    pub fn children(&self) -> Vec<ActorProcess> {
        self.actor.children().iter().map(ActorProcess::of).collect()
    }

    /// Starts a child and waits until its `init` has ended; `None` when it declined. `begun` is the
    /// event with which this began: the child's id derives from it, so that a spawn which a crash
    /// interrupted runs again as the same child.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub async fn spawn(
        &self,
        manifest: ManifestConfig,
        init: Option<Vec<u8>>,
        begun: Digest,
    ) -> Result<Option<TheaterId>, SpawnError> {
        self.start(manifest, Origin::Init(init.map(Bytes::from)), begun).await
    }

    /// As [`Subtree::spawn`], but from state bytes and without `init`.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub async fn resume(
        &self,
        manifest: ManifestConfig,
        state: Option<Vec<u8>>,
        begun: Digest,
    ) -> Result<Option<TheaterId>, SpawnError> {
        self.start(manifest, Origin::State(state.map(Bytes::from)), begun).await
    }

    async fn start(
        &self,
        manifest: ManifestConfig,
        origin: Origin,
        begun: Digest,
    ) -> Result<Option<TheaterId>, SpawnError> {
        let id = TheaterId::of_spawn(&begun);
        let _edge = self.edge(id)?;
        let shared = self.actor.shared.clone();
        let start = spawn::spawn(shared.clone(), Some(self.actor.clone()), id, manifest, origin, Some(begun));
        // In a task of its own: the host call that waits for it runs on the guest's small stack.
        let started = shared.spawn(start).await.map_err(|_| SpawnError::ShuttingDown)??;
        Ok((started == Started::Running).then_some(id))
    }

    /// Stops a child and everything below it; returns when all of it has ended. `None`: within its
    /// default time. A child that has ended already is stopped.
    ///
    /// # Errors
    /// No such child, or it waits for this actor.
    pub async fn stop(&self, child: TheaterId, shutdown: Option<Shutdown>, by: StoppedBy) -> Result<(), ChildError> {
        if let Some(actor) = self.alive(child) {
            if lock(&actor.inbox).is_over() {
                return Ok(()); // it failed, and this is its supervisor deciding
            }
            let _edge = self.edge(child)?;
            stop::stop(&actor, shutdown.unwrap_or_else(|| stop::default_time(&actor)), by).await;
            return Ok(());
        }
        self.require(child).await
    }

    /// Starts the next incarnation of a child, after stopping it where it runs; `None` when its
    /// `init` declined. `event` is what led to it: a begun host call or a decision.
    ///
    /// # Errors
    /// No such child, it waits for this actor, or it does not start.
    pub async fn restart(
        &self,
        child: TheaterId,
        from: RestartFrom,
        event: Option<Digest>,
    ) -> Result<Option<TheaterId>, SpawnError> {
        self.require(child).await.map_err(|error| match error {
            ChildError::NotFound(id) => SpawnError::NotFound(id),
            ChildError::Cycle(cycle) => SpawnError::Cycle(cycle),
            ChildError::Store(store) => SpawnError::Store(store),
        })?;
        if self.alive(child).is_some_and(|actor| lock(&actor.inbox).is_over()) {
            // A failed child waited for its supervisor, which is what this is.
            self.actor.shared.tree.waits.forget(child);
        }
        let _edge = self.edge(child)?;
        let shared = self.actor.shared.clone();
        let restart = spawn::restart(shared.clone(), child, from, event, StoppedBy::ParentQuietly);
        let started = Background::run_busy(&shared, restart).await.ok_or(SpawnError::ShuttingDown)??;
        Ok((started == Started::Running).then_some(child))
    }

    /// How a child stands, alive or ended.
    ///
    /// # Errors
    /// No such child, or the store failed.
    pub async fn status(&self, child: TheaterId) -> Result<ActorProcess, ChildError> {
        if let Some(actor) = self.alive(child) {
            return Ok(ActorProcess::of(&actor));
        }
        self.require(child).await?;
        let store = find_store(&self.actor.shared, child).await?;
        let entry = store.actor(child).await?.ok_or(ChildError::NotFound(child))?;
        Ok(ActorProcess::of_ended(&**store, &entry).await?)
    }

    /// Up to `max` children that have ended, those started last first, from the store.
    ///
    /// # Errors
    /// The store failed.
    pub async fn ended(&self, max: usize) -> Result<Vec<ActorProcess>, StoreError> {
        let shared = &self.actor.shared;
        shared.journal.flushed().await?;
        let mut out = Vec::new();
        for store in [shared.journal.store(false), shared.journal.store(true)] {
            for entry in store.children(self.actor.id, max + self.actor.children().len()).await? {
                if out.len() < max && self.alive(entry.id).is_none() {
                    out.push(ActorProcess::of_ended(&**store, &entry).await?);
                }
            }
        }
        Ok(out)
    }

    /// The last committed state of a child, alive or ended.
    ///
    /// # Errors
    /// No such child, or the store failed.
    pub async fn state(&self, child: TheaterId) -> Result<Option<Bytes>, ChildError> {
        if let Some(actor) = self.alive(child) {
            return Ok(actor.committed().state);
        }
        self.require(child).await?;
        let store = find_store(&self.actor.shared, child).await?;
        let entry = store.actor(child).await?.ok_or(ChildError::NotFound(child))?;
        match entry.index.state {
            none if none.is_zero() => Ok(None),
            hash => Ok(store.state(hash).await?),
        }
    }

    /// The chain of a child, alive or ended.
    ///
    /// # Errors
    /// No such child, or the store failed.
    pub async fn chain(&self, child: TheaterId) -> Result<ChainView, ChildError> {
        if let Some(actor) = self.alive(child) {
            return Ok(ChainView::new(&actor));
        }
        self.require(child).await?;
        let store = find_store(&self.actor.shared, child).await?.clone();
        Ok(ChainView::of_ended(child, self.actor.shared.journal.clone(), store))
    }

    /// A child of this actor that is alive or held.
    fn alive(&self, child: TheaterId) -> Option<Arc<Actor>> {
        self.actor.shared.tree.find(child).filter(|actor| actor.parent_id == Some(self.actor.id))
    }

    /// Whether there is such a child, alive or ended.
    async fn require(&self, child: TheaterId) -> Result<(), ChildError> {
        if self.alive(child).is_some() {
            return Ok(());
        }
        let shared = &self.actor.shared;
        shared.journal.flushed().await?;
        let entry = find_store(shared, child).await?.actor(child).await?;
        match entry.filter(|entry| entry.index.parent == Some(self.actor.id)) {
            Some(_) => Ok(()),
            None => Err(ChildError::NotFound(child)),
        }
    }

    fn edge(&self, child: TheaterId) -> Result<Option<Edge>, CycleError> {
        let tree = &self.actor.shared.tree;
        self.waiting.then(|| tree.waits.enter(self.actor.id, child, |id| tree.label(id))).transpose()
    }
}
