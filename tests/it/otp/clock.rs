//! Time that stands still until a test moves it. Each reading of the wall clock is one later than
//! the one before, so that timestamps order the events of all chains.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use theater::sources::Sources;
use tokio::sync::{oneshot, watch};

#[derive(Clone)]
pub(super) struct Clock(Arc<watch::Sender<Time>>);

#[derive(Default)]
struct Time {
    elapsed: Duration,
    readings: u64,
    sleepers: Vec<Sleeper>,
}

struct Sleeper {
    asked: Duration,
    due: Duration,
    wake: oneshot::Sender<()>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Time::default())))
    }

    /// One that nothing has passed on, whose readings follow this one's.
    pub(super) fn of_next_process(&self) -> Self {
        let readings = self.0.borrow().readings + 1_000_000;
        Self(Arc::new(watch::Sender::new(Time { readings, ..Time::default() })))
    }

    /// Lets time pass, and wakes who slept until then.
    pub(super) fn advance(&self, by: Duration) {
        self.0.send_modify(|time| {
            time.elapsed += by;
            let elapsed = time.elapsed;
            let (due, later) =
                std::mem::take(&mut time.sleepers).into_iter().partition(|sleeper| sleeper.due <= elapsed);
            time.sleepers = later;
            for sleeper in due {
                let Sleeper { wake, .. } = sleeper;
                let _ = wake.send(()); // it may have gone
            }
        });
    }

    /// Waits until somebody sleeps who asked for just this time.
    pub(super) async fn asleep(&self, asked: Duration) {
        let is = |sleeper: &Sleeper| sleeper.asked == asked && !sleeper.wake.is_closed();
        self.0.subscribe().wait_for(|time| time.sleepers.iter().any(is)).await.unwrap();
    }
}

impl Sources for Clock {
    fn wall_ms(&self) -> u64 {
        let mut reading = 0;
        self.0.send_modify(|time| {
            time.readings += 1;
            reading = time.readings;
        });
        1_700_000_000_000 + reading
    }

    fn monotonic(&self) -> Duration {
        self.0.borrow().elapsed
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        theater::sources::SystemSources::new().fill_random(bytes);
    }

    fn sleep(&self, asked: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (wake, woken) = oneshot::channel();
        self.0.send_modify(|time| {
            let due = time.elapsed + asked;
            time.sleepers.retain(|sleeper| !sleeper.wake.is_closed());
            time.sleepers.push(Sleeper { asked, due, wake });
        });
        Box::pin(async move {
            if woken.await.is_err() {
                std::future::pending::<()>().await; // the test is over
            }
        })
    }
}
