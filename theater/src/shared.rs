//! What the actors of one runtime share.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use wasmtime::Engine;

use crate::background::Background;
use crate::binary::Binaries;
use crate::compile::Compiler;
use crate::component::Components;
use crate::flights::Flights;
use crate::handler::ErasedHandler;
use crate::journal::Journal;
use crate::made::Templates;
use crate::places::LivePool;
use crate::resent::Resent;
use crate::sources::Sources;
use crate::tree::Tree;
use crate::upgrade::UpgradeCheck;

use theater_chain::data::EngineRecord;

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) engine_record: EngineRecord,
    /// The public key of the host, where it signs.
    pub(crate) host_key: Option<String>,
    pub(crate) handlers: Vec<Arc<dyn ErasedHandler>>,
    pub(crate) compiler: Arc<Compiler>,
    pub(crate) components: Components,
    pub(crate) journal: Arc<Journal>,
    pub(crate) sources: Arc<dyn Sources>,
    pub(crate) tree: Tree,
    pub(crate) templates: Templates,
    pub(crate) binaries: Arc<Binaries>,
    pub(crate) pool: Arc<LivePool>,
    pub(crate) flights: Arc<Flights>,
    /// Requests whose answers were waited for when the process went down.
    pub(crate) resent: Resent,
    /// Whether anything of an earlier process went on in this one.
    pub(crate) recovered: AtomicBool,
    /// Whether actors of an earlier process are being made again, and none of them runs yet.
    pub(crate) recovering: watch::Sender<bool>,
    /// What supervision time is ahead of the clock of this process, in ms.
    pub(crate) at_ms_ahead: AtomicI64,
    pub(crate) background: Background,
    pub(crate) upgrade_check: Option<Arc<dyn UpgradeCheck>>,
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

    /// Supervision time in ms: what elapsed in this process, and in those before it while they ran.
    pub(crate) fn at_ms(&self) -> u64 {
        self.elapsed_ms().saturating_add_signed(self.at_ms_ahead.load(Ordering::SeqCst))
    }

    pub(crate) fn has_recovered(&self) -> bool {
        self.recovered.load(Ordering::SeqCst)
    }

    /// Supervision time goes on from here: it is `at_ms` now.
    pub(crate) fn resume_time(&self, at_ms: u64) {
        let ahead = i64::try_from(at_ms).unwrap_or(i64::MAX) - i64::try_from(self.elapsed_ms()).unwrap_or(i64::MAX);
        self.at_ms_ahead.store(ahead, Ordering::SeqCst);
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.sources.monotonic().as_millis()).unwrap_or(u64::MAX)
    }
}
