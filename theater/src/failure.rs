//! What a failed guest call means: which kind of error, and whether running again must end the
//! same way.

use heck::ToKebabCase as _;
use theater_chain::data::ErrorType;
use wasmtime::{Trap, WasmBacktrace};

use crate::actor_store::Turn;
use crate::error::ActorError;

/// Frames of the guest's backtrace that the message names.
const FRAMES: usize = 4;

/// Classifies what wasmtime gave back. A host function's failure and a refused memory are known
/// from the store; a wasm trap has a code; what is left are arguments that could not be read.
pub(crate) fn classify(error: &wasmtime::Error, turn: Turn, refused: Option<usize>) -> ActorError {
    if let Some(failure) = turn.failure {
        return failure;
    }
    let trap = error.downcast_ref::<Trap>();
    let kind = match (trap, refused) {
        (_, Some(_)) => ErrorType::MemoryLimit,
        (Some(_), None) => ErrorType::Trap,
        (None, None) => ErrorType::HostCallFailed,
    };
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    let mut what = match refused {
        Some(bytes) => format!("it asked for {bytes} bytes of memory, more than the manifest's limit `memory`"),
        None if trap.is_some() => error.root_cause().to_string(),
        None => unreadable(&error.root_cause().to_string()),
    };
    let names: Vec<String> = frames.iter().filter_map(|frame| own_function(frame.func_name()?)).take(FRAMES).collect();
    if !names.is_empty() {
        what = format!("{what} (in {})", names.join(" < "));
    }
    if let Some(said) = turn.said {
        what = format!("{said}: {what}");
    }
    let mut failure = ActorError::new(kind, what);
    failure.trap_code = trap.map(|trap| format!("{trap:?}").to_kebab_case());
    failure.wasm_offset = frames.first().and_then(|frame| frame.module_offset()).map(|offset| offset as u64);
    // How deep a stack goes depends on the engine and the machine.
    failure.deterministic &= trap != Some(&Trap::StackOverflow);
    failure
}

/// Neither a trap nor a host function's failure: what the guest passed or returned.
fn unreadable(cause: &str) -> String {
    // wasmtime's words for a host call that passes more than `host_call_bytes`.
    let limit = if cause.contains("fuel") { "; the manifest's limit is `host_call_bytes`" } else { "" };
    format!("what it passed to the host or returned cannot be read: {cause}{limit}")
}

/// The readable name of a guest's function; `None` for the machinery of a Rust panic around it.
fn own_function(symbol: &str) -> Option<String> {
    const MACHINERY: [&str; 5] = ["__rustc", "std::", "core::", "alloc::", "theater_actor::"];
    let name = format!("{:#}", rustc_demangle::demangle(symbol));
    let bare = name.trim_start_matches(['<', '_']);
    let machinery = name.starts_with("__rustc") || MACHINERY.iter().any(|prefix| bare.starts_with(prefix));
    (!machinery).then_some(name)
}
