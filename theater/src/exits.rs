//! What a parent's handler learns of a child's end.

use std::sync::Arc;

use theater_chain::data::AskedBy;
use theater_chain::{Digest, TheaterId};

use crate::actor::{Actor, lock};
use crate::exit::ExitReason;
use crate::inbox::Phase;
use crate::message;
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
    /// The hash of the parent's `child_exited`.
    pub fact: Digest,
    /// In the child's chain: its `actor_error`, else its `actor_terminated`.
    pub error_hash: Digest,
    /// The messages that the child had not begun, where it failed: they go to its next incarnation.
    /// Dropped without one, they become dead letters.
    pub mailbox: Option<HeldMailbox>,
}

/// Runs at each exit of a child, on the child's task: it must not wait. It may call the actor and
/// await the answer in a task of its own.
pub(crate) type ExitHook = Box<dyn FnMut(ChildExit) + Send>;

/// Keeps the messages of a failed child while its supervisor decides.
pub struct HeldMailbox {
    actor: Arc<Actor>,
    /// Until then whoever waits for the child waits for its parent.
    _edge: Option<Edge>,
}

impl HeldMailbox {
    /// While its supervisor decides, the actor counts as waiting for it.
    pub(crate) fn for_supervisor(actor: Arc<Actor>) -> Self {
        let edge = actor.parent_id.map(|parent| actor.shared.tree.waits.note(actor.id, parent));
        Self { actor, _edge: edge }
    }

    /// While a restart is under way.
    pub(crate) fn for_restart(actor: Arc<Actor>) -> Self {
        Self { actor, _edge: None }
    }
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
            let Phase::Held(reason) = &inbox.phase else {
                return; // a next incarnation has taken them
            };
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
