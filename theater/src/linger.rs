//! Parking actors that have been idle for long. One task does it, which is there only while some are
//! listed; an idle actor has none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::actor::Actor;
use crate::capacity;
use crate::places::LivePool;
use crate::shared::Shared;

/// How long an instance lingers where memory is short.
const LINGER: Duration = Duration::from_secs(15);

/// Instances that are dropped in a row before others get a turn.
const BATCH: usize = 32;

/// How long idle instances linger.
pub(crate) struct Linger {
    after: Duration,
    /// Only while the machine has little memory left.
    if_short: bool,
    sweeping: AtomicBool,
}

impl Linger {
    /// `None`: for long, and only while memory is short.
    pub(crate) fn new(after: Option<Duration>) -> Self {
        Self { after: after.unwrap_or(LINGER), if_short: after.is_none(), sweeping: AtomicBool::new(false) }
    }

    fn is_due(&self) -> bool {
        !self.if_short || capacity::is_memory_short()
    }
}

/// Lists an actor that went idle with an instance, and sees to it that somebody looks after it.
pub(crate) fn list(actor: &Arc<Actor>, at: u64) {
    let shared = &actor.shared;
    shared.pool.list(Arc::downgrade(actor), at);
    if !shared.pool.linger.sweeping.swap(true, Ordering::SeqCst) {
        let (weak, pool) = (Arc::downgrade(shared), shared.pool.clone());
        let half = pool.linger.after / 2;
        let first = shared.sources.sleep(half);
        shared.spawn(async move {
            first.await;
            sweep(weak, &pool, half).await;
        });
    }
}

/// Looks twice in the time that an instance lingers: those that it parks were idle at the look before
/// the last, and since.
async fn sweep(shared: Weak<Shared>, pool: &LivePool, half: Duration) {
    let mut last = pool.uses();
    loop {
        let Some(sleep) = shared.upgrade().map(|shared| shared.sources.sleep(half)) else { return };
        sleep.await;
        let before = std::mem::replace(&mut last, pool.uses());
        while pool.linger.is_due() && pool.park_before(before, BATCH) == BATCH {
            tokio::task::yield_now().await;
        }
        if !pool.has_idle() {
            pool.linger.sweeping.store(false, Ordering::SeqCst);
            // One may have been listed before that was said.
            if !pool.has_idle() || pool.linger.sweeping.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }
}
