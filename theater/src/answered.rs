//! A host call that was made before the process went down, in a call that begins again: it is
//! answered from the record.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use theater_chain::codec;
use theater_chain::data::{ErrorType, Outcome};
use wasmtime::{Result, StoreContextMut};

use crate::actor_store::{ActorStore, CallNotes};
use crate::call::{Call, EXITED};
use crate::chain_view::ChainRange;
use crate::error::ActorError;
use crate::handler::Handler;
use crate::host_call::was_interrupted;
use crate::linker::{HostResults, Site};
use crate::reentry;

pub(crate) struct Answered<'a> {
    pub(crate) store: StoreContextMut<'a, ActorStore>,
    pub(crate) site: &'a Site,
    pub(crate) ordinal: u32,
    pub(crate) outcome: Outcome,
    pub(crate) result: Option<Bytes>,
}

impl Answered<'_> {
    /// Runs a function once more whose effect is part of the call: what it sends is in the turn
    /// then. Its recorded answer counts; where it answers otherwise now, it sends nothing.
    pub(crate) fn again<H: Handler, R: HostResults>(
        &mut self,
        run: impl FnOnce(Call<'_, H>) -> Result<R>,
        handler: &H,
    ) {
        let data = self.store.data_mut();
        let sent = data.turn.outbox.len();
        let mut notes = CallNotes { again: true, ..CallNotes::default() };
        let call = Call::new(data, &mut notes, handler, self.site.slot, self.ordinal);
        let answer = catch_unwind(AssertUnwindSafe(|| run(call)));
        let encoded = answer.ok().and_then(Result::ok).and_then(|results| codec::try_encode(&results).ok());
        if encoded.as_deref() != self.result.as_deref() {
            self.store.data_mut().turn.outbox.truncate(sent);
        }
    }

    pub(crate) async fn answer<R: HostResults>(mut self) -> Result<R> {
        if self.store.data().turn.exited {
            return Err(wasmtime::Error::msg(EXITED)); // it ends the call, as it did before
        }
        let Some(result) = self.result.take() else {
            let (kind, reason) = match self.outcome {
                Outcome::Interrupted => (ErrorType::HostCallInterrupted, was_interrupted(self.site)),
                _ => {
                    let site = self.site;
                    let reason = format!("{}#{} had failed before, as the record says", site.interface, site.function);
                    (ErrorType::HostCallFailed, reason)
                }
            };
            self.store.data_mut().turn.failure = Some(ActorError::new(kind, reason.clone()));
            return Err(wasmtime::Error::msg(reason));
        };
        self.store.data_mut().turn.answers.add(&result);
        if let Ok(results) = codec::decode::<R>(&result) {
            return Ok(results);
        }
        let range: ChainRange = codec::decode(&result)?;
        let actor = self.store.data().actor.clone();
        let store = actor.shared.journal.store(actor.recorder.ephemeral).clone();
        actor.shared.journal.flushed().await?;
        Ok(codec::decode(&reentry::of_range(&*store, &range).await?)?)
    }
}
