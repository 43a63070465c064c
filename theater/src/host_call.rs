//! The one wrapper around every host function: it records the call, waits where an effect must be
//! durable first, bounds its time, and turns a handler's failure into the actor's. Where a call
//! begins again after a crash, or in a fork, it answers from the record.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;
use theater_chain::data::{Effect, ErrorType, HostCall, HostCallBegun, Outcome};
use theater_chain::{Digest, codec, payload};
use wasmtime::{Result, StoreContextMut};

use crate::actor_store::{ActorStore, CallNotes};
use crate::answered::Answered;
use crate::call::Call;
use crate::error::ActorError;
use crate::handler::{Handler, panic_text};
use crate::linker::{AsyncHostFn, HostFn, HostParams, HostResults, Mode, Site};
use crate::manifest::Durability;
use crate::sources::within;

/// Runs a function that never waits.
pub(crate) async fn run_sync<H, P, R, F>(
    store: StoreContextMut<'_, ActorStore>,
    handler: &H,
    site: &Site,
    mode: Mode,
    f: &HostFn<F, R>,
    params: P,
) -> Result<R>
where
    H: Handler,
    P: HostParams,
    R: HostResults,
    F: Fn(Call<'_, H>, P) -> Result<R>,
{
    let mut record = match Record::begin(store, site, mode, &params)? {
        Begun::Now(record) => record,
        Begun::Interrupted(record) => return record.interrupted(f.interrupted.as_deref()),
        Begun::Before(mut before) => {
            if mode.in_call {
                before.again(|call| (f.run)(call, params), handler);
            }
            return before.answer().await;
        }
    };
    record.settle().await?;
    let answer = catch_unwind(AssertUnwindSafe(|| (f.run)(record.call(handler), params)));
    record.finish(answer)
}

/// Runs a function that may wait, for as long as the manifest's `host_call_timeout` at most.
pub(crate) async fn run_async<H, P, R, F>(
    store: StoreContextMut<'_, ActorStore>,
    handler: &H,
    site: &Site,
    mode: Mode,
    f: &HostFn<F, R>,
    params: P,
) -> Result<R>
where
    H: Handler,
    P: HostParams,
    R: HostResults,
    F: for<'c> AsyncHostFn<'c, H, P, R>,
{
    let mut record = match Record::begin(store, site, mode, &params)? {
        Begun::Now(record) => record,
        Begun::Interrupted(record) => return record.interrupted(f.interrupted.as_deref()),
        Begun::Before(before) => return before.answer().await,
    };
    record.settle().await?;
    let limit = record.store.data().actor.made.manifest.limits.host_call_timeout;
    let sources = record.store.data().actor.shared.sources.clone();
    let call = AssertUnwindSafe(async { f.run.call(record.call(handler), params).await }).catch_unwind();
    let answer = if mode.self_timed { Some(call.await) } else { within(&*sources, limit, call).await };
    match answer {
        Some(answer) => record.finish(answer),
        None => {
            let reason = format!("{}#{} did not answer within {limit:?}", site.interface, site.function);
            Err(record.fail(ErrorType::HostCallFailed, reason, Outcome::Abandoned))
        }
    }
}

/// A host call as it begins.
enum Begun<'a> {
    /// It is made, perhaps once more.
    Now(Record<'a>),
    /// It was begun before the process went down, and must not be made once more.
    Interrupted(Record<'a>),
    /// It was made before the process went down.
    Before(Answered<'a>),
}

/// A host call that is being recorded. Dropped before its end (the guest call was killed), it is
/// recorded as abandoned: its effect may have happened.
struct Record<'a> {
    store: StoreContextMut<'a, ActorStore>,
    site: &'a Site,
    effect: Effect,
    ordinal: u32,
    /// The encoded params, unless the begun event holds them.
    params: Option<Vec<u8>>,
    /// Whether the event is appended.
    done: bool,
    notes: CallNotes,
    /// Waiting for what must be durable or drained before the function runs.
    settle: Option<u64>,
}

impl<'a> Record<'a> {
    fn begin<P: HostParams>(
        mut store: StoreContextMut<'a, ActorStore>,
        site: &'a Site,
        mode: Mode,
        params: &P,
    ) -> Result<Begun<'a>> {
        let data = store.data_mut();
        if !data.turn.open {
            let reason = format!(
                "{}#{} was called while the component was instantiated; call imports from init or later",
                site.interface, site.function
            );
            data.turn.failure = Some(ActorError::new(ErrorType::InstantiateFailed, reason.clone()));
            return Err(wasmtime::Error::msg(reason));
        }
        let ordinal = data.turn.ordinal;
        data.turn.ordinal += 1;
        let params = codec::try_encode(params)?;
        let mut notes = CallNotes::default();
        if let Some(before) = data.turn.again.pop_front() {
            if let Some(reason) = before.differs(ordinal, &site.interface, site.function, &params) {
                let error = ActorError::new(ErrorType::HostCallFailed, before.another_course(&reason));
                data.turn.failure = Some(error);
                data.turn.again.push_front(before);
                return Err(wasmtime::Error::msg(reason));
            }
            before.take_over(&data.actor.recorder, site.interface.as_ref());
            if let Some((outcome, result)) = before.ended {
                return Ok(Begun::Before(Answered { store, site, ordinal, outcome, result }));
            }
            (notes.begun, notes.before) = (before.begun, true);
            let effect = before.effect;
            let record = Self { store, site, effect, ordinal, params: None, done: false, notes, settle: None };
            return Ok(match effect {
                Effect::Write => Begun::Interrupted(record),
                Effect::Read | Effect::WriteIdempotent => Begun::Now(record),
            });
        }
        let mut settle = None;
        let params = if mode.effect == Effect::Read {
            Some(params)
        } else {
            let begun = HostCallBegun {
                ordinal,
                interface: site.interface.to_string(),
                function: site.function.to_owned(),
                effect: mode.effect,
            };
            let recorder = &data.actor.recorder;
            let payload = recorder.payload(&[("params", Some(&params))]);
            let appended = recorder.append(&begun, payload);
            notes.begun = Some(appended.hash);
            if !mode.within_tree || data.actor.made.manifest.durability == Durability::Sync {
                settle = Some(appended.position);
            }
            None
        };
        Ok(Begun::Now(Self { store, site, effect: mode.effect, ordinal, params, done: false, notes, settle }))
    }

    /// Its effect may have happened, and it must not happen twice: the call ends, unless the
    /// function has an answer for this.
    fn interrupted<R: HostResults>(mut self, answer: Option<&(dyn Fn() -> R + Send + Sync)>) -> Result<R> {
        if let Some(answer) = answer {
            let results = answer();
            let encoded = codec::try_encode(&results)?;
            self.append(Some(&encoded), Outcome::Interrupted);
            return Ok(results);
        }
        let reason = was_interrupted(self.site);
        Err(self.fail(ErrorType::HostCallInterrupted, reason, Outcome::Interrupted))
    }

    /// Waits until the begun event is durable, and until the journal has room.
    fn settle(&mut self) -> impl Future<Output = Result<()>> + Send + use<> {
        let actor = &self.store.data().actor;
        let (journal, share) = (actor.shared.journal.clone(), actor.recorder.share.clone());
        let position = self.settle.take();
        async move {
            if let Some(position) = position {
                journal.durable(position).await?;
            }
            journal.room(&share).await?;
            Ok(())
        }
    }

    fn call<'c, H: Handler>(&'c mut self, handler: &'c H) -> Call<'c, H> {
        Call::new(self.store.data_mut(), &mut self.notes, handler, self.site.slot, self.ordinal)
    }

    fn finish<R: HostResults>(&mut self, answer: std::thread::Result<Result<R>>) -> Result<R> {
        let results = match answer {
            Ok(Ok(results)) => results,
            Ok(Err(error)) => {
                let reason = format!("{}#{}: {error:#}", self.site.interface, self.site.function);
                return Err(self.fail(ErrorType::HostCallFailed, reason, Outcome::Trap));
            }
            Err(panic) => {
                let text = panic_text(&*panic);
                let reason = format!("{}#{} panicked: {text}", self.site.interface, self.site.function);
                return Err(self.fail(ErrorType::HandlerPanic, reason, Outcome::Trap));
            }
        };
        let encoded = match self.notes.recorded.take() {
            Some(encoded) => encoded,
            None => codec::try_encode(&results)?,
        };
        let outcome = self.notes.denied.take().map_or(Outcome::Ok, Outcome::Denied);
        self.append(Some(&encoded), outcome);
        let limit = self.store.data().actor.made.manifest.limits.result;
        if encoded.len() > limit {
            let reason = format!(
                "{}#{} answered {} bytes; the manifest's limit `result` is {limit}",
                self.site.interface,
                self.site.function,
                encoded.len()
            );
            let error = ActorError::new(ErrorType::HostCallFailed, reason);
            return Err(self.failed(error));
        }
        Ok(results)
    }

    fn fail(&mut self, kind: ErrorType, reason: String, outcome: Outcome) -> wasmtime::Error {
        self.append(None, outcome);
        self.failed(ActorError::new(kind, reason))
    }

    fn failed(&mut self, error: ActorError) -> wasmtime::Error {
        let text = error.message.clone();
        self.store.data_mut().turn.failure = Some(error);
        wasmtime::Error::msg(text)
    }

    fn append(&mut self, result: Option<&[u8]>, outcome: Outcome) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let event = HostCall {
            ordinal: self.ordinal,
            interface: self.site.interface.to_string(),
            function: self.site.function.to_owned(),
            effect: self.effect,
            outcome,
        };
        let data = self.store.data_mut();
        data.turn.answers.add(result.unwrap_or_default());
        let recorder = &data.actor.recorder;
        let (params, digest) = match (&self.params, &self.notes.params) {
            (Some(passed), Some(shown)) => (Some(shown), Some(payload::bin(Digest::of(passed).as_bytes()))),
            (params, _) => (params.as_ref(), None),
        };
        let fields = [("params", params.map(Vec::as_slice)), ("result", result), ("params_digest", digest.as_deref())];
        // An absent field is written as nil, and the digest is rare.
        let fields = if digest.is_some() { &fields[..] } else { &fields[..2] };
        let payload = recorder.payload(fields);
        recorder.append(&event, payload);
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.append(None, Outcome::Abandoned);
    }
}

/// What is said of a host call that may have had its effect, or not.
pub(crate) fn was_interrupted(site: &Site) -> String {
    format!(
        "the process went down while {}#{} ran: its effect may have happened, so it was not repeated",
        site.interface, site.function
    )
}
