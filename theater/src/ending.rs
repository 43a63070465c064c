//! The end of an incarnation: its children first, then its handlers, then the record, then whoever
//! waits for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use theater_chain::data::{ActorEnding, ActorTerminated, ChildExited, ErrorType, KillCause};
use theater_chain::{Digest, Payload, payload};

use crate::actor::{Actor, lock};
use crate::actor_store::Slots;
use crate::anchors;
use crate::entry::Extras;
use crate::exit::ExitReason;
use crate::exits::{ChildExit, FailedSlot, HeldMailbox, StoppedBy};
use crate::failpoint::step;
use crate::inbox::{Life, Phase};
use crate::manifest::Durability;
use crate::message;
use crate::sources::within;
use crate::stop;
use crate::turn::FailedCall;
use crate::watch;

/// How long one handler's `stop` may take.
const HANDLER_STOP: Duration = Duration::from_secs(5);

/// Ends an incarnation. Runs once for each, on the actor's own task.
pub(crate) async fn end(actor: Arc<Actor>, reason: ExitReason, life: Life, failed: Option<FailedCall>) {
    let published = {
        let mut inbox = lock(&actor.inbox);
        let published = matches!(inbox.phase, Phase::Running) || inbox.decided;
        inbox.phase = Phase::Ending;
        published
    };
    if !reason.is_normal() {
        actor.recorder.usage.add_failure(actor.shared.sources.monotonic());
    }
    let slots = match life {
        Life::Live(live) => live.into_slots(),
        Life::Parked(slots) => slots,
    };
    drop(lock(&actor.inbox).unpin());
    begin(&actor, &reason);
    end_children(&actor, &reason).await;
    step!(actor, "end.children");
    end_tasks(&actor);
    stop_handlers(&actor, slots, &reason).await;
    let error_hash = record_terminated(&actor, &reason);
    step!(actor, "end.recorded");
    told(actor, reason, error_hash, published, failed).await;
}

/// What follows from an end that is in the record: also from one after which the process went down.
pub(crate) async fn told(
    actor: Arc<Actor>,
    reason: ExitReason,
    error_hash: Digest,
    published: bool,
    failed: Option<FailedCall>,
) {
    anchors::exited(&actor);
    let fact = tell_parent(&actor, &reason, error_hash, published);
    let failed: FailedSlot = Arc::new(Mutex::new(failed));
    conclude(&actor, &reason, fact, published, &failed);
    step!(actor, "end.told");
    let failed = lock(&failed).take();
    if let Some(failed) = failed {
        if actor.made.manifest.durability == Durability::Sync {
            // A failed store has nothing to wait for; whoever asked is told all the same.
            let _ = actor.shared.journal.flushed().await;
        }
        failed.tell();
    }
    actor.set_ended(reason);
}

/// An end that was under way and did not complete: nobody must wait for it for ever. Says whether
/// it had begun.
pub(crate) fn abandoned(actor: &Arc<Actor>) -> bool {
    let mut inbox = lock(&actor.inbox);
    if matches!(inbox.phase, Phase::Starting | Phase::Running) {
        return false;
    }
    let reason = ExitReason::Killed(KillCause::Host);
    inbox.phase = Phase::Ended(Box::new(reason.clone()));
    drop(inbox);
    actor.shared.tree.remove(actor);
    actor.set_ended(reason);
    true
}

/// Forgets an incarnation that was made again and does not run, since the others could not be: its
/// record stays as it is.
pub(crate) fn given_up(actor: &Arc<Actor>) {
    end_tasks(actor);
    let reason = ExitReason::Killed(KillCause::Host);
    let (open, waiting) = {
        let mut inbox = lock(&actor.inbox);
        inbox.phase = Phase::Ended(Box::new(reason.clone()));
        (inbox.take_open(), inbox.take_queue())
    };
    drop((open, waiting));
    actor.shared.tree.remove(actor);
    actor.set_ended(reason);
}

/// An orderly end stops the children in reverse order, each within its time, those that go together
/// at once; any other kills them: what they would ask their parent for is gone.
async fn end_children(actor: &Arc<Actor>, reason: &ExitReason) {
    let children = {
        let mut family = lock(&actor.family);
        family.closed = true;
        family.children.clone()
    };
    if is_orderly(actor, reason) {
        let same = |a: &Arc<Actor>, b: &Arc<Actor>| a.terms().together && b.terms().together;
        for set in children.chunk_by(same).rev() {
            let stop = |child| stop::stop(child, stop::default_time(child), StoppedBy::ParentQuietly);
            tokio::select! {
                biased;
                _ = actor.control.killed() => break,
                _ = futures_util::future::join_all(set.iter().map(stop)) => {}
            }
        }
    }
    for child in children.iter().rev() {
        stop::kill(child, KillCause::ParentGone, StoppedBy::ParentQuietly);
    }
    for child in children.iter().rev() {
        child.wait_ended().await;
    }
}

/// Whether the actor ends as it decided to: well, or since it, or its supervisor handler, escalated.
fn is_orderly(actor: &Actor, reason: &ExitReason) -> bool {
    let escalated = matches!(reason, ExitReason::Abnormal(error) if error.kind == ErrorType::GuestError);
    reason.is_normal() || escalated || actor.control.failure().is_some()
}

fn end_tasks(actor: &Actor) {
    let Some(seldom) = actor.seldom_now() else { return };
    seldom.watch.clear();
    for task in lock(&seldom.tasks).drain(..) {
        task.abort();
    }
}

async fn stop_handlers(actor: &Actor, slots: Slots, reason: &ExitReason) {
    for (handler, state) in actor.made.handlers.iter().zip(slots).rev() {
        if within(&*actor.shared.sources, HANDLER_STOP, handler.stop(state, reason)).await.is_none() {
            tracing::warn!(actor = %actor.label(), handler = handler.name(), "stop took more than 5 s and was dropped");
        }
    }
}

/// Says in the record that the incarnation ends, where it would be gone on with should the process go
/// down before it has: while its children end, and where its supervisor must know who asked for it.
fn begin(actor: &Actor, reason: &ExitReason) {
    let by_operator = actor.parent.is_some() && lock(&actor.inbox).stopped_by == Some(StoppedBy::Operator);
    let is_said = matches!(reason, ExitReason::Abnormal(_)) || lock(&actor.inbox).ending;
    let matters = by_operator || !lock(&actor.family).children.is_empty();
    if is_said || !matters {
        return;
    }
    let (ending, said) = begun(actor, reason);
    actor.recorder.append(&ending, said);
}

/// The event that says so.
pub(crate) fn begun(actor: &Actor, reason: &ExitReason) -> (ActorEnding, Option<Payload>) {
    let asked_by = {
        let mut inbox = lock(&actor.inbox);
        inbox.ending = true;
        inbox.stopped_by.unwrap_or(StoppedBy::Itself).record()
    };
    let ending = ActorEnding { actor_id: actor.id, reason: reason.record(), asked_by };
    let (message, data) = match reason {
        ExitReason::Normal(data) => (None, data.as_deref()),
        ExitReason::Abnormal(error) => (Some(payload::text(&error.message)), error.data.as_deref()),
        ExitReason::Declined | ExitReason::Shutdown | ExitReason::Killed(_) => (None, None),
    };
    let data = data.map(payload::bin);
    (ending, actor.recorder.payload(&[("message", message.as_deref()), ("data", data.as_deref())]))
}

/// Returns the hash of the event that says why: the `actor_error`, else the `actor_terminated`.
fn record_terminated(actor: &Actor, reason: &ExitReason) -> Digest {
    let event =
        ActorTerminated { actor_id: actor.id, final_state_hash: actor.committed().hash, reason: reason.record() };
    let data = match reason {
        ExitReason::Normal(Some(data)) => Some(payload::bin(data)),
        _ => None,
    };
    let payload = actor.recorder.payload(&[("data", data.as_deref())]);
    let appended = actor.recorder.append_with(&event, payload, |event, now| {
        now.ended = Some(event.seq);
        Extras::default()
    });
    actor.last_error().map_or(appended.hash, |(_, hash)| hash)
}

/// Where the actor had been visible to its parent, the parent's chain gets the fact.
fn tell_parent(actor: &Arc<Actor>, reason: &ExitReason, error_hash: Digest, published: bool) -> Option<ChildExit> {
    let parent = actor.parent.as_ref()?.upgrade()?;
    // A start that failed is told to who began it; one by policy is a fact of its own.
    if !published && !lock(&actor.inbox).is_kept() {
        return None;
    }
    let poison = lock(&actor.inbox).poisoned;
    let at_ms = actor.shared.at_ms();
    let stopped_by = lock(&actor.inbox).stopped_by.unwrap_or(StoppedBy::Itself);
    let event = ChildExited {
        child: actor.id,
        incarnation: actor.incarnation,
        reason: reason.record(),
        asked_by: stopped_by.record(),
        poison,
        error_hash,
        at_ms,
    };
    let fact = parent.recorder.append(&event, None).hash;
    Some(ChildExit {
        child: actor.id,
        name: actor.name().to_owned(),
        incarnation: actor.incarnation,
        reason: reason.clone(),
        stopped_by,
        restarting: lock(&actor.inbox).is_kept(),
        poison,
        at_ms,
        fact,
        error_hash,
        mailbox: None,
    })
}

/// The parent's handler panicked over a child's exit: that is the parent's failure.
pub(crate) fn fail_parent(actor: &Actor) {
    if let Some(parent) = actor.parent.as_ref().and_then(std::sync::Weak::upgrade) {
        tracing::error!(parent = %parent.label(), "a handler panicked when it was told of a child's end");
        stop::kill(&parent, KillCause::Host, StoppedBy::Itself);
    }
}

/// Decides what becomes of the messages that were not begun, and tells the parent.
fn conclude(actor: &Arc<Actor>, reason: &ExitReason, fact: Option<ChildExit>, published: bool, failed: &FailedSlot) {
    let hook = fact.as_ref().filter(|_| published).and_then(|_| {
        let parent = actor.parent.as_ref()?.upgrade()?;
        parent.seldom_now()?.watch.exit_hook()
    });
    let (keep, hold, left) = {
        let mut inbox = lock(&actor.inbox);
        let keep = inbox.is_kept();
        let hold = hook.is_some() && inbox.stopped_by.is_none();
        let left = if keep || hold {
            inbox.phase = Phase::Held(Box::new(reason.clone()));
            Default::default()
        } else {
            inbox.phase = Phase::Ended(Box::new(reason.clone()));
            inbox.take_queue()
        };
        (keep, hold, left)
    };
    if !keep && !hold {
        actor.shared.tree.remove(actor); // else it stays a child until its supervisor has decided
    }
    match (hook, fact) {
        (Some(hook), Some(mut exit)) => {
            exit.mailbox = hold.then(|| HeldMailbox::for_supervisor(actor.clone(), failed.clone()));
            watch::tell(actor, &hook, exit);
        }
        (None, Some(exit)) if !published => *lock(&actor.seldom().failed_start) = Some(Box::new(exit)),
        _ => {}
    }
    for message in left {
        message::dead_letter(actor, message, reason);
    }
}
