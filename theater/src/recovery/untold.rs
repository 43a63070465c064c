//! Children whose end is in their chain, and that their parent was not told of.

use std::collections::HashSet;
use std::sync::Arc;

use theater_chain::data::{AskedBy, KillCause};
use theater_chain::{ActorEntry, ChainStore, Digest, StoreError, newest};

use super::build::{Actors, Mades, anchored, is_its_own, rebuilt};
use super::lost::{self, Ended};
use super::tail::{self, Failed, Tail};
use super::{Known, Record, RecoverError, messages};
use crate::actor::{Actor, lock};
use crate::ending;
use crate::error::{CallError, SpawnError};
use crate::exit::ExitReason;
use crate::exits::StoppedBy;
use crate::process::exit_of;
use crate::shared::Shared;
use crate::turn::FailedCall;

/// The end of a child that its parent has not been told.
pub(super) struct Untold {
    pub(super) actor: Arc<Actor>,
    reason: ExitReason,
    error_hash: Digest,
    published: bool,
    failed: Option<Failed>,
    asked_by: Option<AskedBy>,
}

impl Record {
    /// The ends that parents are to be told of. One whose child cannot be made again is in the
    /// parent's chain when this returns: nobody keeps that child's messages.
    pub(super) async fn untold(
        &self,
        shared: &Arc<Shared>,
        actors: &Actors,
        mades: &mut Mades,
    ) -> Result<Vec<Untold>, RecoverError> {
        let mut untold = Vec::new();
        for known in &self.live {
            let Some(parent) = actors.get(&known.entry.id) else { continue };
            let decisions = known.decisions();
            for entry in self.ended.get(&known.entry.id).into_iter().flatten() {
                if known.of_child(entry.id).exited >= entry.index.incarnation {
                    continue;
                }
                match of_child(shared, known, parent, entry, &decisions, mades).await {
                    Ok(found) => untold.extend(found),
                    Err(StoreError::Damaged(reason)) => {
                        tracing::error!(actor = %entry.id, "the record of {} is damaged: {reason}", entry.index.name);
                        let error = SpawnError::Store(StoreError::Damaged(reason)).as_actor_error();
                        lost::tell_unreadable(shared, &parent.recorder, entry, &error);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(untold)
    }
}

async fn of_child(
    shared: &Arc<Shared>,
    known: &Known,
    parent: &Arc<Actor>,
    entry: &ActorEntry,
    decisions: &HashSet<Digest>,
    mades: &mut Mades,
) -> Result<Option<Untold>, StoreError> {
    let store = &**shared.journal.store(false);
    let tail = Tail::read(store, entry).await?;
    if !is_of_this_life(store, known, entry, tail.begun.parent_event).await? {
        return Ok(None); // an earlier one of its parent ended after it
    }
    let by_decision = tail.begun.parent_event.is_some_and(|event| decisions.contains(&event));
    let reason = exit_of(store, entry).await?;
    let published = reason != ExitReason::Declined && tail::was_published(store, entry, tail.has_init()).await?;
    if !published && !by_decision {
        return Ok(None); // whoever started it learns of it
    }
    let end = tail::event(store, entry, entry.index.ended.unwrap_or(entry.head.seq)).await?;
    let anchored = anchored(store, entry, Some(&known.entry), known.of_child(entry.id)).await?;
    let asked_by = tail.ending.as_ref().map(|ending| ending.asked_by);
    let actor = match rebuilt(shared, entry, Some(parent.clone()), anchored, &tail.begun, mades).await {
        Ok(actor) => actor,
        Err(error) if is_its_own(&error) => {
            tracing::error!(actor = %entry.id, "{} cannot be made again: {error}", entry.index.name);
            let error_hash = tail.failed.as_ref().map_or(end.hash, |failed| failed.hash);
            let poison = tail.failed.as_ref().is_some_and(|failed| failed.poisoned);
            let asked_by = asked_by.or(asked(&reason).map(StoppedBy::record)).unwrap_or(AskedBy::Itself);
            lost::anchor_to(&parent.recorder, entry, anchored, &end);
            let ended = Ended { reason: reason.record(), asked_by, poison, error_hash };
            lost::tell(shared, &parent.recorder, entry, &ended);
            return Ok(None);
        }
        Err(SpawnError::Store(error)) => return Err(error),
        Err(_) => return Ok(None),
    };
    shared.tree.adopt(&actor);
    Ok(Some(Untold { actor, reason, error_hash: end.hash, published, failed: tail.failed, asked_by }))
}

/// Whether a child that ended was one of its parent's newest incarnation. One of an earlier ended
/// with it, and whoever was to be told is gone.
async fn is_of_this_life(
    store: &dyn ChainStore,
    parent: &Known,
    child: &ActorEntry,
    begun_by: Option<Digest>,
) -> Result<bool, StoreError> {
    let ActorEntry { id, head, index } = &parent.entry;
    if index.incarnation == 1 || parent.facts.children.contains_key(&child.id) {
        return Ok(true);
    }
    let Some(event) = begun_by else { return Ok(false) };
    let found = newest(store, *id, index.started..head.seq + 1, |known| (known.hash == event).then_some(()));
    Ok(found.await?.is_some())
}

/// One that obeyed was asked; who it was is known where that is done again.
fn asked(reason: &ExitReason) -> Option<StoppedBy> {
    let asked =
        matches!(reason, ExitReason::Shutdown | ExitReason::Killed(KillCause::Deadline | KillCause::ParentGone));
    asked.then_some(StoppedBy::ParentQuietly)
}

impl Untold {
    pub(super) async fn tell(self) {
        let Self { actor, reason, mut error_hash, published, failed, asked_by } = self;
        lock(&actor.inbox).stopped_by = asked_by.and_then(StoppedBy::recorded).or(asked(&reason));
        if !published {
            lock(&actor.inbox).keep(); // a restart by its supervisor began it
        }
        let failed = failed.and_then(|failed| {
            error_hash = failed.hash;
            noted(&actor, failed)
        });
        ending::told(actor, reason, error_hash, true, failed).await;
    }
}

/// Notes how an incarnation failed; the call that did not end well, if one did.
pub(super) fn noted(actor: &Arc<Actor>, failed: Failed) -> Option<FailedCall> {
    actor.note_error(failed.error.clone(), failed.hash);
    lock(&actor.inbox).poisoned = failed.poisoned;
    let (event, call) = failed.call?;
    let message = messages::begun(actor, &event, call).ok()?;
    Some(FailedCall::recorded(message, CallError::Failed { actor: actor.id, error: failed.error }))
}
