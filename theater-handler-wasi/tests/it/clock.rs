//! Time that passes when a test says so, and randomness that counts.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use theater::sources::Sources;
use tokio::sync::watch;

/// The wall clock of every test stands still.
pub(crate) const WALL_MS: u64 = 1_700_000_000_123;

#[derive(Clone)]
pub(crate) struct Clock {
    elapsed: Arc<watch::Sender<Duration>>,
    /// Each time that somebody asked to sleep for.
    asked: Arc<watch::Sender<Vec<Duration>>>,
    drawn: Arc<AtomicU8>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            elapsed: Arc::new(watch::Sender::new(Duration::from_secs(1_000))),
            asked: Arc::default(),
            drawn: Arc::default(),
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }

    /// Waits until somebody sleeps who asked for just this time; each is waited for once.
    pub(crate) async fn asleep(&self, asked: Duration) {
        self.asked.subscribe().wait_for(|all| all.contains(&asked)).await.unwrap();
        self.asked.send_modify(|all| {
            if let Some(place) = all.iter().position(|other| *other == asked) {
                all.remove(place);
            }
        });
    }
}

impl Sources for Clock {
    fn wall_ms(&self) -> u64 {
        WALL_MS
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.borrow()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.drawn.fetch_add(1, Ordering::Relaxed));
    }

    fn sleep(&self, asked: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut elapsed = self.elapsed.subscribe();
        let due = self.monotonic() + asked;
        self.asked.send_modify(|all| all.push(asked));
        Box::pin(async move {
            if elapsed.wait_for(|now| *now >= due).await.is_err() {
                std::future::pending::<()>().await; // the test is over
            }
        })
    }
}
