//! Host calls, answered from the record: params are compared first, and no host function ever runs.

use theater_chain::data::{Data, Effect, HostCall, HostCallBegun, Outcome};
use theater_chain::{ChainEvent, Digest, payload};

use crate::guest::{Guest, OpenCall, Stop};
use crate::link::Site;
use crate::outcome;
use crate::range;
use crate::record::{Halt, Step, damaged, is_log};
use crate::report::Divergence;
use crate::text;

/// MessagePack's nil: no params, no results.
const NIL: &[u8] = &[0xc0];

/// The recorded results of the guest's next host call, encoded. An error ends the guest's call; why is
/// in the open call.
pub(crate) async fn answer(guest: &mut Guest, site: &Site, params: &[u8]) -> wasmtime::Result<Vec<u8>> {
    if guest.migrating && is_log(&site.interface, &site.function) {
        return Ok(NIL.to_vec());
    }
    let Some(call) = guest.call.as_mut() else {
        return Err(wasmtime::format_err!("{site} was called while the component was instantiated"));
    };
    match call.host_call(site, params).await {
        Ok(results) => Ok(results),
        Err(stop) => {
            call.stop = Some(stop);
            Err(wasmtime::Error::msg("the replay ends the call here"))
        }
    }
}

impl OpenCall {
    async fn host_call(&mut self, site: &Site, params: &[u8]) -> Result<Vec<u8>, Stop> {
        let loose = self.record.loose;
        if loose && is_log(&site.interface, &site.function) {
            return Ok(NIL.to_vec());
        }
        let made = self.ordinal;
        self.ordinal += 1;
        // Without the logs the numbers are others.
        let numbered = |recorded: u32| if loose { recorded } else { made };
        let begun = match self.record.peek_in_call().await? {
            Some(Step { event, data: Some(Data::HostCallBegun(begun)), .. }) => {
                let HostCallBegun { ordinal: recorded, interface, function, .. } = begun;
                if begun.effect == Effect::Read {
                    return Err(different(damaged(event, "an effect, since it says that it began", "none")));
                }
                compare(event, (*recorded, interface, function), site, numbered(*recorded), params)?;
                self.record.take().await?;
                true
            }
            _ => false,
        };
        let engine = self.engine;
        if begun && self.record.is_cut(|error| engine.reproduce(error)).await? {
            return Err(Stop::Cut); // the process went down while it ran
        }
        let ended = match self.record.peek_in_call().await? {
            Some(Step { event, data: Some(Data::HostCall(call)), .. }) => {
                let HostCall { ordinal: recorded, interface, function, .. } = call;
                if begun
                    && (*recorded, &**interface, &**function)
                        != (numbered(*recorded), &*site.interface, &*site.function)
                {
                    let found = format!("that of host call {recorded}, {interface}#{function}");
                    return Err(different(damaged(event, "the end of the host call that had begun", &found)));
                } else if !begun {
                    compare(event, (*recorded, interface, function), site, numbered(*recorded), params)?;
                }
                if !begun && (call.effect != Effect::Read || call.outcome == Outcome::Interrupted) {
                    return Err(different(damaged(event, "that it began, since it has an effect", "that it ended")));
                }
                if matches!(call.outcome, Outcome::Trap | Outcome::Abandoned) && field(event, "result")?.is_some() {
                    return Err(different(damaged(event, "no answer, since it did not return", "one")));
                }
                call.outcome.clone()
            }
            Some(step) => return Err(different(unrecorded(step, site, params))),
            None => return Err(Stop::Cut),
        };
        let Some(step) = self.record.take().await? else { return Err(Stop::Cut) };
        if self.record.is_cut(|error| engine.reproduce(error)).await? {
            return Err(Stop::Cut);
        }
        if ended == Outcome::Trap && self.record.is_exit().await? {
            return Err(Stop::Cut);
        }
        if matches!(ended, Outcome::Trap | Outcome::Abandoned) {
            let failure = |step: &&Step| matches!(step.data, Some(Data::ActorErrorData(_)));
            let fault = match self.record.peek_in_call().await?.filter(failure) {
                Some(end) => damaged(&end.event, "a failure that a host call ends in", &outcome::recorded(end)),
                None => damaged(&step.event, "the end of the call, which this host call ended", "that it went on"),
            };
            return Err(different(fault));
        }
        self.results(&step.event, site).await
    }

    async fn results(&mut self, event: &ChainEvent, site: &Site) -> Result<Vec<u8>, Stop> {
        if event.is_erased() {
            return Err(Stop::Unreplayable(format!(
                "the payload of event {}, the answer of {site}, was erased",
                event.seq
            )));
        }
        let result = field(event, "result")?.unwrap_or(NIL);
        match range::read(result) {
            Some(range) => range::events(&**self.record.store(), &range, event, site).await,
            None => Ok(result.to_vec()),
        }
    }
}

/// Whether the guest makes the host call that is recorded.
fn compare(
    event: &ChainEvent,
    (recorded, interface, function): (u32, &str, &str),
    site: &Site,
    ordinal: u32,
    params: &[u8],
) -> Result<(), Stop> {
    let expected = || {
        let recorded = field(event, "params").ok().flatten().unwrap_or(NIL);
        format!("{interface}#{function}{}", shown(site, interface, function, recorded))
    };
    let actual = || format!("{site}{}", text::values(params, &site.shape.params));
    let same = (&*site.interface, &*site.function) == (interface, function);
    if !same {
        return Err(different(at_host_call(event, interface, function, expected(), actual())));
    }
    if recorded != ordinal {
        let found = format!("host call {recorded} of its call");
        return Err(different(damaged(event, &format!("host call {ordinal} of its call"), &found)));
    }
    if event.is_erased() {
        return Ok(()); // nothing to compare with
    }
    let (expected_text, actual_text, equal) = match field(event, "params_digest")? {
        Some(digest) => {
            let ours = Digest::of(params);
            let recorded = payload::read_bin(digest).map_err(|error| unreadable(event, &error))?;
            let expected = format!("params with the digest {}", hex_of(recorded));
            (expected, format!("{} with the digest {ours}", actual()), recorded == ours.as_bytes())
        }
        None if field(event, "params")?.unwrap_or(NIL) == params => return Ok(()),
        None => (expected(), actual(), false),
    };
    if equal {
        return Ok(());
    }
    Err(different(at_host_call(event, interface, function, expected_text, actual_text)))
}

/// Recorded params as text; of another function than the guest's they have no type here.
fn shown(site: &Site, interface: &str, function: &str, params: &[u8]) -> String {
    if (&*site.interface, &*site.function) == (interface, function) {
        return text::values(params, &site.shape.params);
    }
    match site.others.get(interface, function) {
        Some(shape) => text::values(params, &shape.params),
        None => text::raw(params),
    }
}

fn hex_of(bytes: &[u8]) -> String {
    Digest::try_from(bytes).map_or_else(|_| "of another length".to_owned(), |digest| digest.to_string())
}

/// The guest makes a host call where the record has something else.
fn unrecorded(step: &Step, site: &Site, params: &[u8]) -> Divergence {
    Divergence {
        seq: step.event.seq,
        function: site.to_string(),
        expected: outcome::recorded(step),
        actual: format!("{site}{}", text::values(params, &site.shape.params)),
        backtrace: Vec::new(),
        failed: false,
    }
}

fn at_host_call(event: &ChainEvent, interface: &str, function: &str, expected: String, actual: String) -> Divergence {
    let function = format!("{interface}#{function}");
    Divergence { seq: event.seq, function, expected, actual, backtrace: Vec::new(), failed: false }
}

fn different(divergence: Divergence) -> Stop {
    Stop::Halt(Halt::Diverged(Box::new(divergence)))
}

/// A field of an event's payload.
pub(crate) fn field<'a>(event: &'a ChainEvent, name: &str) -> Result<Option<&'a [u8]>, Halt> {
    let Some(payload) = &event.payload else { return Ok(None) };
    payload::field(payload.bytes(), name).map_err(|error| unreadable(event, &error))
}

fn unreadable(event: &ChainEvent, error: &dyn std::fmt::Display) -> Halt {
    Halt::Diverged(Box::new(damaged(event, "a payload that can be read", &error.to_string())))
}
