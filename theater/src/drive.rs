//! Polling a guest: within its time, until a kill, and without starving anybody else.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::actor::{Actor, Interruption};
use crate::places::Lent;
use futures_util::task::AtomicWaker;

/// A guest that has run for longer than this in one call goes on in the background.
const QUICK: Duration = Duration::from_millis(5);

/// How a guest call ended.
pub(crate) enum Drive<T> {
    Done(T),
    /// The guest ran for longer than it may; waiting in host calls does not count.
    TimedOut,
    Interrupted(Interruption),
}

/// Polls `guest` until it is done, has run for `budget`, or the actor is killed. In the last two
/// cases it is dropped, which unwinds the guest. `busy` is set when it turns out to be long.
///
/// An epoch yield wakes its task during the poll; tokio would poll it again before it looks at
/// timers and I/O, so such a wake becomes a real yield.
pub(crate) async fn drive<F: Future>(actor: &Actor, budget: Duration, busy: &AtomicBool, guest: F) -> Drive<F::Output> {
    let mut guest = pin!(guest);
    let mut interrupted = pin!(actor.control.interrupted());
    let sources = &actor.shared.sources;
    let waking = Arc::new(TurnWaker::default());
    let waker = Waker::from(waking.clone());
    let (mut used, mut now) = (Duration::ZERO, Duration::ZERO);
    let mut listens = false;
    let mut yielding: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
    let mut lent: Option<Lent<'_>> = None;
    let outcome = std::future::poll_fn(|cx| {
        // Most calls end in one poll: whoever interrupts is listened to when the guest gives way.
        let why = if listens {
            interrupted.as_mut().poll(cx)
        } else {
            actor.control.interruption().map_or(Poll::Pending, Poll::Ready)
        };
        if let Poll::Ready(why) = why {
            return Poll::Ready(Drive::Interrupted(why));
        }
        if let Some(pause) = &mut yielding {
            std::task::ready!(pause.as_mut().poll(cx));
            yielding = None;
        }
        lent = None;
        waking.outer.register(cx.waker());
        waking.begin();
        let start = sources.monotonic();
        let polled = guest.as_mut().poll(&mut Context::from_waker(&waker));
        now = sources.monotonic();
        used += now.saturating_sub(start);
        let woken = waking.end();
        if let Poll::Ready(output) = polled {
            return Poll::Ready(Drive::Done(output));
        }
        if used > budget {
            return Poll::Ready(Drive::TimedOut);
        }
        if !std::mem::replace(&mut listens, true)
            && let Poll::Ready(why) = interrupted.as_mut().poll(cx)
        {
            return Poll::Ready(Drive::Interrupted(why));
        }
        if woken {
            busy.store(used > QUICK, Ordering::Relaxed);
            let mut pause = Box::pin(tokio::task::yield_now());
            if pause.as_mut().poll(cx).is_pending() {
                yielding = Some(pause);
            } else {
                cx.waker().wake_by_ref();
            }
        } else {
            // It waits in a host call; whom it waits for may need a place.
            lent = Some(actor.shared.pool.lend());
        }
        Poll::Pending
    })
    .await;
    if used > Duration::ZERO {
        actor.recorder.usage.add(now, used);
    }
    outcome
}

/// Tells a wake during the poll from one after it.
#[derive(Default)]
struct TurnWaker {
    polling: AtomicBool,
    woken: AtomicBool,
    outer: AtomicWaker,
}

impl TurnWaker {
    fn begin(&self) {
        self.woken.store(false, Ordering::SeqCst);
        self.polling.store(true, Ordering::SeqCst);
    }

    fn end(&self) -> bool {
        self.polling.store(false, Ordering::SeqCst);
        self.woken.load(Ordering::SeqCst)
    }
}

impl Wake for TurnWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if !self.polling.load(Ordering::SeqCst) {
            self.outer.wake();
        }
    }
}
