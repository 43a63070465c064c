//! The steps of writing, after any of which a test may have the process go down: behind the feature
//! `testing`, without which they are no code at all.

use std::sync::atomic::{AtomicU64, Ordering};

/// Steps until the process goes down.
static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Has this process abort, as with kill -9, at the step after so many: a step is a statement of a
/// transaction that writes, or its commit.
pub fn abort_after(steps: u64) {
    LEFT.store(steps, Ordering::SeqCst);
}

/// A step that the writer has come to.
pub(crate) fn step() {
    if LEFT.fetch_sub(1, Ordering::SeqCst) == 0 {
        std::process::abort();
    }
}
