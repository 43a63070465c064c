//! The events of a parent about its children, and of handlers.

use serde::{Deserialize, Serialize};

use super::ReasonRecord;
use crate::{Digest, TheaterId};

/// A child's incarnation ended, in the parent's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildExited {
    /// The child.
    pub child: TheaterId,
    /// Which of its lives.
    pub incarnation: u32,
    /// Why it ended.
    pub reason: ReasonRecord,
    /// Who asked for it.
    pub asked_by: AskedBy,
    /// Whether it failed on a message that had failed it before in just the same way: such an exit
    /// is not charged to any budget, and the message is in its `dead_letter`.
    pub poison: bool,
    /// In the child's chain: its `actor_error`, else its `actor_terminated`. Zeros for a restart
    /// that failed before an incarnation began.
    pub error_hash: Digest,
    /// Supervision time, in ms: grows with elapsed time while the process runs, never with the
    /// wall clock.
    pub at_ms: u64,
}

/// Who asked for the end of an incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskedBy {
    /// Nobody: it ended by itself.
    Itself,
    /// Its parent.
    Parent,
    /// An operator, or the embedding program.
    Operator,
}

/// A call of a child answered `err`, and a rule of the parent's policy speaks of it. Payload:
/// `message`, its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildErred {
    /// The child.
    pub child: TheaterId,
    /// Which of its lives.
    pub incarnation: u32,
    /// In the child's chain: its `call_returned`.
    pub error_hash: Digest,
    /// Supervision time, in ms.
    pub at_ms: u64,
}

/// The chains of children up to where they stand: each event of a child is in one range at most,
/// and the ranges of a child follow each other without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildrenAnchored {
    /// One for each child with new events.
    pub entries: Vec<ChildAnchor>,
}

/// A range of a child's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildAnchor {
    /// The child.
    pub child: TheaterId,
    /// The incarnation that it is in.
    pub incarnation: u32,
    /// The seq of the first event.
    pub from: u64,
    /// The seq of the last event.
    pub to: u64,
    /// The hash of the last event.
    pub head: Digest,
    /// The child's chain is kept in memory only.
    pub volatile: bool,
}

/// A decision about a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupervisionAction {
    /// The child.
    pub actor_id: TheaterId,
    /// What was decided.
    pub action: SupervisionActionKind,
    /// The class of the error.
    pub class: Option<String>,
    /// The rule that decided.
    pub rule: String,
    /// The number of the attempt.
    pub attempt: u32,
    /// The attempts counted.
    pub window: u32,
    /// The delay before the action, in ms.
    pub delay_ms: u64,
    /// In the child's chain: the error that led to this.
    pub error_hash: Option<Digest>,
    /// The state that the child gets.
    pub new_state_hash: Option<Digest>,
    /// A consistent cut over a group.
    pub cut: Option<Vec<(TheaterId, u64, Digest)>>,
    /// Supervision time, in ms.
    pub at_ms: u64,
}

/// What a supervisor decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupervisionActionKind {
    /// Start the next incarnation.
    Restart,
    /// Leave it down for good.
    Stop,
    /// End the supervisor, abnormal.
    Escalate,
    /// Leave it failed, uncounted.
    Ignore,
    /// Refuse to restart from a record that does not verify.
    Reject,
    /// Nothing yet; something is close to its limit.
    Warn,
}

/// A handler failed, or a callback returned `err`. Payload: `message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandlerError {
    /// The handler.
    pub handler: String,
    /// What it was doing, such as `supervisor-handlers/handle-child-error` or `stop`.
    pub phase: String,
}
