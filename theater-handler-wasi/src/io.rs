//! `wasi:io`: streams and polling. Standard input is at its end, output always has room, so that
//! only timers are ever waited for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use theater::wasmtime;
use theater::wasmtime::component::{ComponentType, Lower};
use theater::{Effect, Handle, HostLinker, Result};

use crate::clocks;
use crate::handles::{InputStream, IoError, OutputStream, Pollable, STDERR, ready};
use crate::timers::Timers;
use crate::{Wasi, WasiHandler};

/// What may be written at a time, in bytes.
const ROOM: u64 = 64 << 10;

/// The rule under which output beyond the manifest's limit is recorded.
const RULE: &str = "limits.log";

/// WIT `stream-error`.
#[derive(Debug, ComponentType, Lower, Serialize, Deserialize)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Handle<IoError>),
    #[component(name = "closed")]
    Closed,
}

type Streamed<T> = Result<(std::result::Result<T, StreamError>,)>;
type Input = Handle<InputStream>;
type Output = Handle<OutputStream>;

pub(crate) fn link(host: &mut HostLinker<'_, WasiHandler>) -> Result<()> {
    host.foreign("wasi:io/error@0.2.12")?.absent_resource::<IoError>("error")?;
    host.foreign("wasi:io/poll@0.2.12")?
        .resource::<Pollable, Timers>("pollable", Timers::drop_timer)?
        .func("[method]pollable.ready", Effect::Read, is_ready)?
        .func_async("[method]pollable.block", Effect::Read, block)?
        .func_async("poll", Effect::Read, poll)?;
    host.foreign("wasi:io/streams@0.2.12")?
        .resource::<InputStream, Timers>("input-stream", |_, _| ())?
        .func("[method]input-stream.read", Effect::Read, read)?
        .func("[method]input-stream.blocking-read", Effect::Read, read)?
        .func("[method]input-stream.skip", Effect::Read, skip)?
        .func("[method]input-stream.blocking-skip", Effect::Read, skip)?
        .func("[method]input-stream.subscribe", Effect::Read, |_: Wasi<'_>, _: (Input,)| Ok((ready(),)))?
        .resource::<OutputStream, Timers>("output-stream", |_, _| ())?
        .func("[method]output-stream.check-write", Effect::Read, check_write)?
        .func("[method]output-stream.write", Effect::Read, write)?
        .func("[method]output-stream.blocking-write-and-flush", Effect::Read, write)?
        .func("[method]output-stream.flush", Effect::Read, flush)?
        .func("[method]output-stream.blocking-flush", Effect::Read, flush)?
        .func("[method]output-stream.subscribe", Effect::Read, |_: Wasi<'_>, _: (Output,)| Ok((ready(),)))?
        .func("[method]output-stream.write-zeroes", Effect::Read, write_zeroes)?
        .func("[method]output-stream.blocking-write-zeroes-and-flush", Effect::Read, write_zeroes)?
        .func("[method]output-stream.splice", Effect::Read, splice)?
        .func("[method]output-stream.blocking-splice", Effect::Read, splice)?;
    Ok(())
}

fn is_ready(mut call: Wasi<'_>, (pollable,): (Handle<Pollable>,)) -> Result<(bool,)> {
    Ok((left(&mut call, &pollable).is_zero(),))
}

async fn block(call: Wasi<'_>, (pollable,): (Handle<Pollable>,)) -> Result<()> {
    poll(call, (vec![pollable],)).await.map(drop)
}

/// Waits until one of them is ready; the places of all that are.
async fn poll(mut call: Wasi<'_>, (pollables,): (Vec<Handle<Pollable>>,)) -> Result<(Vec<u32>,)> {
    loop {
        let waits: Vec<Duration> = pollables.iter().map(|pollable| left(&mut call, pollable)).collect();
        let Some(shortest) = waits.iter().min() else {
            return Err(wasmtime::format_err!("it was called with an empty list, which would wait for ever"));
        };
        if shortest.is_zero() {
            let ready = (0..).zip(&waits).filter(|(_, wait)| wait.is_zero());
            return Ok((ready.map(|(place, _)| place).collect(),));
        }
        call.sleep(*shortest).await;
    }
}

fn left(call: &mut Wasi<'_>, pollable: &Handle<Pollable>) -> Duration {
    let now = clocks::monotonic(call);
    call.instance::<Timers>().left(pollable.number(), now)
}

fn read(_: Wasi<'_>, _: (Input, u64)) -> Streamed<Vec<u8>> {
    Ok((Err(StreamError::Closed),))
}

fn skip(_: Wasi<'_>, _: (Input, u64)) -> Streamed<u64> {
    Ok((Err(StreamError::Closed),))
}

fn check_write(_: Wasi<'_>, _: (Output,)) -> Streamed<u64> {
    Ok((Ok(ROOM),))
}

fn flush(_: Wasi<'_>, _: (Output,)) -> Streamed<()> {
    Ok((Ok(()),))
}

/// There is nothing in the source.
fn splice(_: Wasi<'_>, _: (Output, Input, u64)) -> Streamed<u64> {
    Ok((Err(StreamError::Closed),))
}

fn write_zeroes(mut call: Wasi<'_>, (stream, len): (Output, u64)) -> Streamed<()> {
    check_room(len)?;
    if !log(&mut call, &stream, &vec![0; len as usize]) {
        call.deny(RULE);
    }
    Ok((Ok(()),))
}

fn write(mut call: Wasi<'_>, (stream, bytes): (Output, Vec<u8>)) -> Streamed<()> {
    check_room(bytes.len() as u64)?;
    if !log(&mut call, &stream, &bytes) {
        call.deny(RULE);
        call.record_params_as(&(stream, Vec::<u8>::new()))?;
    }
    Ok((Ok(()),))
}

fn check_room(len: u64) -> Result<()> {
    if len <= ROOM {
        return Ok(());
    }
    Err(wasmtime::format_err!("{len} bytes were written at once; check-write allows {ROOM}"))
}

/// Logs what was written, if the manifest's limit `log` has room for it.
fn log(call: &mut Wasi<'_>, stream: &Output, bytes: &[u8]) -> bool {
    let (now, rate) = (call.monotonic(), call.limits().log);
    let is_error = stream.number() == STDERR;
    let mut said = Vec::new();
    let state = call.state();
    if !state.log.admit(bytes.len(), rate, now) {
        state.log.drop_line(state.writer.actor, &state.writer.name);
        return false;
    }
    state.log.tell_dropped();
    let output = if is_error { &mut state.stderr } else { &mut state.stdout };
    output.write(&state.writer, bytes, |line| {
        if is_error {
            said.push(line.to_owned());
        }
    });
    // What a language's runtime says of a failure before it traps.
    for line in said {
        call.explain_failure_further(&line);
    }
    true
}
