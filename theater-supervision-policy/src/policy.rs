//! A declared policy, whole and checked.

use std::collections::BTreeMap;

use theater_chain::Digest;
use theater_chain::data::ErrorType;

use crate::decision::Class;

/// What a supervisor's manifest declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Which children a failure of one concerns.
    pub strategy: Strategy,
    /// The supervisor's budget: attempts to restart within [`Policy::within_ms`]; one more, and it
    /// escalates. `None`: no budget.
    pub max_restarts: Option<u32>,
    /// The window of every budget, in ms of supervision time, both ends included.
    pub within_ms: u64,
    /// Whether the supervisor ends when significant children have.
    pub auto_shutdown: AutoShutdown,
    /// The delays before restarts; `None`: at once.
    pub backoff: Option<Backoff>,
    /// What a used-up budget of a child or a group means.
    pub on_exhausted: OnExhausted,
    /// How often the children's heads are recorded in the supervisor's chain.
    pub anchor: AnchorMode,
    /// Which events of children the guest is told of.
    pub events: Vec<EventFilter>,
    /// The policy of children made by `spawn` and `resume`; `None`: they are never restarted by
    /// policy.
    pub spawned: Option<Spawned>,
    /// The declared children in start order. With [`Strategy::Dynamic`] the only one is the
    /// template, which is not started.
    pub children: Vec<Spec>,
    /// The groups.
    pub groups: BTreeMap<String, Group>,
    /// What errors mean; the first match wins.
    pub errors: Vec<Rule>,
}

impl Policy {
    /// What each child of a dynamic supervisor is made after.
    pub fn template(&self) -> Option<&Spec> {
        self.children.first().filter(|_| self.strategy == Strategy::Dynamic)
    }

    /// Whether a child may have to go back to any of its states, since it restarts together with others
    /// from a consistent cut.
    pub fn is_linked(&self, spec: &Spec) -> bool {
        let group = spec.group.as_ref().and_then(|group| self.groups.get(group));
        group.is_some_and(|group| group.resumes_together() && group.strategy != Strategy::OneForOne)
    }
}

/// Which children a failure of one concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// That one.
    #[default]
    OneForOne,
    /// All.
    OneForAll,
    /// That one and those started after it.
    RestForOne,
    /// That one; any number of children after one template.
    Dynamic,
}

/// Whether a supervisor ends when significant children have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutoShutdown {
    /// No.
    #[default]
    Never,
    /// When one has.
    AnySignificant,
    /// When the last one that was up has.
    AllSignificant,
}

/// Delays that grow from attempt to attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Before the first attempt.
    pub initial_ms: u64,
    /// What each delay is multiplied by.
    pub factor: f64,
    /// The longest.
    pub max_ms: u64,
    /// The share of a delay by which it varies, 0 to 1.
    pub jitter: f64,
    /// A child that was up for so long begins with the first attempt again.
    pub reset_after_ms: u64,
}

/// What a used-up budget of a child or a group means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExhausted {
    /// The supervisor ends.
    #[default]
    Escalate,
    /// The child, or the group, stays down.
    StopChild,
}

/// How often children are anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnchorMode {
    /// Every 100 ms while they are active, and at each exit.
    #[default]
    Batched,
    /// At each transition.
    Every,
    /// At each exit.
    Lifecycle,
}

/// Which events of children the guest is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// Event types.
    pub types: Vec<String>,
    /// Patterns of spec ids, names or actor ids; none: all children.
    pub children: Vec<String>,
    /// The fields of the document that are kept; none: all.
    pub fields: Vec<String>,
}

/// The policy of children without a spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Spawned {
    /// When they are restarted.
    pub restart: RestartType,
    /// With which state.
    pub restart_state: StateChoice,
    /// How they are stopped; `None`: 5 s, supervisors without limit.
    pub shutdown: Option<Shutdown>,
    /// The budget of each.
    pub max_restarts: Option<u32>,
    /// Whether the message that failed one is delivered again.
    pub redeliver: bool,
}

/// A child.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its id among the children.
    pub id: String,
    /// Its manifest, relative to the supervisor's folder.
    pub manifest: String,
    /// When it is restarted.
    pub restart: RestartType,
    /// With which state.
    pub restart_state: StateChoice,
    /// How it is stopped; `None`: 5 s, supervisors without limit.
    pub shutdown: Option<Shutdown>,
    /// Whether its end may end the supervisor.
    pub significant: bool,
    /// Its own budget; `None`: the supervisor's alone.
    pub max_restarts: Option<u32>,
    /// The group whose strategy it obeys.
    pub group: Option<String>,
    /// Whether the message that failed it is delivered again, to the next incarnation.
    pub redeliver: bool,
}

/// When a child is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartType {
    /// Always.
    #[default]
    Permanent,
    /// After an abnormal end.
    Transient,
    /// Never.
    Temporary,
}

/// Which state an incarnation begins with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StateChoice {
    /// `init` runs again.
    #[default]
    Reset,
    /// The last committed one.
    Resume,
    /// An earlier committed one, by its hash.
    ResumeFrom(Digest),
    /// These bytes.
    Custom(Vec<u8>),
}

/// How a child is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Killed at once.
    BrutalKill,
    /// Asked, and killed after so many ms.
    WithinMs(u64),
    /// Asked.
    Infinity,
}

/// Children with a strategy of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its strategy; not [`Strategy::Dynamic`].
    pub strategy: Strategy,
    /// With which state its members restart; `None`: as each declares. Members that restart
    /// together with [`StateChoice::Resume`] do so from one consistent cut.
    pub restart_state: Option<StateChoice>,
    /// What is done when there is no consistent cut.
    pub on_no_cut: OnNoCut,
    /// Its own budget; `None`: the supervisor's alone.
    pub max_restarts: Option<u32>,
}

impl Group {
    /// Whether members that restart together do so from one consistent cut.
    pub(crate) fn resumes_together(&self) -> bool {
        self.restart_state == Some(StateChoice::Resume)
    }
}

/// What is done when there is no consistent cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnNoCut {
    /// The supervisor ends.
    #[default]
    Escalate,
    /// The members begin anew.
    Reset,
}

/// What an error means.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Which errors.
    pub matches: ErrorMatch,
    /// What follows.
    pub action: RuleAction,
}

/// Which errors a rule speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorMatch {
    /// A pattern of the message (`*`, `?`).
    pub error: String,
    /// Kinds of error; none: any.
    pub types: Vec<ErrorType>,
    /// Patterns of spec ids, names or actor ids; none: all children.
    pub children: Vec<String>,
    /// The how manyth such error of one child within [`ErrorMatch::within_ms`] is the first that
    /// matches; 1: the first.
    pub times: u32,
    /// The window of [`ErrorMatch::times`], in ms.
    pub within_ms: u64,
}

/// What follows from a matching error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    /// It is of this class.
    Class(Class),
    /// The child is restarted, whatever its restart type.
    Restart,
    /// The child stays down, or is stopped.
    Stop,
    /// The supervisor ends.
    Escalate,
    /// Nothing: an ended child stays failed, uncounted.
    Ignore,
}
