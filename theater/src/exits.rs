//! What a parent's handler learns of a child's end.

use std::future::Future;
use std::sync::{Arc, Mutex};

use theater_chain::data::AskedBy;
use theater_chain::{Digest, TheaterId};

use crate::actor::{Actor, lock};
use crate::entry::Extras;
use crate::exit::ExitReason;
use crate::inbox::Phase;
use crate::message;
use crate::turn::FailedCall;
use crate::waits::Edge;

/// Who asked an actor to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoppedBy {
    /// Nobody: it ended by itself.
    Itself,
    /// Its parent's `stop-child`.
    Parent,
    /// Its parent's `terminate-child` or a restart: the parent hears nothing.
    ParentQuietly,
    /// An operator, or the embedding program.
    Operator,
}

impl StoppedBy {
    pub(crate) fn record(self) -> AskedBy {
        match self {
            Self::Itself => AskedBy::Itself,
            Self::Parent | Self::ParentQuietly => AskedBy::Parent,
            Self::Operator => AskedBy::Operator,
        }
    }

    /// By the record. Where a parent asked, who waits for it asks again.
    pub(crate) fn recorded(by: AskedBy) -> Option<Self> {
        match by {
            AskedBy::Itself => None,
            AskedBy::Parent => Some(Self::ParentQuietly),
            AskedBy::Operator => Some(Self::Operator),
        }
    }
}

/// A child's incarnation has ended. The fact is recorded before the hook runs.
#[derive(Debug)]
#[non_exhaustive]
pub struct ChildExit {
    /// The child.
    pub child: TheaterId,
    /// The `name` in its manifest.
    pub name: String,
    /// Which of its lives.
    pub incarnation: u32,
    /// Why it ended.
    pub reason: ExitReason,
    /// Who asked for it.
    pub stopped_by: StoppedBy,
    /// Whether it was stopped for its next incarnation.
    pub restarting: bool,
    /// Whether it failed on a message that had failed it before in just the same way.
    pub poison: bool,
    /// Supervision time, in ms.
    pub at_ms: u64,
    /// The hash of the parent's `child_exited`.
    pub fact: Digest,
    /// In the child's chain: its `actor_error`, else its `actor_terminated`.
    pub error_hash: Digest,
    /// The messages that the child had not begun, where it ended by itself: they go to its next
    /// incarnation. Dropped without one, they become dead letters.
    pub mailbox: Option<HeldMailbox>,
}

impl ChildExit {
    /// Of a restart that failed before an incarnation began; `fact` is its record, see
    /// [`ActorRef::record_failed_start`](crate::ActorRef::record_failed_start).
    pub fn of_failed_start(
        child: TheaterId,
        name: String,
        incarnation: u32,
        reason: ExitReason,
        at_ms: u64,
        fact: Digest,
    ) -> Self {
        let (stopped_by, error_hash) = (StoppedBy::Itself, Digest::ZERO);
        let (restarting, poison, mailbox) = (false, false, None);
        Self { child, name, incarnation, reason, stopped_by, restarting, poison, at_ms, fact, error_hash, mailbox }
    }
}

/// Runs at each exit of a child, on the child's task: it must not wait. It may call the actor and
/// await the answer in a task of its own.
pub(crate) type ExitHook = Box<dyn FnMut(ChildExit) + Send>;

/// The call that ended an actor, until whoever asked is told or the message is delivered again.
pub(crate) type FailedSlot = Arc<Mutex<Option<FailedCall>>>;

/// Keeps the messages of a child that ended while its supervisor decides; when nobody does any more
/// and there is no next incarnation, they become dead letters.
pub struct HeldMailbox {
    actor: Arc<Actor>,
    failed: FailedSlot,
    /// While the guest of its parent decides, whoever waits for the child waits for its parent.
    edge: Mutex<Option<Edge>>,
}

impl HeldMailbox {
    /// While its supervisor decides.
    pub(crate) fn for_supervisor(actor: Arc<Actor>, failed: FailedSlot) -> Self {
        lock(&actor.inbox).holders += 1;
        Self { actor, failed, edge: Mutex::default() }
    }

    pub(crate) fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// While a restart is under way.
    pub(crate) fn for_restart(actor: Arc<Actor>) -> Self {
        lock(&actor.inbox).holders += 1;
        Self { actor, failed: FailedSlot::default(), edge: Mutex::default() }
    }

    /// The child will be restarted, now or later: until then it shows as restarting, and waits for
    /// nobody, so that its parent, too, may ask it and wait.
    pub fn expect_restart(&self) {
        *lock(&self.edge) = None;
        lock(&self.actor.inbox).keep();
    }

    /// What becomes of the child is up to the guest of its parent, which is told of it: until this is
    /// dropped, or [`HeldMailbox::expect_restart`], the child counts as waiting for its parent, so that
    /// a parent that asks it and waits finds the cycle. Without this the parent may.
    pub fn wait_for_guest(&self) {
        let actor = &self.actor;
        *lock(&self.edge) = actor.parent_id.map(|parent| actor.shared.tree.waits.note(actor.id, parent));
    }

    /// Has the message that failed the child delivered again, before the others. Only from within
    /// the hook that was told of the exit: after that its sender is told of the failure.
    pub fn redeliver(&self) {
        let Some(failed) = lock(&self.failed).take_if(|failed| failed.is_message()) else {
            return;
        };
        let message = failed.again();
        let pending = message.pending(self.actor.id, message.cause).into_iter();
        let pending_added = pending.filter(|_| !self.actor.recorder.ephemeral).collect();
        self.actor.recorder.append_extras(Extras { pending_added, ..Extras::default() });
        lock(&self.actor.inbox).adopt([message].into());
    }

    /// Completes when an operator has been first.
    pub fn overtaken(&self) -> impl Future<Output = Overtaken> + Send + use<> {
        let actor = self.actor.clone();
        async move { actor.control.until(|| overtaken(&actor)).await }
    }

    /// Whether an operator has been first.
    pub fn is_overtaken(&self) -> Option<Overtaken> {
        overtaken(&self.actor)
    }
}

fn overtaken(actor: &Actor) -> Option<Overtaken> {
    let inbox = lock(&actor.inbox);
    let stopped = inbox.stopped_by == Some(StoppedBy::Operator);
    let restarted = matches!(inbox.phase, Phase::Ended(_));
    stopped.then_some(Overtaken::Stopped).or_else(|| restarted.then_some(Overtaken::Restarted))
}

/// What an operator did to a child that waited for its restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overtaken {
    /// Asked for its stop: it is not to be restarted.
    Stopped,
    /// Restarted it.
    Restarted,
}

impl std::fmt::Debug for HeldMailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldMailbox({})", self.actor.id)
    }
}

impl Drop for HeldMailbox {
    fn drop(&mut self) {
        let (reason, messages) = {
            let mut inbox = lock(&self.actor.inbox);
            inbox.holders -= 1;
            let Phase::Held(reason) = &inbox.phase else {
                return; // a next incarnation has taken them
            };
            if inbox.holders > 0 {
                return; // somebody else keeps them
            }
            let reason = reason.clone();
            inbox.phase = Phase::Ended(reason.clone());
            (reason, inbox.take_queue())
        };
        self.actor.shared.tree.remove(&self.actor);
        for message in messages {
            message::dead_letter(&self.actor, message, &reason);
        }
    }
}
