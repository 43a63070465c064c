//! Serving a mailbox: a task that runs while an actor has something to do, and returns when not.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::FutureExt as _;
use theater_chain::data::{DropReason, ErrorType, KillCause};

use crate::actor::{Actor, lock};
use crate::background::Background;
use crate::bring_up;
use crate::ending;
use crate::error::ActorError;
use crate::exit::ExitReason;
use crate::handler::panic_text;
use crate::inbox::{Life, Work};
use crate::instance::{self, ActorInstance};
use crate::message::{self, Message};
use crate::shared::Shared;
use crate::turn::{Finished, Mode, fail_reentry, record_error, turn};

/// Messages served before others get a turn.
const BATCH: u32 = 32;

/// Spawns the task that serves an idle actor's mailbox.
pub(crate) fn spawn(actor: Arc<Actor>) {
    spawn_part(actor.clone(), |busy| async move {
        let life = lock(&actor.inbox).take_life();
        if let Some(life) = life {
            serve(actor, life, busy).await;
        }
    });
}

/// Spawns a part of an actor's life where it delays nobody. The part is told whether the actor
/// counts as busy.
pub(crate) fn spawn_part<F>(actor: Arc<Actor>, part: impl FnOnce(bool) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let shared = actor.shared.clone();
    let busy = is_busy(&actor);
    let part = part(busy);
    let usage = actor.recorder.usage.clone();
    let part = async move {
        guarded(actor, part).await;
    };
    if busy {
        Background::spawn_busy(&shared, &usage, part);
    } else {
        shared.spawn(part);
    }
}

fn is_busy(actor: &Actor) -> bool {
    actor.recorder.usage.is_busy(|| actor.shared.sources.monotonic())
}

/// Runs a part of an actor's life. A panic in it is a fault of ours; it ends this actor, recorded,
/// and nothing else.
pub(crate) async fn guarded<T>(actor: Arc<Actor>, part: impl Future<Output = T> + Send) -> Option<T> {
    let panic = match AssertUnwindSafe(part).catch_unwind().await {
        Ok(output) => return Some(output),
        Err(panic) => panic,
    };
    let text = format!("a fault in the runtime: {}", panic_text(&*panic));
    tracing::error!(actor = %actor.label(), "{text}");
    if !ending::abandoned(&actor) {
        let error = ActorError::new(ErrorType::HandlerPanic, text);
        record_error(&actor, &error, actor.committed().hash, None, |_| Vec::new());
        ending::end(actor, ExitReason::Abnormal(error), Life::Parked(Vec::new()), None).await;
    }
    None
}

/// Serves messages until there is none or the actor ends. One that turns out to be busy goes on as
/// such.
pub(crate) async fn serve(actor: Arc<Actor>, mut life: Life, busy: bool) {
    let mut served = 0_u32;
    loop {
        let work = lock(&actor.inbox).next(&actor, life);
        life = match work {
            Work::Idle => return,
            Work::End(reason, life) => return ending::end(actor, reason, life, None).await,
            Work::Message(message, life) if is_given_up(&message) => {
                message::given_up(&actor, *message);
                life
            }
            Work::Message(message, life) => {
                let finished = step(&actor, message, life).await;
                if let Some(reason) = finished.end {
                    return ending::end(actor, reason, finished.life, finished.failed).await;
                }
                finished.life
            }
        };
        if actor.shared.journal.room(&actor.recorder.share).await.is_err() {
            actor.control.request_kill(KillCause::Host); // nothing can be recorded any more
        }
        if !busy && is_busy(&actor) {
            return spawn_part(actor.clone(), |_| serve_busy(actor, life));
        }
        served += 1;
        if served.is_multiple_of(BATCH) {
            life = give_way(&actor, life);
            tokio::task::yield_now().await;
        }
    }
}

/// Of an actor that never goes idle: its instance gives way to those that wait for a place.
fn give_way(actor: &Actor, life: Life) -> Life {
    match life {
        Life::Live(live) if actor.shared.pool.is_wanted() && !live.is_pinned() => {
            instance::record_drop(actor, DropReason::Parked);
            Life::Parked(live.into_slots())
        }
        life => life,
    }
}

/// [`serve`], as a type of its own: it spawns itself.
fn serve_busy(actor: Arc<Actor>, life: Life) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(serve(actor, life, true))
}

/// Whether nobody waits any more for the answer of a request inside the tree.
fn is_given_up(message: &Message) -> bool {
    message.again.is_none() && message.flight.is_none() && message.reply.as_ref().is_some_and(|reply| reply.is_closed())
}

/// Serves one message, on a fresh instance if there is none.
async fn step(actor: &Arc<Actor>, message: Box<Message>, life: Life) -> Finished {
    let live = match life {
        Life::Live(live) => live,
        // The instance on which it was begun had been woken before.
        Life::Parked(slots) if message.again.is_some() => match bring_up::instantiate(actor, slots).await {
            Ok(live) => live,
            Err(unmade) => return fail_reentry(actor, message, unmade.slots, unmade.reason),
        },
        Life::Parked(slots) => match bring_up::wake(actor, slots).await {
            Ok(live) => live,
            Err(finished) => {
                // Not begun: it goes where the others in the mailbox go.
                lock(&actor.inbox).adopt([*message].into());
                return finished;
            }
        },
    };
    let mode = Mode { lane: message.lane, budget: actor.made.manifest.limits.call_timeout, init: false };
    let mut finished = run_turn(actor, live, message, mode).await;
    if let Life::Live(live) = &finished.life
        && finished.end.is_none()
        && live.is_aged()
    {
        instance::record_drop(actor, DropReason::Aged);
        finished.life = match finished.life {
            Life::Live(live) => Life::Parked(live.into_slots()),
            parked @ Life::Parked(_) => parked,
        };
    }
    finished
}

/// Runs a turn; one that turns out to be long goes on in the background, so that it delays nobody.
pub(crate) async fn run_turn(
    actor: &Arc<Actor>,
    live: Box<ActorInstance>,
    message: Box<Message>,
    mode: Mode,
) -> Finished {
    let busy = Arc::new(AtomicBool::new(false));
    let turn = turn(actor.clone(), live, message, mode, busy.clone());
    in_background_when(&actor.shared, busy, Box::pin(turn)).await
}

async fn in_background_when<T: Send + 'static>(
    shared: &Shared,
    busy: Arc<AtomicBool>,
    mut future: Pin<Box<dyn Future<Output = T> + Send>>,
) -> T {
    let quick = std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if busy.load(Ordering::Relaxed) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await;
    match quick {
        Some(output) => output,
        None => shared.background.run(future).await,
    }
}
