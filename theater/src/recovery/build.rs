//! Making the record of an incarnation again.

use std::collections::HashMap;
use std::sync::Arc;

use theater_chain::{ActorEntry, ChainStore, Digest, Head, StoreError, TheaterId, Upgraded};

use super::facts::{Begun, ChildFacts, damaged};
use super::lost::Lost;
use super::{Damaged, Known, Record, RecoverError, links, tail};
use crate::actor::{Actor, Made, NewActor, Terms};
use crate::error::SpawnError;
use crate::recheck;
use crate::recorder::Recorder;
use crate::shared::Shared;
use crate::spawn;

/// The actors that go on, by their ids.
pub(super) type Actors = HashMap<TheaterId, Arc<Actor>>;

/// What actors are made of, so that those of one kind below one parent share it.
#[derive(Default)]
pub(super) struct Mades(HashMap<Kind, Arc<Made>>);

/// Manifest, component, where the manifest was, the parent, and whether it was upgraded.
type Kind = (Digest, Digest, String, Option<TheaterId>, Option<Upgraded>);

impl Record {
    /// Makes every actor again that had not ended, and registers it; none runs yet. With them come
    /// those that cannot be made again, of which nothing is recorded yet.
    pub(super) async fn build(
        &self,
        shared: &Arc<Shared>,
        mades: &mut Mades,
    ) -> Result<(Actors, Lost<'_>), RecoverError> {
        let store = &**shared.journal.store(false);
        let known: HashMap<TheaterId, &Known> = self.live.iter().map(|known| (known.entry.id, known)).collect();
        let (mut actors, mut lost) = (Actors::with_capacity(self.live.len()), Lost::default());
        for Damaged { entry, reason } in &self.damaged {
            lost.damaged(entry, reason.clone());
        }
        for Known { entry, tail, .. } in &self.live {
            let parent = entry.index.parent.and_then(|parent| known.get(&parent));
            let facts = parent.map(|parent| parent.of_child(entry.id)).unwrap_or_default();
            let checked = match anchored(store, entry, parent.map(|parent| &parent.entry), facts).await {
                Ok(anchored) => links::verify(store, entry, tail, anchored).await.map(|()| anchored),
                Err(error) => Err(error),
            };
            let anchored = match checked {
                Err(StoreError::Damaged(reason)) if entry.index.parent.is_some() => {
                    lost.damaged(entry, reason);
                    continue;
                }
                anchored => anchored?,
            };
            let parent = entry.index.parent.and_then(|parent| actors.get(&parent)).cloned();
            if entry.index.parent.is_some() && parent.is_none() {
                lost.ends(entry, tail, anchored, None);
                continue;
            }
            match rebuilt(shared, entry, parent, anchored, &tail.begun, mades).await {
                Ok(actor) => {
                    shared.tree.adopt(&actor);
                    actors.insert(entry.id, actor);
                }
                Err(error) if entry.index.parent.is_some() && is_its_own(&error) => {
                    lost.ends(entry, tail, anchored, Some(error.as_actor_error()));
                }
                Err(SpawnError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    return Err(RecoverError::Actor { id: entry.id, name: entry.index.name.clone(), error });
                }
            }
        }
        Ok((actors, lost))
    }
}

/// Whether an error concerns what the actor is made of, rather than the store as a whole.
pub(super) fn is_its_own(error: &SpawnError) -> bool {
    !matches!(error, SpawnError::Store(error) if !matches!(error, StoreError::Damaged(_)))
}

/// The writing end of a chain whose actor has ended, and its entry. One that was given up a moment ago
/// may have left events that are not in the store yet: it is the newest event that counts.
pub(super) async fn writing_end(
    shared: &Shared,
    id: TheaterId,
) -> Result<Option<(ActorEntry, Arc<Recorder>)>, StoreError> {
    let store = shared.journal.store(false);
    loop {
        shared.journal.flushed().await?;
        let Some(known) = store.actor(id).await? else { return Ok(None) };
        let resume = || Recorder::resume(&known, false, shared.journal.clone(), shared.sources.clone());
        let recorder = shared.tree.recorder(id, resume);
        shared.journal.flushed().await?;
        let Some(entry) = store.actor(id).await? else { return Ok(None) };
        if recorder.head() == Some(entry.head) {
            return Ok(Some((entry, recorder)));
        }
    }
}

/// An incarnation by its record, whether or not it has ended. It is not registered.
pub(super) async fn rebuilt(
    shared: &Arc<Shared>,
    entry: &ActorEntry,
    parent: Option<Arc<Actor>>,
    anchored: Option<Head>,
    begun: &Begun,
    mades: &mut Mades,
) -> Result<Arc<Actor>, SpawnError> {
    let store = &**shared.journal.store(false);
    let id = entry.id;
    let index = &entry.index;
    let kind = (begun.manifest, begun.component, index.manifest_path.clone(), index.parent, index.upgraded.clone());
    let made = match mades.0.get(&kind) {
        Some(made) => made.clone(),
        None => {
            let made = Arc::new(spawn::recorded(shared, store, entry, parent.as_deref()).await?);
            mades.0.insert(kind, made.clone());
            made
        }
    };
    let state = recheck::state(store, id, entry.index.state).await?;
    let recorder = shared.tree.recorder(id, || {
        Recorder::resume(entry, spawn::is_ephemeral(&made), shared.journal.clone(), shared.sources.clone())
    });
    if begun.keeps_states {
        recorder.resume_keeping();
    }
    recorder.anchored.resume_at(anchored.map_or(0, |head| head.seq + 1));
    let (incarnation, terms) = (entry.index.incarnation, Terms::default());
    let new = NewActor { id, parent, incarnation, made, shared: shared.clone(), recorder, state, terms };
    let actor = Arc::new(Actor::new(new));
    let _ = actor.started.set(begun.hash);
    let _ = begun.parent_event.map(|event| actor.parent_event.set(event));
    Ok(actor)
}

/// The end of the last range of its chain that its parent's says, which must be in it.
pub(super) async fn anchored(
    store: &dyn ChainStore,
    entry: &ActorEntry,
    parent: Option<&ActorEntry>,
    facts: ChildFacts,
) -> Result<Option<Head>, StoreError> {
    let anchor = match (facts.anchored, parent) {
        (Some((head, volatile)), _) => Some(head).filter(|_| !volatile),
        (None, Some(parent)) => recheck::anchor_before(store, parent.id, parent.head.seq, entry.id).await?,
        (None, None) => None,
    };
    match anchor {
        Some(anchor) if !tail::is_anchored(store, entry, anchor).await? => {
            let reason = format!("event {} is not the one that its parent's chain says", anchor.seq);
            Err(damaged(entry.id, &reason))
        }
        anchor => Ok(anchor),
    }
}
