//! `wasi:random`: the runtime's own source, for what WASI calls insecure too. Each draw is recorded,
//! also the seed of hash maps, so that a replay sees the same.

use theater::wasmtime;
use theater::{Effect, HostLinker, Result};

use crate::{Wasi, WasiHandler};

pub(crate) fn link(host: &mut HostLinker<'_, WasiHandler>) -> Result<()> {
    host.foreign("wasi:random/random@0.2.12")?.func("get-random-bytes", Effect::Read, bytes)?.func(
        "get-random-u64",
        Effect::Read,
        |call: Wasi<'_>, ()| Ok((number(&call),)),
    )?;
    host.foreign("wasi:random/insecure@0.2.12")?.func("get-insecure-random-bytes", Effect::Read, bytes)?.func(
        "get-insecure-random-u64",
        Effect::Read,
        |call: Wasi<'_>, ()| Ok((number(&call),)),
    )?;
    host.foreign("wasi:random/insecure-seed@0.2.12")?
        .func("insecure-seed", Effect::Read, |call: Wasi<'_>, ()| Ok(((number(&call), number(&call)),)))?;
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "a host function gets its call by value")]
fn bytes(call: Wasi<'_>, (len,): (u64,)) -> Result<(Vec<u8>,)> {
    // Refused before they are made; the core looks at the encoded answer.
    let limit = call.limits().result;
    match usize::try_from(len) {
        Ok(len) if len <= limit => {
            let mut bytes = vec![0; len];
            call.fill_random(&mut bytes);
            Ok((bytes,))
        }
        _ => Err(wasmtime::format_err!("{len} random bytes were asked for; the manifest's limit `result` is {limit}")),
    }
}

fn number(call: &Wasi<'_>) -> u64 {
    let mut bytes = [0; 8];
    call.fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}
