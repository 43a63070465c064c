//! Recorded values as WIT text (WAVE), for people.

use theater_chain::document;
use wasmtime::component::Val;

use crate::decode;
use crate::shape::Shape;

/// Characters of a value that are shown.
const LONGEST: usize = 2_000;

/// Params or results as `(a, b)`; `()` for none.
pub(crate) fn values(bytes: &[u8], shapes: &[Shape]) -> String {
    match decode::values(bytes, shapes, &mut numbered) {
        Ok(values) => {
            let shown: Vec<_> = values.iter().zip(shapes).map(|(val, shape)| one(val, shape)).collect();
            cut(format!("({})", shown.join(", ")))
        }
        Err(_) => raw(bytes),
    }
}

/// Text of bytes that are not of the type that they should have.
pub(crate) fn raw(bytes: &[u8]) -> String {
    match document::to_json(bytes) {
        Ok(json) => cut(format!("{json} (as JSON: not of the function's type)")),
        Err(error) => format!("{} bytes that cannot be read: {error}", bytes.len()),
    }
}

/// The bytes of a state, or of anything else: as text where they are text.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|letter| letter.is_control() && letter != '\n') => {
            cut(format!("{} bytes: {}", bytes.len(), text.replace('\n', "\\n")))
        }
        _ => cut(format!("{} bytes: 0x{}", bytes.len(), hex(&bytes[..bytes.len().min(256)]))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Resources are shown by their numbers.
fn numbered(_kind: u32, rep: u32) -> wasmtime::Result<Val> {
    Ok(Val::U32(rep))
}

fn one(val: &Val, shape: &Shape) -> String {
    val.to_wave().unwrap_or_else(|_| format!("a value of the type {shape:?}"))
}

/// Bounds a text.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push_str(" ..");
    }
    text
}

/// One value.
pub(crate) fn value(bytes: &[u8], shape: &Shape) -> String {
    match decode::whole(bytes, shape, &mut numbered) {
        Ok(val) => cut(one(&val, shape)),
        Err(_) => raw(bytes),
    }
}
