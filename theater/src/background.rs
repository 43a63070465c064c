//! Threads of low priority for guest calls that run long, so that the scheduler of the system
//! prefers every short one.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Runtime;

use crate::shared::Shared;
use crate::usage::Usage;

/// How far the priority is lowered, as `nice` counts.
const NICE: i32 = 15;

pub(crate) struct Background {
    runtime: Option<Runtime>,
    /// Busy actors that run or are about to, here or on the main threads.
    busy: AtomicUsize,
    cores: usize,
}

/// A task of a busy actor that runs or is about to. An actor counts once, however many it has.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    usage: Arc<Usage>,
}

impl Ticket {
    /// With it, whether busy actors could keep every core.
    fn new(shared: &Arc<Shared>, usage: &Arc<Usage>) -> (Self, bool) {
        let background = &shared.background;
        let busy = if usage.tasks.fetch_add(1, Ordering::Relaxed) == 0 {
            background.busy.fetch_add(1, Ordering::Relaxed) + 1
        } else {
            background.busy.load(Ordering::Relaxed)
        };
        (Self { shared: shared.clone(), usage: usage.clone() }, busy >= background.cores)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.usage.tasks.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.shared.background.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Background {
    pub(crate) fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("theater-background")
            .on_thread_start(|| {
                // On Linux this is the priority of the calling thread alone. Elsewhere, and where
                // it is not allowed, long calls merely compete.
                let _ = rustix::process::nice(NICE);
            })
            .enable_all()
            .build()?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { runtime: Some(runtime), busy: AtomicUsize::new(0), cores })
    }

    /// As [`Background::spawn_busy`], and waits for the output; `None` when the runtime is shut down.
    pub(crate) async fn run_busy<T: Send + 'static>(
        shared: &Arc<Shared>,
        usage: &Arc<Usage>,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (tell, told) = tokio::sync::oneshot::channel();
        Self::spawn_busy(shared, usage, async move {
            let _ = tell.send(task.await);
        });
        told.await.ok()
    }

    /// Spawns a task of a busy actor: here when such actors could keep every core, so that quiet
    /// ones find the main threads free; else on the main threads, where it is at home.
    pub(crate) fn spawn_busy(
        shared: &Arc<Shared>,
        usage: &Arc<Usage>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let (ticket, crowded) = Ticket::new(shared, usage);
        let task = async move {
            task.await;
            drop(ticket);
        };
        match &shared.background.runtime {
            #[expect(clippy::disallowed_methods, reason = "an actor's own task")]
            Some(runtime) if crowded => drop(runtime.spawn(task)),
            _ => drop(shared.spawn(task)),
        }
    }

    /// Awaits a busy actor's work: here when such actors could keep every core, else where the caller
    /// is. Dropped, the work is dropped in the second case only.
    pub(crate) async fn run_where_due<T: Send + 'static>(
        shared: &Arc<Shared>,
        usage: &Arc<Usage>,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (ticket, crowded) = Ticket::new(shared, usage);
        if crowded {
            return Self::run_busy(shared, usage, task).await;
        }
        let output = task.await;
        drop(ticket);
        Some(output)
    }

    /// Goes on with a future there.
    pub(crate) async fn run<T: Send + 'static>(&self, future: Pin<Box<dyn Future<Output = T> + Send>>) -> T {
        let Some(runtime) = &self.runtime else {
            return future.await;
        };
        #[expect(clippy::disallowed_methods, reason = "the task is awaited here")]
        let task = runtime.spawn(future);
        match task.await {
            Ok(output) => output,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The background threads end only together with the runtime itself.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
