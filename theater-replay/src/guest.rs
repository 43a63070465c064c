//! What lives in the wasm store of a replay: limits, and the open call with the record that answers it.

use theater::MemoryLimit;
use theater_chain::data::{ActorErrorData, EngineRecord};
use wasmtime::{Store, UpdateDeadline};

use crate::link::Linked;
use crate::record::{Halt, Record};

/// Ticks of the engine for which a guest runs before it gives way.
pub(crate) const SLICE: u64 = 10;

/// The data of the wasm store.
pub(crate) struct Guest {
    pub(crate) memory: MemoryLimit,
    /// Ticks of the engine that the guest may still run for in this call.
    pub(crate) ticks: u64,
    pub(crate) call: Option<OpenCall>,
    /// `migrate` runs, which may log and nothing else.
    pub(crate) migrating: bool,
}

/// A guest call that is being made again.
pub(crate) struct OpenCall {
    pub(crate) record: Record,
    /// The number of its next host call.
    pub(crate) ordinal: u32,
    /// Which failures running the guest leads to.
    pub(crate) engine: Engines,
    /// Why the call was stopped from a host call.
    pub(crate) stop: Option<Stop>,
}

/// Whether the recorded engine is the one that replays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engines {
    Same,
    Different,
}

impl Engines {
    pub(crate) fn of(recorded: &EngineRecord, ours: &EngineRecord) -> Self {
        if recorded == ours { Self::Same } else { Self::Different }
    }

    /// Whether running the call again leads to this end of it. How deep a stack goes depends on the
    /// engine.
    pub(crate) fn reproduce(self, error: &ActorErrorData) -> bool {
        use theater_chain::data::ErrorType::{InitFailed, MemoryLimit, StateLimit, Trap};
        let overflow = error.trap_code.as_deref() == Some("stack-overflow");
        matches!(error.error, Trap | MemoryLimit | StateLimit | InitFailed)
            && (error.deterministic || (overflow && self == Self::Same))
    }
}

/// Why a call was stopped from a host call.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The record has the call end here, by the host, or has no more.
    Cut,
    /// What the host call would need is not there any more.
    Unreplayable(String),
    Halt(Halt),
}

impl<T: Into<Halt>> From<T> for Stop {
    fn from(halt: T) -> Self {
        Self::Halt(halt.into())
    }
}

/// A component's instance and its store.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    pub(crate) instance: wasmtime::component::Instance,
}

impl Live {
    /// An instance with at most `memory` bytes of linear memory.
    pub(crate) async fn new(linked: &Linked, memory: usize, ticks: u64) -> wasmtime::Result<Self> {
        let guest = Guest { memory: MemoryLimit::new(memory), ticks, call: None, migrating: false };
        let mut store = Store::new(linked.pre.engine(), guest);
        store.limiter(|guest| &mut guest.memory);
        // Live it is the manifest's; a guest that kept to it must not fail for the room that untyped
        // values take.
        store.set_hostcall_fuel(usize::MAX);
        store.set_epoch_deadline(SLICE);
        store.epoch_deadline_callback(|mut context| {
            let guest = context.data_mut();
            guest.ticks = guest.ticks.checked_sub(SLICE).ok_or_else(|| wasmtime::Error::from(Endless))?;
            Ok(UpdateDeadline::Yield(SLICE))
        });
        let instance = linked.pre.instantiate_async(&mut store).await?;
        Ok(Self { store, instance })
    }
}

/// The guest runs for far longer than it had.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("it runs for far longer than the manifest's limit allowed it to")]
pub(crate) struct Endless;
