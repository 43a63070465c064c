//! One call made again: from its recorded params to its end.

use std::time::Duration;

use theater::{ActorError, Limits};
use theater_chain::data::{Call, Data};
use theater_chain::{ChainEvent, Digest, TheaterId, codec};
use wasmtime::component::Val;

use crate::answer::field;
use crate::guest::{Engines, Live, OpenCall, SLICE, Stop};
use crate::link::{ActorExport, Linked, unversioned};
use crate::outcome::{self, Failed, Made, Returned, backtrace};
use crate::record::{Halt, Record, Step};
use crate::report::{Divergence, Failure};
use crate::shape::Shape;
use crate::typed::Prepared;
use crate::{decode, encode, text};

/// A guest may run for this many times what it could live, and for this long at least: machines are
/// not equally fast, and a guest that goes on for ever must end.
const PATIENCE: u32 = 10;
const LEAST: Duration = Duration::from_secs(60);

/// MessagePack's nil: no params.
const NIL: &[u8] = &[0xc0];

/// What a call is made with.
pub(crate) struct Maker<'a> {
    pub(crate) actor: TheaterId,
    pub(crate) linked: &'a Linked,
    pub(crate) limits: &'a Limits,
    pub(crate) engines: Engines,
    /// The component is not the recorded one: places in it mean nothing.
    pub(crate) moved: bool,
    /// Its states are not the recorded ones, and are not compared.
    pub(crate) migrated: bool,
    pub(crate) state: Option<&'a [u8]>,
    pub(crate) state_hash: Digest,
}

/// How making a call again went.
pub(crate) enum Ran {
    /// It ended as recorded, with this state.
    Ended(Option<Vec<u8>>),
    /// It failed as recorded.
    Failed(Failure),
    /// The host had ended it, or the record ends in it.
    Cut,
    /// It cannot be made again.
    Unreplayable(String),
}

impl Maker<'_> {
    /// Makes a call again. `live` is the instance that it runs on, none for a fresh one; the record
    /// stands behind the `call`, and afterwards behind its end, or before what cut it.
    pub(crate) async fn make(
        &self,
        live: &mut Option<Live>,
        mut record: Record,
        event: &ChainEvent,
        call: &Call,
    ) -> Result<(Record, Ran), Halt> {
        if event.is_erased() {
            return Ok((record, Ran::Unreplayable("its params were erased".to_owned())));
        }
        let export = self.export(event, call)?;
        loop {
            let made = if record.is_cut(|error| self.engines.reproduce(error)).await? {
                Err(Stop::Cut)
            } else {
                let (back, made) = self.run(live, record, event, call, export).await?;
                record = back;
                made
            };
            let made = match made {
                Ok(made) => made,
                Err(Stop::Halt(halt)) => return Err(halt),
                Err(Stop::Unreplayable(why)) => return Ok((record, Ran::Unreplayable(why))),
                Err(Stop::Cut) => match record.peek_in_call().await? {
                    Some(Step { event: dropped, data: Some(Data::InstanceDropped(_)), .. }) => {
                        let passed = dropped.seq;
                        *live = None;
                        record.call_again(event, passed);
                        continue;
                    }
                    _ => return Ok((record, Ran::Cut)),
                },
            };
            let Some(step) = record.peek_in_call().await? else { return Ok((record, Ran::Cut)) };
            let ran = self.compare(step, call, export, made)?;
            record.take().await?;
            return Ok((record, ran));
        }
    }

    fn export(&self, event: &ChainEvent, call: &Call) -> Result<&ActorExport, Halt> {
        let found = self.linked.export(&call.interface, &call.function);
        found.map(AsRef::as_ref).ok_or_else(|| {
            let expected = format!("a call of {}", name(call));
            Halt::Diverged(Box::new(at(event, call, expected, "the component does not export it".to_owned())))
        })
    }

    /// Runs the guest. The outer error ends the replay, the inner one the call.
    async fn run(
        &self,
        live: &mut Option<Live>,
        record: Record,
        event: &ChainEvent,
        call: &Call,
        export: &ActorExport,
    ) -> Result<(Record, Result<Made, Stop>), Halt> {
        let budget = if is_init(call) { self.limits.init_timeout } else { self.limits.call_timeout };
        let ticks = (budget.saturating_mul(PATIENCE).max(LEAST).as_millis() / theater::engine::TICK.as_millis()) as u64;
        let recorded = field(event, "params")?.unwrap_or(NIL);
        let params = match export.typed.and_then(|prepare| prepare(recorded)) {
            Some(prepared) => Params::Typed(prepared),
            None => Params::Dynamic(decode::whole(recorded, &export.params, &mut no_resources).map_err(|_| {
                let actual = format!("a function with params of another type: {:?}", export.params);
                Halt::Diverged(Box::new(at(event, call, text::raw(recorded), actual)))
            })?),
        };
        let mut guest = match live.take() {
            Some(guest) => guest,
            None => match Live::new(self.linked, self.limits.memory, ticks).await {
                Ok(guest) => guest,
                Err(error) => {
                    let actual = format!("the component cannot be instantiated: {:#}", error.root_cause());
                    let mut divergence = at(event, call, format!("a call of {}", name(call)), actual);
                    divergence.backtrace = backtrace(&error);
                    divergence.failed = true;
                    return Err(Halt::Diverged(Box::new(divergence)));
                }
            },
        };
        let data = guest.store.data_mut();
        data.ticks = ticks;
        data.memory.begin();
        data.call = Some(OpenCall { record, ordinal: 0, engine: self.engines, stop: None });
        guest.store.set_hostcall_fuel(usize::MAX);
        guest.store.set_epoch_deadline(SLICE);
        let returned = invoke(&mut guest, export, self.state, params).await;
        let refused = guest.store.data().memory.refused();
        #[expect(clippy::expect_used, reason = "it was put there above, and nothing takes it")]
        let open = guest.store.data_mut().call.take().expect("an open call");
        let made = match (open.stop, returned) {
            (Some(Stop::Halt(Halt::Diverged(mut divergence))), Err(error)) => {
                divergence.backtrace = backtrace(&error);
                return Err(Halt::Diverged(divergence));
            }
            (Some(stop), _) => Err(stop),
            (None, Err(error)) => Ok(Made::Failed(Failed::of(&error, refused))),
            (None, Ok(returned)) => Ok(self.judged(call, returned)),
        };
        // An instance in which a call did not end is never entered again.
        if let Ok(Made::Returned(_)) = &made {
            *live = Some(guest);
        }
        Ok((open.record, made))
    }

    /// What the core makes of an answer.
    fn judged(&self, call: &Call, returned: Returned) -> Made {
        if !returned.ok && is_init(call) {
            let text = codec::decode::<Result<(), String>>(&returned.result).ok().and_then(Result::err);
            return Made::Failed(Failed::new(ActorError::init_answered(&text.unwrap_or_default())));
        }
        let state = if returned.ok { returned.state.as_deref() } else { None };
        // Of an `err` the text alone counts.
        let answer = if returned.ok { &returned.result[..] } else { &returned.result[err_head(&returned.result)..] };
        match ActorError::exceeding(self.limits, state, answer) {
            Some(error) => Made::Failed(Failed::new(error)),
            None => Made::Returned(returned),
        }
    }

    fn compare(&self, step: &Step, call: &Call, export: &ActorExport, made: Made) -> Result<Ran, Halt> {
        let Step { event, data, .. } = step;
        match (made, data) {
            (Made::Failed(failed), Some(Data::ActorErrorData(error)))
                if failed.is(event, error, self.moved, self.engines)
                    && (self.migrated || error.state_hash == self.state_hash) =>
            {
                let what = outcome::error_text(event, error);
                let (seq, function, backtrace) = (event.seq, name(call), failed.backtrace);
                Ok(Ran::Failed(Failure { seq, function, what, backtrace }))
            }
            (Made::Returned(returned), Some(Data::StateUpdated(_) | Data::CallReturned(_)))
                if self.is_end(step, call, &returned)? =>
            {
                Ok(Ran::Ended(if returned.ok { returned.state } else { self.state.map(<[u8]>::to_vec) }))
            }
            (made, _) => {
                let mut divergence = at(event, call, self.expected(step, export), made.text(&export.results));
                if let Made::Failed(failed) = made {
                    divergence.backtrace = failed.backtrace;
                    divergence.failed = true;
                }
                Err(Halt::Diverged(Box::new(divergence)))
            }
        }
    }

    /// Whether the call ended so. Of another component the state is not compared, and then the event need
    /// not be of the same type.
    fn is_end(&self, Step { event, data, .. }: &Step, call: &Call, returned: &Returned) -> Result<bool, Halt> {
        if !self.migrated {
            let made = returned.event(self.actor, self.state_hash, call.message_id.as_deref());
            return Ok(outcome::is_event(event, &made));
        }
        let ok = !matches!(data, Some(Data::CallReturned(recorded)) if !recorded.ok);
        Ok(ok == returned.ok && (event.is_erased() || field(event, "result")?.unwrap_or(NIL) == returned.result))
    }

    /// What the record has where the call ended, as text.
    fn expected(&self, step: &Step, export: &ActorExport) -> String {
        let result = field(&step.event, "result").ok().flatten();
        let result = result.map(|result| outcome::result_text(result, &export.results));
        match (&step.data, result) {
            (Some(Data::StateUpdated(updated)), Some(result)) => format!("{result}, state {}", updated.new_state_hash),
            (Some(Data::CallReturned(returned)), Some(result)) => format!("{result}, state {}", returned.state_hash),
            (Some(Data::HostCall(host)), _) => self.host_call(&step.event, &host.interface, &host.function),
            (Some(Data::HostCallBegun(host)), _) => self.host_call(&step.event, &host.interface, &host.function),
            _ => outcome::recorded(step),
        }
    }

    fn host_call(&self, event: &ChainEvent, interface: &str, function: &str) -> String {
        let params = field(event, "params").ok().flatten().unwrap_or(NIL);
        let params = match self.linked.imports.get(interface, function) {
            Some(shape) => text::values(params, &shape.params),
            None => text::raw(params),
        };
        format!("{interface}#{function}{params}")
    }
}

/// How many bytes of an encoded `{"Err": text}` stand before the text.
fn err_head(result: &[u8]) -> usize {
    let head = |marker: u8| match marker {
        0xd9 => 2,
        0xda => 3,
        0xdb => 5,
        _ => 1,
    };
    // A map of one, and the key.
    let key = 1 + 1 + "Err".len();
    result.get(key).map_or(0, |marker| key + head(*marker))
}

/// The params of a call.
pub(crate) enum Params {
    /// Of types that are common.
    Typed(Box<dyn Prepared>),
    /// Of others.
    Dynamic(Val),
}

/// Calls an export.
pub(crate) async fn invoke(
    guest: &mut Live,
    export: &ActorExport,
    state: Option<&[u8]>,
    params: Params,
) -> wasmtime::Result<Returned> {
    let params = match params {
        Params::Typed(prepared) => return prepared.call(guest, export, state).await,
        Params::Dynamic(params) => params,
    };
    let func = guest
        .instance
        .get_func(&mut guest.store, export.index)
        .ok_or_else(|| wasmtime::format_err!("the export is no function"))?;
    let mut results = [Val::Bool(false)];
    func.call_async(&mut guest.store, &[state_val(state), params], &mut results).await?;
    returned(&results[0], &export.results)
        .ok_or_else(|| wasmtime::format_err!("the export did not return a state and results"))?
}

fn state_val(state: Option<&[u8]>) -> Val {
    Val::Option(state.map(|bytes| Box::new(Val::List(bytes.iter().map(|byte| Val::U8(*byte)).collect()))))
}

/// Takes the state out of what an export returned.
fn returned(val: &Val, results: &[Shape]) -> Option<wasmtime::Result<Returned>> {
    let Val::Result(result) = val else { return None };
    match result {
        Ok(Some(ok)) => {
            let Val::Tuple(values) = &**ok else { return None };
            let (Val::Option(state), rest) = values.split_first()? else { return None };
            let state = match state {
                None => None,
                Some(bytes) => Some(bytes_of(bytes)?),
            };
            let mut result = b"\x81\xa2Ok".to_vec();
            let encoded = encode::values(&mut result, results, rest, &mut |_| {
                Err(wasmtime::format_err!("an export returned a resource"))
            });
            Some(encoded.map(|()| Returned { ok: true, state, result }))
        }
        Err(Some(err)) => {
            let Val::String(message) = &**err else { return None };
            let result = theater_chain::codec::encode(&Err::<(), _>(message));
            Some(Ok(Returned { ok: false, state: None, result }))
        }
        _ => None,
    }
}

fn bytes_of(val: &Val) -> Option<Vec<u8>> {
    let Val::List(items) = val else { return None };
    let bytes = items.iter().map(|item| match item {
        Val::U8(byte) => Some(*byte),
        _ => None,
    });
    bytes.collect()
}

fn no_resources(_: u32, _: u32) -> wasmtime::Result<Val> {
    Err(wasmtime::format_err!("an export has a resource among its params"))
}

/// Whether the call is the one of which an `err` fails the actor.
pub(crate) fn is_init(call: &Call) -> bool {
    unversioned(&call.interface) == "theater:simple/actor" && call.function == "init"
}

/// `interface#function`.
pub(crate) fn name(call: &Call) -> String {
    format!("{}#{}", call.interface, call.function)
}

fn at(event: &ChainEvent, call: &Call, expected: String, actual: String) -> Divergence {
    Divergence { seq: event.seq, function: name(call), expected, actual, backtrace: Vec::new(), failed: false }
}
