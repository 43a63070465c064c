//! `wasi:clocks`: the runtime's own clocks.
#![expect(clippy::needless_pass_by_value, reason = "a host function gets its call by value")]

use std::time::Duration;

use serde::{Deserialize, Serialize};
use theater::wasmtime;
use theater::wasmtime::component::{ComponentType, Lower};
use theater::{Effect, Handle, HostLinker, Result};

use crate::handles::Pollable;
use crate::timers::Timers;
use crate::{Wasi, WasiHandler};

/// WIT `datetime`.
#[derive(Debug, Clone, Copy, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// The wall clock counts milliseconds.
const WALL_RESOLUTION: Datetime = Datetime { seconds: 0, nanoseconds: 1_000_000 };

pub(crate) fn link(host: &mut HostLinker<'_, WasiHandler>) -> Result<()> {
    host.foreign("wasi:clocks/wall-clock@0.2.12")?.func("now", Effect::Read, wall)?.func(
        "resolution",
        Effect::Read,
        |_: Wasi<'_>, ()| Ok((WALL_RESOLUTION,)),
    )?;
    host.foreign("wasi:clocks/monotonic-clock@0.2.12")?
        .func("now", Effect::Read, |mut call: Wasi<'_>, ()| Ok((nanoseconds(monotonic(&mut call)),)))?
        .func("resolution", Effect::Read, |_: Wasi<'_>, ()| Ok((1_u64,)))?
        // A call that begins again after a crash has its timers again.
        .in_call()
        .func("subscribe-instant", Effect::Read, |call: Wasi<'_>, (at,): (u64,)| timer(call, Duration::from_nanos(at)))?
        .func("subscribe-duration", Effect::Read, |mut call: Wasi<'_>, (wait,): (u64,)| {
            let at = monotonic(&mut call).saturating_add(Duration::from_nanos(wait));
            timer(call, at)
        })?;
    Ok(())
}

fn wall(call: Wasi<'_>, (): ()) -> Result<(Datetime,)> {
    let now = Duration::from_millis(call.wall_ms());
    Ok((Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() },))
}

/// The guests' monotonic clock: the runtime's, but begun at the time of day, so that it goes on where
/// a call begins again in another process.
pub(crate) fn monotonic(call: &mut Wasi<'_>) -> Duration {
    let (day, now) = (Duration::from_millis(call.wall_ms()), call.monotonic());
    let begun = call.state().clock.get_or_insert(Begun { day, at: now });
    begun.day + now.saturating_sub(begun.at)
}

/// When an actor first asked for the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    /// On the wall clock.
    day: Duration,
    /// On the runtime's monotonic clock.
    at: Duration,
}

/// The clock lasts until the year 2554.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn timer(mut call: Wasi<'_>, at: Duration) -> Result<(Handle<Pollable>,)> {
    match call.instance::<Timers>().add(at) {
        Some(number) => Ok((Handle::new(number),)),
        None => Err(wasmtime::format_err!("too many timers; drop those that are done")),
    }
}
