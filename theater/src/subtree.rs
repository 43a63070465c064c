//! What a handler may do to the children of its actor. Any other actor is not found, whether or not
//! it exists.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use theater_chain::{ChainStore, Digest, StoreError, TheaterId};

use crate::actor::{Actor, GoesOn, Terms, lock};
use crate::background::Background;
use crate::bring_up::Started;
use crate::chain_view::ChainView;
use crate::cursor::EventCursor;
use crate::error::{CycleError, SpawnError};
use crate::exits::{ChildExit, HeldMailbox, StoppedBy};
use crate::manifest::ManifestConfig;
use crate::process::ActorProcess;
use crate::records::Records;
use crate::recovery;
use crate::spawn::{self, Again, FailedStart, New, Origin, RestartFrom, find_store};
use crate::stop::{self, Shutdown};
use crate::waits::Edge;

/// The subtree below one actor.
#[derive(Clone)]
pub struct Subtree {
    actor: Arc<Actor>,
    /// Whether the actor's guest waits for what is done here, so that cycles are found.
    waiting: bool,
    /// How children that are started are stopped.
    terms: Terms,
}

/// A restart by policy.
pub struct Attempt {
    /// The child.
    pub child: TheaterId,
    /// The state that it begins with.
    pub from: RestartFrom,
    /// The decision.
    pub event: Option<Digest>,
    /// The messages that wait for it, where the child ended before.
    pub mailbox: Option<HeldMailbox>,
    /// Messages that it began and that are to be delivered again, by the seqs of their `call`s.
    pub redeliver: Vec<u64>,
    /// Which messages never happened: their senders restart from before.
    pub undone: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

/// A restart by policy that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// Why.
    pub error: SpawnError,
    /// The fact, where an incarnation began: it is in the actor's chain, and no hook was told.
    pub exit: Option<ChildExit>,
    /// The messages that wait for the next attempt; dropped, they become dead letters.
    pub mailbox: Option<HeldMailbox>,
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

impl From<ChildError> for SpawnError {
    fn from(error: ChildError) -> Self {
        match error {
            ChildError::NotFound(id) => Self::NotFound(id),
            ChildError::Cycle(cycle) => Self::Cycle(cycle),
            ChildError::Store(store) => Self::Store(store),
        }
    }
}

impl Subtree {
    pub(crate) fn new(actor: &Arc<Actor>) -> Self {
        Self { actor: actor.clone(), waiting: true, terms: Terms::default() }
    }

    pub(crate) fn unwaiting(actor: &Arc<Actor>) -> Self {
        Self { actor: actor.clone(), waiting: false, terms: Terms::default() }
    }

    /// The same subtree; children started here are stopped so, for as long as they live. `None`:
    /// within 5 s, those with children of their own without limit. Those that are `together` are
    /// stopped at the same time when the actor ends, and not one after the other.
    #[must_use]
    pub fn stopped_with(mut self, shutdown: Option<Shutdown>, together: bool) -> Self {
        (self.terms.shutdown, self.terms.together) = (shutdown, together);
        self
    }

    /// The same subtree; every state of children that are started here stays in the store if `keep`,
    /// large ones too. For who may restart them from any state of theirs. Otherwise large ones go with
    /// the next one, but for those that something began with.
    #[must_use]
    pub fn keeping_states(mut self, keep: bool) -> Self {
        self.terms.keep_states = keep;
        self
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

    /// One of these children; of another there is none.
    pub fn child(&self, child: TheaterId) -> Option<ActorProcess> {
        self.alive(child).map(|actor| ActorProcess::of(&actor))
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
        let id = TheaterId::of_spawn(&begun);
        self.start(id, manifest, Origin::Init(init.map(Bytes::from)), begun).await
    }

    /// As [`Subtree::spawn`], of a child with a spec: its id follows from that of the spec. The
    /// event that leads to it is the start of this actor.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub async fn spawn_declared(
        &self,
        spec_id: &str,
        manifest: ManifestConfig,
    ) -> Result<Option<TheaterId>, SpawnError> {
        let id = TheaterId::of_spec(&self.actor.id, spec_id);
        let begun = self.actor.started.get().copied().unwrap_or_default();
        self.start(id, manifest, Origin::Init(None), begun).await
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
        let id = TheaterId::of_spawn(&begun);
        self.start(id, manifest, Origin::State(state.map(Bytes::from)), begun).await
    }

    async fn start(
        &self,
        id: TheaterId,
        manifest: ManifestConfig,
        origin: Origin,
        begun: Digest,
    ) -> Result<Option<TheaterId>, SpawnError> {
        let _edge = self.edge(id)?;
        let shared = self.actor.shared.clone();
        if let Some(before) = recovery::started_before(&shared, id, begun).await? {
            return before;
        }
        let (parent, parent_event, terms) = (Some(self.actor.clone()), Some(begun), self.terms);
        let start = spawn::spawn(shared.clone(), New { parent, id, manifest, origin, parent_event, terms });
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
        self.require(child).await?;
        if self.alive(child).is_some_and(|actor| lock(&actor.inbox).is_over()) {
            // A failed child waited for its supervisor, which is what this is.
            self.actor.shared.tree.waits.forget(child);
        }
        let _edge = self.edge(child)?;
        let shared = self.actor.shared.clone();
        if let Some(event) = event
            && let Some(before) = recovery::started_before(&shared, child, event).await?
        {
            return before;
        }
        let restart = spawn::restart(shared.clone(), self.again(child, from, event));
        let started = Background::run_busy(&shared, &shared.tree.usage(child), restart)
            .await
            .ok_or(SpawnError::ShuttingDown)??;
        Ok((started == Started::Running).then_some(child))
    }

    fn again(&self, child: TheaterId, from: RestartFrom, event: Option<Digest>) -> Again {
        let terms = (self.terms != Terms::default()).then_some(self.terms);
        let below = Some(self.actor.clone());
        Again { terms, below, ..Again::new(child, from, event, StoppedBy::ParentQuietly) }
    }

    /// As [`Subtree::restart`], by policy: when the start fails, the fact is in this actor's chain
    /// and the messages wait for the next attempt. Nobody's guest waits for it.
    ///
    /// # Errors
    /// Why the start failed, and what is left.
    pub async fn attempt(&self, attempt: Attempt) -> Result<Option<TheaterId>, FailedAttempt> {
        let child = attempt.child;
        let failed = |error| FailedAttempt { error, exit: None, mailbox: None };
        if self.alive(child).is_none() {
            self.require(child).await.map_err(|error| failed(error.into()))?;
        }
        self.actor.shared.tree.waits.forget(child);
        let shared = self.actor.shared.clone();
        let again = Again {
            redeliver: attempt.redeliver,
            undone: attempt.undone,
            ..self.again(child, attempt.from, attempt.event)
        };
        let attempt = Box::pin(spawn::attempt(shared.clone(), again, attempt.mailbox));
        let started = Background::run_where_due(&shared, &shared.tree.usage(child), attempt).await;
        match started.ok_or_else(|| failed(SpawnError::ShuttingDown))? {
            Ok(started) => Ok((started == Started::Running).then_some(child)),
            Err(FailedStart { error, exit, mailbox }) => {
                Err(FailedAttempt { error, exit: exit.map(|exit| *exit), mailbox })
            }
        }
    }

    /// Stops a child that will be restarted; its messages wait for that. Dropped, they become dead
    /// letters. `None`: there was nothing to stop and nothing waits.
    pub async fn hold(&self, child: TheaterId) -> Option<HeldMailbox> {
        self.alive(child)?;
        let held = spawn::stop_and_hold(&self.actor.shared, child, StoppedBy::ParentQuietly).await?;
        held.expect_restart();
        Some(held)
    }

    /// Says of a child that runs how it is stopped, and which states of it are kept from here on: as of
    /// those that are started here.
    pub fn declare(&self, child: TheaterId) {
        if let Some(actor) = self.alive(child) {
            actor.set_terms(self.terms);
            if self.terms.keep_states && actor.started.get().is_some() {
                actor.recorder.keep_states();
            }
        }
    }

    /// What led to the newest incarnation of a child that is alive or whose messages wait: a begun
    /// host call or a decision of this actor.
    pub fn begun_by(&self, child: TheaterId) -> Option<Digest> {
        self.alive(child)?.parent_event.get().copied()
    }

    /// Whether a child runs, its own start being over.
    pub fn is_running(&self, child: TheaterId) -> bool {
        self.alive(child).is_some_and(|actor| actor.goes_on.load(Ordering::SeqCst) != GoesOn::STARTS && actor.is_up())
    }

    /// The messages of a child that ended before the process went down: they go to its next
    /// incarnation. Dropped without one, they become dead letters.
    ///
    /// # Errors
    /// No such child, or it cannot be made again from its record.
    pub async fn hold_ended(&self, child: TheaterId) -> Result<HeldMailbox, SpawnError> {
        if self.alive(child).is_none() {
            self.require(child).await?;
            recovery::hold(&self.actor, child).await?;
        }
        let actor = self.alive(child).ok_or(SpawnError::NotFound(child))?;
        let held = HeldMailbox::for_restart(actor);
        held.expect_restart();
        Ok(held)
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
        self.actor.shared.journal.flushed().await?;
        self.ended_as_stored(max).await
    }

    /// As [`Subtree::ended`], going by what the store has now.
    pub(crate) async fn ended_as_stored(&self, max: usize) -> Result<Vec<ActorProcess>, StoreError> {
        let shared = &self.actor.shared;
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

    /// How many children run, or will again.
    pub fn count_alive(&self) -> usize {
        let alive = |actor: &&Arc<Actor>| {
            let inbox = lock(&actor.inbox);
            !inbox.is_over() || inbox.is_kept()
        };
        lock(&self.actor.family).children.iter().filter(alive).count()
    }

    /// The incarnation of a child that is alive or whose messages wait.
    pub fn incarnation(&self, child: TheaterId) -> Option<u32> {
        self.alive(child).map(|actor| actor.incarnation)
    }

    /// The hash of the last committed state of a child that is alive or whose messages wait.
    pub fn state_hash(&self, child: TheaterId) -> Option<Digest> {
        self.alive(child).map(|actor| actor.committed().hash)
    }

    /// Follows the chain of a child that is alive, from the start of its incarnation on.
    pub fn follow(&self, child: TheaterId) -> Option<EventCursor> {
        let actor = self.alive(child)?;
        let journal = &self.actor.shared.journal;
        let store = journal.store(actor.recorder.ephemeral).clone();
        Some(EventCursor::new(child, actor.recorder.started(), store, journal.commits()))
    }

    /// What is recorded, of this runtime's actors: to be read only. Waits until all that happened
    /// before this call is in it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn records(&self) -> Result<impl ChainStore + use<>, StoreError> {
        self.actor.shared.journal.flushed().await?;
        Ok(Records(self.actor.shared.clone()))
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

    /// Whether `event`, a begun host call or a decision, led to the incarnation that the child is in:
    /// what asked for it went down with the process, and asks again.
    pub fn was_started_by(&self, child: TheaterId, event: Digest) -> bool {
        self.alive(child).is_some_and(|actor| actor.parent_event.get() == Some(&event))
    }

    /// Whether there is such a child, alive or ended. Nothing of its chain is read.
    ///
    /// # Errors
    /// No such child, or the store failed.
    pub async fn require(&self, child: TheaterId) -> Result<(), ChildError> {
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
