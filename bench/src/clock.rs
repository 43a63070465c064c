//! How long something took.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// A value and how long it took.
pub(crate) struct Timed<T>(pub(crate) T, pub(crate) Duration);

impl<T> Timed<T> {
    /// The time alone, where there is nothing to look at.
    pub(crate) fn took(self) -> Duration {
        self.1
    }

    /// The time, if the value is as it must be.
    pub(crate) fn checked(self, is_right: impl Fn(&T) -> bool) -> Result<Duration> {
        ensure!(is_right(&self.0), "what was measured did not work");
        Ok(self.1)
    }
}

impl<T, E: Into<anyhow::Error>> Timed<std::result::Result<T, E>> {
    /// The time, if it worked.
    pub(crate) fn and_ok(self) -> Result<Duration> {
        self.0.map_err(Into::into)?;
        Ok(self.1)
    }
}

/// The one place of the benchmarks that reads the clock.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Runs `work` to its end.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> Timed<T> {
    let start = now();
    let value = std::hint::black_box(work());
    Timed(value, start.elapsed())
}

/// Awaits `work` to its end.
pub(crate) async fn timed_async<T>(work: impl Future<Output = T>) -> Timed<T> {
    let start = now();
    let value = work.await;
    Timed(value, start.elapsed())
}

/// Microseconds for each of `count`.
pub(crate) fn micros_each(took: Duration, count: usize) -> f64 {
    took.as_secs_f64() * 1e6 / count as f64
}

/// How many a second.
pub(crate) fn per_second(took: Duration, count: usize) -> f64 {
    count as f64 / took.as_secs_f64()
}
