//! The record of one incarnation of an actor. It is a record, not a task: a task exists only while
//! there is work.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use theater_chain::data::KillCause;
use theater_chain::{Digest, TheaterId};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::anchors::Anchors;
use crate::error::ActorError;
use crate::exit::ExitReason;
use crate::exits::ChildExit;
use crate::inbox::{Inbox, Phase};
use crate::program::Program;
use crate::recorder::Recorder;
use crate::shared::Shared;
use crate::stop::Shutdown;
use crate::watch::Watch;

pub(crate) use crate::made::Made;

pub(crate) struct Actor {
    pub(crate) id: TheaterId,
    pub(crate) parent: Option<Weak<Actor>>,
    pub(crate) parent_id: Option<TheaterId>,
    /// 0 for a root.
    pub(crate) depth: u32,
    pub(crate) incarnation: u32,
    pub(crate) made: Arc<Made>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) inbox: Mutex<Inbox>,
    pub(crate) control: Control,
    pub(crate) family: Mutex<Family>,
    program: Mutex<Arc<Program>>,
    committed: Mutex<Committed>,
    /// How it is stopped.
    terms: Mutex<Terms>,
    /// The hash of its `actor_started`.
    pub(crate) started: OnceLock<Digest>,
    /// What that names as its cause: a begun host call or a decision of the parent.
    pub(crate) parent_event: OnceLock<Digest>,
    /// Whether it goes on after the process went down, see [`GoesOn`].
    pub(crate) goes_on: AtomicU8,
    seldom: OnceLock<Box<Seldom>>,
    /// Set once, when everything of this incarnation has ended.
    ended: OnceLock<Box<ExitReason>>,
}

/// What few actors have: a million of them are to fit into memory.
#[derive(Default)]
pub(crate) struct Seldom {
    /// What a handler watches in the children.
    pub(crate) watch: Watch,
    /// What of the children's chains this actor's chain says.
    pub(crate) anchors: Anchors,
    /// A supervised start that failed: what its supervisor is told.
    pub(crate) failed_start: Mutex<Option<Box<ChildExit>>>,
    /// Tasks that handlers spawned for this actor; they end with it.
    pub(crate) tasks: Mutex<Vec<AbortHandle>>,
    /// The error that ends this incarnation, and the hash of its event.
    last_error: Mutex<Option<(ActorError, Digest)>>,
}

/// What of an incarnation was over when the process went down.
pub(crate) struct GoesOn;

impl GoesOn {
    /// It had begun to start.
    pub(crate) const STARTS: u8 = 1;
    /// It ran.
    pub(crate) const SERVES: u8 = 2;
}

/// The last committed state.
#[derive(Clone, Default)]
pub(crate) struct Committed {
    pub(crate) state: Option<Bytes>,
    pub(crate) hash: Digest,
}

/// The children, oldest first.
#[derive(Default)]
pub(crate) struct Family {
    /// No child can be added any more: the actor is ending.
    pub(crate) closed: bool,
    pub(crate) children: Vec<Arc<Actor>>,
}

/// How a child is stopped and what is kept of it, as its parent's handler declared; the same for each
/// incarnation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// `None`: the default time.
    pub(crate) shutdown: Option<Shutdown>,
    /// Together with the others of which this is said, rather than after those that started later.
    pub(crate) together: bool,
    /// All its states stay in the store.
    pub(crate) keep_states: bool,
}

/// Everything that [`Actor::new`] needs.
pub(crate) struct NewActor {
    pub(crate) id: TheaterId,
    pub(crate) parent: Option<Arc<Actor>>,
    pub(crate) incarnation: u32,
    pub(crate) made: Arc<Made>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) state: Option<Bytes>,
    pub(crate) terms: Terms,
}

impl Actor {
    pub(crate) fn new(new: NewActor) -> Self {
        let hash = Digest::of_state(new.state.as_deref());
        Self {
            id: new.id,
            parent: new.parent.as_ref().map(Arc::downgrade),
            parent_id: new.parent.as_ref().map(|parent| parent.id),
            depth: new.parent.as_ref().map_or(0, |parent| parent.depth + 1),
            incarnation: new.incarnation,
            program: Mutex::new(new.made.begins_with.clone()),
            made: new.made,
            shared: new.shared,
            recorder: new.recorder,
            inbox: Mutex::default(),
            control: Control::default(),
            family: Mutex::default(),
            committed: Mutex::new(Committed { state: new.state, hash }),
            terms: Mutex::new(new.terms),
            started: OnceLock::new(),
            parent_event: OnceLock::new(),
            goes_on: AtomicU8::new(0),
            seldom: OnceLock::new(),
            ended: OnceLock::new(),
        }
    }

    /// What few actors have, made when it is asked for first.
    pub(crate) fn seldom(&self) -> &Seldom {
        self.seldom.get_or_init(Box::default)
    }

    /// The same, if it is there.
    pub(crate) fn seldom_now(&self) -> Option<&Seldom> {
        self.seldom.get().map(|seldom| &**seldom)
    }

    /// The component that it runs.
    pub(crate) fn program(&self) -> Arc<Program> {
        lock(&self.program).clone()
    }

    /// Between two calls: it runs this from here on.
    pub(crate) fn set_program(&self, program: Arc<Program>) {
        *lock(&self.program) = program;
    }

    /// What the next incarnation is made of.
    pub(crate) fn made_now(&self) -> Arc<Made> {
        let program = self.program();
        if Arc::ptr_eq(&program, &self.made.begins_with) {
            return self.made.clone();
        }
        Arc::new(Made { begins_with: program, ..Made::clone(&self.made) })
    }

    /// The last committed state, without waiting for a call that runs.
    pub(crate) fn committed(&self) -> Committed {
        lock(&self.committed).clone()
    }

    pub(crate) fn commit_state(&self, state: Option<Bytes>, hash: Digest) {
        *lock(&self.committed) = Committed { state, hash };
    }

    pub(crate) fn note_error(&self, error: ActorError, hash: Digest) {
        *lock(&self.seldom().last_error) = Some((error, hash));
    }

    /// The error that ended this incarnation, and the hash of its event.
    pub(crate) fn last_error(&self) -> Option<(ActorError, Digest)> {
        lock(&self.seldom_now()?.last_error).clone()
    }

    /// How it is stopped.
    pub(crate) fn terms(&self) -> Terms {
        *lock(&self.terms)
    }

    /// Says how it is stopped, where that is not known from its start.
    pub(crate) fn set_terms(&self, terms: Terms) {
        *lock(&self.terms) = terms;
    }

    pub(crate) fn name(&self) -> &str {
        &self.made.manifest.name
    }

    /// `name (id)`, for messages.
    pub(crate) fn label(&self) -> String {
        format!("{} ({})", self.name(), self.id)
    }

    /// The children that are alive, oldest first.
    pub(crate) fn children(&self) -> Vec<Arc<Actor>> {
        lock(&self.family).children.clone()
    }

    /// Whether it serves.
    pub(crate) fn is_up(&self) -> bool {
        !matches!(lock(&self.inbox).phase, Phase::Held(_) | Phase::Ended(_))
    }

    /// Waits until it serves or has ended; whether it serves.
    pub(crate) async fn wait_started(&self) -> bool {
        let settled = self.control.until(|| match lock(&self.inbox).phase {
            Phase::Starting => None,
            Phase::Running => Some(true),
            _ => Some(false),
        });
        tokio::select! {
            up = settled => up,
            _ = self.wait_ended() => false,
        }
    }

    /// Waits until everything of this incarnation has ended.
    pub(crate) async fn wait_ended(&self) -> ExitReason {
        self.control.until(|| self.ended().cloned()).await
    }

    /// How it ended, once everything of this incarnation has.
    pub(crate) fn ended(&self) -> Option<&ExitReason> {
        self.ended.get().map(|reason| &**reason)
    }

    /// Everything of this incarnation has ended; the first reason counts.
    pub(crate) fn set_ended(&self, reason: ExitReason) {
        let _ = self.ended.set(Box::new(reason));
        self.control.notify();
    }
}

/// Why a running call is interrupted.
pub(crate) enum Interruption {
    Killed(KillCause),
    /// A handler of the actor had it fail.
    Failed(Box<ActorError>),
}

impl Interruption {
    pub(crate) fn reason(self) -> ExitReason {
        match self {
            Self::Killed(cause) => ExitReason::Killed(cause),
            Self::Failed(error) => ExitReason::Abnormal(*error),
        }
    }
}

/// What reaches an actor from outside its mailbox: a stop and, above it, a failure and a kill.
#[derive(Default)]
pub(crate) struct Control {
    stop: AtomicBool,
    kill: AtomicU8,
    /// A handler of the actor had it fail.
    failure: OnceLock<Box<ActorError>>,
    changed: Notify,
}

impl Control {
    pub(crate) fn request_stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// The first kill wins.
    pub(crate) fn request_kill(&self, cause: KillCause) {
        let code = match cause {
            KillCause::Host => 1,
            KillCause::Deadline => 2,
            KillCause::ParentGone => 3,
        };
        let _ = self.kill.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// The actor is to fail with this error; the first one counts.
    pub(crate) fn request_failure(&self, error: ActorError) {
        let _ = self.failure.set(Box::new(error));
        self.changed.notify_waiters();
    }

    pub(crate) fn failure(&self) -> Option<&ActorError> {
        self.failure.get().map(|error| &**error)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst) || self.interruption().is_some()
    }

    /// Why a running call is to be interrupted.
    pub(crate) fn interruption(&self) -> Option<Interruption> {
        let killed = self.killed_by().map(Interruption::Killed);
        killed.or_else(|| self.failure.get().map(|error| Interruption::Failed(error.clone())))
    }

    pub(crate) fn killed_by(&self) -> Option<KillCause> {
        match self.kill.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(KillCause::Host),
            2 => Some(KillCause::Deadline),
            _ => Some(KillCause::ParentGone),
        }
    }

    /// Completes when a kill is requested.
    pub(crate) async fn killed(&self) -> KillCause {
        self.until(|| self.killed_by()).await
    }

    /// Completes when a running call is to be interrupted.
    pub(crate) async fn interrupted(&self) -> Interruption {
        self.until(|| self.interruption()).await
    }

    /// Completes when a stop, a failure or a kill is requested.
    pub(crate) async fn stopping(&self) {
        self.until(|| self.is_stopping().then_some(())).await;
    }

    /// Has whoever waits here look again.
    pub(crate) fn notify(&self) {
        self.changed.notify_waiters();
    }

    pub(crate) async fn until<T>(&self, ready: impl Fn() -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable(); // before the check, so that no change is missed
            if let Some(value) = ready() {
                return value;
            }
            changed.await;
        }
    }
}

/// Locks a short mutex. A panic while it was held left plain data behind, which stays usable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
