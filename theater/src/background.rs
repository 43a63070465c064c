//! Threads of low priority for guest calls that run long, so that the scheduler of the system
//! prefers every short one.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;

use tokio::runtime::Runtime;

/// How far the priority is lowered, as `nice` counts.
const NICE: i32 = 15;

pub(crate) struct Background(Option<Runtime>);

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
        Ok(Self(Some(runtime)))
    }

    /// Goes on with a future there.
    pub(crate) async fn run<T: Send + 'static>(&self, future: Pin<Box<dyn Future<Output = T> + Send>>) -> T {
        let Some(runtime) = &self.0 else {
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
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
