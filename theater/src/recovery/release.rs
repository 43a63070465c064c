//! Having the actors run again: their handlers, what was open, what waits, and what had not come to
//! its end.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use theater_chain::data::{DropReason, ErrorType, KillCause};
use theater_chain::{Digest, PendingMessage, StoreError, TheaterId};

use super::build::{Mades, writing_end};
use super::tail::{Ending, OpenCall, Tail};
use super::untold::noted;
use super::{Record, RecoverError, Recovered, lost, messages};
use crate::actor::{Actor, GoesOn, lock};
use crate::actor_store::Slots;
use crate::anchors::{self, Anchor};
use crate::bring_up::{self, Plan, Unmade};
use crate::ending;
use crate::error::ActorError;
use crate::exit::ExitReason;
use crate::exits::StoppedBy;
use crate::inbox::Life;
use crate::instance;
use crate::message::Message;
use crate::shared::Shared;
use crate::turn::{FailedCall, fail_reentry, record_error};

/// How an actor goes on.
enum Next {
    /// It serves its mailbox.
    Serves(Slots),
    /// Its start goes on.
    Starts(Plan),
    /// It ends as is recorded, or since a handler of it did not start.
    Ends(Box<(ExitReason, Slots, Option<FailedCall>)>),
}

/// A tree that is made again, and of which nothing runs yet.
struct Ready {
    recovered: Recovered,
    next: Vec<(Arc<Actor>, Next)>,
}

impl Record {
    pub(super) async fn go_on(self, shared: &Arc<Shared>) -> Result<Recovered, RecoverError> {
        shared.recovering.send_replace(true);
        shared.recovered.store(!self.live.is_empty(), Ordering::SeqCst);
        match self.make_ready(shared).await {
            Ok(ready) => ready.release(shared).await,
            Err(error) => {
                for actor in shared.tree.all() {
                    ending::given_up(&actor);
                }
                shared.recovering.send_replace(false);
                Err(error)
            }
        }
    }

    async fn make_ready(self, shared: &Arc<Shared>) -> Result<Ready, RecoverError> {
        let mut recovered = Recovered { actors: self.live.len() + self.damaged.len(), ..Recovered::default() };
        recovered.roots.extend(self.live.iter().filter(|k| k.entry.index.parent.is_none()).map(|k| k.entry.id));
        if let Some(at_ms) = self.live.iter().map(|known| known.facts.at_ms).max() {
            shared.resume_time(at_ms);
        }
        let mut mades = Mades::default();
        let (actors, lost) = self.build(shared, &mut mades).await?;
        recovered.lost = lost.end(shared, &self).await?;
        recovered.actors -= recovered.lost;
        let untold = self.untold(shared, &actors, &mut mades).await?;
        self.expect_requests(shared);
        let mut pending = pending(shared).await?;
        for end in &untold {
            let waiting = pending.remove(&end.actor.id).unwrap_or_default();
            wait_again(&end.actor, waiting);
        }
        let decisions: HashMap<TheaterId, HashSet<Digest>> =
            self.live.iter().map(|known| (known.entry.id, known.decisions())).collect();
        let mut next: Vec<(Arc<Actor>, Next)> = Vec::with_capacity(self.live.len());
        for known in self.live {
            let Some(actor) = actors.get(&known.entry.id) else { continue };
            let waiting = pending.remove(&actor.id).unwrap_or_default();
            recovered.messages += wait_again(actor, waiting);
            let decided = actor.parent_id.and_then(|parent| decisions.get(&parent));
            let decided = decided.zip(known.tail.begun.parent_event).is_some_and(|(all, event)| all.contains(&event));
            lock(&actor.inbox).decided = decided;
            recovered.calls += usize::from(known.tail.open.is_some());
            recovered.ends += usize::from(known.tail.is_ending());
            next.push((actor.clone(), begin(actor, known.tail).await?));
        }
        recovered.ends += untold.len();
        for end in untold {
            end.tell().await;
        }
        dead(shared, pending.into_keys()).await?;
        Ok(Ready { recovered, next })
    }

    /// Whoever asked and was waiting asks again.
    fn expect_requests(&self, shared: &Shared) {
        for known in &self.live {
            let Some(open) = &known.tail.open else { continue };
            if let Some(call) = open.again.open_host_call() {
                shared.resent.expect(format!("{}/{}/{}", known.entry.id, open.again.seq, call.ordinal()));
            }
        }
    }
}

impl Ready {
    async fn release(self, shared: &Shared) -> Result<Recovered, RecoverError> {
        let Self { mut recovered, next } = self;
        // Who ends has its children stopped, which are on their way then.
        let (ends, goes_on): (Vec<_>, Vec<_>) = next.into_iter().partition(|(_, next)| matches!(next, Next::Ends(_)));
        let roots: Vec<Arc<Actor>> =
            ends.iter().filter(|(actor, _)| actor.parent_id.is_none()).map(|(actor, _)| actor.clone()).collect();
        for (actor, next) in goes_on.into_iter().chain(ends) {
            release(actor, next);
        }
        shared.recovering.send_replace(false);
        recovered.roots.retain(|root| roots.iter().all(|ends| ends.id != *root));
        for root in &roots {
            root.wait_ended().await;
        }
        if !roots.is_empty() {
            shared.journal.flushed().await?; // where that fails, it is why they ended
        }
        Ok(recovered)
    }
}

/// Starts the handlers of an actor again, unless its own start goes on.
async fn begin(actor: &Arc<Actor>, tail: Tail) -> Result<Next, RecoverError> {
    let (restart_state, parent_event) = (tail.begun.restart_state, tail.begun.parent_event);
    if tail.is_ending() {
        return Ok(ends(actor, tail));
    }
    if tail.had_instance() {
        instance::record_drop(actor, DropReason::Recovered);
    }
    let open = match tail.open {
        None => None,
        Some(open) => match messages::open(actor, &open) {
            Ok(message) => Some(message),
            Err(StoreError::Damaged(reason)) => return Ok(unreadable(actor, tail.started, &open, &reason)),
            Err(error) => return Err(error.into()),
        },
    };
    if !tail.started {
        actor.goes_on.store(GoesOn::STARTS, Ordering::SeqCst);
        let mut plan = Plan::new(restart_state, parent_event, Default::default());
        (plan.goes_on, plan.open) = (true, open.map(Box::new));
        return Ok(Next::Starts(plan));
    }
    if let Some(message) = open {
        lock(&actor.inbox).reenter(message);
    }
    actor.goes_on.store(GoesOn::SERVES, Ordering::SeqCst);
    let mut slots = Slots::new();
    if let Err(reason) = bring_up::start_handlers(actor, &mut slots).await {
        let open = lock(&actor.inbox).take_open();
        let finished = match open {
            Some(message) => fail_reentry(actor, Box::new(message), slots, reason.clone()),
            None => Unmade { reason: reason.clone(), slots }.recorded(actor),
        };
        lock(&actor.inbox).set_running();
        let slots = match finished.life {
            Life::Parked(slots) => slots,
            Life::Live(live) => live.into_slots(),
        };
        return Ok(Next::Ends(Box::new((reason, slots, finished.failed))));
    }
    Ok(Next::Serves(slots))
}

/// Ends an actor whose open call cannot begin again: its params were erased, or nothing exports it.
fn unreadable(actor: &Arc<Actor>, started: bool, open: &OpenCall, reason: &str) -> Next {
    if started {
        lock(&actor.inbox).set_running(); // its parent knows of it
    }
    actor.seldom().anchors.begin(Anchor::Lifecycle);
    let error = ActorError::new(ErrorType::HostCallInterrupted, format!("its open call cannot begin again: {reason}"));
    let hash = lost::fail(&actor.shared, &actor.recorder, actor.committed().hash, &error, Some(open));
    actor.note_error(error.clone(), hash);
    Next::Ends(Box::new((ExitReason::Abnormal(error), Slots::new(), None)))
}

/// Completes an end that had begun.
fn ends(actor: &Arc<Actor>, tail: Tail) -> Next {
    if tail.started {
        lock(&actor.inbox).set_running(); // its parent knows of it
    }
    // Its handlers do not start any more: how its children end is anchored all the same.
    actor.seldom().anchors.begin(Anchor::Lifecycle);
    let failed = tail.failed.as_ref().map(|failed| ExitReason::Abnormal(failed.error.clone()));
    let call = tail.failed.and_then(|failed| noted(actor, failed));
    let said = tail.ending.map(|Ending { reason, asked_by }| {
        let mut inbox = lock(&actor.inbox);
        inbox.ending = true;
        inbox.stopped_by = StoppedBy::recorded(asked_by);
        reason
    });
    if let (Some(ExitReason::Abnormal(error)), None) = (&said, &failed) {
        record_error(actor, error, actor.committed().hash, None, |_| Vec::new());
    }
    let reason = said.or(failed).unwrap_or(ExitReason::Killed(KillCause::Host));
    Next::Ends(Box::new((reason, Slots::new(), call)))
}

fn release(actor: Arc<Actor>, next: Next) {
    let shared = actor.shared.clone();
    match next {
        Next::Serves(slots) => {
            anchors::touch(&actor);
            let mut inbox = lock(&actor.inbox);
            inbox.set_running();
            inbox.rest(&actor, Life::Parked(slots));
            drop(inbox);
            actor.control.notify();
        }
        Next::Starts(plan) => {
            // Who waited for it went down, too, and looks at it again.
            shared.spawn(async move { drop(bring_up::start(actor, plan).await) });
        }
        Next::Ends(end) => {
            let (reason, slots, failed) = *end;
            shared.spawn(ending::end(actor, reason, Life::Parked(slots), failed));
        }
    }
}

/// Puts messages that were not begun into a mailbox; how many.
fn wait_again(actor: &Arc<Actor>, waiting: Vec<PendingMessage>) -> usize {
    let waiting: VecDeque<Message> =
        waiting.into_iter().filter_map(|message| messages::pending(actor, message)).collect();
    let count = waiting.len();
    lock(&actor.inbox).adopt(waiting);
    count
}

/// What waits to be begun, by receiver.
async fn pending(shared: &Shared) -> Result<HashMap<TheaterId, Vec<PendingMessage>>, RecoverError> {
    let mut by_receiver: HashMap<TheaterId, Vec<PendingMessage>> = HashMap::new();
    for message in shared.journal.store(false).pending(None, usize::MAX).await? {
        by_receiver.entry(message.receiver).or_default().push(message);
    }
    Ok(by_receiver)
}

/// What waits for actors that nobody starts again. Where a chain is not the one that was written,
/// nothing is appended to it: its messages stay where they are.
async fn dead(shared: &Arc<Shared>, receivers: impl Iterator<Item = TheaterId>) -> Result<(), RecoverError> {
    for receiver in receivers {
        if shared.tree.find(receiver).is_some() {
            continue; // its supervisor has taken them
        }
        let recorder = match writing_end(shared, receiver).await {
            Ok(Some((entry, recorder))) if entry.index.ended.is_some() => recorder,
            Ok(Some(_)) | Err(StoreError::Damaged(_)) => continue,
            Ok(None) => {
                tracing::warn!(actor = %receiver, "messages to an actor that is not in the record are dropped");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // What its supervisor gave up meanwhile is a dead letter already.
        for message in shared.journal.store(false).pending(Some(receiver), usize::MAX).await? {
            messages::undeliverable(&recorder, message);
        }
    }
    Ok(())
}
