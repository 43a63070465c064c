//! What a host call or a decision had come to when the process went down, for whoever does it again.

use std::sync::Arc;

use theater_chain::{Digest, StoreError, TheaterId};

use super::build::{Mades, rebuilt, writing_end};
use super::tail::Tail;
use super::{messages, tail};
use crate::actor::{Actor, lock};
use crate::error::SpawnError;
use crate::exit::ExitReason;
use crate::inbox::Phase;
use crate::message::Message;
use crate::process::exit_of;
use crate::recheck;
use crate::shared::Shared;

/// What a start gave: the actor, or that it declined.
type Start = Result<Option<TheaterId>, SpawnError>;

/// What came of the start of the newest incarnation, if `event` led to it: nothing is started twice.
/// Waits until that start is over.
pub(crate) async fn started_before(
    shared: &Arc<Shared>,
    id: TheaterId,
    event: Digest,
) -> Result<Option<Start>, StoreError> {
    if !shared.has_recovered() {
        return Ok(None);
    }
    if let Some(actor) = shared.tree.find(id)
        && actor.parent_event.get() == Some(&event)
        && actor.wait_started().await
    {
        return Ok(Some(Ok(Some(id))));
    }
    shared.journal.flushed().await?;
    let store = &**shared.journal.store(false);
    let Some(entry) = store.actor(id).await? else { return Ok(None) };
    let tail = Tail::read(store, &entry).await?;
    if tail.begun.parent_event != Some(event) {
        return Ok(None);
    }
    let reason = exit_of(store, &entry).await?;
    let name = entry.index.name.clone();
    Ok(Some(match reason {
        ExitReason::Declined => Ok(None),
        _ if tail::was_published(store, &entry, tail.has_init()).await? => Ok(Some(id)),
        ExitReason::Abnormal(error) => Err(SpawnError::Failed { id, name, error }),
        reason => Err(SpawnError::Ended { id, name, reason }),
    }))
}

/// Makes the record of a child again that has ended, with the messages that wait for it.
pub(crate) async fn hold(parent: &Arc<Actor>, child: TheaterId) -> Result<(), SpawnError> {
    let shared = &parent.shared;
    let store = &**shared.journal.store(false);
    // Kept for what is made of it.
    let (entry, _recorder) = writing_end(shared, child).await?.ok_or(SpawnError::NotFound(child))?;
    let tail = Tail::read(store, &entry).await?;
    let reason = exit_of(store, &entry).await?;
    let anchor = recheck::anchor(parent, child).await?;
    if let Some(anchor) = anchor
        && !tail::is_anchored(store, &entry, anchor).await?
    {
        let reason = format!("event {} is not the one that its parent's chain says", anchor.seq);
        return Err(SpawnError::Rejected { actor: child, reason });
    }
    let actor = rebuilt(shared, &entry, Some(parent.clone()), anchor, &tail.begun, &mut Mades::default()).await?;
    if let Some(failed) = tail.failed {
        actor.note_error(failed.error, failed.hash);
    }
    let waiting = store.pending(Some(child), usize::MAX).await?;
    let waiting: Vec<Message> = waiting.into_iter().filter_map(|message| messages::pending(&actor, message)).collect();
    let mut inbox = lock(&actor.inbox);
    inbox.phase = Phase::Held(Box::new(reason.clone()));
    inbox.adopt(waiting.into());
    drop(inbox);
    actor.set_ended(reason);
    shared.tree.adopt(&actor);
    Ok(())
}
