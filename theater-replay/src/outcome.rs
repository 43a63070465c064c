//! How a guest call ends: as recorded, as made again, and whether the two are one.

use heck::ToKebabCase as _;
use theater::ActorError;
use theater_chain::data::{ActorErrorData, CallReturned, Data, ErrorType, EventData as _, StateUpdated};
use theater_chain::{ChainEvent, Digest, TheaterId, codec, payload};
use wasmtime::{Trap, WasmBacktrace};

use crate::guest::{Endless, Engines};
use crate::record::Step;
use crate::shape::Shape;
use crate::text;

/// From this length on, in bytes, what is said of a failure is cut.
const LONGEST: usize = 16 << 10;

/// How a call that was made again ended.
pub(crate) enum Made {
    Returned(Returned),
    Failed(Failed),
}

/// The guest answered.
pub(crate) struct Returned {
    /// Whether it answered `ok`.
    pub(crate) ok: bool,
    /// The next state; after an `err` the one before.
    pub(crate) state: Option<Vec<u8>>,
    /// The encoded result, `{"Ok": [..]}` or `{"Err": ".."}`.
    pub(crate) result: Vec<u8>,
}

/// The call failed.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) kind: ErrorType,
    pub(crate) trap_code: Option<String>,
    pub(crate) wasm_offset: Option<u64>,
    /// Where the function starts that trapped.
    starts: Option<u64>,
    /// Where it ends, if it trapped at its start.
    ends: Option<u64>,
    pub(crate) said: String,
    /// That is all that is said of it; else something may stand around it that nothing here knows.
    whole: bool,
    pub(crate) backtrace: Vec<String>,
}

impl Failed {
    /// A failure without a trap.
    pub(crate) fn new(error: ActorError) -> Self {
        Self {
            kind: error.kind,
            trap_code: None,
            wasm_offset: None,
            starts: None,
            ends: None,
            said: error.message,
            whole: true,
            backtrace: Vec::new(),
        }
    }

    /// Classified as the core does it live; host functions cannot fail here.
    pub(crate) fn of(error: &wasmtime::Error, refused: Option<usize>) -> Self {
        let trap = error.downcast_ref::<Trap>();
        let kind = match (trap, refused) {
            (_, Some(_)) => ErrorType::MemoryLimit,
            _ if error.is::<Endless>() => ErrorType::CallTimeout,
            (Some(_), None) => ErrorType::Trap,
            (None, None) => ErrorType::HostCallFailed,
        };
        let (wasm_offset, starts) = (offset(error), start(error));
        Self {
            kind,
            trap_code: trap.map(|trap| format!("{trap:?}").to_kebab_case()),
            wasm_offset,
            starts,
            ends: if wasm_offset == starts { end(error) } else { None },
            said: refused.map_or_else(|| error.root_cause().to_string(), |bytes| format!("{bytes} bytes")),
            whole: false,
            backtrace: backtrace(error),
        }
    }

    /// As text.
    pub(crate) fn text(&self) -> String {
        failure_text(self.kind, self.trap_code.as_deref(), self.wasm_offset, Some(&self.said))
    }

    /// Whether it is the failure that is recorded. A trap has the same code at the same place; `moved`
    /// says that the component is another one, in which places mean nothing.
    pub(crate) fn is(&self, event: &ChainEvent, recorded: &ActorErrorData, moved: bool, engines: Engines) -> bool {
        let traps = matches!(self.kind, ErrorType::Trap | ErrorType::MemoryLimit);
        let same_trap = || self.trap_code == recorded.trap_code && self.is_at(recorded.wasm_offset);
        let says = match message(event) {
            _ if event.is_erased() => true,
            Some(message) if self.whole => message == self.said,
            // The rest is in the engine's words, and in those of a component that is not there.
            Some(_) if moved || engines == Engines::Different => true,
            // It was cut, with what the guest had said before.
            Some(message) if message.len() >= LONGEST => true,
            Some(message) => message.contains(&self.said),
            None => false,
        };
        self.kind == recorded.error && says && (!traps || moved || same_trap())
    }

    /// Whether it trapped at this place. Of a trap that a function's entry leads to at once the compiler
    /// makes two: one taken by the check for a tick at the entry, and placed there; and its own, which
    /// is reached where the tick was due and the guest gave way. Which one it is depends on time.
    fn is_at(&self, recorded: Option<u64>) -> bool {
        let within = || recorded >= self.starts && self.starts.is_some() && recorded <= self.ends;
        self.wasm_offset == recorded || recorded == self.starts || (self.wasm_offset == self.starts && within())
    }
}

/// The guest's functions where it trapped or called the host, the innermost first.
pub(crate) fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    let shown = frames.iter().map(|frame| {
        let name = frame.func_name().map(|name| format!("{:#}", rustc_demangle::demangle(name)));
        let name = name.unwrap_or_else(|| format!("function {}", frame.func_index()));
        match frame.module_offset() {
            Some(offset) => format!("{name} at {offset:#x}"),
            None => name,
        }
    });
    shown.collect()
}

fn offset(error: &wasmtime::Error) -> Option<u64> {
    let backtrace = error.downcast_ref::<WasmBacktrace>()?;
    backtrace.frames().first()?.module_offset().map(|offset| offset as u64)
}

fn start(error: &wasmtime::Error) -> Option<u64> {
    let frame = error.downcast_ref::<WasmBacktrace>()?.frames().first()?;
    Some(frame.module_offset()?.checked_sub(frame.func_offset()?)? as u64)
}

/// The last place in the function that trapped.
fn end(error: &wasmtime::Error) -> Option<u64> {
    let frame = error.downcast_ref::<WasmBacktrace>()?.frames().first()?;
    let (module, index) = (frame.module(), frame.func_index());
    let function = module.functions().find(|function| function.index.as_u32() == index)?;
    let code = function.offset..function.offset + function.len;
    let places = module.address_map()?.filter(|(at, _)| code.contains(at));
    places.filter_map(|(_, place)| place).max().map(u64::from)
}

impl Returned {
    /// The state's hash.
    pub(crate) fn state_hash(&self) -> Digest {
        Digest::of_state(self.state.as_deref())
    }

    /// The event that the live actor would have recorded: its type, its data and its payload.
    pub(crate) fn event(
        &self,
        actor: TheaterId,
        before: Digest,
        message: Option<&str>,
    ) -> (&'static str, Vec<u8>, Vec<u8>) {
        let payload = payload::encode(&[("result", Some(&self.result))]).unwrap_or_default();
        let after = self.state_hash();
        if self.ok && after != before {
            let event = StateUpdated {
                actor_id: actor,
                old_state_hash: before,
                new_state_hash: after,
                transition_message: message.map(str::to_owned),
            };
            return (StateUpdated::TYPE, event.encode(), payload);
        }
        (CallReturned::TYPE, CallReturned { ok: self.ok, state_hash: before }.encode(), payload)
    }

    /// As text: the result and the state.
    pub(crate) fn text(&self, results: &[Shape]) -> String {
        let state = self.state.as_deref().map_or_else(|| "none".to_owned(), text::bytes);
        format!("{}, state {}", result_text(&self.result, results), state)
    }
}

/// A result of a guest call as text: `ok(..)` or `err(..)`.
pub(crate) fn result_text(result: &[u8], results: &[Shape]) -> String {
    let ok = if results.is_empty() { None } else { Some(Box::new(Shape::Tuple(results.to_vec()))) };
    let shape = Shape::Result(ok, Some(Box::new(Shape::Text)));
    text::value(result, &shape)
}

/// Whether an event is the one that was made again. An erased payload is not compared.
pub(crate) fn is_event(event: &ChainEvent, (event_type, data, payload): &(&'static str, Vec<u8>, Vec<u8>)) -> bool {
    event.event_type == *event_type
        && event.data == *data
        && (event.is_erased() || event.payload.as_ref().is_some_and(|found| found.bytes() == payload))
}

/// A recorded event as text, where no types are known for it.
pub(crate) fn recorded(step: &Step) -> String {
    match &step.data {
        Some(Data::HostCall(call)) => format!("{}#{}", call.interface, call.function),
        Some(Data::HostCallBegun(call)) => format!("{}#{}", call.interface, call.function),
        Some(Data::ActorErrorData(error)) => error_text(&step.event, error),
        Some(Data::StateUpdated(_)) => "the end of the call, with a new state".to_owned(),
        Some(Data::CallReturned(returned)) if returned.ok => "the end of the call".to_owned(),
        Some(Data::CallReturned(_)) => "the end of the call, with an err".to_owned(),
        _ => format!("an event {}", step.event.event_type),
    }
}

/// A recorded failure as text.
pub(crate) fn error_text(event: &ChainEvent, error: &ActorErrorData) -> String {
    failure_text(error.error, error.trap_code.as_deref(), error.wasm_offset, message(event).as_deref())
}

/// What a recorded failure says.
fn message(event: &ChainEvent) -> Option<String> {
    let message = crate::answer::field(event, "message").ok().flatten();
    message.and_then(|message| codec::decode(message).ok())
}

fn failure_text(kind: ErrorType, trap_code: Option<&str>, offset: Option<u64>, said: Option<&str>) -> String {
    let mut text = match trap_code {
        Some(code) => format!("trap {code}"),
        None => format!("the failure {}", format!("{kind:?}").to_kebab_case()),
    };
    if let Some(offset) = offset {
        text.push_str(&format!(" at {offset:#x}"));
    }
    if let Some(said) = said {
        text.push_str(&format!(": {}", text::cut(said.to_owned())));
    }
    text
}

impl Made {
    /// As text.
    pub(crate) fn text(&self, results: &[Shape]) -> String {
        match self {
            Self::Returned(returned) => returned.text(results),
            Self::Failed(failed) => failed.text(),
        }
    }
}
