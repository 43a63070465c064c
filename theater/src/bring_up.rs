//! The start of an incarnation: recorded, handlers in order, instance, then `init` or the installed
//! state. Runs on a task of its own; whoever asked for it waits for that.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use theater_chain::data::{ActorStarted, ErrorType, FORMAT, HandlerRecord, KillCause, Lane, RestartStateKind};
use theater_chain::{Digest, payload};

use crate::actor::{Actor, Interruption, lock};
use crate::actor_store::Slots;
use crate::core_exports::{INIT, RESUMED};
use crate::drive::{Drive, drive};
use crate::ending;
use crate::error::{ActorError, SpawnError};
use crate::exit::ExitReason;
use crate::failpoint::step;
use crate::failure;
use crate::inbox::Life;
use crate::instance::{ActorInstance, new_store};
use crate::journal::Extras;
use crate::message::Message;
use crate::runner::{self, run_turn};
use crate::sources::within;
use crate::start::Start;
use crate::turn::{Finished, Mode, record_error};

/// How an incarnation starts.
pub(crate) struct Plan {
    pub(crate) restart_state: RestartStateKind,
    /// The begun spawn or the decision that led to it.
    pub(crate) parent_event: Option<Digest>,
    /// Messages that the incarnation before had not begun.
    pub(crate) adopted: VecDeque<Message>,
}

/// How a start went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Started {
    Running,
    Declined,
}

/// Starts an incarnation whose actor is registered, and then serves it. Returns when it runs, has
/// declined or has failed.
pub(crate) async fn start(actor: Arc<Actor>, plan: Plan) -> Result<Started, SpawnError> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let again = actor.clone();
    runner::spawn_part(actor.clone(), |busy| async move {
        match bring_up(&actor, plan).await {
            Ok(life) => {
                let _ = tell.send(Ok(Started::Running));
                runner::serve(actor, life, busy).await;
            }
            Err(result) => {
                let _ = tell.send(result);
            }
        }
    });
    told.await.unwrap_or_else(|_| Err(broken_off(&again)))
}

/// As [`start`], on the caller's task, which must not be dropped before it ends.
pub(crate) async fn start_here(actor: Arc<Actor>, plan: Plan) -> Result<Started, SpawnError> {
    match runner::guarded(actor.clone(), bring_up(&actor, plan)).await {
        Some(Ok(life)) => {
            lock(&actor.inbox).rest(&actor, life);
            Ok(Started::Running)
        }
        Some(Err(result)) => result,
        None => Err(broken_off(&actor)),
    }
}

/// A start that a fault of ours ended.
fn broken_off(actor: &Actor) -> SpawnError {
    let reason = actor.ended.borrow().clone().unwrap_or(ExitReason::Killed(KillCause::Host));
    SpawnError::Ended { id: actor.id, name: actor.name().to_owned(), reason }
}

async fn bring_up(actor: &Arc<Actor>, plan: Plan) -> Result<Life, Result<Started, SpawnError>> {
    record_started(actor, &plan);
    step!(actor, "start.recorded");
    // Should the start fail, they become dead letters with the actor's end.
    lock(&actor.inbox).adopt(plan.adopted);
    let init = plan.restart_state == RestartStateKind::Reset;
    let mut slots = Slots::new();
    if let Err(reason) = start_handlers(actor, &mut slots).await {
        return Err(failed(actor, reason, Life::Parked(slots)).await);
    }
    step!(actor, "start.handlers");
    let instantiated = instantiate(actor, slots).await;
    step!(actor, "start.instantiated");
    let finished = match instantiated {
        Err(finished) => finished,
        Ok(live) if init => {
            let mode = Mode { lane: Lane::Start, budget: actor.made.manifest.limits.init_timeout, init: true };
            run_turn(actor, live, Box::new(start_message(actor, &INIT)), mode).await
        }
        Ok(live) => resumed(actor, live).await,
    };
    match finished.end {
        None => {
            lock(&actor.inbox).set_running();
            step!(actor, "start.ready");
            Ok(finished.life)
        }
        Some(reason) => Err(failed(actor, reason, finished.life).await),
    }
}

async fn failed(actor: &Arc<Actor>, reason: ExitReason, life: Life) -> Result<Started, SpawnError> {
    ending::end(actor.clone(), reason.clone(), life, None).await;
    let (id, name) = (actor.id, actor.name().to_owned());
    match reason {
        ExitReason::Declined => Ok(Started::Declined),
        ExitReason::Abnormal(error) => Err(SpawnError::Failed { id, name, error }),
        reason => Err(SpawnError::Ended { id, name, reason }),
    }
}

fn record_started(actor: &Actor, plan: &Plan) {
    let made = &actor.made;
    let handlers = made.handlers.iter().map(|handler| HandlerRecord {
        name: handler.name().to_owned(),
        version: handler.version().to_owned(),
        permissions: made.held(handler.name()).map_or(serde_json::Value::Null, |held| held.json.clone()),
    });
    let committed = actor.committed();
    let event = ActorStarted {
        actor_id: actor.id,
        incarnation: actor.incarnation,
        format: FORMAT,
        parent: actor.parent_id,
        parent_event: plan.parent_event,
        component: made.component_digest,
        manifest: made.manifest.digest,
        handlers: handlers.collect(),
        engine: actor.shared.engine_record.clone(),
        host_key: actor.shared.host_key.clone(),
        restart_state: plan.restart_state,
        state_hash: committed.hash,
    };
    let init = plan.restart_state == RestartStateKind::Reset;
    let initial = committed.state.as_deref().filter(|_| init).map(payload::bin);
    let payload = actor.recorder.payload(&[("initial_state", initial.as_deref())]);
    let appended = actor.recorder.append_with(&event, payload, |event, now| {
        (now.incarnation, now.started, now.ended, now.state) = (actor.incarnation, event.seq, None, committed.hash);
        let fresh = |digest: Digest, bytes: &Bytes| {
            let new = actor.shared.tree.is_new_blob(actor.recorder.ephemeral, digest);
            new.then(|| (digest, bytes.clone())).into_iter().collect()
        };
        Extras {
            states: committed.state.iter().map(|bytes| (committed.hash, bytes.clone())).collect(),
            components: fresh(made.component_digest, &made.component_bytes),
            manifests: fresh(made.manifest.digest, &made.manifest.source),
            ..Extras::default()
        }
    });
    let _ = actor.started.set(appended.hash); // an incarnation starts once
}

/// Starts the handlers in manifest order; those that started are in `slots` whatever happens.
async fn start_handlers(actor: &Arc<Actor>, slots: &mut Slots) -> Result<(), ExitReason> {
    for handler in &actor.made.handlers {
        let entry = actor.made.manifest.handlers.iter().position(|entry| entry.name == handler.name());
        let (Some(index), Some(held)) = (entry, actor.made.held(handler.name())) else {
            continue; // both exist: `prepare` took the handlers from the entries
        };
        let started = match handler.start(Start::new(actor, handler.name()), &actor.made.manifest, index, held) {
            Ok(starting) => tokio::select! {
                biased;
                () = actor.control.stopping() => {
                    // Nothing of it runs yet; a handler may wait for children that do not start.
                    let why = actor.control.interruption();
                    return Err(why.map_or(ExitReason::Shutdown, |why| interrupted(actor, why)));
                }
                started = starting => started,
            },
            Err(error) => Err(error.into()),
        };
        match started {
            Ok(slot) => slots.push(slot),
            Err(error) => {
                // A supervisor fails as its child did.
                let error = error.downcast::<ActorError>().unwrap_or_else(|error| {
                    let reason = format!("handler `{}` did not start: {error:#}", handler.name());
                    ActorError::new(ErrorType::InstantiateFailed, reason)
                });
                record_error(actor, &error, actor.committed().hash, None, |_| Vec::new());
                return Err(ExitReason::Abnormal(error));
            }
        }
    }
    Ok(())
}

/// Makes an instance, within `init_timeout`: a component's start functions are guest code too.
async fn instantiate(actor: &Arc<Actor>, slots: Slots) -> Result<Box<ActorInstance>, Finished> {
    let limit = actor.made.manifest.limits.init_timeout;
    let permit = tokio::select! {
        biased;
        why = actor.control.interrupted() => return Err(ended(interrupted(actor, why), slots)),
        permit = within(&*actor.shared.sources, limit, actor.shared.pool.place()) => permit,
    };
    let Some(permit) = permit else {
        let reason = format!(
            "no place for an instance became free within {limit:?}; the runtime has too few for what runs at once"
        );
        let error = ActorError::new(ErrorType::InstantiateFailed, reason);
        record_error(actor, &error, actor.committed().hash, None, |_| Vec::new());
        return Err(ended(ExitReason::Abnormal(error), slots));
    };
    let mut store = new_store(actor, slots);
    let outcome = {
        let instantiating = actor.made.component.pre.instantiate_async(&mut store);
        drive(actor, limit, &AtomicBool::new(false), instantiating).await
    };
    let turn = std::mem::take(&mut store.data_mut().turn);
    let refused = store.data().memory.refused;
    let error = match outcome {
        Drive::Done(Ok(instance)) => return Ok(Box::new(ActorInstance::new(store, instance, permit))),
        Drive::Done(Err(error)) => {
            let mut failure = failure::classify(&error, turn, refused);
            if failure.kind == ErrorType::HostCallFailed {
                failure.kind = ErrorType::InstantiateFailed;
            }
            failure
        }
        Drive::TimedOut => {
            ActorError::new(ErrorType::CallTimeout, format!("the component did not instantiate within {limit:?}"))
        }
        Drive::Interrupted(why) => return Err(ended(interrupted(actor, why), store.into_data().slots)),
    };
    record_error(actor, &error, actor.committed().hash, None, |_| Vec::new());
    Err(ended(ExitReason::Abnormal(error), store.into_data().slots))
}

/// The end of a start that was interrupted; a failure is recorded.
fn interrupted(actor: &Actor, why: Interruption) -> ExitReason {
    if let Interruption::Failed(error) = &why {
        record_error(actor, error, actor.committed().hash, None, |_| Vec::new());
    }
    why.reason()
}

fn ended(reason: ExitReason, slots: Slots) -> Finished {
    Finished { life: Life::Parked(slots), end: Some(reason), failed: None }
}

/// Gives a parked actor a fresh instance; its state is installed without guest code.
pub(crate) async fn wake(actor: &Arc<Actor>, slots: Slots) -> Result<Box<ActorInstance>, Finished> {
    let live = instantiate(actor, slots).await?;
    let finished = resumed(actor, live).await;
    match (finished.life, finished.end) {
        (Life::Live(live), None) => Ok(live),
        (life, end) => Err(Finished { life, end: end.or(Some(ExitReason::Shutdown)), failed: None }),
    }
}

/// Calls the optional export that runs after state was installed.
async fn resumed(actor: &Arc<Actor>, live: Box<ActorInstance>) -> Finished {
    if actor.made.component.export(RESUMED.interface, RESUMED.function).is_none() {
        return Finished { life: Life::Live(live), end: None, failed: None };
    }
    let mode = Mode { lane: Lane::Start, budget: actor.made.manifest.limits.call_timeout, init: false };
    run_turn(actor, live, Box::new(start_message(actor, &RESUMED)), mode).await
}

fn start_message(actor: &Actor, export: &crate::export::Export<(String,), ()>) -> Message {
    #[expect(clippy::expect_used, reason = "a string can always be encoded")]
    Message::new(&actor.recorder, export, &(actor.id.to_string(),), None).expect("a string can be encoded")
}
