//! Latencies, sorted.

use std::time::Duration;

pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn new(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        Self(samples)
    }

    /// The sample below which `percent` of all lie; zero without samples.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        let place = (last as f64 * percent / 100.0).round() as usize;
        self.0.get(place).copied().unwrap_or_default()
    }

    pub(crate) fn print(&self, what: &str) {
        let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percent| self.percentile(percent).as_secs_f64() * 1e6);
        println!("{what:<28} {:>7} calls  p50 {p50:>8.1} us  p99 {p99:>8.1} us  max {max:>9.1} us", self.0.len());
    }
}
