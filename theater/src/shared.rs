//! What the actors of one runtime share.

use std::future::Future;
use std::sync::Arc;

use tokio::task::JoinHandle;
use wasmtime::Engine;

use crate::background::Background;
use crate::component::Components;
use crate::flights::Flights;
use crate::handler::ErasedHandler;
use crate::instance::LivePool;
use crate::journal::Journal;
use crate::sources::Sources;
use crate::tree::Tree;

use theater_chain::data::EngineRecord;

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) engine_record: EngineRecord,
    /// The public key of the host, where it signs.
    pub(crate) host_key: Option<String>,
    pub(crate) handlers: Vec<Arc<dyn ErasedHandler>>,
    pub(crate) components: Components,
    pub(crate) journal: Arc<Journal>,
    pub(crate) sources: Arc<dyn Sources>,
    pub(crate) tree: Tree,
    pub(crate) pool: LivePool,
    pub(crate) flights: Arc<Flights>,
    pub(crate) background: Background,
    pub(crate) tasks: tokio::runtime::Handle,
    #[cfg(feature = "testing")]
    pub(crate) failpoints: Option<crate::failpoint::Hook>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.journal.close();
    }
}

impl Shared {
    /// Spawns a task of the runtime.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.tasks.spawn(future)
    }

    /// Supervision time in ms: what elapsed in this process.
    pub(crate) fn at_ms(&self) -> u64 {
        u64::try_from(self.sources.monotonic().as_millis()).unwrap_or(u64::MAX)
    }
}
