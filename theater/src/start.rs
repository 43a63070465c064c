//! What a handler gets when it starts for an actor.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use theater_chain::data::{HandlerError, PermissionDenied, SupervisionAction};
use theater_chain::{Digest, TheaterId, payload};
use tokio::sync::oneshot;

use crate::actor::{Actor, lock};
use crate::error::CallError;
use crate::exits::ChildExit;
use crate::export::{Export, Params, Results};
use crate::message::{self, Message};
use crate::request::{decoded, received};
use crate::subtree::Subtree;

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

    /// Which of its lives begins, from 1.
    pub fn incarnation(&self) -> u32 {
        self.actor.incarnation
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
        let mut listening = lock(&self.actor.exit_hook);
        if listening.is_some() {
            return Err(wasmtime::Error::msg("another handler listens to the exits of this actor's children"));
        }
        *listening = Some(Arc::new(Mutex::new(Box::new(hook))));
        Ok(())
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

    /// Whether its component exports a function.
    pub fn exports<P, R>(&self, export: &Export<P, R>) -> bool {
        self.actor
            .upgrade()
            .is_some_and(|actor| actor.made.component.export(export.interface, export.function).is_some())
    }

    /// Calls an export of the actor. The call is in its mailbox when this returns, behind what is
    /// there; the future waits for the answer. `cause` is the event that led to it.
    pub fn call<P: Params, R: Results>(
        &self,
        export: &Export<P, R>,
        params: &P,
        cause: Option<Digest>,
    ) -> impl Future<Output = Result<R, CallError>> + Send + use<P, R> {
        let begun = self.begin(export, params, cause);
        async move {
            let (actor, answer) = begun?;
            let answer = received(&actor, answer.await)?;
            decoded(actor.id, &answer)
        }
    }

    fn begin<P: Params, R: Results>(
        &self,
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
        (message.reply, message.cause) = (Some(reply), cause);
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
        let mut tasks = lock(&actor.tasks);
        if lock(&actor.family).closed {
            return;
        }
        tasks.retain(|task| !task.is_finished());
        tasks.push(actor.shared.spawn(task).abort_handle());
    }

    /// The actor's own subtree; `None` when the actor has ended.
    pub fn tree(&self) -> Option<Subtree> {
        self.actor.upgrade().map(|actor| Subtree::unwaiting(&actor))
    }

    /// Supervision time in ms: what elapsed while this process ran; the wall clock does not enter.
    pub fn at_ms(&self) -> u64 {
        self.actor.upgrade().map_or(0, |actor| actor.shared.at_ms())
    }

    /// Records a decision in the actor's chain, also while its guest runs; returns the event's hash,
    /// which a restart names as its cause.
    pub fn record_decision(&self, decision: &SupervisionAction) -> Option<Digest> {
        self.actor.upgrade().map(|actor| actor.recorder.append(decision, None).hash)
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
