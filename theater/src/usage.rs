//! How much a guest has run lately, so that the busy ones can be told from the quiet ones.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::actor::lock;

/// Usage is counted in windows of this length; the one before counts too.
const WINDOW: Duration = Duration::from_millis(100);

/// An actor that ran for longer than this in the last windows is busy: a fiftieth of a core.
const BUSY: Duration = Duration::from_millis(4);

/// Running time of one actor, over all its incarnations.
#[derive(Default)]
pub(crate) struct Usage {
    windows: Mutex<Windows>,
    /// Whether it was busy when that was looked at last; it is no more so by itself.
    was_busy: AtomicBool,
    /// Its tasks, while it is busy: several only where one follows another.
    pub(crate) tasks: AtomicUsize,
}

#[derive(Default)]
struct Windows {
    start: Duration,
    current: Duration,
    before: Duration,
}

impl Usage {
    /// Counts a call that ended at `now`.
    pub(crate) fn add(&self, now: Duration, ran: Duration) {
        let mut windows = lock(&self.windows);
        windows.roll(now);
        windows.current += ran;
        self.was_busy.store(windows.is_busy(), Ordering::Relaxed);
    }

    /// Counts an end by failure: what it takes to clean up after it and to start again is no less
    /// than a busy call.
    pub(crate) fn add_failure(&self, now: Duration) {
        self.add(now, BUSY + Duration::from_nanos(1));
    }

    pub(crate) fn is_busy(&self, now: impl FnOnce() -> Duration) -> bool {
        if !self.was_busy.load(Ordering::Relaxed) {
            return false;
        }
        let mut windows = lock(&self.windows);
        windows.roll(now());
        self.was_busy.store(windows.is_busy(), Ordering::Relaxed);
        windows.is_busy()
    }
}

impl Windows {
    fn is_busy(&self) -> bool {
        self.current + self.before > BUSY
    }

    fn roll(&mut self, now: Duration) {
        let age = now.saturating_sub(self.start);
        if age < WINDOW {
            return;
        }
        self.before = if age < 2 * WINDOW { self.current } else { Duration::ZERO };
        (self.start, self.current) = (now, Duration::ZERO);
    }
}
