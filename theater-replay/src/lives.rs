//! The lives of the replayed actor between its calls: which component runs, and with which state.

use std::sync::Arc;

use bytes::Bytes;
use theater::{Limits, ManifestConfig};
use theater_chain::data::{ActorStarted, ActorUpgraded, RestartStateKind};
use theater_chain::{ChainEvent, ChainStore, Digest, payload};

use crate::answer::field;
use crate::error::ReplayError;
use crate::guest::Engines;
use crate::link::Linked;
use crate::machine::Machine;
use crate::record::{Halt, damaged};
use crate::report::{State, Unreplayed};
use crate::{migrate, text};

/// Gaps that a report lists.
const MAX_GAPS: usize = 100;

/// An incarnation.
pub(crate) struct Life {
    pub(crate) limits: Limits,
    pub(crate) linked: Arc<Linked>,
    pub(crate) engines: Engines,
}

/// The incarnation at a point of a chain.
pub(crate) struct Standing {
    /// The event that comes next.
    pub(crate) seq: u64,
    /// Its start.
    pub(crate) event: ChainEvent,
    pub(crate) started: ActorStarted,
    /// The last exchange of its component since, if there was one.
    pub(crate) exchanged: Option<(u64, Digest)>,
}

impl Machine<'_> {
    /// Puts the machine where an incarnation stood between two calls.
    ///
    /// # Errors
    /// As of a start.
    pub(crate) async fn enter(&mut self, from: &Standing, state: State) -> Result<(), Halt> {
        let mut life = self.life(&from.event, &from.started).await?;
        if let Some((seq, component)) = from.exchanged {
            life.linked = self.linked(seq, component).await?;
        }
        self.life = Some(life);
        (self.state_hash, self.state) = (Some(state.hash), Some(self.migrated(from.seq, state.bytes).await?));
        Ok(())
    }

    /// Whether the state that an event claims is the last one committed.
    pub(crate) fn holds(&self, event: &ChainEvent, claimed: Digest) -> Result<(), Halt> {
        match self.state_hash {
            Some(hash) if hash != claimed && self.upgrade.is_none() => {
                let expected = format!("the state {hash}, the last one committed");
                Err(Halt::Diverged(Box::new(damaged(event, &expected, &format!("the state {claimed}")))))
            }
            _ => Ok(()),
        }
    }

    /// An incarnation begins.
    pub(crate) async fn started(&mut self, event: &ChainEvent, started: &ActorStarted) -> Result<(), Halt> {
        self.live = None;
        self.life = Some(self.life(event, started).await?);
        self.lost = false;
        self.init_due = started.restart_state == RestartStateKind::Reset;
        match started.restart_state {
            RestartStateKind::Reset => self.initial(event, started)?,
            RestartStateKind::Resume if self.state_hash.is_some() => {
                self.holds(event, started.state_hash)?;
                if self.state.is_none() {
                    self.install(event.seq, started.state_hash).await?;
                }
            }
            _ => self.install(event.seq, started.state_hash).await?,
        }
        self.state_hash = Some(started.state_hash);
        Ok(())
    }

    async fn life(&self, event: &ChainEvent, started: &ActorStarted) -> Result<Life, Halt> {
        let missing = |what, digest| ReplayError::Missing { actor: self.actor, seq: event.seq, what, digest };
        let manifest = self.store.manifest(started.manifest).await?;
        let manifest = manifest
            .filter(|bytes| Digest::of(bytes) == started.manifest)
            .ok_or_else(|| missing("manifest", started.manifest))?;
        let manifest = ManifestConfig::from_source("manifest.toml", manifest).map_err(ReplayError::from)?;
        let linked = self.linked(event.seq, started.component).await?;
        let engines = Engines::of(&started.engine, self.replayer.engine_record());
        Ok(Life { limits: manifest.limits, linked, engines })
    }

    /// A component: the one that takes the place of all, or the recorded one.
    async fn linked(&self, seq: u64, digest: Digest) -> Result<Arc<Linked>, Halt> {
        match &self.instead {
            Some(instead) => Ok(instead.clone()),
            None => Ok(self.replayer.of_store(&*self.store, self.actor, seq, digest).await?),
        }
    }

    /// The actor got another component, and a state for it.
    pub(crate) async fn exchanged(
        &mut self,
        event: &ChainEvent,
        to: Digest,
        (old, new): (Digest, Digest),
    ) -> Result<(), Halt> {
        self.holds(event, old)?;
        self.live = None;
        let linked = self.linked(event.seq, to).await?;
        if let Some(life) = &mut self.life {
            life.linked = linked;
        }
        self.state_hash = Some(new);
        self.install(event.seq, new).await
    }

    /// Whether the new component makes the recorded state of the one before.
    pub(crate) async fn migrates_again(
        &self,
        event: &ChainEvent,
        data: &ActorUpgraded,
        before: Option<Bytes>,
    ) -> Result<(), Halt> {
        let Some(life) = &self.life else { return Ok(()) };
        if migrate::is_exported(&life.linked) != data.migrated {
            let (expected, actual) = match data.migrated {
                true => ("an upgrade with a migrate", "a component that exports none"),
                false => ("an upgrade without a migrate", "a component that exports one"),
            };
            return Err(Halt::Diverged(Box::new(damaged(event, expected, actual))));
        }
        let made = match data.migrated {
            true => migrate::run(&life.linked, &life.limits, before, &data.old_version).await,
            false => Ok(before.map(Into::into)),
        };
        let actual = match made {
            Ok(state) if Digest::of_state(state.as_deref()) == data.new_state_hash => return Ok(()),
            Ok(state) => format!("the state {}", state.as_deref().map_or_else(|| "none".to_owned(), text::bytes)),
            Err(reason) => format!("it failed: {reason}"),
        };
        let mut divergence = damaged(event, &format!("the state {}", data.new_state_hash), &actual);
        (divergence.function, divergence.actual) = (migrate::NAME.to_owned(), actual);
        Err(Halt::Diverged(Box::new(divergence)))
    }

    fn initial(&mut self, event: &ChainEvent, started: &ActorStarted) -> Result<(), Halt> {
        if event.is_erased() {
            self.lose(event.seq, "its initial state was erased");
            return Ok(());
        }
        let unlike = |what: &str| Halt::Diverged(Box::new(damaged(event, "an initial state of its hash", what)));
        let state = match field(event, "initial_state")? {
            Some(bytes) => Some(payload::read_bin(bytes).map_err(|error| unlike(&error.to_string()))?),
            None => None,
        };
        if Digest::of_state(state) != started.state_hash {
            return Err(unlike("another"));
        }
        self.state = Some(state.map(Bytes::copy_from_slice));
        Ok(())
    }

    /// Takes a state from the store.
    async fn install(&mut self, seq: u64, hash: Digest) -> Result<(), Halt> {
        self.state = self.stored(seq, hash).await?;
        self.lost = self.state.is_none();
        if self.lost {
            self.lose(seq, "the state that it begins with is not stored");
        }
        Ok(())
    }

    /// A state from the store, as the component takes it that runs.
    async fn stored(&self, seq: u64, hash: Digest) -> Result<Option<Option<Bytes>>, Halt> {
        match stored_state(&*self.store, hash).await? {
            Some(bytes) => self.migrated(seq, bytes).await.map(Some),
            None => Ok(None),
        }
    }

    /// What becomes of a recorded state.
    async fn migrated(&self, seq: u64, bytes: Option<Bytes>) -> Result<Option<Bytes>, Halt> {
        let Some(upgrade) = self.upgrade else { return Ok(bytes) };
        let actor = self.actor;
        Ok(upgrade.migrate(bytes).await.map_err(|reason| ReplayError::Migrate { actor, seq, reason })?)
    }

    /// Calls cannot be made from here on.
    pub(crate) fn lose(&mut self, seq: u64, reason: &str) {
        (self.lost, self.live, self.state) = (true, None, None);
        if self.report.unreplayed.len() < MAX_GAPS {
            self.report.unreplayed.push(Unreplayed { seq, to: seq, reason: reason.to_owned() });
        }
    }

    /// The instance was dropped: where calls could not be made, they can again from a stored state on.
    pub(crate) async fn dropped(&mut self, seq: u64) -> Result<(), Halt> {
        self.live = None;
        if self.lost
            && self.life.is_some()
            && let Some(hash) = self.state_hash
        {
            self.state = self.stored(seq, hash).await?;
            self.lost = self.state.is_none();
        }
        Ok(())
    }
}

/// A state by its hash: none where the store does not have it, or has other bytes.
pub(crate) async fn stored_state(store: &dyn ChainStore, hash: Digest) -> Result<Option<Option<Bytes>>, Halt> {
    if hash.is_zero() {
        return Ok(Some(None));
    }
    let bytes = store.state(hash).await?;
    Ok(bytes.filter(|bytes| Digest::of(bytes) == hash).map(Some))
}
