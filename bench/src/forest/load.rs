//! Clients that ask counters at random, some of them by far the most often, and now and then crash one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rand_distr::{Distribution as _, Zipf};

use super::Forest;
use crate::client::{Client, task};
use crate::clock::timed_async;
use crate::latency::Latencies;

/// Of so many messages one makes its receiver crash: 0.1 %.
const CRASH: u32 = 1_000;

/// How unequal the counters are: the nth is asked 1/n times as often as the first.
const EXPONENT: f64 = 1.0;

/// Spreads neighbours in the order of how often they are asked over all supervisors; a prime.
const SPREAD: usize = 7_368_787;

/// What the clients see, until somebody looks.
#[derive(Default)]
pub(crate) struct Meter {
    latencies: Mutex<Vec<Duration>>,
    /// Messages that were acknowledged, ever.
    pub(crate) acknowledged: AtomicU64,
    /// Crashes that were asked for, ever.
    pub(crate) crashes: AtomicU64,
    /// Other errors, ever.
    pub(crate) errors: AtomicU64,
}

impl Meter {
    fn saw(&self, latency: Duration) {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner).push(latency);
    }

    /// The latencies since somebody looked last.
    pub(crate) fn take(&self) -> Latencies {
        Latencies::new(std::mem::take(&mut *self.latencies.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// A client's name, and the numbers of those of its messages that were acknowledged.
pub(crate) type Acknowledged = (String, Vec<u64>);

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<Result<Acknowledged>>>,
}

impl Load {
    /// Has so many clients begin.
    pub(crate) fn begin(forest: &Arc<Forest>, meter: &Arc<Meter>, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..clients)
            .map(|n| {
                let (forest, meter, stop) = (forest.clone(), meter.clone(), stop.clone());
                task(async move { forest.ask_at_random(&meter, &stop, n as u64).await })
            })
            .collect();
        Self { stop, clients }
    }

    /// Waits until each has its last answer: the names of the clients, and which of their messages were
    /// acknowledged.
    pub(crate) async fn end(self) -> Result<Vec<Acknowledged>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut acknowledged = Vec::new();
        for client in self.clients {
            acknowledged.push(client.await??);
        }
        Ok(acknowledged)
    }
}

impl Forest {
    async fn ask_at_random(&self, meter: &Meter, stop: &AtomicBool, seed: u64) -> Result<Acknowledged> {
        let mut random = StdRng::seed_from_u64(seed);
        let zipf = Zipf::new(self.counters.len() as f64, EXPONENT)?;
        let mut client = Client::new();
        let mut acknowledged = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let rank = zipf.sample(&mut random) as usize - 1;
            let counter = &self.counters[rank * SPREAD % self.counters.len()];
            let actor = self.world.runtime.handle(*counter.id.get().context("a counter was not started")?);
            if random.random_ratio(1, CRASH) {
                if client.ask(&actor, "crash").await.is_ok() {
                    bail!("a counter that was told to crash did not");
                }
                meter.crashes.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let n = client.sent();
            let answer = timed_async(client.ask_durable(&actor, "inc")).await;
            match answer.0 {
                Ok(_) => {
                    meter.saw(answer.1);
                    meter.acknowledged.fetch_add(1, Ordering::Relaxed);
                    counter.acknowledged.fetch_add(1, Ordering::Relaxed);
                    acknowledged.push(n);
                }
                Err(error) => {
                    if meter.errors.fetch_add(1, Ordering::Relaxed) < 5 {
                        eprintln!("    a message failed: {error:#}");
                    }
                    counter.unsure.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok((client.source().to_owned(), acknowledged))
    }
}
