//! What is told of compiling, for a program to show.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use theater_chain::Digest;

/// Something about the compilation of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileEvent {
    /// The component's file, as the first actor that wants it names it.
    pub component: PathBuf,
    /// Its SHA-256.
    pub digest: Digest,
    /// Its size, in bytes.
    pub bytes: usize,
    /// What happened.
    pub step: CompileStep,
}

/// What happened in the compilation of a component: `Loaded`; or `Begun`, any number of `Running`,
/// then `Compiled` or `Failed`, and with a cache after `Compiled` one of `Kept` and `NotKept`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileStep {
    /// It was in the cache.
    Loaded,
    /// Its entry in the cache was damaged and has been removed, as the sentence says; it is compiled.
    Damaged(String),
    /// The compiler begins.
    Begun,
    /// The compiler is still at it, after so long; told every second.
    Running(Duration),
    /// The compiler is done, after so long.
    Compiled(Duration),
    /// The compiler refused it, for this reason.
    Failed(String),
    /// It is in the cache, in so many bytes.
    Kept(u64),
    /// It could not be kept in the cache, for this reason.
    NotKept(String),
}

type Observe = dyn Fn(&CompileEvent) + Send + Sync;

/// Who is told.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<Observe>>);

impl Observer {
    pub(crate) fn new(observe: impl Fn(&CompileEvent) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    /// A panic of who is told is no reason for anything.
    pub(super) fn tell(&self, event: &CompileEvent) {
        if let Some(observe) = &self.0 {
            let _ = catch_unwind(AssertUnwindSafe(|| observe(event)));
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
