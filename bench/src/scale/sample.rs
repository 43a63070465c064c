//! What the run takes at one moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::clock::now;
use crate::forest::{Forest, Meter};
use crate::process::Usage;

/// What goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Actors are started.
    Spawning,
    /// They are asked.
    Messages,
}

/// One moment.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    /// Seconds since the begin.
    pub(crate) at: f64,
    pub(crate) phase: Phase,
    /// Actors so far.
    pub(crate) actors: usize,
    /// Resident memory, in MiB.
    pub(crate) resident: f64,
    /// Starts or messages a second, since the last sample.
    pub(crate) rate: f64,
    /// Crashes since the last sample.
    pub(crate) crashes: u64,
    /// Of the messages since the last sample, in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) mappings: u64,
}

impl Sample {
    /// Over the lines.
    pub(crate) const HEAD: &str = "| s | phase | actors | RSS MiB | a second | crashes | p50 ms | p99 ms | VMAs |\n\
         |---|---|---|---|---|---|---|---|---|\n";

    /// As a line of the table.
    pub(crate) fn line(&self) -> String {
        let Self { at, phase, actors, resident, rate, crashes, p50, p99, mappings } = self;
        let phase = format!("{phase:?}").to_lowercase();
        format!(
            "| {at:.0} | {phase} | {actors} | {resident:.0} | {rate:.0} | {crashes} | {p50:.2} | {p99:.2} | {mappings} |\n"
        )
    }
}

/// Takes samples.
pub(crate) struct Sampler {
    forest: Arc<Forest>,
    meter: Arc<Meter>,
    begin: Instant,
    last: (f64, u64, u64),
    samples: Vec<Sample>,
}

impl Sampler {
    pub(crate) fn new(forest: Arc<Forest>, meter: Arc<Meter>) -> Self {
        Self { forest, meter, begin: now(), last: (0.0, 0, 0), samples: Vec::new() }
    }

    /// Looks, and tells.
    pub(crate) fn look(&mut self, phase: Phase) {
        let (at, actors) = (self.begin.elapsed().as_secs_f64(), self.forest.grown());
        let done = actors as u64 + self.meter.acknowledged.load(Ordering::Relaxed);
        let crashes = self.meter.crashes.load(Ordering::Relaxed);
        let (usage, latencies) = (Usage::now(), self.meter.take());
        let millis = |percent| Duration::as_secs_f64(&latencies.percentile(percent)) * 1e3;
        let (last_at, last_done, last_crashes) = self.last;
        let sample = Sample {
            at,
            phase,
            actors,
            resident: usage.resident as f64 / f64::from(1 << 20),
            rate: (done - last_done) as f64 / (at - last_at).max(1e-3),
            crashes: crashes - last_crashes,
            p50: millis(50.0),
            p99: millis(99.0),
            mappings: usage.mappings,
        };
        eprint!("{}", if self.samples.len().is_multiple_of(20) { Sample::HEAD } else { "" });
        eprint!("{}", sample.line());
        self.last = (at, done, crashes);
        self.samples.push(sample);
    }

    /// All of them.
    pub(crate) fn samples(self) -> Vec<Sample> {
        self.samples
    }
}
