//! The start of an incarnation: recorded, handlers in order, instance, then `init` or the installed
//! state. Runs on a task of its own; whoever asked for it waits for that.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use theater_chain::data::{ActorStarted, ErrorType, FORMAT, HandlerRecord, KillCause, Lane, RestartStateKind};
use theater_chain::{Digest, payload};

use crate::actor::{Actor, Interruption, lock};
use crate::actor_store::Slots;
use crate::core_exports::{INIT, RESUMED};
use crate::drive::{Drive, drive};
use crate::ending;
use crate::entry::Extras;
use crate::error::{ActorError, SpawnError};
use crate::exit::ExitReason;
use crate::failpoint::step;
use crate::failure;
use crate::fork::Branch;
use crate::inbox::{Life, Phase};
use crate::instance::{ActorInstance, new_store};
use crate::message::Message;
use crate::places::Place;
use crate::runner::{self, run_turn};
use crate::sources::within;
use crate::start::Start;
use crate::turn::{Finished, Mode, fail_reentry, record_error};

/// How an incarnation starts.
pub(crate) struct Plan {
    pub(crate) restart_state: RestartStateKind,
    /// The begun spawn or the decision that led to it.
    pub(crate) parent_event: Option<Digest>,
    /// Messages that the incarnation before had not begun.
    pub(crate) adopted: VecDeque<Message>,
    /// It began before the process went down, and goes on.
    pub(crate) goes_on: bool,
    /// The call of its start that was open then.
    pub(crate) open: Option<Box<Message>>,
    /// It is a fork.
    pub(crate) branch: Option<Box<Branch>>,
}

impl Plan {
    pub(crate) fn new(
        restart_state: RestartStateKind,
        parent_event: Option<Digest>,
        adopted: VecDeque<Message>,
    ) -> Self {
        Self { restart_state, parent_event, adopted, goes_on: false, open: None, branch: None }
    }
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
    let reason = actor.ended().cloned().unwrap_or(ExitReason::Killed(KillCause::Host));
    SpawnError::Ended { id: actor.id, name: actor.name().to_owned(), reason }
}

async fn bring_up(actor: &Arc<Actor>, plan: Plan) -> Result<Life, Result<Started, SpawnError>> {
    let open = plan.open;
    let reentered = plan.branch.and_then(|branch| {
        actor.recorder.append(&branch.forked, branch.payload);
        branch.open
    });
    if !plan.goes_on {
        record_started(actor, plan.restart_state, plan.parent_event);
    }
    step!(actor, "start.recorded");
    // Should the start fail, they become dead letters with the actor's end.
    lock(&actor.inbox).adopt(plan.adopted);
    let init = plan.restart_state == RestartStateKind::Reset;
    let mut slots = Slots::new();
    if let Err(reason) = start_handlers(actor, &mut slots).await {
        let unmade = Unmade { reason: reason.clone(), slots };
        let finished = match open {
            Some(message) => fail_reentry(actor, message, unmade.slots, unmade.reason),
            None => unmade.recorded(actor),
        };
        return Err(failed(actor, reason, finished.life).await);
    }
    step!(actor, "start.handlers");
    if let Some(message) = reentered {
        // The instance on which it was begun had been woken before.
        let mut inbox = lock(&actor.inbox);
        inbox.reenter(message);
        inbox.set_running();
        drop(inbox);
        actor.control.notify();
        return Ok(Life::Parked(slots));
    }
    let instantiated = instantiate(actor, slots).await;
    step!(actor, "start.instantiated");
    let finished = match (instantiated, open) {
        (Err(unmade), Some(message)) => fail_reentry(actor, message, unmade.slots, unmade.reason),
        (Err(unmade), None) => unmade.recorded(actor),
        (Ok(live), message) if init => {
            let mode = Mode { lane: Lane::Start, budget: actor.made.manifest.limits.init_timeout, init: true };
            run_turn(actor, live, message.unwrap_or_else(|| Box::new(start_message(actor, &INIT))), mode).await
        }
        (Ok(live), message) => resumed(actor, live, message).await,
    };
    match finished.end {
        None => {
            lock(&actor.inbox).set_running();
            actor.control.notify();
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

fn record_started(actor: &Actor, restart_state: RestartStateKind, parent_event: Option<Digest>) {
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
        parent_event,
        component: made.begins_with.digest,
        manifest: made.manifest.digest,
        handlers: handlers.collect(),
        engine: actor.shared.engine_record.clone(),
        host_key: actor.shared.host_key.clone(),
        restart_state,
        state_hash: committed.hash,
    };
    let init = restart_state == RestartStateKind::Reset;
    let initial = committed.state.as_deref().filter(|_| init).map(payload::bin);
    let payload = actor.recorder.payload(&[("initial_state", initial.as_deref())]);
    let keep_states = actor.terms().keep_states;
    let appended = actor.recorder.append_start(&event, payload, keep_states, |event, now| {
        (now.incarnation, now.started, now.ended, now.state) = (actor.incarnation, event.seq, None, committed.hash);
        let fresh = |digest: Digest, bytes: &Bytes| {
            let new = actor.shared.tree.is_new_blob(actor.recorder.ephemeral, digest);
            new.then(|| (digest, bytes.clone())).into_iter().collect()
        };
        Extras {
            states: committed.state.iter().map(|bytes| (committed.hash, bytes.clone())).collect(),
            components: fresh(made.begins_with.digest, &made.begins_with.bytes),
            manifests: fresh(made.manifest.digest, &made.manifest.source),
            ..Extras::default()
        }
    });
    let _ = actor.started.set(appended.hash); // an incarnation starts once
    let _ = parent_event.map(|event| actor.parent_event.set(event));
}

/// Starts the handlers in manifest order; those that started are in `slots` whatever happens.
pub(crate) async fn start_handlers(actor: &Arc<Actor>, slots: &mut Slots) -> Result<(), ExitReason> {
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
                    return Err(why.map_or(ExitReason::Shutdown, Interruption::reason));
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
                return Err(ExitReason::Abnormal(error));
            }
        }
    }
    Ok(())
}

/// Makes an instance, within `init_timeout`: a component's start functions are guest code too.
pub(crate) async fn instantiate(actor: &Arc<Actor>, slots: Slots) -> Result<Box<ActorInstance>, Unmade> {
    let limit = actor.made.manifest.limits.init_timeout;
    let place = match place(actor, limit).await {
        Ok(place) => place,
        Err(reason) => return Err(Unmade { reason, slots }),
    };
    let program = actor.program();
    let mut store = new_store(actor, slots);
    let outcome = {
        let instantiating = program.component.pre.instantiate_async(&mut store);
        drive(actor, limit, &AtomicBool::new(false), instantiating).await
    };
    let turn = std::mem::take(&mut store.data_mut().turn);
    let refused = store.data().memory.refused;
    let error = match outcome {
        Drive::Done(Ok(instance)) => return Ok(Box::new(ActorInstance::new(store, instance, place))),
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
        Drive::Interrupted(why) => return Err(Unmade { reason: why.reason(), slots: store.into_data().slots }),
    };
    Err(Unmade { reason: ExitReason::Abnormal(error), slots: store.into_data().slots })
}

/// A place for an instance. An actor that has started has waited for its message all along, and waits on:
/// that others are busy is no failure of it.
async fn place(actor: &Arc<Actor>, limit: Duration) -> Result<Place, ExitReason> {
    let pinned = lock(&actor.inbox).pinned_place();
    if let Some(place) = pinned {
        return Ok(place);
    }
    let starts = matches!(lock(&actor.inbox).phase, Phase::Starting);
    let pool = &actor.shared.pool;
    let place = async {
        if starts { within(&*actor.shared.sources, limit, pool.place()).await } else { Some(pool.place().await) }
    };
    let place = tokio::select! {
        biased;
        why = actor.control.interrupted() => return Err(why.reason()),
        place = place => place,
    };
    let Some(place) = place else {
        let reason = format!(
            "no place for an instance became free within {limit:?}; the runtime has too few for what runs at once"
        );
        return Err(ExitReason::Abnormal(ActorError::new(ErrorType::InstantiateFailed, reason)));
    };
    if !actor.made.manifest.pinned {
        return Ok(place);
    }
    match pool.pin(place) {
        Ok(pin) => {
            lock(&actor.inbox).pin(pin.clone());
            Ok(Place::Pinned(pin))
        }
        Err(place) => {
            if starts {
                tracing::warn!(
                    actor = %actor.label(),
                    "half of the {} places for instances are kept for pinned actors; this one is parked like others",
                    pool.instances.places
                );
            }
            Ok(place)
        }
    }
}

/// An instance that could not be made; nothing of it is recorded.
pub(crate) struct Unmade {
    pub(crate) reason: ExitReason,
    pub(crate) slots: Slots,
}

impl Unmade {
    /// Records why, between calls.
    pub(crate) fn recorded(self, actor: &Actor) -> Finished {
        if let ExitReason::Abnormal(error) = &self.reason {
            record_error(actor, error, actor.committed().hash, None, |_| Vec::new());
        }
        Finished { life: Life::Parked(self.slots), end: Some(self.reason), failed: None }
    }
}

/// Gives a parked actor a fresh instance; its state is installed without guest code.
pub(crate) async fn wake(actor: &Arc<Actor>, slots: Slots) -> Result<Box<ActorInstance>, Finished> {
    let live = instantiate(actor, slots).await.map_err(|unmade| unmade.recorded(actor))?;
    let finished = resumed(actor, live, None).await;
    match (finished.life, finished.end) {
        (Life::Live(live), None) => Ok(live),
        (life, end) => Err(Finished { life, end: end.or(Some(ExitReason::Shutdown)), failed: None }),
    }
}

/// Calls the optional export that runs after state was installed.
async fn resumed(actor: &Arc<Actor>, live: Box<ActorInstance>, open: Option<Box<Message>>) -> Finished {
    if actor.program().component.export(RESUMED.interface, RESUMED.function).is_none() {
        return Finished { life: Life::Live(live), end: None, failed: None };
    }
    let mode = Mode { lane: Lane::Start, budget: actor.made.manifest.limits.call_timeout, init: false };
    run_turn(actor, live, open.unwrap_or_else(|| Box::new(start_message(actor, &RESUMED))), mode).await
}

fn start_message(actor: &Actor, export: &crate::export::Export<(String,), ()>) -> Message {
    #[expect(clippy::expect_used, reason = "a string can always be encoded")]
    Message::new(&actor.recorder, export, &(actor.id.to_string(),), None).expect("a string can be encoded")
}
