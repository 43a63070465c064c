//! Running `migrate` of a recorded upgrade again: a function of a state and a version alone.

use std::time::Duration;

use bytes::Bytes;
use theater::Limits;
use wasmtime::component::Val;

use crate::call::{Params, invoke};
use crate::guest::Live;
use crate::link::Linked;

/// The function.
pub(crate) const NAME: &str = "theater:simple/migrate#migrate";
const INTERFACE: &str = "theater:simple/migrate";
const FUNCTION: &str = "migrate";

/// How long it may run: machines are not equally fast, and one that goes on for ever must end.
const LIMIT: Duration = Duration::from_secs(300);

/// Whether a component has one.
pub(crate) fn is_exported(linked: &Linked) -> bool {
    linked.export(INTERFACE, FUNCTION).is_some()
}

/// The state that it makes; the sentence says why it makes none.
pub(crate) async fn run(
    linked: &Linked,
    limits: &Limits,
    state: Option<Bytes>,
    version: &str,
) -> Result<Option<Vec<u8>>, String> {
    let export = linked.export(INTERFACE, FUNCTION).ok_or("the component does not export it")?;
    let failed = |error: wasmtime::Error| error.root_cause().to_string();
    let ticks = (LIMIT.as_millis() / theater::engine::TICK.as_millis()) as u64;
    let mut guest = Live::new(linked, limits.memory, ticks).await.map_err(failed)?;
    guest.store.data_mut().migrating = true;
    let params = Params::Dynamic(Val::Tuple(vec![Val::String(version.to_owned())]));
    let returned = invoke(&mut guest, export, state.as_deref(), params).await.map_err(failed)?;
    if returned.ok { Ok(returned.state) } else { Err("it answered err".to_owned()) }
}
