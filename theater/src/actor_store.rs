//! What lives in an actor's wasmtime store: its handlers' states, its limits, and the turn that is
//! running.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;

use theater_chain::{Digest, TheaterId};

use crate::actor::Actor;
use crate::error::ActorError;
use crate::exit::ExitReason;
use crate::memory_limit::MemoryLimit;
use crate::message::Reserved;
use crate::poison::Answers;
use crate::reentry::RecordedCall;

/// A handler's state of one actor; `None` while it is lent out or after the actor ended.
pub(crate) type Slots = Vec<Box<dyn Any + Send>>;

/// The data of an actor's wasmtime store.
pub struct ActorStore {
    pub(crate) actor: Arc<Actor>,
    pub(crate) slots: Slots,
    /// What the handlers keep for this instance alone, by slot.
    instance_data: Vec<Option<Box<dyn Any + Send>>>,
    pub(crate) memory: MemoryLimit,
    pub(crate) turn: Turn,
}

impl ActorStore {
    /// The actor that the store belongs to.
    pub fn actor_id(&self) -> TheaterId {
        self.actor.id
    }

    pub(crate) fn new(actor: Arc<Actor>, slots: Slots) -> Self {
        let max = actor.made.manifest.limits.memory;
        let memory = MemoryLimit::new(max);
        Self { actor, slots, instance_data: Vec::new(), memory, turn: Turn::default() }
    }

    /// What the handler of this slot keeps for this instance; made when it is asked for first.
    pub(crate) fn instance_data<I: Default + Send + 'static>(&mut self, slot: usize) -> &mut I {
        if self.instance_data.len() <= slot {
            self.instance_data.resize_with(slot + 1, || None);
        }
        let data = self.instance_data[slot].get_or_insert_with(|| Box::<I>::default());
        #[expect(clippy::expect_used, reason = "documented to panic")]
        data.downcast_mut().expect("a handler keeps one type of data for an instance")
    }
}

/// One guest call from its `call` event to its end.
#[derive(Default)]
pub(crate) struct Turn {
    /// The seq of the `call` event: part of the ids of messages sent in it.
    pub(crate) seq: u64,
    /// Of a call that begins again: the host calls that are answered from the record.
    pub(crate) again: VecDeque<RecordedCall>,
    /// The number of the next host call.
    pub(crate) ordinal: u32,
    /// What its host calls answered.
    pub(crate) answers: Answers,
    /// Messages that leave when the call commits, each with its place in the receiver's mailbox.
    pub(crate) outbox: Vec<Reserved>,
    /// Asked for by the guest: how the actor ends when this call has committed.
    pub(crate) end: Option<ExitReason>,
    /// Whether the guest ended itself in the middle of this call; `end` says how.
    pub(crate) exited: bool,
    /// Why a host call ended the guest call, where it did.
    pub(crate) failure: Option<ActorError>,
    /// What the guest said last before it trapped, such as the message of a panic.
    pub(crate) said: Option<String>,
    /// Whether a call is open: guest code that runs before, while its component is instantiated, may
    /// not call imports, since nothing could hold the record of it.
    pub(crate) open: bool,
    /// Whether this is `init`, where alone a start can be declined.
    pub(crate) init: bool,
}

/// What the wrapper keeps of the host call that is running.
#[derive(Default)]
pub(crate) struct CallNotes {
    /// The hash of the event with which the call began, where it has one.
    pub(crate) begun: Option<Digest>,
    /// It began before the process went down, and is made once more.
    pub(crate) before: bool,
    /// It was made before the process went down, and what it does to its call is done again.
    pub(crate) again: bool,
    /// The rule that forbade it.
    pub(crate) denied: Option<String>,
    /// Recorded instead of the result.
    pub(crate) recorded: Option<Vec<u8>>,
    /// Recorded instead of the params, together with the digest of these.
    pub(crate) params: Option<Vec<u8>>,
}
