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
}
