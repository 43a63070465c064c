//! Times, their medians, and the table of both beside their limits.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// A value and how long it took.
pub(super) struct Timed<T>(T, Duration);

impl<T> Timed<T> {
    pub(super) fn took(self) -> Duration {
        self.1
    }

    /// The time, if the value is as it must be.
    pub(super) fn checked(self, is_right: impl Fn(&T) -> bool) -> Result<Duration> {
        ensure!(is_right(&self.0), "what was measured did not work");
        Ok(self.1)
    }
}

impl<T, E: Into<anyhow::Error>> Timed<std::result::Result<T, E>> {
    pub(super) fn and_ok(self) -> Result<Duration> {
        self.0.map_err(Into::into)?;
        Ok(self.1)
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> Timed<T> {
    let start = Instant::now();
    let value = std::hint::black_box(work());
    Timed(value, start.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(super) async fn timed_async<T>(work: impl Future<Output = T>) -> Timed<T> {
    let start = Instant::now();
    let value = work.await;
    Timed(value, start.elapsed())
}

/// Rows, printed as they come.
pub(super) struct Table;

impl Table {
    pub(super) fn new() -> Self {
        println!("{:<32} {:>12} {:>10} {:>16}", "median", "a second", "us each", "of the limit's");
        Self
    }

    /// A limit; what others are measured against: its rate.
    pub(super) fn limit(&mut self, what: &str, count: usize, times: Vec<Duration>) -> f64 {
        let rate = count as f64 / median(times).as_secs_f64();
        println!("{what:<32} {rate:>12.0} {:>10.2}", 1e6 / rate);
        rate
    }

    pub(super) fn row(&mut self, what: &str, count: usize, times: Vec<Duration>, limit: f64) {
        let rate = count as f64 / median(times).as_secs_f64();
        println!("{what:<32} {rate:>12.0} {:>10.2} {:>15.2}x", 1e6 / rate, rate / limit);
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
