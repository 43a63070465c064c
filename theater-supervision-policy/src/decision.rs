//! What the engine is asked, and what it answers.

use theater_chain::data::{AskedBy, ReasonRecord, SupervisionActionKind};
use theater_chain::{Digest, TheaterId};

use crate::policy::StateChoice;

/// The class of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Handled as declared.
    Temporary,
    /// Escalated.
    Permanent,
    /// The child is left down, uncounted.
    Expected,
}

/// An incarnation of a child ended: what `child_exited` says, and the message of its error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The child.
    pub child: TheaterId,
    /// The `name` in its manifest.
    pub name: String,
    /// Which of its lives.
    pub incarnation: u32,
    /// Why.
    pub reason: ReasonRecord,
    /// Who asked for it.
    pub asked_by: AskedBy,
    /// Failed on a message that failed it before in just the same way.
    pub poison: bool,
    /// The message of its error; empty where there is none.
    pub message: String,
    /// In the child's chain, from the fact.
    pub error_hash: Digest,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing: somebody asked for the exit, or no policy speaks of it.
    Nothing,
    /// The guest's `decide` is to be asked; its answer goes to `Engine::answered`.
    Ask(Question),
    /// A group restarts from a consistent cut: its members are to be stopped, and the cut over
    /// their chains goes to `Engine::linked`. In start order.
    Link(Vec<TheaterId>),
    /// These decisions, to be recorded in this order.
    Decided(Vec<Decision>),
}

/// What `decide` is told beside the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The class of the error; temporary where no rule says more.
    pub class: Class,
    /// Attempts of this child so far.
    pub attempts: u32,
}

/// What `decide` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestDecision {
    /// Restart, with this state.
    Restart(StateChoice),
    /// Leave it down for good.
    Stop,
    /// End the supervisor.
    Escalate,
    /// Leave it failed.
    Ignore,
    /// As declared.
    Policy,
}

/// A decision: everything of a `supervision_action` but what is known only when it is appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The child; the supervisor itself where that ends by `auto_shutdown`.
    pub actor: TheaterId,
    /// What is done.
    pub action: SupervisionActionKind,
    /// The class of the error, where a rule gave one.
    pub class: Option<Class>,
    /// What decided.
    pub rule: String,
    /// The number of the attempt.
    pub attempt: u32,
    /// The attempts counted, this one included.
    pub window: u32,
    /// The delay before jitter, in ms.
    pub delay_ms: u64,
    /// The state of a restart.
    pub state: StateChoice,
    /// The fact's.
    pub error_hash: Option<Digest>,
    /// The consistent cut of a group.
    pub cut: Option<Vec<(TheaterId, u64, Digest)>>,
    /// Supervision time.
    pub at_ms: u64,
}
