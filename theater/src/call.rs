//! What a host function gets beside its params: the handler's state for the actor that calls, and
//! what it may do on that actor's behalf.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use theater_chain::data::ErrorType;
use theater_chain::{Digest, TheaterId};

use crate::actor_store::{ActorStore, CallNotes};
use crate::chain_view::{ChainRange, ChainView};
use crate::error::{ActorError, CallError};
use crate::exit::ExitReason;
use crate::export::{Export, Params, Results};
use crate::handler::Handler;
use crate::manifest::Limits;
use crate::message;
use crate::request::{self, Asked};
use crate::subtree::Subtree;

/// What callers are answered whose call did not come to its end because the actor did.
pub const EXITED: &str = "the actor exited in this call, with status 0";

/// The most that is kept of what a guest says of a failure in several lines, in bytes.
const SAID: usize = 4 << 10;

/// A host call: handed to the function by value, once.
pub struct Call<'a, H: Handler> {
    store: &'a mut ActorStore,
    notes: &'a mut CallNotes,
    handler: &'a H,
    slot: usize,
    ordinal: u32,
}

/// How another actor stands to this one in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relation {
    /// The actor itself.
    Itself,
    /// Its parent.
    Parent,
    /// One of its children.
    Child,
    /// A child of the same parent.
    Sibling,
    /// Any other actor that is alive, in this tree or another of the same runtime.
    Other,
    /// No actor that is alive.
    Unknown,
}

impl<'a, H: Handler> Call<'a, H> {
    pub(crate) fn new(
        store: &'a mut ActorStore,
        notes: &'a mut CallNotes,
        handler: &'a H,
        slot: usize,
        ordinal: u32,
    ) -> Self {
        Self { store, notes, handler, slot, ordinal }
    }

    /// The handler's state for this actor.
    pub fn state(&mut self) -> &mut H::State {
        // The slot was filled by this handler's `start`: the linker and the start use one order.
        #[expect(clippy::expect_used, reason = "an invariant of the core")]
        self.store.slots[self.slot].downcast_mut().expect("a slot holds its own handler's state")
    }

    /// What the handler keeps for this instance of the component alone, such as its resources: gone
    /// with the instance, which may be dropped between any two calls.
    ///
    /// # Panics
    /// The handler asked for another type before. A panic ends the actor.
    pub fn instance<I: Default + Send + 'static>(&mut self) -> &mut I {
        self.store.instance_data(self.slot)
    }

    /// The handler, shared by all actors.
    pub fn handler(&self) -> &'a H {
        self.handler
    }

    /// The actor that calls.
    pub fn actor_id(&self) -> TheaterId {
        self.store.actor.id
    }

    /// The `name` in its manifest.
    pub fn actor_name(&self) -> &str {
        &self.store.actor.made.manifest.name
    }

    /// The limits in its manifest.
    pub fn limits(&self) -> &Limits {
        &self.store.actor.made.manifest.limits
    }

    /// Milliseconds since the Unix epoch, from the runtime's sources.
    pub fn wall_ms(&self) -> u64 {
        self.store.actor.shared.sources.wall_ms()
    }

    /// Time since some fixed point, from the runtime's sources; never goes back.
    pub fn monotonic(&self) -> Duration {
        self.store.actor.shared.sources.monotonic()
    }

    /// Fills `bytes` with randomness, from the runtime's sources.
    pub fn fill_random(&self, bytes: &mut [u8]) {
        self.store.actor.shared.sources.fill_random(bytes);
    }

    /// Completes after `duration`, on the runtime's clock.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<H> {
        self.store.actor.shared.sources.sleep(duration)
    }

    /// The hash of the event with which this call began: the same when a crash made it run again.
    /// `None` for [`Effect::Read`](theater_chain::data::Effect::Read), which has no such event.
    pub fn idempotency_key(&self) -> Option<Digest> {
        self.notes.begun
    }

    /// Whether this call was made before the process went down, and is made again since it belongs to a
    /// guest call that begins again: see [`InterfaceLinker::in_call`](crate::InterfaceLinker::in_call).
    pub fn is_again(&self) -> bool {
        self.notes.again
    }

    /// Records this call as denied by `rule`, with the answer that the function returns as what the
    /// guest got. The function itself does nothing more.
    pub fn deny(&mut self, rule: impl Into<String>) {
        self.notes.denied = Some(rule.into());
    }

    /// Records a range of a chain in place of the result: replay reads it from there.
    pub fn record_chain_range(&mut self, range: &ChainRange) {
        self.notes.recorded = Some(theater_chain::codec::encode(range));
    }

    /// Records these params in place of those that the guest passed, and beside them the SHA-256 of
    /// the guest's (`params_digest`), by which replay compares: for a function that keeps floods of
    /// text out of the chain.
    ///
    /// Only for [`Effect::Read`](theater_chain::data::Effect::Read): the params of other effects are
    /// recorded before the function runs, and stay.
    ///
    /// # Errors
    /// The params cannot be encoded.
    pub fn record_params_as<P: Serialize>(&mut self, params: &P) -> wasmtime::Result<()> {
        self.notes.params = Some(theater_chain::codec::try_encode(params)?);
        Ok(())
    }

    /// Ends the actor as `normal` when the running guest call has committed.
    pub fn shutdown(&mut self, data: Option<Vec<u8>>) {
        self.store.turn.end = Some(ExitReason::Normal(data));
    }

    /// Ends the actor as `declined` when `init` has committed.
    ///
    /// # Errors
    /// The running guest call is not `init`; the error ends the actor.
    pub fn decline_start(&mut self) -> wasmtime::Result<()> {
        if !self.store.turn.init {
            return Err(wasmtime::Error::msg("a start can be declined only in init"));
        }
        self.store.turn.end = Some(ExitReason::Declined);
        Ok(())
    }

    /// Ends the actor abnormal when the running guest call has committed, as a supervisor does that
    /// escalates.
    pub fn end_abnormal(&mut self, reason: impl Into<String>) {
        self.store.turn.end = Some(ExitReason::Abnormal(ActorError::new(ErrorType::GuestError, reason)));
    }

    /// Ends the running guest call here, and the actor with it: for a program that exits. The function
    /// returns the error as its own. Without a `failure` the actor ends `normal`; with one it fails as
    /// a guest error. The call changes no state and sends nothing; its caller is answered with an `err`.
    pub fn exit(&mut self, failure: Option<String>) -> wasmtime::Error {
        let turn = &mut self.store.turn;
        turn.exited = true;
        turn.end = Some(match failure {
            None => ExitReason::Normal(None),
            Some(reason) => {
                let reason = turn.said.take().map_or(reason.clone(), |said| format!("{said}: {reason}"));
                ExitReason::Abnormal(ActorError::new(ErrorType::GuestError, reason))
            }
        });
        wasmtime::Error::msg("the actor exited")
    }

    /// Keeps what the guest says of a failure: should the running guest call trap, it stands in front
    /// of the trap in the error's message.
    pub fn explain_failure(&mut self, said: impl Into<String>) {
        self.store.turn.said = Some(said.into());
    }

    /// As [`Call::explain_failure`], but after what was kept before in the running guest call: for what
    /// comes in several lines. Of all of it the last 4 KiB are kept.
    pub fn explain_failure_further(&mut self, said: &str) {
        let all = self.store.turn.said.get_or_insert_default();
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(said);
        let from = all.ceil_char_boundary(all.len().saturating_sub(SAID));
        all.drain(..from);
    }

    /// How `other` stands to the actor that calls.
    pub fn relation(&self, other: TheaterId) -> Relation {
        self.store.actor.shared.tree.relation(&self.store.actor, other)
    }

    /// Sends a message: it leaves when the running guest call commits, and not if that traps or
    /// answers `err`.
    ///
    /// # Errors
    /// There is no such actor, its mailbox is full, or it does not export the function.
    pub fn send<P: Params, R: Results>(
        &mut self,
        to: TheaterId,
        export: &Export<P, R>,
        params: &P,
    ) -> Result<(), CallError> {
        let id = self.message_id();
        let reserved = if self.notes.again {
            message::reserve_again(&self.store.actor, to, export, params, id)?
        } else {
            message::reserve(&self.store.actor, to, export, params, id)?
        };
        self.store.turn.outbox.push(reserved);
        Ok(())
    }

    /// Asks another actor and waits for the answer for at most `limit`; `params` may depend on the
    /// request's id. Leaves at once. A stop of the actor that calls ends the wait.
    ///
    /// # Errors
    /// As [`Call::send`]; also: no answer in time, the other actor failed or answered `err`, or it
    /// waits for this one.
    pub fn request<P: Params, R: Results, F: FnOnce(&str) -> P>(
        &mut self,
        to: TheaterId,
        export: &Export<P, R>,
        params: F,
        limit: Duration,
    ) -> impl Future<Output = Result<R, CallError>> + Send + use<P, R, F, H> {
        let id = self.message_id();
        let params = params(&id);
        let asked = Asked { id, begun: self.notes.begun, before: self.notes.before };
        request::request(self.store.actor.clone(), to, export, &params, asked, limit)
    }

    /// The chain of the actor that calls.
    pub fn chain(&self) -> ChainView {
        ChainView::new(&self.store.actor)
    }

    /// The actor's own subtree.
    pub fn tree(&self) -> Subtree {
        Subtree::new(&self.store.actor)
    }

    /// `<actor>/<seq of the guest call>/<ordinal of this host call>`.
    fn message_id(&self) -> String {
        format!("{}/{}/{}", self.store.actor.id, self.store.turn.seq, self.ordinal)
    }
}
