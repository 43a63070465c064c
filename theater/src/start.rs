//! What a handler gets when it starts for an actor.

use std::future::Future;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use theater_chain::data::{
    self, AskedBy, ChildExited, HandlerError, Lane, PermissionDenied, ReasonRecord, SupervisionAction,
};
use theater_chain::{Digest, TheaterId, payload};
use tokio::sync::oneshot;

use crate::actor::{Actor, GoesOn, lock};
use crate::anchors::Anchor;
use crate::error::{ActorError, CallError};
use crate::exits::ChildExit;
use crate::export::{Export, Params, Results};
use crate::inbox;
use crate::message::{self, Message};
use crate::request::{decoded, received};
use crate::subtree::Subtree;
use crate::watch::ChildErr;

/// The seq of the start of a fork: before it is `actor_forked`, and before any other first start is
/// nothing.
const FORK_STARTED: u64 = 1;

/// The start of a handler for one actor.
pub struct Start<'a> {
    actor: &'a Arc<Actor>,
    handler: &'static str,
}

impl<'a> Start<'a> {
    pub(crate) fn new(actor: &'a Arc<Actor>, handler: &'static str) -> Self {
        Self { actor, handler }
    }

    /// The actor's id.
    pub fn actor_id(&self) -> TheaterId {
        self.actor.id
    }

    /// The `name` in its manifest.
    pub fn actor_name(&self) -> &str {
        self.actor.name()
    }

    /// The event with which this incarnation began.
    pub fn started(&self) -> Digest {
        self.actor.started.get().copied().unwrap_or_default()
    }

    /// Which of its lives begins, from 1.
    pub fn incarnation(&self) -> u32 {
        self.actor.incarnation
    }

    /// Whether this incarnation began before the process went down and goes on now: what the handler
    /// had for it is to be made again, from the chain ([`Subtree::records`]).
    pub fn is_recovering(&self) -> bool {
        self.actor.goes_on.load(Ordering::SeqCst) != 0
    }

    /// Whether this is the first incarnation of a fork: it begins where another actor stood, and what
    /// that one had beside its state, such as children, it does not have.
    pub fn is_fork(&self) -> bool {
        self.actor.incarnation == 1 && self.actor.recorder.started() == FORK_STARTED
    }

    /// Whether it ran already then: all handlers had started.
    pub fn had_started(&self) -> bool {
        self.actor.goes_on.load(Ordering::SeqCst) == GoesOn::SERVES
    }

    /// The seq of the event with which this incarnation began, and of the newest one.
    pub fn chain(&self) -> (u64, u64) {
        (self.actor.recorder.started(), self.actor.recorder.head().map_or(0, |head| head.seq))
    }

    /// Where this export was called when the process went down: the event that led to the call, which
    /// begins again, and its answer.
    pub fn open_call<P: Params, R: Results>(
        &self,
        export: &Export<P, R>,
    ) -> Option<(Option<Digest>, impl Future<Output = Result<R, CallError>> + Send + use<P, R>)> {
        let mut inbox = lock(&self.actor.inbox);
        let message = inbox.open_mut()?;
        if message.interface != export.interface || message.function != export.function || message.reply.is_some() {
            return None;
        }
        let (reply, answer) = oneshot::channel();
        message.reply = Some(reply);
        let (cause, actor) = (message.cause, self.actor.clone());
        Some((cause, async move { decoded(actor.id, &received(actor.id, answer.await)?) }))
    }

    /// The folder of its manifest.
    pub fn folder(&self) -> &Path {
        self.actor.made.manifest.folder()
    }

    /// A handle that a handler may keep: to call the actor, to spawn tasks that end with it, to see
    /// its subtree and to record what the handler decides.
    pub fn actor(&self) -> ActorRef {
        ActorRef { actor: Arc::downgrade(self.actor), id: self.actor.id, handler: self.handler }
    }

    /// Spawns a task that ends with the actor.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.actor().spawn(task);
    }

    /// Completes after `duration`, on the runtime's clock.
    pub fn timer(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        self.actor.shared.sources.sleep(duration)
    }

    /// The actor's own subtree.
    pub fn tree(&self) -> Subtree {
        Subtree::unwaiting(self.actor)
    }

    /// Has `hook` run at each exit of a child, after the fact is recorded and before anybody who
    /// waits for the child is told. It must not wait: it may begin a call on the actor and hand the
    /// future to [`ActorRef::spawn`]. One handler of an actor may listen.
    ///
    /// # Errors
    /// Another handler of this actor listens already.
    pub fn exits(&self, hook: impl FnMut(ChildExit) + Send + 'static) -> wasmtime::Result<()> {
        if !self.actor.seldom().watch.exits(Box::new(hook)) {
            return Err(wasmtime::Error::msg("another handler listens to the exits of this actor's children"));
        }
        Ok(())
    }

    /// Has `hook` run whenever a message's call of a child answers `err`, as [`Start::exits`] does.
    ///
    /// # Errors
    /// Another handler of this actor listens already.
    pub fn errs(&self, hook: impl FnMut(ChildErr) + Send + 'static) -> wasmtime::Result<()> {
        if !self.actor.seldom().watch.errs(Box::new(hook)) {
            return Err(wasmtime::Error::msg("another handler listens to the errors of this actor's children"));
        }
        Ok(())
    }

    /// Has `hook` run when an operator has restarted a child, as [`Start::exits`] does.
    ///
    /// # Errors
    /// Another handler of this actor listens already.
    pub fn begins(&self, hook: impl FnMut(TheaterId) + Send + 'static) -> wasmtime::Result<()> {
        if !self.actor.seldom().watch.begins(Box::new(hook)) {
            return Err(wasmtime::Error::msg("another handler listens to the restarts of this actor's children"));
        }
        Ok(())
    }

    /// Has the heads of the children's chains recorded in this actor's; the first handler that asks
    /// for it says how often.
    pub fn anchor(&self, mode: Anchor) {
        self.actor.seldom().anchors.begin(mode);
    }

    /// As [`Start::tree`], for children that are started while the actor starts, which waits for
    /// them: so that one that waits for the actor finds the cycle.
    pub fn starting_tree(&self) -> Subtree {
        Subtree::new(self.actor)
    }
}

/// A call that is in the mailbox.
type Begun = (Arc<Actor>, oneshot::Receiver<Result<message::Answer, CallError>>);

/// A weak handle to one incarnation of an actor, for its handlers.
#[derive(Clone)]
pub struct ActorRef {
    actor: Weak<Actor>,
    id: TheaterId,
    handler: &'static str,
}

impl ActorRef {
    /// The actor's id.
    pub fn id(&self) -> TheaterId {
        self.id
    }

    #[cfg(feature = "testing")]
    pub(crate) fn shared(&self) -> Option<Arc<crate::shared::Shared>> {
        self.actor.upgrade().map(|actor| actor.shared.clone())
    }

    /// Whether its component exports a function.
    pub fn exports<P, R>(&self, export: &Export<P, R>) -> bool {
        self.actor
            .upgrade()
            .is_some_and(|actor| actor.program().component.export(export.interface, export.function).is_some())
    }

    /// Calls an export of the actor. The call is in its mailbox when this returns, behind what is
    /// there; the future waits for the answer. `cause` is the event that led to it.
    pub fn call<P: Params, R: Results>(
        &self,
        export: &Export<P, R>,
        params: &P,
        cause: Option<Digest>,
    ) -> impl Future<Output = Result<R, CallError>> + Send + use<P, R> {
        self.call_in(Lane::Mailbox, export, params, cause)
    }

    /// As [`ActorRef::call`], but before every message in the mailbox: for what has to be decided.
    pub fn call_to_decide<P: Params, R: Results>(
        &self,
        export: &Export<P, R>,
        params: &P,
        cause: Option<Digest>,
    ) -> impl Future<Output = Result<R, CallError>> + Send + use<P, R> {
        self.call_in(Lane::Decision, export, params, cause)
    }

    fn call_in<P: Params, R: Results>(
        &self,
        lane: Lane,
        export: &Export<P, R>,
        params: &P,
        cause: Option<Digest>,
    ) -> impl Future<Output = Result<R, CallError>> + Send + use<P, R> {
        let begun = self.begin(lane, export, params, cause);
        async move {
            let (actor, answer) = begun?;
            let answer = received(actor.id, answer.await)?;
            decoded(actor.id, &answer)
        }
    }

    fn begin<P: Params, R: Results>(
        &self,
        lane: Lane,
        export: &Export<P, R>,
        params: &P,
        cause: Option<Digest>,
    ) -> Result<Begun, CallError> {
        let actor = self.actor.upgrade().ok_or(CallError::NotFound(self.id))?;
        if !self.exports(export) {
            return Err(message::not_exported(&actor, export));
        }
        let (reply, answer) = oneshot::channel();
        let mut message = Message::new(&actor.recorder, export, params, None)
            .map_err(|error| CallError::Answer { actor: self.id, reason: error.to_string() })?;
        (message.lane, message.reply, message.cause) = (lane, Some(reply), cause);
        message::deliver(&actor, message);
        Ok((actor, answer))
    }

    /// Tells when the actor is asked to stop or is killed, for a task that would rather finish what
    /// it does: tasks are dropped when the actor ends.
    pub fn shutdown(&self) -> ShutdownReceiver {
        ShutdownReceiver(self.actor.clone())
    }

    /// Spawns a task that ends with the actor; if that has ended, the task does not run.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let Some(actor) = self.actor.upgrade() else {
            return;
        };
        let mut tasks = lock(&actor.seldom().tasks);
        if lock(&actor.family).closed {
            return;
        }
        if tasks.len() == tasks.capacity() {
            tasks.retain(|task| !task.is_finished()); // once for each time that they double
        }
        tasks.push(actor.shared.spawn(task).abort_handle());
    }

    /// The actor's own subtree; `None` when the actor has ended.
    pub fn tree(&self) -> Option<Subtree> {
        self.actor.upgrade().map(|actor| Subtree::unwaiting(&actor))
    }

    /// Completes when no tree is being made again after its process went down: until then children
    /// are there that do not run yet.
    pub fn recovered(&self) -> impl Future<Output = ()> + Send + use<> {
        let recovering = self.actor.upgrade().map(|actor| actor.shared.recovering.subscribe());
        async move {
            if let Some(mut recovering) = recovering {
                let _ = recovering.wait_for(|recovering| !recovering).await; // the runtime has gone
            }
        }
    }

    /// Completes after `duration`, on the runtime's clock.
    pub fn timer(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        let timer = self.actor.upgrade().map(|actor| actor.shared.sources.sleep(duration));
        async move {
            if let Some(timer) = timer {
                timer.await;
            }
        }
    }

    /// Supervision time in ms: what elapsed while this process ran; the wall clock does not enter.
    pub fn at_ms(&self) -> u64 {
        self.actor.upgrade().map_or(0, |actor| actor.shared.at_ms())
    }

    /// Records a decision in the actor's chain, also while its guest runs; returns the event's hash,
    /// which a restart names as its cause.
    /// `decision` gets the hash of the event before it, from which its jitter derives.
    pub fn record_decision(&self, decision: impl FnOnce(Digest) -> SupervisionAction) -> Option<Digest> {
        self.actor.upgrade().map(|actor| actor.recorder.append_after(decision).hash)
    }

    /// Records that a restart of a child failed before an incarnation began, and returns the fact.
    pub fn record_failed_start(&self, child: TheaterId, incarnation: u32, error: &ActorError) -> Option<Digest> {
        let reason = ReasonRecord::Abnormal(error.kind);
        self.record_no_start(child, incarnation, reason, AskedBy::Itself, Some(&error.message))
    }

    /// Records that a restart of a child did not come about, since an operator had it stopped while it
    /// waited for that.
    pub fn record_no_restart(&self, child: TheaterId, incarnation: u32) -> Option<Digest> {
        self.record_no_start(child, incarnation, ReasonRecord::Shutdown, AskedBy::Operator, None)
    }

    fn record_no_start(
        &self,
        child: TheaterId,
        incarnation: u32,
        reason: ReasonRecord,
        asked_by: AskedBy,
        message: Option<&str>,
    ) -> Option<Digest> {
        let actor = self.actor.upgrade()?;
        let event = ChildExited {
            child,
            incarnation,
            reason,
            asked_by,
            poison: false,
            error_hash: Digest::ZERO,
            at_ms: actor.shared.at_ms(),
        };
        let message = message.map(payload::text);
        let payload = actor.recorder.payload(&[("message", message.as_deref())]);
        Some(actor.recorder.append(&event, payload).hash)
    }

    /// Records that a call of a child answered `err`, where a rule speaks of it; returns the time of
    /// the fact, see [`ActorRef::at_ms`].
    pub fn record_erred(&self, erred: &ChildErr) -> Option<u64> {
        let actor = self.actor.upgrade()?;
        let at_ms = actor.shared.at_ms();
        let event = data::ChildErred {
            child: erred.child,
            incarnation: erred.incarnation,
            error_hash: erred.error_hash,
            at_ms,
        };
        let payload = actor.recorder.payload(&[("message", Some(&payload::text(&erred.message)))]);
        actor.recorder.append(&event, payload);
        Some(at_ms)
    }

    /// Has the actor fail with this error, at once: a running call is interrupted, the children are
    /// stopped in order.
    pub fn fail(&self, error: ActorError) {
        if let Some(actor) = self.actor.upgrade() {
            actor.control.request_failure(error);
            inbox::nudge(&actor);
        }
    }

    /// Has the actor end as if it were asked to, after the running call. To its parent it ends by
    /// itself.
    pub fn stop(&self) {
        if let Some(actor) = self.actor.upgrade() {
            actor.control.request_stop();
            inbox::nudge(&actor);
        }
    }

    /// Records that this handler failed, or that a callback answered `err`: it changes nothing else.
    pub fn record_error(&self, phase: impl Into<String>, message: &str) {
        if let Some(actor) = self.actor.upgrade() {
            let event = HandlerError { handler: self.handler.to_owned(), phase: phase.into() };
            let payload = actor.recorder.payload(&[("message", Some(&payload::text(message)))]);
            actor.recorder.append(&event, payload);
        }
    }

    /// Records a denial outside of a host call.
    pub fn record_denied(&self, rule: impl Into<String>, message: &str) {
        if let Some(actor) = self.actor.upgrade() {
            let event = PermissionDenied { handler: self.handler.to_owned(), rule: rule.into() };
            let payload = actor.recorder.payload(&[("message", Some(&payload::text(message)))]);
            actor.recorder.append(&event, payload);
        }
    }
}

/// Learns that an actor is about to end.
#[derive(Clone)]
pub struct ShutdownReceiver(Weak<Actor>);

impl ShutdownReceiver {
    /// Completes when the actor is asked to stop, is killed, or has ended.
    pub async fn requested(&self) {
        if let Some(actor) = self.0.upgrade() {
            tokio::select! {
                () = actor.control.stopping() => {}
                _ = actor.wait_ended() => {}
            }
        }
    }
}
