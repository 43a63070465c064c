//! The only module that reads a clock or draws randomness. A runtime gets its [`Sources`] from its
//! builder, so that a test can inject its own.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::RngCore as _;

/// Where time and randomness come from.
pub trait Sources: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch: the timestamps of events. May jump.
    fn wall_ms(&self) -> u64;

    /// Time since some fixed point; never goes back.
    fn monotonic(&self) -> Duration;

    /// Fills `bytes` with randomness that nobody can guess.
    fn fill_random(&self, bytes: &mut [u8]);

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The clock, the timers and the random numbers of the system.
#[derive(Debug)]
pub struct SystemSources {
    start: Instant,
}

#[expect(clippy::disallowed_methods, reason = "this is the module that reads clocks")]
impl SystemSources {
    /// Sources whose monotonic time starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemSources {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the module that reads clocks and randomness")]
impl Sources for SystemSources {
    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The output of `future`, or `None` when `limit` has passed before it was ready.
pub(crate) async fn within<F: Future>(sources: &dyn Sources, limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    // Most are ready at once: then no timer is made.
    if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        return Some(output);
    }
    tokio::select! {
        biased;
        output = future => Some(output),
        () = sources.sleep(limit) => None,
    }
}
